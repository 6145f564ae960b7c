"""No export lacks days on which the practice was open.

What it checks: runs of days without a row, of visits or of billed lines, on which as many rows as on other days of the
same weekday are expected, unless the other export also has few rows on these days.

Why it matters: the audit cannot find a visit that is not in the export, so a claim of these days looks clean. With
`coverage.holes = "unknown"`, the rules that need these days are unknown.

What to do: export the days again. If the practice was closed, list them in the policy: `[coverage] closed`.

Source: docs/specification.md#date-gaps.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import pairwise

from auditor.quality.issue import Check, Exports, Issue

Days = Mapping[date, int]
"""Rows by local date."""
DateRange = tuple[date, date]
"""First and last date, both inside."""

_FEWEST_DATES, _FEWEST_ROWS = 3, 20


def date_gaps(
    rows: Days, other_rows: Days, covered: tuple[date | None, date | None], closed: frozenset[date]
) -> list[DateRange]:
    """The stretches without rows in which as many as usual were expected, unless the other export is quiet there too.

    `rows` and `other_rows`: a table's rows and those of the table that judges it. `covered`: the first and last date of the
    coverage, by default the table's own; a hole may begin or end there. Rows after the last date count for nothing.
    """
    if not rows:
        return []
    first, last = covered[0] or min(rows), covered[1] or max(rows)
    own = _WeekdayBaseline.of({day: count for day, count in rows.items() if day <= last}, last, closed)
    other = _WeekdayBaseline.of(other_rows, max(other_rows, default=last), closed)
    return [hole for run in _runs(rows, first, last) if (hole := _hole(own, other, run))]


def _runs(rows: Days, first: date, last: date) -> Iterator[DateRange]:
    """Stretches of enough dates without rows, from the first covered date to the last."""
    some = sorted(day.toordinal() for day in rows if first <= day <= last)
    for before, after in pairwise([first.toordinal() - 1, *some, last.toordinal() + 1]):
        if after - before > _FEWEST_DATES:
            yield date.fromordinal(before + 1), date.fromordinal(after - 1)


def _hole(here: "_WeekdayBaseline", there: "_WeekdayBaseline", run: DateRange) -> DateRange | None:
    """The run without the dates at its ends that expect nothing; None where it is no hole."""
    usual, theirs = here.means(run), there.means(run)
    dates = [day for day in _open_dates(run, here.closed) if usual[day.weekday()]]
    if len(dates) < _FEWEST_DATES or sum(usual[day.weekday()] for day in dates) < _FEWEST_ROWS:
        return None
    judging = [day for day in dates if there.first <= day <= there.last and day.weekday() in there.weekdays]
    came = sum(there.rows.get(day, 0) for day in judging)
    if came * 2 < sum(theirs[day.weekday()] for day in judging):
        return None
    return dates[0], dates[-1]


def _open_dates(stretch: DateRange, closed: frozenset[date]) -> Iterator[date]:
    for number in range(stretch[0].toordinal(), stretch[1].toordinal() + 1):
        if (day := date.fromordinal(number)) not in closed:
            yield day


@dataclass(frozen=True)
class _WeekdayBaseline:
    """Rows by date from the first date to the last, and by weekday the rows (`totals`) on how many open `dates`."""

    rows: Days
    first: date
    last: date
    closed: frozenset[date]
    weekdays: frozenset[int]
    totals: tuple[int, ...]
    dates: tuple[int, ...]

    @classmethod
    def of(cls, rows: Days, last: date, closed: frozenset[date]) -> "_WeekdayBaseline":
        first = min(rows, default=last)
        totals, dates = _by_weekday(rows, (first, last), closed)
        return cls(rows, first, last, closed, frozenset(day.weekday() for day in rows), tuple(totals), tuple(dates))

    def means(self, gap: DateRange) -> list[Fraction]:
        """The mean rows of each weekday, without the dates of the run and the closed ones."""
        inside = max(gap[0], self.first), min(gap[1], self.last)
        totals, dates = _by_weekday(self.rows, inside, self.closed)
        return [
            Fraction(rows - gone, count - without) if count > without else Fraction(0)
            for rows, gone, count, without in zip(self.totals, totals, self.dates, dates, strict=True)
        ]


def _by_weekday(rows: Days, stretch: DateRange, closed: frozenset[date]) -> tuple[list[int], list[int]]:
    """Rows and dates of each weekday in a stretch, without the closed dates."""
    totals, dates = [0] * 7, [0] * 7
    for day in _open_dates(stretch, closed):
        totals[day.weekday()] += rows.get(day, 0)
        dates[day.weekday()] += 1
    return totals, dates


def judge(exports: Exports) -> Iterator[Issue]:
    """Each gap of the visits, then of the lines."""
    if (coverage := exports.coverage) is None:
        return
    unknown = exports.policy.coverage.holes == "unknown"
    meant = "rules that need these days are unknown" if unknown else "the rules ignore this gap"
    lines = "claims" if "claims" in exports.profiles else "calls"
    for table, gaps in (("visits", coverage.visit_gaps), (lines, coverage.line_gaps)):
        for first, final in gaps:
            message = (
                f"{table}: the export has no rows from {first} to {final}, although other weeks have rows; {meant}"
            )
            remedy = (
                f'export them; if the practice was closed, set in the policy: [coverage] closed = ["{first}/{final}"]'
            )
            affects = ("the rules that need these days",) if unknown else ()
            yield CHECK.undecidable(message, remedy, affects, table=table)


CHECK = Check("Q10", __name__, __doc__, judge)
