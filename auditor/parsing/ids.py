"""Ids that are written differently in two exports, and what the policy lets them differ in.

Source: docs/specification.md#nearly-equal-ids.
"""

from collections.abc import Iterable, Mapping

import polars as pl

DIFFERENCES: Mapping[str, str] = {
    "case": "case",
    "zeros": "leading zeros",
    "decimal": "a trailing .0",
    "punctuation": "blanks or hyphens",
}
"""What two nearly equal ids may differ in, as the policy says it and in words."""

_MEANS = {"originating_call_id": "call_id", "related_visit_id": "visit_id"}
"""Columns whose ids are those of another column."""


def same_ids(column: str) -> str:
    """The policy's word for a column's ids."""
    return _MEANS.get(column, column)


def are_digits(texts: pl.Series) -> bool:
    """Whether all texts are digits only, and not too many for an integer; nulls aside. The first ones are tried first."""
    numbers = (
        sample.cast(pl.UInt64, strict=False).null_count() == sample.null_count() for sample in (texts.head(100), texts)
    )
    return all(numbers) and not texts.str.starts_with("+").any()


def folded(text: pl.Expr, differences: Iterable[str] = DIFFERENCES) -> pl.Expr:
    """A text without what two nearly equal ids may differ in."""
    wanted = set(differences)
    if "punctuation" in wanted:
        text = text.str.replace_all("-", "", literal=True).str.replace_all(" ", "", literal=True)
    if "case" in wanted:
        text = text.str.to_lowercase()
    if "decimal" in wanted:
        text = text.str.strip_suffix(".0")
    if "zeros" in wanted:
        bare = text.str.strip_chars_start("0")
        text = pl.when(bare == "").then(pl.lit("0")).otherwise(bare)
    return text
