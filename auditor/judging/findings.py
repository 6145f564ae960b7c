"""Outcomes → the tables that are published: claims, findings, evidence.

Source: docs/specification.md#evidence, docs/specification.md#severity-and-disposition.
"""

import polars as pl

from auditor.identity import Identity
from auditor.judging.finding_id import joined
from auditor.judging.judge import KINDS, Judgement, in_force
from auditor.parsing.microseconds import HOUR
from auditor.policy import Policy
from auditor.rules import ALL, CODES
from auditor.rules.rule import Outcome
from auditor.schema.codes import FAMILY

AMOUNT = pl.coalesce("paid_amount", "billed_amount")
"""What was paid for a claim's line, else what was billed."""
KEYS = ("claim_id", "claim_line", "cpt_code")
CASE = (*KEYS, "rule")
"""What identifies a finding, and a case of the ledger."""
FINDINGS_ORDER = ("claim_id", "claim_line", "rule", "cpt_code")
EVIDENCE_ORDER = ("claim_id", "claim_line", "rule", "cpt_code", "kind", "id", "at")
NOT_APPLICABLE = "not applicable"
"""The disposition of a claim that the policy's effective dates leave out."""

_OWN = 9
"""Stands for the outcome of a claim's own call in the evidence."""
_RULES, _KINDS = pl.Enum(["", *sorted(CODES)]), pl.Enum(sorted(KINDS))
"""Numbers sort several times as fast as texts."""

_DISPOSITION = {
    Outcome.VIOLATION: "violation",
    Outcome.REVIEW: "review",
    Outcome.UNKNOWN: "incomplete",
    Outcome.CLEAR: "clear",
    Outcome.NOT_APPLICABLE: "clear",
}


def claims_table(claims: pl.DataFrame, judgement: Judgement, policy: Policy, identity: Identity) -> pl.DataFrame:
    """One row per audited claim: keys, dates, minutes, disposition, rule codes by outcome, amounts, supportable code."""
    rules = [code for code in judgement.outcomes.columns if code != "line"]
    worst = pl.max_horizontal(pl.lit(Outcome.CLEAR, pl.UInt8), *rules)
    labels = {int(outcome): label for outcome, label in _DISPOSITION.items()}

    def codes(outcome: Outcome) -> pl.Expr:
        # Joined and split: ten times as fast as a list of mostly nulls.
        found = [pl.when(pl.col(code) == outcome).then(pl.lit(code)) for code in rules]
        text = pl.concat_str(pl.lit(""), *found, separator=" ", ignore_nulls=True).str.strip_chars()
        return pl.when(text != "").then(text.str.split(" ")).otherwise(pl.lit([], pl.List(pl.String)))

    # Many claims, few patterns of outcomes: each pattern is put into words once.
    patterns = judgement.outcomes.group_by(rules).agg("line").select(
        "line",
        disposition=worst.replace_strict(labels, return_dtype=pl.String),
        violations=codes(Outcome.VIOLATION),
        reviews=codes(Outcome.REVIEW),
        unknowns=codes(Outcome.UNKNOWN),
        not_applicable=codes(Outcome.NOT_APPLICABLE),
    )  # fmt: skip
    rows = claims.join(patterns.explode("line"), on="line", how="inner")
    rows = rows.with_columns(
        disposition=pl.when(in_force(policy)).then("disposition").otherwise(pl.lit(NOT_APPLICABLE))
    )
    at = pl.col("disposition")
    return rows.select(
        "line",
        identity.shown("claim_id", "claim"),
        "claim_line",
        "cpt_code",
        "payer",
        pl.lit(policy.name).alias("policy"),
        identity.shown("patient_id", "patient"),
        identity.shown("provider_id", "provider"),
        "service_date",
        _local("start", policy).alias("call_start"),
        _local("end", policy).alias("call_end"),
        "minutes",
        "minutes_source",
        identity.shown_list("call_ids", "call").fill_null([]),
        "disposition",
        "violations",
        "reviews",
        "unknowns",
        "not_applicable",
        "billed_amount",
        "paid_amount",
        at_risk_amount=pl.when(at == "violation").then(AMOUNT),
        review_amount=pl.when(at == "review").then(AMOUNT),
        supportable_code=_supportable(policy),
        source_file="source_file",
        source_record="source_record",
    ).sort(*KEYS)


def _supportable(policy: Policy) -> pl.Expr:
    """The code whose band holds the minutes; `none` below all bands, null above them or unknown."""
    bands = {code: policy.bands[code] for code in FAMILY}  # type: ignore[index]
    minutes = pl.col("minutes")
    below = pl.when(minutes < min(band.low for band in bands.values())).then(pl.lit("none"))
    matching = [pl.when(minutes.is_between(band.low, band.high)).then(pl.lit(code)) for code, band in bands.items()]
    return pl.coalesce(below, *matching)


