"""What the ledger has to say, told a second time: plain loops from docs/cases.md over each run's own tables.

It reads findings.parquet, claims.parquet and summary.json of a published run and keeps its own memory; it knows nothing of
the ledger and shares no code with it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

FACTS = ("outcome", "service_date", "minutes", "billed_amount", "paid_amount", "at_risk_amount", "provider_id",
         "related_kind", "related_id", "related_at", "gap_days", "gap_hours")  # fmt: skip
MARKS = ("new", "persisting", "changed", "reopened", "resolved", "not seen")

Claim = tuple[str, str, str]
Key = tuple[str, str, str, str]


@dataclass
class Case:
    """One finding's life."""

    facts: dict[str, Any]
    first_run: str
    last_run: str
    gone: bool = False  # resolved, and not found since
    state: str = "open"
    until: date | None = None
    confirmed: date | None = None
    suspended: tuple[date, date | None] | None = None

    @property
    def due(self) -> date | None:
        """Sixty days after `confirmed`, and as many more as the investigation stood, up to the 180th day."""
        if self.state != "confirmed" or self.confirmed is None:
            return None
        day, stood = self.confirmed, 0
        for number in range(180):
            tonight = self.confirmed + timedelta(number)
            if self.suspended and self.suspended[0] <= tonight and not (self.suspended[1] and tonight >= self.suspended[1]):
                stood += 1
        return day + timedelta(60 + stood)

    def decide(self, state: str, on: date, until: date | None = None, suspended: Any = None) -> None:
        """A reviewer's word."""
        if state == "confirmed":
            self.confirmed = self.confirmed or on
            self.suspended = suspended
        elif state in ("open", "dismissed"):
            self.confirmed = None
        self.state, self.until = state, until


@dataclass
class Told:
    """What one run has to say."""

    marks: dict[Key, tuple[str, str | None]] = field(default_factory=dict)
    waiting: int = 0
    settled: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """Cases by mark."""
        return {mark: sum(1 for found, _ in self.marks.values() if found == mark) for mark in MARKS}


class Replay:
    """The memory from night to night."""

    def __init__(self) -> None:
        self.cases: dict[Key, Case] = {}
        self.undecided: dict[Claim, dict[str, datetime]] = {}

    def night(self, folder: Path) -> Told:
        """One published run. Returns its marks by case, each with the reason of `not seen`."""
        told = Told()
        summary = json.loads((folder / "summary.json").read_text())
        today = datetime.fromisoformat(summary["started"]).date()
        claims = {claim_key(row): row for row in pl.read_parquet(folder / "claims.parquet").to_dicts()}
        evaluated = {rule["code"]: rule["evaluated"] for rule in summary["rules"]}
        found: dict[Key, dict[str, Any]] = {
            (*claim_key(row), row["rule"]): {name: row[name] for name in FACTS}
            for row in pl.read_parquet(folder / "findings.parquet").to_dicts()
        }
        for key, facts in found.items():
            told.marks[key] = (self._found(key, facts, summary["run_id"], today), None)
        for key in self.cases.keys() - found.keys():
            if mark := self._gone(key, claims, evaluated):
                told.marks[key] = mark
        self._remember(told, claims, evaluated, datetime.fromisoformat(summary["coverage"]["as_of"]),
                       summary["settings"]["policy"]["horizon_days"])  # fmt: skip
        return told

    def _found(self, key: Key, facts: dict[str, Any], run: str, today: date) -> str:
        case = self.cases.get(key)
        if case is None:
            self.cases[key] = Case(facts, run, run)
            return "new"
        changed = facts != case.facts
        lapsed = case.until is not None and today > case.until
        if case.gone or (case.state == "dismissed" and (changed or lapsed)):
            mark = "reopened"
            if case.state != "confirmed":
                case.decide("open", today)
        else:
            mark = "changed" if changed else "persisting"
        case.facts, case.last_run, case.gone = facts, run, False
        return mark

    def _gone(self, key: Key, claims: dict[Claim, dict[str, Any]], evaluated: dict[str, bool]) -> tuple[str, str | None] | None:
        case, rule = self.cases[key], key[3]
        if case.gone:
            return None  # told once
        claim = claims.get(key[:3])
        if claim is None:
            return "not seen", "claim not audited"
        if not evaluated[rule]:
            return "not seen", "rule not evaluated"
        if rule in claim["unknowns"]:
            return "not seen", "rule could not be decided"
        if rule in claim["not_applicable"] or claim["disposition"] == "not_applicable":
            return "not seen", "rule does not apply"
        case.gone = True
        return "resolved", None

    def _remember(self, told: Told, claims: dict[Claim, dict[str, Any]], evaluated: dict[str, bool], as_of: datetime,
                  horizon: int) -> None:  # fmt: skip
        for key, claim in claims.items():
            windows = {rule: closes for rule, closes in _windows(claim, as_of, horizon).items() if rule in claim["unknowns"]}
            before = self.undecided.pop(key, {})
            # A rule that was left out tonight has decided nothing.
            windows |= {rule: closes for rule, closes in before.items() if not evaluated[rule]}
            if windows:
                self.undecided[key] = windows
            elif before:
                told.settled += 1
        told.waiting = len(self.undecided)

    def coming_back(self, as_of: datetime) -> set[Claim]:
        """Claims to be audited whatever their date, as far as the exports still hold them active."""
        return {key for key, windows in self.undecided.items() if max(windows.values()) <= as_of}


def claim_key(row: dict[str, Any]) -> Claim:
    """What makes a claim line one."""
    return row["claim_id"], row["claim_line"], row["cpt_code"]


def _windows(claim: dict[str, Any], as_of: datetime, horizon: int) -> dict[str, datetime]:
    """The windows of a claim that reach beyond `as_of`, by rule, with the instant at which each closes."""
    start, end, day = claim["start"], claim["end"], claim["service_date"]
    windows = {}
    if end is not None:
        windows |= {"LAH001": end + timedelta(hours=24), "LAH002": end + timedelta(days=horizon)}
    if start is not None:
        windows |= {"LBK001": start, "LBK002": start}
    midnight = datetime.combine(day, datetime.min.time(), as_of.tzinfo)
    windows["EXC001"] = midnight
    return {rule: closes for rule, closes in windows.items() if closes > as_of}
