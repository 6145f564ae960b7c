"""The catalogue of planted cases (scenarios.toml) and the ordinary rows around them.

Every expected outcome is written by hand in the catalogue from docs/specification.md#rules; only dispositions and tallies
are derived here.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal
from pathlib import Path

from auditor.synthetic import templates
from auditor.synthetic.templates import AUDITED, COMMON_ROLES, SCHEMAS, Row

VISITS_SINCE = date(2025, 7, 1)
CLAIMS_SINCE_DAY, AS_OF_DAY, AS_OF_MINUTE = 5, 363, 17 * 60 + 30  # from VISITS_SINCE: 2025-07-06, and 2026-06-29 17:30
INACTIVE = {"voided": "void", "reversed": "void", "Rejected": "denied", "denied": "denied"}


@dataclass(frozen=True, slots=True)
class Scenario:
    """One case: its share of patients, how it is pinned in time, its claims, what it adds to the expected tally."""

    name: str
    weight: int
    date: date | None
    time: time | None
    exact: bool
    roles: str
    claims: int
    tally: Counter[tuple[str, str]]
    money: dict[str, Decimal]

    @property
    def alone(self) -> bool:
        """Whether it needs providers of its own: a pinned time of day could meet another patient's slot."""
        return self.time is not None or self.roles != COMMON_ROLES


@dataclass(slots=True)
class Catalogue:
    """Scenarios, each numbered by its index, and the template rows of calls, visits, lines, findings and claims."""

    scenarios: list[Scenario] = field(default_factory=list)
    rows: dict[str, list[Row]] = field(default_factory=lambda: {table: [] for table in SCHEMAS})


def load(section: str) -> Catalogue:
    """Compile one section of the catalogue: `scenario` (billing on the calls) or `with_claims` (a claims table).

    Raises KeyError or ValueError for a malformed catalogue, which is part of the package and covered by tests.
    """
    cases = tomllib.loads((Path(__file__).parent / "scenarios.toml").read_text(encoding="utf-8"))[section]
    catalogue = Catalogue()
    for number, case in enumerate(sorted(cases, key=lambda case: "expect" not in case)):  # small samples: faults first
        _compile(catalogue, number, case, table=section == "with_claims")
    return catalogue


def context(*, table: bool, thin: bool) -> Catalogue:
    """Return the rows that surround every case and change no answer, as scenario 0.

    Ten calls and 34 visits a patient (thin: 3 and 9), those outside the export's year are dropped later: the patient's
    own, away from every window, and those of three neighbours. In a provider's slot cases use the minutes 0-39, context
    calls the minutes 40-59.
    """
    rows = Catalogue()
    purposes = ("scheduling", "clinical", "administrative", "follow_up")
    statuses = ("completed", "arrived", "cancelled", "no_show")
    blank = {"group_id": "", "specialty": "", "provider_credential": "", "doc_statement": "", "cpt_code": ""}
    for i in range(3 if thin else 10):
        own = i % 4 == 0
        row: Row = blank | {"who": i % 4, "day": -21 if own else 30, "spread": 60, "minute": 40, "len": 3 + i}
        row |= {"purpose": purposes[i % 4], "initiated_by": ("outgoing", "patient", "callback")[i % 3]}
        rows.rows["calls"].append(templates.call(0, 50 + i, row | {"problem_id": f"{i % 3:02}"}, table=table))
    for i in range(9 if thin else 34):
        day, spread = {4: (60, 15), 0: (-9, 240)}.get(i % 8, (40, 80))  # own after, own before, others'
        row = {"who": i % 4, "by": "AABC"[i % 4], "day": day, "spread": spread, "minute": 25 * (i % 12) - 120}
        row |= {"modality": ("in_person", "video", "telephone")[i % 3], "status": statuses[i % 7 % 4]}
        row |= {"cpt_codes": ("90834", "99213;36415", "", "97110|97140")[i % 4], "global_days": ("", "000")[i % 2]}
        row |= {"problem_id": f"{i % 3:02}", "diagnosis_codes": "F33.1 M54.50", "group_id": "", "specialty": ""}
        rows.rows["visits"].append(templates.visit(0, 50 + i, row))
    return rows


