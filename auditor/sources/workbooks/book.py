"""A workbook's file, opened by the library that reads its cells and by the one that knows the facts of its sheets."""

import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from xml.etree import ElementTree
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile

import python_calamine as calamine
from polars.exceptions import ComputeError

from auditor.errors import InputRefused
from auditor.policy import Policy
from auditor.reading import files
from auditor.reading.decoding import Source as Bytes
from auditor.sources.workbooks import ods, xls, xlsx
from auditor.sources.workbooks.facts import Cell, SheetFacts

_OLE = b"\xd0\xcf\x11\xe0"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_SPARSE = 50_000_000
"""Cells of a sheet, blank ones included, that are too many unless one in `_FILLED` is filled."""
_FILLED = 20
_FAULTS = (
    calamine.CalamineError,
    ComputeError,
    BadZipFile,
    ElementTree.ParseError,
    expat.ExpatError,
    LookupError,
    ValueError,
    EOFError,
)


@dataclass
class Sheet:
    """A sheet: its name, its facts, and its cells as the library reads them."""

    name: str
    facts: SheetFacts
    cells: calamine.CalamineSheet

    def rows(self) -> Iterator[list[Cell]]:
        """The cells of each row from the first on; blank ones are empty texts."""
        start = self.cells.start
        pad = [""] * (start[1] if start else 0)
        return (pad + row for row in self.cells.iter_rows()) if pad else self.cells.iter_rows()


@dataclass
class Book:
    """A workbook. `where`: how messages about it begin; `facts`: of a sheet by its name."""

    where: str
    workbook: calamine.CalamineWorkbook
    facts: Callable[[str], SheetFacts]

    def sheet(self, name: str) -> Sheet:
        """The sheet with this name; blank: the only visible one with rows. Raises InputRefused where there is none."""
        names = self.workbook.sheet_names
        if name and name not in names:
            raise InputRefused(f"{self.where}: no sheet of this name; the sheets are {_listed(names)}")
        with _refusing(self.where):
            found = [(one, self.facts(one)) for one in ([name] if name else self._visible())]
            found = [(one, facts) for one, facts in found if facts.filled] or found[:1]
        if len(found) != 1:
            raise InputRefused(
                f"{self.where}: {len(found)} sheets have rows; name one, as in FILE#SHEET; the sheets are {_listed(names)}"
            )
        ((name, facts),) = found
        self._refuse_sparse(name, facts)
        with _refusing(self.where):
            cells = self.workbook.get_sheet_by_name(name)
            facts.merged = facts.merged or [(*first, *last) for first, last in cells.merged_cell_ranges or ()]
        return Sheet(name, facts, cells)

    def _visible(self) -> list[str]:
        sheet, visible = calamine.SheetTypeEnum.WorkSheet, calamine.SheetVisibleEnum.Visible
        return [one.name for one in self.workbook.sheets_metadata if one.typ == sheet and one.visible == visible]

    def _refuse_sparse(self, name: str, facts: SheetFacts) -> None:
        """The library keeps every cell of the rectangle around those that are filled."""
        most = max(_SPARSE, _FILLED * facts.filled)
        if (facts.last_row + 1) * facts.columns <= most:
            return
        columns = max(facts.by_column(), default=-1) + 1
        if (facts.last_row + 1) * columns > most:
            raise InputRefused(
                f"{self.where}: sheet {name!r} has cells far from its table, down to row {facts.last_row + 1:,} and in "
                f"{columns:,} columns; delete them, or export the table as CSV"
            )


@contextmanager
def opened(where: str, path: Path, policy: Policy) -> Iterator[Book]:
    """Open a workbook. Raises InputRefused for what is none, is damaged or is protected by a password."""
    with files.opened(where, path) as (stream, _), ExitStack() as stack:
        with _refusing(where):
            book = _of_ole(where, path) if stream.read(4) == _OLE else _of_package(where, stack, stream, path, policy)
        yield book


def _of_package(where: str, stack: ExitStack, stream: BinaryIO, path: Path, policy: Policy) -> Book:
    package = stack.enter_context(ZipFile(stream))
    size = sum(entry.file_size for entry in package.infolist())
    Bytes(where, stream, expansion=policy.max_expansion).require_size(size, path.stat().st_size)
    names = package.namelist()
    if "content.xml" not in names and "xl/workbook.xml" not in names:
        raise InputRefused(f"{where}: a ZIP archive without a workbook; extract it, and name the files")
    if "content.xml" in names and ods.is_encrypted(package):
        raise _protected(where)
    reader = ods if "content.xml" in names else xlsx
    with path.open("rb") as copy:
        return Book(where, calamine.CalamineWorkbook.from_filelike(copy), lambda name: reader.facts(package, name))


def _of_ole(where: str, path: Path) -> Book:
    data = path.read_bytes()
    if _ENCRYPTED in data:
        raise _protected(where)
    try:
        book = xls.opened(data)
    except Exception:
        raise _damaged(where) from None
    if book is None:
        raise _protected(where)
    return Book(where, calamine.CalamineWorkbook.from_filelike(io.BytesIO(data)), lambda name: xls.facts(book, name))


@contextmanager
def _refusing(where: str) -> Iterator[None]:
    try:
        yield
    except _FAULTS:
        raise _damaged(where) from None


def _damaged(where: str) -> InputRefused:
    return InputRefused(f"{where}: cannot be read as a workbook, because it is damaged or cut short; export it again")


def _protected(where: str) -> InputRefused:
    return InputRefused(f"{where}: the workbook is protected by a password; save it without one and run again")


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names))
