"""How long a call or discussion was. Source: docs/specification.md#lengths."""

import polars as pl

from auditor.parsing.microseconds import DAY, HOUR, MILLISECOND, MINUTE, SECOND
from auditor.parsing.numbers import NUMBER, UNSIGNED, with_decimal_point
from auditor.parsing.table_parser import TableParser
from auditor.schema.tables import Column

_UNITS = {"milliseconds": MILLISECOND, "seconds": SECOND, "minutes": MINUTE, "h:mm": MINUTE, "hours": HOUR, "days": DAY}
"""Units of plain numbers in the policy."""
_CLOCK = r"^(?:(\d{1,4}):)?(\d{1,6}):([0-5]?\d(?:\.\d+)?)$"
_ISO = rf"(?i)^PT(?:({UNSIGNED})H)?(?:({UNSIGNED})M)?(?:({UNSIGNED})S)?$"
_MINUTES = rf"(?i)^({UNSIGNED}) ?min(?:ute)?s?\.?$"
MINUTES_LOOK_LIKE, SECONDS_LOOK_LIKE = r"^(\d{1,4}([.,]\d+)?|(\d+:)?\d+:[0-5]\d)$", r"^\d{1,8}(\.\d+)?$"


def read_minutes(parser: TableParser, column: Column, values: pl.Series) -> None:
    """Lengths as Int64 microseconds; plain numbers are minutes unless `[units]` says otherwise."""
    _read(parser, column, values, MINUTE)


def read_seconds(parser: TableParser, column: Column, values: pl.Series) -> None:
    """Lengths as Int64 microseconds; plain numbers are seconds unless `[units]` says otherwise."""
    _read(parser, column, values, SECOND)


def _read(parser: TableParser, column: Column, values: pl.Series, default_unit: int) -> None:
    """A text that is no length, is negative or is over 24 hours rejects its row: no call is that long."""
    unit = parser.policy.units.get(column.name)  # type: ignore[call-overload]
    length = _length(_UNITS.get(unit, default_unit), 60 if unit == "h:mm" else 1).alias("v")
    values = with_decimal_point(parser, values)
    lengths = values.to_frame("v").select(length)["v"]
    invalid = values.is_not_null() & lengths.is_null()
    parser.reject(column.name, f"{column.name} is not a valid duration, such as 21, 21:30 or PT21M30S", invalid)
    parser.reject(column.name, f"{column.name} is negative", lengths < 0)
    parser.reject(column.name, f"{column.name} is over 24 h", lengths > DAY)
    parser.add(column.name, lengths)


def _length(per_unit: int, scale: int) -> pl.Expr:
    """The length in microseconds of the text `v`. `scale`: seconds in the last part of `1:20`, which is m:ss or h:mm."""
    text = pl.col("v")
    number = pl.when(text.str.contains(NUMBER)).then(text).cast(pl.Float64, strict=False) * per_unit
    hours, minutes, seconds = _parts(_CLOCK)
    clock = (hours.fill_null(0) * 3600 + minutes * 60 + seconds) * SECOND
    clock = pl.when(hours.is_null()).then(clock * scale).otherwise(clock)
    parts = _parts(_ISO)
    hours, minutes, seconds = (part.fill_null(0) for part in parts)
    iso = (hours * 3600 + minutes * 60 + seconds) * SECOND
    iso = pl.when(pl.any_horizontal(part.is_not_null() for part in parts)).then(iso)
    with_unit = text.str.extract(_MINUTES, 1).cast(pl.Float64, strict=False) * MINUTE
    return pl.coalesce(number, clock, iso, with_unit).round(0).cast(pl.Int64, strict=False)


def _parts(pattern: str) -> list[pl.Expr]:
    """Hours, minutes and seconds that a pattern finds; null where it has none."""
    return [pl.col("v").str.extract(pattern, group).cast(pl.Float64, strict=False) for group in (1, 2, 3)]
