"""Columns that are written in the path of a file, as `year=2026/status=completed/part.parquet`.

Source: docs/specification.md#files.
"""

from pathlib import Path
from urllib.parse import unquote

import polars as pl

from auditor.parsing import instants
from auditor.parsing.readers import read_column
from auditor.parsing.table_parser import TableParser
from auditor.policy import Policy
from auditor.reading.dictionary import NO_HINTS
from auditor.reading.paths import shown
from auditor.schema.tables import TABLES

_BLANK = "__HIVE_DEFAULT_PARTITION__"


def of_path(path: Path) -> dict[str, str]:
    """The columns of a path and their texts; blank where Hive writes that there is none."""
    pairs = (
        part.split("=", 1)
        for part in Path(shown(path)).parent.parts
        if "=" in part.strip("=") and not part.startswith("=")
    )
    return {unquote(name).strip(): "" if value == _BLANK else unquote(value) for name, value in pairs}


def agree(table: str, column: str | None, cells: pl.Series, value: str, policy: Policy) -> bool:
    """Whether all cells mean what the path says: as texts, or as values of the column; of no known one, numbers or times."""
    others = cells.unique()
    if not others.dtype.is_temporal():
        texts = others.cast(pl.String).fill_null("").str.strip_chars()
        others = others.filter(texts != value.strip())
    if others.is_empty():
        return True
    if column is None and others.dtype.is_temporal():
        typed = [instants.read(values, policy, any_date=True).utc.to_list() for values in (others, pl.Series([value]))]
    elif column is None:
        typed = [values.cast(pl.Float64, strict=False).to_list() for values in (others, pl.Series([value]))]
    else:
        typed = [_typed(table, column, values, policy) for values in (others, pl.Series([value]))]
    return None not in typed[0] and all(found == typed[1][0] for found in typed[0])


def _typed(table: str, column: str, values: pl.Series, policy: Policy) -> list[object]:
    parser = TableParser(policy, table, len(values))
    read_column(parser, TABLES[table].columns[column], values, NO_HINTS)
    return parser.columns[column].decode().to_list()
