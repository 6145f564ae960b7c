"""Outcomes → the tables that are published: claims, findings, evidence.

Source: docs/specification.md#evidence, docs/specification.md#severity-and-disposition.
"""

from collections.abc import Sequence

import polars as pl

from auditor.identity import Identity
from auditor.judging.finding_id import finding_ids
from auditor.judging.judge import Judgement
from auditor.parsing.microseconds import HOUR
from auditor.policy import Policy
from auditor.rules import ALL
from auditor.rules.rule import Outcome, Rule
from auditor.schema.codes import FAMILY
from auditor.schema.outputs import TABLES

AMOUNT = pl.coalesce("paid_amount", "billed_amount")
"""What was paid for a claim's line, else what was billed."""
KEYS = ("claim_id", "claim_line", "cpt_code")
CASE = (*KEYS, "rule")
"""What identifies a finding, and a case of the ledger."""
FINDINGS_ORDER = ("claim_id", "claim_line", "rule", "cpt_code")
EVIDENCE_ORDER = ("claim_id", "claim_line", "rule", "cpt_code", "kind", "id", "record_at")
NOT_APPLICABLE = "not applicable"
"""The disposition of a claim that no policy judges, or that its policy's effective dates leave out."""

_OWN = 9
"""Stands for the outcome of a claim's own call in the evidence."""

_DISPOSITION = {
    Outcome.VIOLATION: "violation",
    Outcome.REVIEW: "review",
    Outcome.UNKNOWN: "incomplete",
    Outcome.CLEAR: "clear",
    Outcome.NOT_APPLICABLE: "clear",
}


def claims_table(claims: pl.DataFrame, judgement: Judgement, policy: Policy, identity: Identity) -> pl.DataFrame:
    """One row per audited claim: keys, dates, minutes, disposition, rule codes by outcome, amounts, supportable code.

    `claims`, in the order of the judgement's outcomes, have their `policy`, whether it is `in_force`, and the
    `supportable_code`; the rows stay in order.
    """
    rules = [code for code in judgement.outcomes.columns if code != "line"]
    worst = pl.max_horizontal(pl.lit(Outcome.CLEAR, pl.UInt8), *rules)
    labels = {int(outcome): label for outcome, label in _DISPOSITION.items()}

    def codes(outcome: Outcome) -> pl.Expr:
        # Joined and split: ten times as fast as a list of mostly nulls.
        found = [pl.when(pl.col(code) == outcome).then(pl.lit(code)) for code in rules]
        text = pl.concat_str(pl.lit(""), *found, separator=" ", ignore_nulls=True).str.strip_chars()
        return pl.when(text != "").then(text.str.split(" ")).otherwise(pl.lit([], pl.List(pl.String)))

    # Many claims, few patterns of outcomes: each pattern is put into words once.
    patterns = judgement.outcomes.with_row_index("at").group_by(rules).agg("at").select(
        "at",
        disposition=worst.replace_strict(labels, return_dtype=pl.String),
        violations=codes(Outcome.VIOLATION),
        reviews=codes(Outcome.REVIEW),
        unknowns=codes(Outcome.UNKNOWN),
        not_applicable=codes(Outcome.NOT_APPLICABLE),
    )  # fmt: skip
    rows = pl.concat([claims, patterns.explode("at").sort("at")], how="horizontal").with_columns(
        disposition=pl.when("in_force").then("disposition").otherwise(pl.lit(NOT_APPLICABLE))
    )
    at = pl.col("disposition")
    rows = _amounts_once(rows).with_columns(
        *identity.shown_columns(TABLES["claims"]),
        call_start=_local("start", policy),
        call_end=_local("end", policy),
        at_risk_amount=pl.when(at == "violation").then(AMOUNT),
        review_amount=pl.when(at == "review").then(AMOUNT),
    )
    return rows.select("line", *TABLES["claims"]).with_columns(pl.col("call_ids").fill_null([]))


def _amounts_once(rows: pl.DataFrame) -> pl.DataFrame:
    """Of the claims that one row of the export bills with several codes, only the first of the worst has its amounts."""
    record = pl.struct("source_file", "source_record")
    repeated = rows.filter(pl.col("source_record").is_duplicated()).filter(record.is_duplicated())
    if repeated.is_empty():
        return rows
    worst = pl.col("disposition").replace_strict({"violation": 0, "review": 1}, default=2, return_dtype=pl.Int64)
    others = repeated.sort(worst, *KEYS).filter(~record.is_first_distinct())["line"]
    return rows.with_columns(
        pl.when(~pl.col("line").is_in(others.implode())).then(name).alias(name)
        for name in ("billed_amount", "paid_amount")
    )


def supportable_code(policy: Policy) -> pl.Expr:
    """The code whose band holds the minutes; `none` below all bands, null above them or unknown."""
    bands = {code: policy.bands[code] for code in FAMILY}  # type: ignore[index]
    minutes = pl.col("minutes")
    below = pl.when(minutes < min(band.low for band in bands.values())).then(pl.lit("none"))
    matching = [pl.when(minutes.is_between(band.low, band.high)).then(pl.lit(code)) for code, band in bands.items()]
    return pl.coalesce(below, *matching)


def in_order(published: pl.DataFrame) -> pl.DataFrame:
    """The `line` and KEYS of claims, sorted by these, and whether the claim_id and claim_line is that of `several`."""
    rows = published.select("line", *KEYS).sort(*KEYS)
    same = pl.all_horizontal(pl.col(key) == pl.col(key).shift(1) for key in KEYS[:2]).fill_null(False)
    return rows.with_columns(several=same | same.shift(-1, fill_value=False))


