"""The sentence of a finding: which record, how far from the claim, and why it is taken for the same matter.

A sentence about a related record begins with it: what, id, provider, date (`RECORD`), and has no other identifier, so that
a sentence without them can be made of it (`reports.tables.without_ids`).

Source: docs/specification.md#messages.
"""

import polars as pl

from auditor.parsing.microseconds import MINUTE

_HOUR = 60 * MINUTE


def duration(microseconds: pl.Expr) -> pl.Expr:
    """A length in hours and whole minutes: `35 min`, `23 h 10 min`."""
    hours, minutes = microseconds // _HOUR, microseconds % _HOUR // MINUTE
    return (
        pl.when(microseconds < MINUTE).then(pl.lit("less than 1 min"))
        .when(hours == 0).then(pl.format("{} min", minutes))
        .otherwise(pl.format("{} h {} min", hours, minutes))
    )  # fmt: skip


HOURS = duration(pl.col("elapsed"))
"""The elapsed time to the record."""


def days(number: pl.Expr) -> pl.Expr:
    """`1 day`, `3 days`."""
    return pl.format("{} {}", number, pl.when(number.abs() == 1).then(pl.lit("day")).otherwise(pl.lit("days")))


DAYS = days(pl.col("gap_days"))
"""The gap to the record."""

_NOUNS = {
    "visit": "visit",
    "line": "visit billed on claim",
    "claim": "claim",
    "call": "call",
    "record": "phone log record",
}
_PROVIDER = (
    pl.when(pl.col("provider").is_not_null())
    .then(pl.format(" by provider {}", "provider"))
    .when(pl.col("related_kind") == "visit")
    .then(pl.lit(" without a provider"))
    .otherwise(pl.lit(""))
)
RECORD = pl.format("{} {}{} on {}", pl.col("related_kind").replace(_NOUNS), "related_id", _PROVIDER, "day")
"""The related record: `visit V1 by provider P1 on 2026-03-05`."""

IDENTIFIED = rf"(?s)^({'|'.join(sorted(_NOUNS.values(), key=len, reverse=True))}) .* on \d{{4}}-\d\d-\d\d"
"""RECORD in a sentence, up to the last date in it, so that an id that looks like a sentence leaves nothing behind."""

_STATUSES = {"cancelled": "canceled", "no_show": "no-show", "unrecognised": "status unknown"}
VISIT = pl.concat_str(
    RECORD,
    pl.when(pl.col("related_kind") == "visit")
    .then(pl.format(" ({})", pl.col("status").replace(_STATUSES).fill_null("status unknown")))
    .otherwise(pl.lit("")),
)
"""The related visit with its status."""

THE_CALL = (
    pl.when("has_call")
    .then(pl.lit("the call"))
    .otherwise(pl.lit("the service date (the inputs have no call of the claim)"))
)
"""From what days are counted."""

BEFORE_CLAIM = (
    pl.when(pl.col("gap_days") == 0).then(pl.lit("for the same day")).otherwise(pl.format("{} before this claim", DAYS))
)
"""How far an earlier line is from the claim."""

BILLED_AGAIN = (
    pl.col("detail")
    .fill_null("")
    .replace(
        {
            "payer": ", but to another payer",
            "paid": ", but just one of the two has a paid amount of 0",
            "remittance": ", but one of the two is a payer's line that fits no line of the claim",
        }
    )
)
"""Why an earlier line of the same service supports review at most."""

BASIS_WORDS = {
    "linked": "linked to the call",
    "any": "the policy treats every visit as related",
    "conflicting": "different problems, but the same diagnosis category",
    "same group": "same group, but no problem or diagnosis shows whether they are related",
    "another vocabulary": "the problems or diagnoses of the two exports are of different kinds",
    "unknown": "no problem or diagnosis shows whether they are related",
    "may be the call itself": "may be the call itself, because it starts when the call does and has no code or modality",
}
"""A basis in a few words, for tables of records; every other basis is its own words."""

_CLAIM_HAS, _VISIT_HAS = (
    {name: pl.col(f"{of}_has_{name}") for name in ("problem", "diagnosis")} for of in ("claim", "visit")
)
_LACKING = (
    pl.when(~pl.any_horizontal(*_CLAIM_HAS.values(), *_VISIT_HAS.values()))
    .then(pl.lit("neither record has a diagnosis or a problem"))
    .when(~pl.any_horizontal(*_CLAIM_HAS.values()))
    .then(pl.lit("the claim has neither a diagnosis nor a problem"))
    .when(~pl.any_horizontal(*_VISIT_HAS.values()))
    .then(pl.lit("the visit has neither a diagnosis nor a problem"))
    .when(_CLAIM_HAS["problem"] & _VISIT_HAS["problem"])
    .then(pl.lit("the problems differ in how they are written"))
    .when(_CLAIM_HAS["problem"])
    .then(pl.lit("the claim has only a problem and the visit only a diagnosis"))
    .otherwise(pl.lit("the claim has only a diagnosis and the visit only a problem"))
)
_OPEN = "so it cannot be told whether they are related"
RELATION = (
    pl.when(pl.col("basis") == "same provider")
    .then(pl.format("{}, but both have the same provider, so they are taken as related", _LACKING))
    .when(pl.col("basis") == "same group")
    .then(pl.format("{}, and only their group and specialty are the same, {}", _LACKING, pl.lit(_OPEN)))
    .when(pl.col("basis") == "unknown")
    .then(pl.format("{}, {}", _LACKING, pl.lit(_OPEN)))
    .otherwise(
        pl.col("basis").replace(
            {
                "linked": "the export links it to the call",
                "any": "the policy treats every visit as related",
                "same problem": "both records have the same problem, so they are related",
                "same diagnosis category": "both records have a diagnosis of the same category, so they are related",
                "different problem": "the problems are different, so they are not related",
                "different diagnosis category": "the diagnoses are of different categories, so they are not related",
                "conflicting": f"the problems differ, but a diagnosis category is the same, {_OPEN}",
                "another vocabulary": f"the problems or diagnoses of the two exports are of different kinds, {_OPEN}",
                "may be the call itself": "it may be the call itself, because it starts when the call does and has no code "
                "or modality",
            }
        )
    )
)
"""Why a visit is or is not taken for the same matter as the claim."""
