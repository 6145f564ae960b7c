"""Cases made anew from the history, with the facts of new ones from the ledger itself or from the folder of their run."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl

from auditor.cases import chain, ledger_update, store
from auditor.cases.replay import CaseHistory, Replay, Span, as_text, first_facts, replay, seal_holds
from auditor.cases.states import COLUMNS
from auditor.errors import LedgerDamaged
from auditor.judging.finding_id import joined_texts
from auditor.judging.findings import CASE

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
    with contextlib.suppress(OSError, pl.exceptions.PolarsError):
        begun = pl.read_parquet(run / "cases.parquet").filter(mark="new", first_run=run.name)
        facts = ledger_update.facts(pl.read_parquet(run / "findings.parquet")).select(*CASE, "facts")
        found = begun.join(facts, on=CASE)
        return [NewCase(*row) for row in found.sort("number").select("number", *CASE, "facts").iter_rows()]
    return []
