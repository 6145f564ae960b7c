"""The one function that judges: the records of some patients → their claims, findings and evidence."""

from dataclasses import dataclass, replace

import polars as pl

from auditor import payers
from auditor.audit_context import AuditContext
from auditor.billing.lines import Billing, bill, with_end_and_time
from auditor.judging import findings
from auditor.judging.judge import Judgement, in_force, merged
from auditor.judging.judge import judge as judged
from auditor.parsing.adjustment_rows import that_are_calls
from auditor.policy import Policy
from auditor.quality import relationships
from auditor.rules import ALL
from auditor.schema.codes import FAMILY
from auditor.windows import PatientRecords, RecordSets, lines_of
from auditor.windows.visits import classified


@dataclass(frozen=True)
class Judged:
    """What came of some patients: frames as `findings.py` and `judge.py` describe them, and lines by inactive status.

    `claimed`: as `relationships.claimed_ids`; `unmatched`: adjustments that found no line.
    """

    claims: pl.DataFrame
    findings: pl.DataFrame
    evidence: pl.DataFrame
    outcomes: pl.DataFrame
    claimed: pl.DataFrame
    inactive: dict[str, int]
    unmatched: int


def judge_patients(
    calls: pl.DataFrame, visits: pl.DataFrame, claims: pl.DataFrame | None, spans: pl.DataFrame, context: AuditContext
) -> Judged:
    """Bill, window, judge and find. `spans`: of all calls of the claims' providers, whoever the patient."""
    policy = context.policy
    billed = bill(with_end_and_time(calls), claims, context.providers, policy)
    records = PatientRecords(
        context=context,
        billing=billed,
        near_providers=_near_providers(billed),
        visits=classified(visits, policy.lists),
        calls=that_are_calls(calls).select("patient_id", "call_id"),
        provider_calls=spans,
        has_claims_table=claims is not None,
    )
    audited, judgement = _judged(records)
    published = findings.claims_table(audited, judgement, policy, context.identity)
    ordered = findings.in_order(published)
    own_calls = billed.line_calls if context.with_evidence else billed.line_calls.clear()
    inactive = billed.inactive.filter(pl.col("cpt_code").is_in(context.codes) & context.audited)
    return Judged(
        published,
        findings.findings_table(audited, published, ordered, judgement, policy, context.identity),
        findings.evidence_table(ordered, own_calls, judgement, policy, context.identity),
        judgement.outcomes,
        relationships.claimed_ids(
            audited.with_columns(is_clear=published["disposition"] == "clear"), visits, records.near_providers
        ),
        {status: inactive.filter(pl.col("claim_status") == status).height for status in ("void", "denied")},
        _unmatched(billed),
    )


def audited_calls(calls: pl.DataFrame, claims: pl.DataFrame | None, context: AuditContext) -> pl.Series:
    """The ids of the calls of the claims that are audited."""
    billed = bill(with_end_and_time(calls), claims, context.providers, context.policy)
    audited = billed.lines.filter(pl.col("cpt_code").is_in(context.codes) & context.audited)
    return billed.line_calls.join(audited, on="line", how="semi")["call_id"].unique()


def _judged(records: PatientRecords) -> tuple[pl.DataFrame, Judgement]:
    """The audited claims with what their policies make of them, and the judgement."""
    context = records.context
    rules = [rule for rule in ALL if rule.code not in context.not_evaluated]
    policies: dict[int | None, Policy] = dict(enumerate(payers.numbered(context.policy)))
    all_lines = lines_of(records)
    claims, judgements = list[pl.DataFrame](), list[Judgement]()
    for judge in (*policies, *([None] if context.policy.payers else [])):
        policy = policies.get(judge)
        own = replace(records, context=replace(context, policy=policy or context.policy))
        record_sets = RecordSets(own, all_lines, judge)
        if record_sets.claims.is_empty() and claims:
            continue
        judgements.append(judged(record_sets, rules, policy))
        claims.append(
            record_sets.claims.with_columns(
                policy=pl.lit(policy.name if policy else None, pl.String),
                in_force=in_force(policy) if policy else pl.lit(False),
                supportable_code=findings.supportable_code(own.context.policy),
            )
        )
    return pl.concat(claims), merged(judgements)


def _unmatched(billed: Billing) -> int:
    """Number of adjustments of telephone lines that found no line. Those of other lines are not all read."""
    lines = pl.concat([some.select("cpt_code", "unmatched") for some in (billed.inactive, billed.lines)])
    return int(lines.filter(pl.col("cpt_code").is_in(FAMILY))["unmatched"].sum())


def _near_providers(billed: Billing) -> pl.DataFrame:
    """As `PatientRecords.near_providers`."""
    names = ("patient_id", "provider_id", "cpt_code")
    lines = pl.concat([some.select(names) for some in (billed.lines, billed.other_lines, billed.inactive)])
    near = relationships.near_providers(lines)
    if near.is_empty():
        return near.with_columns(family=pl.lit(False))
    of_family = relationships.near_providers(lines.filter(pl.col("cpt_code").is_in(FAMILY)))
    return near.join(of_family.with_columns(family=True), on=near.columns, how="left").with_columns(
        pl.col("family").fill_null(False)
    )
