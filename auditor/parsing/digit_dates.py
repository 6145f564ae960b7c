"""Dates that are written in digits alone: 14, or 12 or 8 where the whole column is written so.

Source: docs/specification.md#instants.
"""

from collections.abc import Callable
from typing import NamedTuple

import polars as pl

FORMATS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
"""By their number of digits."""
ZEROS = "^0+$"
_RANGE = 17
"""Characters of a range of days."""
_YEARS = [1, 1753, 1899, 1900, 9999, *range(1950, 2101)]
"""Of real dates, and of those that systems write where there is none."""


class DigitCounts(NamedTuple):
    """Counts of a column's values; those of a table's parts add up.

    `doubtful`: 8 or 12 digits, or zeros, which are read in a column of dates in digits only; `others`: neither a date in
    digits nor zeros.

    Where some have another length than such dates, `others` are those.
    """

    doubtful: int
    others: int


def count(values: pl.Series, rows: Callable[[pl.Series], int]) -> DigitCounts:
    """The counts of values; null is blank. `rows`: the rows of the values that a mask picks."""
    if values.dtype != pl.String:
        return DigitCounts(0, rows(values.is_not_null()))
    length = values.str.len_bytes()
    brief = ((length == 8) | (length == 12)).fill_null(False)
    long = (length == 14).fill_null(False)
    doubtful = rows(brief & values.str.contains(r"^\d+$")) if brief.any() else 0
    if long.any():
        doubtful += rows(long & values.str.contains(ZEROS))
    odd = ~brief & ~long & values.is_not_null()
    if odd.any() and (others := rows(odd)):
        return DigitCounts(doubtful, others)
    text = pl.col("v")
    year = pl.coalesce(text.str.to_datetime(form, strict=False) for form in FORMATS.values()).dt.year()
    fits = text.str.contains(r"^\d+$") & (year.is_in(_YEARS) | text.str.contains(ZEROS))
    other = values.to_frame("v").select(text.is_not_null() & ~fits.fill_null(False)).to_series()
    return DigitCounts(doubtful, rows(other))


def ranges(values: pl.Series) -> pl.DataFrame | None:
    """The ranges of days among values, such as 20260301-20260305: `first`, and `last` if it is another day; null elsewhere.

    None: there are none. Ranges that end before they start, or reach beyond the years of real dates, are none.
    """
    if values.dtype != pl.String or not (values.str.len_bytes() == _RANGE).any():
        return None
    found = values.to_frame("v").select(pl.col("v").str.extract_groups(r"^(?<first>\d{8})-(?<last>\d{8})$")).unnest("v")
    days = found.select(pl.all().str.to_date("%Y%m%d", strict=False))
    real = pl.col("first").dt.year() >= 1950, pl.col("last").dt.year() <= 2100
    days = days.select(pl.when(pl.col("first") <= pl.col("last"), *real).then(pl.all()))
    return days.with_columns(pl.when(pl.col("first") < pl.col("last")).then("last"))
