"""A workbook and its tables: a note, frozen headings with filters, rows; locked but for the reviewer's columns.

Text is written as text: nothing in a cell can become a formula, a link or a number.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import polars as pl
from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

HEAD = 2
"""Rows above the data: a note, then the headings."""
_EPOCH = 25_569
"""1 January 1970 as Excel counts days."""
_PRECISE = 10**13
"""Numbers below it have at most 15 digits, two of them cents; Excel keeps no more."""
_OPEN = {"locked": False, "bg_color": "#FFFBE6"}
_FORMATS = {
    "text": {"num_format": "@"},
    "date": {"num_format": "yyyy-mm-dd"},
    "instant": {"num_format": "yyyy-mm-dd hh:mm"},
    "money": {"num_format": "$#,##0.00"},
    "share": {"num_format": "0.0%"},
    "number": {"num_format": "#,##0"},
    "link": {"font_color": "#2F4B7C", "underline": 1},
    "head": {"bold": True, "bottom": 1, "text_wrap": True, "valign": "top", "bg_color": "#EEF1F5"},
    "note": {"font_color": "#4B5260", "italic": True},
    "title": {"bold": True, "font_size": 16},
    "open": {**_OPEN, "num_format": "@"},
    "open_date": {**_OPEN, "num_format": "yyyy-mm-dd"},
    "open_amount": {**_OPEN, "num_format": "#,##0.00"},
}


@dataclass(frozen=True)
class Column:
    """A column of a sheet: its name in the frame, its heading, the kind of its values (a format's name), its width.

    A `link` column holds cell references such as `#'Claims'!A3`; its heading is what the reader clicks. The columns of a
    kind that begins with `open` are the reviewer's: they are blank and need not be in the frame.
    """

    name: str
    head: str
    kind: str = "text"
    width: int = 12


@dataclass
class Book:
    """The workbook as it grows, and its formats."""

    book: Workbook
    formats: dict[str, Format] = field(init=False)

    def __post_init__(self) -> None:
        self.formats = {name: self.book.add_format(how) for name, how in _FORMATS.items()}

    def table(self, name: str, frame: pl.DataFrame, columns: Sequence[Column], note: str) -> Worksheet:
        """Add a sheet with the rows of a frame."""
        sheet = self.book.add_worksheet(name)
        sheet.write_string(0, 0, note, self.formats["note"])
        for at, column in enumerate(columns):
            sheet.set_column(at, at, column.width, self.formats[column.kind])
            sheet.write_string(HEAD - 1, at, column.head, self.formats["head"])
        filled = [column for column in columns if not column.kind.startswith("open")]
        writers = [_writer(sheet, column) for column in filled]
        for row, values in enumerate(frame.select(_stored(frame, column) for column in filled).iter_rows(), HEAD):
            for at, value in enumerate(values):
                if value is not None:
                    writers[at](row, at, value)
        sheet.freeze_panes(HEAD, 0)
        sheet.autofilter(HEAD - 1, 0, HEAD - 1 + max(1, frame.height), len(columns) - 1)
        sheet.protect("", {"autofilter": True, "sort": True, "format_columns": True, "format_rows": True})
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(HEAD - 1)
        return sheet


@contextmanager
def opened(path: Path, title: str, run_id: str, started: str) -> Iterator[Book]:
    """A new workbook, complete after the block; `started` is the run's start: equal runs, equal bytes. Raises OSError."""
    # What is not yet in the file lies beside it, where a killed run's remains are cleared.
    options = {
        "constant_memory": True, "tmpdir": str(path.parent),
        "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
    }  # fmt: skip
    book = Workbook(path, options)
    book.set_properties({
        "title": title, "comments": run_id, "created": datetime.fromisoformat(started).replace(tzinfo=None),
    })  # fmt: skip
    yield Book(book)
    try:
        book.close()
    except FileCreateError as error:
        raise error.args[0] from None


def _writer(sheet: Worksheet, column: Column) -> Callable[[int, int, object], object]:
    """Writes one value of a column into a cell, which has the column's format."""

    def link(row: int, at: int, place: object) -> None:
        sheet.write_formula(row, at, f'=HYPERLINK("{place}","{column.head}")', None, column.head)

    def number(row: int, at: int, value: object) -> None:
        if abs(value) < _PRECISE:  # type: ignore[arg-type]
            sheet.write_number(row, at, value)
        else:
            sheet.write_string(row, at, str(value))

    def text(row: int, at: int, value: object) -> None:
        if value[:3] == "<r>":  # type: ignore[index]  # the library takes such text for its own marks
            sheet.write_rich_string(row, at, *value)  # type: ignore[misc]
        else:
            sheet.write_string(row, at, value)

    return {"link": link, "text": text}.get(column.kind, number)


def _stored(frame: pl.DataFrame, column: Column) -> pl.Expr:
    """The value as Excel stores it: days since 1900 in local time, or text; null where there is none."""
    value, dtype = pl.col(column.name), frame.schema[column.name]
    if isinstance(dtype, pl.Datetime):
        return value.dt.replace_time_zone(None).dt.epoch("us") / 86_400_000_000 + _EPOCH
    if dtype == pl.Date:
        return value.dt.epoch("d") + _EPOCH
    if isinstance(dtype, pl.List):
        value = value.list.join("; ")
    if column.kind != "text":
        return value
    value = value.cast(pl.String)
    return pl.when(value != "").then(value).alias(column.name)
