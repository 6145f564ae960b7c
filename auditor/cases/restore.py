"""A ledger that is gone, made anew from the run folders: every case as the last run that has it left it."""

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import polars as pl

from auditor.cases import chain, ledger_update, proof, replay, store
from auditor.cases.chain import Entry
from auditor.cases.states import COLUMNS
from auditor.errors import InputRefused
from auditor.judging.finding_id import joined
from auditor.judging.findings import CASE, KEYS
from auditor.run_summary import LedgerPart, Summary
from auditor.runs import past


def restore(connection: sqlite3.Connection, folder: Path) -> tuple[int, int, str]:
    """Fill a new ledger from the run folders in `folder`, in the caller's transaction.

    Returns how many cases and runs it has, and the last of these: what was decided after it is not there. Cases keep their
    numbers; a run whose folder is gone keeps its name. Claims that waited for their window are not known any more.
    Raises InputRefused where no folder has cases, or they do not agree.
    """
    try:
        runs = runs_with_cases(folder)
    except UnreadableRun as unreadable:
        raise InputRefused(
            f"{unreadable.run}: its cases cannot be read, or an older version wrote them ({unreadable.reason}); "
            "put a copy of the ledger back, or move this folder away"
        ) from None
    if not runs:
        raise InputRefused(f"{folder}: no run with cases here; name the folder that was given to --out")
    known_runs = {run.run_id: run for run, _ in runs}
    names = _names(runs)
    cases = pl.concat([_marked(run, frame) for run, frame in runs], how="diagonal")
    cases = (
        cases.with_columns(pl.col("no_clock").forward_fill().over("number"))
        .unique("number", keep="last", maintain_order=True)
        .sort("number")
    )
    if cases.select(CASE).is_duplicated().any():
        raise InputRefused(f"{folder}: the runs here know a case by two numbers; put a copy of the ledger back")
    numbers = {name: number for number, name in enumerate(names, 1)}
    rows = cases.select(
        "number", *CASE, "mark", "why", pl.col(COLUMNS).cast(pl.String),
        ledger_update.facts(cases, pl.col("no_clock"))["facts"],
        pl.col("first_run", "last_run", "marked_run").replace_strict(numbers, return_dtype=pl.Int64),
        finding=joined("rule", *KEYS), assignee="assignee",
    )  # fmt: skip
    entries = list(_runs(names, known_runs, rows))
    chain_heads = [run.ledger.head for run, _ in runs if run.ledger.head]
    restored = {"runs": len(runs), "heads": chain_heads, "undecided": chain.seal_undecided(connection)}
    entries.append(Entry("audit", "restored", details=json.dumps(restored)))
    entries += _case_entries(rows)
    assigned = rows.filter(pl.col("assignee").is_not_null()).select("finding", "assignee").iter_rows()
    entries += [
        Entry("audit", "assigned", finding, json.dumps({"to": to}, ensure_ascii=False)) for finding, to in assigned
    ]
    chain.append(connection, entries)
    store.insert_runs(connection, replay.replay(connection).runs)
    columns = ("number", *CASE, "facts", "first_run", "last_run", "marked_run", "mark", "why", *COLUMNS)
    store.insert_cases(connection, columns, rows.select(columns).iter_rows())
    return rows.height, len(runs), runs[-1][0].run_id


def _marked(run: Summary, cases: pl.DataFrame) -> pl.DataFrame:
    """The cases that a run has, which ran last, and of those with a finding whether no 60 days run for them."""
    return cases.with_columns(
        cases.get_column("assignee", default=pl.Series("assignee", [None] * cases.height, pl.String)),
        marked_run=pl.lit(run.run_id),
        no_clock=pl.col("policy").is_in(run.policies_without_clock),
    )


class UnreadableRun(Exception):
    """A run's folder, and the kind of the error that reading its cases raised."""

    def __init__(self, run: Path, reason: str) -> None:
        super().__init__(reason)
        self.run, self.reason = run, reason


