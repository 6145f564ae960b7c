"""The auditor's whole verdicts beside the reference's, for one world."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from auditor import policy as policies
from auditor.policy import Period
from auditor.result import Result
from auditor.rules import select
from auditor.rules.rule import Outcome
from auditor.settings import Settings
from tests import reference
from tests.reference import Table, World
from tests.support.engines import audited_here

TABLES = ("calls", "visits", "claims", "providers", "phone_log")
Verdicts = dict[tuple[str, str, str], dict[str, Any]]


def tables_of(world: World) -> dict[str, Table]:
    return {name: table for name in TABLES if (table := getattr(world, name)) is not None}


def write_csv(table: Table, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(table.columns)
        writer.writerows([row.get(column, "") for column in table.columns] for row in table.rows)


def write_parquet(table: Table, path: Path) -> None:
    """Text columns, blanks as nulls."""
    columns = {name: [row.get(name) or None for row in table.rows] for name in table.columns}
    pl.DataFrame(columns, schema=dict.fromkeys(table.columns, pl.String)).write_parquet(path)


def _changed(policy: policies.Policy, given: Mapping[str, Any]) -> policies.Policy:
    """The policy under settings of a world."""
    return policy.model_copy(
        update={
            "dst": given.get("dst") or "reject",
            "relatedness": given.get("relatedness", "evidence"),
            "horizon_days": given.get("horizon_days", 14),
            "severity": given.get("severity", {}),
            "coverage": policy.coverage.model_copy(update={"holes": given.get("holes", "unknown")}),
            "duration": policy.duration.model_copy(update={"cumulative": given.get("cumulative", "ask")}),
            "credentials": policy.credentials.model_copy(update={"may_report_em": given.get("may_report_em", "clear")}),
            "required": policy.required.model_copy(
                update={key: given[key] for key in ("consent", "modifiers", "place_of_service") if key in given}
            ),
            "phone_log": policy.phone_log.model_copy(update={"users": given.get("phone_users", {})}),
            "frequency": policy.frequency.model_copy(update={"anchor": given.get("anchor", "unflagged")}),
            "lookahead": policy.lookahead.model_copy(
                update={
                    "unrelated_supports": given.get("unrelated_supports_lah001", True),
                    "hours": given.get("lookahead_hours", 24),
                }
            ),
        }
    )


def settings_of(world: World, paths: Mapping[str, tuple[str, ...]]) -> Settings:
    given = world.settings
    policy = policies.load("default", select, given.get("timezone", "UTC"))
    policy = _changed(policy, given)
    own = {name: _changed(policy, given | settings).model_copy(update={"name": name})
           for name, settings in given.get("policies", {}).items()}  # fmt: skip
    periods = {
        payer: tuple(Period.model_validate({"policy": name, "from": first, "to": last}) for name, first, last in listed)
        for payer, listed in given.get("payers", {}).items()
    }
    policy = policy.model_copy(update={"payers": periods, "policies": own})
    options = ("as_of", "visits_since", "claims_since", "service_from", "service_to")
    return Settings(
        paths=paths,
        policy=policy,
        **{name: given.get(name) for name in options},
        codes=tuple(given.get("codes", ("98968",))),
        required=(),
        max_rejects="100%",
        allow_empty=True,
        allow_unjoined=True,
    )


def written(world: World, folder: Path, suffix: str = "csv") -> dict[str, tuple[str, ...]]:
    """The paths of the world's tables, written to a folder."""
    paths = {}
    for name, table in tables_of(world).items():
        path = folder / f"{name}.{suffix}"
        (write_csv if suffix == "csv" else write_parquet)(table, path)
        paths[name] = (str(path),)
    return paths


def run(world: World, folder: Path, suffix: str = "csv") -> Result:
    settings = settings_of(world, written(world, folder, suffix))
    return audited_here(settings)


def verdicts(result: Result) -> Verdicts:
    """Claim key → its facts, and rule → (outcome, related kind, id, count, gap, basis)."""
    reported: Verdicts = {}
    outcomes = {row.pop("line"): row for row in result.outcomes.to_dicts()}
    for claim in result.claims.to_dicts():
        key = (claim["claim_id"], claim["claim_line"], claim["cpt_code"])
        facts = {
            name: claim[name]
            for name in ("patient_id", "provider_id", "service_date", "minutes", "minutes_source", "supportable_code",
                         "disposition", "at_risk_amount", "review_amount")
        }  # fmt: skip
        facts["call_ids"] = tuple(claim["call_ids"])
        rules = outcomes[claim["line"]].items()
        reported[key] = facts | {rule: (Outcome(code).label, None, None, None, None, None) for rule, code in rules}
    for row in result.findings.to_dicts():
        key = (row["claim_id"], row["claim_line"], row["cpt_code"])
        reported[key][row["rule"]] = (
            row["outcome"], row["related_kind"], row["related_id"], row["related_count"], row["gap_days"], row["basis"]
        )  # fmt: skip
    return reported


def expected(result: reference.Result) -> Verdicts:
    reported: Verdicts = {}
    for key, claim in result.claims.items():
        facts = {
            name: getattr(claim, name)
            for name in ("patient_id", "provider_id", "service_date", "minutes", "minutes_source", "supportable_code",
                         "disposition", "at_risk_amount", "review_amount", "call_ids")
        }  # fmt: skip
        reported[key] = facts | {
            rule: (v.outcome, v.related_kind, v.related_id, v.related_count, v.gap_days, v.basis)
            for rule, v in claim.outcomes.items()
        }
    return reported


def differences(world: World, result: Result) -> list[str]:
    """Every way in which the auditor and the reference differ on a world."""
    theirs = reference.audit(world)
    found = []
    ours_covered = {name: getattr(result.coverage, name) for name in ("as_of", "visits_since", "claims_since")}
    if ours_covered != theirs.coverage:
        found.append(f"coverage: {ours_covered} but expected {theirs.coverage}")
    if set(result.not_evaluated) != theirs.not_evaluated:
        found.append(f"not evaluated: {set(result.not_evaluated) ^ theirs.not_evaluated}")
    for name in tables_of(world):
        ours_rejected = sorted(result.inputs.tables[name].rejects["source_record"].to_list())
        if ours_rejected != sorted(record for record, _ in theirs.rejects.get(name, [])):
            found.append(f"{name} rejects: {ours_rejected} but expected {theirs.rejects.get(name)}")
    if dict(result.inactive) != {"void": theirs.void, "denied": theirs.denied}:
        found.append(f"inactive: {dict(result.inactive)} but expected {theirs.void}, {theirs.denied}")
    ours, other = verdicts(result), expected(theirs)
    if ours.keys() != other.keys():
        return [*found, f"claims: {sorted(ours)} but expected {sorted(other)}"]
    for key in other:
        for name in other[key].keys() | ours[key].keys():
            if ours[key].get(name) != other[key].get(name):
                found.append(f"{key} {name}: {ours[key].get(name)} but expected {other[key].get(name)}")
    return found


def reaching(visits: Table, day: str) -> Table:
    """The visits, and one of nobody on that day: the export reaches it, and so may `--as-of`."""
    columns = tuple(dict.fromkeys([*visits.columns, "visit_id", "patient_id", "visit_start"]))
    last = {"visit_id": "the last", "patient_id": "nobody", "visit_start": f"{day} 12:00"}
    return Table(columns, (*visits.rows, last))
