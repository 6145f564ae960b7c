"""Facts of a sheet of an .ods file, from its content.xml. Source: OpenDocument 1.3, part 3, 9.1 and 19."""

import re
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from xml.parsers import expat
from zipfile import ZipFile

from auditor.sources.workbooks.facts import Formulas, SheetFacts

_CAPACITY = 1_048_576
_CELLS = ("table:table-cell", "table:covered-table-cell")
_TIME = re.compile(r"\d:\d\d")


def is_encrypted(package: ZipFile) -> bool:
    """Whether the file is protected by a password."""
    name = "META-INF/manifest.xml"
    return name in package.namelist() and b"encryption-data" in package.read(name)


def facts(package: ZipFile, sheet: str) -> SheetFacts:
    """The facts of the sheet with this name. Raises expat.ExpatError or ValueError for damaged files."""
    with package.open("content.xml") as stream:
        return _Scan(sheet).of(stream)


class _Scan:
    """Reads a sheet's cells in order. `_row`, `_column`: those of the cell, `_rows`, `_columns`: how often it repeats."""

    def __init__(self, sheet: str, column: int | None = None) -> None:
        self._sheet = sheet
        self._found = SheetFacts(_CAPACITY)
        self._inside, self._notes, self._depth = False, 0, 0
        self._row = self._column = 0
        self._rows = self._columns = 1
        self._cell: dict[str, str] = {}
        self._text: list[str] = []
        self._by_column: Counter[int] = Counter()
        self._filled_rows: list[tuple[int, int, int, int]] = []

    def of(self, stream: Any) -> SheetFacts:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._text.append
        self._read_text = self._text.append
        parser.ParseFile(stream)
        found = self._found
        filled, columns = self._filled_rows, self._by_column
        found.filled, found.columns, found.by_column = columns.total(), max(columns, default=-1) + 1, lambda: columns
        found.rows_of = lambda column: _rows(filled, column)
        return found

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "table:table":
            self._inside = attributes.get("table:name") == self._sheet
            self._row = 0
        elif tag == "table:null-date":
            self._found.since_1904 = attributes.get("table:date-value", "").startswith("1904")
        elif not self._inside:
            self._text.clear()
        elif tag == "table:table-row":
            self._column, self._rows = 0, int(attributes.get("table:number-rows-repeated", 1))
            self._visible = attributes.get("table:visibility", "visible")
            self._is_filled = False
        elif tag in _CELLS:
            self._columns = int(attributes.get("table:number-columns-repeated", 1))
            self._cell = attributes
            self._text.clear()
        elif tag == "office:annotation":
            self._notes = len(self._text) + 1

    def _end(self, tag: str) -> None:
        if tag == "table:table":
            self._inside = False
        elif not self._inside:
            return
        elif tag in _CELLS:
            self._note()
            self._column += self._columns
        elif tag == "office:annotation":
            del self._text[self._notes - 1 :]
        elif tag == "table:table-row":
            self._end_row()

    def _end_row(self) -> None:
        found = self._found
        if self._is_filled:
            found.last_row = self._row + self._rows - 1
            if self._visible != "visible":
                found.hidden += self._rows
                found.filtered = found.filtered or self._visible == "filter"
        self._row += self._rows

    def _note(self) -> None:
        """Count the cell, and note what the library does not see."""
        cell, found, column = self._cell, self._found, self._column
        kind = cell.get("office:value-type")
        down, right = (int(cell.get(f"table:number-{way}-spanned", 1)) for way in ("rows", "columns"))
        if down > 1 or right > 1:
            found.merged.append((self._row, column, self._row + down - 1, column + right - 1))
        formula = found.formulas.setdefault(column, Formulas()) if "table:formula" in cell else None
        if formula:
            formula.count += self._rows
            if kind is None and formula.uncalculated is None:
                formula.uncalculated = self._row
        if kind is None:
            return
        text = "".join(self._text) if kind in ("string", "date", "float") else ""
        value = cell.get("office:value", "")
        if kind == "string" and not (text or cell.get("office:string-value")):
            return
        if formula and kind in ("float", "currency", "percentage"):
            formula.zeros += self._rows * (float(value) == 0)
        self._is_filled = True
        for at in range(column, column + self._columns):
            self._by_column[at] += self._rows
        self._filled_rows.append((self._row, self._rows, column, self._columns))
        if kind == "float" and text != value and _others(text, value):
            found.rewritten.add(column)
        elif kind == "string" and cell.get("calcext:value-type") == "error":
            self._put(text)
        elif kind == "date" and len(cell["office:date-value"]) == 10 and _TIME.search(text):
            self._put(datetime.fromisoformat(cell["office:date-value"]))

    def _put(self, cell: object) -> None:
        for row in range(self._row, self._row + self._rows):
            for column in range(self._column, self._column + self._columns):
                self._found.put(row, column, cell)


def _others(text: str, value: str) -> bool:
    """Whether a whole number is shown with other digits than it has."""
    return re.sub(r"\D", "", text) != re.sub(r"\D", "", value.removesuffix(".0")) and "." not in value


def _rows(filled: list[tuple[int, int, int, int]], column: int) -> Iterator[int]:
    for row, rows, first, columns in filled:
        if first <= column < first + columns:
            yield from range(row, row + rows)
