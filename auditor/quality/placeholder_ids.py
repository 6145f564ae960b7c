"""Placeholder patient ids: their rows may belong to any patient. Source: docs/specification.md#placeholder-patients."""

import polars as pl

from auditor.parsing.numbers import SCIENTIFIC
from auditor.policy import Policy

MANY_PATIENTS = 2_000
"""With so many patients, one with a hundredth of the rows has more than twenty times the mean of the others."""
_WORDS = r"(?i)^(?:0|-1|9{3,}|unknown|test)$"


def looks_like_placeholder(patient: pl.Expr, policy: Policy) -> pl.Expr:
    """Whether an id is a placeholder by its looks: a word of the policy's or of ours, or a number that lost digits."""
    listed = patient.str.to_lowercase().is_in([word.casefold() for word in policy.ids.placeholders])
    number = pl.when(patient.str.contains(SCIENTIFIC)).then(patient)
    digits, exponent = (
        number.str.extract(SCIENTIFIC, 2).fill_null("").str.len_chars(),
        number.str.extract(SCIENTIFIC, 3),
    )
    return patient.str.contains(_WORDS) | listed | (digits < exponent.cast(pl.UInt32)).fill_null(False)


def placeholder_ids(patients: pl.DataFrame, distinct: int, rows: int, policy: Policy) -> pl.DataFrame:
    """The placeholders of a table and their rows: `patients` are ids (`value`) with a `count` of the table's rows.

    `distinct`: how many patients there are, or MANY_PATIENTS.
    """
    count = pl.col("count")
    heavy = (count * 100 > rows) & (count * (distinct - 1) > 20 * (rows - count))
    taken_out = pl.col("value").str.to_lowercase().is_in([word.casefold() for word in policy.ids.not_placeholders])
    return patients.filter((heavy | looks_like_placeholder(pl.col("value"), policy)) & ~taken_out).select(
        "value", "count"
    )
