"""Cells of a sheet → text, by each cell's own kind and by what its column is for. Source: docs/workbooks.md."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any

import polars as pl

from auditor.parsing.identifiers import LOST_DIGITS
from auditor.policy import Policy
from auditor.schema.tables import TABLES, Kind, fold
from auditor.sources.workbooks.facts import Cell

_INSTANTS = (Kind.INSTANT, Kind.DATE, Kind.CLOCK)
_LENGTHS = (Kind.MINUTES, Kind.SECONDS)
_CLOCK_DAYS = date(1899, 12, 30), date(1899, 12, 31), date(1900, 1, 1)
_CLOCK_DAYS_1904 = date(1899, 12, 30), date(1904, 1, 1)
"""Days on which sheets put a time of day, by the day from which the workbook counts."""
_LONGEST = timedelta(hours=9999)
_EXACT = 1e15
"""Sheets keep 15 digits of a number."""
_EPOCHS = 1462
"""Days from the epoch of 1900 to that of 1904."""
_SERIAL = re.compile(r"\d{1,6}(?:\.\d+)?")
_ISO_CLOCK = re.compile(r"PT(?:(\d{1,2})H)?(?:(\d{1,2})M)?(?:(\d{1,2})(?:\.\d+)?S)?")


@dataclass(frozen=True)
class Use:
    """What a column is for: the canonical column (blank: none), its kind, and whether it is joined with others."""

    column: str = ""
    kind: Kind = Kind.TEXT
    joined: bool = False


def uses(table: str, headers: Sequence[str], policy: Policy, chosen: Collection[str]) -> list[Use]:
    """What each column of a sheet is for. `chosen`: the headers by which the policy chooses rows."""
    found = {fold(name): Use("[rows]") for name in chosen}
    present = {fold(name) for name in headers}
    for column in TABLES[table].columns.values():
        mapped = [fold(source) for source in policy.sources_of(table, column.name)]
        names = mapped if present.issuperset(mapped) and mapped else [fold(n) for n in (column.name, *column.aliases)]
        for name in names:
            found.setdefault(name, Use(column.name, column.kind, len(mapped) > 1))
    return [found.get(fold(name), Use()) for name in headers]


def texts(cells: Sequence[Cell], use: Use, *, since_1904: bool = False, shifted: bool = False) -> pl.Series:
    """A column's cells as text; null where blank.

    `since_1904`: the workbook counts days from 1904-01-01. `shifted`: days that are numbers become those since
    1899-12-30.
    """
    kinds = set(map(type, cells))
    column = pl.Series([cell if cell.__class__ is str else None for cell in cells] if kinds != {str} else cells,
                       dtype=pl.String)  # fmt: skip
    if str in kinds:
        column = column.replace("", None)
    for kind in kinds - {str}:
        own = [cell if cell.__class__ is kind else None for cell in cells]
        if kind in (int, float):
            found = _numbers(pl.Series(own, dtype=pl.Float64), use)
        elif kind is datetime and use.kind not in _LENGTHS:
            found = _instants(pl.Series(own, dtype=pl.Datetime("us")), use, since_1904)
        else:
            written = _written(kind, use, since_1904)
            found = pl.Series([None if cell is None else written(cell) for cell in own], dtype=pl.String)
        column = found if len(kinds) == 1 else column.zip_with(found.is_null(), found)
    if use.kind in _INSTANTS and str in kinds:
        column = _in_place(column, _ISO_CLOCK.pattern, _clock_of_iso)
    if shifted and use.kind in _INSTANTS:
        column = _in_place(
            column, _SERIAL.pattern, lambda text: f"{float(text) + _EPOCHS:.10f}".rstrip("0").rstrip(".")
        )
    return column


def _numbers(values: pl.Series, use: Use) -> pl.Series:
    """Numbers as their digits; in a column of ids those that have lost digits are marked."""
    number = pl.col("n")
    whole = (number == number.round(0)) & (number.abs() < 2**63)
    text = pl.when(whole).then(number.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(number.cast(pl.String))
    if use.kind is Kind.ID:
        text = pl.when(number.abs() >= _EXACT).then(pl.lit(LOST_DIGITS) + text).otherwise(text)
    return values.to_frame("n").select(text).to_series()


def _written(kind: type, use: Use, since_1904: bool) -> Callable[[Any], str]:
    """How a cell of a kind is written in a column."""
    if kind is bool:
        return lambda cell: "TRUE" if cell else "FALSE"
    if use.kind in _LENGTHS and kind in (date, datetime):
        return partial(_length_of_clock, since_1904=since_1904)
    if kind is timedelta:
        return _clock_of_length if use.kind in _INSTANTS else _length
    return str


def _instants(values: pl.Series, use: Use, since_1904: bool) -> pl.Series:
    """Instants, or the times of day that they are on one of the days that sheets use for that.

    A midnight there is a date, and so it is in a column that is joined with others.
    """
    at = pl.col("at")
    midnight = at.dt.time() == pl.time(0)
    clock = at.dt.date().is_in(_CLOCK_DAYS_1904 if since_1904 else _CLOCK_DAYS) & (use.kind in _INSTANTS)
    text = (
        pl.when(midnight & (clock | use.joined)).then(at.dt.to_string("%F")).when(clock).then(at.dt.to_string("%T%.f"))
    )
    return values.to_frame("at").select(text.otherwise(at.dt.to_string("%F %T%.f"))).to_series()


def _length(cell: timedelta) -> str:
    """A length as hours, minutes and seconds."""
    if cell < timedelta():
        return "-1"
    seconds, fraction = cell // timedelta(seconds=1), cell.microseconds
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}" + (f".{fraction:06}" if fraction else "")


def _length_of_clock(cell: date, since_1904: bool) -> str:
    """The length that a clock time of the sheet's first days is; else a date, which is no length."""
    at = cell if isinstance(cell, datetime) else datetime.combine(cell, time())
    first = datetime(1904, 1, 1) if since_1904 else datetime(1899, 12, 31)
    if at < first:
        first = datetime(1899, 12, 30)
    return _length(at - first) if timedelta() <= at - first < _LONGEST else str(cell)


def _clock_of_length(cell: timedelta) -> str:
    """The time of day of a length under a day."""
    return str((datetime.min + cell).time()) if timedelta() <= cell < timedelta(days=1) else _length(cell)


def _clock_of_iso(text: str) -> str:
    """The time of day of PT13H5M."""
    hours, minutes, seconds = (int(part or 0) for part in _ISO_CLOCK.fullmatch(text).groups())  # type: ignore[union-attr]
    return f"{hours:02}:{minutes:02}:{seconds:02}"


def _in_place(texts: pl.Series, pattern: str, written: Callable[[str], str]) -> pl.Series:
    """Write those texts anew that have a pattern."""
    hits = texts.str.contains(f"^(?:{pattern})$").fill_null(False)
    if not hits.any():
        return texts
    places = hits.arg_true()
    return texts.scatter(places, [written(text) for text in texts.gather(places)])


def with_facts(cells: Sequence[Cell], rows: Sequence[int], facts: Mapping[int, Cell]) -> Sequence[Cell]:
    """A column's cells, in these rows, as the sheet's file has them."""
    return [facts.get(row, cell) for row, cell in zip(rows, cells, strict=True)] if facts else cells
