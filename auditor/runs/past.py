"""summary.json of a finished run, of this version or an older one, as one typed object.

`Past` has defaults for what is missing; `RecordedSummary`, which two runs are compared by, is refused where anything is.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from auditor.windows.bounds import Numbers


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Band(_Lenient):
    low: int
    high: int


class _Lookback(_Lenient):
    days: int = Numbers.lookback
    postoperative_days: tuple[int, ...] = (10, Numbers.postoperative)


class _Lookahead(_Lenient):
    hours: int = Numbers.hours


class _Frequency(_Lenient):
    period_days: int = Numbers.period


class _Policy(_Lenient):
    """The keys of a policy that its numbers are made of."""

    horizon_days: int = Numbers.horizon
    lookback: _Lookback = _Lookback()
    lookahead: _Lookahead = _Lookahead()
    frequency: _Frequency = _Frequency()
    bands: Mapping[str, _Band] = {}


class _Settings(_Lenient):
    policy: _Policy = _Policy()


class _Coverage(_Lenient):
    as_of: datetime | None = None
    visits_since: date | None = None
    claims_since: date | None = None


class TableExtent(_Lenient):
    """How far a table reaches, its rows by month (2026-03), its columns, those of times of day, and its different ids."""

    first: date | None = None
    last: date | None = None
    months: Mapping[str, int] = {}
    columns: frozenset[str] = frozenset()
    timed: frozenset[str] = frozenset()
    different: Mapping[str, int] = {}


class Join(_Lenient):
    """How many different ids (`of`) were sought in a column (`column`), and how many were found."""

    of: str
    column: str = Field(alias="in")
    values: int
    found: int


class _Rule(_Lenient):
    code: str
    name: str
    evaluated: bool = True
    reason: str | None = None


class _PolicyName(_Lenient):
    name: str = "unknown"


class Sealed(_Lenient):
    """The last hashes of the ledger's history before the run and after it, the run before, and the marks by count."""

    began: str | None = None
    head: str | None = None
    previous_run: str | None = None
    marks: Mapping[str, int] = {}


class RecordedFile(_Lenient):
    """An input file: its table, path, digest of its bytes, and rows."""

    table: str
    path: str
    sha256: str
    rows: int | None


class _RecordedRule(_Lenient):
    """A rule's code, and why it was not evaluated; None where it was."""

    code: str
    reason: str | None


class _RecordedMoney(_Lenient):
    """Sums over claims, in dollars."""

    at_risk: Decimal
    review: Decimal


class _RecordedSettings(_Lenient):
    """The settings of a run by name, as its summary writes them, and typed which claims were asked for."""

    model_config = ConfigDict(extra="allow")

    policy: Mapping[str, Any]
    codes: list[str]
    service_from: str | None
    service_to: str | None


class RecordedSummary(_Lenient):
    """All that a run records and that can differ from another's."""

    run_id: str
    version: str
    pseudonym_key_id: str | None
    policy: Mapping[str, Any]
    settings: _RecordedSettings
    coverage: Mapping[str, Any]
    inputs: tuple[RecordedFile, ...]
    rules: tuple[_RecordedRule, ...]
    money: _RecordedMoney


class _Summary(_Lenient):
    policy: _PolicyName = _PolicyName()
    run_id: str = ""
    started: str = ""
    ledger: Sealed = Sealed()
    timezone: str = "UTC"
    settings: _Settings = _Settings()
    coverage: _Coverage = _Coverage()
    reaches: Mapping[str, TableExtent] = {}
    joins: tuple[Join, ...] = ()
    rules: tuple[_Rule, ...] = ()


@dataclass(frozen=True)
class PastRule:
    """A rule as a run knew it; `reason`: why it was not evaluated."""

    code: str
    name: str
    evaluated: bool
    reason: str | None


@dataclass(frozen=True)
class Past:
    """What a finished run says of itself: the ledger, its policy's name and numbers, its coverage, joins and rules."""

    run_id: str
    started: str
    ledger: Sealed
    policy: str
    timezone: str
    numbers: Numbers
    as_of: datetime | None
    visits_since: date | None
    claims_since: date | None
    extents: Mapping[str, TableExtent]
    joins: tuple[Join, ...]
    rules: tuple[PastRule, ...]

    @property
    def evaluated(self) -> frozenset[str]:
        """The codes of the rules that were evaluated."""
        return frozenset(rule.code for rule in self.rules if rule.evaluated)


def folders(out: Path) -> list[Path]:
    """The runs in an output folder, refused ones apart, oldest first."""
    runs = [summary.parent for summary in sorted(out.glob("*/summary.json"))]
    return [run for run in runs if not run.is_symlink() and not run.name.startswith(".")]


def day_of(column: str) -> pl.Expr:
    """The day on which a run began, in UTC, of a column of run ids."""
    return pl.col(column).str.head(8).str.to_date("%Y%m%d", strict=False)


def read(path: Path) -> Past:
    """Read a summary.json. Raises OSError, and ValueError for one that is damaged."""
    return of(json.loads(path.read_text(encoding="utf-8")))


def read_recorded(path: Path) -> RecordedSummary:
    """Read a summary.json to compare it with another. Raises OSError, and ValueError where anything is missing."""
    return RecordedSummary.model_validate_json(path.read_text(encoding="utf-8"))


def of(summary: Mapping[str, Any]) -> Past:
    """Read a summary that is at hand. Raises ValueError for one that is damaged."""
    found = _Summary.model_validate(summary)
    covered = found.coverage
    return Past(
        found.run_id,
        found.started,
        found.ledger,
        found.policy.name,
        found.timezone,
        Numbers.of(found.settings.policy),  # type: ignore[arg-type]  # has a policy's own keys
        covered.as_of,
        covered.visits_since,
        covered.claims_since,
        found.reaches,
        found.joins,
        tuple(PastRule(rule.code, rule.name, rule.evaluated, rule.reason) for rule in found.rules),
    )
