"""Claims x rules → outcomes and evidence, with the reason for every rule that was not evaluated."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from auditor.payers import judging
from auditor.policy import Policy
from auditor.rules.rule import UNASKED, Outcome, Rule
from auditor.windows import RecordSets
from auditor.windows.other_days import MOST_DAYS

KINDS = ("visit", "line", "claim", "call", "record")
"""Records of one gap: visits before lines before calls before records of the phone log."""

_RECORD: dict[str, pl.DataType] = {
    "line": pl.UInt32(), "kind": pl.String(), "id": pl.String(), "at": pl.Datetime("us", "UTC"), "date_only": pl.Boolean(),
    "gap_days": pl.Int64(), "order": pl.Int64(), "basis": pl.String(),
}  # fmt: skip
_EVIDENCE: dict[str, pl.DataType] = _RECORD | {
    "outcome": pl.UInt8(), "rule": pl.String(), "elapsed": pl.Int64(), "exclusion_reason": pl.String(),
}  # fmt: skip
_IN_MESSAGE: dict[str, pl.DataType] = {
    "day": pl.Date(), "provider": pl.String(), "status": pl.String(), "reason": pl.String(), "detail": pl.String(),
}  # fmt: skip
"""What only the messages of findings say of a record."""
_ABOUT_RECORD = ("kind", "id", "at", "gap_days", "elapsed", "basis", "day", "provider", "related_count")


@dataclass(frozen=True)
class Judgement:
    """`outcomes`: one row per claim (`line`) and one UInt8 column per evaluated rule.

    `evidence`: one row per (rule, claim, record) weighed, with the outcome it supports. `best`: per (rule, claim) with a
    finding, the strongest record and `related_count`; of a rule that shows no record, only its `detail`.
    """

    outcomes: pl.DataFrame
    evidence: pl.DataFrame
    best: pl.DataFrame


def not_evaluable(
    rules: Sequence[Rule], skipped: Mapping[str, str], exists: frozenset[str], policy: Policy
) -> dict[str, str]:
    """The rules that cannot be evaluated, with the reasons. `skipped` are those that the user left out."""
    policies = judging(policy)
    reasons = {rule.code: rule.why_not_evaluated(exists, policies) for rule in rules}
    own = {code: skipped[code] for code, reason in reasons.items() if reason != UNASKED and code in skipped}
    return {code: reason for code, reason in (reasons | own).items() if reason}


def judge(record_sets: RecordSets, rules: Sequence[Rule], policy: Policy | None) -> Judgement:
    """Evaluate the rules, under the policy that judges the claims; where none does, no rule applies."""
    on = [rule for rule in rules if policy and rule.is_on(policy)]
    off = pl.lit(Outcome.NOT_APPLICABLE, pl.UInt8)
    outcomes = record_sets.claims.select(
        "line", **{rule.code: _own(rule, policy) if policy and rule in on else off for rule in rules}
    )
    considered, supporting = [pl.DataFrame(schema=_EVIDENCE)], [pl.DataFrame(schema=_EVIDENCE | _IN_MESSAGE)]
    for over, records in _supported(record_sets, on, policy):
        for rule in (rule for rule in over if rule.over != "claim"):
            beyond = outcomes.filter(pl.col(rule.code) == Outcome.NOT_APPLICABLE)["line"]
            applies = ~pl.col("line").is_in(beyond.implode())
            if rule.shows_record and record_sets.records.context.with_evidence:
                considered.append(_records(records, rule).filter(pl.col("outcome").is_not_null() & applies))
            found = records.filter((pl.col(rule.code) >= Outcome.REVIEW) & applies)
            supporting.append(_records(found, rule, **_in_message(found, rule)))
        outcomes = _strengthened(outcomes, _strongest(records, over))
    best = _best(pl.concat(supporting), [rule.code for rule in on if not rule.shows_record])
    return Judgement(_left_open(outcomes, record_sets, on, policy), pl.concat(considered), best)


def _supported(
    record_sets: RecordSets, rules: Sequence[Rule], policy: Policy | None
) -> Iterator[tuple[list[Rule], pl.DataFrame]]:
    """The rules of each record set, and its records with the outcome that each rule gives them; null: not considered."""
    ranges = record_sets.claims.filter(pl.col("service_date_last").is_not_null())["line"]
    rounded = record_sets.claims.filter("call_rounded")["line"]
    severity = policy.severity if policy else {}
    for record_set in dict.fromkeys(rule.over for rule in rules):
        over = [rule for rule in rules if rule.over == record_set]
        supported = {rule.code: pl.when(rule.considered).then(rule.outcome(severity)) for rule in over}
        records = record_sets[record_set].with_columns(**supported)
        records = _review_at_most(records, ranges, [rule.code for rule in over if rule.reads_date])
        yield over, _review_at_most(records, rounded, [rule.code for rule in over if rule.reads_calls])


def _strongest(records: pl.DataFrame, rules: Sequence[Rule]) -> pl.DataFrame:
    """The strongest outcome that the records of each claim support."""
    strongest = records.select("line", *(rule.code for rule in rules))
    return strongest if rules[0].over == "claim" else strongest.group_by("line").max()


def merged(judgements: Sequence[Judgement]) -> Judgement:
    """The judgements of different claims as one."""
    if len(judgements) == 1:
        return judgements[0]
    names = ("outcomes", "evidence", "best")
    return Judgement(*(pl.concat([getattr(one, name) for one in judgements]) for name in names))


def _review_at_most(records: pl.DataFrame, claims: pl.Series, rules: Sequence[str]) -> pl.DataFrame:
    """The records, which support review at most of these rules for some claims (their lines).

    They are those with a range of service dates, or with a call that is found by rounded ids.
    """
    if claims.is_empty() or not rules:
        return records
    is_one = pl.col("line").is_in(claims.implode())
    return records.with_columns(
        pl.when(is_one & (pl.col(rule) > Outcome.REVIEW))
        .then(pl.lit(Outcome.REVIEW, pl.UInt8))
        .otherwise(rule)
        .alias(rule)
        for rule in rules
    )


def _own(rule: Rule, policy: Policy) -> pl.Expr:
    """The outcome of the claim by itself, whatever its records support."""
    return (
        pl.when(~(in_force(policy) & rule.is_applicable))
        .then(Outcome.NOT_APPLICABLE)
        .when(rule.is_unknown)
        .then(Outcome.UNKNOWN)
        .otherwise(Outcome.CLEAR)
        .cast(pl.UInt8)
    )


def _left_open(
    outcomes: pl.DataFrame, record_sets: RecordSets, rules: Sequence[Rule], policy: Policy | None
) -> pl.DataFrame:
    """The outcomes, unknown where another day of a range of service dates, of the claim or an earlier line, gives more.

    Not of the claim's own calls: they are compared with each of its days.
    """
    dated = [rule for rule in rules if rule.reads_date and rule.over != "own_call"]
    between = [rule for rule in dated if rule.over == "line_before"]
    found = []
    for claims, after in record_sets.on_other_days():
        if policy:
            found.append(claims.claims.select("line", **{rule.code: _own(rule, policy) for rule in dated}))
        found += [_strongest(records, over) for over, records in _supported(claims, dated, policy)]
        found += [_strongest(records, over) for over, records in _supported(after, between, policy)]
    if not found or not dated:
        return outcomes
    other_days = pl.concat(found, how="diagonal").group_by("line").max()
    joined = outcomes.join(other_days, on="line", how="left", maintain_order="left", suffix="_other")
    days = (pl.col("service_date_last") - pl.col("service_date")).dt.total_days()
    is_long = pl.col("line").is_in(record_sets.claims.filter(days >= MOST_DAYS)["line"].implode())
    more = (
        pl.when((pl.col(code) == Outcome.CLEAR) & ((pl.col(f"{code}_other") > Outcome.CLEAR) | is_long))
        .then(pl.lit(Outcome.UNKNOWN, pl.UInt8)).otherwise(code).alias(code)
        for code in (rule.code for rule in dated)
    )  # fmt: skip
    return joined.with_columns(more).select(outcomes.columns)


def _strengthened(outcomes: pl.DataFrame, strongest: pl.DataFrame) -> pl.DataFrame:
    """The outcomes with the strongest that records support, where the rule applies."""
    rules = [code for code in strongest.columns if code != "line"]
    final = [
        pl.when(pl.col(code) > Outcome.NOT_APPLICABLE).then(pl.max_horizontal(code, f"{code}_record")).otherwise(code)
        for code in rules
    ]
    joined = outcomes.join(strongest, on="line", how="left", maintain_order="left", suffix="_record")
    return joined.with_columns(final).select(outcomes.columns)


def in_force(policy: Policy) -> pl.Expr:
    """Whether the policy speaks of the claim's service date."""
    day, always = pl.col("service_date"), pl.lit(True)
    after = day >= policy.effective_from if policy.effective_from else always
    return after & (day <= policy.effective_to if policy.effective_to else always)


