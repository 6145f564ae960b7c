"""The stated minutes are longer than the call.

What it checks: no call's discussion or stated minutes exceed the time between its start and end by more than a minute.

Why it matters: discussion that is longer than the call suggests copied or rounded-up times.

How to resolve: compare the times with the telephone system's record and correct the wrong one.

What it cannot see: calls without an end in the export. The rule does not apply to a claim if none of its calls has both
stated minutes and an end.
"""

import polars as pl

from auditor.parsing.microseconds import MINUTE
from auditor.rules.rule import TELEPHONE_SERVICES, TIMES, Rule
from auditor.rules.sentences import duration

_STATED = pl.max_horizontal("discussion_minutes", "stated")

RULE = Rule(
    code="DUR003",
    name="stated-time-exceeds-call",
    page=__doc__,
    over="own_call",
    considered=pl.col("clock").is_not_null(),
    review=pl.col("clock") + MINUTE < _STATED,
    reads=TIMES,
    reads_calls=True,
    needs=(("calls",),),
    applies=~pl.col("has_call") | pl.col("has_both_times"),
    detail=duration(_STATED - pl.col("clock")),
    message=pl.format("the stated or discussion time of a call is {} longer than from its start to its end", "detail"),
    nothing="no call's stated minutes exceed the time between its start and end by more than a minute",
    not_applicable="no call has both stated minutes and an end",
    errs="under",
    cites=(f"{TELEPHONE_SERVICES}: time of medical discussion, which must be documented",),
    examples="""
    record | patient | start            | call_end         | call_minutes | expect
    k1     | p1      | 2026-03-02 09:00 | 2026-03-02 09:22 | 23:01        | review
    k2     | p2      | 2026-03-02 09:00 | 2026-03-02 09:22 | 23           | clear
    k3     | p3      | 2026-03-02 09:00 |                  | 23           | not applicable
    k4     | p4      | 2026-03-02 09:00 | 2026-03-02 09:22 |              | not applicable
    """,
    shows_record=False,
)
