"""Ranges of service dates: what another of their days would give. docs/specification.md#ranges-of-service-dates."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from datetime import date

from tests.reference.frq import frq001_all
from tests.reference.lines import Book, Line
from tests.reference.world import Verdict

Key = tuple[str, str, str]
Judge = Callable[[str, Line, Book, dict[Key, Verdict]], Verdict]

DATED = ("LBK001", "LBK002", "LAH001", "LAH002", "FRQ001", "FRQ002", "FRQ005", "EXC001", "ELG004")
BETWEEN_LINES = ("FRQ001", "FRQ002", "FRQ005")


def on(line: Line, day: date, book: Book) -> Line:
    """A range as if it were one of its days."""
    return replace(line, service_date=day, midnight=book.clock.first_instant(day))


def moved(book: Book, line: Line) -> Book:
    """A book with a line on another day."""
    other = copy(book)
    lines = [line if same.key == line.key else same for same in book.lines]
    other.lines = sorted(lines, key=lambda one: one.order)
    other.active = [one for one in other.lines if one.status == "active"]
    return other


def alone(book: Book, line: Line) -> Book:
    """A book with one active line."""
    other = copy(book)
    other.active = [line]
    return other


def open_rules(
    claim: Line, own: Book, rules: set[str], judge: Judge, book_of: Callable[[Line], Book | None]
) -> set[str]:
    """The rules for which another day of the claim's range, or of an earlier line's, gives more than clear."""
    found: set[str] = set()
    for line in (one for one in own.active if one.last_date is not None and one.patient == claim.patient):
        for day in line.days[1:]:
            other = on(line, day, own)
            book = moved(own, other)
            anchors: dict[Key, list[Line]] = {}
            # CHOICE: the policy that judges a line is that of its first day.
            first = {one.key: one for one in own.lines}
            frq001 = frq001_all(book, lambda one, first=first: book_of(first[one.key]), anchors)
            if line.key == claim.key:
                verdicts = {rule: judge(rule, other, book, frq001) for rule in rules & set(DATED)}
                found |= {
                    rule for rule, verdict in verdicts.items() if verdict.outcome not in ("clear", "not applicable")
                }
                continue
            others = alone(own, other)
            for rule in {"FRQ002", "FRQ005"} & rules:
                if judge(rule, claim, others, frq001).outcome in ("violation", "review"):
                    found.add(rule)
            if "FRQ001" in rules and any(one.key == line.key for one in anchors.get(claim.key, ())):
                found.add("FRQ001")
    return found
