"""Which instant a local time is, and what a DST change does to it. Source: docs/specification.md#instants."""

from functools import cache
from typing import Literal

import polars as pl

from auditor.parsing.microseconds import HOUR
from auditor.policy import Policy

SKIPPED, REPEATED = 2, 3
"""Problems of a local time that a DST change skips or repeats."""
_HOURS_A_YEAR = 24 * 366
"""About: offsets are looked up for blocks of so many hours."""


def in_zone(wall: pl.Series, zone: str) -> pl.Series:
    """Move local times (Datetime without a zone) to UTC; null where a DST change skips or repeats them.

    Offsets change on the hour in most zones. Many times then need one look-up for each hour in their range.
    """
    if zone == "UTC":
        return wall.dt.replace_time_zone("UTC")
    hours = (wall.to_physical() // HOUR).alias("hour")
    low, high = hours.to_frame().select(pl.min("hour"), high=pl.max("hour")).row(0)
    if low is not None and high - low < len(wall):
        first, last = low // _HOURS_A_YEAR, high // _HOURS_A_YEAR
        if (offsets := _offsets(zone, first, last)) is not None:
            return (wall.to_physical() - offsets.gather(hours - first * _HOURS_A_YEAR)).cast(pl.Datetime("us", "UTC"))
    return _slowly_in_zone(wall, zone)


@cache
def _offsets(zone: str, first: int, last: int) -> pl.Series | None:
    """The zone's offset in each hour of these years, in microseconds; None if it changes within an hour."""
    begin = pl.int_range(first * _HOURS_A_YEAR * HOUR, (last + 1) * _HOURS_A_YEAR * HOUR, HOUR, eager=True)
    offset = _offset(begin, zone)
    return offset if offset.eq_missing(_offset(begin + (HOUR - 1), zone)).all() else None


def _slowly_in_zone(wall: pl.Series, zone: str) -> pl.Series:
    local = wall.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
    return local.dt.convert_time_zone("UTC")


def _offset(wall: pl.Series, zone: str) -> pl.Series:
    """The zone's offset at these local times, all in microseconds."""
    return wall - _slowly_in_zone(wall.cast(pl.Datetime("us")), zone).to_physical()


def first_instant(local: pl.Expr, zone: str) -> pl.Expr:
    """The first instant of a local date or time, in UTC; of one that a DST change skips, by the offset before the change."""
    wall, apart = local.cast(pl.Datetime("us")), pl.duration(hours=6)
    return pl.coalesce(_at(wall, "earliest", zone), _at(wall - apart, "earliest", zone) + apart)


def last_instant(day: pl.Expr, zone: str) -> pl.Expr:
    """The last microsecond of a local date, in UTC."""
    return first_instant(day.dt.offset_by("1d"), zone) - pl.duration(microseconds=1)


def upto(zone: str, at: str = "visit_start") -> pl.Expr:
    """The instant itself, or the last microsecond of its local day where only the date is known."""
    last = last_instant(pl.col(at).dt.convert_time_zone(zone).dt.date(), zone)
    return pl.when(pl.col(f"{at}_date_only")).then(last).otherwise(pl.col(at)).alias("at")


def _at(wall: pl.Expr, ambiguous: Literal["earliest", "latest"], zone: str) -> pl.Expr:
    local = wall.dt.replace_time_zone(zone, ambiguous=ambiguous, non_existent="null")
    return local.dt.convert_time_zone("UTC")


def at_clock_change(frame: pl.DataFrame, policy: Policy, zone: str) -> pl.DataFrame:
    """Settle local times that a DST change skips or repeats: `dst` of the policy decides, and a date is its first instant.

    `frame`: `wall` and `date_only`. Result: `utc` (null where rejected) and `problem`. With `dst = "first"` a time is read
    in the offset before the change, with `"second"` in the one after it.
    """
    wall, apart = pl.col("wall"), pl.duration(hours=6)
    first = first_instant(wall, zone)
    second = pl.coalesce(_at(wall, "latest", zone), _at(wall + apart, "latest", zone) - apart)
    chosen = {"first": first, "second": second, "reject": pl.lit(None, pl.Datetime("us", "UTC"))}[policy.dst]
    skipped = _at(wall, "earliest", zone).is_null()
    frame = frame.select(
        utc=pl.when("date_only").then(first_instant(wall, policy.timezone)).otherwise(chosen), skipped=skipped
    )
    problem = pl.when(pl.col("utc").is_not_null()).then(0).when("skipped").then(SKIPPED).otherwise(REPEATED)
    return frame.select("utc", problem=problem.cast(pl.UInt8))
