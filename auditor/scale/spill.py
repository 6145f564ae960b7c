"""What does not fit into memory: a private folder beside the output, gone when it is left."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from auditor.errors import OutputFailed

_ROWS = 20_000
"""Rows of a group, so that few are read for a stretch of claims."""


class Spill:
    """A folder that only the user can read, inside `beside` (None: the system's temporary folder)."""

    def __init__(self, beside: Path | None) -> None:
        """Make the folder. Raises OutputFailed."""
        with _as_output_failure(beside or Path(tempfile.gettempdir())):
            self.folder = Path(tempfile.mkdtemp(prefix=".unfinished-buckets-", dir=beside))
        self._kept = 0

    def part(self) -> Path:
        """A new folder inside."""
        with _as_output_failure(self.folder):
            return Path(tempfile.mkdtemp(dir=self.folder))

    def append(self, path: Path, data: bytes) -> None:
        """Add to a file inside. Raises OutputFailed."""
        with _as_output_failure(self.folder), path.open("ab") as file:
            file.write(data)

    def keep(self, frame: pl.DataFrame) -> pl.LazyFrame:
        """The same frame, on disk. Raises OutputFailed."""
        path = self.folder / f"kept-{self._kept}.parquet"
        self._kept += 1
        with _as_output_failure(self.folder):
            frame.write_parquet(path, compression="lz4", row_group_size=_ROWS)
        return pl.scan_parquet(path)

    def remove(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def _as_output_failure(folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise OutputFailed(
            f"{folder}: exports larger than --memory are spilled there, and it could not be written ({reason}); "
            "check space and permissions, or give more --memory"
        ) from error
