"""Calls of one provider that overlap.

What it checks: no other call of the claim's provider overlaps one of the claim's calls.

Why it matters: a provider gives one patient's discussion the whole time.

How to resolve: compare with the telephone system; one of the two times is wrong, or one call was not the provider's.

What it cannot see: calls whose end is not recorded.
"""

import polars as pl

from auditor.rules.reasons import always
from auditor.rules.rule import HAS_CALL, TELEPHONE_SERVICES, Rule

RULE = Rule(
    code="INT003",
    name="overlapping-provider-time",
    page=__doc__,
    over="overlap",
    review=pl.lit(True),
    unknown=pl.col("end").is_null(),
    applies=HAS_CALL,
    message=pl.format("call {} of the same provider overlaps one of its calls", "related_id"),
    nothing="no other call of the provider overlaps",
    why_unknown=always("the end of one of its calls is unknown"),
    errs="under",
    cites=(f"{TELEPHONE_SERVICES}: time of medical discussion with one patient",),
    examples="""
    record | patient | start            | provider | call_minutes | expect
    k1     | p1      | 2026-03-02 09:00 | a        | 25           | review u1
    u1     | p2      | 2026-03-02 09:24 | a        | 5            |
    k2     | p3      | 2026-03-03 09:00 | a        | 25           | clear
    u2     | p4      | 2026-03-03 09:25 | a        | 5            |
    k3     | p5      | 2026-03-04 09:00 | a        |              | unknown
    """,
)
