"""Dates that are written in digits alone: 14, or 12 or 8 where the whole column is written so.

Source: docs/specification.md#instants.
"""

from collections.abc import Callable
from typing import NamedTuple

import polars as pl

FORMATS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
"""By their number of digits."""
ZEROS = "^0+$"
_YEARS = [1, 1753, 1899, 1900, 9999, *range(1950, 2101)]
"""Of real dates, and of those that systems write where there is none."""


class DigitCounts(NamedTuple):
    """Counts of a column's values: `short` of 8 or 12 digits; `others` that are anything but a date in digits, or zeros.

    Where some have another length than dates in digits, `others` are those. The counts of a table's parts add up.
    """

    short: int
    others: int


def count(values: pl.Series, rows: Callable[[pl.Series], int]) -> DigitCounts:
    """The counts of values; null is blank. `rows`: the rows of the values that a mask picks."""
    if values.dtype != pl.String:
        return DigitCounts(0, rows(values.is_not_null()))
    length = values.str.len_bytes()
    brief = ((length == 8) | (length == 12)).fill_null(False)
    short = rows(brief & values.str.contains(r"^\d+$")) if brief.any() else 0
    odd = (~brief & (length != 14)).fill_null(False)
    if odd.any() and (others := rows(odd)):
        return DigitCounts(short, others)
    text = pl.col("v")
    year = pl.coalesce(text.str.to_datetime(form, strict=False) for form in FORMATS.values()).dt.year()
    fits = text.str.contains(r"^\d+$") & (year.is_in(_YEARS) | text.str.contains(ZEROS))
    other = values.to_frame("v").select(text.is_not_null() & ~fits.fill_null(False)).to_series()
    return DigitCounts(short, rows(other))
