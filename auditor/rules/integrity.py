"""INT001-003: claims and calls that do not fit together."""

import polars as pl

from auditor.rules.rule import HAS_CALL, Rule

INT001 = Rule(
    code="INT001",
    name="claim-without-call",
    page="""
What it checks: a call in the calls export supports the claim.

Why it matters: a claim without a call has nothing to stand on.

How to resolve: find the call; correct its id, patient, provider or date; otherwise void the claim.

What it cannot see: calls that were made but not exported.
""",
    over="claim",
    violation=~HAS_CALL,
    needs=(("claims",),),
    message=pl.lit("no call in the export supports the claim"),
    errs="over",
    cites=("CPT 98968 billing guide: the service is the call",),
    examples="""
    record | patient | start            | provider | expect
    u1     | p1      | 2026-03-02 09:00 | a        |
    b1     | p1      | 2026-03-02       | a        | clear
    b2     | p1      | 2026-03-03       | a        | violation
    """,
)

INT002 = Rule(
    code="INT002",
    name="call-does-not-match-claim",
    page="""
What it checks: the calls that the claim names belong to its patient and provider, and, with a claims table, one of them is
on the service date.

Why it matters: a claim that names somebody else's call is wrong, or the call is.

How to resolve: correct the id on the claim or the record of the call.

What it cannot see: calls matched by date only; those agree by construction.
""",
    over="own_call",
    violation=pl.col("other_party") | pl.col("none_on_date"),
    applies=HAS_CALL,
    message=pl.format("call {} has another patient, provider or date than the claim", "related_id"),
    errs="neither",
    cites=("Record integrity; CPT 98968 billing guide: per provider and patient",),
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

INT003 = Rule(
    code="INT003",
    name="overlapping-provider-time",
    page="""
What it checks: no other call of the claim's provider overlaps one of the claim's calls.

Why it matters: a provider gives one patient's discussion the whole time.

How to resolve: compare with the telephone system; one of the two times is wrong, or one call was not the provider's.

What it cannot see: calls whose end is not recorded.
""",
    over="overlap",
    review=pl.lit(True),
    unknown=pl.col("end").is_null(),
    applies=HAS_CALL,
    message=pl.format("call {} of the same provider overlaps one of its calls", "related_id"),
    errs="under",
    cites=("Record integrity; CPT 98968 billing guide: time of medical discussion",),
    examples="""
    record | patient | start            | provider | call_minutes | expect
    k1     | p1      | 2026-03-02 09:00 | a        | 25           | review u1
    u1     | p2      | 2026-03-02 09:24 | a        | 5            |
    k2     | p3      | 2026-03-03 09:00 | a        | 25           | clear
    u2     | p4      | 2026-03-03 09:25 | a        | 5            |
    k3     | p5      | 2026-03-04 09:00 | a        |              | unknown
    """,
)
