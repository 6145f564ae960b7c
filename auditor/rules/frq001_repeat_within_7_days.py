"""The code was billed before in the same period.

What it checks: no earlier claim of the same patient, provider and code was billed 0 to {last_day} days before this one.
By default, a claim that this rule flags does not count against later ones; with `frequency.anchor = "reported"`, every
claim counts.

Why it matters: one code covers all the calls of a {period}-day period.

How to resolve: keep one claim for the period, with the cumulative minutes, and void the others.

What it cannot see: claims before the export begins. If the first claim of a series is unknown, the rule requests review
of the later ones, because it is unclear which of them count. It also requests review of a claim if the status of
the earlier line is not recognized.
"""

import polars as pl

from auditor.rules.reasons import series
from auditor.rules.rule import ONCE, TELEPHONE_SERVICES, Rule
from auditor.rules.sentences import BEFORE_CLAIM, BILLED_AGAIN, RECORD

_SAME = pl.col("same_provider") & pl.col("same_code") & pl.col("e_counted")

RULE = Rule(
    code="FRQ001",
    name="repeat-within-7-days",
    page=__doc__,
    over="line_before",
    considered=pl.col("same_provider") & pl.col("same_code"),
    conclusive=~pl.col("depends_on_unknown") & pl.col("status_known") & ~pl.col("may_replace") & ONCE,
    violation=_SAME,
    review=_SAME,
    window="lines",
    unknown=pl.col("depends_on_unknown"),
    detail=pl.col("billed_again"),
    message=pl.format("{} bills the same patient, provider and code {}{}", RECORD, BEFORE_CLAIM, BILLED_AGAIN),
    nothing="no earlier line of the same patient, provider and code within {period} days",
    why_unknown=series(("FRQ002",)),
    exclusion_reason=pl.lit("flagged by this rule, so it does not count against later claims"),
    explains_rejected_records=True,
    errs="under",
    cites=(f"{TELEPHONE_SERVICES}: guidelines, repeated calls within 7 days",),
    examples="""
    record | patient | start            | provider | claim_status | expect
    k1     | p1      | 2026-03-02 09:00 | a        |              | clear
    k2     | p1      | 2026-03-07 09:00 | a        |              | violation k1
    k3     | p1      | 2026-03-11 09:00 | a        |              | clear
    k4     | p2      | 2026-03-02 09:00 | a        |              | clear
    k5     | p2      | 2026-03-02 09:00 | a        |              | violation k4
    k6     | p3      | 2026-03-02 09:00 | a        |              | clear
    k7     | p3      | 2026-03-09 09:00 | a        |              | clear
    k10    | p5      | 2026-03-02 09:00 | a        |              | clear
    k11    | p5      | 2026-03-08 09:00 | a        |              | violation k10
    k12    | p5      | 2026-03-14 09:00 | a        |              | clear
    k13    | p6      | 2026-03-02 09:00 | a        |              | clear
    k14    | p6      | 2026-03-09 09:00 | a        |              | clear
    k15    | p6      | 2026-03-15 09:00 | a        |              | violation k14
    k8     | p4      | 2025-01-02 09:00 | a        |              | unknown
    k9     | p4      | 2025-01-06 09:00 | a        |              | review k8
    k16    | p7      | 2026-03-02 09:00 | a        | Adjusted 97  | clear
    k17    | p7      | 2026-03-05 09:00 | a        |              | review k16


    policy: frequency.anchor = "reported"
    record | patient | start            | provider | expect
    k1     | p1      | 2026-03-02 09:00 | a        | clear
    k2     | p1      | 2026-03-07 09:00 | a        | violation k1
    k3     | p1      | 2026-03-11 09:00 | a        | violation k2
    """,
)
