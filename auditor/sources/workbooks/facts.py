"""What a sheet's file says of its cells, apart from the library that reads them. Source: docs/workbooks.md."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from auditor.sources.workbooks.formats import Format

Cell = Any
"""What a cell holds: text, a number, yes or no, a date (without a time), a time of day or a length."""
Rectangle = tuple[int, int, int, int]
"""First row, first column, last row, last column; counted from 0."""


@dataclass
class Formulas:
    """The formulas of a column: how many, how many of them give 0, and the first row whose formula has no value."""

    count: int = 0
    zeros: int = 0
    uncalculated: int | None = None


@dataclass
class SheetFacts:
    """Facts of a sheet; rows and columns count from 0.

    `capacity`: the rows that fit. `since_1904`: the workbook counts days from 1904-01-01. `filled`: the cells that are not
    blank, more where the file is unusual; `columns`: how many there are at most; `last_row`: with a cell that is not blank.
    `by_column` looks up the cells that are not blank of each column (-1: without an address), `rows_of` their rows.
    `cells`: column → row → what a cell holds, where the library reads it as something else. `rewritten`: columns in which a
    number's format shows other digits than it has. `hidden`: how many rows are; `filtered`: by a filter.
    """

    capacity: int
    since_1904: bool = False
    filled: int = 0
    columns: int = 26
    last_row: int = -1
    by_column: Callable[[], Counter[int]] = Counter
    rows_of: Callable[[int], Iterable[int]] = lambda _: ()
    cells: dict[int, dict[int, Cell]] = field(default_factory=dict)
    formulas: dict[int, Formulas] = field(default_factory=dict)
    rewritten: set[int] = field(default_factory=set)
    merged: list[Rectangle] = field(default_factory=list)
    hidden: int = 0
    filtered: bool = False

    def put(self, row: int, column: int, cell: Cell) -> None:
        """Note what a cell holds."""
        self.cells.setdefault(column, {})[row] = cell


def of_serial(days: float, style: Format, *, since_1904: bool) -> Cell | None:
    """What a date cell holds where the library does not see it, given the cell's serial number of days; else None.

    A midnight whose format shows a time is an instant; a 0 whose format shows none is a date; a negative number is a length.
    """
    first = datetime(1904, 1, 1) if since_1904 else datetime(1899, 12, 31 if days < 60 else 30)
    if days < 0:
        return timedelta(milliseconds=round(days * 86_400_000))
    if days == 0:
        return None if style.timed else first.date()
    return first + timedelta(days=days) if style.timed and days == int(days) and not style.elapsed else None


def letters(column: int) -> str:
    """A column as sheets name it: A, B, … Z, AA."""
    text = ""
    while column >= 0:
        text, column = chr(ord("A") + column % 26) + text, column // 26 - 1
    return text


def number_of(text: str) -> int:
    """The inverse of `letters`."""
    number = 0
    for letter in text:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def address(row: int, column: int) -> str:
    """A cell as sheets name it, such as B12."""
    return f"{letters(column)}{row + 1}"
