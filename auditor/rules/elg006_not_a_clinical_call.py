"""The call was not clinical.

What it checks: every call of the claim was clinical: not scheduling, administrative or a follow-up.

Why it matters: the code covers assessment and management.

How to resolve: read the note; if the call was clinical, correct its purpose.

What it cannot see: what was said in the call.
"""

import polars as pl

from auditor.rules.reasons import blank
from auditor.rules.rule import TELEPHONE_SERVICES, Rule

RULE = Rule(
    code="ELG006",
    name="not-a-clinical-call",
    page=__doc__,
    over="own_call",
    violation=pl.col("purpose").is_in(["scheduling", "administrative", "follow_up"]),
    doubt=pl.col("purpose").is_null(),
    reads_calls=True,
    needs=(("calls",), ("calls.purpose",)),
    detail=pl.col("purpose").replace({"administrative": "administration", "follow_up": "follow-up"}),
    message=pl.format("a call of the claim was for {}, not clinical", "detail"),
    nothing="every call was clinical",
    why_unknown=blank("the purpose of the call"),
    errs="neither",
    cites=(f"{TELEPHONE_SERVICES}: guidelines, assessment and management",),
    examples="""
    record | patient | start            | purpose   | expect
    k1     | p1      | 2026-03-02 09:00 | follow-up | violation
    k2     | p2      | 2026-03-02 09:00 | clinical  | clear
    k3     | p3      | 2026-03-02 09:00 |           | unknown
    """,
    shows_record=False,
)
