"""Which instants a column of dates and times states, in UTC, and what is wrong with those that have none.

Source: docs/specification.md#instants.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import polars as pl

from auditor.parsing import digit_dates
from auditor.parsing.time_zones import at_clock_change, in_zone
from auditor.parsing.written_times import Written, parse
from auditor.policy import Policy

MIDNIGHT_COLUMN = 20
"""A column of at least this many values, 99 of 100 of them midnight, holds dates, and perhaps a few times."""
_ANY_DATE = date(2, 1, 1), date(9998, 12, 31)
UNREADABLE = 1
"""The problem of a value in no known form; `time_zones` has those of local times."""


class ColumnDates(NamedTuple):
    """How a whole column states dates, over all files of its table.

    `date_only`: every midnight as written is a date; `in_zone`: every midnight in the policy's zone is one; `mixed`: some
    values have 8 or 12 digits or are zeros, but not all values are dates in digits, so that those are unreadable.
    """

    date_only: bool = False
    in_zone: bool = False
    mixed: bool = False


class DateCounts(NamedTuple):
    """Counts of a column's values; those of a table's parts add up.

    `midnights`: as written, values without a time included; `dates`: without a time; `instants`: with an offset or in UTC;
    `local_midnights`: as `midnights`, on the clock in the policy's zone; `doubtful` and `others`: as in
    `DigitCounts`.
    """

    midnights: int = 0
    values: int = 0
    dates: int = 0
    instants: int = 0
    local_midnights: int = 0
    doubtful: int = 0
    others: int = 0

    @property
    def kind(self) -> ColumnDates:
        """What the counts of a whole column say."""
        date_only = self._mostly(self.midnights)
        in_zone = not date_only and self.instants > 0 and self._mostly(self.local_midnights)
        return ColumnDates(date_only, in_zone, self.doubtful > 0 and self.others > 0)

    def _mostly(self, count: int) -> bool:
        return self.values >= MIDNIGHT_COLUMN and count * 100 >= self.values * 99


def added(counts: Iterable[DateCounts]) -> DateCounts:
    """The counts of a column, of those of its parts."""
    return DateCounts(*map(sum, zip(*counts, strict=True)))


def date_columns(counts: Mapping[str, DateCounts]) -> dict[str, ColumnDates]:
    """How columns state dates, if not as times in forms that say so by themselves; starts of calls stay times."""
    kinds = {name: found.kind for name, found in counts.items()}
    if "call_start" in kinds:
        kinds["call_start"] = ColumnDates(mixed=kinds["call_start"].mixed)
    return {name: kind for name, kind in kinds.items() if any(kind)}


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
    counts: DateCounts
    placeholder: pl.Series | None


def read(
    values: pl.Series,
    policy: Policy,
    *,
    days: bool = False,
    kind: ColumnDates | None = None,
    zone: str | None = None,
    any_date: bool = False,
    count: Callable[[pl.Series], int] = lambda mask: int(mask.sum()),
) -> Instants:
    """Read text (null: blank), dates or datetimes. Never raises on a value.

    `days`: a column of dates: every midnight is the date as written, and so is a time without an offset unless the column
    has a `zone` of its own; any other time is moved to the policy's zone. `kind`: what is known of the column; None: the
    values decide. `zone`: of values without an offset; None: the policy's. `any_date`: no date from the year 2 to 9998 is a
    placeholder. `count`: the rows of the values that a mask picks.
    """
    zone = zone or policy.timezone
    digits = digit_dates.count(values, count)
    in_digits = digits.doubtful > 0 and not digits.others and not (kind and kind.mixed)
    written = parse(values, policy, in_digits=in_digits)
    bounds = _ANY_DATE if any_date else policy.placeholder_dates
    placeholder = written.placeholders(*bounds, clock_zero=not any_date)
    if in_digits and (zeros := values.str.contains(digit_dates.ZEROS).fill_null(False)).any():
        placeholder = zeros if placeholder is None else placeholder | zeros
    if placeholder is not None:
        written, values = written.without(placeholder), values.set(placeholder, None)
    counts = DateCounts(doubtful=digits.doubtful, others=digits.others)
    if days:
        written = written.as_days(moved=zone != policy.timezone)
    else:
        counts, written = _with_dates(written, policy, zone, kind, counts, count)
    return _localized(values, written, policy, zone, counts, placeholder)


def _with_dates(
    written: Written,
    policy: Policy,
    zone: str,
    kind: ColumnDates | None,
    counts: DateCounts,
    count: Callable[[pl.Series], int],
) -> tuple[DateCounts, Written]:
    """The counts of midnights, and the values with the midnights of a column of dates marked as dates."""
    midnight, local = written.at_midnight(), written
    zoned = 0 if written.utc is None else count(written.utc.is_not_null())
    if zoned or zone != policy.timezone:
        local = written.on_clock(policy.timezone, zone)
    counts = counts._replace(
        midnights=count(midnight),
        values=count(written.wall.is_not_null()),
        dates=0 if written.date_only is None else count(written.date_only),
        instants=zoned,
        local_midnights=count(midnight if local is written else local.at_midnight()),
    )
    kind = kind or counts.kind
    if kind.date_only or kind.in_zone:
        there = written if kind.date_only else local
        dates = there.at_midnight()
        written = written._replace(wall=there.wall.zip_with(dates, written.wall), date_only=dates)
    return counts, written


def _localized(
    values: pl.Series, written: Written, policy: Policy, zone: str, counts: DateCounts, placeholder: pl.Series | None
) -> Instants:
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
    dates = no_dates if date_only is None else date_only
    return Instants(instants, dates, problem, has_local, local_times, counts, placeholder)
