"""Cases of the ledger with the columns and types that `audit98968 schema cases` lists."""

import contextlib
from pathlib import Path

import polars as pl

from auditor.cases.states import DOLLARS
from auditor.runs import past
from auditor.schema.outputs import TABLES

_TYPES = {"whole number": pl.Int64(), "dollars": DOLLARS, "text": pl.String()}
_FROM_RUN = ("payer", "policy", "message")
"""What the ledger does not keep: the latest run has it, of cases with a finding."""


def published(cases: pl.DataFrame, folder: Path) -> pl.DataFrame:
    """`cases` as `queries.list_cases` has them; `folder`: the output folder, of whose latest run the time zone is taken."""
    zone, found = "UTC", pl.DataFrame(schema={"number": pl.Int64, **dict.fromkeys(_FROM_RUN, pl.String)})
    with contextlib.suppress(OSError, ValueError, pl.exceptions.PolarsError):
        zone = past.read(folder / "latest" / "summary.json").timezone
        found = past.scan(folder / "latest", "cases").select("number", *_FROM_RUN).collect()
    rows = cases.join(found, on="number", how="left", maintain_order="left")
    return rows.select(_typed(name, column.type, rows.schema[name], zone) for name, column in TABLES["cases"].items())


def _typed(name: str, kind: str, dtype: pl.DataType, zone: str) -> pl.Expr:
    column = pl.col(name)
    if kind == "instant":
        return (
            column.str.to_datetime("%FT%T%.fZ", time_unit="us").dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
        )
    if kind == "date":
        return column.str.to_date() if dtype == pl.String else column
    return column.cast(_TYPES[kind])
