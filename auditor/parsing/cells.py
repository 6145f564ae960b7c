"""What a cell holds once padding, spreadsheet armor and words for null are gone. Source: docs/specification.md#cells."""

import polars as pl

from auditor.parsing.numbers import ROUNDED_ID
from auditor.parsing.table_parser import TableParser
from auditor.reading.dictionary import ByteRange
from auditor.schema.tables import Column, Kind

_INVISIBLE = r"[\p{Cf}\p{Cc}]"
_INVISIBLE_IN_LISTS = r"[\p{Cf}\p{Cc}--\s]"
"""In lists, line ends and tabs separate items."""
_ARMORED = rf"""{_INVISIBLE}|^\s*(?:="|')"""


def clean(parser: TableParser, column: Column, values: pl.Series, byte_range: ByteRange) -> pl.Series:
    """Texts of a column without armor, trimmed, null where blank. `byte_range`: the bytes that occur in them."""
    if not byte_range.is_plain:
        values = _without_armor(parser, column, values).str.strip_chars()
    values = _without_blanks(parser, column, values)
    if column.name.endswith("_id") and not byte_range.is_number:
        problem = (
            "identifiers look like rounded numbers, such as 2.98725E+13 (rows: {count}); export the column as text"
        )
        parser.warn(column, values.str.contains(ROUNDED_ID), problem)
    return values


def _without_armor(parser: TableParser, column: Column, values: pl.Series) -> pl.Series:
    """Remove invisible characters, and the armor that spreadsheets put around text."""
    armored = values.str.contains(_ARMORED).fill_null(False)
    if not armored.any():
        return values
    invisible = _INVISIBLE_IN_LISTS if column.is_list else _INVISIBLE
    bare = values.str.replace_all(invisible, "").str.strip_chars()
    bare = bare.str.replace(r'^="(.*)"$', "${1}").str.strip_prefix("'")
    if column.name.endswith("_id"):
        changed = armored & (bare != values.str.strip_chars())
        problem = 'invisible characters or spreadsheet armor (="00123") removed from identifiers (rows: {count})'
        parser.warn(column, changed, problem)
    return bare


def _without_blanks(parser: TableParser, column: Column, values: pl.Series) -> pl.Series:
    """Null for trimmed texts that are empty, or equal to a null word of the policy, in any case."""
    null_words = {word.lower() for word in parser.policy.nulls}
    if parser.codes is not None and not any(
        text is not None and (not text or text.lower() in null_words) for text in values
    ):
        return values
    short = (values.str.len_bytes() <= max((len(word.encode()) for word in null_words), default=0)).arg_true()
    if short.is_empty():
        return values
    short_texts = values.gather(short)
    empty, is_null_word = short_texts == "", short_texts.str.to_lowercase().is_in(null_words)
    if column.kind is not Kind.DOCUMENTED:  # where "none" is an answer, and means what a blank does
        mask = pl.repeat(False, len(values), dtype=pl.Boolean, eager=True)
        mask = mask.scatter(short.filter(is_null_word & ~empty), True)
        parser.warn(column, mask, "null words such as NULL or nan count as blank (rows: {count})")
    return values.scatter(short.filter(is_null_word | empty), None)
