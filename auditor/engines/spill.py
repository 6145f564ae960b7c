"""Rows in memory, or once they outgrow it as Parquet, in partitions by the hash of a column, in a private folder."""

import contextlib
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import polars as pl

from auditor.errors import OutputFailed

COUNT = 64
"""Partitions on disk."""
_GROUP = 20_000
"""Rows of a group, so that few are read for a stretch of claims."""
_VIEW = 16
"""Bytes that a text takes beside what it says."""


class Spill:
    """Rows of some tables, of which more than `limit` bytes (None: no bound) go to a folder in `parent`.

    Rows with one value of the column `by` are in one of `count` partitions. `parent`: None for the temporary folder.
    """

    def __init__(self, limit: int | None, parent: Path | None, by: str, count: int = COUNT) -> None:
        """Nothing is written before there is too much. Columns that are blank in rows take no memory."""
        self._limit, self._parent, self._by, self._count = limit, parent, by, count
        self._in_memory: defaultdict[str, list[pl.DataFrame]] = defaultdict(list)
        self._size = 0.0
        self._folder: Path | None = None
        self._written = 0

    def __enter__(self) -> Self:
        """Nothing is held yet."""
        return self

    def __exit__(self, *error: object) -> None:
        """Remove everything."""
        self.remove()

    def remove(self) -> None:
        """Remove what is on disk."""
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, table: str, rows: pl.DataFrame) -> None:
        """Keep some rows of a table. Raises OutputFailed where they do not fit and cannot be written."""
        if not (held := self._in_memory[table]):
            held.append(rows.clear())
        rows = rows.select(column for column in rows if column.name == self._by or column.null_count() < rows.height)
        held.append(rows)
        self._size += _size(rows)
        if self._limit is not None and self._size > self._limit:
            self._write()

    def drop(self, table: str) -> None:
        """Forget the rows of a table."""
        self._size -= sum(map(_size, self._in_memory.pop(table, [])))
        if self._folder:
            for path in self._folder.glob(f"{table}-*"):
                path.unlink()

    def partitions(self, *tables: str) -> Iterator[list[pl.DataFrame]]:
        """The rows of some tables, which go, in the order in which they were given; those in memory are one partition."""
        if self._folder:
            self._write()
            for number in range(self._count):
                yield [self._scan(table, [number]).collect() for table in tables]
        else:
            yield [whole(self._in_memory[table]) for table in tables]
        for table in tables:
            self.drop(table)

    def spill(self, frame: pl.DataFrame) -> pl.LazyFrame:
        """The same frame, on disk if the rows are. Raises OutputFailed."""
        if self._folder is None:
            return frame.lazy()
        path = self._folder / f"held-{self._written}.parquet"
        self._put(path, frame)
        return pl.scan_parquet(path)

    def open(self) -> Path:
        """The folder, made where there is none. Raises OutputFailed."""
        if self._folder is None:
            with _as_output_failure(self._parent or Path(tempfile.gettempdir())):
                self._folder = Path(tempfile.mkdtemp(prefix=".unfinished-partitions-", dir=self._parent))
        return self._folder

    def _write(self) -> None:
        folder = self.open()
        for table, frames in self._in_memory.items():
            rows = whole(frames)
            frames[:] = [rows.clear()]
            for number, part in parts(rows, pl.col(self._by).hash() % self._count):
                self._put(folder / f"{table}-{number}-{self._written}.ipc", part)
        self._size = 0.0

    def _put(self, path: Path, frame: pl.DataFrame) -> None:
        """IPC takes a quarter of Parquet's time; of Parquet, some rows are read without the others."""
        self._written += 1
        with _as_output_failure(path.parent):
            if path.suffix == ".ipc":
                frame.write_ipc(path, compression="lz4")
            else:
                frame.write_parquet(path, compression="lz4", row_group_size=_GROUP)

    def _scan(self, table: str, numbers: Iterable[int]) -> pl.LazyFrame:
        """What is on disk of some partitions of a table."""
        found = [path for number in numbers for path in self.open().glob(f"{table}-{number}-*.ipc")]
        found.sort(key=lambda path: int(path.stem.rpartition("-")[2]))
        return pl.concat([self._in_memory[table][0].clear().lazy(), *map(pl.scan_ipc, found)])


def whole(frames: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """One frame of several, of which the first has all columns: the others lack those that are blank in them."""
    return pl.concat(frames, how="diagonal")


def parts(rows: pl.DataFrame, number: pl.Expr) -> Iterator[tuple[int, pl.DataFrame]]:
    """Rows by the number of their partition, in order, one partition after another."""
    places = rows.select(part=number).with_row_index("row").group_by("part").agg("row")
    return ((part, rows[places["row"][at]]) for at, part in enumerate(places["part"]))


def _size(rows: pl.DataFrame) -> float:
    """Bytes of memory."""
    return rows.estimated_size() + _VIEW * rows.height * sum(dtype == pl.String for dtype in rows.dtypes)


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
