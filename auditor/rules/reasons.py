"""Why a rule is unknown, in words: the reasons that several rules share.

Source: docs/specification.md#coverage-by-rule.

A reason is computed from the claim (a row of claims.parquet), the records considered for it, and the finished run.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from auditor.rules.rule import Row, Why
from auditor.windows import bounds
from auditor.zones import zone

if TYPE_CHECKING:
    from auditor.run_summary import Summary

_NO_VISITS = "the inputs have no visits; only lines that bill a visit were compared"
_INSTANT = timedelta(microseconds=1)
_REJECTED = (
    "some of the patient's {} may be missing: a row was rejected (see rejects.csv), an id may be written differently "
    "in another table, or the export has a date gap"
)

_NO_PROVIDER = "the provider of a visit is blank, so it cannot be told whether it is the claim's"


def always(text: str) -> Why:
    """The same text for every claim."""
    return lambda *_: text


def blank(column: str) -> Why:
    """A column of the calls is blank or not recognized. `column` in words."""
    return always(f"{column} is blank or not recognized for a call of the claim")


def visits_back(window: Literal["lookback", "postoperative"]) -> Why:
    """Visits before the call: the window begins before the visits export, or the call is after the export ends."""

    def reason_of(claim: Row, records: Sequence[Row], run: "Summary") -> str:
        if all(file.table != "visits" for file in run.inputs):
            return _NO_VISITS
        start = claim["call_start"] or bounds.midnight(claim["service_date"], zone(run.timezone))
        first = bounds.first_day(start.date(), getattr(run.numbers, window))
        since, as_of = run.coverage.visits_since, run.coverage.as_of
        if since is None or first < since:
            return f"the window begins on {first}, but the visits export {_begins(since)}"
        if as_of is None or start > as_of:
            return f"the visits export is complete only up to {_short(as_of)}, before the call"
        if any(row["outcome"] == "unknown" for row in records):
            return _NO_PROVIDER
        return _REJECTED.format("visits")

    return reason_of


def visits_ahead(claim: Row, records: Sequence[Row], run: "Summary") -> str:
    """Visits after the call: its end is unknown, the export ends too early, or visits of the window lack data."""
    if all(file.table != "visits" for file in run.inputs):
        return _NO_VISITS
    if claim["call_start"] is not None and claim["call_end"] is None:
        return "the end of the call is unknown, so it cannot be told which visits are after it"
    times = claim["call_start"], claim["call_end"], claim["service_date"]
    last = bounds.spans(run.numbers, *times, zone(run.timezone))["ahead"].last
    if run.coverage.as_of is None or last - _INSTANT * (claim["call_start"] is None) > run.coverage.as_of:
        return f"the visits export is complete only up to {_short(run.coverage.as_of)}, before the window ends"
    doubts = sum(row["outcome"] == "unknown" for row in records)
    if doubts:
        visits = "a visit" if doubts == 1 else f"{doubts} visits"
        return f"for {visits} in the window, the export shows neither the booking time nor soonest_available"
    return _REJECTED.format("visits")


def lines_back(claim: Row, _: Sequence[Row], run: "Summary") -> str:
    """Earlier lines of the period: the export begins too late, or a line of the patient may be missing."""
    first = bounds.first_day(claim["service_date"], run.numbers.last_day)
    if run.coverage.claims_since is None or first < run.coverage.claims_since:
        return f"the period begins on {first}, but the export of lines {_begins(run.coverage.claims_since)}"
    return _REJECTED.format("lines")


def series(beside: Sequence[str]) -> Why:
    """As `lines_back`, or because an earlier claim is unknown. A decided rule among `beside` shows which of the two."""

    def reason_of(claim: Row, records: Sequence[Row], run: "Summary") -> str:
        line_reason = lines_back(claim, records, run)
        if line_reason != _REJECTED.format("lines"):
            return line_reason
        decided_rules = [code for code in beside if code in run.evaluated]
        not_clear = (*claim["unknowns"], *claim["reviews"], *claim["violations"], *claim["not_applicable"])
        earlier = "an earlier claim of the series is unknown, so it cannot be told which claims count"
        # These rules have the same coverage and rejects, so only the series remains as a reason.
        if any(code not in not_clear for code in decided_rules):
            return earlier
        return (
            line_reason if any(code in claim["unknowns"] for code in decided_rules) else f"{line_reason}; or {earlier}"
        )

    return reason_of


def same_day(claim: Row, records: Sequence[Row], run: "Summary") -> str:
    """Visits and lines of the service date."""
    since, as_of, day = run.coverage.visits_since, run.coverage.as_of, claim["service_date"]
    if since is None or as_of is None or not since <= day <= as_of.date():
        return f"the visits export covers {since or 'an unknown day'} to {_short(as_of)}, not the service date"
    if any(row["outcome"] == "unknown" for row in records):
        return _NO_PROVIDER
    return _REJECTED.format("visits or lines")


def _begins(since: date | None) -> str:
    return f"begins on {since}" if since else "has no rows"


def _short(moment: date | datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "an unknown day"
