"""Facts of a sheet of an .xls file, by xlrd. It has no formulas: which cells have one cannot be seen."""

import io
from collections import Counter

import xlrd
from xlrd.book import Book
from xlrd.sheet import Sheet

from auditor.sources.workbooks import formats
from auditor.sources.workbooks.facts import SheetFacts, of_serial

_CAPACITY = 65_536
_BLANK = (xlrd.XL_CELL_EMPTY, xlrd.XL_CELL_BLANK)
_ENCRYPTED = "encrypted"


def opened(data: bytes) -> Book | None:
    """The file; None if it is protected by a password. Raises many kinds of exceptions for a damaged file."""
    try:
        return xlrd.open_workbook(file_contents=data, formatting_info=True, on_demand=True, logfile=io.StringIO())
    except xlrd.XLRDError as error:
        if _ENCRYPTED in str(error):
            return None
        raise


def facts(book: Book, name: str) -> SheetFacts:
    """The facts of the sheet with this name."""
    sheet = book.sheet_by_name(name)
    found = SheetFacts(_CAPACITY, since_1904=bool(book.datemode))
    styles = [formats.of_code(book.format_map[style.format_key].format_str) for style in book.xf_list]
    columns = Counter[int]()
    for row in range(sheet.nrows):
        for column, kind in enumerate(sheet.row_types(row)):
            if kind not in _BLANK and not (kind == xlrd.XL_CELL_TEXT and sheet.cell_value(row, column) == ""):
                columns[column] += 1
                found.last_row = row
                _note(found, sheet, row, column, kind, styles)
    found.filled, found.columns, found.by_column = columns.total(), sheet.ncols, lambda: columns
    found.merged = [(top, left, bottom - 1, right - 1) for top, bottom, left, right in sheet.merged_cells]
    found.hidden = sum(row <= found.last_row for row, one in sheet.rowinfo_map.items() if one.hidden)
    found.rows_of = lambda column: (
        row for row in range(sheet.nrows) if column < sheet.row_len(row) and sheet.cell_value(row, column) != ""
    )
    return found


def _note(found: SheetFacts, sheet: Sheet, row: int, column: int, kind: int, styles: list[formats.Format]) -> None:
    value = sheet.cell_value(row, column)
    if kind == xlrd.XL_CELL_ERROR:
        found.put(row, column, xlrd.error_text_from_code[value])
    elif kind in (xlrd.XL_CELL_DATE, xlrd.XL_CELL_NUMBER):
        style = styles[sheet.cell_xf_index(row, column)]
        if kind == xlrd.XL_CELL_DATE:
            cell = of_serial(value, style, since_1904=found.since_1904)
            if cell is not None:
                found.put(row, column, cell)
        elif style.digits > 1 and value == int(value) and len(str(int(value))) < style.digits:
            found.rewritten.add(column)
