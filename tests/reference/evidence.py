"""Outcomes and evidence. docs/specification.md."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from tests.reference.lines import Book
from tests.reference.world import Verdict

STRENGTH = {"violation": 0, "review": 1}
KIND_ORDER = {"visit": 0, "line": 1, "claim": 1, "call": 2, "record": 3}


@dataclass(frozen=True)
class Support:
    """One record that supports violation or review of one rule for one claim."""

    outcome: str
    kind: str
    id: str
    gap_days: int
    date_only: bool = False
    elapsed: timedelta = timedelta(0)
    basis: str | None = None
    at_most_review: bool = False


def override(rule: str, outcome: str, book: Book) -> str:
    """The policy's severity for the rule."""
    severity = book.settings["severity"].get(rule)
    if severity == "violation" and outcome == "review":
        return "violation"
    if severity == "review" and outcome == "violation":
        return "review"
    return outcome


def from_fact(rule: str, outcome: str, book: Book) -> Verdict:
    """The verdict of a rule that names no related record."""
    return Verdict(override(rule, outcome, book))


def from_records(rule: str, supports: list[Support], unknown: bool, book: Book, latest: bool = False) -> Verdict:
    """The verdict of a rule that looks at other records; with ``latest`` (supports in order) the last one is named."""
    if not supports:
        return Verdict("unknown" if unknown else "clear")
    judged = [
        ("review" if one.at_most_review else override(rule, one.outcome, book), position, one)
        for position, one in enumerate(supports)
    ]
    strongest = min((outcome for outcome, _, _ in judged), key=lambda outcome: STRENGTH[outcome])
    same = [(position, one) for outcome, position, one in judged if outcome == strongest]
    if latest:
        chosen = max(same, key=lambda item: item[0])[1]
    else:
        chosen = min(
            (one for _, one in same),
            key=lambda one: (one.gap_days, KIND_ORDER[one.kind], one.date_only, one.elapsed, one.id),
        )
    return Verdict(strongest, chosen.kind, chosen.id, len(same), chosen.gap_days, chosen.basis)


def worst(outcomes: list[str]) -> str:
    """The worst of several facts."""
    for outcome in ("violation", "review", "unknown"):
        if outcome in outcomes:
            return outcome
    return "clear"