def findings_table(
    claims: pl.DataFrame,
    published: pl.DataFrame,
    ordered: pl.DataFrame,
    judgement: Judgement,
    policy: Policy,
    identity: Identity,
) -> pl.DataFrame:
    """One row per finding. A claim's `at_risk_amount` stands on its first violation only, so that the column adds up.

    The rows are in no order. `published` has the claims in their order, and the judgement its outcomes; `ordered`: as
    `in_order`. `mark`, `case_number` and `state` are the ledger's, which has not seen them.
    """
    best = judgement.best.rename({"kind": "related_kind", "id": "related_id", "at": "related_at"})
    best = best.with_columns(
        identity.shown_record("related_id", "related_kind"),
        identity.shown("provider", "provider"),
        _local("related_at", policy),
    ).with_columns(pl.col("day").fill_null(pl.col("related_at").dt.date()))
    judged = pl.concat([claims, judgement.outcomes.drop("line")], how="horizontal").with_row_index("at")
    evaluated = sorted((rule for rule in ALL if rule.code in judgement.outcomes.columns), key=lambda rule: rule.code)
    rows = [_found(judged, best, rule, evaluated[:at]) for at, rule in enumerate(evaluated)]
    found = pl.concat(rows or [_found(judged, best, ALL[0], ())])
    about = published.select(~pl.selectors.list())[found["at"]]
    outcomes = {int(outcome): outcome.label for outcome in Outcome}
    return (
        pl.concat([found, about], how="horizontal")
        .with_columns(
            finding_id=finding_ids(pl.col("line").is_in(_of_several_codes(claims, ordered).implode())),
            outcome=pl.col("outcome").replace_strict(outcomes, return_dtype=pl.String),
            mark=pl.lit(None, pl.String),
            case_number=pl.lit(None, pl.Int64),
            state=pl.lit(None, pl.String),
            gap_hours=_hours(),
            at_risk_amount=pl.when("is_first").then("at_risk_amount"),
        )
        .select(*TABLES["findings"])
    )


def _of_several_codes(claims: pl.DataFrame, ordered: pl.DataFrame) -> pl.Series:
    """The lines whose claim_id and claim_line another audited code of the patient has, too."""
    some = claims.join(ordered.filter("several"), on="line", how="semi")
    return some.filter(pl.struct("patient_id", "claim_id", "claim_line").is_duplicated())["line"]


def _found(judged: pl.DataFrame, best: pl.DataFrame, rule: Rule, before: Sequence[Rule]) -> pl.DataFrame:
    """The findings of a rule with their strongest records; none of a rule that was not evaluated.

    `is_first`: a violation, and none of the claim's rules `before` it is.
    """
    outcome = pl.col(rule.code) if rule.code in judged.columns else pl.lit(Outcome.CLEAR, pl.UInt8)
    is_first = [outcome == Outcome.VIOLATION, *(pl.col(earlier.code) < Outcome.VIOLATION for earlier in before)]
    named = {name for name in rule.message.meta.root_names() if name in judged.columns}
    found = judged.select({"line", "at", *named}, outcome=outcome, is_first=pl.all_horizontal(is_first))
    found = found.filter(pl.col("outcome") >= Outcome.REVIEW)
    rows = found.join(best.filter(rule=rule.code).drop("rule"), on="line", how="left", maintain_order="left")
    return rows.select(
        "at", "outcome", "is_first", "related_kind", "related_id", "related_at", "related_count", "gap_days", "elapsed",
        "basis", rule=pl.lit(rule.code), name=pl.lit(rule.name), message=pl.coalesce(rule.message, pl.lit(rule.name)),
    )  # fmt: skip


def evidence_table(
    ordered: pl.DataFrame, line_calls: pl.DataFrame, judgement: Judgement, policy: Policy, identity: Identity
) -> pl.DataFrame:
    """One row per record weighed for a claim and rule, with the outcome it supports or why it does not count.

    The claim's own calls stand beside them, with a blank rule, the outcome `own` and their end in `until`. `ordered`: the
    claims, as `in_order`; so are the rows, and those of a claim in no order.
    """
    labels = {int(outcome): outcome.label for outcome in Outcome} | {int(Outcome.CLEAR): "none", _OWN: "own"}
    own = line_calls.select(
        "line",
        rule=pl.lit(""),
        kind=pl.lit("call"),
        id="call_id",
        at="call_start",
        until="end",
        date_only=pl.lit(False),
        outcome=pl.lit(_OWN, pl.UInt8),
    )
    rows = pl.concat([judgement.evidence.drop("line", "order"), own.drop("line")], how="diagonal")
    lines = pl.concat([judgement.evidence["line"], own["line"]]).to_frame().with_row_index("row")
    placed = lines.join(ordered.select("line").with_row_index("place"), on="line").sort("place")
    rows = pl.concat([ordered[placed["place"]], rows[placed["row"]]], how="horizontal").with_columns(
        _local("at", policy),
        _local("until", policy),
        id=identity.shown_record("id", "kind"),
        gap_hours=_hours(),
        outcome=pl.col("outcome").replace_strict(labels, return_dtype=pl.String),
    )
    return rows.rename({"at": "record_at"}).select(*TABLES["evidence"])


def _hours() -> pl.Expr:
    return (pl.col("elapsed") / HOUR).round(4)


def _local(name: str, policy: Policy) -> pl.Expr:
    return pl.col(name).dt.convert_time_zone(policy.timezone)
