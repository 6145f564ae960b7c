"""A call that the patient did not start.

What it checks: the patient, or the patient's parent or guardian, started every call of the claim.

Why it matters: calls that the practice starts are not this service. A returned call asks for review.

How to resolve: find the patient's own request in the record; if there is none, do not bill the call.

What it cannot see: a request that came by another way and was not recorded.
"""

import polars as pl

from auditor.rules.reasons import blank
from auditor.rules.rule import HAS_CALL, TELEPHONE_SERVICES, Rule

RULE = Rule(
    code="ELG001",
    name="not-patient-initiated",
    page=__doc__,
    over="own_call",
    violation=pl.col("initiated_by") == "provider",
    review=pl.col("initiated_by") == "callback",
    doubt=pl.col("initiated_by").is_null(),
    applies=HAS_CALL,
    needs=(("calls.initiated_by",),),
    message=pl.lit("a call of the claim was not started by the patient"),
    nothing="the patient's side started every call",
    why_unknown=blank("who started the call"),
    errs="neither",
    cites=(f"{TELEPHONE_SERVICES}: guidelines, the patient initiates the service",),
    examples="""
    record | patient | start            | initiated_by | expect
    k1     | p1      | 2026-03-02 09:00 | outgoing     | violation
    k2     | p2      | 2026-03-02 09:00 | callback     | review
    k3     | p3      | 2026-03-02 09:00 | inbound      | clear
    k4     | p4      | 2026-03-02 09:00 | ?            | unknown
    """,
    shows_record=False,
)
