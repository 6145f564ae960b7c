"""The claim's minutes go beyond its code's band.

What it checks: the claim's cumulative minutes, rounded down, stay within the upper end of its code's band ({high} for
98968). Calls that overlap count once. Where one of them states over a minute less than its start and end show, it asks for
review if the plain sum of all the calls is beyond the band.

Why it matters: longer service does not fit the code's description, and more than {high} minutes fit none of the family.

How to resolve: check that segments of other calls or time without discussion were not added; bill what the payer
allows.

What it cannot see: payers that accept the code for longer calls.
"""

import polars as pl

from auditor.rules.reasons import always
from auditor.rules.rule import HAS_CALL, TELEPHONE_SERVICES, Rule

RULE = Rule(
    code="DUR002",
    name="call-too-long",
    page=__doc__,
    over="claim",
    violation=pl.col("minutes") > pl.col("high"),
    review=pl.col("plain_minutes") > pl.col("high"),
    unknown=pl.col("minutes").is_null(),
    applies=HAS_CALL,
    message=pl.when(pl.col("minutes") > pl.col("high"))
    .then(pl.format("{} minutes; {} allows at most {}", "minutes", "cpt_code", "high"))
    .otherwise(
        pl.format(
            "{} minutes if calls that overlap count once, {} if they do not; {} allows at most {}",
            "minutes",
            "plain_minutes",
            "cpt_code",
            "high",
        )
    ),
    nothing="{minutes} minutes ({minutes_source}); {cpt_code} allows at most {high}",
    why_unknown=always("the minutes are unknown: a call has neither minutes nor an end"),
    errs="over",
    cites=(f"{TELEPHONE_SERVICES}: time of medical discussion",),
    examples="""
    record | patient | start            | call_minutes | expect
    k1     | p1      | 2026-03-02 09:00 | 31           | violation
    k2     | p2      | 2026-03-02 09:00 | 30.99        | clear
    k3     | p3      | 2026-03-02 09:00 |              | unknown
    """,
)
