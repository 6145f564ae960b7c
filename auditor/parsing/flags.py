"""Whether a cell says yes or no, or documents something. Source: docs/specification.md#vocabularies."""

import polars as pl

from auditor.parsing.table_parser import TableParser
from auditor.parsing.vocabularies import recognized, terms_of
from auditor.schema.tables import Column

_NOT_DOCUMENTED = ("", "n/a", "na", "none", "null", "-")


def read(parser: TableParser, column: Column, values: pl.Series) -> None:
    """True and false as Boolean; null for blank and unrecognized words."""
    parser.add(column.name, pl.Series(recognized(parser, column, values), dtype=pl.String) == "true")


def read_documented(parser: TableParser, column: Column, values: pl.Series) -> None:
    """Whether anything is documented, never null: any text but a word for false or for nothing."""
    texts: list[str | None] = values.to_list()
    documented = [
        text is not None and term != "false" and text.casefold() not in _NOT_DOCUMENTED
        for text, term in zip(texts, terms_of(parser, column, texts), strict=True)
    ]
    parser.add(column.name, pl.Series(documented, dtype=pl.Boolean))
