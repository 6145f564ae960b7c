"""The finished runs in an output folder, of this version or an older one."""

import contextlib
import errno
from pathlib import Path

import polars as pl

from auditor import small_files
from auditor.run_summary import Summary

_RENAMED = {
    "findings": {"case": "case_number"},
    "claims": {"start": "call_start", "end": "call_end"},
    "evidence": {"why_not": "exclusion_reason"},
}
"""Columns by table that version 1 of the schema named otherwise."""
_LONGEST = 1 << 28
"""Bytes of a summary."""


def folders(out: Path) -> list[Path]:
    """The runs in an output folder, refused ones apart, oldest first."""
    runs = [summary.parent for summary in sorted(out.glob("*/summary.json"))]
    return [run for run in runs if not run.is_symlink() and not run.name.startswith(".")]


def day_of(column: str) -> pl.Expr:
    """The day on which a run began, in UTC, of a column of run ids."""
    return pl.col(column).str.head(8).str.to_date("%Y%m%d", strict=False)


def read(path: Path) -> Summary:
    """Read a summary.json. Raises OSError, and ValueError for one that is damaged."""
    return Summary.model_validate_json(small_files.read(path, _LONGEST, plain=True))


def history(out: Path, runs: int, until: str = "~") -> list[Summary]:
    """The summaries of the last runs in an output folder, up to one, oldest first; damaged ones are left out."""
    found: list[Summary] = []
    for run in [run for run in folders(out) if run.name <= until][-runs:]:
        with contextlib.suppress(OSError, ValueError):
            found.append(read(run / "summary.json"))
    return found


def scan(run: Path, table: str) -> pl.LazyFrame:
    """A published table of a run with the names of this version. Reading it raises OSError and PolarsError."""
    path = run / f"{table}.parquet"
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    frame = pl.scan_parquet(path).rename(_RENAMED.get(table, {}), strict=False)
    return frame.with_columns(pl.col("mark").replace("not seen", "not_seen")) if table == "cases" else frame
