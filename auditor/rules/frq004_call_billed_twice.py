"""The call was billed on two lines.

What it checks: none of the claim's calls supports an earlier active line of the family, or any line with another
telephone code. If a line with any other code names the call, the rule requests review. Without calls in the inputs, it
compares the call ids of the lines.

Why it matters: one call is one service.

How to resolve: void the line that was billed in error, or correct its call id.

What it cannot see: calls that were entered twice under different ids; INT003 may find those.
"""

import polars as pl

from auditor.rules.rule import ONCE, TELEPHONE_SERVICES, Rule
from auditor.rules.sentences import BILLED_AGAIN, RECORD

RULE = Rule(
    code="FRQ004",
    name="call-billed-twice",
    page=__doc__,
    over="shared_call",
    conclusive=pl.col("status_known") & ONCE,
    violation=pl.col("is_telephone"),
    review=pl.lit(True),
    reads_calls=True,
    without_call=True,
    applies=pl.col("has_shared_calls") | pl.col("call_unsure"),
    needs=(("calls", "claims.call_id"),),
    not_applicable="the claim has no call",
    detail=pl.col("billed_again"),
    message=pl.format("{} bills a call of this claim, too{}", RECORD, BILLED_AGAIN),
    nothing="the claim's calls support no other line",
    errs="under",
    cites=(f"{TELEPHONE_SERVICES}: time of medical discussion, reported once",),
    examples="""
    record | patient | start            | provider | call_id | cpt_code | expect
    u1     | p1      | 2026-03-02 09:00 | a        |         |          |
    b1     | p1      | 2026-03-02       | a        | u1      |          | clear
    b2     | p1      | 2026-03-02       | a        | u1      |          | violation b1
    u3     | p2      | 2026-03-02 09:00 | a        |         |          |
    b3     | p2      | 2026-03-02       | a        | u3      |          | clear
    u4     | p3      | 2026-03-02 09:00 | a        |         |          |
    b4     | p3      | 2026-03-02       | a        | u4      |          | violation b5
    b5     | p3      | 2026-03-02       | a        | u4      | G2012    |
    u6     | p4      | 2026-03-02 09:00 | a        |         |          |
    b6     | p4      | 2026-03-02       | a        | u6      |          | review b7
    b7     | p4      | 2026-03-02       | a        | u6      | 99213    |
    """,
)
