"""What the exports cover: as_of, visits_since, claims_since. Never taken from the clock.

Source: docs/specification.md#coverage.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import polars as pl

from auditor.errors import UsageError
from auditor.parsing import instants
from auditor.policy import Policy
from auditor.quality.date_gaps import DateRange, Days, date_gaps

ISOLATED_DAYS = 31
"""A default further than this from the next date is isolated, and warned about."""
_NO_DAYS = pl.DataFrame(schema={"date": pl.Date, "at": pl.Datetime("us", "UTC")})


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
    warnings: tuple[str, ...] = ()


def parse_date(option: str, text: str, policy: Policy) -> date:
    """A local date given as an option. Raises UsageError."""
    read = instants.read(pl.Series([text]), policy)
    if read.utc[0] is None:
        raise UsageError(f"{option}: not a date; write it as 2026-03-31")
    local: date = read.utc.dt.convert_time_zone(policy.timezone).dt.date()[0]
    return local


def parse_as_of(text: str, policy: Policy) -> datetime:
    """An instant given as an option; a date means its end. Raises UsageError."""
    read = instants.read(pl.Series([text]), policy)
    if read.utc[0] is None:
        raise UsageError("--as-of: not a date or time; write it as 2026-03-31 or 2026-03-31T18:00:00-05:00")
    frame = pl.DataFrame({"at": read.utc, "at_date_only": read.date_only})
    at: datetime = frame.select(_upto(policy.timezone, "at"))[0, 0]
    return at.astimezone(UTC)


@dataclass(frozen=True)
class CoverageBounds:
    """The first and last dates that bound the coverage, of any number of rows: two days of each kind.

    `completed`, `calls` and `passed` have the last two `date`s, and the latest instant `at` of each: of completed visits,
    of the ends of calls, and of visits that are not after the last of these. `visits` are the first two dates and the
    last, `lines` the first two.
    """

    completed: pl.DataFrame
    calls: pl.DataFrame
    passed: pl.DataFrame
    visits: pl.Series
    lines: pl.Series

    @property
    def latest_end(self) -> datetime | None:
        """The latest end of a call."""
        latest: datetime | None = self.calls["at"].max()  # type: ignore[assignment]
        return latest


def coverage_bounds(
    table: str, rows: pl.DataFrame, policy: Policy, *, bills: bool, until: datetime | None = None
) -> CoverageBounds:
    """What rows of a table say of the coverage. Calls carry their `end`; `bills`: the table holds the lines.

    `until`: the latest end of a call, where visits are asked.
    """
    completed, ends, passed = _NO_DAYS, _NO_DAYS, _NO_DAYS
    visits, lines = pl.Series(dtype=pl.Date), pl.Series(dtype=pl.Date)
    if table == "visits":
        last = pl.lit(until, pl.Datetime("us", "UTC"))
        dated = rows.select("status", "visit_start", "visit_start_date_only", date="visit_start_date")
        completed, passed = (
            _last_days(dated, condition).select("date", at=_upto(policy.timezone))
            for condition in (pl.col("status") == "completed", pl.col("visit_start") <= last)
        )
        visits = rows["visit_start_date"]
    elif table == "calls":
        ends = _last_instants(rows.select(at=pl.coalesce("end", "call_start"))["at"], policy.timezone)
    if bills:
        lines = rows["service_date" if table == "claims" else "call_start_date"]
    return merge([CoverageBounds(completed, ends, passed, visits, lines)])


def merge(parts: Sequence[CoverageBounds]) -> CoverageBounds:
    """Merge the bounds of parts of a table."""

    def last(frames: list[pl.DataFrame]) -> pl.DataFrame:
        return _last_days(pl.concat(frames), pl.lit(True)).group_by("date").agg(pl.col("at").max())

    def first(dates: list[pl.Series]) -> pl.Series:
        day = pl.col("date")
        bounds = pl.concat(dates).alias("date").to_frame()
        bounds = bounds.select(day.min(), second=day.filter(day > day.min()).min(), last=day.max())
        return pl.Series(bounds.row(0), dtype=pl.Date).drop_nulls().unique(maintain_order=True)

    return CoverageBounds(
        last([part.completed for part in parts]),
        last([part.calls for part in parts]),
        last([part.passed for part in parts]),
        first([part.visits for part in parts]),
        first([part.lines for part in parts]),
    )


def _last_instants(at: pl.Series, zone: str) -> pl.DataFrame:
    """The last instant of all, and the last one before its local date begins."""
    last: datetime | None = at.max()  # type: ignore[assignment]
    if last is None:
        return _NO_DAYS
    begin = datetime.combine(last.astimezone(ZoneInfo(zone)), time(), ZoneInfo(zone)).astimezone(UTC)
    two = pl.Series([last, at.filter(at < begin).max()], dtype=at.dtype).drop_nulls()
    return pl.DataFrame({"date": two.dt.convert_time_zone(zone).dt.date(), "at": two})


def _last_days(frame: pl.DataFrame, condition: pl.Expr) -> pl.DataFrame:
    """Some rows, those of their last two different dates."""
    day = pl.when(condition).then("date")
    return frame.filter(day >= pl.coalesce(day.filter(day < day.max()).max(), day.max()))


def cover(
    bounds: CoverageBounds,
    days: Mapping[str, Days],
    policy: Policy,
    as_of: str | None,
    visits_since: str | None,
    claims_since: str | None,
) -> Coverage:
    """Work out the coverage from the options, else from the tables. `days`: rows by local date, table by table."""
    warnings: list[str] = []
    upto = _within(bounds, parse_as_of(as_of, policy), policy, warnings) if as_of else _default_as_of(bounds, warnings)
    since = parse_date("--visits-since", visits_since, policy) if visits_since else None
    if since is None:
        since = _first(bounds.visits, "visits_since", warnings)
    lines_since = parse_date("--claims-since", claims_since, policy) if claims_since else None
    if lines_since is None:
        lines_since = _first(bounds.lines, "claims_since", warnings)
    last = upto.astimezone(ZoneInfo(policy.timezone)).date() if upto else None
    lines, visits = "claims" if "claims" in days else "calls", days.get("visits", {})
    closed = policy.coverage.closed_dates
    gaps_by_table = {
        "visits": date_gaps(visits, days.get("calls") or days[lines], (since, last), closed),
        lines: date_gaps(days[lines], visits, (lines_since, None), closed),
    }
    meant = "the rules that need them are unknown" if policy.coverage.holes == "unknown" else "the rules ignore it"
    warnings += [
        f"{table}: none from {first} to {final}, although rows are expected on these days; {meant}; if the practice was "
        f'closed, say so in the policy: [coverage] closed = ["{first}/{final}"]'
        for table, gaps in gaps_by_table.items()
        for first, final in gaps
    ]
    return Coverage(
        upto, since, lines_since, tuple(gaps_by_table["visits"]), tuple(gaps_by_table[lines]), tuple(warnings)
    )


def _within(bounds: CoverageBounds, at: datetime, policy: Policy, warnings: list[str]) -> datetime:
    """No later than the end of the last visit's day: nothing says that the export would hold what came after."""
    if bounds.visits.is_empty():
        return at
    last: date = bounds.visits.max()  # type: ignore[assignment]
    end = parse_as_of(last.isoformat(), policy)
    if at > end:
        warnings.append(f"--as-of is after the last visit, of {last}, and is cut to the end of that day")
    return min(at, end)


