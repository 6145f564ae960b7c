"""Where windows begin and end, and when they are not covered: all of their arithmetic.

Source: docs/specification.md#date-gaps, docs/specification.md#coverage-by-rule.

Expressions speak of a claim's columns (`window_start`, `window_end`, `end`, `start_date`, `end_date`, `service_date`);
days are local dates, hours are elapsed time. A claim without a call is weighed `by_days`: it starts and ends on its
service date, and its windows hold days. `Numbers` are the same lengths for words and pictures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any, NamedTuple

import polars as pl
from pydantic import TypeAdapter

from auditor.parsing.time_zones import first_instant, last_instant
from auditor.policy import Policy
from auditor.quality.coverage import Coverage


@dataclass(frozen=True)
class Numbers:
    """The lengths of the windows, as a policy sets them, and the bands of the codes (low, high).

    The defaults are in docs/specification.md#policy.

    `lookback`, `postoperative` and `horizon` are days, `hours` elapsed hours, `period` the days of a frequency period.
    """

    lookback: int = 7
    postoperative: int = 90
    hours: int = 24
    horizon: int = 14
    period: int = 7
    bands: Mapping[str, tuple[int, int]] = field(
        default_factory=lambda: {"98966": (5, 10), "98967": (11, 20), "98968": (21, 30)}
    )

    @classmethod
    def of(cls, policy: "Policy | Mapping[str, Any]") -> "Numbers":
        """Those of a policy, or of its keys as a run recorded them. Raises ValueError for another kind of value."""
        found = {name: value for name, keys in _KEYS.items() if (value := _value(policy, keys)) is not None}
        bands = {
            code: (_value(band, ("low",)), _value(band, ("high",))) for code, band in found.pop("bands", {}).items()
        }
        found["postoperative"] = max(found.get("postoperative", (cls.postoperative,)), default=0)
        numbers: Numbers = TypeAdapter(Numbers).validate_python(found | {"bands": {**cls().bands, **bands}})
        return numbers

    @property
    def last_day(self) -> int:
        """The last day after a line that its frequency period holds."""
        return self.period - 1

    def filled(self, code: str = "98968") -> dict[str, int]:
        """What stands in braces in a rule's words; `low` and `high` are those of the code."""
        low, high = self.bands[code]
        return {name: getattr(self, name) for name in (*(_KEYS.keys() - {"bands"}), "last_day")} | {
            "low": low,
            "high": high,
        }


_KEYS = {
    "lookback": ("lookback", "days"),
    "postoperative": ("lookback", "postoperative_days"),
    "hours": ("lookahead", "hours"),
    "horizon": ("horizon_days",),
    "period": ("frequency", "period_days"),
    "bands": ("bands",),
}
"""Where the policy has each of the numbers."""


def _value(part: Any, keys: Sequence[str]) -> Any:
    """A policy's value, or one of its keys as recorded; None where there is none."""
    for key in keys:
        part = part.get(key) if isinstance(part, Mapping) else getattr(part, key, None)
    return part


CALL_ITSELF = timedelta(minutes=15)
"""A visit that starts so near the start of a call may be the call itself."""
_MARGIN = 3
"""Days."""


def first_day(day: date, days: int) -> date:
    """The first date of a window that reaches so many days back."""
    return day - timedelta(days)


def midnight(day: date, zone: tzinfo) -> datetime:
    """A date's first instant."""
    return datetime.combine(day, time(), zone)


def later(at: datetime, hours: int) -> datetime:
    """So many elapsed hours later: Python adds to the clock on the wall, which a DST change moves."""
    return (at.astimezone(UTC) + timedelta(hours=hours)).astimezone(at.tzinfo)


class Span(NamedTuple):
    """A window of one claim."""

    first: datetime
    last: datetime


