"""The call led to a visit within 24 hours.

What it checks: no visit that the call led to starts between the start of the call and {hours} elapsed hours after its
end. The rule requests review if the visit was booked before the call, if it is unclear whether the visit and the call are
related, or if only the date of the visit is known. It also requests review of a visit without codes and modality at
the time of the call, because the visit may be the call itself, and if the claim has no call: then the visit is on the
service date or the day after.

Why it matters: a call that leads to a visit within {hours} hours is part of that visit.

How to resolve: check why the visit was booked. If it was planned before the call or has another reason, record when it
was booked and for what; otherwise do not bill the call.

What it cannot see: visits at other practices, and visits after the export ends.
"""

import polars as pl

from auditor.rules.reasons import visits_ahead
from auditor.rules.rule import RELATION_READS, TELEPHONE_SERVICES, TIMES, Rule
from auditor.rules.sentences import DAYS, HOURS, RELATION, THE_CALL, VISIT

_FROM_CALL = pl.col("from_call")
_RELATED, _MAYBE = pl.col("is_related"), pl.col("may_be_related")
_NOT_CANCELLED = pl.col("qualifies") & pl.col("not_cancelled")
_CANCELLED = pl.col("qualifies") & ~pl.col("not_cancelled")
_WHEN = (
    pl.when(~pl.col("has_call") & (pl.col("gap_days") == 0))
    .then(pl.format("is on {}", THE_CALL))
    .when(~pl.col("has_call"))
    .then(pl.format("is {} after {}", DAYS, THE_CALL))
    .when(pl.col("date_only") & (pl.col("gap_days") == 0))
    .then(pl.lit("is on the day of the call, at an unknown time"))
    .when(pl.col("date_only"))
    .then(pl.format("is {} after the call, at an unknown time", DAYS))
    .when(pl.col("end").is_null())
    .then(pl.format("starts {} after the call started", HOURS))
    .when(pl.col("elapsed") == 0)
    .then(pl.lit("starts during the call"))
    .otherwise(pl.format("starts {} after the call ended", HOURS))
)
_BOOKED = (
    pl.when(pl.col("detail").is_null())
    .then(pl.lit(""))
    .when("has_call")
    .then(
        pl.col("detail").replace(
            {"before": ", and was booked before the call", "since": ", and was booked after the call began"}
        )
    )
    .otherwise(
        pl.col("detail").replace(
            {"before": ", and was booked before that day", "since": ", and was booked after that day"}
        )
    )
)

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
    reads=(*RELATION_READS, *TIMES, "visits.booked_at"),
    window="ahead",
    reads_calls=True,
    without_call=True,
    reason=RELATION,
    detail=pl.when(pl.col("linked") | pl.col("not_booked"))
    .then(None)
    .otherwise(pl.when(_FROM_CALL).then(pl.lit("since")).otherwise(pl.lit("before"))),
    message=pl.format("{} {}{}; {}", VISIT, _WHEN, _BOOKED, "reason"),
    nothing="no visit of the patient from the start of the call to {hours} hours after its end",
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