def _default_as_of(bounds: CoverageBounds, warnings: list[str]) -> datetime | None:
    ends = bounds.passed if bounds.completed.is_empty() else bounds.completed
    if ends.is_empty():
        return None
    _warn_if_isolated(ends["date"], "as_of", warnings, descending=True)
    latest: datetime = ends["at"].max()  # type: ignore[assignment]
    return latest.astimezone(UTC)


def _upto(zone: str, at: str = "visit_start") -> pl.Expr:
    """The instant itself, or the last microsecond of its local day where only the date is known."""
    next_day = pl.col(at).dt.convert_time_zone(zone).dt.date().dt.offset_by("1d").cast(pl.Datetime("us"))
    midnight = pl.coalesce(
        next_day.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null"),
        next_day.dt.offset_by("-3h").dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
        + pl.duration(hours=3),
    )
    last = midnight.dt.convert_time_zone("UTC") - pl.duration(microseconds=1)
    return pl.when(pl.col(f"{at}_date_only")).then(last).otherwise(pl.col(at)).alias("at")


def _first(dates: pl.Series, option: str, warnings: list[str]) -> date | None:
    _warn_if_isolated(dates, option, warnings, descending=False)
    first: date | None = dates.min()  # type: ignore[assignment]
    return first


def _warn_if_isolated(dates: pl.Series, option: str, warnings: list[str], *, descending: bool) -> None:
    nearest = dates.drop_nulls().unique().sort(descending=descending).head(2).to_list()
    if len(nearest) == 2 and abs((nearest[0] - nearest[1]).days) > ISOLATED_DAYS:
        warnings.append(
            f"{option} rests on {nearest[0]}, {abs((nearest[0] - nearest[1]).days)} days from the next date; "
            f"if that is a typing error, give --{option.replace('_', '-')}"
        )
