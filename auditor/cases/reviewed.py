"""Decisions from a reviewed work paper: report.xlsx with its Decision, Note and Decided on columns filled in."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import fastexcel
import polars as pl

from auditor import small_files
from auditor.cases import chain
from auditor.cases.chain import Entry
from auditor.cases.decide import Decision, decide
from auditor.cases.states import STATES
from auditor.errors import InputRefused, UsageError

_KEYS = {"Claim id": "claim_id", "Line": "claim_line", "Code": "cpt_code", "Rule": "rule"}
_REVIEW = {"Decision": "decision", "Note": "note", "Decided on": "on"}
_ROW = "row"
_LARGEST = 1 << 30
"""Bytes of a work paper."""


@dataclass
class Tally:
    """What became of the rows that a reviewer filled in."""

    decided: int = 0
    noted: int = 0
    already: int = 0
    left: list[int] = field(default_factory=list)


def import_workbook(connection: sqlite3.Connection, path: Path, reviewer: str, today: date) -> Tally:
    """Enter every decision and note of a work paper, all or none, within the caller's transaction.

    A row whose decision stands, or was taken before, changes nothing. A case is left alone, and named in `left`, where the
    ledger has a later decision, or where a run after the work paper's found it changed, worse or reopened: the decision was
    made on other facts. Raises InputRefused with the sheet and row of the first entry that cannot be taken.
    A refund is of what is left of the claim's amount.
    """
    tally, workbook = Tally(), _opened(path)
    run = _run(connection, path, workbook)
    for where, row in _filled(path, workbook):
        case = connection.execute(
            "SELECT number, state, reason, decided_on, finding"
            " FROM cases WHERE claim_id = ? AND claim_line = ? AND cpt_code = ? AND rule = ?",
            [row[name] for name in _KEYS.values()],
        ).fetchone()
        if case is None:
            raise InputRefused(f"{where}: the ledger has no such case; import a report.xlsx of one of its own runs")
        number, state, reason, decided_on, finding = case
        note, on = (row["note"] or "").strip(), _day(where, row["on"], today)
        decision = (row["decision"] or "").strip().casefold()
        if decision and decision not in STATES:
            raise InputRefused(f"{where}: the decision is not one of {', '.join(STATES)}; correct that cell")
        dated = bool((row["on"] or "").strip())
        is_current = (decision, note or reason) == (state, reason) and (not dated or on.isoformat() == decided_on)
        if not decision and dated:
            raise InputRefused(f"{where}: 'Decided on' without a decision; fill in the decision, or clear the date")
        if not decision:
            tally.noted += _note(connection, finding, reviewer, note)
        elif is_current or _taken(connection, finding, decision, note, on if dated else None):
            tally.already += 1
        elif (decided_on and on.isoformat() < decided_on) or _changed_since(connection, finding, run):
            tally.left.append(number)
        elif not note:
            raise InputRefused(f"{where}: a decision without a note; the note is its reason")
        else:
            try:
                decide(connection, number, Decision(decision, reviewer, note, on))
            except UsageError as error:
                raise InputRefused(f"{where}: {error}") from None
            tally.decided += 1
    return tally


def add_note(connection: sqlite3.Connection, finding: str, by: str, text: str) -> None:
    """Add a note to a case's history within the caller's transaction."""
    chain.append(connection, [Entry(by, "note", finding, json.dumps({"text": text}, ensure_ascii=False))])


def _note(connection: sqlite3.Connection, finding: str, by: str, text: str) -> bool:
    query = "SELECT 1 FROM history WHERE finding = ? AND what = 'note' AND json_extract(details, '$.text') = ?"
    if connection.execute(query, (finding, text)).fetchone():
        return False
    add_note(connection, finding, by, text)
    return True


def _taken(connection: sqlite3.Connection, finding: str, decision: str, note: str, on: date | None) -> bool:
    """Whether this decision, of that day or of any, is in the case's history since it was last reopened."""
    query = """
        SELECT 1 FROM history WHERE finding = ?1 AND what = 'decided' AND json_extract(details, '$.state') = ?2
        AND json_extract(details, '$.reason') = ?3 AND (?4 IS NULL OR json_extract(details, '$.on') = ?4)
        AND number > (SELECT coalesce(max(number), 0) FROM history WHERE finding = ?1 AND what = 'reopened')"""
    return bool(connection.execute(query, (finding, decision, note, on and on.isoformat())).fetchone())


def _changed_since(connection: sqlite3.Connection, finding: str, run: int) -> bool:
    """Whether the case was found changed, worse or reopened after this entry of the history."""
    query = "SELECT 1 FROM history WHERE finding = ? AND number > ? AND what IN ('changed', 'worse', 'reopened')"
    return bool(connection.execute(query, (finding, run)).fetchone())


def _opened(path: Path) -> fastexcel.ExcelReader:
    try:
        return fastexcel.read_excel(small_files.read(path, _LARGEST))
    except OSError as error:
        raise InputRefused(f"{path}: cannot be read ({error.strerror}); name the reviewed report.xlsx") from None
    except fastexcel.FastExcelError:
        raise InputRefused(f"{path}: not readable as an Excel workbook; save the work paper as .xlsx") from None


def _run(connection: sqlite3.Connection, path: Path, workbook: fastexcel.ExcelReader) -> int:
    """The entry of the run that wrote the work paper; the last entry of all where its sheet Run is gone."""
    if "Run" not in workbook.sheet_names:
        return chain.last(connection)[0]
    rows = workbook.load_sheet("Run", header_row=1, dtypes="string").to_polars().rows()
    run_id = next((row[1] for row in rows if row[0] == "run_id"), None)
    query = "SELECT number FROM history WHERE what = 'run' AND json_extract(details, '$.run') = ?"
    entry = connection.execute(query, (run_id,)).fetchone()
    if entry is None:
        problem = "the ledger does not know the run that wrote it; import the work paper of one of its own"
        raise InputRefused(f"{path}: {problem}")
    return int(entry[0])


def _filled(path: Path, workbook: fastexcel.ExcelReader) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows that a reviewer wrote in, each with the words for its place."""
    columns = _KEYS | _REVIEW
    sheets = [name for name in workbook.sheet_names if name.split(" ")[0] == "Findings"]
    if not sheets:
        raise InputRefused(f"{path}: no sheet Findings; take the report.xlsx of a run")
    for sheet in sheets:
        frame = workbook.load_sheet(sheet, header_row=1, dtypes="string").to_polars()
        if missing := [heading for heading in columns if heading not in frame.columns]:
            raise InputRefused(f"{path}, sheet {sheet}: no column {', '.join(missing)}; keep the header row as it was")
        rows = frame.select(pl.col(heading).alias(name) for heading, name in columns.items()).with_row_index(_ROW, 3)
        written = pl.any_horizontal(pl.col(*_REVIEW.values()).str.strip_chars() != "")
        for row in rows.filter(written).iter_rows(named=True):
            yield f"{path}, sheet {sheet}, row {row[_ROW]}", row


def _day(where: str, text: str | None, today: date) -> date:
    """The day of a decision: as Excel stores it, as ISO text, or today where it is blank. Never in the future."""
    if not text or not text.strip():
        return today
    try:
        on = datetime.fromisoformat(text.strip()).date()
    except ValueError:
        raise InputRefused(f"{where}: 'Decided on' is not a valid date; write it as 2026-03-31") from None
    if on > today:
        raise InputRefused(f"{where}: 'Decided on' is in the future; correct that cell")
    return on
