"""Days that an export lacks. SPEC.md section 1."""

from __future__ import annotations

from datetime import date, timedelta

DAY = timedelta(days=1)


def dates(first: date, last: date) -> list[date]:
    return [first + number * DAY for number in range((last - first).days + 1)]


def weekday_means(
    rows: dict[date, int], first: date, last: date, run: list[date], closed: frozenset[date]
) -> dict[int, float]:
    """The mean rows of each weekday from the first date to the last, without the run and the closed dates."""
    means = {}
    for weekday in range(7):
        counted = [
            rows.get(day, 0)
            for day in dates(first, last)
            if day.weekday() == weekday and day not in run and day not in closed
        ]
        means[weekday] = sum(counted) / len(counted) if counted else 0
    return means


def find_holes(
    rows: dict[date, int],
    others: dict[date, int],
    covered_from: date | None,
    covered_to: date | None,
    closed: frozenset[date],
) -> list[tuple[date, date]]:
    """First and last date of every hole of `rows`, judged by `others`."""
    if not rows or not others:
        return []
    # CHOICE: between the export's own first and last date; a coverage that is said to begin before is taken at its word.
    start, end = covered_from or min(rows), covered_to or max(rows)
    if not any(start <= day <= end for day in rows):
        return []
    start = min(day for day in rows if day >= start)
    inside = {day: count for day, count in rows.items() if day <= end}
    if not inside:
        return []
    found = []
    run: list[date] = []
    for day in [*dates(start, end), None]:
        if day is not None and day not in rows:
            run.append(day)
            continue
        # CHOICE: a run that lasts to the end of what is covered is not one: nothing after it says that rows would come.
        if run and day is not None:
            usual = weekday_means(inside, min(inside), end, run, closed)
            theirs = weekday_means(others, min(others), max(others), run, closed)
            expected = [one for one in run if one not in closed and usual[one.weekday()]]
            enough = len(expected) >= 3 and sum(usual[one.weekday()] for one in expected) >= 20
            came = sum(others.get(one, 0) for one in expected)
            if enough and came > 0 and came * 2 >= sum(theirs[one.weekday()] for one in expected):
                found.append((expected[0], expected[-1]))
        run = []
    return found
