"""Dates with slashes have one meaning.

What it checks: whether all dates with slashes of a table have two meanings (3/4/2026 is March 4 or April 3), and whether
anything indicates that the day comes first: a much shorter span of dates, or the dates of the other tables.

Why it matters: a date that is read the wrong way moves a visit by months, so it is not found near the call.

What to do: set the format of the dates in the policy: `instant_formats`.

Source: docs/specification.md#slashed-dates.
"""

from collections.abc import Collection, Iterator
from datetime import date

from auditor.quality.issue import Check, Exports, Issue, Stage
from auditor.quality.profile import Profiles

_REMEDY = 'set the format in the policy: instant_formats = ["%m/%d/%Y %H:%M", "%m/%d/%Y"], or with %d/%m'


def judge(exports: Exports) -> Iterator[Issue]:
    """Tables all of whose dates with slashes have two meanings."""
    for table, profile in exports.profiles.items():
        if profile.slashes_decided or not profile.slashed_dates:
            continue
        why = _day_first(profile.slashed_dates, _other_days(table, exports.profiles))
        both_ways = f"{table}: every date with slashes can be read month first or day first, as 3/4/2026 can"
        if why:
            yield CHECK.refuse(f"{both_ways}; {why}", _REMEDY, table=table)
        else:
            yield CHECK.warn(f"{both_ways}; the audit reads them month first", _REMEDY, table=table)


def _other_days(table: str, profiles: Profiles) -> list[date]:
    return [day for name, rows in profiles.items() if name != table for day in rows.rows_by_date]


def _day_first(dates: Collection[date], other_days: Collection[date]) -> str | None:
    """What indicates day first, or None. `dates`: as read month first."""
    swapped = [day.replace(month=day.day, day=day.month) for day in dates]
    month_first, day_first = (max(dates) - min(dates)).days, (max(swapped) - min(swapped)).days
    if day_first * 2 < month_first:
        return f"they span {day_first:,} days if read day first and {month_first:,} if read month first"
    if other_days and _within(swapped, other_days) and not _within(dates, other_days):
        return "only if read day first are they within the dates of the other tables"
    return None


def _within(dates: Collection[date], days: Collection[date]) -> bool:
    return min(days) <= min(dates) and max(dates) <= max(days)


CHECK = Check("Q06", __name__, __doc__, judge, Stage.READ)
