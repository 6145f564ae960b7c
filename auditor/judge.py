"""Claims x rules → outcomes and evidence, with the reason for every rule that was not evaluated."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from auditor.policy import Policy
from auditor.rule import Outcome, Rule
from auditor.windows import Nouns

KINDS = ("visit", "claim", "call")
"""Records of one gap: visits before lines before calls."""

_RECORD = ("line", "kind", "id", "at", "date_only", "gap_days", "order", "basis")


@dataclass(frozen=True)
class Judgement:
    """`outcomes`: one row per claim (`line`) and one UInt8 column per evaluated rule.

    `evidence`: one row per (rule, claim, record) weighed, with the outcome it supports. `best`: per (rule, claim) with a
    finding, the strongest record and `related_count`. `not_evaluated`: rule code → reason.
    """

    outcomes: pl.DataFrame
    evidence: pl.DataFrame
    best: pl.DataFrame
    not_evaluated: dict[str, str]


def judge(
    nouns: Nouns, rules: Sequence[Rule], skipped: dict[str, str], exists: frozenset[str], policy: Policy
) -> Judgement:
    """Evaluate every rule that can be. `skipped` are rules that the user left out, with the reason."""
    not_evaluated = dict(skipped)
    for rule in rules:
        if rule.code not in not_evaluated and (reason := rule.why_not_evaluated(exists, policy.severity)):
            not_evaluated[rule.code] = reason
    evaluated = [rule for rule in rules if rule.code not in not_evaluated]
    inside = in_force(policy)
    outcomes = nouns.claims.select("line")
    weighed = []
    for rule in evaluated:
        claim_outcome = (
            pl.when(~(inside & rule.applies))
            .then(Outcome.NOT_APPLICABLE)
            .when(rule.unknown)
            .then(Outcome.UNKNOWN)
            .otherwise(Outcome.CLEAR)
            .cast(pl.UInt8)
        )
        frame = nouns.claims.select("line", own=claim_outcome)
        if rule.over == "claim":
            records = nouns.claims.select("line", outcome=rule.outcome(policy.severity))
        else:
            records = nouns[rule.over].filter(rule.weighed).with_columns(outcome=rule.outcome(policy.severity))
            if rule.shows_record:
                weighed.append(_records(records, rule))
        strongest = records.group_by("line").agg(pl.col("outcome").max())
        frame = frame.join(strongest, on="line", how="left", maintain_order="left")
        final = pl.when(pl.col("own") > 0).then(pl.max_horizontal("own", "outcome")).otherwise("own")
        outcomes = outcomes.with_columns(frame.select(final.alias(rule.code)))
    evidence = pl.concat(weighed) if weighed else _no_evidence()
    applicable = outcomes.unpivot(index="line", variable_name="rule", value_name="final")
    applicable = applicable.filter(pl.col("final") > Outcome.NOT_APPLICABLE).select("line", "rule")
    evidence = evidence.join(applicable, on=["line", "rule"], how="semi")
    return Judgement(outcomes, evidence, _best(evidence), not_evaluated)


def in_force(policy: Policy) -> pl.Expr:
    """Whether the policy speaks of the claim's service date."""
    day, always = pl.col("service_date"), pl.lit(True)
    after = day >= policy.effective_from if policy.effective_from else always
    return after & (day <= policy.effective_to if policy.effective_to else always)


def _records(records: pl.DataFrame, rule: Rule) -> pl.DataFrame:
    supports = pl.col("outcome") >= Outcome.UNKNOWN
    elapsed = pl.col("elapsed") if "elapsed" in records.columns else pl.col("order")
    return records.select(
        *_RECORD,
        "outcome",
        rule=pl.lit(rule.code),
        elapsed=elapsed,
        why_not=pl.when(~supports).then("why_not"),
    )


def _best(evidence: pl.DataFrame) -> pl.DataFrame:
    rank = pl.col("kind").replace_strict({kind: rank for rank, kind in enumerate(KINDS)}, return_dtype=pl.UInt8)
    strong = evidence.filter(pl.col("outcome") >= Outcome.REVIEW)
    strong = strong.filter(pl.col("outcome") == pl.col("outcome").max().over("rule", "line")).with_columns(rank=rank)
    strong = strong.sort("rule", "line", "gap_days", "rank", "date_only", "order", "id", nulls_last=True)
    grouped = strong.group_by("rule", "line", maintain_order=True)
    return grouped.agg(
        pl.col("kind", "id", "at", "gap_days", "elapsed", "basis", "date_only").first(), related_count=pl.len()
    )


def _no_evidence() -> pl.DataFrame:
    text, number = pl.String(), pl.Int64()
    return pl.DataFrame(
        schema={
            "line": pl.UInt32(),
            "kind": text,
            "id": text,
            "at": pl.Datetime("us", "UTC"),
            "date_only": pl.Boolean(),
            "gap_days": number,
            "order": number,
            "basis": text,
            "outcome": pl.UInt8(),
            "rule": text,
            "elapsed": number,
            "why_not": text,
        }
    )
