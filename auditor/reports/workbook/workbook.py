"""report.xlsx: the audit as a work paper. Ids are text, dates are dates, and only the reviewer's columns can be edited."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from auditor.audit import Result
from auditor.judging.findings import KEYS
from auditor.reports.page.providers import ranking
from auditor.reports.summary import Summary
from auditor.reports.workbook import columns
from auditor.reports.workbook import summary_sheet as xlsx_summary
from auditor.reports.workbook.rows import Column, Rows, fill

EXCEL_ROWS = 1_048_576
CLEAR_CLAIMS = 50_000
"""Clear claims are listed up to this many audited claims; beyond, claims.parquet has them."""

DECISIONS = ["confirmed", "dismissed", "corrected", "refunded"]
_HEAD = 2
"""Rows above the data: a note, then the header."""
_GONE_NOTE = (
    "Cases without a finding in this run. Resolved: the claim was audited again and the rule found nothing. Not seen: "
    "nobody can tell, and why."
)
_ORDER = {"violation": 0, "review": 1, "incomplete": 2, "clear": 3, "not applicable": 4}
_FORMATS = {
    "text": {"num_format": "@"},
    "date": {"num_format": "yyyy-mm-dd"},
    "instant": {"num_format": "yyyy-mm-dd hh:mm"},
    "money": {"num_format": "$#,##0.00"},
    "share": {"num_format": "0.0%"},
    "number": {"num_format": "#,##0"},
    "hours": {"num_format": "0.00"},
    "link": {"font_color": "#2F4B7C", "underline": 1},
    "head": {"bold": True, "bottom": 1, "text_wrap": True, "valign": "top", "bg_color": "#EEF1F5"},
    "note": {"font_color": "#4B5260", "italic": True},
    "title": {"bold": True, "font_size": 16},
    "strong": {"bold": True},
    "open": {"locked": False, "bg_color": "#FFFBE6", "num_format": "@"},
    "open_date": {"locked": False, "bg_color": "#FFFBE6", "num_format": "yyyy-mm-dd"},
}


@dataclass
class Book:
    """The workbook as it grows, its formats, and the rows that its sheets will hold."""

    book: Workbook
    max_rows: int
    formats: dict[str, Format] = field(init=False)
    rows: dict[int, Rows] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.formats = {name: self.book.add_format(how) for name, how in _FORMATS.items()}


def write(
    path: Path, result: Result, summary: Summary, cases: pl.DataFrame | None = None, max_rows: int = EXCEL_ROWS
) -> None:
    """Write the workbook of a finished audit; sheets longer than `max_rows` are split. Raises OSError.

    `cases` are the run's cases in the ledger (`Night.cases`).
    """
    plain = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "in_memory": True}
    claims, findings = _linked(result, max_rows - _HEAD)
    stream = io.BytesIO()
    with Workbook(stream, plain) as opened:
        started = datetime.fromisoformat(summary["started"]).replace(tzinfo=None)
        opened.set_properties({"title": "Audit of telephone claims", "comments": summary["run_id"], "created": started})
        book = Book(opened, max_rows)
        xlsx_summary.write(opened, book.formats, result, summary)
        heads: tuple[Column, ...] = columns.FINDINGS
        if cases is not None:
            marks = cases.select(*KEYS, "rule", "mark", "state", "first_run", case="number")
            findings = findings.join(marks, on=[*KEYS, "rule"], how="left", maintain_order="left")
            heads += columns.NIGHT
        _table(book, "Findings", findings, heads, _findings_note(result), reviewed=True)
        _table(book, "Claims", claims, columns.CLAIMS, _claims_note(result, claims))
        if cases is not None:
            gone = cases.filter(pl.col("mark").is_in(["resolved", "not seen"]))
            _table(book, "Gone", gone, columns.GONE, _GONE_NOTE)
        _table(book, "Providers", ranking(result.claims), columns.PROVIDERS, columns.PROVIDERS_NOTE)
        _table(
            book, "Rules", _rules(summary), columns.RULES, "A rule that is not evaluated says nothing about any claim."
        )
        _table(book, "Rejects", _rejects(result), columns.REJECTS, "Rows that were not used. Values are never shown.")
        _table(
            book, "Run", _run(summary), columns.RUN, "What was run, on what. Identifiers and dates make this file PHI."
        )
    fill(stream, path, book.rows)


def _linked(result: Result, room: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Claims and findings in one order, the worst claim first, each with the cell that the other's link goes to."""
    rank = pl.col("disposition").replace_strict(_ORDER, default=9, return_dtype=pl.UInt8)
    claims = result.claims.with_columns(amount=pl.coalesce("paid_amount", "billed_amount"))
    if claims.height > CLEAR_CLAIMS:
        claims = claims.filter(rank < _ORDER["clear"])
    claims = claims.sort(rank, -pl.col("amount"), *KEYS, nulls_last=True).with_row_index("place")
    joined = result.findings.join(claims.select(*KEYS, "place", "amount"), on=KEYS, how="left", maintain_order="left")
    findings = joined.sort("place", "rule").with_row_index("found")
    first = findings.group_by("place").agg(pl.col("found").min(), findings=pl.len())
    claims = claims.join(first, on="place", how="left", maintain_order="left")
    return (
        claims.with_columns(link=_cell("Findings", pl.col("found"), room)),
        findings.with_columns(link=_cell("Claims", pl.col("place"), room)),
    )


