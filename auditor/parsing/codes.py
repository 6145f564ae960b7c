"""Which CPT or HCPCS codes, or categories of diagnoses, a cell holds.

Source: docs/specification.md#lists-codes-and-diagnoses.
"""

import re

import polars as pl

from auditor.parsing.table_parser import TableParser
from auditor.schema.codes import CODE, FAMILY
from auditor.schema.tables import Column

_BEFORE = r"^[^A-Z0-9]+"
_SYSTEM = r"(?:HCPCS|HCPC|CPT)"
_QUALIFIER = r"^(?:HC|HP|ER|WK|N4)[^A-Z0-9\s]+"
"""What X12 writes before a procedure code, with a sign after it."""
_MODIFIERS = re.compile(r"^[A-Z0-9]+((?:[^A-Z0-9]+[A-Z0-9]{2}(?![A-Z0-9])){1,4})")
LOOKS_LIKE = r"^(?i)(\d{5}|[A-Z]\d{4}|\d{4}[A-Z])\b"


def read(parser: TableParser, column: Column, values: pl.Series) -> None:
    """The code of each cell, upper-cased. A required cell without one rejects its row; others are counted in a warning.

    Of several codes it is one of the family, if there is one. `cpt_code_parts` then has all, each with its modifiers.
    """
    upper = values.str.to_uppercase()
    code = upper.to_frame("v").select(_plain_code(pl.col("v"))).to_series()
    longer = upper.filter(upper.str.contains("[A-Z0-9][^A-Z0-9]+[A-Z0-9]")).unique().to_list()
    parts = {text: found for text in longer if (found := _parts(text))}
    if parts:
        first = {
            text: max((one for one in found if one in FAMILY), default=min(found)) for text, found in parts.items()
        }
        code = upper.replace_strict(first, default=code, return_dtype=pl.String)
    written = {text: text_of for text, found in parts.items() if (text_of := _written(found)) not in found}
    parser.add(f"{column.name}_parts", upper.replace_strict(written, default=None, return_dtype=pl.String))
    without_code = code.is_null() & values.is_not_null()
    if column.required:
        parser.reject(column.name, f"{column.name} contains no code", without_code)
    else:
        parser.warn(column, without_code, "values without a code (rows: {count}); those calls count as not billed")
    problem = "values that are not CPT or HCPCS codes (rows: {count}); their lines count as lines of another code"
    parser.warn(column, ~code.str.contains(CODE), problem)
    parser.add(column.name, code)


def _parts(text: str) -> dict[str, list[str]]:
    """The codes of a cell, in upper case, with the modifiers that follow each. Words that are no codes are left out."""
    found: dict[str, list[str]] = {}
    for item in re.split(r"[;,|\s]+", re.sub(rf"\b{_SYSTEM}\s+", "", text)):
        plain = re.sub(_QUALIFIER, "", re.sub(_BEFORE, "", item))
        plain = re.sub(rf"^{_SYSTEM}[:-]*", "", plain)
        code = re.split("[^A-Z0-9]", plain, maxsplit=1)[0]
        if re.match(CODE, code):
            modifiers = _MODIFIERS.match(plain)
            found.setdefault(code, []).extend(re.findall("[A-Z0-9]+", modifiers[1]) if modifiers else [])
    return found


def _written(parts: dict[str, list[str]]) -> str:
    return " ".join(":".join([code, *sorted(set(modifiers))]) for code, modifiers in sorted(parts.items()))


def read_list(parser: TableParser, column: Column, values: pl.Series) -> None:
    """The codes of each cell, as a sorted list without repeats; empty for a blank. Items without a code are left out."""
    upper = pl.col("v").fill_null("").str.to_uppercase()
    items = split_items(upper.str.replace_all(rf"\b{_SYSTEM}\s+", ""))  # the word and its code are one item
    codes = items.list.eval(_plain_code(pl.element())).list.drop_nulls()
    parser.add(column.name, values.to_frame("v").select(codes.list.unique().list.sort()).to_series())


def split_items(text: pl.Expr) -> pl.Expr:
    """The items of a list in one cell."""
    return text.str.replace_all(r"[;,|\s]+", " ").str.split(" ")


def _plain_code(text: pl.Expr) -> pl.Expr:
    """The code in upper-case text, without what precedes it, up to the first character that is no letter or digit."""
    plain = text.str.replace(_BEFORE, "").str.replace(_QUALIFIER, "")
    return plain.str.replace(rf"^{_SYSTEM}[:\s-]*", "").str.extract(r"^([A-Z0-9]+)")


_CATEGORY = r"^[^A-Z0-9]*(?:(?:ABK|ABF|BK|BF)[^A-Z0-9]+)?([A-Z]\d[A-Z0-9])"
"""How ICD-10 codes begin, without their dots, perhaps after a qualifier of X12."""
DIAGNOSES_LOOK_LIKE = r"^(?i)[A-Z]\d[\dA-Z](\.?[\dA-Z]{1,4})?\b"


def read_diagnoses(parser: TableParser, column: Column, values: pl.Series) -> None:
    """The ICD-10 categories (3 characters) of each cell, as a sorted list without repeats; empty for a blank.

    Other items are left out, and their rows are counted in a warning.
    """
    items = split_items(pl.col("v").fill_null("").str.to_uppercase())
    category = pl.element().str.replace_all(".", "", literal=True).str.extract(_CATEGORY)
    categories = items.list.eval(category).list.drop_nulls()
    written = items.list.eval(pl.element().str.contains("[A-Z0-9]")).list.sum()
    cells = values.to_frame("v")
    problem = "diagnoses that are not ICD-10 codes count as blank (rows: {count})"
    parser.warn(column, cells.select(written > categories.list.len()).to_series(), problem)
    parser.add(column.name, cells.select(categories.list.unique().list.sort()).to_series())
