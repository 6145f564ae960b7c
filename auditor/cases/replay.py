"""The ledger told a second time from its history alone: every run, and every case with its marks and its state."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from auditor.cases.decide import COLUMNS, State, after
from auditor.cases.night import MARKS

_FOUND = MARKS[:4]
_OPEN = State()


@dataclass(slots=True)
class _Case:
    """What the history makes of a case. Runs by their numbers; `marked` is the run that gave it its mark."""

    number: int
    first: int
    last: int
    marked: int
    mark: str = "new"
    state: State = _OPEN

    def enter(self, run: int, what: str, by: str, details: dict[str, Any]) -> None:
        """One entry, within or after this run. Nights without an entry leave a case where it was: found, or not."""
        if what in MARKS:
            self.last = run if what in _FOUND else run - 1 if self.mark in _FOUND else self.last
            self.mark, self.marked = what, run
        self.state = after(self.state, what, by, details)

    def row(self) -> tuple[object, ...]:
        """The case as the ledger has it."""
        return self.number, self.first, self.last, self.marked, self.mark, self.state


def faults(connection: sqlite3.Connection) -> Iterator[str]:
    """Every run and case that the history does not bear out. Raises ValueError, TypeError, LookupError."""
    runs: list[tuple[object, ...]] = []
    cases: dict[str, _Case] = {}
    query = "SELECT by, what, finding, details FROM history ORDER BY number"
    for by, what, finding, text in connection.execute(query):
        details = json.loads(text)
        if what == "run":
            *row, marks = details.values()
            runs.append((len(runs) + 1, *row, json.dumps(marks)))
        elif what == "new":
            cases[finding] = _Case(len(cases) + 1, len(runs), len(runs), len(runs))
        else:
            cases[finding].enter(len(runs), what, by, details)
    if connection.execute("SELECT * FROM runs ORDER BY number").fetchall() != runs:
        yield "the runs are not those of the history"
    query = f"""
        SELECT finding, iif(json_valid(facts), json(facts), '') =
          (SELECT json_extract(details, '$.facts') FROM history WHERE number = (SELECT max(number) FROM history known
           WHERE known.finding = cases.finding AND known.what IN {_FOUND})),
        number, first_run, last_run, marked_run, mark, {", ".join(COLUMNS)} FROM cases ORDER BY number"""
    for finding, known, *row in connection.execute(query):
        case = cases.pop(finding, None)
        if not (case and known and case.row() == (*row[:5], State(*row[5:]))):
            yield f"case {row[0]} does not stand where its history leaves it"
    if cases:
        yield f"{len(cases)} cases of the history are missing"