def runs_with_cases(folder: Path) -> list[tuple[Summary, pl.DataFrame]]:
    """The runs of the last ledger in a folder, in its own order, with the cases that each has. Raises UnreadableRun."""
    runs: dict[str, tuple[Summary, pl.DataFrame]] = {}
    for run_folder in past.folders(folder):
        if not (run_folder / "cases.parquet").is_file():
            continue
        try:
            run, cases = past.read(run_folder / "summary.json"), past.scan(run_folder, "cases").collect()
            ledger_update.facts(cases, pl.lit(False))
            cases.select(COLUMNS)
        except (OSError, ValueError, pl.exceptions.PolarsError) as error:
            raise UnreadableRun(run_folder, type(error).__name__) from None
        runs[run.run_id] = (run, cases)
    latest = Path(os.path.realpath(folder / "latest")).name  # a link to itself has no name and is no error
    order = _last_chain({name: run.ledger for name, (run, _) in runs.items()}, (proof.last_noted(folder), latest))
    return [runs[name] for name in order]


def _last_chain(runs: Mapping[str, LedgerPart], last: Sequence[str]) -> list[str]:
    """The runs of the last ledger in its own order: each names the one before it, and a clock may have gone back.

    `last`: runs that are in that ledger if they are there, the surest first; else it has the newest name.
    """
    ends = runs.keys() - {run.previous_run for run in runs.values()}
    chains = [_chain_to(end, runs, ends) for end in sorted(ends)]
    return max(chains, key=lambda chain: ([name in chain for name in last], chain[-1:]), default=[])


def _chain_to(end: str, runs: Mapping[str, LedgerPart], ends: Iterable[str]) -> list[str]:
    """A run and those before it. Where a folder is gone, the chain goes on with the end that has the next lower number."""
    order = [end]
    while (before := runs[order[-1]].previous_run) is not None:
        if before not in runs:
            earlier = [other for other in ends if runs[other].run < runs[order[-1]].run]
            before = max(earlier, key=lambda other: (runs[other].run, other), default=None)
        if before is None or before in order:
            break
        order.append(before)
    return order[::-1]


def _names(runs: Sequence[tuple[Summary, pl.DataFrame]]) -> list[str]:
    """Every run that the cases name, in order: one whose folder is gone comes before the first run that names it."""
    known, names = {run.run_id for run, _ in runs}, list[str]()
    for run, cases in runs:
        gone = {*cases["first_run"], *cases["last_run"]} - known - {*names}
        names += [*sorted(gone), run.run_id]
    return names


def _runs(names: Sequence[str], known_runs: dict[str, Summary], rows: pl.DataFrame) -> Iterator[Entry]:
    """Each run and the cases that it began, as far as they are known: numbers that follow each other are one entry."""
    for number, name in enumerate(names, 1):
        run = known_runs.get(name)
        entry: dict[str, Any] = {"run": name, "started": run.started_utc if run else "", "version": ""}
        entry |= {"policy_sha256": "", "inputs_sha256": "", "as_of": None, "marks": run.ledger.marks if run else {}}
        entry |= {"repeats": None, "figures": run.figures.model_dump() if run else {}}
        yield Entry("audit", "run", details=json.dumps(entry))
        begun = rows.filter(first_run=number).select("number", "finding", "facts").rows()
        for _, span in groupby(enumerate(begun), key=lambda pair: pair[1][0] - pair[0]):
            cases = [case for _, case in span]
            details = {"run": name, "first": cases[0][0], "last": cases[-1][0], "sha256": chain.seal(cases)}
            yield Entry("audit", "new", details=json.dumps(details))


def _case_entries(rows: pl.DataFrame) -> Iterator[Entry]:
    """Where each case stands, as its first and last facts."""
    for row in rows.select("finding", "facts", "last_run", "marked_run", "mark", "why", *COLUMNS).iter_rows(named=True):
        finding, facts = row.pop("finding"), row.pop("facts")
        details = {"first": facts, "facts": json.loads(facts), **row}
        yield Entry("audit", "restored", finding, json.dumps(details, ensure_ascii=False))
