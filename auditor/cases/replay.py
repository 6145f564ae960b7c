"""Replay the ledger from its history alone: every run, and every case with its marks and its state.

The replay checks the cases, or writes them anew; the facts of new ones are in the ledger itself or in their run's folder.
"""

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from auditor.cases import chain, checkpoint, ledger_update, store
from auditor.cases.states import COLUMNS, FOUND, MARKS, State, after
from auditor.errors import LedgerDamaged
from auditor.judging.finding_id import joined_texts
from auditor.judging.findings import CASE
from auditor.runs import past

_OPEN = State()
_COLUMNS_OF = attrgetter(*COLUMNS)
ROW = f"first_run, last_run, marked_run, mark, {', '.join(COLUMNS)}"
"""The columns of a case that its history must match, beside its facts and its `why`."""
_WAITING = "the claims that wait for their windows"


class Span(NamedTuple):
    """Cases that one run began: its number, the first and the last case's, and their seal."""

    run: int
    first: int
    last: int
    seal: str


@dataclass(slots=True)
class CaseHistory:
    """What the history makes of a case to which something happened since it was new.

    Runs by their numbers; `marked` is the run that gave it its mark. `facts` are those of the last entry that has them,
    `first_facts` the text of those that the first change replaced.
    """

    last: int | None = None
    marked: int | None = None
    mark: str = "new"
    why: str | None = None
    state: State = _OPEN
    first_facts: str | None = None
    facts: Any = None

    def apply(self, run: int, event: str, by: str, details: dict[str, Any]) -> None:
        """One entry, within or after this run. Runs without an entry leave a case where it was: found, or not."""
        if event in MARKS:
            self.last = run if event in FOUND else run - 1 if self.mark in FOUND else self.last
            self.marked = self.marked if event == self.mark == "not_seen" else run  # of which only the reason changed
            self.mark, self.why = event, details.get("why")
        self.state = after(self.state, event, by, details)
        self.facts = details.get("facts", self.facts)
        if "before" in details and self.first_facts is None:
            self.first_facts = as_text(details["before"])

    @classmethod
    def of(cls, details: dict[str, Any]) -> "CaseHistory":
        """A case as it was restored."""
        runs, state = (details["last_run"], details["marked_run"]), after(_OPEN, "restored", "", details)
        return cls(*runs, details["mark"], details["why"], state, details["first"], details["facts"])

    def matches(self, began: int, facts: str, row: Sequence[object]) -> bool:
        """Whether a case that this run began stands there, with these facts and this ROW of the ledger."""
        return self.row(began) == tuple(row) and (self.facts is None or as_text(self.facts) == facts)

    def row(self, began: int) -> tuple[object, ...]:
        """First, last and marking run, mark, and the columns of the state, as the ledger has them."""
        return began, self.last or began, self.marked or began, self.mark, *_COLUMNS_OF(self.state)


_UNCHANGED = CaseHistory()
"""Of a case to which nothing happened."""


@dataclass(frozen=True)
class Replay:
    """Runs as the ledger's rows; the spans of new cases in order; finding → its history, where something happened to it.

    `undecided`: the seal of the claims that wait after the last run; None where an earlier version wrote it, whose history
    does not have each reason of a case that is not seen either.
    """

    runs: Sequence[tuple[object, ...]]
    spans: Sequence[Span]
    histories: Mapping[str, CaseHistory]
    undecided: str | None


def replay(connection: sqlite3.Connection) -> Replay:
    """Read the history. Raises ValueError, TypeError, LookupError for one that this program did not write."""
    runs: list[tuple[object, ...]] = []
    spans: list[Span] = []
    histories: dict[str, CaseHistory] = {}
    undecided: str | None = None
    query = "SELECT by, what, finding, details FROM history ORDER BY number"
    for by, event, finding, text in connection.execute(query):
        details = json.loads(text)
        if event == "run":
            marks, repeats = details.pop("marks"), details.pop("repeats")
            undecided = details.pop("undecided", None)
            for name in ("claims", "figures"):
                details.pop(name, None)
            runs.append((len(runs) + 1, *details.values(), json.dumps(marks), repeats))
        elif event == "new":
            spans.append(Span(len(runs), details["first"], details["last"], details["sha256"]))
        elif event == checkpoint.EVENT:
            pass  # a short cut of the proof, of which the replay is the whole
        elif event in ("restored", "began"):
            if finding:
                histories[finding] = CaseHistory.of(details)
            else:
                undecided = details.get("undecided")
        else:
            histories.setdefault(finding, CaseHistory()).apply(len(runs), event, by, details)
    return Replay(runs, spans, histories, undecided)


