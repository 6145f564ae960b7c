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
MARKS = ("new", "worse", "reopened", "persisting", "changed", "resolved", "not_seen")
STATES = ("open", "confirmed", "corrected", "refunded", "dismissed")
SETTLED = STATES[2:]

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
    identified: date | None = None
    suspended: tuple[date, date | None] | None = None
    decided: dict[str, Any] = field(default_factory=dict)  # the facts that were decided
    refunded_amount: Decimal | None = None
    decided_since: bool = False  # after the last run

    @property
    def outcome(self) -> str:
        """Violation or review, when it was last found."""
        return str(self.facts["outcome"])

    @property
    def amount(self) -> Decimal | None:
        """What was paid, else billed, when it was last found."""
        return amount_of(self.facts)

    @property
    def due(self) -> date | None:
        """The day on which sixty days have run since the identification, except those that an investigation suspends."""
        if self.state not in ("open", "confirmed") or self.identified is None:
            return None
        first, last = self.suspended or (date.max, None)
        end = min(last or date.max, self.identified + timedelta(180))
        day, ran = self.identified, 0
        while ran < 60 or first <= day < end:
            ran += not first <= day < end
            day += timedelta(1)
        return day

    def allows(self, state: str, identified: date | None = None) -> bool:
        """Whether a reviewer may decide so: money goes back only for an overpayment that was identified."""
        return state not in ("corrected", "refunded") or identified is not None or self.identified is not None

    def decide(self, state: str, on: date, until: date | None = None, suspended: Any = None,
               identified: date | None = None, amount: Decimal | None = None) -> None:  # fmt: skip
        """A reviewer's word."""
        started = on if state == "confirmed" else identified
        if state in ("open", "dismissed"):
            self.identified = None
        elif started:
            self.identified = min(self.identified or started, started)
        if state == "open":
            self.refunded_amount = None
        elif amount is not None:
            self.refunded_amount = (self.refunded_amount or Decimal()) + amount
        self.state, self.until, self.suspended = state, until, suspended
        self.decided, self.decided_since = dict(self.facts), True

    def reopen(self) -> None:
        """A run takes the decision back. Only the clock of a confirmed overpayment runs on."""
        if self.state in SETTLED:
            self.identified = None
        self.state, self.until = "open", None


