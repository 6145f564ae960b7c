"""A service of the same day is bundled with the code.

What it checks: no visit and no other line of the same patient, provider and date has a code that an NCCI edit pairs with
98966-98968.

Why it matters: the pair is paid once. A pair with indicator 0 is never paid together; indicator 1 needs a modifier.

How to resolve: check whether the two services were separate and whether a modifier applies.

What it cannot see: claims of the day that are not in the exports, and edits newer than the policy's list.
"""

import polars as pl

from auditor.rules.reasons import same_day
from auditor.rules.rule import Rule
from auditor.rules.sentences import VISIT

RULE = Rule(
    code="EXC001",
    name="bundled-same-day",
    page=__doc__,
    over="same_day",
    conclusive=pl.col("status_known"),
    violation=pl.col("is_0") & ~pl.col("provider_blank"),
    review=pl.col("is_1") & ~pl.col("provider_blank"),
    doubt=pl.col("provider_blank"),
    reads=("visits.provider_id", "visits.status"),
    window="same_day",
    needs=(("visits",), ("visits.cpt_codes",)),
    message=pl.format("{} is on the service date and has a code that is bundled with {}", VISIT, "cpt_code"),
    nothing="no visit or line of the same day has a code that is bundled with {cpt_code}",
    why_unknown=same_day,
    explains_rejected_records=True,
    errs="under",
    cites=("CMS National Correct Coding Initiative, practitioner procedure-to-procedure edits, mid-2024",),
    examples="""
    record | patient | start            | provider | cpt_codes | expect
    v1     | p1      | 2026-03-02 15:00 | a        | 99421     |
    k1     | p1      | 2026-03-02 09:00 | a        |           | violation v1
    v2     | p2      | 2026-03-02 15:00 | a        | G0250-59  |
    k2     | p2      | 2026-03-02 09:00 | a        |           | review v2
    v3     | p3      | 2026-03-03 09:00 | a        | 99421     |
    k3     | p3      | 2026-03-02 09:00 | a        |           | clear
    k4     | p4      | 2027-03-02 09:00 | a        |           | unknown
    """,
)