def edges(*, table: bool) -> Catalogue:
    """Return rows of a few patients, never audited, every nine days: they fix as_of, visits_since and claims_since."""
    rows = Catalogue()
    for i, day in enumerate(range(CLAIMS_SINCE_DAY, AS_OF_DAY, 9), 1):
        row: Row = {"day": day, "who": i % 4, "minute": 600, "len": 6, "purpose": "administrative", "cpt_code": ""}
        rows.rows["calls"].append(templates.call(0, i, row, table=table))
        if table:
            rows.rows["lines"].append(templates.line(0, {"day": day, "who": i % 4, "claim": i, "cpt_code": "99213"}))
    for i, (day, at) in enumerate([*((day, 570) for day in range(0, AS_OF_DAY, 9)), (AS_OF_DAY, AS_OF_MINUTE)], 1):
        rows.rows["visits"].append(templates.visit(0, i, {"day": day, "who": i % 4, "minute": at}))
    return rows


def _compile(catalogue: Catalogue, number: int, case: Row, *, table: bool) -> None:
    calls = [templates.call(number, i, row, table=table) for i, row in enumerate(case["calls"], 1)]
    visits = [templates.visit(number, i, row) for i, row in enumerate(case.get("visits", ()), 1)]
    lines = [templates.line(number, row) for row in case.get("lines", [{"call_id": "k1"}])] if table else []
    billed = {(row["claim"], row["claim_line"]): row for row in reversed(lines or calls) if row["cpt_code"]}
    audited = {key: row for key, row in billed.items() if row["cpt_code"] == AUDITED}
    active = {key: row for key, row in audited.items() if row["claim_status"] not in INACTIVE}
    findings = [_finding(number, text, billed) for text in case.get("expect", ())]
    claims = [_claim(number, key, findings) for key in sorted(active)]

    tally = Counter({("claims", "audited"): len(active)})
    tally.update(("claims", INACTIVE[row["claim_status"]]) for key, row in audited.items() if key not in active)
    tally.update(("claims", claim["disposition"]) for claim in claims)
    tally.update((finding["rule"], finding["outcome"]) for finding in findings)
    money = {"at_risk": Decimal(0), "review": Decimal(0)}
    for claim in claims:
        row = active[claim["claim"], claim["claim_line"]]
        if part := {"violation": "at_risk", "review": "review"}.get(claim["disposition"]):
            money[part] += row["billed_amount"] if row["paid_amount"] is None else row["paid_amount"]

    day = date.fromisoformat(case["date"]) if "date" in case else None
    clock = time.fromisoformat(case["time"]) if "time" in case else None
    roles = COMMON_ROLES + "".join(sorted({row.get("by", "A") for row in case["calls"]} - set(COMMON_ROLES)))
    exact, weight = case.get("exact", False), case.get("weight", 0)
    catalogue.scenarios.append(Scenario(case["name"], weight, day, clock, exact, roles, len(active), tally, money))
    found = [finding for finding in findings if finding["outcome"] != "unknown"]
    for name, rows in zip(SCHEMAS, (calls, visits, lines, found, claims), strict=True):
        catalogue.rows[name] += rows


def _finding(number: int, text: str, billed: dict[tuple[int, str], Row]) -> Row:
    """Read `[c2] RULE outcome [v1|k1|c1]`."""
    parts = text.split()
    claim = int(parts.pop(0)[1:]) if parts[0].startswith("c") else 1
    rule, outcome, *related = parts
    kind, key = (related[0][0], int(related[0][1:])) if related else (None, None)
    owner = {"scenario": number, "claim": claim, "claim_line": min(line for owner, line in billed if owner == claim)}
    return owner | {"rule": rule, "outcome": outcome, "kind": kind, "key": key}


def _claim(number: int, key: tuple[int, str], findings: list[Row]) -> Row:
    mine = [finding for finding in findings if (finding["claim"], finding["claim_line"]) == key]
    worst = next((o for o in ("violation", "review", "unknown") if o in {f["outcome"] for f in mine}), "clear")
    unknowns = ";".join(sorted(finding["rule"] for finding in mine if finding["outcome"] == "unknown"))
    disposition = "incomplete" if worst == "unknown" else worst
    claim = {"scenario": number, "claim": key[0], "claim_line": key[1]}
    return claim | {"disposition": disposition, "unknowns": unknowns or None}
