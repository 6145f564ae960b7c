"""FRQ001-005: once per 7 days, one unit, one line per call."""

import polars as pl

from auditor.rules.rule import HAS_CALL, Rule

_SAME = pl.col("same_provider") & pl.col("same_code") & pl.col("e_counted")
_LATER = pl.format("{} days after claim {}", "gap_days", "related_id")

FRQ001 = Rule(
    code="FRQ001",
    name="repeat-within-7-days",
    page="""
What it checks: no earlier claim of the same patient, provider and code that counts lies 0 to 6 days before. By default a
claim that this rule flagged does not count against later ones; with `frequency.anchor = "reported"` every claim does.

Why it matters: the code stands for all the calls of a 7-day period.

How to resolve: keep one claim of the period, with the cumulative minutes, and void the others.

What it cannot see: claims before the export begins. Where the first claim of a series is unknown, the later ones ask for
review, because which of them counts cannot be known.
""",
    over="line_before",
    weighed=pl.col("same_provider") & pl.col("same_code"),
    violation=_SAME & ~pl.col("shaky"),
    review=_SAME,
    unknown=pl.col("lines_open") | pl.col("shaky"),
    message=_LATER,
    errs="under",
    cites=("CPT 98968 billing guide: once per 7 days per provider and patient",),
    examples="""
    record | patient | start            | provider | expect
    k1     | p1      | 2026-03-02 09:00 | a        | clear
    k2     | p1      | 2026-03-07 09:00 | a        | violation k1
    k3     | p1      | 2026-03-11 09:00 | a        | clear
    k4     | p2      | 2026-03-02 09:00 | a        | clear
    k5     | p2      | 2026-03-02 09:00 | a        | violation k4
    k6     | p3      | 2026-03-02 09:00 | a        | clear
    k7     | p3      | 2026-03-09 09:00 | a        | clear
    k10    | p5      | 2026-03-02 09:00 | a        | clear
    k11    | p5      | 2026-03-08 09:00 | a        | violation k10
    k12    | p5      | 2026-03-14 09:00 | a        | clear
    k13    | p6      | 2026-03-02 09:00 | a        | clear
    k14    | p6      | 2026-03-09 09:00 | a        | clear
    k15    | p6      | 2026-03-15 09:00 | a        | violation k14
    k8     | p4      | 2025-01-02 09:00 | a        | unknown
    k9     | p4      | 2025-01-06 09:00 | a        | review k8
    """,
)

FRQ002 = Rule(
    code="FRQ002",
    name="other-telephone-code-within-7-days",
    page="""
What it checks: no earlier line of the same patient and provider with another code of the family lies 0 to 6 days before.

Why it matters: the family is reported once per 7 days with the code that the cumulative minutes support.

How to resolve: add up the period's minutes and bill one code for them.

What it cannot see: lines before the export begins.
""",
    over="line_before",
    weighed=pl.col("same_provider") & ~pl.col("same_code"),
    review=pl.lit(True),
    unknown=pl.col("lines_open"),
    message=pl.format("{} with another code of the family", _LATER),
    errs="under",
    cites=("CPT 98968 billing guide: once per 7 days per provider and patient",),
    examples="""
    record | patient | start            | provider | cpt_code | expect
    k1     | p1      | 2026-03-02 09:00 | a        | 98966    |
    k2     | p1      | 2026-03-08 09:00 | a        | 98968    | review k1
    k3     | p2      | 2026-03-02 09:00 | a        | 98966    |
    k4     | p2      | 2026-03-09 09:00 | a        | 98968    | clear
    k5     | p3      | 2026-03-02 09:00 | a        | 98967    |
    k6     | p3      | 2026-03-02 09:00 | a        | 98968    | review k5
    k7     | p4      | 2025-01-02 09:00 | a        | 98968    | unknown
    """,
)

FRQ003 = Rule(
    code="FRQ003",
    name="more-than-one-unit",
    page="""
What it checks: the line bills one unit.

Why it matters: the code stands for the whole service; Medicare's medically unlikely edit allows one unit per day.

How to resolve: correct the line to one unit.

What it cannot see: lines split into several claims; FRQ001 and FRQ004 look for those.
""",
    over="claim",
    violation=pl.col("units") > pl.col("max_units"),
    unknown=pl.col("units").is_null(),
    needs=(("lines.units",),),
    message=pl.format("{} units; at most {}", pl.col("units").cast(pl.String).str.strip_suffix(".0"), "max_units"),
    errs="neither",
    cites=("CMS medically unlikely edits, practitioner services: 98968 at 1, MAI 2",),
    examples="""
    record | patient | start            | units | expect
    k1     | p1      | 2026-03-02 09:00 | 2     | violation
    k2     | p2      | 2026-03-02 09:00 | 1     | clear
    k3     | p3      | 2026-03-02 09:00 |       | unknown
    """,
)

FRQ004 = Rule(
    code="FRQ004",
    name="call-billed-twice",
    page="""
What it checks: none of the claim's calls already supports an earlier active line of the family.

Why it matters: one call is one service.

How to resolve: void the line that was billed in error, or name the right call on it.

What it cannot see: calls that were entered twice under different ids; INT003 may show those.
""",
    over="shared_call",
    violation=pl.lit(True),
    applies=HAS_CALL,
    message=pl.format("one of its calls already supports claim {}", "related_id"),
    errs="under",
    cites=("CPT 98968 billing guide: the call's time is reported once",),
    examples="""
    record | patient | start            | provider | call_id | expect
    u1     | p1      | 2026-03-02 09:00 | a        |         |
    b1     | p1      | 2026-03-02       | a        | u1      | clear
    b2     | p1      | 2026-03-02       | a        | u1      | violation b1
    u3     | p2      | 2026-03-02 09:00 | a        |         |
    b3     | p2      | 2026-03-02       | a        | u3      | clear
    """,
)

FRQ005 = Rule(
    code="FRQ005",
    name="repeat-within-group",
    page="""
What it checks: no earlier line of the same patient and code by another provider of the same group and specialty lies 0 to 6
days before.

Why it matters: some payers treat professionals of one group and specialty as one provider.

How to resolve: see whether the payer does; the policy `cpt-assistant-group` makes this a violation.

What it cannot see: groups and specialties that the export does not hold. It does not apply where the claim has neither.
""",
    over="line_before",
    weighed=pl.col("same_code") & ~pl.col("same_provider"),
    review=pl.col("same_group"),
    unknown=pl.col("lines_open"),
    applies=pl.col("group_id").is_not_null() & pl.col("specialty").is_not_null(),
    needs=(("calls.group_id", "providers.group_id"), ("calls.specialty", "providers.specialty")),
    message=pl.format("{} by another provider of the group and specialty", _LATER),
    errs="over",
    cites=("CPT Assistant reading: professionals of one group and specialty count as one",),
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
