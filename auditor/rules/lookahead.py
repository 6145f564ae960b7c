"""LAH001-002: visits that the call led to."""

import polars as pl

from auditor.rules.rule import HAS_CALL, Rule

_FROM_CALL = pl.col("from_call")
_RELATED, _MAYBE = pl.col("is_related"), pl.col("may_be_related")
_LIVE = pl.col("counts") & pl.col("live")
_CALLED_OFF = pl.col("counts") & ~pl.col("live")

LAH001 = Rule(
    code="LAH001",
    name="visit-within-24-hours",
    page="""
What it checks: no visit that the call led to starts between the call's start and 24 elapsed hours after its end. A visit
booked before the call, or one that cannot be tied to it, asks for review; so does one of which only the date is known.

Why it matters: a call that leads to a visit within 24 hours is part of that visit.

How to resolve: read why the visit was booked. If it was planned before the call or is about something else, record when it
was booked and for what; otherwise do not bill the call.

What it cannot see: visits elsewhere, and visits after the day up to which the export is complete.
""",
    over="visit_after",
    weighed=pl.col("within"),
    violation=_LIVE
    & pl.col("sure")
    & ~pl.col("date_only")
    & (pl.col("linked") | (_RELATED & (pl.col("not_booked") | _FROM_CALL)) | (_MAYBE & _FROM_CALL)),
    review=(_LIVE & (_MAYBE | (_FROM_CALL & pl.col("unrelated_supports")))) | (_CALLED_OFF & _FROM_CALL & _MAYBE),
    unknown=pl.col("ahead_open"),
    applies=HAS_CALL,
    message=pl.format(
        "visit {} ({}) starts {} days after the call, within 24 hours", "related_id", "basis", "gap_days"
    ),
    errs="over",
    cites=("CPT 98968 billing guide: no visit within the next 24 hours",),
    examples="""
    record | patient | start               | provider | status    | booked_at        | modality | expect
    k1     | p1      | 2026-03-09 09:00    | a        |           |                  |          | violation v1
    v1     | p1      | 2026-03-10 09:25    | a        | completed |                  |          |
    k2     | p2      | 2026-03-09 09:00    | a        |           |                  |          | clear
    v2     | p2      | 2026-03-10 09:25:01 | a        | completed |                  |          |
    k3     | p3      | 2026-03-09 09:00    | a        |           |                  |          | review v3
    v3     | p3      | 2026-03-10 09:00    | a        | completed | 2026-03-01 12:00 |          |
    k4     | p4      | 2026-03-09 09:00    | a        |           |                  |          | review v4
    v4     | p4      | 2026-03-10          | a        | completed |                  |          |
    k5     | p5      | 2026-03-09 09:00    | a        |           |                  |          | review v5
    v5     | p5      | 2026-03-10 09:00    | b        | completed |                  |          |
    k6     | p6      | 2026-03-09 09:00    | a        |           |                  |          | violation v6
    v6     | p6      | 2026-03-09 09:00    | a        | completed |                  |          |
    k8     | p8      | 2026-03-09 09:00    | a        |           |                  |          | clear
    v8     | p8      | 2026-03-11          | a        | completed |                  |          |
    k9     | p9      | 2026-03-09 09:00    | a        |           |                  |          | review v9
    v9     | p9      | 2026-03-09 17:00    | a        | cancelled | 2026-03-09 09:10 |          |
    k10    | p10     | 2026-03-09 09:00    | a        |           |                  |          | clear
    v10    | p10     | 2026-03-09 17:00    | a        | cancelled | 2026-03-01 09:00 |          |
    k11    | p11     | 2026-03-09 09:00    | a        |           |                  |          | clear
    v11    | p11     | 2026-03-09 17:00    | a        | cancelled | 2026-03-09 09:10 | phone    |
    k7     | p7      | 2026-12-31 09:00    | a        |           |                  |          | unknown
    """,
)

_AVAILABLE = _LIVE & pl.col("soonest")
_IN_SPAN = pl.col("in_span")
_FOUND = _LIVE & pl.col("soonest_blank") & _IN_SPAN & _MAYBE

