"""Days that an export lacks. docs/specification.md."""

from __future__ import annotations

from datetime import date, timedelta
from fractions import Fraction

DAY = timedelta(days=1)


def dates(first: date, last: date) -> list[date]:
    return [first + number * DAY for number in range((last - first).days + 1)]


def weekday_mean(
    weekday: int, rows: dict[date, int], first: date, last: date, run: list[date], closed: frozenset[date]
) -> Fraction:
    """The mean rows of a weekday from the first date to the last, without the run and the closed dates."""
    counted = [
        rows.get(day, 0)
        for day in dates(first, last)
        if day.weekday() == weekday and day not in run and day not in closed
    ]
    return Fraction(sum(counted), len(counted)) if counted else Fraction(0)


def runs_without_rows(rows: dict[date, int], first: date, last: date) -> list[list[date]]:
    """Consecutive dates without a row, from the first covered date to the last."""
    runs: list[list[date]] = [[]]
    for day in dates(first, last):
        if day in rows:
            runs.append([])
        else:
            runs[-1].append(day)
    return [run for run in runs if run]


def find_holes(
    rows: dict[date, int],
    others: dict[date, int],
    covered_from: date | None,
    covered_to: date | None,
    closed: frozenset[date],
) -> list[tuple[date, date]]:
    """First and last date of every hole of `rows`, judged by `others`. `covered_to`: of visits D(as_of), else None."""
    if not rows:
        return []
    # CHOICE: where as_of is unknown, visits are covered to their last date; every window is open anyway.
    first, last = covered_from or min(rows), covered_to or max(rows)
    own = {day: count for day, count in rows.items() if day <= last}
    if not own:
        return []
    found = []
    for run in runs_without_rows(rows, first, last):
        means = [weekday_mean(weekday, own, min(own), last, run, closed) for weekday in range(7)]
        expected = [day for day in run if day not in closed and means[day.weekday()] > 0]
        if len(expected) < 3 or sum(means[day.weekday()] for day in expected) < 20:
            continue
        if others_go_on(others, run, expected, closed):
            found.append((expected[0], expected[-1]))
    return found


def others_go_on(others: dict[date, int], run: list[date], expected: list[date], closed: frozenset[date]) -> bool:
    """Does the other export come at half its own weekday means or more on the expected dates? Yes where none judges."""
    came, usual = 0, Fraction(0)
    for day in expected:
        inside = bool(others) and min(others) <= day <= max(others)
        if inside and any(other.weekday() == day.weekday() for other in others):
            came += others.get(day, 0)
            usual += weekday_mean(day.weekday(), others, min(others), max(others), run, closed)
    return came >= usual / 2
