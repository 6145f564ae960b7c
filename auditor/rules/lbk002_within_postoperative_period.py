"""The call is in the postoperative period of a procedure.

What it checks: the call is not within the global period, of 10 or 90 days, of a procedure of the same provider or group.

Why it matters: postoperative care, including calls, is paid with the procedure.

How to resolve: check whether the call was about the procedure. If it was not, report modifier 24; the rule does not apply
to a line with modifier 24.

If the claim has no call, the rule compares dates and requests review.

What it cannot see: procedures without `global_days` in the export, and procedures of other groups.
"""

import polars as pl

from auditor.rules.reasons import visits_back
from auditor.rules.rule import RELATION_READS, Rule
from auditor.rules.sentences import DAYS, RELATION, THE_CALL, VISIT

_BEFORE = pl.col("took_place") & pl.col("certainly_before")
_IN_PERIOD = _BEFORE & (pl.col("same_provider") | pl.col("same_group"))
_FIRM = pl.col("basis").is_in(["linked", "same problem", "same diagnosis category", "any"])
_EXCLUSION_REASON = (
    pl.when(~pl.col("took_place"))
    .then(pl.lit("did not take place"))
    .when(~(pl.col("same_provider") | pl.col("same_group")))
    .then(pl.lit("has another provider and group"))
    .when(~pl.col("may_be_related"))
    .then(pl.lit("unrelated"))
    .otherwise(pl.lit("on the day of the call, at an unknown time"))
)
_WHEN = (
    pl.when(pl.col("gap_days") == 0).then(pl.lit("on the same day as")).otherwise(pl.format("{} before", DAYS))
)  # fmt: skip
_OF_GROUP = (
    pl.when(pl.col("same_provider") | pl.col("provider_blank"))
    .then(pl.lit(""))
    .otherwise(pl.lit(" of another provider of the group"))
)

RULE = Rule(
    code="LBK002",
    name="within-postoperative-period",
    page=__doc__,
    over="visit_before",
    considered=pl.col("in_global_period"),
    violation=_IN_PERIOD & _FIRM,
    conclusive=pl.col("status_known")
    & ((pl.col("same_provider") & ~pl.col("provider_rounded")) | (pl.col("same_group") & ~pl.col("common_group"))),
    review=_IN_PERIOD & pl.col("may_be_related"),
    doubt=_BEFORE & pl.col("provider_blank") & pl.col("may_be_related"),
    reads=(*RELATION_READS, "calls.modifiers", "claims.modifiers"),
    window="postoperative",
    reads_calls=True,
    without_call=True,
    applies=~pl.col("modifiers").list.contains("24"),
    needs=(("visits",), ("visits.global_days",)),
    reason=RELATION,
    detail=pl.format("a procedure{} with a global period of {} days", _OF_GROUP, "global_days"),
    message=pl.format("{} was {} {}, {}; {}", VISIT, _WHEN, THE_CALL, "detail", "reason"),
    nothing="the call is not within the global period of a procedure of the patient",
    why_unknown=visits_back("postoperative"),
    not_applicable="modifier 24 says that the call is not postoperative care",
    exclusion_reason=_EXCLUSION_REASON,
    explains_rejected_records=True,
    errs="over",
    cites=(
        "CMS Medicare Claims Processing Manual (Pub. 100-04), chapter 12, section 40: global surgery and modifier 24",
    ),
    examples="""
    record | patient | start            | provider | status    | global_days | diagnosis_codes | modifiers | expect
    v1     | p1      | 2026-01-09 09:00 | a        | completed | 90          | M17.0           |           |
    k1     | p1      | 2026-04-09 09:00 | a        |           |             | M17.1           |           | violation v1
    v2     | p2      | 2026-03-02 09:00 | a        | completed | 010         |                 |           |
    k2     | p2      | 2026-03-12 09:00 | a        |           |             |                 |           | review v2
    v3     | p3      | 2026-03-02 09:00 | a        | completed | 10          | M17.0           |           |
    k3     | p3      | 2026-03-13 09:00 | a        |           |             | M17.1           |           | clear
    v4     | p4      | 2026-03-02 09:00 | a        | completed | 10          | M17.0           |           |
    k4     | p4      | 2026-03-03 09:00 | a        |           |             | M17.1           | 24        | not applicable
    v6     | p6      | 2026-03-02 09:00 | a        | cancelled | 10          | M17.0           |           |
    k6     | p6      | 2026-03-05 09:00 | a        |           |             | M17.1           |           | clear
    k5     | p5      | 2025-02-03 09:00 | a        |           |             |                 |           | unknown

    policy: relatedness = "evidence"
    record | patient | start            | provider | status    | global_days | expect
    u1     | p1      | 2026-02-02 09:00 | a        |           |             |
    u2     | p2      | 2026-02-02 09:00 | a        |           |             |
    b1     | p1      | 2026-03-09       | a        |           |             | clear
    v1     | p1      | 2026-03-09 08:00 | a        | completed | 10          |
    b2     | p2      | 2026-03-09       | a        |           |             | review v2
    v2     | p2      | 2026-03-08 08:00 | a        | completed | 10          |
    """,
)
