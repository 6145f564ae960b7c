"""Decisions from a reviewed work paper: report.xlsx with its Decision, Note and Decided on columns filled in."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import fastexcel
import polars as pl

from auditor.cases import chain
from auditor.cases.chain import Entry
from auditor.cases.decide import STATES, Decision, decide
from auditor.errors import InputRefused

_KEYS = {"Claim id": "claim_id", "Line": "claim_line", "Code": "cpt_code", "Rule": "rule"}
_REVIEW = {"Decision": "decision", "Note": "note", "Decided on": "on"}
_ROW = "row"


@dataclass
class Tally:
    """What became of the rows that a reviewer filled in."""

    decided: int = 0
    noted: int = 0
    already: int = 0
    older: int = 0


def take(connection: sqlite3.Connection, path: Path, reviewer: str, today: date) -> Tally:
    """Enter every decision and note of a work paper, all or none, within the caller's transaction.

    A row whose decision stands already changes nothing; one older than the ledger's own decision is left alone and
    counted. Raises InputRefused with the sheet and row of the first entry that cannot be taken.
    """
    tally = Tally()
    for where, row in _filled(path):
        case = connection.execute(
            "SELECT number, state, reason, decided_on, finding"
            " FROM cases WHERE claim_id = ? AND claim_line = ? AND cpt_code = ? AND rule = ?",
            [row[name] for name in _KEYS.values()],
        ).fetchone()
        if case is None:
            raise InputRefused(f"{where}: the ledger has no such case; import the work paper of one of its own runs")
        number, state, reason, decided_on, finding = case
        note, on = (row["note"] or "").strip(), _day(where, row["on"], today)
        decision = (row["decision"] or "").strip().casefold()
        if decision and decision not in STATES:
            raise InputRefused(f"{where}: the decision is none of {', '.join(STATES)}; correct that cell")
        if not decision:
            tally.noted += _note(connection, finding, reviewer, note)
        elif (decision, note or reason) == (state, reason) and (not row["on"] or on.isoformat() == decided_on):
            tally.already += 1
        elif decided_on and on.isoformat() < decided_on:
            tally.older += 1
        elif not note:
            raise InputRefused(f"{where}: a decision without a note; the note is its reason")
        else:
            decide(connection, number, Decision(decision, reviewer, note, on))
            tally.decided += 1
    return tally


def add_note(connection: sqlite3.Connection, finding: str, by: str, text: str) -> None:
    """Add a note to a case's history within the caller's transaction."""
    chain.append(connection, [Entry(by, "note", finding, json.dumps({"text": text}, ensure_ascii=False))])


def _note(connection: sqlite3.Connection, finding: str, by: str, text: str) -> bool:
    """Add a note unless the case has it already."""
    known = connection.execute(
        "SELECT 1 FROM history WHERE finding = ? AND what = 'note' AND json_extract(details, '$.text') = ?",
        (finding, text),
    ).fetchone()
    if known:
        return False
    add_note(connection, finding, by, text)
    return True


def _filled(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows with a decision or a note, each with the words for its place."""
    try:
        book = fastexcel.read_excel(path)
        sheets = [name for name in book.sheet_names if name.split(" ")[0] == "Findings"]
        frames = [(name, book.load_sheet(name, header_row=1, dtypes="string").to_polars()) for name in sheets]
    except (OSError, fastexcel.FastExcelError):
        raise InputRefused(f"{path}: not readable as an Excel workbook; save the work paper as .xlsx") from None
    wanted = _KEYS | _REVIEW
    if not frames:
        raise InputRefused(f"{path}: no sheet Findings; take the report.xlsx of a run")
    for sheet, frame in frames:
        if missing := [head for head in wanted if head not in frame.columns]:
            raise InputRefused(f"{path}, sheet {sheet}: no column {', '.join(missing)}; keep the header row as it was")
        rows = frame.select(pl.col(head).alias(name) for head, name in wanted.items()).with_row_index(_ROW, 3)
        for row in rows.filter(pl.any_horizontal(pl.col("decision", "note").str.strip_chars() != "")).iter_rows(
            named=True
        ):
            yield f"{path}, sheet {sheet}, row {row[_ROW]}", row


def _day(where: str, text: str | None, today: date) -> date:
    """The day of a decision: as Excel stores it, as ISO text, or today where it is blank. Never in the future."""
    if not text or not text.strip():
        return today
    try:
        on = date.fromisoformat(text.strip()[:10])
    except ValueError:
        raise InputRefused(f"{where}: 'Decided on' is no date; write it as 2026-03-31") from None
    if on > today:
        raise InputRefused(f"{where}: 'Decided on' lies in the future; correct that cell")
    return on
