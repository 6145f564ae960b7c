"""What stands once people's decisions count: findings with marks and states, and numbers without settled findings.

A verdict stays what it is: the counts of `claims` in the summary and the dispositions do not change; amounts at risk do.
Source: docs/specification.md#decisions.
"""

import sqlite3
from collections import Counter
from dataclasses import replace
from datetime import date
from typing import Any

import polars as pl

from auditor.cases import queries
from auditor.cases.ledger_update import LedgerUpdate
from auditor.cases.states import DOLLARS, STATES
from auditor.choices import ALARMS, GONE, SETTLED
from auditor.judging.findings import AMOUNT, KEYS
from auditor.reports.summary import amounts_by_rule, money_of, past_lookback_of, payers_of
from auditor.reports.tables import IS_SETTLED, URGENT
from auditor.result import Result
from auditor.run_summary import AfterDecisions, LedgerPart, RuleResult, Summary, Tally, UncheckedCases
from auditor.runs import past

_ORDER = pl.Enum(STATES)


def with_decisions(
    connection: sqlite3.Connection, result: Result, summary: Summary, update: LedgerUpdate
) -> tuple[Result, Summary]:
    """The result, with what the ledger says of its findings and what is still at risk, and the summary after decisions."""
    decided = queries.list_cases(connection, decided=True)
    decided = decided.with_columns(pl.col("paid_amount", "billed_amount", "refunded_amount").cast(DOLLARS))
    findings = result.findings.drop("mark", "case_number", "state").join(
        update.cases.select(*KEYS, "rule", "mark", "state", case_number="number"), on=[*KEYS, "rule"], how="left",
        maintain_order="left",
    )  # fmt: skip
    refunds = decided.group_by(KEYS).agg(refunded=pl.col("refunded_amount").sum())
    claims = _claims(findings, result.claims, refunds)
    findings = _at_risk(findings, claims).select(result.findings.columns)
    changes = {
        "after_decisions": summary.after_decisions.model_copy(update=_counts(claims, summary.after_decisions)),
        "money": summary.money.model_copy(update=_money(claims, decided)),
        "rules": _rules(summary.rules, findings),
        "ledger": LedgerPart(
            **update.in_summary,
            this_run={mark: tally(findings.filter(URGENT, mark=mark)) for mark in ALARMS},
            work=_work(decided, update.cases),
            unchecked=(unchecked := _unchecked(update.cases, summary)),
        ),
    }
    if unchecked.is_alarming:
        changes["warnings"] = [unchecked.sentence, *summary.warnings]
    left = claims.select(*KEYS, at_risk_amount="at_risk", review_amount="to_review")
    audited = result.claims.update(left, on=list(KEYS), include_nulls=True)
    changes |= past_lookback_of(audited, summary)
    if summary.payers:
        changes["payers"] = payers_of(audited, findings)
    return replace(result, findings=findings, claims=audited), summary.model_copy(update=changes)


def _unchecked(cases: pl.DataFrame, summary: Summary) -> UncheckedCases:
    """Open cases whose claim was not audited, or whose rule was not evaluated, by whether the run covers their date."""
    first, last = summary.audited_dates
    open_cases = cases.filter(pl.col("state") == "open", pl.col("mark") != "resolved").with_columns(
        inside=pl.col("service_date").is_between(first, last),
        unchecked=(pl.col("mark") == "not_seen")
        & pl.col("why").str.contains("^(claim not audited|rule not evaluated)"),
    )
    inside, outside = open_cases.filter("inside"), open_cases.filter(~pl.col("inside"))
    return UncheckedCases(
        inside=int(inside["unchecked"].fill_null(False).sum()),
        of=inside.height,
        outside=int(outside["unchecked"].fill_null(False).sum()),
    )


def tally(rows: pl.DataFrame) -> Tally:
    """Findings or cases, their claims, and the claims' amounts, each once."""
    claims = rows.filter(pl.struct(KEYS).is_first_distinct())
    return Tally(findings=rows.height, claims=claims.height, amount=float(claims.select(AMOUNT.sum()).item()))


