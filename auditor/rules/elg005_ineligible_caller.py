"""The caller was not the patient, a parent or a guardian.

What it checks: the patient, a parent or a guardian spoke in every call of the claim.

Why it matters: the code does not cover calls with others, such as a pharmacy or a friend.

How to resolve: check in the note who spoke, and correct the record or the claim.

What it cannot see: whether the caller had the legal right to speak for the patient.
"""

import polars as pl

from auditor.rules.reasons import blank
from auditor.rules.rule import TELEPHONE_SERVICES, Rule

RULE = Rule(
    code="ELG005",
    name="ineligible-caller",
    page=__doc__,
    over="own_call",
    violation=pl.col("caller") == "other",
    doubt=pl.col("caller").is_null(),
    reads_calls=True,
    needs=(("calls",), ("calls.caller",)),
    message=pl.lit("someone other than the patient, a parent or a guardian called"),
    nothing="the patient, a parent or a guardian spoke in every call",
    why_unknown=blank("the caller"),
    errs="neither",
    cites=(f"{TELEPHONE_SERVICES}: guidelines, established patient, parent or guardian",),
    examples="""
    record | patient | start            | caller   | expect
    k1     | p1      | 2026-03-02 09:00 | pharmacy | violation
    k2     | p2      | 2026-03-02 09:00 | mother   | clear
    k3     | p3      | 2026-03-02 09:00 |          | unknown
    """,
    shows_record=False,
)
