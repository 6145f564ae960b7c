"""The finished runs in an output folder, of this version or an older one."""

from pathlib import Path

import polars as pl

from auditor.run_summary import Summary


def folders(out: Path) -> list[Path]:
    """The runs in an output folder, refused ones apart, oldest first."""
    runs = [summary.parent for summary in sorted(out.glob("*/summary.json"))]
    return [run for run in runs if not run.is_symlink() and not run.name.startswith(".")]


def day_of(column: str) -> pl.Expr:
    """The day on which a run began, in UTC, of a column of run ids."""
    return pl.col(column).str.head(8).str.to_date("%Y%m%d", strict=False)


def read(path: Path) -> Summary:
    """Read a summary.json. Raises OSError, and ValueError for one that is damaged."""
    return Summary.model_validate_json(path.read_bytes())
