"""Facts of a sheet of an .xlsx or .xlsm file, from its XML. Source: ECMA-376, part 1, 18.3."""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import PurePosixPath
from typing import IO, Any
from xml.etree import ElementTree
from zipfile import ZipFile

import polars as pl

from auditor.sources.workbooks import formats
from auditor.sources.workbooks.facts import Formulas, SheetFacts, number_of, of_serial
from auditor.sources.workbooks.formats import Format

_BLOCK = 1 << 23
_CAPACITY = 1_048_576
_EMPTY_STRING = re.compile(
    rb"<(?:\w+:)?si>\s*(?:<(?:\w+:)?t[^>]*?(?:/>|></(?:\w+:)?t>)\s*)?</(?:\w+:)?si>|<(?:\w+:)?si/>"
)
_ITEM = re.compile(rb"<(?:\w+:)?si(?:>|/>)")
_HIDDEN = re.compile(r"""<(?:\w+:)?row\b(?=[^>]*\shidden=["'](?:1|true))[^>]*?\sr=["'](\d+)""")


def facts(package: ZipFile, sheet: str) -> SheetFacts:
    """The facts of the sheet with this name. Raises KeyError, ValueError or ElementTree.ParseError for damaged files."""
    workbook = ElementTree.fromstring(package.read("xl/workbook.xml"))
    related = _related(package)
    (place,) = (
        next(value for key, value in one.attrib.items() if key.endswith("}id"))
        for one in workbook.findall("{*}sheets/{*}sheet")
        if one.get("name") == sheet
    )
    properties = workbook.find("{*}workbookPr")
    since_1904 = properties is not None and properties.get("date1904") in ("1", "true", "on")
    found = SheetFacts(_CAPACITY, since_1904)
    styles = _styles(package, related.get("styles"))
    empty = _empty_strings(package, related.get("sharedStrings"))
    opened = partial(package.open, related[place])
    tail = b""
    with opened() as stream:
        for cells, text, tail in _blocks(stream):  # noqa: B007 (the last one is used)
            if not cells.is_empty():
                _count(found, cells, styles, empty)
            found.hidden += sum(int(row) - 1 <= _CAPACITY for row in _HIDDEN.findall(text))
    found.filtered = b"filterColumn" in tail
    found.rows_of = lambda column: _rows_of(opened(), column, empty)
    return found


def _related(package: ZipFile) -> dict[str, str]:
    """The parts of a workbook by their ids, and by their kinds."""
    found = {}
    for one in ElementTree.fromstring(package.read("xl/_rels/workbook.xml.rels")):
        target = one.attrib["Target"]
        path = target[1:] if target.startswith("/") else str(PurePosixPath("xl", target))
        found[one.attrib["Id"]] = path
        found[one.attrib["Type"].rsplit("/", 1)[-1]] = path
    return found


def _styles(package: ZipFile, path: str | None) -> list[Format]:
    """The format of each style of a cell."""
    if path is None:
        return []
    root = ElementTree.fromstring(package.read(path))
    own = {int(one.attrib["numFmtId"]): one.attrib["formatCode"] for one in root.findall("{*}numFmts/{*}numFmt")}
    codes = formats.BUILT_IN | own
    numbers = (int(one.get("numFmtId", 0)) for one in root.findall("{*}cellXfs/{*}xf"))
    return [formats.of_code(codes.get(number, "General")) for number in numbers]


def _empty_strings(package: ZipFile, path: str | None) -> list[str]:
    """The places of shared strings without text."""
    if path is None or path not in package.namelist():
        return []
    data = package.read(path)
    starts = [found.start() for found in _EMPTY_STRING.finditer(data)]
    if not starts:
        return []
    places = {found.start(): place for place, found in enumerate(_ITEM.finditer(data))}
    return [str(places[start]) for start in starts]


def _blocks(stream: IO[bytes]) -> Iterator[tuple[pl.DataFrame, str, bytes]]:
    """The cells of each part of a sheet, its text, and what stands behind the last row as far as it was read."""
    rest, tail, prefix = b"", b"", None
    while block := stream.read(_BLOCK):
        if tail:
            tail += block
            continue
        data = rest + block
        if prefix is None:
            found = re.search(rb"<(\w+:)?worksheet\b", data)
            prefix = (found[1] or b"") if found else b""
        data, end, behind = data.partition(b"</%bsheetData" % prefix)
        tail, rest = end + behind, b""
        if not end:
            at = max(data.rfind(b"<%bc " % prefix), 0)
            data, rest = data[:at], data[at:]
        text = data.replace(b"<%bc>" % prefix, b"<%bc >" % prefix).decode()
        yield _cells(text, prefix.decode()), text if "hidden=" in text else "", tail


