"""Two calls of the provider overlap.

What it checks: no other call of the claim's provider overlaps one of the claim's calls.

Why it matters: a provider cannot spend the same minutes on two patients.

How to resolve: compare both calls with the telephone system; correct the wrong time, or the provider of one call.

What it cannot see: calls without a recorded end.
"""

import polars as pl

from auditor.rules.reasons import always
from auditor.rules.rule import TELEPHONE_SERVICES, TIMES, Rule
from auditor.rules.sentences import RECORD

RULE = Rule(
    code="INT003",
    name="overlapping-provider-time",
    page=__doc__,
    over="overlap",
    review=pl.lit(True),
    reads=TIMES,
    unknown=pl.col("end").is_null(),
    reads_calls=True,
    needs=(("calls",),),
    message=pl.format("{} is of the same provider and overlaps a call of this claim", RECORD),
    nothing="no other call of the provider overlaps a call of this claim",
    why_unknown=always("the end of a call of the claim is unknown"),
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
