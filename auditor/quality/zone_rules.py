"""The time zone rules of the audit are current.

What it checks: whether polars, which the audit computes local times with, and the package tzdata have the same rules for the
zones of the run, at each hour of the dates in the exports.

Why it matters: a government may change a zone's rules in a few weeks, and polars has its rules compiled in. A call near
midnight then has the wrong local date, and windows begin or end an hour too early or too late.

What to do: upgrade polars; until then, name a zone with a fixed offset, such as `Etc/GMT+7`.

Source: docs/specification.md#instants.
"""

from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import NamedTuple

import polars as pl
import tzdata  # type: ignore[import-untyped]

from auditor.quality.issue import Check, Exports, Issue
from auditor.zones import zone

VERSIONS = {"computed": f"polars {pl.__version__}", "tzdata": tzdata.IANA_VERSION}
"""The library whose rules the audit computes with, and the IANA version of the package."""


class Difference(NamedTuple):
    """The first and the last hour at which two sets of rules differ, and the offsets from UTC at the first."""

    first: datetime
    last: datetime
    computed: timedelta
    tzdata: timedelta


def judge(exports: Exports) -> Iterator[Issue]:
    """One issue for each zone of the policy whose rules differ."""
    dates = {day for profile in exports.profiles.values() for day in profile.rows_by_date}
    for name in sorted({exports.policy.timezone, *exports.policy.timezones.values()}):
        if found := difference(name, dates):
            yield CHECK.warn(
                f"the rules of {name} in {VERSIONS['computed']} differ from those of tzdata {VERSIONS['tzdata']} on dates "
                f"of the exports: from {found.first:%Y-%m-%d %H:%M} to {found.last:%Y-%m-%d %H:%M} UTC, where the audit "
                f"computes with UTC{_signed(found.computed)} and tzdata has UTC{_signed(found.tzdata)}",
                "upgrade polars, or set a zone with a fixed offset in the policy, such as Etc/GMT+7",
            )


def difference(name: str, dates: Collection[date]) -> Difference | None:
    """Compare polars' rules of a zone with the package's, at each hour of the dates; None if they agree."""
    found = list(_different_hours(name, dates))
    return Difference(found[0][0], found[-1][0], *found[0][1:]) if found else None


def _different_hours(name: str, dates: Collection[date]) -> Iterator[tuple[datetime, timedelta, timedelta]]:
    expected = {at: offset for day in sorted(dates) for at, offset in _offsets(name, day)}
    hours = pl.Series(list(expected), dtype=pl.Datetime("us", "UTC")).dt.convert_time_zone(name)
    for (at, offset), computed in zip(
        expected.items(), hours.dt.base_utc_offset() + hours.dt.dst_offset(), strict=True
    ):
        if offset != computed:
            yield at, computed, offset


@cache
def _offsets(name: str, day: date) -> tuple[tuple[datetime, timedelta], ...]:
    """What tzdata has at each hour of a day in UTC, the first of the next included."""
    first, rules = datetime.combine(day, time(tzinfo=UTC)), zone(name)
    hours = (first + timedelta(hours=hour) for hour in range(25))
    return tuple((at, at.astimezone(rules).utcoffset() or timedelta()) for at in hours)


def _signed(offset: timedelta) -> str:
    """An offset from UTC as `-07:00`."""
    minutes = round(offset.total_seconds() / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


CHECK = Check("Q19", __name__, __doc__, judge)
