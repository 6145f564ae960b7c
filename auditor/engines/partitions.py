"""Rows in memory, or once they outgrow it as Parquet, in partitions of patients or of ids, in a private folder."""

import contextlib
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl

from auditor.errors import OutputFailed

_GROUP = 20_000
"""Rows of a group, so that few are read for a stretch of claims."""
_ROWS_AT_ONCE = 250_000
"""Rows in memory that are judged together, at most about: what judging takes beside them stays small."""
_VIEW = 16
"""Bytes that a text takes beside what it says."""


class Partitions:
    """The rows of all tables. More than `limit` bytes (None: no bound) go to a folder `parent`, or the temporary folder."""

    def __init__(
        self, limit: int | None, parent: Path | None, count: int = 64, rows_at_once: int = _ROWS_AT_ONCE
    ) -> None:
        """Nothing is written before there is too much.

        `count`: partitions on disk, `rows_at_once`: rows of one in memory, beside that of patients who share records.
        """
        self._limit, self._parent, self._count, self._rows_at_once = limit, parent, count, rows_at_once
        self._in_memory: defaultdict[str, list[pl.DataFrame]] = defaultdict(list)
        self._by: dict[str, str] = {}
        self._size = 0.0
        self._folder: Path | None = None
        self._written = 0

    def add(self, table: str, rows: pl.DataFrame, by: str = "patient_id") -> None:
        """Keep some rows of a table, all with one value of `by` in one partition.

        Raises OutputFailed where they do not fit and cannot be written.
        """
        self._in_memory[table].append(rows)
        self._by[table] = by
        self._size += _size(rows)
        if self._limit is not None and self._size > self._limit:
            self._write()

    def drop(self, table: str) -> None:
        """Forget the rows of a table."""
        self._size -= sum(map(_size, self._in_memory.pop(table, [])))
        if self._folder:
            for path in self._folder.glob(f"{table}-*"):
                path.unlink()

    def select(self, table: str, *columns: str, **aliases: str) -> pl.DataFrame:
        """Some columns of all kept rows of a table."""
        return self._all(table).select(*columns, **aliases).collect()

    def parts(self, *tables: str) -> Iterator[list[pl.DataFrame]]:
        """The rows of some tables, which go, partition after partition: in memory, or if all are on disk, in order."""
        if self._folder is None:
            yield [pl.concat(self._in_memory[table]) for table in tables]
        else:
            self._write()
            for number in range(self._count):
                yield [self._scan(f"{table}-{number}-*", table).collect() for table in tables]
        for table in tables:
            self.drop(table)

    def each(self, *, keep: bool = False) -> Iterator[dict[str, pl.DataFrame]]:
        """All tables' rows, partition after partition; few in memory are one. Rows that were given go, unless `keep`."""
        held = {table: [*frames] for table, frames in self._in_memory.items()} if keep else self._in_memory
        tables = tuple(self._in_memory)
        count = -(-sum(rows.height for frames in self._in_memory.values() for rows in frames) // self._rows_at_once)
        if self._folder is None and count < 2:
            yield {table: pl.concat(held.pop(table)) for table in tables}
            return
        linked = linked_patients({table: self._all(table) for table in tables if table != "visits"})
        if self._folder is None:
            yield from self._divided(count, linked, held)
            return
        self._write()
        is_linked = pl.col("patient_id").is_in(linked.implode())
        if len(linked):
            yield {table: self._all(table).filter(is_linked).collect() for table in tables}
        for number in range(self._count):
            yield {table: self._scan(f"{table}-{number}-*", table).filter(~is_linked).collect() for table in tables}

    def spill(self, frame: pl.DataFrame) -> pl.LazyFrame:
        """The same frame, on disk if the rows are. Raises OutputFailed."""
        if self._folder is None:
            return frame.lazy()
        path = self._folder / f"held-{self._written}.parquet"
        self._put(path, frame)
        return pl.scan_parquet(path)

    def remove(self) -> None:
        """Remove everything."""
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def open(self) -> Path:
        """The folder, made where there is none. Raises OutputFailed."""
        if self._folder is None:
            with _as_output_failure(self._parent or Path(tempfile.gettempdir())):
                self._folder = Path(tempfile.mkdtemp(prefix=".unfinished-partitions-", dir=self._parent))
        return self._folder

    def _write(self) -> None:
        folder = self.open()
        for table, frames in self._in_memory.items():
            rows = pl.concat(frames)
            frames[:] = [rows.clear()]
            for number, part in _parts(rows, self._count, by=self._by[table]).items():
                self._put(folder / f"{table}-{number}-{self._written}.parquet", part)
        self._size = 0.0

    def _divided(
        self, count: int, linked: pl.Series, held: Mapping[str, list[pl.DataFrame]]
    ) -> Iterator[dict[str, pl.DataFrame]]:
        """What is held in memory, which goes, in partitions, and one of the patients who meet, if any do."""
        parts = [{table: [frames[0].clear()] for table, frames in held.items()} for _ in range(count + 1)]
        for table, frames in held.items():
            while frames:
                for number, part in _parts(frames.pop(), count, linked).items():
                    parts[number][table].append(part)
        if linked.is_empty():
            parts.pop()
        while parts:
            yield {table: pl.concat(part) for table, part in parts.pop().items()}

    def _put(self, path: Path, frame: pl.DataFrame) -> None:
        self._written += 1
        with _as_output_failure(path.parent):
            frame.write_parquet(path, compression="lz4", row_group_size=_GROUP)

    def _all(self, table: str) -> pl.LazyFrame:
        return pl.concat([self._scan(f"{table}-*", table), *(rows.lazy() for rows in self._in_memory[table])])

    def _scan(self, pattern: str, table: str) -> pl.LazyFrame:
        files = sorted(self._folder.glob(f"{pattern}.parquet")) if self._folder else []
        return pl.concat([self._in_memory[table][0].clear().lazy(), *map(pl.scan_parquet, files)])


def _size(rows: pl.DataFrame) -> float:
    """Bytes of memory."""
    return rows.estimated_size() + _VIEW * rows.height * sum(dtype == pl.String for dtype in rows.dtypes)


def _parts(
    rows: pl.DataFrame, count: int, linked: pl.Series | None = None, by: str = "patient_id"
) -> dict[int, pl.DataFrame]:
    """Rows by the number of the partition of their patient, or other column; the last is that of the patients who meet."""
    number = (pl.col(by).hash() % count).cast(pl.Int64)
    if linked is not None:
        number = pl.when(pl.col(by).is_in(linked.implode())).then(count).otherwise(number)
    parts = rows.with_columns(_part=number).partition_by("_part", as_dict=True, include_key=False)
    return {int(key): part for (key,), part in parts.items()}


def linked_patients(kept: Mapping[str, pl.LazyFrame]) -> pl.Series:
    """Patients who share a call or a claim with another one, and are judged together.

    Source: docs/specification.md#invariants.

    `kept`: the rows of calls, and of claims where there are any; patient_id, call_id and the claims' ids suffice.
    """
    links = []
    for table, rows in kept.items():
        claim = pl.coalesce("claim_id", "call_id") if table == "calls" else pl.col("claim_id")
        for kind, name in (("call", pl.col("call_id")), ("claim", claim), ("claim", pl.col("original_claim_id"))):
            links.append(rows.select("patient_id", kind=pl.lit(kind), id=name))
    shared = pl.concat(links).drop_nulls().group_by("kind", "id").agg(pl.col("patient_id").unique())
    shared = shared.filter(pl.col("patient_id").list.len() > 1)
    return shared.select(pl.col("patient_id").explode().unique()).collect().to_series()


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