def _records(records: pl.DataFrame, rule: Rule, **more: pl.Expr) -> pl.DataFrame:
    """Records as evidence of a rule."""
    outcome = pl.col(rule.code)
    return records.select(
        *_RECORD,
        outcome=outcome,
        rule=pl.lit(rule.code),
        elapsed=pl.col("elapsed") if "elapsed" in records.columns else pl.col("order"),
        exclusion_reason=pl.when(outcome < Outcome.UNKNOWN).then(rule.exclusion_reason),
        **more,
    )


def _in_message(records: pl.DataFrame, rule: Rule) -> dict[str, pl.Expr]:
    """The columns of _IN_MESSAGE, null where the records have no such thing."""
    own = {name: pl.col(name) for name in _IN_MESSAGE if name in records.columns}
    blank = {name: pl.lit(None, dtype) for name, dtype in _IN_MESSAGE.items()}
    return blank | own | {"reason": rule.reason, "detail": rule.detail}


def _best(supporting: pl.DataFrame, hidden: Sequence[str]) -> pl.DataFrame:
    """Per rule and claim the record that counts first among the strongest; without the record for the `hidden` rules."""
    rank = pl.col("kind").replace_strict({kind: rank for rank, kind in enumerate(KINDS)}, return_dtype=pl.UInt8)
    strong = supporting.filter(pl.col("outcome") == pl.col("outcome").max().over("rule", "line"))
    strong = strong.with_columns(rank=rank)
    strong = strong.sort("rule", "line", "gap_days", "rank", "date_only", "order", "id", nulls_last=True)
    grouped = strong.group_by("rule", "line", maintain_order=True)
    best = grouped.agg(
        pl.col("kind", "id", "at", "gap_days", "elapsed", "basis", "date_only", *_IN_MESSAGE).first(),
        related_count=pl.len(),
    )
    return best.with_columns(pl.when(~pl.col("rule").is_in(hidden)).then(pl.col(_ABOUT_RECORD)))
