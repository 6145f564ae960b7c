"""The line lacks a modifier or a place of service that the payer requires.

What it checks: the line has one of the modifiers of `[required] modifiers`, such as 93 for calls by audio only, and one
of the places of service of `[required] place_of_service`. The rule is evaluated only if the policy names one of them, and
compares only what the policy names. A place of service is compared by its number: `2` is 02.

Why it matters: without them the payer cannot tell that the service was a telephone call, and may pay another amount.

How to resolve: correct the line, or the export if the line was billed with the modifier.

What it cannot see: modifiers that the export leaves out, such as all but the first.
"""

import polars as pl

from auditor.policy import Policy
from auditor.rules.reasons import always
from auditor.rules.rule import Needs, Rule

_COLUMNS = {"modifiers": "lines.modifiers", "place_of_service": "claims.place_of_service"}


def _asked(policy: Policy) -> Needs | None:
    """The columns of what the policy names."""
    return tuple((column,) for key, column in _COLUMNS.items() if getattr(policy.required, key)) or None


_MODIFIER = pl.format("the line has no modifier {}", "required_modifiers")
_PLACE = pl.format("the line's place of service is not {}", "required_places")

RULE = Rule(
    code="ELG007",
    since="0.3.0",
    name="missing-modifier",
    page=__doc__,
    over="claim",
    review=pl.col("lacks_modifier") | pl.col("has_other_place"),
    unknown=pl.col("has_other_place").is_null(),
    needs=(tuple(_COLUMNS.values()),),
    asked=_asked,
    message=pl.when(pl.col("lacks_modifier") & pl.col("has_other_place"))
    .then(pl.format("{}, and its place of service is not {}", _MODIFIER, "required_places"))
    .otherwise(pl.when("lacks_modifier").then(_MODIFIER).otherwise(_PLACE)),
    nothing="the line has the modifier and the place of service that the policy requires",
    why_unknown=always("the place of service is blank"),
    errs="over",
    cites=("the payer's billing requirements, which the policy cites",),
    examples="""
    policy: required.modifiers = ["93", "FQ"]
    record | patient | start            | modifiers | expect
    k1     | p1      | 2026-03-02 09:00 | 25;93     | clear
    k2     | p2      | 2026-03-02 09:00 | 95        | review
    k3     | p3      | 2026-03-02 09:00 |           | review

    policy: required.place_of_service = ["02", "10"]
    record | patient | start      | place_of_service | expect
    b1     | p1      | 2026-03-02 | 10               | clear
    b2     | p2      | 2026-03-02 | 2                | clear
    b3     | p3      | 2026-03-02 | 11               | review
    b4     | p4      | 2026-03-02 |                  | unknown
    """,
)
