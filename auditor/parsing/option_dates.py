"""Dates that are given as options, read in the zone of the policy.

Source: docs/specification.md#coverage.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime

import polars as pl

from auditor.errors import UsageError
from auditor.parsing import instants
from auditor.parsing.time_zones import upto
from auditor.policy import Policy


@dataclass(frozen=True)
class OptionDates:
    """`as_of` in UTC, and local dates; None: not given."""

    as_of: datetime | None = None
    visits_since: date | None = None
    claims_since: date | None = None
    service_from: date | None = None
    service_to: date | None = None


def read(given: Mapping[str, str | None], policy: Policy) -> OptionDates:
    """The dates of the options. Raises UsageError, also where the service dates end before they begin."""
    as_of = given["as_of"] and read_as_of(given["as_of"], policy)
    names = ("visits_since", "claims_since", "service_from", "service_to")
    days = {name: _read_date(name, text, policy) for name in names if (text := given[name])}
    if days.keys() >= {"service_from", "service_to"} and days["service_from"] > days["service_to"]:
        raise UsageError("--service-to is before --service-from")
    return OptionDates(as_of or None, **days)


def read_as_of(text: str, policy: Policy) -> datetime:
    """An instant; a date means its end. Raises UsageError."""
    read = instants.read(pl.Series([text]), policy, any_date=True)
    if read.utc[0] is None:
        raise UsageError("--as-of: not a date or time; write it as 2026-03-31 or 2026-03-31T18:00:00-05:00")
    frame = pl.DataFrame({"at": read.utc, "at_date_only": read.date_only})
    at: datetime = frame.select(upto(policy.timezone, "at"))[0, 0]
    return at.astimezone(UTC)


def _read_date(name: str, text: str, policy: Policy) -> date:
    read = instants.read(pl.Series([text]), policy, any_date=True)
    if read.utc[0] is None:
        raise UsageError(f"--{name.replace('_', '-')}: not a date; write it as 2026-03-31")
    local: date = read.utc.dt.convert_time_zone(policy.timezone).dt.date()[0]
    return local
