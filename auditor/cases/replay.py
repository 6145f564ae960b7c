"""The ledger told a second time from its history alone: every run, and every case with its marks and its state."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from auditor.cases import chain
from auditor.cases.decide import COLUMNS, State, after
from auditor.cases.night import MARKS

_FOUND = MARKS[:4]
_OPEN = State()


@dataclass(slots=True)
class _Case:
    """What the history makes of a case. Runs by their numbers; `marked` is the run that gave it its mark.

    `facts` are those of the last entry that has them, `was` the text of those that the first change replaced.
    """

    number: int
    first: int
    last: int
    marked: int
    mark: str = "new"
    state: State = _OPEN
    was: str | None = None
    facts: Any = None

    def enter(self, run: int, what: str, by: str, details: dict[str, Any]) -> None:
        """One entry, within or after this run. Nights without an entry leave a case where it was: found, or not."""
        if what in MARKS:
            self.last = run if what in _FOUND else run - 1 if self.mark in _FOUND else self.last
            self.mark, self.marked = what, run
        self.state = after(self.state, what, by, details)
        self.facts = details.get("facts", self.facts)
        if "before" in details and self.was is None:
            self.was = json.dumps(details["before"], ensure_ascii=False, separators=(",", ":"))

    def row(self) -> tuple[object, ...]:
        """The case as the ledger has it."""
        return self.number, self.first, self.last, self.marked, self.mark, self.state


def faults(connection: sqlite3.Connection) -> Iterator[str]:
    """Every run and case that the history does not bear out. Raises ValueError, TypeError, LookupError."""
    runs: list[tuple[object, ...]] = []
    seals: list[tuple[int, int, str]] = []
    cases: dict[int, _Case] = {}
    numbers = dict(connection.execute("SELECT finding, number FROM cases"))
    for by, what, finding, text in connection.execute("SELECT by, what, finding, details FROM history ORDER BY number"):
        details = json.loads(text)
        if what == "run":
            *row, marks = details.values()
            runs.append((len(runs) + 1, *row, json.dumps(marks)))
        elif what == "new":
            run, first, last, sealed = len(runs), details["first"], details["last"], details["sha256"]
            cases |= {number: _Case(number, run, run, run) for number in range(first, last + 1)}
            seals.append((first, last, sealed))
        else:
            cases[numbers[finding]].enter(len(runs), what, by, details)
    if connection.execute("SELECT * FROM runs ORDER BY number").fetchall() != runs:
        yield "the runs are not those of the history"
    for first, last, sealed in seals:
        query = "SELECT number, finding, facts FROM cases WHERE number BETWEEN ? AND ? ORDER BY number"
        found = connection.execute(query, (first, last))
        if chain.seal((number, finding, cases[number].was or facts) for number, finding, facts in found) != sealed:
            yield f"cases {first} to {last} are not those that the history says were new"
    query = f"SELECT facts, number, first_run, last_run, marked_run, mark, {', '.join(COLUMNS)} FROM cases"
    for facts, *row in connection.execute(query):
        case = cases.pop(row[0], None)
        known = case and (case.facts is None or case.facts == json.loads(facts))
        if not (case and known and case.row() == (*row[:5], State(*row[5:]))):
            yield f"case {row[0]} does not stand where its history leaves it"
    if cases:
        yield f"{len(cases)} cases of the history are missing"
