"""A reviewer at work: the Decision, Note and Decided on columns of report.xlsx, filled in as Excel stores them."""

import re
import zipfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from xml.sax.saxutils import escape

FIRST = 3
"""The row of the first finding."""

Cell = str | date | None


def fill(source: Path, target: Path, rows: Mapping[int, tuple[Cell, ...]]) -> None:
    """Write `target`, which is `source` with these decisions, notes and dates in these rows of the sheet Findings."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, _filled(data.decode(), rows) if name == "xl/worksheets/sheet2.xml" else data)


def replace(source: Path, target: Path, part: str, old: str, new: str) -> None:
    """Write `target`, which is `source` with this text of this part replaced."""
    with zipfile.ZipFile(source) as book, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        for name in book.namelist():
            data = book.read(name)
            assert name != part or old.encode() in data
            made.writestr(name, data.replace(old.encode(), new.encode()) if name == part else data)


def _filled(sheet: str, rows: Mapping[int, tuple[Cell, ...]]) -> str:
    """The reviewer's columns are J, K and L; M always has a value."""
    style = re.search(r'<col min="12" [^>]*style="(\d+)"', sheet)[1]  # type: ignore[index]
    for number, cells in rows.items():
        made = "".join(_cell(f"{column}{number}", value, style) for column, value in zip("JKL", cells, strict=False))
        behind = f'<c r="M{number}"'
        assert sheet.count(behind) == 1
        sheet = sheet.replace(behind, made + behind)
    return sheet


def _cell(place: str, value: Cell, style: str) -> str:
    if value is None:
        return ""
    if isinstance(value, date):
        return f'<c r="{place}" s="{style}"><v>{(value - date(1899, 12, 30)).days}</v></c>'
    return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
