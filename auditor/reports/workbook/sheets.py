"""A workbook and its tables: a note, frozen headings with filters, rows.

The library writes the workbook, its formats, validation and charts. It takes some 10 microseconds for a cell, a hundred
thousand rows half a minute; so the rows of a sheet are put into words column by column. Text is always an inline string:
nothing in a cell can become a formula, a link or a number.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import polars as pl
from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

HEAD = 2
"""Rows above the data: a note, then the headings."""
_EPOCH = 25_569
"""1 January 1970 as Excel counts days."""
_PRECISE = 10**13
"""Numbers below it have at most 15 digits, two of them cents; Excel keeps no more."""
_LONGEST = 16_000
"""Characters of a cell; Excel allows 32,767 units of UTF-16."""
_CHUNK = 10_000
_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\ufffe": "\ufffd", "\uffff": "\ufffd"} | {
    chr(code): f"_x{code:04X}_" for code in range(32) if chr(code) not in "\t\n"
}
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

    A `link` column holds the name of a sheet, where the link finds the row with the same claim id (column B here and
    there) in whatever order it is; its heading is what the reader clicks. Columns that are not in the frame are blank.
    """

    name: str
    head: str
    kind: str = "text"
    width: int = 12


class _Table(Worksheet):  # type: ignore[misc]
    """A sheet that has the rows of a frame below its headings."""

    frame: pl.DataFrame
    cells: Sequence[tuple[Column, Format]]

    def _write_rows(self) -> None:
        super()._write_rows()
        # Formats have their numbers only now.
        cells = [
            _cell(self.frame, column, xl_col_to_name(at), how._get_xf_index())
            for at, (column, how) in enumerate(self.cells)
            if column.name in self.frame.columns
        ]
        number = pl.col("_row").cast(pl.String)
        row = pl.concat_str(pl.lit('<row r="'), number, pl.lit('">'), *cells, pl.lit("</row>"), ignore_nulls=True)
        for chunk in self.frame.with_row_index("_row", HEAD + 1).iter_slices(_CHUNK):
            self.fh.write("".join(chunk.select(row).to_series()))


@dataclass
class Book:
    """The workbook as it grows, and its formats."""

    book: Workbook
    title: str
    formats: dict[str, Format] = field(init=False)

    def __post_init__(self) -> None:
        self.formats = {name: self.book.add_format(how) for name, how in _FORMATS.items()}

    def table(
        self,
        name: str,
        frame: pl.DataFrame,
        columns: Sequence[Column],
        note: str,
        *,
        frozen: int = 0,
        locked: bool = False,
    ) -> Worksheet:
        """Add a sheet with the rows of a frame; so many columns stay where they are. `locked`: but for open ones."""
        sheet = self.book.add_worksheet(name, _Table)
        sheet.frame = frame
        sheet.cells = [(column, self.formats[column.kind]) for column in columns]
        sheet.write_string(0, 0, note, self.formats["note"])
        for at, column in enumerate(columns):
            sheet.set_column(at, at, column.width, self.formats[column.kind])
            sheet.write_string(HEAD - 1, at, column.head, self.formats["head"])
        sheet.dim_rowmax = HEAD - 1 + frame.height
        sheet.freeze_panes(HEAD, frozen)
        sheet.autofilter(HEAD - 1, 0, HEAD - 1 + max(1, frame.height), len(columns) - 1)
        if locked:
            sheet.protect("", {"autofilter": True, "format_columns": True, "format_rows": True})
        sheet.set_footer(f"&L{self.title}: protected health information&RPage &P of &N")
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(HEAD - 1)
        return sheet


@contextmanager
def opened(path: Path, title: str, run_id: str, started: str) -> Iterator[Book]:
    """A new workbook, complete after the block; `started` is the run's start: equal runs, equal bytes. Raises OSError."""
    # What is not yet in the file lies beside it, where a killed run's remains are cleared.
    book = Workbook(path, {"tmpdir": str(path.parent), "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({
        "title": title, "comments": run_id, "created": datetime.fromisoformat(started).replace(tzinfo=None),
    })  # fmt: skip
    yield Book(book, f"{title}, run {run_id}".replace("&", "&&"))
    try:
        book.close()
    except FileCreateError as error:
        raise error.args[0] from None


def _cell(frame: pl.DataFrame, column: Column, letters: str, style: int) -> pl.Expr:
    """The XML of one cell, null where there is no value."""
    value, dtype = pl.col(column.name), frame.schema[column.name]
    where = pl.lit(f'<c r="{letters}') + pl.col("_row").cast(pl.String) + pl.lit(f'" s="{style}"')
    if column.kind == "link":
        head = column.head
        found = pl.format("MATCH(B{},{}!$B:$B,0)", "_row", value)
        formula = pl.format('HYPERLINK("#\'{}\'!A"&amp;{},"{}")', value, found, pl.lit(head))
        return where + ' t="str"><f>' + formula + f"</f><v>{head}</v></c>"
    if isinstance(dtype, pl.Datetime):
        value = value.dt.replace_time_zone(None).dt.epoch("us") / 86_400_000_000 + _EPOCH
    elif dtype == pl.Date:
        value = value.dt.epoch("d") + _EPOCH
    elif isinstance(dtype, pl.List):
        value = value.list.join("; ")
    text = value.cast(pl.String)
    written = where + ' t="inlineStr"><is><t xml:space="preserve">' + _escaped(text) + "</t></is></c>"
    if column.kind == "text":
        return written
    number = where + "><v>" + text + "</v></c>"
    return pl.when(value.abs() < _PRECISE).then(number).otherwise(written)


def _escaped(text: pl.Expr) -> pl.Expr:
    # Excel reads _x0041_ as a character by its number; an id that looks so is escaped the same way.
    coded = text.str.contains(r"_x[0-9A-Fa-f]{4}_")
    text = pl.when(coded).then(text.str.replace_all("_x", "_x005F_x", literal=True)).otherwise(text)
    text = text.str.head(_LONGEST).str.replace_many(list(_ESCAPED), list(_ESCAPED.values()))
    return pl.when(text != "").then(text)
