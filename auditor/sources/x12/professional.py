"""Transactions 837P (005010X222) → a row for each service line. Source: docs/x12.md."""

from collections.abc import Mapping
from typing import Any

from auditor.sources.x12.elements import Elements, Values, padded, procedure, required
from auditor.sources.x12.interchange import BrokenX12, Delimiters
from auditor.sources.x12.transactions import Handler

COLUMNS = ("record", "claim_id", "claim_line", "reference", "patient_id", "provider_id", "service_date", "cpt_code",
           "modifiers", "units", "billed_amount", "payer", "frequency_code", "replaced", "diagnosis_codes",
           "position")  # fmt: skip
"""Of a row. `record`: the number of its SV1 in the file. `reference`: REF*6R. `replaced`: REF*F8, a number of the payer's.
`position`: P, S or T, whether the payer is the first, second or third."""
_DIAGNOSES = ("ABK", "ABF", "BK", "BF")


class Professional:
    """Makes the rows of one file's 837P transactions."""

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self.claims = self.lost_pointers = 0
        self.values = Values()
        self.handlers: Mapping[str, Handler] = {
            "HL": self._hl, "SBR": self._sbr, "NM1": self._nm1, "CLM": self._clm, "REF": self._ref, "HI": self._hi,
            "LX": self._lx, "SV1": self._sv1, "DTP": self._dtp,
        }  # fmt: skip

    def start(self, delimiters: Delimiters, date: str) -> None:
        self._component = delimiters.component
        self._billing = self._level = self._claim = self._line = ""
        self._in_other_payer = False
        self._subscriber()

    def end(self) -> None:
        if self._claim:
            self._close_claim()

    def _subscriber(self) -> None:
        self._member = self._payer = self._position = self._given = ""

    def _hl(self, elements: Elements, number: int) -> None:
        if self._claim:
            self._close_claim()
        self._level, self._given = elements[3], ""
        if self._level == "20":
            self._billing = ""
        if self._level != "23":
            self._subscriber()

    def _sbr(self, elements: Elements, number: int) -> None:
        if self._claim:
            self._in_other_payer = True
        else:
            self._position = elements[1]

    def _nm1(self, elements: Elements, number: int) -> None:
        """Names before the claim; in it those of rendering providers, but not what another payer calls them."""
        who, name = elements[1], elements[9] if len(elements) > 9 else ""
        if self._claim:
            if who == "82" and not self._in_other_payer:
                self._rendering(name)
        elif who == "IL":
            self._member = name
        elif who == "PR":
            self._payer = elements[3] or name
        elif who == "QC":
            self._given = padded(elements, 5)[4]
        elif who == "85":
            self._billing = name

    def _rendering(self, provider: str) -> None:
        if self._line:
            self._line_provider = provider
        else:
            self._claim_provider = provider

    def _clm(self, elements: Elements, number: int) -> None:
        if self._claim:
            self._close_claim()
        if self._level not in ("22", "23"):
            raise BrokenX12(number, "CLM is outside the HL of a subscriber or dependent")
        self._claim, self._claim_number = required(elements, 1, number, "CLM01"), number
        if elements[2] not in self.values.amounts:
            self.values.amount(elements[2], number, "CLM02")
        place = elements[5].split(self._component)
        self._frequency = place[2] if len(place) > 2 else ""
        self._claim_provider = self._replaced = self._own_number = self._claim_date = ""
        self._diagnoses: list[str] = []
        self._lines = 0
        self.claims += 1

    def _ref(self, elements: Elements, number: int) -> None:
        kind, text = elements[1], elements[2]
        if self._line:
            if kind == "6R":
                self._reference = text
        elif self._claim and not self._in_other_payer:
            if kind == "F8":
                self._replaced = text
            elif kind == "EA":
                self._own_number = text.strip()

    def _hi(self, elements: Elements, number: int) -> None:
        if not self._claim:
            raise BrokenX12(number, "HI is outside a claim")
        for composite in elements[1:]:
            qualifier, _, code = composite.partition(self._component)
            if qualifier in _DIAGNOSES:
                self._diagnoses.append(code.partition(self._component)[0])

    def _lx(self, elements: Elements, number: int) -> None:
        if self._line:
            self._close_line()
        if not self._claim:
            raise BrokenX12(number, "LX is outside a claim")
        self._line, self._line_number = required(elements, 1, number, "LX01"), number
        self._line_provider = self._reference = self._line_date = ""
        self._service: tuple[Any, ...] = ()
        self._in_other_payer = False
        self._lines += 1

    def _sv1(self, elements: Elements, number: int) -> None:
        if not self._line or self._service:
            raise BrokenX12(number, "SV1 is outside a service line (LX)")
        if len(elements) < 8:
            elements = padded(elements, 8)
        charge, units, amounts = elements[2], elements[4], self.values.amounts
        if charge not in amounts:
            self.values.amount(charge, number, "SV102")
        if units and units not in amounts:
            self.values.amount(units, number, "SV104")
        code, modifiers = procedure(elements[1], self._component, number, "SV101-2")
        self._service = number, code, modifiers, units, charge, self._pointed(elements[7])

    def _pointed(self, pointers: str) -> str:
        """The diagnoses that a line names by their places, from 1; places without one are counted."""
        codes = self._diagnoses
        if pointers == "1" and codes:
            return codes[0]
        places = pointers.split(self._component)
        found = [codes[int(place) - 1] for place in places if place.isdecimal() and 0 < int(place) <= len(codes)]
        self.lost_pointers += len(found) < len(places) and bool(pointers)
        return ";".join(found)

    def _dtp(self, elements: Elements, number: int) -> None:
        if elements[1] != "472" or not self._claim:
            return
        day = self.values.date(elements[3], number, "DTP03")
        if self._line:
            self._line_date = day
        else:
            self._claim_date = day

    def _close_claim(self) -> None:
        if self._line:
            self._close_line()
        if not self._lines:
            raise BrokenX12(self._claim_number, "the claim has no service line (LX)")
        self._claim, self._in_other_payer = "", False

    def _close_line(self) -> None:
        if not self._service:
            raise BrokenX12(self._line_number, "the service line has no SV1")
        number, code, modifiers, units, charge, diagnoses = self._service
        patient = self._own_number or self._member
        if self._given and not self._own_number:
            patient = f"{patient.strip()} {self._given.strip().upper()}"
        provider = self._line_provider or self._claim_provider or self._billing
        self.rows.append((
            number, self._claim, self._line, self._reference, patient, provider, self._line_date or self._claim_date,
            code, modifiers, units, charge, self._payer, self._frequency, self._replaced, diagnoses, self._position,
        ))  # fmt: skip
        self._line = ""
