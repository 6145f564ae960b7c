"""Synthetic exports of any size with a planted, known answer.

One patient carries one case of the catalogue (`auditor.synthetic.scenarios`) in a slot of a provider's day that no other
patient of that provider uses: patients never meet, so the expected outcomes hold by construction. Rows are made a chunk
of patients at a time and appended, so memory does not grow with the size. Equal (claims, seed) give equal bytes. All
people, identifiers and amounts are invented.
"""

from __future__ import annotations

import json
import random
from bisect import bisect
from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import accumulate, count, islice
from pathlib import Path
from typing import Any

import polars as pl

from auditor import policy as policies
from auditor.rules import SHIPPED
from auditor.rules.phone_log import NEEDS as OF_PHONE_LOG
from auditor.synthetic import rows as generated
from auditor.synthetic import scenarios as cases
from auditor.synthetic.templates import ABSENT_ROLE, COMMON_ROLES, ROLES, frame
from auditor.zones import zone

CHUNK = 4_000  # patients
SLOTS = 10  # hours of a provider's day from 09:00, one patient each
FIRST_ANCHOR, ANCHOR_DAYS = date(2025, 10, 1), 232  # every window of an unpinned case lies inside the export
CLOCK_CHANGES = {date(2025, 11, 2), date(2026, 3, 8)}
THIN, WITH_CLAIMS, MOST = 1_000, 1_000, 10_000_000  # below THIN claims less context, to WITH_CLAIMS also the variant
PLAIN = Counter({("claims", "audited"): 1, ("claims", "clear"): 1})


def write(folder: Path, claims: int, seed: int, *, formats: tuple[str, ...] = ("csv", "parquet")) -> dict[str, Any]:
    """Write synthetic exports with exactly `claims` audited claims and return the expected tally.

    Files: calls, visits and providers in each format, policy.toml, expected.json (the returned value),
    expected_claims.csv and expected_findings.csv; up to 1,000 claims also with_claims/, each case that needs a claims
    table once, with its own expected files. About 10 calls and 30 visits a claim (4 and 9 below 1,000 claims). The
    catalogue's faults come first, then its clear cases, then a mix of which about 80% is clear: from 125 claims on
    every case is present. Existing files of these names are replaced.

    Raises ValueError for claims outside 1..10,000,000 or a format other than csv and parquet, OSError where the folder
    is not writable.

    Source: docs/specification.md#rules.
    """
    if not 1 <= claims <= MOST:
        raise ValueError(f"claims must be from 1 to {MOST:,}, not {claims:,}")
    if unknown := set(formats) - {"csv", "parquet"}:
        raise ValueError(f"formats are csv and parquet, not {', '.join(sorted(unknown))}")
    tally = _export(folder, cases.load("scenario"), claims, seed, formats, table=False)
    if claims <= WITH_CLAIMS:
        catalogue = cases.load("with_claims")
        once = sum(scenario.claims for scenario in catalogue.scenarios)
        _export(folder / "with_claims", catalogue, once, seed, formats, table=True)
    return tally


def _export(
    folder: Path, catalogue: cases.Catalogue, claims: int, seed: int, formats: tuple[str, ...], *, table: bool
) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    drawn: Counter[int] = Counter()
    opened = [generated.Opened(0, role) for role in range(len(COMMON_ROLES))]
    patients = _patients(catalogue.scenarios, claims, seed, opened)
    around = cases.context(table=table, thin=claims < THIN)
    with generated.Files(folder, formats) as files:
        first = generated.Patient(0, 0, datetime.combine(cases.VISITS_SINCE, time()), 0, 0)
        _append(files, cases.edges(table=table), None, generated.frame([first]), table=table)
        files.append("providers", generated.providers(opened))
        opened.clear()
        while chunk := list(islice(patients, CHUNK)):
            here = generated.frame(chunk)
            _append(files, catalogue, around, here, table=table)
            files.append("providers", generated.providers(opened))
            files.append("expected_claims", generated.expected_claims(catalogue.rows["claims"], here))
            files.append("expected_findings", generated.expected_findings(catalogue.rows["findings"], here))
            drawn.update(patient.scenario for patient in chunk)
            opened.clear()
    tally = _tally(catalogue.scenarios, drawn, table=table)
    tally["rows"] = {name: rows for name, rows in files.rows.items() if not name.startswith("expected")}
    (folder / "policy.toml").write_text(f'timezone = "{generated.TIMEZONE}"\n', encoding="utf-8")
    (folder / "expected.json").write_text(json.dumps(tally, indent=2) + "\n", encoding="utf-8")
    return tally


