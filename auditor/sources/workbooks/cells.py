"""Cells of a sheet → text, by each cell's own kind and by what its column is for. Source: docs/workbooks.md."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial

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
_SERIAL = r"\d{1,6}(?:\.\d+)?"
_ISO_CLOCK = r"PT(?:(\d{1,2})H)?(?:(\d{1,2})M)?(?:(\d{1,2})(?:\.\d+)?S)?"


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


def texts(cells: Sequence[Cell], use: Use, *, since_1904: bool = False, serials: bool = False) -> pl.Series:
    """A column's cells as text; null where blank.

    `since_1904`: the workbook counts days from 1904-01-01. `serials`: in a column of dates, numbers are such days.
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
        elif kind is timedelta:
            found = _lengths(pl.Series(own, dtype=pl.Duration("us")), use, since_1904)
        elif kind in (date, datetime) and use.kind in _LENGTHS:
            found = _lengths(pl.Series(own, dtype=pl.Datetime("us")), use, since_1904)
        elif kind is datetime:
            found = _instants(pl.Series(own, dtype=pl.Datetime("us")), use, since_1904)
        else:
            found = pl.Series([None if cell is None else str(cell) for cell in own], dtype=pl.String)
            found = found.str.to_uppercase() if kind is bool else found
        column = found if len(kinds) == 1 else column.zip_with(found.is_null(), found)
    if use.kind in _INSTANTS and str in kinds:
        column = _in_place(column, _ISO_CLOCK, _clocks_of_iso)
    if serials and use.kind in _INSTANTS:
        column = _in_place(column, _SERIAL, partial(_of_serials, since_1904=since_1904))
    return column


def _numbers(values: pl.Series, use: Use) -> pl.Series:
    """Numbers as their digits; in a column of ids those that have lost digits are marked."""
    number = pl.col("n")
    whole = (number == number.round(0)) & (number.abs() < 2**63)
    text = pl.when(whole).then(number.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(number.cast(pl.String))
    if use.kind is Kind.ID:
        text = pl.when(number.abs() >= _EXACT).then(pl.lit(LOST_DIGITS) + text).otherwise(text)
    return values.to_frame("n").select(text).to_series()


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


def _lengths(values: pl.Series, use: Use, since_1904: bool) -> pl.Series:
    """Lengths as hours, minutes and seconds, in a column of dates those under a day as times of day; -1: negative ones.

    In a column of lengths, clock times are lengths since the sheet's first day, and other dates are dates.
    """
    at = pl.col("at")
    if values.dtype == pl.Duration:
        return values.to_frame("at").select(_length(at.dt.total_microseconds(), use.kind in _INSTANTS)).to_series()
    first = pl.lit(datetime(1904, 1, 1) if since_1904 else datetime(1899, 12, 31))
    length = at - pl.when(at < first).then(pl.lit(datetime(1899, 12, 30))).otherwise(first)
    clock = length.is_between(timedelta(), _LONGEST, closed="left")
    text = pl.when(clock).then(_length(length.dt.total_microseconds())).otherwise(at.dt.to_string("%F %T"))
    return values.to_frame("at").select(text).to_series()


def _length(microseconds: pl.Expr, clock: bool = False) -> pl.Expr:
    seconds, fraction = microseconds // 1_000_000, microseconds % 1_000_000
    hours = (seconds // 3600).cast(pl.String)
    text = pl.format(
        "{}:{}:{}{}",
        pl.when((seconds < 86_400) & clock).then(hours.str.zfill(2)).otherwise(hours),
        *((part % 60).cast(pl.String).str.zfill(2) for part in (seconds // 60, seconds)),
        pl.when(fraction == 0).then(pl.lit("")).otherwise("." + fraction.cast(pl.String).str.zfill(6)),
    )
    return pl.when(microseconds < 0).then(pl.lit("-1")).otherwise(text)


def _clocks_of_iso(texts: pl.Series) -> pl.Series:
    """The times of day of PT13H5M."""
    parts = texts.str.extract_groups(_ISO_CLOCK).struct.unnest()
    return parts.select(pl.concat_str(pl.all().fill_null("").str.zfill(2), separator=":")).to_series()


def _of_serials(texts: pl.Series, since_1904: bool) -> pl.Series:
    """The dates, the instants to the millisecond, or under 1 the times of day, that are so many days."""
    days = pl.col("days").cast(pl.Float64)
    at = pl.lit(datetime(1904, 1, 1) if since_1904 else datetime(1899, 12, 30)) + pl.duration(
        milliseconds=(days * 86_400_000).round(0).cast(pl.Int64)
    )
    text = (
        pl.when(at.dt.time() == pl.time(0))
        .then(at.dt.to_string("%F"))
        .when(days < 1)
        .then(at.dt.to_string("%T%.f"))
        .otherwise(at.dt.to_string("%F %T%.f"))
    )
    return texts.to_frame("days").select(text).to_series()


def _in_place(texts: pl.Series, pattern: str, written: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Write those texts anew that have a pattern."""
    hits = texts.str.contains(f"^(?:{pattern})$").fill_null(False)
    if not hits.any():
        return texts
    places = hits.arg_true()
    return texts.scatter(places, written(texts.gather(places)))


def with_facts(cells: Sequence[Cell], rows: Sequence[int], facts: Mapping[int, Cell]) -> Sequence[Cell]:
    """A column's cells, in these rows, as the sheet's file has them."""
    return [facts.get(row, cell) for row, cell in zip(rows, cells, strict=True)] if facts else cells
