"""DUR001-003: the minutes of the call against the code's band."""

import polars as pl

from auditor.rules.rule import HAS_CALL, Rule

_GUIDE = "CPT 98968 billing guide: 21-30 minutes of medical discussion"
_MINUTE = 60_000_000

DUR001 = Rule(
    code="DUR001",
    name="call-too-short",
    page="""
What it checks: the claim's cumulative minutes, rounded down, reach the lower end of its code's band (21 for 98968).

Why it matters: fewer minutes belong to a lower code of the family, or to none.

How to resolve: compare with the note and the telephone record. `supportable_code` names the code that the minutes support.

What it cannot see: minutes that were spent but not recorded, and whether stated minutes were medical discussion.
""",
    over="claim",
    violation=pl.col("minutes") < pl.col("low"),
    unknown=pl.col("minutes").is_null(),
    applies=HAS_CALL,
    message=pl.format("{} minutes; {} needs at least {}", "minutes", "cpt_code", "low"),
    errs="under",
    cites=(_GUIDE,),
    examples="""
    record | patient | start            | call_minutes | expect
    k1     | p1      | 2026-03-02 09:00 | 20.99        | violation
    k2     | p2      | 2026-03-02 09:00 | 21           | clear
    k3     | p3      | 2026-03-02 09:00 |              | unknown
    """,
)

DUR002 = Rule(
    code="DUR002",
    name="call-too-long",
    page="""
What it checks: the claim's cumulative minutes, rounded down, stay within the upper end of its code's band (30 for 98968).

Why it matters: longer service does not fit the code's description, and more than 30 minutes fit none of the family.

How to resolve: check that segments of other calls or time without discussion were not added; bill what the payer allows.

What it cannot see: payers that accept the code for longer calls.
""",
    over="claim",
    violation=pl.col("minutes") > pl.col("high"),
    unknown=pl.col("minutes").is_null(),
    applies=HAS_CALL,
    message=pl.format("{} minutes; {} allows at most {}", "minutes", "cpt_code", "high"),
    errs="over",
    cites=(_GUIDE,),
    examples="""
    record | patient | start            | call_minutes | expect
    k1     | p1      | 2026-03-02 09:00 | 31           | violation
    k2     | p2      | 2026-03-02 09:00 | 30.99        | clear
    k3     | p3      | 2026-03-02 09:00 |              | unknown
    """,
)

_STATED = pl.max_horizontal("discussion_minutes", "stated")

DUR003 = Rule(
    code="DUR003",
    name="stated-time-exceeds-call",
    page="""
What it checks: no call's discussion or stated minutes exceed the time between its start and end by more than a minute.

Why it matters: more discussion than call is a sign of copied or rounded-up times.

How to resolve: compare with the telephone system's record and correct whichever is wrong.

What it cannot see: calls for which the export has no end; it does not apply to claims without any call that has both.
""",
    over="own_call",
    weighed=pl.col("clock").is_not_null(),
    review=pl.col("clock") + _MINUTE < _STATED,
    applies=HAS_CALL & pl.col("has_both_times"),
    message=pl.lit("the stated or discussion minutes exceed the time between the call's start and end"),
    errs="under",
    cites=("Documentation consistency; CPT 98968 billing guide: time is documented",),
    examples="""
    record | patient | start            | call_end         | call_minutes | expect
    k1     | p1      | 2026-03-02 09:00 | 2026-03-02 09:22 | 23:01        | review
    k2     | p2      | 2026-03-02 09:00 | 2026-03-02 09:22 | 23           | clear
    k3     | p3      | 2026-03-02 09:00 |                  | 23           | not applicable
    k4     | p4      | 2026-03-02 09:00 | 2026-03-02 09:22 |              | not applicable
    """,
    shows_record=False,
)
