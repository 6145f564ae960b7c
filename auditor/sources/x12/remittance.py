"""Transactions 835 (005010X221) → a row for each service, or for a claim that is paid without any. Source: docs/x12.md."""

from collections.abc import Mapping
from typing import Any

from auditor.sources.x12.elements import Elements, Values, padded, procedure, required
from auditor.sources.x12.interchange import BrokenX12, Delimiters
from auditor.sources.x12.transactions import Handler

COLUMNS = ("record", "claim_id", "place", "reference", "patient_id", "provider_id", "service_date", "cpt_code", "modifiers",
           "units", "billed_amount", "paid_amount", "payer", "claim_status", "position", "payer_claim_id",
           "processed_date", "trace", "transaction")  # fmt: skip
"""Of a row. `record`: the number of its SVC, else CLP, in the file. `place`: of the SVC in its claim, from 1; 0 for a claim
that is paid as a whole. `position`: P, S or T, whether the payer is the first, second or third; blank where CLP02 does not
say. `payer_claim_id`: CLP07. `trace`: TRN02, the number of the payment; `transaction`: the number of the ST in the file."""
_VOID, _DENIED, _REVERSED = ("23", "25"), "4", "22"
_ACTIVE = ("1", "2", "3", "5", "10", "13", "15", "16", "17", "19", "20", "21", "27")
_STATUS = dict.fromkeys(_VOID, "void") | {_DENIED: "denied", _REVERSED: "reversed"} | dict.fromkeys(_ACTIVE, "active")
_POSITIONS = {"1": "P", "19": "P", "2": "S", "20": "S", "3": "T", "21": "T"}


class Remittance:
    """Makes the rows of one file's 835 transactions."""

    def __init__(self) -> None:
        self.rows: list[tuple[Any, ...]] = []
        self.claims = self.lost_pointers = self._transaction = 0
        self.values = Values()
        self.handlers: Mapping[str, Handler] = {
            "BPR": self._bpr, "TRN": self._trn, "N1": self._n1, "LX": self._lx, "CLP": self._clp, "NM1": self._nm1,
            "REF": self._ref, "DTM": self._dtm, "SVC": self._svc,
        }  # fmt: skip

    def start(self, delimiters: Delimiters, date: str) -> None:
        self._component = delimiters.component
        self._payer = self._payee = self._claim = self._produced = self._trace = ""
        self._transaction += 1
        self._paid_on = f"{date[:4]}-{date[4:6]}-{date[6:]}" if len(date) == 8 and date.isdecimal() else ""
        self._service: tuple[Any, ...] = ()

    def end(self) -> None:
        self._close_claim()

    def _bpr(self, elements: Elements, number: int) -> None:
        if day := padded(elements, 17)[16]:
            self._paid_on = self.values.date(day, number, "BPR16")

    def _trn(self, elements: Elements, number: int) -> None:
        self._trace = elements[2]

    def _n1(self, elements: Elements, number: int) -> None:
        elements = padded(elements, 5)
        if elements[1] == "PR":
            self._payer = elements[2].strip() or elements[4]
        elif elements[1] == "PE":
            self._payee = elements[4]

    def _lx(self, elements: Elements, number: int) -> None:
        self._close_claim()

    def _clp(self, elements: Elements, number: int) -> None:
        self._close_claim()
        self._claim, self._number = required(elements, 1, number, "CLP01"), number
        self._code = required(elements, 2, number, "CLP02")
        self._amounts = tuple(self.values.amount(elements[at], number, f"CLP0{at}") for at in (3, 4))
        self._payer_claim_id = padded(elements, 8)[7]
        self._names: dict[str, Elements] = {}
        self._own_number = self._claim_provider = ""
        self._claim_days: dict[str, str] = {}
        self._places = 0
        self.claims += 1

    def _nm1(self, elements: Elements, number: int) -> None:
        if self._claim:
            self._names[elements[1]] = padded(elements, 10)

    def _ref(self, elements: Elements, number: int) -> None:
        kind, text = elements[1], elements[2]
        if self._service:
            if kind == "6R":
                self._reference = text
            elif kind == "HPI":
                self._line_provider = text.strip()
        elif self._claim and kind == "EA":
            self._own_number = text.strip()

    def _dtm(self, elements: Elements, number: int) -> None:
        kind, text = elements[1], elements[2]
        if kind == "405" and not self._claim:
            self._produced = self.values.date(text, number, "DTM02")
        elif kind in ("472", "150", "151") and self._service:
            self._days[kind] = self.values.date(text, number, "DTM02")
        elif kind in ("232", "233") and self._claim:
            self._claim_days[kind] = self.values.date(text, number, "DTM02")

    def _svc(self, elements: Elements, number: int) -> None:
        self._close_service()
        if not self._claim:
            raise BrokenX12(number, "SVC is outside a claim (CLP)")
        elements = padded(elements, 8)
        charge, paid = (self.values.amount(elements[at], number, f"SVC0{at}") for at in (2, 3))
        units = elements[7] or elements[5] or "1"
        self.values.amount(units, number, "SVC05 or SVC07")
        billed, what = (elements[6], "SVC06-2") if elements[6].strip() else (elements[1], "SVC01-2")
        self._places += 1
        self._reference = self._line_provider = ""
        self._days: dict[str, str] = {}
        self._service = number, *procedure(billed, self._component, number, what), units, charge, paid

    def _close_claim(self) -> None:
        self._close_service()
        if self._claim and not self._places:
            self._line_provider, self._reference, self._days = "", "", {}
            self._add(self._number, "", "", "", *self._amounts)
        self._claim = ""

    def _close_service(self) -> None:
        if self._service:
            self._add(*self._service)
            self._service = ()

    def _add(self, number: int, code: str, modifiers: str, units: str, charge: str, paid: str) -> None:
        rendering = self._names["82"][9] if "82" in self._names else ""
        of_line = _span(self._days.get("150", ""), self._days.get("151", ""))
        of_claim = _span(self._claim_days.get("232", ""), self._claim_days.get("233", ""))
        self.rows.append((
            number, self._claim, str(self._places), self._reference, self._patient(),
            self._line_provider or rendering or self._payee, self._days.get("472") or of_line or of_claim, code, modifiers,
            units, charge, paid, self._payer, _STATUS.get(self._code, self._code), _POSITIONS.get(self._code, ""),
            self._payer_claim_id, self._produced or self._paid_on, self._trace, self._transaction,
        ))  # fmt: skip

    def _patient(self) -> str:
        """The practice's own number, else the member id; with the given name where another person is the insured."""
        patient = self._names.get("QC", [""] * 10)
        if self._own_number or "IL" not in self._names:
            return self._own_number or patient[9]
        return f"{self._names['IL'][9].strip() or patient[9].strip()} {patient[4].strip().upper()}"


def _span(first: str, last: str) -> str:
    """A day, or a range of days."""
    if not first or not last or first == last:
        return first
    return "-".join(day.replace("-", "") for day in (first, last))