@dataclass
class Recorded:
    """What one run has to say."""

    marks: dict[Key, tuple[str, str | None]] = field(default_factory=dict)
    announced: int = 0
    waiting: int = 0
    settled: int = 0
    money: dict[str, float] = field(default_factory=dict)
    after_decisions: dict[str, int] = field(default_factory=dict)
    work: dict[str, tuple[int, int, float]] = field(default_factory=dict)

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
        self.last: dict[Key, tuple[str, str | None]] = {}

    def ledger_run(self, folder: Path, *, again: bool = False) -> Recorded:
        """One published run. Returns its marks by case, each with the reason of `not_seen`.

        `again`: with the inputs and settings of the run before it, whose marks it repeats where nobody decided since.
        """
        reported = Recorded()
        summary = json.loads((folder / "summary.json").read_text())
        today = datetime.fromisoformat(summary["started"]).date()
        claims = {claim_key(row): row for row in pl.read_parquet(folder / "claims.parquet").to_dicts()}
        evaluated = {rule["code"]: rule["evaluated"] for rule in summary["rules"]}
        found = {(*claim_key(row), row["rule"]): row for row in pl.read_parquet(folder / "findings.parquet").to_dicts()}
        for key, row in found.items():
            mark = self._found(key, row, summary["run_id"], today)
            reported.announced += mark in ("new", "worse", "reopened")
            repeated = again and mark == "persisting" and not self.cases[key].decided_since
            reported.marks[key] = self.last[key] if repeated else (mark, None)
        there = records(summary["inputs"])
        for key in self.cases.keys() - found.keys():
            if mark := self._gone(key, claims, evaluated, there):
                reported.marks[key] = mark
            elif again and self.last.get(key) == ("resolved", None) and not self.cases[key].decided_since:
                reported.marks[key] = self.last[key]
        self._remember(reported, claims, evaluated, datetime.fromisoformat(summary["coverage"]["as_of"]),
                       summary["settings"]["policy"]["horizon_days"])  # fmt: skip
        self._count(reported, set(found))
        self.last = reported.marks
        for case in self.cases.values():
            case.decided_since = False
        return reported

    def left(self, claim: Claim, amount: Decimal | None) -> Decimal | None:
        """What is left of a claim's amount after the refunds for it."""
        refunds = sum(
            (case.refunded_amount or Decimal() for key, case in self.cases.items() if key[:3] == claim), Decimal()
        )
        return None if amount is None else max(Decimal(), amount - refunds)

    def _count(self, reported: Recorded, found: set[Key]) -> None:
        """Money, claims and work, once people's decisions count."""
        money = dict.fromkeys(("at_risk", "review", "this_run", "not_returned"), Decimal())
        counts = dict.fromkeys(("violation", "review", "dismissed", "settled", "settled_findings"), 0)
        for claim in {key[:3] for key in found}:
            cases = [self.cases[key] for key in found if key[:3] == claim]
            amount = cases[0].amount or Decimal()
            left = self.left(claim, amount) or Decimal()
            strongest = {case.outcome for case in cases}
            money["this_run"] += amount if "violation" in strongest else 0
            counts["settled_findings"] += sum(case.state in SETTLED for case in cases)
            open_ = {case.outcome for case in cases if case.state not in SETTLED}
            refunded = {case.outcome for case in cases if case.state == "refunded"}
            counts["settled"] += not open_
            counts["dismissed"] += {case.state for case in cases} == {"dismissed"}
            if not open_ and "corrected" not in {case.state for case in cases}:
                money["not_returned"] += left if refunded else 0
                owed = refunded
            else:
                owed = open_
            for outcome, name in (("violation", "at_risk"), ("review", "review")):
                if outcome in owed:
                    money[name] += left
                    break
            for outcome in ("violation", "review"):
                if outcome in open_:
                    counts[outcome] += 1
                    break
        reported.money = {name: float(value) for name, value in money.items()}
        reported.money["returned"] = float(sum(case.refunded_amount or Decimal() for case in self.cases.values()))
        reported.after_decisions = counts
        shown = {key: case for key, case in self.cases.items() if case.state != "open" or key in found}
        for state in STATES:
            claims = {key[:3] for key, case in shown.items() if case.state == state}
            first = {claim for claim in claims if state == min(
                (case.state for key, case in shown.items() if key[:3] == claim), key=STATES.index)}  # fmt: skip
            last = {key[:3]: case.amount for key, case in sorted(shown.items(), key=lambda item: item[1].last_run)}
            reported.work[state] = (sum(case.state == state for case in shown.values()), len(claims),
                                    float(sum(last[claim] or Decimal() for claim in first)))  # fmt: skip

    def _found(self, key: Key, row: dict[str, Any], run: str, today: date) -> str:
        facts = {name: row[name] for name in FACTS}
        case = self.cases.get(key)
        if case is None:
            self.cases[key] = Case(facts, run, run)
            return "new"
        decided = case.state != "open"
        overtaken = decided and (worse(case.decided, facts) or other_record(case.decided, facts))
        lapsed = case.until is not None and today > case.until
        if case.gone or overtaken or lapsed:
            mark = "reopened"
            if overtaken or case.state != "confirmed":
                case.reopen()
        elif facts == case.facts:
            mark = "persisting"
        else:
            mark = "worse" if not decided and worse(case.facts, facts) else "changed"
        case.facts, case.last_run, case.gone = facts, run, False
        return mark

    def _gone(
        self, key: Key, claims: dict[Claim, dict[str, Any]], evaluated: dict[str, bool], there: set[tuple[str, str]]
    ) -> tuple[str, str | None] | None:
        case, rule = self.cases[key], key[3]
        if case.gone:
            return None  # told once
        claim = claims.get(key[:3])
        if claim is None:
            return "not_seen", "claim not audited"
        if not evaluated[rule]:
            return "not_seen", "rule not evaluated"
        if rule in claim["unknowns"]:
            return "not_seen", "rule could not be decided"
        if rule in claim["not_applicable"] or claim["disposition"] == "not_applicable":
            return "not_seen", "rule does not apply"
        related = case.facts["related_kind"], case.facts["related_id"]
        if related[1] is not None and related not in there:
            return "not_seen", "its related record is no longer in the export"
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
    before, after = amount_of(was), amount_of(now)
    return before is not None and after is not None and after > before


def other_record(was: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether a finding rests on another record than the one that was decided."""
    return now["related_id"] is not None and any(was[name] != now[name] for name in ("related_kind", "related_id"))


def amount_of(facts: dict[str, Any]) -> Decimal | None:
    """What was paid, else billed."""
    amount: Decimal | None = facts["billed_amount"] if facts["paid_amount"] is None else facts["paid_amount"]
    return amount


def claim_key(row: dict[str, Any]) -> Claim:
    """What makes a claim line one."""
    return row["claim_id"], row["claim_line"], row["cpt_code"]
