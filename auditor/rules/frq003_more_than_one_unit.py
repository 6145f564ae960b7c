"""More than one unit on the line.

What it checks: the line bills one unit.

Why it matters: the code stands for the whole service; Medicare's medically unlikely edit allows one unit per day.

How to resolve: correct the line to one unit.

What it cannot see: lines split into several claims; FRQ001 and FRQ004 look for those.
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
    message=pl.format("{} units; at most {}", pl.col("units").cast(pl.String).str.strip_suffix(".0"), "max_units"),
    nothing="one unit",
    why_unknown=always("the units are blank"),
    errs="neither",
    cites=(
        "CMS National Correct Coding Initiative, medically unlikely edits, practitioner services: 98968 at 1, MAI 2",
    ),
    examples="""
    record | patient | start            | units | expect
    k1     | p1      | 2026-03-02 09:00 | 2     | violation
    k2     | p2      | 2026-03-02 09:00 | 1     | clear
    k3     | p3      | 2026-03-02 09:00 |       | unknown
    """,
)
