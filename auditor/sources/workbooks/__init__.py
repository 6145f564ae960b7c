"""Workbooks (.xlsx, .xlsm, .xls, .ods) → the rows of one sheet, every cell by its own kind. Source: docs/workbooks.md."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice

import polars as pl

from auditor.errors import InputRefused
from auditor.policy import Policy
from auditor.reading import headers
from auditor.reading.kinds import Location
from auditor.reading.path_columns import of_path
from auditor.schema.tables import TABLES
from auditor.sources.source import RECORD, Context, Source, require_extra
from auditor.sources.workbooks import oddities
from auditor.sources.workbooks.book import Sheet, opened
from auditor.sources.workbooks.cells import Use, texts, uses, with_facts
from auditor.sources.workbooks.facts import Cell, address, letters

_ROWS = 1 << 13
"""Rows of a frame."""
_TITLES = 100
"""Rows that are searched for a header."""


def read(table: str, locations: Sequence[Location], context: Context) -> Iterator[Source]:
    """One sheet of each workbook; the interface is `auditor.sources.source.Reader`."""
    require_extra("workbooks", "python_calamine", "xlrd")
    for location in locations:
        where = f"{table}: {location.shown}"
        with opened(where, location.path, context.policy) as book:
            sheet = book.sheet(location.within)
            reading = _Reading(f"{where}, sheet {sheet.name}", table, sheet, context.policy, location)
            yield Source(location, reading.frames(context.sample), reading.warnings, reading.understood)


class _Reading:
    """A sheet, read once from the first row to the last.

    `_columns`: those with a header, by their places; `_read`: their cells that are not blank.
    """

    def __init__(self, where: str, table: str, sheet: Sheet, policy: Policy, location: Location) -> None:
        self.warnings: list[str] = []
        self.understood: list[str] = []
        self._where, self._table, self._sheet, self._policy = where, table, sheet, policy
        self._rows = enumerate(sheet.rows())
        self._read: Counter[int] = Counter()
        self._path = tuple(of_path(location.path))
        self._header, cells = self._find_header()
        names = [_shown(cell) for cell in cells]
        self._columns = {at: name for at, name in enumerate(names) if name}
        self._refuse_repeated()
        chosen = policy.rows.get(table)
        words = (*chosen.keep, *chosen.drop) if chosen else ()
        self._uses = dict(zip(self._columns, uses(table, [*self._columns.values()], policy, words), strict=True))
        self._days = {"since_1904": sheet.facts.since_1904, "serials": "excel" in policy.instant_formats}
        self._gap = oddities.Gap(names)

    def frames(self, sample: int | None) -> Iterator[pl.DataFrame]:
        """The records; all columns are text. `sample`: the rows that are enough; None: all."""
        self.understood.append(f"sheet {self._sheet.name!r}, header in row {self._header + 1}")
        empty = True
        while block := list(islice(self._rows, _ROWS)):
            if rows := self._gap.filled(block, self._sheet.facts):
                empty = False
                yield self._frame(rows)
        if empty:
            yield self._frame([])
            if sample is not None:
                return
        self._refuse_unread()
        self.warnings += oddities.warnings(self._sheet.facts, self._header, self._uses)
        self.warnings += self._gap.warnings()

    def _frame(self, rows: Sequence[tuple[int, Sequence[Cell]]]) -> pl.DataFrame:
        numbers = [row for row, _ in rows]
        columns: list[Sequence[Cell]] = list(zip(*(cells for _, cells in rows), strict=True))
        found = {RECORD: pl.Series([row + 1 for row in numbers], dtype=pl.UInt32)}
        for at, cells in enumerate(columns):
            columns[at] = with_facts(cells, numbers, self._sheet.facts.cells.get(at, {}))
            self._read[at] += len(cells) - columns[at].count("")
        for at, name in self._columns.items():
            found[name] = texts(columns[at] if rows else (), self._uses[at], **self._days)
        return pl.DataFrame(found)

    def _find_header(self) -> tuple[int, list[Cell]]:
        """The row of the header and its cells: the first that is not blank below those that the policy skips."""
        above = self._policy.rows_above(self._table)
        for row, cells in self._rows:
            self._count(row, cells)
            if row >= above and any(map(_shown, cells)):
                if not self._fits(cells):
                    self._refuse_titles()
                return row, cells
        raise InputRefused(f"{self._where}: the sheet has no header row; name another, as in FILE#SHEET")

    def _fits(self, cells: Sequence[Cell]) -> bool:
        return headers.fits(TABLES[self._table], [*map(_shown, cells), *self._path], self._policy)

    def _refuse_titles(self) -> None:
        """Refuse rows above the header that the policy does not skip."""
        for row, cells in islice(enumerate(self._sheet.rows()), _TITLES):
            if self._fits(cells):
                raise InputRefused(
                    f"{self._where}: the header is in row {row + 1}, below other rows; set this in the policy: "
                    f"[skip_rows] {self._table} = {row}"
                )

    def _refuse_repeated(self) -> None:
        """Refuse a header that two columns have, where it is read; one that is not read gets its column's letters."""
        names = Counter(self._columns.values())
        repeated = [name for name, count in names.items() if count > 1]
        for name, use in zip(repeated, uses(self._table, repeated, self._policy, ()), strict=True):
            if use.column:
                first, second = (letters(at) for at, other in self._columns.items() if other == name)
                raise InputRefused(
                    f"{self._where}: two columns for {use.column}: {name!r} in {first} and in {second}; rename all but one"
                )
        self._columns = {
            at: f"{name} (column {letters(at)})" if name in repeated else name for at, name in self._columns.items()
        }

    def _count(self, row: int, cells: Sequence[Cell]) -> None:
        facts = self._sheet.facts.cells
        filled = (at for at, cell in enumerate(cells) if cell != "" or row in facts.get(at, ()))
        self._read.update(filled)

    def _refuse_unread(self) -> None:
        """Refuse a sheet of which the library has lost a cell, or in which nobody has calculated a formula that is read."""
        facts = self._sheet.facts
        for at, use in self._uses.items():
            formulas = facts.formulas.get(at)
            if use.column and formulas and formulas.uncalculated is not None and formulas.uncalculated > self._header:
                cell = address(formulas.uncalculated, at)
                raise InputRefused(
                    f"{self._where}: the formula in {cell} ({self._columns[at]}) has no value, because no program has "
                    "calculated it; open the workbook, calculate and save it"
                )
        if self._read.total() == facts.filled:
            return
        filled = facts.by_column()
        if filled[-1]:
            raise InputRefused(
                f"{self._where}: {filled.total():,} cells are not blank, but {self._read.total():,} were read; the file "
                "gives them no addresses; save the workbook again as .xlsx, or export the table as CSV"
            )
        for at, name in self._columns.items():
            if self._read[at] < filled[at]:
                raise InputRefused(
                    f"{self._where}: {filled[at]:,} cells of column {name!r} are not blank, but {self._read[at]:,} were "
                    f"read; not {self._first_unread(at)}; save the workbook again as .xlsx, or export the table as CSV"
                )

    def _first_unread(self, at: int) -> str:
        facts = self._sheet.facts
        blank = (row for row, cells in enumerate(self._sheet.rows()) if at >= len(cells) or cells[at] == "")
        lost = set(blank) & set(facts.rows_of(at)) - facts.cells.get(at, {}).keys()
        return address(min(lost, default=0), at)


def _shown(cell: Cell) -> str:
    """A cell of a header as text."""
    return (texts([cell], Use()).item() or "").strip()
