"""What a cell holds once padding, spreadsheet armor and words for null are gone. Source: docs/specification.md#cells."""

import re
from collections.abc import Iterable

import polars as pl

from auditor.parsing.numbers import ROUNDED_ID
from auditor.parsing.table_parser import TableParser
from auditor.reading.dictionary import ByteRange
from auditor.schema.tables import Column, Kind

ANY_SIGN = r"\S"
"""For `blank_pattern`: every sign means something."""
YES_NO_SIGNS = "✓✔☑✗✘☐"
NULL_WORDS = "null words such as NULL or nan, and texts without a letter or digit, count as blank (rows: {count})"
_INVISIBLE = r"[\p{Cf}\p{Cc}]"
_INVISIBLE_IN_LISTS = r"[\p{Cf}\p{Cc}--\s]"
"""In lists, line ends and tabs separate items."""
_ARMORED = rf"""{_INVISIBLE}|^\s*(?:="|')"""


def clean(parser: TableParser, column: Column, values: pl.Series, byte_range: ByteRange) -> pl.Series:
    """Texts of a column without armor, trimmed, null where blank. `byte_range`: the bytes that occur in them."""
    if not byte_range.is_plain:
        values = _without_armor(parser, column, values).str.strip_chars()
    values = _without_blanks(parser, column, values, byte_range)
    if column.name.endswith("_id") and byte_range.has_signs:
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
    bare = without_armor(values, _INVISIBLE_IN_LISTS if column.is_list else _INVISIBLE)
    if column.name.endswith("_id"):
        changed = armored & (bare != values.str.strip_chars())
        problem = 'invisible characters or spreadsheet armor (="00123") removed from identifiers (rows: {count})'
        parser.warn(column, changed, problem)
    return bare


def without_armor(texts: pl.Series, invisible: str = _INVISIBLE) -> pl.Series:
    """Texts without the characters that print nothing, and without the armor of spreadsheets."""
    bare = texts.str.replace_all(invisible, "").str.strip_chars()
    return bare.str.replace(r'^="(.*)"$', "${1}").str.strip_prefix("'")


def blank_pattern(null_words: Iterable[str], marks: str = "") -> str:
    """A pattern of trimmed texts that are blank: null words in any case, and texts without a letter, a digit or a mark."""
    words = "".join(f"|{re.escape(word)}" for word in null_words)
    return rf"(?i)^(?:[^\p{{L}}\p{{N}}{marks}]*{words})$"


def _marks(parser: TableParser, column: Column) -> str:
    """The signs that are words in a column: of yes and no, and those that the policy maps."""
    if column.kind not in (Kind.FLAG, Kind.DOCUMENTED, Kind.TERM):
        return ""
    signs = [term for term in parser.policy.terms(parser.table, column.name) if not re.search(r"\w", term)]
    return ("" if column.kind is Kind.TERM else YES_NO_SIGNS) + re.escape("".join(signs))


def _without_blanks(parser: TableParser, column: Column, values: pl.Series, byte_range: ByteRange) -> pl.Series:
    """Null for trimmed texts that are blank; those that are not empty are counted."""
    if byte_range.shortest and byte_range.has_alphanumerics and not any(map(byte_range.may_be, parser.policy.nulls)):
        return values
    blank = values.str.contains(blank_pattern(parser.policy.nulls, _marks(parser, column)))
    if not blank.any():
        return values
    parser.warn(column, blank & (values != ""), NULL_WORDS)
    return values.set(blank.fill_null(False), None)
