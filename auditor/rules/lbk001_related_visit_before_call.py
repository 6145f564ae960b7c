"""A related visit in the days before the call.

What it checks: no visit that counts, is related to the claim and was kept started in the {lookback} calendar days
before it. A visit that may or may not be related asks for review: one of another provider where there is no problem
and no diagnosis to compare, and one whose problem differs while a diagnosis category is shared.

Why it matters: the call then belongs to the earlier visit's follow-up and is not paid on its own.

How to resolve: read both notes. If they deal with different problems, record the problem or the diagnosis on both, so
that the export can show it; otherwise do not bill the call.

What it cannot see: visits outside the export, and visits of other practices. Where only the provider ties visit and
call together, it assumes that they are about the same problem.
"""

import polars as pl

from auditor.rules.reasons import visits_back
from auditor.rules.rule import DAYS, HAS_CALL, TELEPHONE_SERVICES, Rule

_TOOK_PLACE = pl.col("qualifies") & pl.col("took_place")

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
    unknown=pl.col("lookback_not_covered"),
    applies=HAS_CALL,
    message=pl.format("visit {} ({}) {} before the call", "related_id", "basis", DAYS),
    nothing="no visit of the patient in the {lookback} days before",
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
    """,
)