def faults(connection: sqlite3.Connection) -> Iterator[str]:
    """Every run and case that the history does not bear out. Raises ValueError, TypeError, LookupError."""
    history = replay(connection)
    if connection.execute("SELECT * FROM runs ORDER BY number").fetchall() != history.runs:
        yield "the runs are not those of the history"
    if history.undecided and history.undecided != chain.seal_undecided(connection):
        yield f"{_WAITING} are not those of the last run"
    spans, missing = iter(history.spans), sum(span.last - span.first + 1 for span in history.spans)
    not_found, span, unchanged = set(history.histories), Span(0, 0, 0, ""), list[object]()
    misplaced, seals = list[int](), {span: hashlib.sha256() for span in history.spans}
    query = f"SELECT finding, facts, number, why, {ROW} FROM cases ORDER BY number"
    for finding, facts, number, why, *row in connection.execute(query):
        while number > span.last and (following := next(spans, None)):
            span, unchanged = following, [*_UNCHANGED.row(following.run)]
        in_span = span.first <= number <= span.last
        case = history.histories.get(finding)
        stands = case.matches(span.run, facts, row) if case else row == unchanged
        has_its_reason = not history.undecided or why == (case or _UNCHANGED).why
        if in_span:
            seals[span].update(chain.sealed_line(number, finding, first_facts(case, facts)))
        if not (in_span and has_its_reason and stands):
            misplaced.append(number)
        missing -= in_span
        not_found.discard(finding)
    for span, lines in seals.items():
        if lines.hexdigest() != span.seal:
            yield f"cases {span.first} to {span.last} are not those that the history says were new"
    yield from (f"case {number} does not stand where its history leaves it" for number in misplaced)
    if missing > 0 or not_found:
        yield f"{max(missing, len(not_found))} cases of the history are missing"


def seal_holds(connection: sqlite3.Connection, span: Span, histories: Mapping[str, CaseHistory]) -> bool:
    """Whether the cases of a span are those that were new, as far as the ledger has them."""
    query = "SELECT number, finding, facts FROM cases WHERE number BETWEEN ? AND ? ORDER BY number"
    rows = connection.execute(query, (span.first, span.last))
    first = ((number, finding, first_facts(histories.get(finding), facts)) for number, finding, facts in rows)
    return chain.seal(first) == span.seal


def as_text(facts: Mapping[str, Any]) -> str:
    """Facts as the ledger's cases have them."""
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":"))


def first_facts(history: CaseHistory | None, facts: str) -> str:
    """The facts with which a case began, of which the ledger has the last ones."""
    return history.first_facts if history and history.first_facts else facts


_MARK_COLUMNS = ("first_run", "last_run", "marked_run", "mark", "why")


class NewCase(NamedTuple):
    """A case as it was when it was new."""

    number: int
    claim_id: str
    claim_line: str
    cpt_code: str
    rule: str
    facts: str

    @property
    def finding(self) -> str:
        """As the history names it."""
        return joined_texts(self.rule, self.claim_id, self.claim_line, self.cpt_code)


def repair(connection: sqlite3.Connection, folder: Path) -> int:
    """Write the runs and the cases as the history has them, in the caller's transaction. Returns how many rows that changes.

    `folder` holds the run folders. Raises LedgerDamaged where the history was changed, or the facts of a new case are lost.
    """
    for fault in chain.faults(connection):
        raise LedgerDamaged(f"the history itself does not hold: {fault}; put a copy of the ledger back")
    history = replay(connection)
    if history.undecided and history.undecided != chain.seal_undecided(connection):
        raise LedgerDamaged(
            f"{_WAITING} were changed; put a copy of the ledger back, or use `audit98968 cases restore`"
        )
    rows = [_row(case, span, history.histories.get(case.finding, CaseHistory()))
            for span in history.spans for case in _new_cases(connection, span, history, folder)]  # fmt: skip
    columns = ("number", *CASE, "facts", *_MARK_COLUMNS, *COLUMNS)
    before = set(connection.execute(f"SELECT {', '.join(columns)} FROM cases"))
    connection.execute("DELETE FROM cases")
    store.insert_cases(connection, columns, rows)
    connection.execute("DELETE FROM runs")
    store.insert_runs(connection, history.runs)
    return len(before ^ set(rows))


def _row(case: NewCase, span: Span, history: CaseHistory) -> tuple[object, ...]:
    facts = case.facts if history.facts is None else as_text(history.facts)
    first, last, marked, mark, *state = history.row(span.run)
    return *case[:5], facts, first, last, marked, mark, history.why, *state


def _new_cases(connection: sqlite3.Connection, span: Span, history: Replay, folder: Path) -> Iterator[NewCase]:
    """The cases of a span as they were when they were new."""
    if seal_holds(connection, span, history.histories):
        query = f"SELECT number, {', '.join(CASE)}, facts FROM cases WHERE number BETWEEN ? AND ?"
        for row in connection.execute(query, (span.first, span.last)):
            case = NewCase(*row)
            yield case._replace(facts=first_facts(history.histories.get(case.finding), case.facts))
        return
    run = str(history.runs[span.run - 1][1])
    cases = _published(folder / run)
    if chain.seal((case.number, case.finding, case.facts) for case in cases) != span.seal:
        raise LedgerDamaged(
            f"cases {span.first} to {span.last} were changed, and the folder of the run {run} that began them is gone "
            "or not what it was; put a copy of the ledger back, or that folder"
        )
    yield from cases


def _published(run: Path) -> list[NewCase]:
    """The cases that were new in a run, as its folder has them; none where it cannot be read."""
    with contextlib.suppress(OSError, ValueError, pl.exceptions.PolarsError):
        clockless = pl.col("policy").is_in(past.read(run / "summary.json").policies_without_clock)
        begun = pl.read_parquet(run / "cases.parquet").filter(mark="new", first_run=run.name)
        facts = ledger_update.facts(pl.read_parquet(run / "findings.parquet"), clockless).select(*CASE, "facts")
        found = begun.join(facts, on=CASE)
        return [NewCase(*row) for row in found.sort("number").select("number", *CASE, "facts").iter_rows()]
    return []
