"""A workbook and its tables: a note, frozen headings with filters, rows.

Text is always written as text: nothing in a cell can become a formula, a link or a number.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from math import ceil
from pathlib import Path
from typing import Any

import polars as pl
from xlsxwriter import Workbook
from xlsxwriter.exceptions import FileCreateError
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

ROWS_ABOVE = 2
"""Rows above the data: a note, then the headings."""
_PRECISE = 10**13
"""Numbers below it have at most 15 digits, two of them cents; Excel keeps no more."""
_LONGEST = 16_000
"""Characters of a cell; Excel allows 32,767 units of UTF-16."""
_HIGHEST = 409
"""Points of a row that Excel shows."""
_RICH = "<r>"
"""The library reads text that starts and ends with this tag as formatted runs; a space after it keeps it as it is."""
_OPEN = {"locked": False, "bg_color": "#FFFBE6", "text_wrap": True}
_FORMATS: dict[str, dict[str, Any]] = {
    "plain": {},
    "text": {"num_format": "@"},
    "wrapped": {"num_format": "@", "text_wrap": True},
    "date": {"num_format": "yyyy-mm-dd", "align": "left"},
    "instant": {"num_format": "yyyy-mm-dd hh:mm", "align": "left"},
    "money": {"num_format": "$#,##0.00", "align": "right", "indent": 1},
    "share": {"num_format": "0.0%", "align": "right", "indent": 1},
    "number": {"num_format": "#,##0", "align": "right", "indent": 1},
    "link": {"font_color": "#2F4B7C", "underline": 1},
    "head": {"bold": True, "bottom": 1, "text_wrap": True, "bg_color": "#EEF1F5"},
    "head_right": {"bold": True, "bottom": 1, "align": "right", "indent": 1, "bg_color": "#EEF1F5"},
    "note": {"font_color": "#4B5260", "italic": True},
    "long_note": {"font_color": "#4B5260", "italic": True, "text_wrap": True},
    "answer": {"bold": True, "font_size": 13},
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
    heading: str
    kind: str = "text"
    width: int = 12


@dataclass
class WorkbookWriter:
    """The workbook as it grows, and its formats."""

    book: Workbook
    title: str
    formats: dict[str, Format] = field(init=False)

    def __post_init__(self) -> None:
        self.formats = {name: self.book.add_format({"valign": "top"} | how) for name, how in _FORMATS.items()}

    def table(
        self,
        name: str,
        frame: pl.DataFrame,
        columns: Sequence[Column],
        note: str,
        *,
        frozen: int = 0,
        printed: int = 0,
        locked: bool = False,
    ) -> Worksheet:
        """Add a sheet with the rows of a frame.

        `frozen`: so many columns stay where they are; `printed`: so many are on paper, else all; `locked`: but open ones.
        """
        sheet = self.book.add_worksheet(name)
        if printed:
            _heighten(sheet, 0, (note, sum(column.width for column in columns[:printed])))
            sheet.merge_range(0, 0, 0, printed - 1, note, self.formats["long_note"])
            sheet.print_area(0, 0, ROWS_ABOVE - 1 + max(1, frame.height), printed - 1)
        else:
            sheet.write_string(0, 0, note, self.formats["note"])
        _heighten(sheet, ROWS_ABOVE - 1, *((column.heading, column.width) for column in columns))
        for at, column in enumerate(columns):
            sheet.set_column(at, at, column.width, self.formats[column.kind])
            sheet.write_string(ROWS_ABOVE - 1, at, column.heading, self.formats["head"])
            if column.name in frame.columns:
                self._fill(sheet, at, column, frame[column.name])
        for column in columns:
            if column.kind == "wrapped":
                for row, text in enumerate(frame[column.name], ROWS_ABOVE):
                    _heighten(sheet, row, (text, column.width))
        sheet.freeze_panes(ROWS_ABOVE, frozen)
        sheet.autofilter(ROWS_ABOVE - 1, 0, ROWS_ABOVE - 1 + max(1, frame.height), len(columns) - 1)
        if locked:
            sheet.protect("", {"autofilter": True, "format_columns": True, "format_rows": True})
        self.paper(sheet)
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(ROWS_ABOVE - 1)
        return sheet

    def paper(self, sheet: Worksheet) -> None:
        """Landscape, with what it is and the page's number below."""
        sheet.set_landscape()
        sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.7)
        sheet.set_footer(f"&L{self.title}: protected health information&RPage &P of &N")

    def _fill(self, sheet: Worksheet, at: int, column: Column, values: pl.Series) -> None:
        """Write a column's values below its heading; a blank one is no cell."""
        style = self.formats[column.kind]
        if isinstance(values.dtype, pl.List):
            values = values.list.join("; ")
        elif isinstance(values.dtype, pl.Datetime):
            values = values.dt.replace_time_zone(None)
        for row, value in enumerate(values, ROWS_ABOVE):
            if value is None or value == "":
                continue
            if column.kind == "link":
                formula = f'=HYPERLINK("#\'{value}\'!A"&MATCH(B{row + 1},{value}!$B:$B,0),"{column.heading}")'
                sheet.write_formula(row, at, formula, style, column.heading)
            elif isinstance(value, date):
                sheet.write_datetime(row, at, value, style)
            elif isinstance(value, str) or column.kind == "text" or abs(value) >= _PRECISE:
                text = str(value)[:_LONGEST]
                sheet.write_string(row, at, f"{text} " if text.startswith(_RICH) else text, style)
            else:
                sheet.write_number(row, at, value, style)


def _heighten(sheet: Worksheet, row: int, *texts: tuple[str, int]) -> None:
    """Make a row as high as its longest text needs at its width; LibreOffice does not do so by itself."""
    lines = max(1, *(ceil(0.95 * len(text) / width) for text, width in texts))
    sheet.set_row(row, min(_HIGHEST, 15 * lines))


@contextmanager
def opened(path: Path, title: str, run_id: str, started: str) -> Iterator[WorkbookWriter]:
    """A new workbook, complete after the block; `started` is the run's start: equal runs, equal bytes. Raises OSError."""
    # What is not yet in the file lies beside it, where a killed run's remains are cleared.
    book = Workbook(path, {"tmpdir": str(path.parent), "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({
        "title": title, "comments": run_id, "created": datetime.fromisoformat(started).replace(tzinfo=None),
    })  # fmt: skip
    yield WorkbookWriter(book, f"{title}, run {run_id}".replace("&", "&&"))
    try:
        book.close()
    except FileCreateError as error:
        raise error.args[0] from None
