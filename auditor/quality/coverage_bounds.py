"""The first and last dates of the exports, from which the coverage follows. Bounds of parts of a table add up.

Source: docs/specification.md#coverage.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time

import polars as pl

from auditor import zones
from auditor.parsing.time_zones import upto
from auditor.policy import Policy

_NO_DAYS = pl.DataFrame(schema={"date": pl.Date, "at": pl.Datetime("us", "UTC")})


@dataclass(frozen=True)
class CoverageBounds:
    """The first and last dates that bound the coverage, of any number of rows: two days of each kind.

    `completed`, `calls` and `passed` have the last two `date`s, and the latest instant `at` of each: of completed visits,
    of the ends of calls, and of visits that are not after the last of these. `visits` are the first two dates and the
    last, `lines` the first two.
    """

    completed: pl.DataFrame
    calls: pl.DataFrame
    passed: pl.DataFrame
    visits: pl.Series
    lines: pl.Series

    @property
    def latest_end(self) -> datetime | None:
        """The latest end of a call."""
        latest: datetime | None = self.calls["at"].max()  # type: ignore[assignment]
        return latest


NO_BOUNDS = CoverageBounds(_NO_DAYS, _NO_DAYS, _NO_DAYS, pl.Series(dtype=pl.Date), pl.Series(dtype=pl.Date))
"""Of no rows."""


def coverage_bounds(
    table: str, rows: pl.DataFrame, policy: Policy, *, bills: bool, until: datetime | None = None
) -> CoverageBounds:
    """What rows of a table say of the coverage. Calls carry their `end`; `bills`: the table holds the lines.

    `until`: the latest end of a call, where visits are asked.
    """
    completed, ends, passed = _NO_DAYS, _NO_DAYS, _NO_DAYS
    visits, lines = pl.Series(dtype=pl.Date), pl.Series(dtype=pl.Date)
    if table == "visits":
        last = pl.lit(until, pl.Datetime("us", "UTC"))
        dated = rows.select("status", "visit_start", "visit_start_date_only", date="visit_start_date")
        completed, passed = (
            _last_days(dated, condition, upto(policy.timezone))
            for condition in (pl.col("status") == "completed", pl.col("visit_start") <= last)
        )
        visits = _outer_days([rows["visit_start_date"]])
    elif table == "calls":
        ends = _last_instants(rows.select(at=pl.coalesce("end", "call_start"))["at"], policy.timezone)
    if bills:
        lines = _outer_days([rows["service_date" if table == "claims" else "call_start_date"]])
    return CoverageBounds(completed, ends, passed, visits, lines)


def merge(parts: Sequence[CoverageBounds]) -> CoverageBounds:
    """Merge the bounds of parts of a table."""
    if not parts:
        return NO_BOUNDS

    completed, calls, passed = (
        _last_days(pl.concat(frames), pl.lit(True), pl.col("at"))
        for frames in zip(*((part.completed, part.calls, part.passed) for part in parts), strict=True)
    )
    visits, lines = (_outer_days(dates) for dates in zip(*((part.visits, part.lines) for part in parts), strict=True))
    return CoverageBounds(completed, calls, passed, visits, lines)


def _outer_days(dates: Sequence[pl.Series]) -> pl.Series:
    """The first two different dates and the last."""
    day = pl.col("date")
    bounds = pl.concat(dates).alias("date").to_frame()
    bounds = bounds.select(day.min(), second=day.filter(day > day.min()).min(), last=day.max())
    return pl.Series(bounds.row(0), dtype=pl.Date).drop_nulls().unique(maintain_order=True)


def _last_instants(at: pl.Series, zone: str) -> pl.DataFrame:
    """The last instant of all, and the last one before its local date begins."""
    last: datetime | None = at.max()  # type: ignore[assignment]
    if last is None:
        return _NO_DAYS
    begin = datetime.combine(last.astimezone(zones.zone(zone)), time(), zones.zone(zone)).astimezone(UTC)
    two = pl.Series([last, at.filter(at < begin).max()], dtype=at.dtype).drop_nulls()
    return pl.DataFrame({"date": two.dt.convert_time_zone(zone).dt.date(), "at": two})


def _last_days(frame: pl.DataFrame, condition: pl.Expr, at: pl.Expr) -> pl.DataFrame:
    """The last two different dates of the rows that meet a condition, and the latest instant `at` of each."""
    days = pl.when(condition).then("date")
    last, before = frame.select(days.max(), before=days.filter(days < days.max()).max()).row(0)
    if last is None:
        return _NO_DAYS
    found = frame.lazy().filter(condition, pl.col("date") >= (before or last))
    return found.group_by("date").agg(at.max().alias("at")).collect()
