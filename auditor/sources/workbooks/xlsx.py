"""Facts of a sheet of an .xlsx or .xlsm file, from its XML. Source: ECMA-376, part 1, 18.3."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import PurePosixPath
from typing import IO
from xml.etree import ElementTree
from zipfile import ZipFile

import polars as pl

from auditor.sources.workbooks import formats
from auditor.sources.workbooks.facts import Formulas, SheetFacts, number_of, of_serial
from auditor.sources.workbooks.formats import Format

_BLOCK = 1 << 23
_CAPACITY = 1_048_576
_SPACE = r"\s|&#(?:9|10|13|32|x9|x[aAdD]|x20);"
"""White space, which the library may leave out."""
_EMPTY_STRING = re.compile(
    rb"<(?:\w+:)?si>\s*(?:<(?:\w+:)?t[^>]*?(?:/>|>(?:%s)*</(?:\w+:)?t>)\s*)?</(?:\w+:)?si>|<(?:\w+:)?si/>"
    % _SPACE.encode()
)
_ITEM = re.compile(rb"<(?:\w+:)?si(?:>|/>)")
_ROW = re.compile(rb"""\br=["'][A-Z]+(\d+)""")
_HIDDEN = re.compile(rb"""<(?:\w+:)?row\b(?=[^>]*\shidden=["'](?:1|true))[^>]*?\sr=["'](\d+)""")


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
    empty = cache(partial(_empty_strings, package, related.get("sharedStrings")))
    opened = partial(package.open, related[place])
    with opened() as stream:
        for block in _blocks(stream):
            has_formulas = _survey(found, block)
            _note(found, block.odd(styles, has_formulas=has_formulas), styles)
            found.filtered = found.filtered or b"filterColumn" in block.behind
    found.by_column = lambda: _by_column(opened(), empty())
    found.rows_of = lambda column: _rows_of(opened(), column, empty())
    return found


@dataclass(frozen=True)
class _Block:
    """A part of a sheet: its text, the prefix of its tags, and what is behind the last row."""

    data: bytes
    prefix: str
    behind: bytes = b""

    @cached_property
    def text(self) -> pl.Series:
        """All of it, as a column of one text."""
        return pl.Series("x", [self.data]).cast(pl.String)

    def counts(self, **patterns: str) -> dict[str, int]:
        """How often each pattern is there."""
        counted = [pl.col("x").str.count_matches(pattern).alias(name) for name, pattern in patterns.items()]
        return self.text.to_frame().select(counted).row(0, named=True)

    def all(self, pattern: str) -> pl.Series:
        return self.text.str.extract_all(pattern).explode().drop_nulls()

    @property
    def formula(self) -> str:
        """The pattern of a formula or an error."""
        return rf"""<{self.prefix}f[ />]|\bt=["']e["']"""

    def cells(self, pattern: str = "") -> pl.DataFrame:
        """All cells, or those that have a pattern."""
        start = f"<{self.prefix}c "
        pieces = self.text.str.replace_all(f"<{self.prefix}c>", f"{start}>", literal=True).str.split(start)
        pieces = pieces.explode().slice(1)
        return self._cells(pieces.filter(pieces.str.contains(pattern)) if pattern else pieces)

    def odd(self, styles: Sequence[Format], *, has_formulas: bool) -> pl.DataFrame:
        """The cells that may be more than they seem. `has_formulas`: also those with formulas and errors."""
        telling = "|".join(str(at) for at, one in enumerate(styles) if one.dated or one.digits > 1)
        style = rf"""\bs=["'](?:{telling})["']""" if telling else "[^ -~]"
        odd = rf"[^>]*{style}[^>]*><{self.prefix}v>(?:-[^<]*|[0-9]+)<"
        return self.cells(f"^{odd}|{self.formula}") if has_formulas else self._cells(self.all(f"<{self.prefix}c {odd}"))

    def _cells(self, pieces: pl.Series) -> pl.DataFrame:
        """The cells of texts: `column` as letters, `row`, `style`, `type`, `value` (null: none) and `formula`."""
        x = pl.col("x")

        def attribute(pattern: str) -> pl.Expr:
            return x.str.extract(rf"""^[^>]*?\b{pattern}""")

        return (
            pieces.alias("x")
            .to_frame()
            .select(
                column=attribute("""r=["']([A-Z]+)"""),
                row=attribute("""r=["'][A-Z]+([0-9]+)""").cast(pl.Int32),
                style=attribute("""s=["']([0-9]+)""").cast(pl.Int32),
                type=attribute("""t=["']([A-Za-z]+)"""),
                value=x.str.extract(rf"<{self.prefix}(?:v|t)(?: [^>]*[^>/])?>([^<]+)<")
                .str.replace(rf"^(?:{_SPACE})+$", "")
                .replace("", None),
                formula=x.str.contains(rf"<{self.prefix}f[ />]"),
            )
        )


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


