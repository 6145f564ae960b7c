"""The claim's minutes are below the band of its code.

What it checks: the claim's cumulative minutes, rounded down, reach the lower end of its code's band ({low} for 98968).
If they reach it only together with the unbilled calls of the same {period} days, the rule requests review, because
"cumulative time" may mean the whole period. Set `duration.cumulative` in the policy to decide this. Overlapping calls
count once. If one of them states over a minute less than its start and end show, and the plain sum of all calls reaches
the band, the rule requests review.

Why it matters: fewer minutes support a lower code of the family, or none.

How to resolve: compare the minutes with the note and the telephone record. `supportable_code` names the code that the
minutes support.

What it cannot see: minutes that were spent but not recorded, and whether the stated minutes were medical discussion.
"""

import polars as pl

from auditor.rules.reasons import always
from auditor.rules.rule import TELEPHONE_SERVICES, TIMES, Rule

_MORE = (
    pl.when(pl.col("period_minutes") >= pl.col("low"))
    .then(pl.format(", and {} min with the unbilled calls of the same period", "period_minutes"))
    .when(pl.col("period_plain") >= pl.col("low"))
    .then(pl.format(", or {} min if overlapping time does not count once", "period_plain"))
    .otherwise(pl.lit(""))
)

RULE = Rule(
    code="DUR001",
    name="call-too-short",
    page=__doc__,
    over="claim",
    violation=(pl.col("minutes") < pl.col("low")) & (pl.col("period_minutes") < pl.col("low")),
    review=pl.col("minutes") < pl.col("low"),
    conclusive=(pl.col("period_plain") < pl.col("low")).fill_null(True),
    reads=TIMES,
    unknown=pl.col("minutes").is_null(),
    reads_calls=True,
    needs=(("calls",),),
    message=pl.format("the call time is {} min{}; {} needs at least {} min", "minutes", _MORE, "cpt_code", "low"),
    nothing="the call time is {minutes} min ({minutes_source}); {cpt_code} needs at least {low} min",
    why_unknown=always("the minutes are unknown because a call has neither minutes nor an end"),
    errs="under",
    cites=(f"{TELEPHONE_SERVICES}: time of medical discussion",),
    examples="""
    record | patient | start            | call_minutes | expect
    k1     | p1      | 2026-03-02 09:00 | 20.99        | violation
    k2     | p2      | 2026-03-02 09:00 | 21           | clear
    k3     | p3      | 2026-03-02 09:00 |              | unknown
    k4     | p4      | 2026-03-08 09:00 | 15           | review
    u4     | p4      | 2026-03-02 09:00 | 6            |
    k5     | p5      | 2026-03-08 09:00 | 15           | violation
    u5     | p5      | 2026-03-01 09:00 | 6            |
    k6     | p6      | 2026-03-02 09:00 | 15           | violation
    u6     | p6      | 2026-03-02 09:05 | 6            |
    """,
)
