"""What stands once people's decisions count: findings with marks and states, and numbers without dismissed ones.

A verdict stays what it is: `claims` in the summary and the table of claims do not change. Source: SPEC.md section 7.
"""

import sqlite3
from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl

from auditor.audit import Result
from auditor.cases import book
from auditor.cases.night import ALARMS, AMOUNT, GONE, Night
from auditor.judging.findings import KEYS
from auditor.reports.summary import money_of

_DISMISSED = (pl.col("state") == "dismissed").fill_null(False)


def with_decisions(
    connection: sqlite3.Connection, result: Result, summary: dict[str, Any], night: Night
) -> tuple[Result, dict[str, Any]]:
    """The result, whose findings say what the ledger says of them, and the summary without dismissed findings."""
    findings = _marked(result.findings, night.cases)
    claims = _claims(findings, result.claims)
    counts, money = _counts(claims), money_of(claims)
    rules = _by_rule(findings)
    work = night.in_summary | {
        "tonight": {mark: tally(findings.filter(~_DISMISSED, mark=mark)) for mark in ALARMS},
        "work": _work(connection, night.cases),
    }
    told = {
        "standing": summary["standing"] | counts | {"incomplete": summary["standing"]["incomplete"] + _left(claims)},
        "money": money,
        "rules": [rule | rules.get(rule["code"], {}) for rule in summary["rules"]],
        "ledger": work,
    }
    return replace(result, findings=findings), summary | told


def tally(rows: pl.DataFrame) -> dict[str, Any]:
    """Findings or cases, their claims, and the claims' amounts, each once."""
    claims = rows.unique(KEYS)
    return {"findings": rows.height, "claims": claims.height, "amount": float(claims.select(AMOUNT.sum()).item())}


def _marked(findings: pl.DataFrame, cases: pl.DataFrame) -> pl.DataFrame:
    """The findings with mark, case and state; the claim's amount stands on its first violation that is not dismissed."""
    known = cases.select(*KEYS, "rule", "mark", "state", case="number")
    columns = findings.columns
    rows = findings.drop("mark", "case", "state").join(known, on=[*KEYS, "rule"], how="left", maintain_order="left")
    stands = (pl.col("outcome") == "violation") & ~_DISMISSED
    first = pl.struct(*KEYS, stands).is_first_distinct() & stands
    return rows.with_columns(at_risk_amount=pl.when(first).then(AMOUNT)).select(columns)


def _claims(findings: pl.DataFrame, claims: pl.DataFrame) -> pl.DataFrame:
    """One row per claim with findings: how many of them are dismissed, what still stands, its amount, its unknown rules."""
    stands = pl.col("outcome").filter(~_DISMISSED)
    rows = findings.group_by(KEYS).agg(
        pl.col("paid_amount", "billed_amount").first(),
        dismissed=_DISMISSED.sum(),
        stands=pl.when((stands == "violation").any()).then(pl.lit("violation"))
        .when(stands.len() > 0).then(pl.lit("review")).otherwise(pl.lit("dismissed")),
    )  # fmt: skip
    return rows.join(claims.select(*KEYS, "unknowns"), on=KEYS, how="left")


def _counts(claims: pl.DataFrame) -> dict[str, Any]:
    counted = {name: claims.filter(stands=name).height for name in ("violation", "review", "dismissed")}
    amount = claims.filter(stands="dismissed").select(AMOUNT.sum()).item()
    return counted | {"dismissed_findings": int(claims["dismissed"].sum()), "dismissed_amount": float(amount)}


def _left(claims: pl.DataFrame) -> int:
    """Claims whose findings are all dismissed, and of which a rule could not be decided."""
    return claims.filter((pl.col("stands") == "dismissed") & (pl.col("unknowns").list.len() > 0)).height


def _by_rule(findings: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Of each rule with findings: how many are dismissed, and the amounts of the others."""
    sums = findings.group_by("rule").agg(
        dismissed=_DISMISSED.sum(),
        **{f"{name}_amount": AMOUNT.filter(~_DISMISSED & (pl.col("outcome") == name)).sum().cast(pl.Float64)
           for name in ("violation", "review")},
    )  # fmt: skip
    return {row.pop("rule"): row for row in sums.to_dicts()}


def _work(connection: sqlite3.Connection, cases: pl.DataFrame) -> dict[str, Any]:
    """What is left to do: cases that are still found; confirmed ones whatever became of them, with the next deadline."""
    found = cases.filter(~pl.col("mark").is_in(GONE))
    confirmed = book.listed(connection, state="confirmed").with_columns(
        pl.col("paid_amount", "billed_amount").cast(pl.Decimal(18, 2))
    )
    due: date | None = confirmed["due"].min()  # type: ignore[assignment]
    return {
        "open": tally(found.filter(state="open")),
        "confirmed": tally(confirmed) | {"next_due": due.isoformat() if due else None},
        "dismissed": tally(found.filter(state="dismissed")),
    }
