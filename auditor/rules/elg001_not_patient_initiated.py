"""The patient did not start the call.

What it checks: the patient, or the patient's parent or guardian, started every call of the claim. If a call is a
callback, the rule requests review.

Why it matters: the code does not cover calls that the practice starts.

How to resolve: find the patient's own request in the record; if there is none, do not bill the call.

What it cannot see: a request that the patient made in another way and that was not recorded.
"""

import polars as pl

from auditor.rules.reasons import blank
from auditor.rules.rule import TELEPHONE_SERVICES, Rule

RULE = Rule(
    code="ELG001",
    name="not-patient-initiated",
    page=__doc__,
    over="own_call",
    violation=pl.col("initiated_by") == "provider",
    review=pl.col("initiated_by") == "callback",
    doubt=pl.col("initiated_by").is_null(),
    reads_calls=True,
    needs=(("calls",), ("calls.initiated_by",)),
    detail=pl.col("initiated_by"),
    message=pl.when(pl.col("detail") == "provider")
    .then(pl.lit("the provider, not the patient, started a call of the claim"))
    .otherwise(pl.lit("a call of the claim was a callback: the provider called the patient back")),
    nothing="the patient, a parent or a guardian started every call",
    why_unknown=blank("who started the call"),
    errs="neither",
    cites=(f"{TELEPHONE_SERVICES}: guidelines, service initiated by the patient",),
    examples="""
    record | patient | start            | initiated_by | expect
    k1     | p1      | 2026-03-02 09:00 | outgoing     | violation
    k2     | p2      | 2026-03-02 09:00 | callback     | review
    k3     | p3      | 2026-03-02 09:00 | inbound      | clear
    k4     | p4      | 2026-03-02 09:00 | ?            | unknown
    """,
    shows_record=False,
)
