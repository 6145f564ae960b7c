"""The line bills more than one unit.

What it checks: the line bills no more units than the policy allows, which is one by default.

Why it matters: one unit covers the whole service; Medicare's medically unlikely edit allows one unit per day.

How to resolve: correct the units of the line.

What it cannot see: services split into several claims; FRQ001 and FRQ004 look for those.
"""

import polars as pl

from auditor.rules.reasons import always
from auditor.rules.rule import Rule

RULE = Rule(
    code="FRQ003",
    name="more-than-one-unit",
    page=__doc__,
    over="claim",
    violation=pl.col("units") > pl.col("max_units"),
    unknown=pl.col("units").is_null(),
    needs=(("lines.units",),),
    message=pl.format(
        "the line bills {} units; the policy allows at most {}",
        pl.col("units").cast(pl.String).str.strip_suffix(".0"),
        "max_units",
    ),
    nothing="the line does not bill more units than the policy allows",
    why_unknown=always("the units are blank"),
    errs="neither",
    cites=("CMS National Correct Coding Initiative, medically unlikely edits, practitioner services: 98968: 1, MAI 2",),
    examples="""
    record | patient | start            | units | expect
    k1     | p1      | 2026-03-02 09:00 | 2     | violation
    k2     | p2      | 2026-03-02 09:00 | 1     | clear
    k3     | p3      | 2026-03-02 09:00 |       | unknown
    """,
)
