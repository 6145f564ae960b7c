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
from auditor.cases.night import Night
from auditor.choices import ALARMS, GONE
from auditor.judging.findings import AMOUNT, KEYS
from auditor.reports.summary import amounts_by_rule, money_of
from auditor.reports.tables import DISMISSED, URGENT


def with_decisions(
    connection: sqlite3.Connection, result: Result, summary: dict[str, Any], night: Night
) -> tuple[Result, dict[str, Any]]:
    """The result, whose findings say what the ledger says of them, and the summary without dismissed findings."""
    findings = _marked(result.findings, night.cases)
    claims = _claims(findings, result.claims)
    counts, money = _counts(claims), money_of(claims)
    work = night.in_summary | {
        "tonight": {mark: tally(findings.filter(URGENT, mark=mark)) for mark in ALARMS},
        "work": _work(connection, night.cases),
    }
    told = {
        "standing": summary["standing"] | counts | {"incomplete": summary["standing"]["incomplete"] + _left(claims)},
        "money": money,
        "rules": _rules(summary["rules"], findings),
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
    stands = (pl.col("outcome") == "violation") & ~DISMISSED
    first = pl.struct(*KEYS, stands).is_first_distinct() & stands
    return rows.with_columns(at_risk_amount=pl.when(first).then(AMOUNT)).select(columns)


def _claims(findings: pl.DataFrame, claims: pl.DataFrame) -> pl.DataFrame:
    """One row per claim with findings: how many of them are dismissed, what still stands, its amount, its unknown rules."""
    stands = pl.col("outcome").filter(~DISMISSED)
    rows = findings.group_by(KEYS).agg(
        pl.col("paid_amount", "billed_amount").first(),
        dismissed=DISMISSED.sum(),
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


def _rules(rules: list[dict[str, Any]], findings: pl.DataFrame) -> list[dict[str, Any]]:
    """The rules of a summary, with how many of their findings are dismissed, and the amounts of the others."""
    amounts = amounts_by_rule(findings.filter(~DISMISSED))
    dismissed = dict(findings.filter(DISMISSED).group_by("rule").len().iter_rows())
    return [rule | amounts[rule["code"]] | {"dismissed": dismissed.get(rule["code"], 0)} for rule in rules]


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
