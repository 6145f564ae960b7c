"""Ids that do not join, and ids that stand for nobody. docs/specification.md."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tests.reference.lists import is_visit_code

if TYPE_CHECKING:
    from tests.reference.lines import Book, Line, Visit

ENOUGH = 20
WORDS = ("0", "-1", "unknown", "test")


def plain(text: str) -> str:
    """Without a reference's form, case, blanks, hyphens, commas, a trailing .0, leading zeros."""
    bare = re.sub(r"^(https?://\S*/)?[A-Z][A-Za-z]+/|^urn:(uuid|oid):|/_history/[^/]*$", "", text)
    bare = re.sub(r"[\s,-]", "", bare).lower()
    bare = bare.removesuffix(".0")
    return bare.lstrip("0") or "0"


def nearly(one: str | None, other: str | None) -> bool:
    """Nearly equal, and not the same: also where one is the other as a spreadsheet rounds it."""
    if one is None or other is None or one == other:
        return False
    return plain(one) == plain(other) or rounds_to(one, other) or rounds_to(other, one)


def rounds_to(one: str, other: str) -> bool:
    """Whether a spreadsheet that shows some digits of a number shows it as the other text, such as 2.98725E+13."""
    shown = re.fullmatch(r"(\d)(?:[.,](\d*))?[eE]\+?(\d{1,2})", other)
    # CHOICE: numbers of 16 digits or more are not asked: a spreadsheet does not keep them.
    if shown is None or not re.fullmatch("[0-9]{1,15}", one):
        return False
    digits = shown[2] or ""
    return f"{int(one):.{len(digits)}e}" == f"{float(f'{shown[1]}.{digits or 0}e{shown[3]}'):.{len(digits)}e}"


def is_placeholder(patient: str) -> bool:
    """By its looks: a word, nines, or a number that a spreadsheet robbed of digits."""
    if patient.lower() in WORDS or re.fullmatch("9{3,}", patient):
        return True
    rounded = re.fullmatch(r"\d(?:[.,](\d*))?[eE]\+?(\d{1,2})", patient)
    return rounded is not None and len(rounded[1] or "") < int(rounded[2])


