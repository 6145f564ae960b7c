"""Another provider of the group billed the code in the same period.

What it checks: no earlier line of the same patient and code by another provider of the same group and specialty was
billed 0 to {last_day} days before this claim.

Why it matters: some payers treat professionals of one group and specialty as one provider.

How to resolve: check whether the payer does so. The policy `cpt-assistant-group` makes this finding a violation.

What it cannot see: groups and specialties that are not in the export. The rule does not apply to a claim whose group or
specialty is blank.
"""

import polars as pl

from auditor.rules.reasons import lines_back
from auditor.rules.rule import ONCE, Rule
from auditor.rules.sentences import BEFORE_CLAIM, BILLED_AGAIN, RECORD

RULE = Rule(
    code="FRQ005",
    name="repeat-within-group",
    page=__doc__,
    over="line_before",
    considered=pl.col("same_code") & ~pl.col("same_provider"),
    review=pl.col("same_group"),
    conclusive=pl.col("status_known") & ONCE & ~pl.col("common_group"),
    window="group_lines",
    applies=pl.col("group_id").is_not_null() & pl.col("specialty").is_not_null(),
    needs=(("calls.group_id", "providers.group_id"), ("calls.specialty", "providers.specialty")),
    detail=pl.col("billed_again"),
    message=pl.format(
        "{} bills the same patient and code {}, by another provider of the same group and specialty{}",
        RECORD,
        BEFORE_CLAIM,
        BILLED_AGAIN,
    ),
    nothing="no earlier line of the same patient and code by another provider within {period} days",
    why_unknown=lines_back,
    exclusion_reason=pl.lit("has another group or specialty"),
    not_applicable="the claim's group or specialty is blank",
    explains_rejected_records=True,
    errs="over",
    cites=("CPT Assistant (AMA), as some payers apply it: professionals of one group and specialty count as one",),
    examples="""
    record | patient | start            | provider | group_id | specialty | expect
    k1     | p1      | 2026-03-02 09:00 | a        | g        | PT        | clear
    k2     | p1      | 2026-03-08 09:00 | b        | g        | PT        | review k1
    k3     | p2      | 2026-03-02 09:00 | a        | g        | PT        | clear
    k4     | p2      | 2026-03-09 09:00 | b        | g        | PT        | clear
    k5     | p3      | 2026-03-02 09:00 | a        |          | PT        | not applicable
    k6     | p4      | 2025-01-02 09:00 | a        | g        | PT        | unknown
    """,
)
