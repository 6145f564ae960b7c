"""Dates with slashes can be read one way only.

What it checks: whether all dates with slashes of a table read both ways (3/4/2026 is March 4 or April 3), and whether
anything speaks for the day first: a much shorter span of dates, or the dates of the other tables.

Why it matters: a date that is read the wrong way moves a visit by months, so it is not found near the call.

What to do: say in the policy how dates are written: `instant_formats`.

Source: docs/specification.md#slashed-dates.
"""

from collections.abc import Collection, Iterator
from datetime import date

from auditor.quality.issue import Check, Exports, Issue, Stage
from auditor.quality.profile import Profiles

_REMEDY = 'say in the policy how they are written: instant_formats = ["%m/%d/%Y %H:%M", "%m/%d/%Y"], or with %d/%m'


def judge(exports: Exports) -> Iterator[Issue]:
    """Tables all of whose dates with slashes read both ways."""
    for table, profile in exports.profiles.items():
        if profile.slashes_decided or not profile.slashed_dates:
            continue
        why = _day_first(profile.slashed_dates, _other_days(table, exports.profiles))
        both_ways = f"{table}: all dates with slashes, such as 3/4/2026, read both ways"
        if why:
            yield CHECK.refuse(f"{both_ways}, and {why}", _REMEDY, table=table)
        else:
            yield CHECK.warn(f"{both_ways}, and were read month first", _REMEDY, table=table)


def _other_days(table: str, profiles: Profiles) -> list[date]:
    return [day for name, rows in profiles.items() if name != table for day in rows.rows_by_date]


def _day_first(dates: Collection[date], other_days: Collection[date]) -> str | None:
    """What speaks for day first; None where nothing does. `dates`: as read month first."""
    swapped = [day.replace(month=day.day, day=day.month) for day in dates]
    month_first, day_first = (max(dates) - min(dates)).days, (max(swapped) - min(swapped)).days
    if day_first * 2 < month_first:
        return f"day first they span {day_first:,} days, month first {month_first:,}"
    if other_days and _within(swapped, other_days) and not _within(dates, other_days):
        return "day first they lie in the other tables' dates, month first they do not"
    return None


def _within(dates: Collection[date], days: Collection[date]) -> bool:
    return min(days) <= min(dates) and max(dates) <= max(days)


CHECK = Check("Q06", __name__, __doc__, judge, Stage.READ)
