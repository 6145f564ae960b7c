"""ELG001-006: who called whom, and who answered."""

import polars as pl

from auditor.rules.rule import HAS_CALL, Rule

ELG001 = Rule(
    code="ELG001",
    name="not-patient-initiated",
    page="""
What it checks: the patient, or the patient's parent or guardian, started every call of the claim.

Why it matters: calls that the practice starts are not this service. A returned call asks for review.

How to resolve: find the patient's own request in the record; if there is none, do not bill the call.

What it cannot see: a request that came by another way and was not recorded.
""",
    over="own_call",
    violation=pl.col("initiated_by") == "provider",
    review=pl.col("initiated_by") == "callback",
    doubt=pl.col("initiated_by").is_null(),
    applies=HAS_CALL,
    needs=(("calls.initiated_by",),),
    message=pl.lit("a call of the claim was not started by the patient"),
    errs="neither",
    cites=("CPT 98968 billing guide: the service is patient-initiated",),
    examples="""
    record | patient | start            | initiated_by | expect
    k1     | p1      | 2026-03-02 09:00 | outgoing     | violation
    k2     | p2      | 2026-03-02 09:00 | callback     | review
    k3     | p3      | 2026-03-02 09:00 | inbound      | clear
    k4     | p4      | 2026-03-02 09:00 | ?            | unknown
    """,
    shows_record=False,
)

ELG002 = Rule(
    code="ELG002",
    name="new-patient",
    page="""
What it checks: the patient was an established patient at every call of the claim.

Why it matters: the service is for established patients.

How to resolve: check the patient's registration and earlier visits.

What it cannot see: whether the export's own notion of established is the payer's.
""",
    over="own_call",
    violation=~pl.col("established"),
    doubt=pl.col("established").is_null(),
    applies=HAS_CALL,
    needs=(("calls.established",),),
    message=pl.lit("the patient was not established"),
    errs="neither",
    cites=("CPT 98968 billing guide: established patient",),
    examples="""
    record | patient | start            | established | expect
    k1     | p1      | 2026-03-02 09:00 | no          | violation
    k2     | p2      | 2026-03-02 09:00 | yes         | clear
    k3     | p3      | 2026-03-02 09:00 |             | unknown
    """,
    shows_record=False,
)

ELG003 = Rule(
    code="ELG003",
    name="physician-or-unlisted-credential",
    page="""
What it checks: the provider's credential is on the list of qualified nonphysician professionals.

Why it matters: physicians report other codes, and unlisted professionals need the payer's word.

How to resolve: correct the credential, or add it to the policy's list with the payer's source.

What it cannot see: state scope-of-practice rules.
""",
    over="claim",
    violation=pl.col("physician"),
    review=~pl.col("qualified"),
    unknown=pl.col("credential").is_null(),
    needs=(("calls.provider_credential", "providers.credential"),),
    message=pl.when(pl.col("physician"))
    .then(pl.lit("the provider's credential is a physician's"))
    .otherwise(pl.lit("the provider's credential is not on the qualified list")),
    errs="over",
    cites=("CPT 98968 billing guide: qualified nonphysician health care professional",),
    examples="""
    record | patient | start            | provider_credential | expect
    k1     | p1      | 2026-03-02 09:00 | M.D., PhD           | violation
    k2     | p2      | 2026-03-02 09:00 | RN                  | review
    k3     | p3      | 2026-03-02 09:00 | PA-C                | clear
    k4     | p4      | 2026-03-02 09:00 |                     | unknown
    """,
)

_BEFORE = pl.col("service_date") < pl.col("licence_start")
_AFTER = pl.col("service_date") > pl.col("licence_end")

ELG004 = Rule(
    code="ELG004",
    name="licence-not-in-force",
    page="""
What it checks: the service date lies within the provider's licence, first and last day included. One blank end is open.

Why it matters: services outside the licence are not payable.

How to resolve: check the licence with the board and correct the providers table.

What it cannot see: suspensions, and licences of other states.
""",
    over="claim",
    violation=_BEFORE.fill_null(False) | _AFTER.fill_null(False),
    unknown=pl.col("licence_start").is_null() & pl.col("licence_end").is_null(),
    needs=(("providers.licence_start", "providers.licence_end"),),
    message=pl.lit("the service date is outside the provider's licence"),
    errs="neither",
    cites=("State licensure; CPT 98968 billing guide: qualified professional",),
    examples="""
    record | patient | start            | provider | licence_start | licence_end | expect
    a      |         |                  |          | 2026-01-01    | 2026-03-02  |
    b      |         |                  |          |               | 2026-03-01  |
    d      |         |                  |          | 2026-03-02    |             |
    k1     | p1      | 2026-03-02 09:00 | b        |               |             | violation
    k2     | p2      | 2026-03-02 09:00 | a        |               |             | clear
    k3     | p3      | 2026-03-02 09:00 | c        |               |             | unknown
    k4     | p4      | 2026-03-02 09:00 | d        |               |             | clear
    k5     | p5      | 2026-03-01 09:00 | d        |               |             | violation
    """,
)

ELG005 = Rule(
    code="ELG005",
    name="ineligible-caller",
    page="""
What it checks: the patient, a parent or a guardian spoke in every call of the claim.

Why it matters: calls with others, such as a pharmacy or a friend, are not this service.

How to resolve: find out from the note who spoke, and correct the record or the claim.

What it cannot see: a caller's legal standing.
""",
    over="own_call",
    violation=pl.col("caller") == "other",
    doubt=pl.col("caller").is_null(),
    applies=HAS_CALL,
    needs=(("calls.caller",),),
    message=pl.lit("someone other than the patient, a parent or a guardian called"),
    errs="neither",
    cites=("CPT 98968 billing guide: service to an established patient, parent or guardian",),
    examples="""
    record | patient | start            | caller   | expect
    k1     | p1      | 2026-03-02 09:00 | pharmacy | violation
    k2     | p2      | 2026-03-02 09:00 | mother   | clear
    k3     | p3      | 2026-03-02 09:00 |          | unknown
    """,
    shows_record=False,
)

ELG006 = Rule(
    code="ELG006",
    name="not-a-clinical-call",
    page="""
What it checks: every call of the claim was clinical: not scheduling, administrative or a follow-up.

Why it matters: the service is assessment and management.

How to resolve: read the note; if the call was clinical, correct its purpose.

What it cannot see: what was said.
""",
    over="own_call",
    violation=pl.col("purpose").is_in(["scheduling", "administrative", "follow_up"]),
    doubt=pl.col("purpose").is_null(),
    applies=HAS_CALL,
    needs=(("calls.purpose",),),
    message=pl.lit("a call of the claim was not clinical"),
    errs="neither",
    cites=("CPT 98968 billing guide: assessment and management service",),
    examples="""
    record | patient | start            | purpose   | expect
    k1     | p1      | 2026-03-02 09:00 | follow-up | violation
    k2     | p2      | 2026-03-02 09:00 | clinical  | clear
    k3     | p3      | 2026-03-02 09:00 |           | unknown
    """,
    shows_record=False,
)
