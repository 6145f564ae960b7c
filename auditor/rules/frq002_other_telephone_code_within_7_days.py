"""Another code of the family was billed in the same period.

What it checks: no earlier line of the same patient and provider with another code of the family was billed 0 to
{last_day} days before this claim.

Why it matters: the family is billed once per {period} days, with the code that the cumulative minutes support.

How to resolve: add up the minutes of the period and bill one code for them.

What it cannot see: lines before the export begins.
"""

import polars as pl

from auditor.rules.reasons import lines_back
from auditor.rules.rule import ONCE, TELEPHONE_SERVICES, Rule
from auditor.rules.sentences import BEFORE_CLAIM, BILLED_AGAIN, RECORD

RULE = Rule(
    code="FRQ002",
    name="other-telephone-code-within-7-days",
    page=__doc__,
    over="line_before",
    considered=pl.col("same_provider") & ~pl.col("same_code"),
    review=pl.lit(True),
    conclusive=pl.col("status_known") & ONCE,
    window="lines",
    detail=pl.col("billed_again"),
    message=pl.format(
        "{} bills another code of the family 98966-98968 for the same patient and provider {}{}",
        RECORD,
        BEFORE_CLAIM,
        BILLED_AGAIN,
    ),
    nothing="no earlier line of the same patient and provider with another code of the family within {period} days",
    why_unknown=lines_back,
    explains_rejected_records=True,
    errs="under",
    cites=(f"{TELEPHONE_SERVICES}: guidelines, repeated calls within 7 days",),
    examples="""
    record | patient | start            | provider | cpt_code | expect
    k1     | p1      | 2026-03-02 09:00 | a        | 98966    |
    k2     | p1      | 2026-03-08 09:00 | a        | 98968    | review k1
    k3     | p2      | 2026-03-02 09:00 | a        | 98966    |
    k4     | p2      | 2026-03-09 09:00 | a        | 98968    | clear
    k5     | p3      | 2026-03-02 09:00 | a        | 98967    |
    k6     | p3      | 2026-03-02 09:00 | a        | 98968    | review k5
    k7     | p4      | 2025-01-02 09:00 | a        | 98968    | unknown
    """,
)
