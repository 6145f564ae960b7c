"""The telephone system recorded the other direction.

What it checks: the record of a call that the patient initiated is inbound, and that of a provider's call or a callback is
outbound.

Why it matters: the service must be initiated by the patient.

How to resolve: compare the call with the telephone system's record; correct who initiated it, or document the patient's
request that the provider called back for.

What it cannot see: calls that are not in the phone log, and records without a direction.
"""

import polars as pl

from auditor.rules.phone_log import NEEDS, READS, why_unknown
from auditor.rules.rule import TELEPHONE_SERVICES, Rule
from auditor.rules.sentences import RECORD

RULE = Rule(
    code="ELG008",
    since="0.3.0",
    name="direction-differs",
    page=__doc__,
    over="phone_record",
    review=pl.col("matched") & (pl.col("wanted_direction") != pl.col("log_direction")),
    doubt=~pl.col("matched") | pl.col("wanted_direction").is_null() | pl.col("log_direction").is_null(),
    reads=("calls.initiated_by", *READS),
    reads_calls=True,
    needs=NEEDS,
    detail=pl.col("log_direction"),
    message=pl.format(
        "{} is {}, but by the calls export {}",
        RECORD,
        "detail",
        pl.when(pl.col("detail") == "outbound")
        .then(pl.lit("the patient started the call"))
        .otherwise(pl.lit("the provider started the call, or called back")),
    ),
    nothing="the records of the claim's calls have the direction of the calls",
    why_unknown=why_unknown("the phone log does not say the direction, or the call who initiated it"),
    errs="under",
    cites=(f"{TELEPHONE_SERVICES}: initiated by an established patient",),
    examples="""
    record | patient | start            | provider | initiated_by | extension | direction | expect
    k1     | p1      | 2026-03-02 09:00 | a        | patient      |           |           | review r1
    r1     |         | 2026-03-02 09:00 |          |              | a         | outbound  |
    k2     | p2      | 2026-03-03 09:00 | a        | patient      |           |           | clear
    r2     |         | 2026-03-03 09:00 |          |              | a         | inbound   |
    k3     | p3      | 2026-03-04 09:00 | a        | callback     |           |           | clear
    r3     |         | 2026-03-04 09:00 |          |              | a         | outbound  |
    k4     | p4      | 2026-03-05 09:00 | a        | patient      |           |           | unknown
    r4     |         | 2026-03-05 09:00 |          |              | a         | internal  |
    """,
)
