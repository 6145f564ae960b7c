"""What goes into an audit and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

DAY = timedelta(hours=24)
MICROSECOND = timedelta(microseconds=1)
MINUTE_US = 60_000_000


@dataclass(frozen=True)
class Table:
    """One table of text cells; ``""`` is blank. Only the columns listed in ``columns`` exist."""

    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]


@dataclass(frozen=True)
class World:
    """Everything that one audit sees. For the keys of ``settings`` see ``SETTINGS``."""

    calls: Table | None
    visits: Table | None
    claims: Table | None = None
    providers: Table | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    phone_log: Table | None = None


SETTINGS: dict[str, Any] = {
    "timezone": "UTC",
    "dst": None,
    "as_of": None,
    "visits_since": None,
    "claims_since": None,
    "service_from": None,
    "service_to": None,
    "codes": ("98968",),
    "relatedness": "evidence",
    "anchor": "unflagged",
    "horizon_days": 14,
    "lookahead_hours": 24,
    "severity": {},
    "unrelated_supports_lah001": True,
    "holes": "unknown",
    "cumulative": "ask",
    "may_report_em": "clear",
    "consent": False,
    "modifiers": (),
    "place_of_service": (),
    "payers": {},
    "policies": {},
    "phone_users": {},
}


@dataclass(frozen=True)
class Verdict:
    """One rule's outcome for one claim, with the related record that decided it."""

    outcome: str
    related_kind: str | None = None
    related_id: str | None = None
    related_count: int | None = None
    gap_days: int | None = None
    basis: str | None = None


@dataclass(frozen=True)
class ClaimResult:
    """One audited claim. ``outcomes`` holds the evaluated rules only."""

    patient_id: str
    provider_id: str
    service_date: date
    start: datetime | None
    end: datetime | None
    minutes: int | None
    minutes_source: str | None
    call_ids: tuple[str, ...]
    disposition: str
    supportable_code: str | None
    at_risk_amount: Decimal | None
    outcomes: dict[str, Verdict]
    review_amount: Decimal | None = None


@dataclass(frozen=True)
class Result:
    """The whole answer. ``rejects`` maps a table to sorted (record number from 1, reason)."""

    coverage: dict[str, Any]
    not_evaluated: set[str]
    rejects: dict[str, list[tuple[int, str]]]
    claims: dict[tuple[str, str, str], ClaimResult]
    void: int
    denied: int
