"""Record batches → frames; those without a promised order → the same order at each reading, in bounded memory."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import polars as pl
import pyarrow as pa

_BUCKETS = 64
_ROWS = 100_000


def frames(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Iterator[pl.DataFrame]:
    """Frames of about as many rows as those of other sources; at least one."""
    waiting: list[pa.RecordBatch] = []
    yield pl.DataFrame(schema.empty_table())
    for batch in batches:
        waiting.append(batch)
        if sum(map(len, waiting)) >= _ROWS:
            yield pl.DataFrame(pa.Table.from_batches(waiting))
            waiting = []
    if waiting:
        yield pl.DataFrame(pa.Table.from_batches(waiting))


def in_order(schema: pa.Schema, batches: Iterator[pa.RecordBatch], folder: Path) -> Iterator[pl.DataFrame]:
    """All rows, by the hash of a row, then by its values; those of a bucket of hashes are in memory at once.

    `folder`: for files that are removed as they are read.
    """
    with tempfile.TemporaryDirectory(dir=folder) as at:
        _write(schema, batches, Path(at))
        yield from frames(schema, _read(Path(at)))


def _read(at: Path) -> Iterator[pa.RecordBatch]:
    for path in sorted(at.iterdir()):
        rows = pl.read_ipc_stream(path)
        yield from rows.sort(rows.columns).to_arrow().to_batches()


def _write(schema: pa.Schema, batches: Iterator[pa.RecordBatch], at: Path) -> None:
    """A file for each bucket that has rows."""
    writers: dict[int, pa.RecordBatchStreamWriter] = {}
    with ExitStack() as stack:
        for frame in frames(schema, batches):
            buckets = frame.hash_rows() % _BUCKETS
            for (bucket,), rows in frame.group_by(buckets, maintain_order=True):
                table = rows.to_arrow()
                if bucket not in writers:
                    writers[bucket] = stack.enter_context(pa.ipc.new_stream(at / f"{bucket:02}", table.schema))
                writers[bucket].write_table(table)
