"""Which categories of diagnoses a cell holds. Source: docs/specification.md#lists-codes-and-diagnoses."""

import polars as pl

from auditor.parsing.codes import split_items
from auditor.parsing.table_parser import TableParser
from auditor.schema.tables import Column

_CATEGORY = r"^[^A-Z0-9]*([A-Z]\d[A-Z0-9])"
"""How ICD-10 codes begin, without their dots."""
LOOKS_LIKE = r"^(?i)[A-Z]\d[\dA-Z](\.?[\dA-Z]{1,4})?\b"


def read(parser: TableParser, column: Column, values: pl.Series) -> None:
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