def spans(
    numbers: Numbers, start: datetime | None, end: datetime | None, service_date: date, zone: tzinfo
) -> dict[str, Span]:
    """The windows of one claim, for words and pictures; without a start, they hold days."""

    def end_of(days: int) -> datetime:
        return midnight(service_date + timedelta(days + 1), zone)

    period = Span(
        midnight(first_day(service_date, numbers.last_day), zone), midnight(service_date + timedelta(1), zone)
    )
    if start is None:
        first, ahead = midnight(service_date, zone), end_of(-(-numbers.hours // 24))
        lookback = Span(midnight(first_day(service_date, numbers.lookback), zone), end_of(0))
        horizon = Span(ahead, max(end_of(numbers.horizon), ahead))
        return {"period": period, "lookback": lookback, "ahead": Span(first, ahead), "later": horizon}
    ahead = later(end or start, numbers.hours)
    return {
        "period": period,
        "lookback": Span(midnight(first_day(start.date(), numbers.lookback), zone), start),
        "ahead": Span(start, ahead),
        "later": Span(ahead, max(later(end or start, 24 * numbers.horizon), ahead)),
    }


def days_before(date_column: str, days: int) -> pl.Expr:
    """The date so many days before a column's."""
    return pl.col(date_column).dt.offset_by(f"-{days}d")


def days_after(date_column: str, days: int) -> pl.Expr:
    """The date so many days after a column's."""
    return pl.col(date_column).dt.offset_by(f"{days}d")


def hours_after(end: str | pl.Expr, hours: int) -> pl.Expr:
    """The instant so many elapsed hours after a column's."""
    return (pl.col(end) if isinstance(end, str) else end) + pl.duration(hours=hours)


def closing(end: pl.Expr, policy: Policy) -> tuple[pl.Expr, pl.Expr]:
    """When the hours ahead and the horizon of a claim with that end are over."""
    return hours_after(end, policy.lookahead.hours), hours_after(end, 24 * policy.horizon_days)


def closing_by_days(policy: Policy) -> tuple[pl.Expr, pl.Expr]:
    """The same for a claim without a call: the ends of days after its service date."""
    days = ahead_days(policy), max(policy.horizon_days, ahead_days(policy))
    soon, late = (last_instant(days_after("service_date", count), policy.timezone) for count in days)
    return soon, late


def days_between(later_date: str, earlier_date: str) -> pl.Expr:
    """Whole days from one date column to another."""
    return (pl.col(later_date) - pl.col(earlier_date)).dt.total_days()


def elapsed(later_instant: str, earlier_instant: str) -> pl.Expr:
    """Microseconds from one instant column to another."""
    return (pl.col(later_instant) - pl.col(earlier_instant)).dt.total_microseconds()


def ahead_days(policy: Policy) -> int:
    """The days that the hours ahead may touch, for visits of which only the date is known."""
    return -(-policy.lookahead.hours // 24)


def longest(policies: Sequence[Policy], *, postoperative: bool) -> tuple[int, int]:
    """Days before a line's dates and after them that any window may hold, a few too many: a claim may last, zones differ."""
    back = [max(some.lookback.days, Numbers.of(some).postoperative if postoperative else 0) for some in policies]
    return max(back) + _MARGIN, max(max(some.horizon_days, ahead_days(some)) for some in policies) + _MARGIN


def longest_of_calls(policies: Sequence[Policy]) -> tuple[int, int]:
    """The same for the calls that no line names: those of its date, and of the frequency period before it."""
    return max(some.frequency.last_day for some in policies) + _MARGIN, _MARGIN


def near(policy: Policy) -> pl.Expr:
    """Pairs of a claim and a visit (`back_days`, `after_days`) that any window may hold, up to a day too many."""
    furthest = max(policy.horizon_days, ahead_days(policy)) + 1
    back = (pl.col("back_days") <= policy.lookback.days) | in_global_period(policy)
    return back & (pl.col("after_days") <= furthest)


def in_lookback(policy: Policy) -> pl.Expr:
    """Whether a visit lies within the days before the claim."""
    return pl.col("back_days").is_between(0, policy.lookback.days)


def is_postoperative(policy: Policy) -> pl.Expr:
    """Whether a visit has a global period that the policy knows."""
    return pl.col("v_global_days").is_in(list(policy.lookback.postoperative_days)).fill_null(False)


def in_global_period(policy: Policy) -> pl.Expr:
    """Whether the claim lies in a visit's global period."""
    return is_postoperative(policy) & (pl.col("back_days") <= pl.col("v_global_days"))


def window_edges(zone: str) -> dict[str, pl.Expr]:
    """The instants from which the windows of a line are measured: those of its calls, else its service date's first."""
    midnight = first_instant(pl.col("service_date"), zone)
    return {
        "by_days": ~pl.col("has_call"),
        "window_start": pl.coalesce("start", midnight),
        "window_end": pl.coalesce("end_or_start", midnight),
    }


def before() -> pl.Expr:
    """Whether a visit starts before the claim; by days, on its day too."""
    return pl.when("by_days").then(pl.col("back_days") >= 0).otherwise(pl.col("at") < pl.col("window_start"))


def ahead(policy: Policy) -> pl.Expr:
    """The end of the hours after a claim; by days, of the last day that they touch."""
    last_day = last_instant(days_after("end_date", ahead_days(policy)), policy.timezone)
    return pl.when("by_days").then(last_day).otherwise(hours_after("window_end", policy.lookahead.hours))


def within(policy: Policy) -> pl.Expr:
    """Whether a visit starts from the claim's start up to the hours after its end; date-only: on those days."""
    at, days = pl.col("at"), pl.col("after_days")
    by_day = (days <= ahead_days(policy)) & ((days >= 0) | (at >= pl.col("window_start")))
    by_hour = at.is_between(pl.col("window_start"), hours_after("window_end", policy.lookahead.hours))
    return pl.when(pl.col("date_only") | pl.col("by_days")).then(by_day).otherwise(by_hour)


def beyond(policy: Policy) -> pl.Expr:
    """Whether a visit starts after those hours and up to the horizon; date-only: on the days after."""
    at, (ahead, horizon) = pl.col("at"), closing(pl.col("window_end"), policy)
    by_day = pl.col("after_days").is_between(ahead_days(policy) + 1, policy.horizon_days)
    return pl.when(pl.col("date_only") | pl.col("by_days")).then(by_day).otherwise((at > ahead) & (at <= horizon))


def in_period(policy: Policy, days: pl.Expr) -> pl.Expr:
    """Whether so many days after a line are still its frequency period."""
    return days <= policy.frequency.last_day


def not_covered(coverage: Coverage, policy: Policy) -> dict[str, pl.Expr]:
    """Which windows of a claim the exports do not cover; where nothing tells, they are open."""
    as_of = pl.lit(coverage.as_of, pl.Datetime("us", "UTC"))
    visits_since, claims_since = pl.lit(coverage.visits_since, pl.Date), pl.lit(coverage.claims_since, pl.Date)
    last_day = as_of.dt.convert_time_zone(policy.timezone).dt.date()
    day, numbers = pl.col("service_date"), Numbers.of(policy)

    def unless_known(uncovered: pl.Expr) -> pl.Expr:
        return uncovered.fill_null(True)

    def touches(first: pl.Expr, last: pl.Expr, gaps: Sequence[tuple[date, date]]) -> pl.Expr:
        heeded = gaps if policy.coverage.holes == "unknown" else ()
        met = [(first <= pl.lit(end)) & (last >= pl.lit(start)) for start, end in heeded]
        return pl.any_horizontal(*met).fill_null(False) if met else pl.lit(False)

    def back(days: int) -> pl.Expr:
        first = days_before("start_date", days)
        uncovered = unless_known(first < visits_since) | unless_known(pl.col("window_start") > as_of)
        return uncovered | touches(first, pl.col("start_date"), coverage.visit_gaps)

    ends = pl.when("by_days").then(ahead(policy)).otherwise(hours_after("end", numbers.hours))
    open_ahead = unless_known(ends > as_of)
    first = days_before("service_date", numbers.last_day)
    lines = unless_known(first < claims_since) | touches(first, day, coverage.line_gaps)
    return {
        "lookback_not_covered": back(numbers.lookback),
        "postoperative_not_covered": back(numbers.postoperative),
        "ahead_not_covered": open_ahead
        | touches(pl.col("start_date"), days_after("end_date", ahead_days(policy)), coverage.visit_gaps),
        "later_not_covered": open_ahead
        | touches(days_after("end_date", 1), days_after("end_date", numbers.horizon), coverage.visit_gaps),
        "same_day_not_covered": unless_known((day < visits_since) | (day > last_day))
        | touches(day, day, coverage.visit_gaps),
        "lines_not_covered": lines,
        "group_lines_not_covered": lines,
    }