def _claims(findings: pl.DataFrame, claims: pl.DataFrame, refunds: pl.DataFrame) -> pl.DataFrame:
    """One row per claim with findings, after decisions.

    `remaining`: violation or review of what is not settled, else the first of its states; `left`: its amount less refunds;
    `at_risk` and `to_review`: what is at risk and under review of that, null where nothing is, 0 where it is settled.
    """
    outcome, state = pl.col("outcome"), pl.col("state").cast(_ORDER)
    remaining, refunded = outcome.filter(~IS_SETTLED), outcome.filter(state == "refunded")
    rows = findings.group_by(KEYS).agg(
        amount=AMOUNT.first(),
        paid_amount=pl.col("paid_amount").first(),
        billed_amount=pl.col("billed_amount").first(),
        violation=(outcome == "violation").any(),
        settled=IS_SETTLED.sum(),
        dismissed=(pl.col("state") == "dismissed").sum(),
        settled_as=state.min().cast(pl.String),
        remainder=pl.when((refunded == "violation").any()).then(pl.lit("violation")).otherwise(pl.lit("review")),
        remaining=pl.when((remaining == "violation").any()).then(pl.lit("violation"))
        .when(remaining.len() > 0).then(pl.lit("review")),
    )  # fmt: skip
    rows = rows.join(refunds, on=KEYS, how="left").join(claims.select(*KEYS, "unknowns"), on=KEYS, how="left")
    left = pl.max_horizontal(pl.col("amount") - pl.col("refunded").fill_null(0), pl.lit(0, DOLLARS)).cast(DOLLARS)
    left = pl.when(pl.col("amount").is_not_null()).then(left)
    rows = rows.with_columns(left=left, remaining=pl.coalesce("remaining", "settled_as"))
    owed = pl.when(remaining="refunded").then("remainder").otherwise("remaining")
    nothing = pl.when(pl.col("amount").is_not_null()).then(pl.lit(0, DOLLARS))
    return rows.with_columns(
        at_risk=pl.when(owed == "violation").then("left").when("violation").then(nothing),
        to_review=pl.when(owed == "review").then("left").when(~pl.col("violation")).then(nothing),
    )


def _at_risk(findings: pl.DataFrame, claims: pl.DataFrame) -> pl.DataFrame:
    """The findings with a claim's amount at risk on its first violation that is not settled, else that was refunded."""
    rows = findings.drop("at_risk_amount").join(claims.select(*KEYS, "remaining", at_risk_amount="at_risk"), on=KEYS,
                                                how="left", maintain_order="left")  # fmt: skip
    carries = (pl.col("outcome") == "violation") & (
        ~IS_SETTLED | ((pl.col("remaining") == "refunded") & (pl.col("state") == "refunded"))
    )
    first = pl.struct(*KEYS, carries).is_first_distinct() & carries
    return rows.with_columns(pl.when(first).then("at_risk_amount"))


def _counts(claims: pl.DataFrame, before: AfterDecisions) -> dict[str, Any]:
    """How many claims stand as what; those that are settled, of which a rule could not be decided, are incomplete."""
    counted = {name: claims.filter(remaining=name) for name in ("violation", "review", "dismissed")}
    settled = claims.filter(pl.col("remaining").is_in(SETTLED))
    return {name: rows.height for name, rows in counted.items()} | {
        "incomplete": before.incomplete + settled.filter(pl.col("unknowns").list.len() > 0).height,
        "dismissed_findings": int(claims["dismissed"].sum()),
        "dismissed_amount": float(counted["dismissed"]["amount"].sum()),
        "settled": settled.height,
        "settled_findings": int(claims["settled"].sum()),
    }


def _money(claims: pl.DataFrame, decided: pl.DataFrame) -> dict[str, Any]:
    sums = {
        "at_risk": claims["at_risk"],
        "review": claims["to_review"],
        "returned": decided["refunded_amount"],
        "not_returned": claims.filter(remaining="refunded")["left"],
    }
    return money_of(claims) | {name: float(amounts.sum()) for name, amounts in sums.items()}


def _rules(rules: list[RuleResult], findings: pl.DataFrame) -> list[RuleResult]:
    """The rules of a summary, with how many of their findings are settled, and the amounts of the others."""
    amounts = amounts_by_rule(findings.filter(~IS_SETTLED))
    dismissed, settled = (
        Counter(findings.filter(those)["rule"]) for those in (pl.col("state") == "dismissed", IS_SETTLED)
    )
    return [
        rule.model_copy(update=amounts[rule.code] | {"dismissed": dismissed[rule.code], "settled": settled[rule.code]})
        for rule in rules
    ]


def _work(decided: pl.DataFrame, cases: pl.DataFrame) -> dict[str, Tally]:
    """Cases by state: open ones that are still found, the others whatever became of them.

    A claim counts in each of its states, and its amount in the first of them.
    """
    columns = (*KEYS, "state", "paid_amount", "billed_amount", "due")
    open_ = cases.filter(~pl.col("mark").is_in(GONE), state="open")
    open_ = open_.with_columns(due=pl.lit(None, pl.Date), found=past.day_of("first_run"))
    rows = pl.concat([open_.select(columns), decided.filter(pl.col("state") != "open").select(columns)])
    order = pl.col("state").cast(_ORDER)
    first = rows.filter(order == order.min().over(KEYS))
    work = {
        state: tally(rows.filter(state=state)).model_copy(update={"amount": tally(first.filter(state=state)).amount})
        for state in STATES
    }
    if oldest := open_["found"].min():
        work["open"].oldest = oldest  # type: ignore[assignment]
    for state in ("open", "confirmed"):  # of open cases those that were confirmed, and reopened
        due: date | None = decided.filter(state=state)["due"].min()  # type: ignore[assignment]
        if due or state == "confirmed":
            work[state].next_due = due
    return work
