"""What a sheet shows that a person should know of before trusting its rows. Source: docs/workbooks.md."""

from collections.abc import Iterator, Mapping, Sequence

from auditor.schema.tables import Kind
from auditor.sources.workbooks.cells import Use
from auditor.sources.workbooks.facts import Cell, SheetFacts, address

_Row = tuple[int, Sequence[Cell]]


def warnings(facts: SheetFacts, header: int, uses: Mapping[int, Use]) -> Iterator[str]:
    """Sentences about a sheet whose header is in this row, and what its columns are for."""
    for at, use in uses.items():
        formulas = facts.formulas.get(at)
        if use.kind is Kind.MONEY and formulas and formulas.count == formulas.zeros:
            yield (
                f"{use.column}: every formula gives exactly 0 (cells: {formulas.count:,}), perhaps because no program has "
                "calculated them; open the workbook, calculate and save it"
            )
        if use.kind is Kind.ID and at in facts.rewritten:
            yield (
                f"{use.column}: the number format shows other digits than the numbers have, such as leading zeros; "
                "the audit reads the numbers (123, not 00123); export the column as text"
            )
        if use.kind is Kind.ID:
            yield from _merged(facts, header, at, use.column)
    if facts.hidden:
        yield f"rows hidden{' by a filter' if facts.filtered else ''}: {facts.hidden:,}; the audit reads them as all others"
    elif facts.filtered:
        yield "a filter is set; the audit reads all rows"
    if facts.last_row + 1 == facts.capacity:
        yield (
            f"the sheet is full to its last row, {facts.capacity:,}; rows that did not fit are missing; export the table as "
            "CSV or Parquet"
        )


def _merged(facts: SheetFacts, header: int, at: int, column: str) -> Iterator[str]:
    found = [one for one in facts.merged if one[2] > header and one[1] <= at <= one[3]]
    if found:
        top, left, bottom, right = min(found)
        yield (
            f"{column}: cells are merged (ranges: {len(found):,}, first {address(top, left)}:{address(bottom, right)}), "
            "and only the first row of each has the id; unmerge them and fill in each row"
        )


class Gap:
    """Blank rows of a sheet, and whether another table begins below one."""

    def __init__(self, header: Sequence[str]) -> None:
        self._header = header
        self._behind = False
        self._second: int | None = None

    def filled(self, block: Sequence[_Row], facts: SheetFacts) -> list[_Row]:
        """The rows that are not blank."""
        blank = [""] * len(block[0][1])
        if not any(cells == blank for _, cells in block) and not self._behind:
            return list(block)
        found = []
        for row, cells in block:
            if cells == blank and not any(row in noted for noted in facts.cells.values()):
                self._behind = True
                continue
            if self._behind and self._second is None and self._is_header(cells):
                self._second = row
            self._behind = False
            found.append((row, cells))
        return found

    def _is_header(self, cells: Sequence[Cell]) -> bool:
        """Whether all cells are words, as those of a header are and those of a record are not."""
        words = [cell for cell in cells if cell != ""]
        return len(words) > 1 and all(
            isinstance(word, str) and not any(sign.isdigit() for sign in word) for word in words
        ) and list(cells) != list(self._header)  # fmt: skip

    def warnings(self) -> Iterator[str]:
        if self._second is not None:
            yield (
                f"another table may begin in row {self._second + 1:,}, below a blank row; its rows are read as rows of the "
                "first table; move it to a sheet of its own"
            )