def findings_table(
    claims: pl.DataFrame, published: pl.DataFrame, judgement: Judgement, policy: Policy, identity: Identity
) -> pl.DataFrame:
    """One row per finding. A claim's `at_risk_amount` stands on its first violation only, so that the column adds up.

    `mark`, `case_number` and `state` are the ledger's, which has not seen them.
    """
    best = judgement.best.rename({"kind": "related_kind", "id": "related_id", "at": "related_at"})
    best = best.with_columns(identity.shown_record("related_id", "related_kind"))
    judged = claims.join(judgement.outcomes, on="line", how="inner").join(_positions(published), on="line", how="inner")
    parts = [_no_findings()]
    for rule in ALL:
        if rule.code in judgement.outcomes.columns:
            message_columns = [name for name in rule.message.meta.root_names() if name in claims.columns]
            found = judged.select({*_POSITION, *message_columns}, outcome=rule.code).filter(
                pl.col("outcome") >= Outcome.REVIEW
            )
            rows = found.join(best.filter(pl.col("rule") == rule.code).drop("rule"), on="line", how="left")
            parts.append(rows.select(
                *_POSITION, "outcome", "related_kind", "related_id", "related_at", "related_count", "gap_days", "elapsed",
                "basis", rule=pl.lit(rule.code, _RULES), name=pl.lit(rule.name), message=rule.message,
            ))  # fmt: skip
    rows = pl.concat(parts).sort("bill", "rule", "position")
    rows = rows.join(published.select(~pl.selectors.list()), on="line", how="left", maintain_order="left")
    violation = pl.col("outcome") == Outcome.VIOLATION
    first = violation & pl.when(violation).then("line").is_first_distinct()
    outcomes = {int(outcome): outcome.label for outcome in Outcome}
    code = pl.col("rule").cast(pl.String)
    return rows.select(
        finding_id=joined("rule", "claim_id", "claim_line"),
        rule=code,
        name="name",
        outcome=pl.col("outcome").replace_strict(outcomes, return_dtype=pl.String),
        claim_id="claim_id",
        claim_line="claim_line",
        payer="payer",
        policy="policy",
        mark=pl.lit(None, pl.String),
        case_number=pl.lit(None, pl.Int64),
        state=pl.lit(None, pl.String),
        patient_id="patient_id",
        provider_id="provider_id",
        service_date="service_date",
        cpt_code="cpt_code",
        minutes="minutes",
        related_kind="related_kind",
        related_id="related_id",
        related_at=_local("related_at", policy),
        related_count="related_count",
        gap_days="gap_days",
        gap_hours=_hours(),
        basis="basis",
        message="message",
        billed_amount="billed_amount",
        paid_amount="paid_amount",
        at_risk_amount=pl.when(first).then("at_risk_amount"),
        supportable_code="supportable_code",
        source_file="source_file",
        source_record="source_record",
    )


def evidence_table(
    claims: pl.DataFrame, line_calls: pl.DataFrame, judgement: Judgement, policy: Policy, identity: Identity
) -> pl.DataFrame:
    """One row per record weighed for a claim and rule, with the outcome it supports or why it does not count.

    The claim's own calls stand beside them, with a blank rule, the outcome `own` and their end in `until`.
    """
    labels = {int(outcome): outcome.label for outcome in Outcome} | {int(Outcome.CLEAR): "none", _OWN: "own"}
    keys = claims.select("line", identity.shown("claim_id", "claim"), "claim_line", "cpt_code").sort(KEYS)
    own = line_calls.join(keys, on="line", how="semi").select(
        "line",
        rule=pl.lit(""),
        kind=pl.lit("call"),
        id="call_id",
        at="call_start",
        until="end",
        date_only=pl.lit(False),
        outcome=pl.lit(_OWN, pl.UInt8),
    )
    rows = pl.concat([judgement.evidence.drop("order"), own], how="diagonal")
    rows = rows.with_columns(
        pl.col("rule").cast(_RULES), pl.col("kind").cast(_KINDS), id=identity.shown_record("id", "kind")
    )
    rows = rows.join(_positions(keys), on="line", how="inner").sort("bill", "rule", "position", "kind", "id", "at")
    return rows.join(keys, on="line", how="left", maintain_order="left").select(
        *KEYS,
        pl.col("rule", "kind").cast(pl.String),
        "id",
        _local("at", policy),
        "date_only",
        "gap_days",
        _hours().alias("gap_hours"),
        "basis",
        pl.col("outcome").replace_strict(labels, return_dtype=pl.String),
        "exclusion_reason",
        _local("until", policy),
    )


_POSITION = ("line", "bill", "position")


def _positions(keyed: pl.DataFrame) -> pl.DataFrame:
    """Where claims sorted by KEYS stand: `position`, and `bill`, which claims of one claim_id and claim_line share."""
    new = pl.any_horizontal(pl.col(key) != pl.col(key).shift(1) for key in KEYS[:2]).fill_null(True)
    return keyed.select("line", bill=new.cum_sum(), position=pl.int_range(pl.len()))


def _hours() -> pl.Expr:
    return (pl.col("elapsed") / HOUR).round(4)


def _local(name: str, policy: Policy) -> pl.Expr:
    return pl.col(name).dt.convert_time_zone(policy.timezone)


def _no_findings() -> pl.DataFrame:
    text = pl.String()
    return pl.DataFrame(
        schema={
            "line": pl.UInt32(),
            "bill": pl.UInt32(),
            "position": pl.Int64(),
            "outcome": pl.UInt8(),
            "related_kind": text,
            "related_id": text,
            "related_at": pl.Datetime("us", "UTC"),
            "related_count": pl.UInt32(),
            "gap_days": pl.Int64(),
            "elapsed": pl.Int64(),
            "basis": text,
            "rule": _RULES,
            "name": text,
            "message": text,
        }
    )
