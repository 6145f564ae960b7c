"""The telephone system has no record of the call.

What it checks: each call has a record in the phone log, of one of its provider's users, that starts at about the same time.

Why it matters: a call without a record may not have taken place, or not when the claim says.

How to resolve: look for the call on other lines and telephones; add the provider's user to `[phone_log.users]` in the
policy, correct the call, or withdraw the claim.

What it cannot see: calls outside the log's dates, and those of providers who are not in the log. If too few calls have a
record, the rule is not evaluated: then the log is of other lines, or its clock differs.
"""

import polars as pl

from auditor.rules.phone_log import NEEDS, READS
from auditor.rules.reasons import always
from auditor.rules.rule import TELEPHONE_SERVICES, Rule
from auditor.rules.sentences import RECORD

RULE = Rule(
    code="INT004",
    since="0.3.0",
    name="call-not-in-phone-log",
    page=__doc__,
    over="phone_record",
    review=pl.col("covered") & ~pl.col("matched"),
    doubt=~pl.col("covered"),
    reads=READS,
    reads_calls=True,
    needs=NEEDS,
    message=pl.format("{} has no record in the phone log", RECORD),
    nothing="every call of the claim has a record in the phone log",
    why_unknown=always("the phone log does not cover a call of the claim, or its provider is not in the log"),
    errs="over",
    cites=(f"{TELEPHONE_SERVICES}: time of medical discussion, which must be documented",),
    examples="""
    record | patient | start            | provider | extension | expect
    k1     | p1      | 2026-03-02 09:00 | a        |           | review k1
    r1     |         | 2026-03-02 09:03 |          | a         |
    k2     | p2      | 2026-03-03 09:00 | a        |           | clear
    r2     |         | 2026-03-03 09:02 |          | a         |
    k3     | p3      | 2026-03-04 09:00 | b        |           | unknown
    r3     |         | 2026-03-02 08:00 |          | a         |
    k4     | p4      | 2026-03-04 09:00 | a        |           | clear
    r4     |         | 2026-03-04 09:00 |          | a         |
    k5     | p5      | 2026-03-05 09:00 | a        |           | clear
    r5     |         | 2026-03-05 09:00 |          | a         |
    k6     | p6      | 2026-03-06 09:00 | a        |           | clear
    r6     |         | 2026-03-06 09:00 |          | a         |
    k7     | p7      | 2026-03-07 09:00 | a        |           | clear
    r7     |         | 2026-03-07 09:00 |          | a         |
    k8     | p8      | 2026-03-08 09:00 | a        |           | clear
    r8     |         | 2026-03-08 09:00 |          | a         |
    k9     | p9      | 2026-03-09 09:00 | a        |           | clear
    r9     |         | 2026-03-09 09:00 |          | a         |
    k10    | p10     | 2026-03-10 09:00 | a        |           | clear
    r10    |         | 2026-03-10 09:00 |          | a         |
    k11    | p11     | 2026-03-11 09:00 | a        |           | clear
    r11    |         | 2026-03-11 09:00 |          | a         |
    """,
)
