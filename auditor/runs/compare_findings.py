"""Findings that only one of two runs has, or that changed: what the other run says instead, why, and the cause."""

from datetime import date

import polars as pl

from auditor.judging.findings import CASE, KEYS
from auditor.run_summary import Summary
from auditor.runs.compare_causes import CHOSEN, Causes

UNEXPLAINED = "unexplained"
"""The cause where nothing recorded differs: a run folder was edited, or the audit was not repeatable."""

FACTS = ("patient_id", "provider_id", "service_date", "minutes", "billed_amount", "paid_amount", "supportable_code")
"""What findings say of their claim."""
RECORD = ("related_kind", "related_id", "related_at", "related_count", "gap_days", "gap_hours", "basis")
UNDECIDED = ("unknowns", "not_applicable")
_ABSENT, _SKIPPED = "not audited", "not evaluated"


def changed(first: pl.LazyFrame, second: pl.LazyFrame, causes: Causes) -> pl.LazyFrame:
    """Findings of both runs (CASE, outcome, FACTS, RECORD) that are not the same in both."""
    pairs = first.join(second, on=list(CASE), how="inner", suffix="_there", validate="1:1")
    rows = pairs.with_columns(what=_differing("outcome", *FACTS, *RECORD)).filter(pl.col("what").list.len() > 0)
    rows = rows.with_columns(there=pl.lit(""), reason=pl.lit(""), outside=False)
    return rows.select(*CASE, change=pl.lit("changed"), before="outcome", after="outcome_there", what="what",
                       why=pl.lit("in both runs"), cause=_cause(causes))  # fmt: skip


def missing_findings(
    found: pl.LazyFrame, claims: pl.LazyFrame, run: Summary, side: int, causes: Causes
) -> pl.LazyFrame:
    """Findings that a run has not: what it says instead and why; `differing` are the claim's facts that differ.

    `claims` are the run's (KEYS, FACTS, UNDECIDED), `side` is 0 for the first run and 1 for the second.
    """
    which = ("first", "second")[side]
    reasons = {rule: pair[side] for rule, pair in causes.rules.items()}
    audited_claims = claims.rename({name: f"{name}_there" for name in FACTS}).with_columns(audited=True)
    reason = pl.col("rule").replace_strict(list(reasons), list(reasons.values()), default=None, return_dtype=pl.String)
    rows = found.join(audited_claims, on=KEYS, how="left")
    rows = rows.with_columns(pl.col("audited").fill_null(False), reason=reason)
    there = (
        pl.when(~pl.col("audited")).then(pl.lit(_ABSENT))
        .when(pl.col("reason").is_not_null()).then(pl.lit(_SKIPPED))
        .when(pl.col("unknowns").list.contains(pl.col("rule"))).then(pl.lit("unknown"))
        .when(pl.col("not_applicable").list.contains(pl.col("rule"))).then(pl.lit("not applicable"))
        .otherwise(pl.lit("clear"))
    )  # fmt: skip
    differing = pl.when("audited").then(_differing(*FACTS)).otherwise(pl.lit([], pl.List(pl.String)))
    rows = rows.with_columns(there=there, what=differing, outside=_outside(run))
    unasked = pl.when("outside").then(pl.lit(", which was not asked for its date or code")).otherwise(pl.lit(""))
    explanation = (
        pl.when(pl.col("there") == _ABSENT).then(pl.format(f"claim not in the {which} run{{}}", unasked))
        .when(pl.col("there") == _SKIPPED).then(pl.format(f"rule not evaluated in the {which} run: {{}}", "reason"))
        .otherwise(pl.format(f"{{}} in the {which} run", "there"))
    )  # fmt: skip
    change, before, after = (("new", "there", "outcome"), ("gone", "outcome", "there"))[side]
    return rows.select(
        *CASE, change=pl.lit(change), before=before, after=after, what="what", why=explanation, cause=_cause(causes)
    )


def _differing(*columns: str) -> pl.Expr:
    """The names of those columns that differ between the two runs, as a list."""
    names = (pl.when(pl.col(name).ne_missing(pl.col(f"{name}_there"))).then(pl.lit(name)) for name in columns)
    return pl.concat_list(names).list.drop_nulls()


def _outside(run: Summary) -> pl.Expr:
    """Whether a claim lies outside the codes and dates that a run was asked for; null where the dates are not ISO 8601."""
    asked, day = run.settings, pl.col("service_date")
    try:
        first = date.fromisoformat(asked["service_from"] or "0001-01-01")
        last = date.fromisoformat(asked["service_to"] or "9999-12-31")
    except ValueError:
        return pl.lit(None, pl.Boolean())
    return ~(pl.col("cpt_code").is_in(asked["codes"]) & day.is_between(first, last))


def _cause(causes: Causes) -> pl.Expr:
    """Those of the roots that can reach the finding, joined with `or`; all of them where none seems to."""
    severities = [key.removeprefix("severity.") for key in causes.policy if key.startswith("severity.")]
    policy = ["policy"] if len(severities) < len(causes.policy) else []
    every = " or ".join(causes.roots) or UNEXPLAINED

    def of(*names: str) -> pl.Expr:
        return pl.lit(" or ".join(root for root in causes.roots if root in names) or every)

    absent, skipped, reason = pl.col("there") == _ABSENT, pl.col("there") == _SKIPPED, pl.col("reason")
    return (
        pl.when(absent & pl.col("outside")).then(pl.lit("settings"))
        .when(absent & pl.col("outside").is_null()).then(of("data", *policy, "settings", "version"))
        .when(skipped & reason.is_in(CHOSEN)).then(of("settings"))
        .when(skipped & (reason == "off in the policy")).then(of("policy"))
        .when(skipped & reason.str.ends_with(" no such rule")).then(of("version"))
        .when(absent | skipped).then(of("data", *policy, "version"))
        .when(pl.col("rule").is_in(severities)).then(of("data", "policy", "coverage", "version"))
        .otherwise(of("data", *policy, "coverage", "version"))
    )  # fmt: skip
