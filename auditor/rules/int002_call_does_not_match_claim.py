"""A call that belongs to somebody else, or to another day.

What it checks: the calls that the claim names belong to its patient and provider, and, with a claims table, one of them
is on the service date.

Why it matters: a claim that names somebody else's call is wrong, or the call is.

How to resolve: correct the id on the claim or the record of the call.

What it cannot see: calls matched by date only; those agree by construction.
"""

import polars as pl

from auditor.rules.rule import HAS_CALL, TELEPHONE_SERVICES, Rule

RULE = Rule(
    code="INT002",
    name="call-does-not-match-claim",
    page=__doc__,
    over="own_call",
    violation=pl.col("other_party") | pl.col("none_on_date"),
    applies=HAS_CALL,
    message=pl.format("call {} has another patient, provider or date than the claim", "related_id"),
    nothing="its calls have its patient, provider and date",
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
    """,
)
