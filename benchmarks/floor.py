"""Bare reading with polars: `python -m benchmarks.floor EXPORT [text]`.

Parquet: the columns that the core question needs. `text`: every column of the CSV files, as text.
"""

import sys
from pathlib import Path

import polars as pl
from polars import selectors as cs

from benchmarks.columns import CALLS, VISITS


def read(export: Path, *, text: bool = False) -> list[pl.DataFrame]:
    """Calls and visits, in memory."""
    if text:
        return [pl.read_csv(export / f"{name}.csv", infer_schema=False) for name in ("calls", "visits")]
    return [
        pl.scan_parquet(export / f"{name}.parquet").select(cs.by_name(*columns, require_all=False)).collect()
        for name, columns in (("calls", CALLS), ("visits", VISITS))
    ]


if __name__ == "__main__":
    print(sum(frame.height for frame in read(Path(sys.argv[1]), text="text" in sys.argv[2:])))
