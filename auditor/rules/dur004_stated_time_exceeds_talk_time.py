"""The stated minutes are longer than the talk that the telephone system recorded.

What it checks: no call's minutes exceed the talk time of its record in the phone log by more than a minute. A call's
minutes are those of discussion or those stated, whichever is more, else the time between its start and end.

Why it matters: the code is billed for minutes of discussion, and the telephone system measures how long the talk lasted.

How to resolve: compare the times with the telephone system's record; correct the minutes, or withdraw the claim.

What it cannot see: calls that are not in the phone log, and talk on a telephone that it does not record.
"""

import polars as pl

from auditor.parsing.microseconds import MINUTE
from auditor.rules.phone_log import NEEDS, READS, why_unknown
from auditor.rules.rule import TELEPHONE_SERVICES, TIMES, Rule
from auditor.rules.sentences import RECORD, duration

RULE = Rule(
    code="DUR004",
    since="0.3.0",
    name="stated-time-exceeds-talk-time",
    page=__doc__,
    over="phone_record",
    review=pl.col("matched") & (pl.col("length") - pl.col("talk") > MINUTE),
    doubt=~pl.col("matched") | pl.col("length").is_null() | pl.col("talk").is_null(),
    reads=(*TIMES, *READS, "phone_log.call_end", "phone_log.talk_seconds"),
    reads_calls=True,
    needs=NEEDS,
    detail=duration(pl.col("length") - pl.col("talk")),
    message=pl.format("{} shows {} less of talk than the call's minutes", RECORD, "detail"),
    nothing="no call's minutes exceed the talk time of its record in the phone log by more than a minute",
    why_unknown=why_unknown("the phone log or the call does not say how long the talk lasted"),
    errs="under",
    cites=(f"{TELEPHONE_SERVICES}: time of medical discussion, which must be documented",),
    examples="""
    record | patient | start            | provider | call_minutes | extension | talk_seconds | expect
    k1     | p1      | 2026-03-02 09:00 | a        | 22           |           |              | review r1
    r1     |         | 2026-03-02 09:00 |          |              | a         | 1259         |
    k2     | p2      | 2026-03-03 09:00 | a        | 22           |           |              | clear
    r2     |         | 2026-03-03 09:01 |          |              | a         | 1260         |
    k3     | p3      | 2026-03-04 09:00 | a        | 22           |           |              | unknown
    r3     |         | 2026-03-05 09:00 |          |              | a         | 60           |
    """,
)
