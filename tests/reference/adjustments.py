"""Replacements, voids and reversals. docs/specification.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from tests.reference.tables import unchanging

if TYPE_CHECKING:
    from tests.reference.lines import Call


@dataclass(eq=False)
class Draft:
    """A line before its calls are attached: what its row says, and the status that adjustments leave."""

    claim_id: str
    claim_line: str
    code: str
    row: dict[str, Any]
    service_date: date
    calls: list[Call]
    status: str = ""
    unmatched: bool = False
    place: tuple[Any, ...] = field(default=())
    own_calls: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.status = self.row["claim_status"]
        # CHOICE: what the order of lines leaves open is settled by the rest of the row.
        rest = [
            self.row[name]
            for name in ("patient_id", "provider_id", "claim_status", "frequency_code", "original_claim_id")
        ]
        texts = [self.claim_id, self.claim_line, self.code, *rest]
        known = [(text is not None, text or "") for text in texts]
        amounts = [(amount is not None, amount or 0) for amount in self.amounts]
        self.place = (self.service_date, *known, *amounts)

    @property
    def amounts(self) -> list[Any]:
        return [self.row["billed_amount"], self.row["paid_amount"]]


def settle(drafts: list[Draft]) -> None:
    """Frequency codes first, then reversals, each in the order of lines."""
    in_order = sorted(drafts, key=lambda draft: draft.place)
    for draft in in_order:
        frequency = draft.row["frequency_code"]
        if frequency not in ("replacement", "void") or draft.status == "denied":
            continue
        named = draft.row["original_claim_id"] or draft.claim_id
        found = False
        for other in in_order:
            if other is draft or other.claim_id != named:
                continue
            own = other.row["frequency_code"] == "replacement" and other.claim_id == draft.claim_id
            if own and not (frequency == "void" and came_before(other, draft)):
                continue
            found = True
            if other.status == "active":
                other.status = "void"
        if frequency == "void":
            draft.status = "void"
        draft.unmatched = not found
    for draft in in_order:
        negative = any(amount is not None and amount < 0 for amount in draft.amounts)
        if draft.status != "reversed" and not (draft.status == "active" and negative):
            continue
        draft.status = "void"
        undone = undone_by(draft, in_order)
        if undone is None:
            # CHOICE: a reversed line without a negative amount says that it is void itself, which is no fault.
            draft.unmatched = negative
        else:
            undone.status = "void"  # which it may be already
    follow(in_order)
    # CHOICE: two active lines cannot have one claim, line and code: the last stands.
    current: dict[tuple[str, str, str], Draft] = {}
    for draft in (draft for draft in in_order if draft.status == "active"):
        key = (draft.claim_id, draft.claim_line, draft.code)
        if key in current:
            current[key].status = "void"
        current[key] = draft


def came_before(one: Draft, other: Draft) -> bool:
    first, second = one.row.get("processed_date"), other.row.get("processed_date")
    return first is not None and second is not None and first < second


def follow(drafts: list[Draft]) -> None:
    """Of rows of one line the latest stands; the others are no lines."""
    chains: dict[tuple[Any, ...], list[Draft]] = {}
    for draft in drafts:
        own = draft.row["claim_status"]
        if "processed_date" not in draft.row or draft.row["frequency_code"] in ("replacement", "void"):
            continue
        if own == "void" and draft.status == "void":
            for other in drafts:
                same = (other.claim_id, other.claim_line) == (draft.claim_id, draft.claim_line)
                if same and other.status == "active" and came_before(other, draft):
                    other.status = "void"
    for draft in drafts:
        if "processed_date" not in draft.row or draft.row["frequency_code"] in ("replacement", "void"):
            continue
        if draft.status in ("active", "denied"):
            chains.setdefault((draft.claim_id, draft.claim_line), []).append(draft)
    for chain in chains.values():
        for same in alike_in(chain):
            dates = [draft.row["processed_date"] for draft in same]
            if None not in dates and len(set(dates)) == len(dates):
                latest = max(same, key=lambda draft: draft.row["processed_date"])
            else:
                latest = max(same, key=lambda draft: draft.status == "active")
            for draft in same:
                if draft is not latest:
                    draft.status = "superseded"


def alike_in(chain: list[Draft]) -> list[list[Draft]]:
    groups: list[list[Draft]] = []
    for draft in chain:
        for group in groups:
            if unchanging(group[0].row) == unchanging(draft.row):
                group.append(draft)
                break
        else:
            groups.append([draft])
    return groups


def undone_by(draft: Draft, drafts: list[Draft]) -> Draft | None:
    """The line that a reversal takes back: of its line, else of its claim, else alike; of several the last.

    A line of its own claim and line whose own status is void is one that it has taken back already.
    """

    def opposite(other: Draft) -> bool:
        for mine, theirs in zip(draft.amounts, other.amounts, strict=True):
            if mine is not None and mine < 0 and (theirs is None or theirs != -mine):
                return False
        return True

    def alike(other: Draft) -> bool:
        same = [other.row[name] == draft.row[name] for name in ("patient_id", "provider_id")]
        return all(same) and other.service_date == draft.service_date and other.code == draft.code

    fitting = [other for other in drafts if opposite(other)]
    own_line = [other for other in fitting if (other.claim_id, other.claim_line) == (draft.claim_id, draft.claim_line)]
    candidates = [other for other in fitting if other.status == "active"]
    for wanted in (
        [other for other in own_line if other.status == "active"],
        [other for other in own_line if other.row["claim_status"] == "void"],
        [other for other in candidates if other.claim_id == draft.claim_id],
        # CHOICE: of another claim only where an amount is taken back
        [other for other in candidates if any((amount or 0) < 0 for amount in draft.amounts) and alike(other)],
    ):
        if wanted:
            return wanted[-1]
    return None