class QualityIssues:
    """What the rules have to doubt."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.placeholders_by_table = {
            who for table in ("calls", "visits", "claims") for who in self.placeholders(table)
        }
        self.rounded = self.find_rounded()
        self.mute = {name for name in ("problem_id", "diagnosis_codes") if self.speaks_otherwise(name)}

    def find_rounded(self) -> set[str]:
        """The columns of ids, in whichever table, that look like rounded numbers."""
        # CHOICE: the rows of a column are all rows of the table that are sound by themselves.
        found = set()
        for table in self.book.tables.values():
            for column in {name for row in table.sound for name in row if name.endswith("_id")}:
                texts = {row[column] for row in table.sound if row[column] is not None}
                numbers = {int(text.removesuffix(".0")) for text in texts if re.fullmatch(r"[0-9]{16,38}(\.0)?", text)}
                large = [number for number in numbers if number > 2**53]
                chance = math.prod(1 / math.ulp(float(number)) for number in large)
                if len(large) >= 3 and all(int(float(number)) == number for number in large) and chance < 1 / 1000:
                    found.add(column)
        return found

    def is_rounded(self, *columns: str) -> bool:
        return not self.rounded.isdisjoint(columns)

    def relation_rounded(self, basis: str) -> bool:
        """Whether what relates a visit rests on rounded ids."""
        links = ("call_id", "claim_id", "visit_id", "originating_call_id", "related_visit_id")
        ids = {"same problem": ("problem_id",), "same provider": ("provider_id",), "linked": links}
        return self.is_rounded("patient_id", *ids.get(basis, ()))

    def call_rounded(self, claim: Line) -> bool:
        """Whether the claim's calls are found by rounded ids."""
        if not self.book.has_claims:
            return len(claim.calls) > 1 and self.is_rounded("claim_id")
        if claim.own_call is not None:
            return bool(claim.calls) and self.is_rounded("call_id")
        return bool(claim.calls) and self.is_rounded(*(("claim_id",) if claim.named else ("patient_id", "provider_id")))

    def is_common_group(self, group: str | None) -> bool:
        """Whether it holds more than half of a table's rows."""
        return self.is_rounded("group_id") or any(group in table.common_groups for table in self.book.tables.values())

    def placeholders(self, table: str) -> set[str]:
        # CHOICE: the rows of a table are those whose own cells are sound.
        patients = self.book.tables[table].patients
        counts = Counter(patients)
        found = set()
        for patient, count in counts.items():
            others = len(patients) - count
            mean = others / (len(counts) - 1) if len(counts) > 1 else None
            if is_placeholder(patient) or (count * 100 > len(patients) and mean is not None and count > 20 * mean):
                found.add(patient)
        return found

    def speaks_otherwise(self, column: str) -> bool:
        """Many different values on both sides, and fewer than one in twenty in common. Nearly equal ones are one."""

        def values(tables: Iterable[str]) -> set[Any]:
            found: set[Any] = set()
            for table in tables:
                for row in self.book.tables[table].sound:
                    cell = row.get(column)
                    texts = {code[:3] for code in cell} if isinstance(cell, frozenset) else {cell} - {None}
                    found |= {plain(text) for text in texts}
            return found

        ours, theirs = values(("calls", "claims")), values(("visits",))
        smaller = min(len(ours), len(theirs))
        return smaller >= ENOUGH and len(ours & theirs) * 20 < smaller

    def patient_astray(self, claim: Line) -> bool:
        """In no visit, or not only, as it stands, but nearly."""
        return any(nearly(claim.patient, row["patient_id"]) for row in self.book.tables["visits"].sound)

    def provider_astray(self, claim: Line) -> bool:
        return claim.provider is None or any(
            nearly(claim.provider, row["provider_id"]) for row in self.book.tables["visits"].sound
        )

    def provider_unsure(self, claim: Line) -> bool:
        return claim.provider is None or any(nearly(claim.provider, provider) for provider in self.book.providers)

    def lines_astray(self, claim: Line) -> bool:
        # CHOICE: other lines are of any status, here and below.
        return any(nearly(claim.patient, line.patient) for line in self.book.all_family)

    def provider_of_lines_astray(self, claim: Line) -> bool:
        """Another line of the family and the patient may be the provider's."""
        return any(
            nearly(claim.provider, line.provider) for line in self.book.all_family if line.patient == claim.patient
        )

    def lines_of_any_code_astray(self, claim: Line) -> bool:
        """Another line may be the patient's, or one of the patient's the provider's."""
        return any(
            nearly(claim.patient, line.patient)
            or (line.patient == claim.patient and nearly(claim.provider, line.provider))
            for line in self.book.lines
        )

    def billed_visits_astray(self, claim: Line) -> bool:
        """The patient of a line that bills a visit may be the claim's."""
        # CHOICE: such a line is one whose own row is active, whatever other rows make of it.
        return any(
            nearly(claim.patient, row["patient_id"])
            for row in self.book.tables["claims"].sound
            if row["claim_status"] == "active" and row["frequency_code"] != "void" and is_visit_code(row["cpt_code"])
        )

    def came_from_astray(self, claim: Line) -> bool:
        """A visit may name one of the claim's calls, or the claim where it names no call or claim as it stands."""
        named = {row["originating_call_id"] for row in self.book.tables["visits"].sound}
        if any(nearly(call, other) for call in claim.named_ids for other in named):
            return True
        known = {row[name] for name in ("call_id", "claim_id") for row in self.book.tables["calls"].sound}
        known |= {row["claim_id"] for row in self.book.tables["claims"].sound}
        return any(nearly(claim.claim_id, other) for other in named - known)

    def named_astray(self, claim: Line) -> bool:
        """One of the claim's calls may name a visit."""
        visits = [row["visit_id"] for row in self.book.tables["visits"].sound]
        return any(nearly(call.row["related_visit_id"], visit) for call in claim.calls for visit in visits)

    def call_astray(self, claim: Line) -> bool:
        """With a claims table: the call, or its patient or provider, may be written differently."""
        if not self.book.has_claims or not self.book.has_calls:
            return False
        if claim.provider is None or self.call_unjoined(claim) or self.call_of_nobody(claim):
            return True
        for row in self.book.tables["calls"].sound:
            if nearly(claim.own_call, row["call_id"]) or nearly(claim.patient, row["patient_id"]):
                return True
            if nearly(claim.provider, row["provider_id"]):
                return True
        return False

    def call_of_nobody(self, claim: Line) -> bool:
        """A claim that names no call, where a call of its patient and date has a blank provider, and is no other claim's."""
        if claim.calls or claim.own_call is not None:
            return False
        named = {call.id for line in self.book.active for call in line.named}
        return any(
            call.provider is None
            and call.patient == claim.patient
            and self.book.clock.day(call.start) in claim.days
            and call.id not in named
            and call.row["purpose"] not in ("scheduling", "administrative")
            for call in self.book.calls
        )

    def unjoined(self, column: str) -> bool:
        """Under half of the different ids of audited claims are in the calls.

        CHOICE: of the claims that are not void or denied by their own row.
        """
        if not self.book.has_claims:
            return False
        calls = {row[column] for row in self.book.tables["calls"].sound}
        ids = {row[column] for row in self.book.claim_rows()} - {None}
        return 2 * len(ids & calls) < len(ids)

    def not_found(self, column: str, value: str | None) -> bool:
        """An id of an unjoined column that is not in the calls."""
        if value is None or not self.unjoined(column):
            return False
        return value not in {row[column] for row in self.book.tables["calls"].sound}

    def call_unjoined(self, claim: Line) -> bool:
        """A claim without a call, of which too few ids join to say that it has none."""
        if claim.calls:
            return False
        others = self.unjoined("patient_id") or self.unjoined("provider_id")
        return others or self.not_found("call_id", claim.own_call)

    def is_call_itself(self, visit: Visit, claim: Line) -> bool:
        """The visits export may hold the call, under an id that is written differently."""
        return visit.id not in claim.call_ids and any(nearly(visit.id, call) for call in claim.call_ids)
