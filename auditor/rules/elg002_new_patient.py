"""The patient was not an established patient.

What it checks: the patient was an established patient at every call of the claim.

Why it matters: the code covers only established patients.

How to resolve: check the patient's registration and earlier visits.

What it cannot see: whether the export and the payer define an established patient in the same way.
"""

import polars as pl

from auditor.rules.reasons import blank
from auditor.rules.rule import TELEPHONE_SERVICES, Rule

RULE = Rule(
    code="ELG002",
    name="new-patient",
    page=__doc__,
    over="own_call",
    violation=~pl.col("established"),
    doubt=pl.col("established").is_null(),
    reads_calls=True,
    needs=(("calls",), ("calls.established",)),
    message=pl.lit("the patient was not an established patient"),
    nothing="the patient was an established patient",
    why_unknown=blank("whether the patient was established"),
    errs="neither",
    cites=(f"{TELEPHONE_SERVICES}: guidelines, established patient",),
    examples="""
    record | patient | start            | established | expect
    k1     | p1      | 2026-03-02 09:00 | no          | violation
    k2     | p2      | 2026-03-02 09:00 | yes         | clear
    k3     | p3      | 2026-03-02 09:00 |             | unknown
    """,
    shows_record=False,
)
