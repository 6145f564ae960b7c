"""The finished runs in an output folder, of this version or an older one."""

import contextlib
import errno
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars as pl

from auditor import small_files
from auditor.run_summary import RunFigures, Summary

TREND = 26
"""Runs of a trend."""
_RENAMED = {
    "findings": {"case": "case_number"},
    "claims": {"start": "call_start", "end": "call_end"},
    "evidence": {"why_not": "exclusion_reason", "at": "record_at"},
}
"""Columns by table that older runs name otherwise."""
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


def history(out: Path, runs: int) -> list[Summary]:
    """The summaries of the last runs in an output folder, oldest first; damaged ones are left out."""
    return [*_readable(folders(out)[-runs:])]


def _readable(runs: Iterable[Path]) -> Iterator[Summary]:
    for run in runs:
        with contextlib.suppress(OSError, ValueError):
            yield read(run / "summary.json")


def trend(out: Path | None, summary: Summary, known: Iterable[RunFigures] = ()) -> list[RunFigures]:
    """The last runs up to one, the oldest first: those that its ledger knows, and those whose folders are in `out`."""
    runs = {row.run: row for row in known}
    whole = {run for run, row in runs.items() if row.audited is not None}
    first = min(whole) if len(whole) >= TREND else ""
    names = [run for run in folders(out) if first < run.name < summary.run_id] if out else []
    others = [run for run in names if run.name not in whole]
    runs |= {run.run_id: run.figures for run in _readable(others[-TREND:])} | {summary.run_id: summary.figures}
    return [runs[run] for run in sorted(runs, key=lambda run: (run == summary.run_id, run))][-TREND:]


def scan(run: Path, table: str) -> pl.LazyFrame:
    """A published table of a run with the names of this version. Reading it raises OSError and PolarsError."""
    path = run / f"{table}.parquet"
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    frame = pl.scan_parquet(path).rename(_RENAMED.get(table, {}), strict=False)
    return frame.with_columns(pl.col("mark").replace("not seen", "not_seen")) if table == "cases" else frame
