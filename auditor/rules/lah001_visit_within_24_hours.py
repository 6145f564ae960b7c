"""A visit that the call led to within hours.

What it checks: no visit that the call led to starts between the call's start and {hours} elapsed hours after its end. A
visit booked before the call, or one that cannot be tied to it, asks for review; so does one of which only the date is
known, and an entry without code and modality at the time of the call, which may be the call itself.

Why it matters: a call that leads to a visit within {hours} hours is part of that visit.

How to resolve: read why the visit was booked. If it was planned before the call or is about something else, record when
it was booked and for what; otherwise do not bill the call.

What it cannot see: visits elsewhere, and visits after the day up to which the export is complete.
"""

import polars as pl

from auditor.rules.reasons import visits_ahead
from auditor.rules.rule import DAYS, HAS_CALL, TELEPHONE_SERVICES, Rule

_FROM_CALL = pl.col("from_call")
_RELATED, _MAYBE = pl.col("is_related"), pl.col("may_be_related")
_NOT_CANCELLED = pl.col("qualifies") & pl.col("not_cancelled")
_CANCELLED = pl.col("qualifies") & ~pl.col("not_cancelled")

RULE = Rule(
    code="LAH001",
    name="visit-within-24-hours",
    page=__doc__,
    over="visit_after",
    considered=pl.col("within"),
    conclusive=pl.col("conclusive") & ~pl.col("date_only"),
    violation=_NOT_CANCELLED
    & (pl.col("linked") | (_RELATED & (pl.col("not_booked") | _FROM_CALL)) | (_MAYBE & _FROM_CALL)),
    review=(_NOT_CANCELLED & (_MAYBE | (_FROM_CALL & pl.col("unrelated_supports"))))
    | (_CANCELLED & _FROM_CALL & _MAYBE),
    unknown=pl.col("ahead_not_covered"),
    applies=HAS_CALL,
    message=pl.format(
        "visit {} ({}) starts {} after the call, within {} hours",
        *("related_id", "basis", DAYS, "hours_ahead"),
    ),
    nothing="no visit of the patient from the call to {hours} hours after it",
    why_unknown=visits_ahead,
    explains_rejected_records=True,
    errs="over",
    cites=(f"{TELEPHONE_SERVICES}: guidelines, visit within the next 24 hours",),
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
    v6     | p6      | 2026-03-09 09:00    | a        | completed |                  | video    |
    k12    | p12     | 2026-03-09 09:00    | a        |           |                  |          | review v12
    v12    | p12     | 2026-03-09 09:15    | a        | completed |                  |          |
    k8     | p8      | 2026-03-09 09:00    | a        |           |                  |          | clear
    v8     | p8      | 2026-03-11          | a        | completed |                  |          |
    k9     | p9      | 2026-03-09 09:00    | a        |           |                  |          | review v9
    v9     | p9      | 2026-03-09 17:00    | a        | cancelled | 2026-03-09 09:10 |          |
    k10    | p10     | 2026-03-09 09:00    | a        |           |                  |          | clear
    v10    | p10     | 2026-03-09 17:00    | a        | cancelled | 2026-03-01 09:00 |          |
    k11    | p11     | 2026-03-09 09:00    | a        |           |                  |          | clear
    v11    | p11     | 2026-03-09 17:00    | a        | cancelled | 2026-03-09 09:10 | phone    |
    k7     | p7      | 2026-12-31 09:00    | a        |           |                  |          | unknown

    policy: lookahead.hours = 48
    record | patient | start               | provider | status    | booked_at | modality | expect
    k1     | p1      | 2026-03-09 09:00    | a        |           |           |          | violation v1
    v1     | p1      | 2026-03-11 09:25    | a        | completed |           |          |
    k2     | p2      | 2026-03-09 09:00    | a        |           |           |          | clear
    v2     | p2      | 2026-03-11 09:25:01 | a        | completed |           |          |
    """,
)
