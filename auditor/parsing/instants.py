"""Which instants a column of dates and times states, in UTC, and what is wrong with those that have none.

Source: docs/specification.md#instants.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import polars as pl

from auditor.parsing.microseconds import DAY
from auditor.parsing.time_zones import at_clock_change, in_zone
from auditor.parsing.written_times import Written, parse
from auditor.policy import Policy

MIDNIGHT_COLUMN = 20
"""A column of at least this many values, 99 of 100 midnight as written, holds dates, and perhaps a few times."""
UNREADABLE = 1
"""The problem of a value in no known form; `time_zones` has those of local times."""


class MidnightCounts(NamedTuple):
    """Counts of a column: values that are midnight as written or have no time, all values, and values without a time.

    The counts of a table's parts add up.
    """

    midnights: int
    values: int
    dates: int

    @property
    def date_only(self) -> bool:
        """Whether the column holds dates, so that every midnight in it is a date."""
        return self.values >= MIDNIGHT_COLUMN and self.midnights * 100 >= self.values * 99


@dataclass(frozen=True)
class Instants:
    """Series of one length, and counts of the values.

    `utc`: Datetime in UTC, null where blank or wrong; `placeholder`: which values are placeholder dates, which are blank
    (None: none); `date_only`: Boolean; `problem`: 0, UNREADABLE, SKIPPED or REPEATED;
    `local`: the same instants as times on the clock in the policy's zone. `has_local`: some value carries no offset.
    """

    utc: pl.Series
    date_only: pl.Series
    problem: pl.Series
    has_local: bool
    local: pl.Series
    midnights: MidnightCounts
    placeholder: pl.Series | None


def read(
    values: pl.Series,
    policy: Policy,
    *,
    days: bool = False,
    date_only: bool | None = None,
    zone: str | None = None,
    count: Callable[[pl.Series], int] = lambda mask: int(mask.sum()),
) -> Instants:
    """Read text (null: blank), dates or datetimes. Never raises on a value.

    `days`: a column of dates: every midnight is the date as written, and so is a time without an offset unless the column
    has a `zone` of its own; any other time is moved to the policy's zone. `date_only`: whether the column holds dates; None:
    the values decide. `zone`: of values without an offset; None: the policy's. `count`: the rows of the values that a mask
    picks.
    """
    zone = zone or policy.timezone
    written = parse(values, policy)
    if (placeholder := written.placeholders(*policy.placeholder_dates)) is not None:
        written, values = written.without(placeholder), values.set(placeholder, None)
    if days:
        written = written.as_days(moved=zone != policy.timezone)
    timed = written.wall.to_physical() % DAY != 0
    if written.date_only is not None:
        timed = timed & ~written.date_only
    there = count(written.wall.is_not_null())
    dates = count(written.date_only) if written.date_only is not None else 0
    midnights = MidnightCounts(there - (count(timed.fill_null(False)) if timed.any() else 0), there, dates)
    if midnights.date_only if date_only is None else date_only:
        written = written._replace(date_only=(~timed).fill_null(False))
    return replace(_localized(values, written, policy, zone, midnights), placeholder=placeholder)


def _localized(values: pl.Series, written: Written, policy: Policy, zone: str, midnights: MidnightCounts) -> Instants:
    """Move times without an offset from the zone to UTC; a date is the first instant of its day in the policy's zone."""
    wall, utc, date_only = written
    no_dates = pl.repeat(False, len(values), dtype=pl.Boolean, eager=True)
    if date_only is not None:
        wall = wall.dt.truncate("1d").zip_with(date_only, wall)
    instants, is_local_as_written = in_zone(wall, zone), utc is None and zone == policy.timezone
    if zone != policy.timezone and date_only is not None:
        instants = in_zone(wall, policy.timezone).zip_with(date_only, instants)
    has_local = wall.null_count() < len(wall)
    if utc is not None:
        local = utc.is_null() if date_only is None else date_only | utc.is_null()
        has_local = bool((local & wall.is_not_null()).any())
        instants = instants.zip_with(local, utc)
    problem = pl.repeat(0, len(values), dtype=pl.UInt8, eager=True)
    if wall.null_count() > values.null_count():
        problem = (wall.is_null() & values.is_not_null()).cast(pl.UInt8) * UNREADABLE
    if instants.null_count() > wall.null_count():
        odd = (instants.is_null() & wall.is_not_null()).arg_true()
        frame = pl.DataFrame({"wall": wall, "date_only": no_dates if date_only is None else date_only})[odd]
        settled = at_clock_change(frame, policy, zone)
        instants, problem = instants.scatter(odd, settled["utc"]), problem.scatter(odd, settled["problem"])
        is_local_as_written = False
    local_times = wall if is_local_as_written else instants.dt.convert_time_zone(policy.timezone)
    return Instants(
        instants, no_dates if date_only is None else date_only, problem, has_local, local_times, midnights, None
    )
