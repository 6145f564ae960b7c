"""Calls and visits are in the same time zone.

What it checks: the local hours that hold 9 of 10 calls, visit starts, and bookings. They differ if both ends are 3 hours or
more apart.

Why it matters: an export in UTC moves visits across midnight and out of the 24 hours after a call.

What to do: set the zone of the table or column in the policy: `[timezones]`.

Source: docs/specification.md#warnings.
"""

from collections.abc import Iterator, Sequence

from auditor.quality.issue import Check, Exports, Issue
from auditor.quality.profile import TableProfile

_HOURS_APART = 3


def judge(exports: Exports) -> Iterator[Issue]:
    """The visits, else their bookings, at other hours than the calls."""
    call_hours = hours(exports.profiles["calls"], "call_start")
    for column, subject in (("visit_start", "visits start"), ("booked_at", "bookings are made")):
        visit_hours = hours(exports.profiles["visits"], column)
        if not call_hours or not visit_hours or not differ(call_hours, visit_hours):
            continue
        key = "visits" if column == "visit_start" else f'"visits.{column}"'
        yield CHECK.warn(
            f"visits.{column}: most calls start between {clock(call_hours)}, most {subject} between {clock(visit_hours)}",
            f'if one of them is in another time zone, set it in the policy: [timezones] {key} = "UTC"',
            table="visits",
            column=column,
        )
        return  # the same offset usually moved the bookings too


def hours(profile: TableProfile, column: str) -> tuple[int, int] | None:
    """The local hours between which 9 of 10 times of a column lie, both included: the shortest such stretch of a day."""
    by_hour = profile.rows_by_hour.get(column, {})
    return busiest_hours([by_hour.get(hour, 0) for hour in range(24)])


def busiest_hours(counts: Sequence[int]) -> tuple[int, int] | None:
    """The shortest stretch of a day's hours, both included, that holds 9 of 10; None where there is nothing."""
    total = sum(counts)
    if not total:
        return None
    ranges = ((length, first) for length in range(24) for first in range(24)
                 if sum(counts[(first + hour) % 24] for hour in range(length + 1)) * 10 >= total * 9)  # fmt: skip
    length, first = next(ranges)
    return first, (first + length) % 24


def clock(hours: tuple[int, int]) -> str:
    """A stretch of hours in messages: `08:00 and 17:59`."""
    return f"{hours[0]:02}:00 and {hours[1]:02}:59"


def differ(left: tuple[int, int], right: tuple[int, int]) -> bool:
    """Whether both ends of two stretches of hours are far apart."""
    apart = (min((first - second) % 24, (second - first) % 24) for first, second in zip(left, right, strict=True))
    return min(apart) >= _HOURS_APART


CHECK = Check("Q08", __name__, __doc__, judge)
