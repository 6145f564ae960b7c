"""Reading the ledger: the list of cases, and one case with its history."""

import contextlib
import json
import sqlite3
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from auditor import zones
from auditor.cases import store
from auditor.cases.ledger_update import FACTS, due_dates
from auditor.cases.states import ASSIGNEES, COLUMNS, DOLLARS, HAS_DECISION, IS_OPEN, fact_in, instant
from auditor.errors import UsageError
from auditor.judging.findings import AMOUNT
from auditor.run_summary import RunFigures
from auditor.runs import past
from auditor.schema.outputs import TABLES

Row = dict[str, Any]

SCHEMA = {
    "number": pl.Int64, "finding_id": pl.String, "rule": pl.String, "claim_id": pl.String, "claim_line": pl.String,
    "cpt_code": pl.String, "mark": pl.String, "why": pl.String, "assignee": pl.String, "first_run": pl.String,
    "last_run": pl.String,
    **dict.fromkeys(COLUMNS, pl.String), "facts": pl.String,
}  # fmt: skip
"""A case as it is listed; the facts are spread into columns of their own."""


def ledger_of(path: Path) -> Path:
    """The ledger's file: the one named, or the one in an output folder."""
    return path / store.NAME if path.is_dir() else path


def list_cases(
    connection: sqlite3.Connection,
    due_by: date | None = None,
    since: int | None = None,
    *,
    decided: bool = False,
    **only: Any,
) -> pl.DataFrame:
    """Cases with their facts and `due`, the most pressing first.

    `only` keeps the cases with a value, or one of a list, in these columns, and of the open ones those that are still found;
    `due_by` those whose clock runs out by then; `since` those that got their mark in this run or later, with that mark;
    `decided` those that are not open, whose clock runs, or for which money went back.
    """
    sql_columns = {name: f"now.{name}" for name in SCHEMA} | {
        "first_run": "first.run_id", "last_run": "last.run_id", "assignee": "assigned.assignee",
    }  # fmt: skip
    filters = {
        name: json.dumps(value if isinstance(value, list) else [value])
        for name, value in only.items()
        if value is not None
    }
    if since is not None:
        sql_columns["mark"] = "cases.mark"
    tests = ["1", *(f"{sql_columns[name]} IN (SELECT value FROM json_each(:{name}))" for name in filters)]
    if since is not None:
        tests.append("cases.marked_run >= :since")
    current = IS_OPEN if only.get("state") == "open" else HAS_DECISION if decided else "1"
    rows = connection.execute(
        f"SELECT {', '.join(sql_columns.values())} FROM (SELECT * FROM current_cases WHERE {current}) now"
        " JOIN runs first ON first.number = now.first_run JOIN runs last ON last.number = now.last_run"
        f" JOIN cases USING (number) LEFT JOIN ({ASSIGNEES}) assigned USING (finding) WHERE {' AND '.join(tests)}",
        filters | {"since": since},
    ).fetchall()
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    facts = [fact_in(name).alias(name) for name in FACTS]
    frame = frame.join(due_dates(frame), on="number", how="left").with_columns(facts).with_columns(amount=AMOUNT)
    frame = frame.drop("facts").sort("due", "number", nulls_last=True)
    return frame if due_by is None else frame.filter(pl.col("due") <= due_by)


def run_since(connection: sqlite3.Connection, text: str) -> int:
    """The number of a run that is named, or of the first one that started on a date or later. Raises UsageError."""
    row = connection.execute("SELECT number FROM runs WHERE run_id = ?", (text,)).fetchone()
    if row is None:
        try:
            day = date.fromisoformat(text)
        except ValueError:
            raise UsageError("--since: neither a run of this ledger nor a date such as 2026-03-31") from None
        row = connection.execute("SELECT min(number) FROM runs WHERE started >= ?", (day.isoformat(),)).fetchone()
    return int(row[0]) if row[0] is not None else 1 << 62


def trend(connection: sqlite3.Connection) -> list[RunFigures]:
    """The last runs of a ledger, the newest first; of one that an older version entered only what was new."""
    query = """
        SELECT json_object('run', json_extract(details, '$.run'), 'new', json_extract(details, '$.marks.new')),
        coalesce(json_extract(details, '$.figures'), '{}')
        FROM history WHERE finding = '' AND what = 'run' ORDER BY number DESC LIMIT ?"""
    rows = connection.execute(query, (past.TREND,))
    return [RunFigures(**(json.loads(known) | json.loads(figures))) for known, figures in rows]