def _blocks(stream: IO[bytes]) -> Iterator[_Block]:
    """The parts of a sheet, each of whole cells."""
    rest, prefix = b"", None
    while block := stream.read(_BLOCK):
        data, rest = rest + block, b""
        if prefix is None:
            found = re.search(rb"<(\w+:)?worksheet\b", data)
            prefix = found[1] or b"" if found else b""
        data, end, behind = data.partition(b"</%bsheetData" % prefix)
        if end:
            yield _Block(data, prefix.decode(), behind + stream.read())
            return
        at = max(data.rfind(b"<%bc " % prefix), 0)
        data, rest = data[:at], data[at:]
        yield _Block(data, prefix.decode())
    yield _Block(rest, (prefix or b"").decode())


def _survey(found: SheetFacts, block: _Block) -> bool:
    """Count what is filled, how far the sheet reaches at most, and hidden rows; whether there are formulas or errors."""
    wide = r"""r=["'][A-Z]{2}"""
    values, texts = (f"</{block.prefix}{tag}>" for tag in "vt")
    counts = block.counts(values=values, texts=texts, formulas=block.formula, wide=wide, hidden="hidden=")
    found.filled += counts["values"] + counts["texts"]
    if counts["wide"]:
        letters = block.all(rf"{wide}[A-Z]?").str.slice(3).unique()
        found.columns = max(found.columns, *(number_of(text) + 1 for text in letters))
    if (end := block.data.rfind((values if counts["values"] else texts).encode())) >= 0:
        start = max(block.data.rfind(f"<{block.prefix}c ".encode(), 0, end), 0)
        if last := _ROW.search(block.data, start):
            found.last_row = max(found.last_row, int(last[1]) - 1)
    if counts["hidden"]:
        found.hidden += len(_HIDDEN.findall(block.data))
    return bool(counts["formulas"])


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
            sums = found.formulas.setdefault(column, Formulas())
            sums.uncalculated = row - 1 if sums.uncalculated is None else sums.uncalculated
        elif kinds == "e":
            found.put(row - 1, column, text)
        else:
            found.put(row - 1, column, of_serial(float(text), styles[at], since_1904=found.since_1904))
    if padded:
        digits = pl.lit(pl.Series([one.digits for one in styles])).gather(style)
        short = cells.filter(number & style.is_in(padded)).filter(value.str.len_chars() < digits)
        found.rewritten |= {number_of(letters) for letters in short["column"].drop_nulls().unique()}
    for letters, formulas, zeros in (
        cells.filter("formula")
        .group_by("column")
        .agg(formulas=pl.len(), zeros=value.cast(pl.Float64, strict=False).eq(0).sum())
        .drop_nulls("column")
        .iter_rows()
    ):
        sums = found.formulas.setdefault(number_of(letters), Formulas())
        sums.count += formulas
        sums.zeros += zeros


def _by_column(stream: IO[bytes], empty: list[str]) -> Counter[int]:
    found = Counter[int]()
    with stream:
        for block in _blocks(stream):
            cells = block.cells().filter(pl.col("value").is_not_null() & ~_is_empty(empty))
            for letters, count in cells.group_by("column").len().iter_rows():
                found[number_of(letters or "")] += count
    return found


def _is_empty(empty: list[str]) -> pl.Expr:
    return (pl.col("type") == "s").fill_null(False) & pl.col("value").is_in(empty).fill_null(False)


def _rows_of(stream: IO[bytes], column: int, empty: list[str]) -> Iterator[int]:
    with stream:
        for block in _blocks(stream):
            filled = block.cells().filter(pl.col("value").is_not_null() & ~_is_empty(empty))
            for letters, row in filled.select("column", "row").drop_nulls().iter_rows():
                if number_of(letters) == column:
                    yield row - 1