def _append(
    files: generated.Files, planted: cases.Catalogue, around: cases.Catalogue | None, here: pl.DataFrame, *, table: bool
) -> None:
    everyone = here.with_columns(scenario=pl.lit(0, pl.Int64))
    for name in ("calls", "visits", "lines") if table else ("calls", "visits"):
        rows = generated.joined(frame(planted.rows[name], name), here, name)
        if around:
            context = generated.joined(frame(around.rows[name], name), everyone, name)
            rows = pl.concat([rows, generated.inside(context, name)])
        files.append("claims" if name == "lines" else name, generated.finished(rows, name, text=table))


def _patients(
    scenarios: list[cases.Scenario], claims: int, seed: int, opened: list[generated.Opened]
) -> Iterator[generated.Patient]:
    """Draw patients until their claims are exactly `claims`; providers that come with a patient join `opened`."""
    rng = random.Random(seed)
    weights = list(accumulate(scenario.weight for scenario in scenarios))
    plain = next(i for i, scenario in enumerate(scenarios) if scenario.tally == PLAIN)
    blocks, taken, shared = count(1), 0, 0
    for n in count(1):
        if not claims:
            return
        mix, hour, position, salt = (rng.random() for _ in range(4))
        number = n - 1 if n <= len(scenarios) else bisect(weights, mix * weights[-1])
        number = number if scenarios[number].claims <= claims else plain
        case = scenarios[number]
        if case.alone:
            slot, block = int(hour * SLOTS), next(blocks)
        else:
            taken, slot = taken + 1, taken % SLOTS
            block = shared = shared if slot else next(blocks)
        if case.alone or not slot:
            opened += [generated.Opened(block, list(ROLES).index(role)) for role in case.roles if role != ABSENT_ROLE]
        day = case.date or FIRST_ANCHOR + timedelta(days=int(position * ANCHOR_DAYS))
        if case.exact and day + timedelta(days=1) in CLOCK_CHANGES:
            day += timedelta(days=7)
        claims -= case.claims
        anchor = datetime.combine(day, case.time or time(9 + slot))
        yield generated.Patient(n, number, anchor, block, int(salt * 1_000_000))


def _tally(scenarios: list[cases.Scenario], drawn: Counter[int], *, table: bool) -> dict[str, Any]:
    """Add up what each case is known to give, once for each patient that carries it."""
    counts: Counter[tuple[str, str]] = Counter()
    money = {"at_risk": Decimal(0), "review": Decimal(0)}
    for number, times in drawn.items():
        counts.update({key: count * times for key, count in scenarios[number].tally.items()})
        for part, amount in scenarios[number].money.items():
            money[part] += amount * times
    in_force = [rule for rule in SHIPPED if rule.is_on(policies.load()) and rule.needs != OF_PHONE_LOG]
    evaluated = [rule.code for rule in in_force if table or rule.code != "INT001"]
    days = [cases.VISITS_SINCE + timedelta(days=number) for number in (0, cases.CLAIMS_SINCE_DAY, cases.AS_OF_DAY)]
    as_of = datetime.combine(days[2], time(), zone(generated.TIMEZONE)) + timedelta(minutes=cases.AS_OF_MINUTE)
    outcomes = ("violation", "review", "unknown")
    states = ("audited", "violation", "review", "incomplete", "clear", "void", "denied")
    return {
        "claims": {state: counts["claims", state] for state in states},
        "rules": {rule: {outcome: counts[rule, outcome] for outcome in outcomes} for rule in evaluated},
        "coverage": {
            name: day.isoformat()
            for name, day in (("as_of", as_of), ("visits_since", days[0]), ("claims_since", days[1]))
        },
        "money": {part: str(amount) for part, amount in money.items()},
    }