def find(connection: sqlite3.Connection, text: str) -> int:
    """The number of a case, given as that number or as a finding_id. Raises UsageError."""
    query = "SELECT number FROM cases WHERE ?1 IN (finding_id, finding) OR CAST(number AS TEXT) = ?1"
    rows = connection.execute(query, (text.removeprefix("#"),)).fetchall()
    if not rows:
        which = f"{text}: " if text.isdecimal() else ""  # a finding id names a claim
        raise UsageError(f"{which}no such case; `audit98968 cases list` shows them by number")
    if len(rows) > 1:
        raise UsageError("several cases have this finding id; name one by its number, as `cases list` shows it")
    return int(rows[0][0])


def finding(connection: sqlite3.Connection, number: int) -> str:
    """What the history calls a case: its finding id and the code."""
    query = "SELECT finding FROM cases WHERE number = ?"
    return str(connection.execute(query, (number,)).fetchone()[0])


def history_of(connection: sqlite3.Connection, number: int) -> list[Row]:
    """The history of a case, oldest entry first."""
    query = """
        SELECT number, at, by, what, details FROM history WHERE finding = ?1 OR finding = '' AND what = 'new'
          AND ?2 BETWEEN json_extract(details, '$.first') AND json_extract(details, '$.last')
        ORDER BY number"""
    rows = connection.execute(query, (finding(connection, number), number))
    names = ("number", "at", "by", "what", "details")
    return [dict(zip(names, row, strict=True)) | {"details": json.loads(row[-1])} for row in rows]


def days(text: str, origin: str = "--due") -> timedelta:
    """`14d` → 14 days. Raises UsageError."""
    number = text.removesuffix("d")
    if not number.isdecimal() or len(number) > 4:
        raise UsageError(f"{origin}: a number of days expected, such as 14d")
    return timedelta(days=int(number))


_TYPES = {"whole number": pl.Int64(), "dollars": DOLLARS, "text": pl.String()}
_FROM_RUN = ("payer", "policy", "message", "finding_id")
"""What the ledger does not keep: the last run that found a case has it, and ids with the code."""


def zone_of(folder: Path) -> str:
    """The time zone of the latest run in an output folder; UTC without one."""
    with contextlib.suppress(OSError, ValueError):
        return zones.zone(past.read(folder / "latest" / "summary.json").timezone).key
    return "UTC"


def published(cases: pl.DataFrame, folder: Path) -> pl.DataFrame:
    """`cases` as `list_cases` has them, in the time zone of the latest run in `folder`, the output folder.

    The sentence of a case without a finding is that of the last run that found it, if its folder is there.
    """
    zone, found = zone_of(folder), _found(folder / "latest", cases)
    gone = cases.join(found.drop_nulls("message"), on="number", how="anti")
    for (run,), some in gone.group_by("last_run"):
        found = pl.concat([found.join(some, on="number", how="anti"), _found(folder / str(run), some)])
    rows = cases.rename({"finding_id": "without_code"}).join(found, on="number", how="left", maintain_order="left")
    rows = rows.with_columns(pl.col("finding_id").fill_null(pl.col("without_code")))
    return rows.select(_typed(name, column.type, rows.schema[name], zone) for name, column in TABLES["cases"].items())


def _found(run: Path, cases: pl.DataFrame) -> pl.DataFrame:
    """What a run's folder says of these cases; nothing where it is gone or cannot be read."""
    with contextlib.suppress(OSError, ValueError, pl.exceptions.PolarsError):
        rows = past.scan(run, "cases").select("number", *_FROM_RUN)
        return rows.filter(pl.col("number").is_in(cases["number"].implode())).collect()
    return pl.DataFrame(schema={"number": pl.Int64, **dict.fromkeys(_FROM_RUN, pl.String)})


def _typed(name: str, kind: str, dtype: pl.DataType, zone: str) -> pl.Expr:
    column = pl.col(name)
    if kind == "instant":
        return instant(column).dt.convert_time_zone(zone)
    if kind == "date":
        return column.str.to_date() if dtype == pl.String else column
    return column.cast(_TYPES[kind])