def _cell(sheet: str, place: pl.Expr, room: int) -> pl.Expr:
    """The cell of a row, on the sheet that holds it."""
    part = place // room
    name = pl.when(part == 0).then(pl.lit(sheet)).otherwise(pl.format(f"{sheet} {{}}", part + 1))
    return pl.format("#'{}'!A{}", name, place % room + _HEAD + 1)


def _table(
    book: Book, name: str, frame: pl.DataFrame, columns: Sequence[Column], note: str, reviewed: bool = False
) -> None:
    """One frame on as many sheets as it takes: note, frozen header with filters, rows; locked but for the reviewer."""
    room = book.max_rows - _HEAD
    parts = max(1, -(-frame.height // room))
    for part in range(parts):
        rows = frame.slice(part * room, room)
        sheet = book.book.add_worksheet(name if part == 0 else f"{name} {part + 1}")
        book.rows[len(book.book.worksheets())] = Rows(rows, columns, _HEAD)
        last = len(columns) - 1
        for at, column in enumerate(columns):
            sheet.set_column(at, at, column.width, book.formats[column.kind])
        if reviewed:
            last += _review_columns(book, sheet, last + 1, rows.height)
        split = f" Rows {part * room + 1:,} to {part * room + rows.height:,} of {frame.height:,}, part {part + 1} of {parts}"
        split = f"{split}: Excel holds no more on one sheet." if parts > 1 else ""
        sheet.write_string(0, 0, note + split, book.formats["note"])
        heads = [column.head for column in columns] + (["Decision", "Note", "Decided on"] if reviewed else [])
        for at, head in enumerate(heads):
            sheet.write_string(_HEAD - 1, at, head, book.formats["head"])
        sheet.freeze_panes(_HEAD, 0)
        sheet.autofilter(_HEAD - 1, 0, _HEAD - 1 + max(1, rows.height), last)
        sheet.protect("", {"autofilter": True, "sort": True, "format_columns": True, "format_rows": True})
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(_HEAD - 1)


def _review_columns(book: Book, sheet: Worksheet, first: int, rows: int) -> int:
    """The reviewer's columns: blank, unlocked, a list for the decision. Returns how many."""
    sheet.set_column(first, first, 13, book.formats["open"])
    sheet.set_column(first + 1, first + 1, 40, book.formats["open"])
    sheet.set_column(first + 2, first + 2, 12, book.formats["open_date"])
    if rows:
        sheet.data_validation(_HEAD, first, _HEAD + rows - 1, first, {
            "validate": "list", "source": DECISIONS, "error_title": "Decision",
            "error_message": "Choose " + ", ".join(DECISIONS) + ", or leave it blank.",
        })  # fmt: skip
    return 3


def _findings_note(result: Result) -> str:
    return (
        f"{result.findings.height:,} findings, the worst claim first. Decision, Note and Decided on are yours to fill in; "
        "the rest is locked without a password. Filters work; to sort, unprotect the sheet (links keep to the first order)."
    )


def _claims_note(result: Result, shown: pl.DataFrame) -> str:
    if shown.height == result.claims.height:
        return f"All {shown.height:,} audited claims, the worst first."
    return f"{shown.height:,} of {result.claims.height:,} audited claims; claims.parquet has the clear ones too."


def _rules(summary: Summary) -> pl.DataFrame:
    rows = pl.DataFrame(summary["rules"], infer_schema_length=None).with_columns(pl.col("reason").cast(pl.String))
    counts = ("applicable", "violation", "review", "unknown")
    yes = pl.when("evaluated").then(pl.lit("yes")).otherwise(pl.lit("NO"))
    # A zero would read as "nothing found"; a rule that was not evaluated has no numbers.
    rows = rows.with_columns(pl.when("evaluated").then(pl.col(name)).alias(name) for name in counts)
    share = pl.when(pl.col("applicable") > 0).then(pl.col("violation") / pl.col("applicable"))
    return rows.with_columns(rate=share, evaluated=yes)


def _rejects(result: Result) -> pl.DataFrame:
    names = ("source_file", "source_record", "column", "reason")
    parts = [table.rejects.select(pl.lit(name).alias("table"), *names) for name, table in result.inputs.tables.items()]
    return pl.concat(parts).sort("table", *names)


def _run(summary: Summary) -> pl.DataFrame:
    pairs = [(name, value) for name, value in _flat(summary) if not name.startswith("rules.")]
    return pl.DataFrame(pairs, schema={"name": pl.String, "value": pl.String}, orient="row")


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every leaf of a summary as a dotted name and text."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        for number, inner in enumerate(value, 1):
            yield from _flat(inner, f"{name}.{number}")
    else:
        yield name, ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
