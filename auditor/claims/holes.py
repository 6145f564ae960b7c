"""Stretches of days that an export lacks although the practice was open. Source: SPEC.md section 1."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

Days = Mapping[date, int]
"""Rows by local date."""
Stretch = tuple[date, date]
"""First and last date, both inside."""

_FEWEST_DATES, _FEWEST_ROWS = 3, 20
_DAY = timedelta(days=1)


def holes(rows: Days, others: Days, covered: tuple[date | None, date | None], closed: frozenset[date]) -> list[Stretch]:
    """The stretches without rows in which as many as usual were to be expected, as the other export goes on.

    They lie between the table's own first and last date: what is said to be covered before is taken at its word. `rows` and
    `others`: a table's rows and those of the table that judges it; `covered`: first and last date to look at.
    """
    if not rows or not others:
        return []
    first, last = covered[0] or min(rows), covered[1] or max(rows)
    here, there = _Usual.of(rows, last, closed), _Usual.of(others, max(others), closed)
    return [
        stretch
        for start, end in _gaps(sorted(day for day in rows if first <= day <= last))
        if (stretch := here.expected(start, end)) and _is_hole(here, there, stretch)
    ]


def _gaps(days: list[date]) -> Iterator[Stretch]:
    for before, after in pairwise(days):
        if after - before > _FEWEST_DATES * _DAY:
            yield before + _DAY, after - _DAY


def _is_hole(here: "_Usual", there: "_Usual", run: Stretch) -> bool:
    usual, theirs = here.means(run), there.means(run)
    counts = {weekday: here.open_dates(run, weekday) for weekday in range(7) if usual[weekday]}
    if sum(counts.values()) < _FEWEST_DATES:
        return False
    expected = sum(count * usual[weekday] for weekday, count in counts.items())
    wanted = sum(count * theirs[weekday] for weekday, count in counts.items())
    came = sum(number for day, number in there.rows.items()
               if run[0] <= day <= run[1] and day.weekday() in counts and day not in here.closed)  # fmt: skip
    return expected >= _FEWEST_ROWS and came > 0 and came * 2 >= wanted


@dataclass(frozen=True)
class _Usual:
    """Rows by date from the first date to the last, and what is usual on a weekday."""

    rows: Days
    first: date
    last: date
    closed: frozenset[date]

    @classmethod
    def of(cls, rows: Days, last: date, closed: frozenset[date]) -> "_Usual":
        """Up to the last date."""
        some = {day: count for day, count in rows.items() if day <= last}
        return cls(some, min(some, default=last), last, closed)

    def open_dates(self, stretch: Stretch, weekday: int) -> int:
        """How many dates of a weekday there are in a stretch, without the closed ones."""
        start, end = stretch
        days = (end - start).days + 1
        whole = days // 7 + ((weekday - start.weekday()) % 7 < days % 7)
        return max(0, whole) - sum(start <= day <= end and day.weekday() == weekday for day in self.closed)

    def means(self, run: Stretch) -> list[float]:
        """The mean rows of each weekday, without the dates of the run and the closed ones."""
        inside = max(run[0], self.first), min(run[1], self.last)
        totals = [0] * 7
        for day, count in self.rows.items():
            if day not in self.closed and not run[0] <= day <= run[1]:
                totals[day.weekday()] += count
        dates = [
            self.open_dates((self.first, self.last), weekday)
            - (self.open_dates(inside, weekday) if inside[0] <= inside[1] else 0)
            for weekday in range(7)
        ]
        return [total / count if count else 0.0 for total, count in zip(totals, dates, strict=True)]

    def expected(self, start: date, end: date) -> Stretch | None:
        """The run without the dates at its ends on which nothing is expected; None where that leaves none."""
        usual = self.means((start, end))
        if not any(usual):
            return None
        while start <= end and (start in self.closed or not usual[start.weekday()]):
            start += _DAY
        while start <= end and (end in self.closed or not usual[end.weekday()]):
            end -= _DAY
        return (start, end) if start <= end else None
