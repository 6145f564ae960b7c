"""What the ledger has to say, told a second time: plain loops from docs/cases.md over each run's own tables.

It reads findings.parquet, claims.parquet and summary.json of a published run and keeps its own memory; it knows nothing of
the ledger and shares no code with it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

FACTS = ("outcome", "service_date", "minutes", "billed_amount", "paid_amount", "patient_id", "provider_id",
         "related_kind", "related_id", "related_at", "gap_days", "basis")  # fmt: skip
MARKS = ("new", "worse", "reopened", "persisting", "changed", "resolved", "not seen")

Claim = tuple[str, str, str]
Key = tuple[str, str, str, str]


@dataclass
class Case:
    """One finding's life."""

    facts: dict[str, Any]
    amount: Decimal | None
    first_run: str
    last_run: str
    gone: bool = False  # resolved, and not found since
    state: str = "open"
    until: date | None = None
    confirmed: date | None = None
    suspended: tuple[date, date | None] | None = None

    @property
    def outcome(self) -> str:
        """Violation or review, when it was last found."""
        return str(self.facts["outcome"])

    @property
    def due(self) -> date | None:
        """The day on which sixty days have run since `confirmed`, those apart that an investigation stood in their way."""
        if self.state != "confirmed" or self.confirmed is None:
            return None
        first, last = self.suspended or (date.max, None)
        end = min(last or date.max, self.confirmed + timedelta(180))
        day, ran = self.confirmed, 0
        while ran < 60 or first <= day < end:
            ran += not first <= day < end
            day += timedelta(1)
        return day

    def decide(self, state: str, on: date, until: date | None = None, suspended: Any = None) -> None:
        """A reviewer's word."""
        if state == "confirmed":
            self.confirmed = min(self.confirmed or on, on)
            self.suspended = suspended
        elif state in ("open", "dismissed"):
            self.confirmed = None
        self.state, self.until = state, until


@dataclass
class Recorded:
    """What one run has to say."""

    marks: dict[Key, tuple[str, str | None]] = field(default_factory=dict)
    waiting: int = 0
    settled: int = 0

    @property
    def counts(self) -> dict[str, int]:
        """Cases by mark."""
        return {mark: sum(1 for found, _ in self.marks.values() if found == mark) for mark in MARKS}


def records(inputs: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Kind and id of every record of a night's exports; a billed call without a claim is its own."""
    found: set[tuple[str, str]] = set()
    columns = {"visits": {"visit": ["visit_id"]}, "calls": {"call": ["call_id"], "claim": ["claim_id", "call_id"]},
               "claims": {"claim": ["claim_id"]}}  # fmt: skip
    for entry in inputs:
        path = Path(entry["path"])
        frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema=False)
        for kind, names in columns.get(entry["table"], {}).items():
            for name in names:
                found |= {(kind, str(one)) for one in frame[name].drop_nulls()} if name in frame.columns else set()
    return found


class Replay:
    """The memory from night to night."""

    def __init__(self) -> None:
        self.cases: dict[Key, Case] = {}
        self.undecided: dict[Claim, tuple[datetime, set[str]]] = {}

    def ledger_run(self, folder: Path) -> Recorded:
        """One published run. Returns its marks by case, each with the reason of `not seen`."""
        reported = Recorded()
        summary = json.loads((folder / "summary.json").read_text())
        today = datetime.fromisoformat(summary["started"]).date()
        claims = {claim_key(row): row for row in pl.read_parquet(folder / "claims.parquet").to_dicts()}
        evaluated = {rule["code"]: rule["evaluated"] for rule in summary["rules"]}
        found = {(*claim_key(row), row["rule"]): row for row in pl.read_parquet(folder / "findings.parquet").to_dicts()}
        for key, row in found.items():
            reported.marks[key] = (self._found(key, row, summary["run_id"], today), None)
        there = records(summary["inputs"])
        for key in self.cases.keys() - found.keys():
            if mark := self._gone(key, claims, evaluated, there):
                reported.marks[key] = mark
        self._remember(reported, claims, evaluated, datetime.fromisoformat(summary["coverage"]["as_of"]),
                       summary["settings"]["policy"]["horizon_days"])  # fmt: skip
        return reported

    def _found(self, key: Key, row: dict[str, Any], run: str, today: date) -> str:
        facts = {name: row[name] for name in FACTS}
        amount = row["billed_amount"] if row["paid_amount"] is None else row["paid_amount"]
        case = self.cases.get(key)
        if case is None:
            self.cases[key] = Case(facts, amount, run, run)
            return "new"
        changed = facts != case.facts
        lapsed = case.until is not None and today > case.until
        if case.gone or (case.state == "dismissed" and (changed or lapsed)):
            mark = "reopened"
            if case.state != "confirmed":
                case.decide("open", today)
        else:
            mark = ("worse" if worse(case.facts, facts) else "changed") if changed else "persisting"
        case.facts, case.amount, case.last_run, case.gone = facts, amount, run, False
        return mark

    def _gone(
        self, key: Key, claims: dict[Claim, dict[str, Any]], evaluated: dict[str, bool], there: set[tuple[str, str]]
    ) -> tuple[str, str | None] | None:
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
        related = case.facts["related_kind"], case.facts["related_id"]
        if related[1] is not None and related not in there:
            return "not seen", "its related record is no longer in the export"
        case.gone = True
        return "resolved", None

    def _remember(self, reported: Recorded, claims: dict[Claim, dict[str, Any]], evaluated: dict[str, bool], as_of: datetime,
                  horizon: int) -> None:  # fmt: skip
        for key, claim in claims.items():
            end = claim["end"] or claim["start"] or as_of
            closes, horizon_ends = end + timedelta(hours=24), end + timedelta(days=horizon)
            if closes <= as_of and "LAH002" in claim["unknowns"]:
                closes = horizon_ends  # the next day is known, the soonest appointment is not
            if claim["unknowns"] and closes > as_of:
                self.undecided[key] = closes, set(claim["unknowns"])
            elif key in self.undecided and (
                horizon_ends <= as_of or all(evaluated[rule] for rule in self.undecided[key][1])
            ):
                del self.undecided[
                    key
                ]  # a rule that was left out has decided nothing, as long as its window may be open
                reported.settled += 1
        reported.waiting = len(self.undecided)

    def coming_back(self, as_of: datetime) -> set[Claim]:
        """Claims to be audited whatever their date, as far as the exports still hold them active."""
        return {key for key, (closes, _) in self.undecided.items() if closes <= as_of}


def worse(was: dict[str, Any], now: dict[str, Any]) -> bool:
    """A stronger outcome, or a larger amount: paid, else billed."""
    if was["outcome"] == "review" and now["outcome"] == "violation":
        return True
    one, other = (
        facts["billed_amount"] if facts["paid_amount"] is None else facts["paid_amount"] for facts in (was, now)
    )
    return one is not None and other is not None and other > one


def claim_key(row: dict[str, Any]) -> Claim:
    """What makes a claim line one."""
    return row["claim_id"], row["claim_line"], row["cpt_code"]
