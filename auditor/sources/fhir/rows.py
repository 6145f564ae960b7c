"""Rows of a table that wait for what other resources say. Source: docs/fhir.md."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from auditor.sources.source import RECORD

Row = dict[str, Any]
Finish = Callable[[pl.DataFrame], pl.DataFrame]
"""Links the rows that wait, a frame at a time."""
Kept = dict[str, Any]
"""What one table's reader keeps for the next."""
CALLS, OTHERS = "fhir calls", "fhir visits"
"""Of these: the ids of the Encounters that are calls, and hashes of the ids of those that are visits."""
LIST = pl.List(pl.String)


def texts(*names: str) -> dict[str, pl.DataType]:
    """Columns of text."""
    return dict.fromkeys(names, pl.String())


def frame_of(rows: Sequence[tuple[int, Row]], schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Rows with their line numbers; what a row does not say is null."""
    columns = [pl.Series(name, [row.get(name) for _, row in rows], dtype) for name, dtype in schema.items()]
    return pl.DataFrame([pl.Series(RECORD, [line for line, _ in rows], pl.UInt32), *columns])


def with_conditions(frame: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Add the codes of the Conditions that rows name. `known`: `_conditions` (an id), `codes`."""
    if not known.height or "_conditions" not in frame.columns:
        return frame
    frame = frame.with_row_index("_place")
    found = (
        frame.select("_place", "_conditions")
        .explode("_conditions")
        .join(known, on="_conditions", maintain_order="left")
    )
    added = found.group_by("_place", maintain_order=True).agg(pl.col("codes").unique(maintain_order=True).str.join(";"))
    frame = frame.join(added, on="_place", how="left", maintain_order="left").drop("_place")
    codes = pl.concat_str("diagnosis_codes", "codes", separator=";", ignore_nulls=True)
    return frame.with_columns(diagnosis_codes=pl.when(codes != "").then(codes))
