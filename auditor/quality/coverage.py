"""No isolated date extends the coverage.

What it checks: whether the first or last date that a coverage value is based on is more than 31 days from the next
date, and whether `--as-of` is after the day of the last visit. Coverage is never taken from the clock.

Why it matters: one date with a typing error makes the exports look complete for months that they do not contain, and a claim
without a visit in such a month looks clean.

What to do: correct the date in the export, or give the value with `--as-of`, `--visits-since`, or `--claims-since`.

Source: docs/specification.md#coverage.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

import polars as pl

from auditor.parsing.option_dates import OptionDates
from auditor.parsing.time_zones import last_instant
from auditor.policy import Policy
from auditor.quality import coverage_bounds
from auditor.quality.coverage_bounds import CoverageBounds
from auditor.quality.date_gaps import DateRange, date_gaps
from auditor.quality.issue import Check, Exports, Issue
from auditor.quality.profile import Profiles
from auditor.zones import zone

ISOLATED_DAYS = 31
"""A default further than this from the next date is isolated, and warned about."""


@dataclass(frozen=True)
class Coverage:
    """`as_of` in UTC, and the first local dates that visits and lines cover; None where nothing tells.

    `visit_gaps` and `line_gaps`: stretches of days that the exports lack, whatever the policy makes of them.
    """

    as_of: datetime | None
    visits_since: date | None
    claims_since: date | None
    visit_gaps: tuple[DateRange, ...] = ()
    line_gaps: tuple[DateRange, ...] = ()


def cover(profiles: Profiles, dates: OptionDates, policy: Policy) -> Coverage:
    """Work out the coverage from the options' dates, else from the tables."""
    bounds = _bounds(profiles)
    days = {name: profile.rows_by_date for name, profile in profiles.items()}
    upto = _within(bounds, dates.as_of, policy) if dates.as_of else _default_as_of(bounds)
    since = dates.visits_since or _earliest(bounds.visits)
    lines_since = dates.claims_since or _earliest(bounds.lines)
    last = upto.astimezone(zone(policy.timezone)).date() if upto else None
    lines, visits = "claims" if "claims" in days else "calls", days.get("visits", {})
    closed = policy.coverage.closed_dates
    return Coverage(
        upto,
        since,
        lines_since,
        tuple(date_gaps(visits, days.get("calls") or days[lines], (since, last), closed)),
        tuple(date_gaps(days[lines], visits, (lines_since, None), closed)),
    )


def judge(exports: Exports) -> Iterator[Issue]:
    """An `--as-of` that is cut, and defaults that rest on an isolated date."""
    settings, bounds = exports.settings, _bounds(exports.profiles)
    if exports.coverage is None:
        return
    if at := settings.dates.as_of:
        if _within(bounds, at, settings.policy) < at:
            last: date = bounds.visits.max()  # type: ignore[assignment]
            yield CHECK.warn(f"--as-of is after the last visit, so the audit uses the end of that visit's day, {last}")
    else:
        yield from _isolated("as_of", _ends(bounds)["date"], latest=True)
    if not settings.visits_since:
        yield from _isolated("visits_since", bounds.visits)
    if not settings.claims_since:
        yield from _isolated("claims_since", bounds.lines)


def _bounds(profiles: Profiles) -> CoverageBounds:
    return coverage_bounds.merge([profile.coverage for profile in profiles.values()])


def _within(bounds: CoverageBounds, at: datetime, policy: Policy) -> datetime:
    """No later than the end of the last visit's day: nothing says that the export would hold what came after."""
    if bounds.visits.is_empty():
        return at
    end: datetime = pl.select(last_instant(pl.lit(bounds.visits.max(), pl.Date), policy.timezone)).item()
    return min(at, end.astimezone(UTC))


def _ends(bounds: CoverageBounds) -> pl.DataFrame:
    return bounds.passed if bounds.completed.is_empty() else bounds.completed


def _default_as_of(bounds: CoverageBounds) -> datetime | None:
    latest: datetime | None = _ends(bounds)["at"].max()  # type: ignore[assignment]
    return latest and latest.astimezone(UTC)


def _earliest(dates: pl.Series) -> date | None:
    first: date | None = dates.min()  # type: ignore[assignment]
    return first


def _isolated(option: str, dates: pl.Series, *, latest: bool = False) -> Iterator[Issue]:
    nearest = dates.drop_nulls().unique().sort(descending=latest).head(2).to_list()
    if len(nearest) == 2 and (days := abs((nearest[0] - nearest[1]).days)) > ISOLATED_DAYS:
        yield CHECK.warn(
            f"{option} is based on {nearest[0]}, which is {days} days from the next date",
            f"if that date is wrong, correct it or give --{option.replace('_', '-')}",
        )


CHECK = Check("Q09", __name__, __doc__, judge)
