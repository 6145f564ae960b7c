"""The claim's minutes are above the band of its code.

What it checks: the claim's cumulative minutes, rounded down, do not exceed the upper end of its code's band ({high} for
98968). Overlapping calls count once. If one of them states over a minute less than its start and end show, and the plain
sum of all calls exceeds the band, the rule requests review.

Why it matters: a longer service does not match the code's description, and no code of the family covers more than {high}
minutes.

How to resolve: check that the minutes do not include other calls or time without discussion; bill what the payer allows.

What it cannot see: payers that accept the code for longer calls.
"""

import polars as pl

from auditor.rules.reasons import always
from auditor.rules.rule import TELEPHONE_SERVICES, TIMES, Rule

RULE = Rule(
    code="DUR002",
    name="call-too-long",
    page=__doc__,
    over="claim",
    violation=pl.col("minutes") > pl.col("high"),
    review=pl.col("plain_minutes") > pl.col("high"),
    reads=TIMES,
    unknown=pl.col("minutes").is_null(),
    reads_calls=True,
    needs=(("calls",),),
    message=pl.when(pl.col("minutes") > pl.col("high"))
    .then(pl.format("the call time is {} min; {} allows at most {} min", "minutes", "cpt_code", "high"))
    .otherwise(
        pl.format(
            "the call time is {} min if overlapping time counts once and {} min if not; {} allows at most {} min",
            "minutes",
            "plain_minutes",
            "cpt_code",
            "high",
        )
    ),
    nothing="the call time is {minutes} min ({minutes_source}); {cpt_code} allows at most {high} min",
    why_unknown=always("the minutes are unknown because a call has neither minutes nor an end"),
    errs="over",
    cites=(f"{TELEPHONE_SERVICES}: time of medical discussion",),
    examples="""
    record | patient | start            | call_minutes | expect
    k1     | p1      | 2026-03-02 09:00 | 31           | violation
    k2     | p2      | 2026-03-02 09:00 | 30.99        | clear
    k3     | p3      | 2026-03-02 09:00 |              | unknown
    """,
)
