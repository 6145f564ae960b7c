"""Why a rule cannot tell, in words: what several rules share.

Source: docs/specification.md#coverage-by-rule.

Each reason is made of the claim (a row of claims.parquet), the records weighed for it, and the finished run.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Literal

from auditor.rules.rule import Row, Why
from auditor.windows import bounds

if TYPE_CHECKING:
    from auditor.run_summary import Summary

_REJECTED = (
    "some of the patient's {} may be missing: a row was rejected (rejects.csv), an id does not join, or days lack"
)


def always(text: str) -> Why:
    """Always the same words."""
    return lambda *_: text


def blank(column: str) -> Why:
    """A column of the calls holds nothing."""
    return always(f"{column} is blank or not recognised for a call of the claim")


def visits_back(window: Literal["lookback", "postoperative"]) -> Why:
    """Visits before the call: the window begins before they do, or the call is later than they are complete."""

    def reason_of(claim: Row, _: Sequence[Row], run: "Summary") -> str:
        first = bounds.first_day(claim["start"].date(), getattr(run.numbers, window))
        since, as_of = run.coverage.visits_since, run.coverage.as_of
        if since is None or first < since:
            return f"its window begins on {first}, before the visits do ({since or 'no visits'})"
        if as_of is None or claim["start"] > as_of:
            return f"the call is later than the visits export is complete ({_short(as_of)})"
        return _REJECTED.format("visits")

    return reason_of


def visits_ahead(claim: Row, records: Sequence[Row], run: "Summary") -> str:
    """Visits after the call: its end is unknown, the visits end too early, or those of its window do not say enough."""
    if claim["end"] is None:
        return "the end of the call is unknown, so its hours after cannot be placed"
    if run.coverage.as_of is None or bounds.later(claim["end"].astimezone(UTC), run.numbers.hours) > run.coverage.as_of:
        return f"the visits export is complete to {_short(run.coverage.as_of)}, before the window ends"
    doubts = sum(row["outcome"] == "unknown" for row in records)
    if doubts:
        return (
            f"{doubts} visit{'s' if doubts > 1 else ''} of its window: neither when booked nor whether soonest is known"
        )
    return _REJECTED.format("visits")


def lines_back(claim: Row, _: Sequence[Row], run: "Summary") -> str:
    """Lines of the period; with the coverage in order, a rejected line of the patient is what is left."""
    first = bounds.first_day(claim["service_date"], run.numbers.last_day)
    if run.coverage.claims_since is None or first < run.coverage.claims_since:
        return f"its period begins on {first}, before the lines do ({run.coverage.claims_since or 'no lines'})"
    return _REJECTED.format("lines")


def series(beside: Sequence[str]) -> Why:
    """As `lines_back`, or because an earlier claim is unknown: one of the rules `beside`, if it is decided, tells which."""

    def reason_of(claim: Row, records: Sequence[Row], run: "Summary") -> str:
        line_reason = lines_back(claim, records, run)
        if line_reason != _REJECTED.format("lines"):
            return line_reason
        decided_rules = [code for code in beside if code in run.evaluated]
        not_clear = (*claim["unknowns"], *claim["reviews"], *claim["violations"], *claim["not_applicable"])
        earlier = "an earlier claim of its series is unknown, so which of them count is not known"
        if any(
            code not in not_clear for code in decided_rules
        ):  # they share the coverage and the rejects: what is left is the series
            return earlier
        return (
            line_reason if any(code in claim["unknowns"] for code in decided_rules) else f"{line_reason}; or {earlier}"
        )

    return reason_of


def same_day(claim: Row, _: Sequence[Row], run: "Summary") -> str:
    """Visits and lines of the day of service."""
    since, as_of, day = run.coverage.visits_since, run.coverage.as_of, claim["service_date"]
    if since is None or as_of is None or not since <= day <= as_of.date():
        return f"the visits export covers {since or 'nothing'} to {_short(as_of)}, not the day of service"
    return _REJECTED.format("visits or lines")


def _short(moment: date | datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "an unknown day"
