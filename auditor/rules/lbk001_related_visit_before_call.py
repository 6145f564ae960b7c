"""A related visit took place in the days before the call.

What it checks: no related visit took place in the {lookback} calendar days before the claim. The rule requests review if
it is unclear whether the visit is related: another provider saw the patient and there is no problem or diagnosis to
compare, or the problems differ but the diagnosis category is the same. It also requests review if the claim has no
call; it then compares dates. A claim line with a visit code also counts as a visit, unless the visits export contains
that visit. The message says whether a call of the claim documents that no related visit took place (`doc_statement`).

Why it matters: such a call is a follow-up to the earlier visit and is not paid separately.

How to resolve: read both notes. If they are about different problems, record the problem or the diagnosis on both, so
that the export shows it; otherwise do not bill the call.

What it cannot see: visits outside the export, and visits at other practices. If the visit and the call have the same
provider and nothing else to compare, the rule assumes that they are about the same problem.
"""

import polars as pl

from auditor.rules.reasons import visits_back
from auditor.rules.rule import RELATION_READS, TELEPHONE_SERVICES, Rule
from auditor.rules.sentences import DAYS, HOURS, RELATION, THE_CALL, VISIT

_TOOK_PLACE = pl.col("qualifies") & pl.col("took_place")
_WHEN = (
    pl.when(pl.col("gap_days") > 0)
    .then(pl.format("started {} before {}", DAYS, THE_CALL))
    .when(~pl.col("has_call"))
    .then(pl.format("was on {}", THE_CALL))
    .when("date_only")
    .then(pl.lit("was on the day of the call, at an unknown time"))
    .otherwise(pl.format("started {} before the call", HOURS))
)
_DESPITE_STATEMENT = (
    pl.when("doc_statement")
    .then(pl.lit(", although the statement that no related visit took place is documented"))
    .otherwise(pl.lit(""))
)

RULE = Rule(
    code="LBK001",
    name="related-visit-before-call",
    page=__doc__,
    over="visit_before",
    considered=pl.col("in_lookback"),
    violation=_TOOK_PLACE & pl.col("is_related") & pl.col("certainly_before"),
    conclusive=pl.col("conclusive"),
    review=pl.col("qualifies")
    & (pl.col("took_place") | (pl.col("scheduled") & pl.col("has_started")))
    & pl.col("may_be_related"),
    reads=(*RELATION_READS, "calls.doc_statement"),
    window="lookback",
    reads_calls=True,
    without_call=True,
    reason=RELATION,
    message=pl.format("{} {}{}; {}", VISIT, _WHEN, _DESPITE_STATEMENT, "reason"),
    nothing="no visit of the patient in the {lookback} days before the call",
    why_unknown=visits_back("lookback"),
    explains_rejected_records=True,
    errs="over",
    cites=(f"{TELEPHONE_SERVICES}: guidelines, related service within the previous 7 days",),
    examples="""
    record | patient | start            | provider | status    | expect
    v1     | p1      | 2026-03-02 09:00 | a        | completed |
    k1     | p1      | 2026-03-09 09:00 | a        |           | violation v1
    v2     | p2      | 2026-03-02 09:00 | a        | completed |
    k2     | p2      | 2026-03-10 09:00 | a        |           | clear
    v3     | p3      | 2026-03-08 09:00 | b        | completed |
    k3     | p3      | 2026-03-09 09:00 | a        |           | review v3
    v4     | p4      | 2026-03-08 09:00 | a        | scheduled |
    k4     | p4      | 2026-03-09 09:00 | a        |           | review v4
    v5     | p5      | 2026-03-09       | a        | completed |
    k5     | p5      | 2026-03-09 09:00 | a        |           | review v5
    v6     | p6      | 2026-03-09 09:00 | a        | completed |
    k6     | p6      | 2026-03-09 09:00 | a        |           | clear
    k7     | p7      | 2025-01-03 09:00 | a        |           | unknown

    policy: relatedness = "evidence"
    record | patient | start            | provider | cpt_code | status    | expect
    u1     | p1      | 2026-03-09 09:00 | a        |          |           |
    b1     | p1      | 2026-03-09       | a        |          |           | violation b2
    b2     | p1      | 2026-03-06       | a        | 99213    |           |
    u3     | p2      | 2026-03-09 09:00 | a        |          |           |
    b3     | p2      | 2026-03-09       | a        |          |           | clear
    b4     | p2      | 2026-03-01       | a        | 99213    |           |
    b5     | p3      | 2026-03-09       | a        |          |           | review v5
    v5     | p3      | 2026-03-09 15:00 | a        |          | completed |
    """,
)
