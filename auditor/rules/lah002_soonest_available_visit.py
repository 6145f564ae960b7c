"""The call led to the soonest available visit.

What it checks: no visit more than {hours} hours and up to {horizon} days after the call was the soonest available
appointment and was booked from the call.

Why it matters: a call that leads to the soonest available appointment is part of that visit, even if the visit is later
than {hours} hours.

How to resolve: check when the visit was booked and whether it was the soonest available. If it was not, record that.

What it cannot see: whether an earlier appointment was free; it relies on the export's data about each visit.
"""

import polars as pl

from auditor.rules.reasons import visits_ahead
from auditor.rules.rule import RELATION_READS, TELEPHONE_SERVICES, TIMES, Rule
from auditor.rules.sentences import DAYS, HOURS, RELATION, THE_CALL, VISIT

_RELATED, _MAYBE = pl.col("is_related"), pl.col("may_be_related")
_NOT_CANCELLED = pl.col("qualifies") & pl.col("not_cancelled")
_CALLED_OFF = pl.col("qualifies") & ~pl.col("not_cancelled")
_AVAILABLE = _NOT_CANCELLED & pl.col("soonest")
_IN_SPAN = pl.col("in_span")
_FOUND = _NOT_CANCELLED & pl.col("soonest_blank") & _IN_SPAN & _MAYBE
_GAP = pl.when(pl.col("gap_days") == 0).then(HOURS).otherwise(DAYS)

RULE = Rule(
    code="LAH002",
    name="soonest-available-visit",
    page=__doc__,
    over="visit_after",
    considered=pl.col("later") & ~pl.col("not_soonest"),
    conclusive=pl.col("conclusive"),
    violation=_AVAILABLE & ((_IN_SPAN & _MAYBE) | (pl.col("not_booked") & _RELATED)),
    review=(_AVAILABLE & (_IN_SPAN | (pl.col("not_booked") & _MAYBE))) | _FOUND | (_CALLED_OFF & _IN_SPAN & _MAYBE),
    doubt=(pl.col("kind") == "visit") & _NOT_CANCELLED & _MAYBE & pl.col("not_booked") & pl.col("soonest_blank"),
    reads=(*RELATION_READS, *TIMES),
    window="later",
    reads_calls=True,
    without_call=True,
    needs=(
        ("visits",),
        ("visits.soonest_available", "visits.booked_at", "visits.originating_call_id"),
    ),
    detail=pl.when("soonest")
    .then(pl.lit("is marked as the soonest available"))
    .otherwise(pl.lit("may have been the soonest available appointment")),
    reason=RELATION,
    message=pl.format("{} starts {} after {} and {}; {}", VISIT, _GAP, THE_CALL, "detail", "reason"),
    nothing="no visit up to {horizon} days after the call may be the soonest available appointment",
    why_unknown=visits_ahead,
    explains_rejected_records=True,
    errs="under",
    cites=(f"{TELEPHONE_SERVICES}: guidelines, soonest available appointment",),
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
