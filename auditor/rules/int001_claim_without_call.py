"""The claim has no call.

What it checks: a call in the calls export supports the claim.

Why it matters: a claim without a call has no documented service.

How to resolve: find the call and correct its id, patient, provider or date; if there is none, void the claim.

What it cannot see: calls that took place but were not exported.
"""

import polars as pl

from auditor.rules.reasons import always
from auditor.rules.rule import HAS_CALL, TELEPHONE_SERVICES, Rule

RULE = Rule(
    code="INT001",
    name="claim-without-call",
    page=__doc__,
    over="claim",
    violation=~HAS_CALL,
    unknown=~pl.col("has_call"),
    needs=(("claims",), ("calls",)),
    message=pl.lit("no call in the export supports the claim"),
    nothing="a call supports the claim",
    why_unknown=always("an id of the claim's call, patient or provider may be written differently in the calls export"),
    errs="over",
    cites=(f"{TELEPHONE_SERVICES}: the service is the call",),
    examples="""
    record | patient | start            | provider | expect
    u1     | p1      | 2026-03-02 09:00 | a        |
    b1     | p1      | 2026-03-02       | a        | clear
    b2     | p1      | 2026-03-03       | a        | violation
    u3     | P2      | 2026-03-02 09:00 | a        |
    b3     | p2      | 2026-03-02       | a        | unknown
    """,
)
