"""The call has another patient, provider or date.

What it checks: the calls that the claim names have its patient and provider. If there is a claims table, at least one of
them took place on the service date.

Why it matters: if the claim and the call differ, one of the two is wrong.

How to resolve: correct the call id on the claim, or the record of the call.

What it cannot see: calls that were matched by patient, provider and date, because those always agree.
"""

import polars as pl

from auditor.rules.reasons import always
from auditor.rules.rule import TELEPHONE_SERVICES, Rule
from auditor.rules.sentences import RECORD

RULE = Rule(
    code="INT002",
    name="call-does-not-match-claim",
    page=__doc__,
    over="own_call",
    violation=pl.col("other_party") | pl.col("none_on_date"),
    conclusive=~pl.col("calls_rounded"),
    doubt=pl.col("party_unsure"),
    reads_calls=True,
    dated=True,
    needs=(("calls",),),
    detail=pl.col("differs"),
    message=pl.format("{} has another {} than the claim", RECORD, "detail"),
    nothing="the calls have the claim's patient, provider and service date",
    why_unknown=always("an id of the claim's call, patient or provider may be written differently in the calls export"),
    errs="neither",
    cites=(f"{TELEPHONE_SERVICES}: guidelines, one provider and one patient",),
    examples="""
    record | patient | start            | provider | call_id | expect
    u1     | p1      | 2026-03-02 09:00 | a        |         |
    b1     | p2      | 2026-03-02       | a        | u1      | violation u1
    u2     | p3      | 2026-03-02 09:00 | a        |         |
    b2     | p3      | 2026-03-03       | a        | u2      | violation u2
    u3     | p4      | 2026-03-02 09:00 | a        |         |
    b3     | p4      | 2026-03-02       | a        | u3      | clear
    u4     | p5      | 2026-03-02 10:00 | a        |         |
    b4     | p5      | 2026-03-02       | n4       | u4      | unknown
    u5     | p6      | 2026-03-02 11:00 | a        |         |
    b5     | p6      | 2026-03-02       | n5       | u5      | unknown
    """,
)
