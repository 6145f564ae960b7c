"""Which ids are equal: as written, or without the differences that the policy allows.

Source: docs/specification.md#nearly-equal-ids.
"""

from collections.abc import Iterable, Mapping

import polars as pl

from auditor.parsing.table_parser import TableParser
from auditor.policy import Policy
from auditor.reading.dictionary import ByteRange
from auditor.schema.tables import TABLES, Column

LOOKS_LIKE = r"^[^\s]{1,40}( [^\s]{1,20})?$"

DIFFERENCES: Mapping[str, str] = {"case": "case", "zeros": "leading zeros", "decimal": "a trailing .0",
                                "punctuation": "blanks, hyphens or commas", "reference": "a reference's form"}  # fmt: skip
"""What two nearly equal ids may differ in: the policy's word → words of messages."""

REFERENCE = r"^(?:urn:(?:uuid|oid):|(?:https?://\S*/)?[A-Z][A-Za-z]+/)|/_history/[^/]*$"
"""What a FHIR reference has around an id: `Patient/10001`, `https://example.org/fhir/Patient/10001/_history/2`."""

LOST_DIGITS = "\ufdd0"
"""Precedes an id that is a number of more digits than a sheet keeps; a noncharacter, which no text holds."""
_NO_RECORD = ("0", "-1", "-2", "-3")
"""Keys by which a warehouse points to nothing."""
_ZEROS = tuple("0" * digits for digits in range(4, 21))
"""Texts that may mean the same; an export whose numbers begin at zero has them, too."""

_COMMON = {
    "claim_id": "ids that are found with 2 patients or more count as blank (rows: {count})",
    "problem_id": "one id in more than half of the rows counts as blank (rows: {count})",
}
"""Why an id counts as blank, by column."""

MEANS = {"originating_call_id": "call_id", "related_visit_id": "visit_id", "original_claim_id": "claim_id"}
"""Columns whose ids are those of another column."""


def read(parser: TableParser, column: Column, values: pl.Series) -> None:
    """Ids and other texts as they are, but for differences that the policy allows. No text is rejected.

    A blank `claim_line` of a claims table is line 1.
    """
    if column.name == "claim_line" and parser.table == "claims":
        values = values.fill_null("1")
    if differences := without_differences(column.name, parser.policy):
        values = values.to_frame("id").select(folded(pl.col("id"), differences)).to_series()
    if column.name in parser.blank_ids:
        values = _without_common(parser, column, values)
    parser.add(column.name, values)


def without_differences(column: str, policy: Policy) -> tuple[str, ...]:
    """The differences that the policy takes from the ids of a column."""
    found: tuple[str, ...] = getattr(policy.ids, MEANS.get(column, column), ())
    return found


def _without_common(parser: TableParser, column: Column, values: pl.Series) -> pl.Series:
    """Null for the ids that count as blank, because of what the whole column says."""
    nothing = values.hash().is_in(parser.blank_ids[column.name].implode()) & values.is_not_null()
    parser.warn(column, nothing, _COMMON[column.name])
    values = values.set(nothing, None)
    if not parser.has_row(values.is_not_null()):
        parser.filled.discard(column.name)
    return values


def without_lost_digits(parser: TableParser, column: Column, values: pl.Series, byte_range: ByteRange) -> pl.Series:
    """Null for ids that a sheet has rounded, which reject their rows. `byte_range`: the bytes that occur in them."""
    if byte_range.greatest < LOST_DIGITS.encode()[0]:
        return values
    lost = values.str.starts_with(LOST_DIGITS).fill_null(False)
    parser.reject(column.name, "digits lost in the sheet", lost)
    return values.set(lost, None) if lost.any() else values


def without_keys_of_nothing(parser: TableParser, column: Column, values: pl.Series) -> pl.Series:
    """Null for the keys 0, -1, -2 and -3.

    In the key of calls, visits and claims they reject the row. A row without a required provider is used: it is equal
    to nobody.
    """
    if column.name in ("patient_id", "claim_line"):
        return values
    is_key = column.name in TABLES[parser.table].key
    if not is_key and column.name != "provider_id":
        zeros = (
            "ids of only zeros are read as ids (rows: {count}); if they mean blank, add them to `nulls` in the policy"
        )
        parser.warn(column, values.is_in(_ZEROS).fill_null(False), zeros)
    nothing = values.is_in(_NO_RECORD).fill_null(False)
    if not nothing.any():
        return values
    if is_key and parser.table not in ("providers", "phone_log"):
        parser.reject(column.name, f"{column.name} is a key of no record, such as 0 or -1", nothing)
    else:
        parser.warn(column, nothing, "keys that point to no record (0, -1, -2 or -3) count as blank (rows: {count})")
    return values.set(nothing, None)


def are_digits(texts: pl.Series) -> bool:
    """Whether all texts, nulls aside, are digits that fit a 64-bit integer. The first ones are tried first."""
    numbers = (
        sample.cast(pl.UInt64, strict=False).null_count() == sample.null_count() for sample in (texts.head(100), texts)
    )
    return all(numbers) and not texts.str.starts_with("+").any()


def folded(text: pl.Expr, differences: Iterable[str] = DIFFERENCES) -> pl.Expr:
    """The text without these differences, so that nearly equal ids become equal."""
    wanted = set(differences)
    if "reference" in wanted:
        text = text.str.replace_all(REFERENCE, "")
    if "punctuation" in wanted:
        for sign in "- ,":
            text = text.str.replace_all(sign, "", literal=True)
    if "case" in wanted:
        text = text.str.to_lowercase()
    if "decimal" in wanted:
        text = text.str.strip_suffix(".0")
    if "zeros" in wanted:
        bare = text.str.strip_chars_start("0")
        text = pl.when(bare == "").then(pl.lit("0")).otherwise(bare)
    return text