LAH002 = Rule(
    code="LAH002",
    name="soonest-available-visit",
    page="""
What it checks: no visit later than 24 hours, and up to 14 days after the call, was the soonest available appointment
booked from the call.

Why it matters: a call that leads to the soonest available appointment is part of that visit, however late it is.

How to resolve: see when the visit was booked and whether it was the soonest. If not, record it so.

What it cannot see: whether an earlier appointment was free; it relies on what the export says of each visit.
""",
    over="visit_after",
    weighed=pl.col("later") & ~pl.col("not_soonest"),
    violation=_AVAILABLE & pl.col("sure") & ((_IN_SPAN & _MAYBE) | (pl.col("not_booked") & _RELATED)),
    review=(_AVAILABLE & (_IN_SPAN | (pl.col("not_booked") & _MAYBE))) | _FOUND | (_CALLED_OFF & _IN_SPAN & _MAYBE),
    doubt=_LIVE & _MAYBE & pl.col("not_booked") & pl.col("soonest_blank"),
    unknown=pl.col("ahead_open"),
    applies=HAS_CALL,
    needs=(("visits.soonest_available", "visits.booked_at", "visits.originating_call_id"),),
    message=pl.format(
        "visit {} ({}), {} days after the call, may be the soonest available", "related_id", "basis", "gap_days"
    ),
    errs="under",
    cites=("CPT 98968 billing guide: no visit at the soonest available appointment",),
    examples="""
    record | patient | start            | provider | status    | booked_at        | soonest_available | expect
    k1     | p1      | 2026-03-09 09:00 | a        |           |                  |                   | violation v1
    v1     | p1      | 2026-03-20 09:00 | a        | completed | 2026-03-09 09:10 | yes               |
    k2     | p2      | 2026-03-09 09:00 | a        |           |                  |                   | review v2
    v2     | p2      | 2026-03-20 09:00 | a        | completed | 2026-03-09 09:10 |                   |
    k3     | p3      | 2026-03-09 09:00 | a        |           |                  |                   | clear
    v3     | p3      | 2026-03-20 09:00 | a        | completed | 2026-03-09 09:10 | no                |
    k4     | p4      | 2026-03-09 09:00 | a        |           |                  |                   | unknown
    v4     | p4      | 2026-03-20 09:00 | a        | completed |                  |                   |
    k5     | p5      | 2026-03-09 09:00 | a        |           |                  |                   | violation v5
    v5     | p5      | 2026-03-23 09:25 | a        | scheduled |                  | yes               |
    k6     | p6      | 2026-03-09 09:00 | a        |           |                  |                   | clear
    v6     | p6      | 2026-03-23 09:26 | a        | scheduled |                  | yes               |
    k7     | p7      | 2026-03-09 09:00 | a        |           |                  |                   | violation v7
    v7     | p7      | 2026-03-11       | a        | completed |                  | yes               |
    k8     | p8      | 2026-03-09 09:00 | a        |           |                  |                   | clear
    v8     | p8      | 2026-03-24       | a        | completed |                  | yes               |
    k9     | p9      | 2026-03-09 09:00 | a        |           |                  |                   | review v9
    v9     | p9      | 2026-03-20 09:00 | a        | cancelled | 2026-03-09 09:10 |                   |
    k10    | p10     | 2026-03-09 09:00 | a        |           |                  |                   | clear
    v10    | p10     | 2026-03-20 09:00 | a        | cancelled | 2026-03-01 09:00 |                   |
    k11    | p11     | 2026-03-09 09:00 | a        |           |                  |                   | review v11
    v11    | p11     | 2026-03-20 09:00 | b        | completed |                  | yes               |
    k12    | p12     | 2026-03-09 09:00 | a        |           |                  |                   | clear
    v12    | p12     | 2026-03-20 09:00 | a        | completed | 2026-03-01 09:00 | yes               |
    k13    | p13     | 2026-03-09 09:00 | a        |           |                  |                   | clear
    v13    | p13     | 2026-03-20 09:00 | a        | cancelled | 2026-03-09 09:10 | no                |
    k14    | p14     | 2026-03-09 09:00 | a        |           |                  |                   | clear
    v14    | p14     | 2026-03-20 09:00 | a        | completed | 2026-03-01 09:00 |                   |
    """,
)
