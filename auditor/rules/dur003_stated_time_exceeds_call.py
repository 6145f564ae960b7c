"""Stated minutes that are longer than the call.

What it checks: no call's discussion or stated minutes exceed the time between its start and end by more than a minute.

Why it matters: more discussion than call is a sign of copied or rounded-up times.

How to resolve: compare with the telephone system's record and correct whichever is wrong.

What it cannot see: calls for which the export has no end; it does not apply to claims without any call that has both.
"""

import polars as pl

from auditor.rules.rule import HAS_CALL, TELEPHONE_SERVICES, Rule

_MINUTE = 60_000_000
_STATED = pl.max_horizontal("discussion_minutes", "stated")

RULE = Rule(
    code="DUR003",
    name="stated-time-exceeds-call",
    page=__doc__,
    over="own_call",
    considered=pl.col("clock").is_not_null(),
    review=pl.col("clock") + _MINUTE < _STATED,
    applies=pl.col("has_both_times").fill_null(False) | (~pl.col("has_call") & HAS_CALL),
    message=pl.lit("the stated or discussion minutes exceed the time between the call's start and end"),
    nothing="no call's stated minutes exceed its clock time by more than a minute",
    not_applicable="no call has both its minutes and its end",
    errs="under",
    cites=(f"{TELEPHONE_SERVICES}: time of medical discussion, which the record must show",),
    examples="""
    record | patient | start            | call_end         | call_minutes | expect
    k1     | p1      | 2026-03-02 09:00 | 2026-03-02 09:22 | 23:01        | review
    k2     | p2      | 2026-03-02 09:00 | 2026-03-02 09:22 | 23           | clear
    k3     | p3      | 2026-03-02 09:00 |                  | 23           | not applicable
    k4     | p4      | 2026-03-02 09:00 | 2026-03-02 09:22 |              | not applicable
    """,
    shows_record=False,
)