def _cells(text: str, prefix: str) -> pl.DataFrame:
    """The cells of a text: `column` as letters, `row`, `style`, `type`, `value` (null: none) and `formula`."""
    x = pl.col("x")

    def attribute(pattern: str) -> pl.Expr:
        return x.str.extract(rf"""^[^>]*?\b{pattern}""")

    pieces = pl.Series("x", [text]).str.split(f"<{prefix}c ").explode().slice(1)
    return (
        pieces.to_frame()
        .lazy()
        .select(
            column=attribute("""r=["']([A-Z]+)"""),
            row=attribute("""r=["'][A-Z]+([0-9]+)""").cast(pl.Int32),
            style=attribute("""s=["']([0-9]+)""").cast(pl.Int32),
            type=attribute("""t=["']([A-Za-z]+)"""),
            value=x.str.extract(rf"<{prefix}(?:v|t)(?: [^>]*[^>/])?>([^<]+)<"),
            formula=x.str.contains(rf"<{prefix}f[ />]"),
        )
        .collect()
    )


def _count(found: SheetFacts, cells: pl.DataFrame, styles: list[Format], empty: list[str]) -> None:
    if empty:
        cells = cells.with_columns(value=pl.when(~_is_empty(empty)).then("value"))
    value, formula = pl.col("value"), pl.col("formula")
    columns = cells.group_by("column").agg(
        filled=value.count(), formulas=formula.sum(), zeros=(formula & value.cast(pl.Float64, strict=False).eq(0)).sum()
    )
    for letters, filled, formulas, zeros in columns.drop_nulls("column").iter_rows():
        column = number_of(letters)
        found.filled[column] += filled
        if formulas:
            sums = found.formulas.setdefault(column, Formulas())
            sums.count += formulas
            sums.zeros += zeros
    last: Any = cells.filter(value.is_not_null())["row"].max()
    found.last_row = max(found.last_row, (last or 0) - 1)
    _note(found, cells, styles)


def _note(found: SheetFacts, cells: pl.DataFrame, styles: list[Format]) -> None:
    """Cells that the library reads as something else than they hold, and formats that show other digits."""
    value, kind, style = pl.col("value"), pl.col("type").fill_null("n"), pl.col("style").fill_null(0)
    dated = [at for at, one in enumerate(styles) if one.dated]
    timed = [at for at, one in enumerate(styles) if one.timed and not one.elapsed]
    untimed = [at for at, one in enumerate(styles) if one.dated and not one.timed]
    padded = [at for at, one in enumerate(styles) if one.digits > 1]
    number = (kind == "n") & value.is_not_null()
    whole = ~value.str.contains(".", literal=True)
    odd = cells.filter(
        (kind == "e")
        | (number & style.is_in(timed) & whole & (value != "0"))
        | (number & style.is_in(untimed) & (value == "0"))
        | (number & style.is_in(dated) & value.str.starts_with("-"))
        | (pl.col("formula") & value.is_null() & (kind != "str"))
    )
    for letters, row, at, kinds, text, _ in odd.drop_nulls("column").iter_rows():
        column = number_of(letters)
        if text is None:
            sums = found.formulas[column]
            sums.uncalculated = row - 1 if sums.uncalculated is None else sums.uncalculated
        elif kinds == "e":
            found.put(row - 1, column, text)
        else:
            found.put(row - 1, column, of_serial(float(text), styles[at], since_1904=found.since_1904))
    if padded:
        digits = pl.lit(pl.Series([one.digits for one in styles])).gather(style)
        short = cells.filter(number & style.is_in(padded)).filter(value.str.len_chars() < digits)
        found.rewritten |= {number_of(letters) for letters in short["column"].drop_nulls().unique()}


def _is_empty(empty: list[str]) -> pl.Expr:
    return (pl.col("type") == "s").fill_null(False) & pl.col("value").is_in(empty).fill_null(False)


def _rows_of(stream: IO[bytes], column: int, empty: list[str]) -> Iterator[int]:
    with stream:
        for cells, _, _ in _blocks(stream):
            filled = cells.filter(pl.col("value").is_not_null() & ~_is_empty(empty))
            for letters, row in filled.select("column", "row").drop_nulls().iter_rows():
                if number_of(letters) == column:
                    yield row - 1
