"""Record batches → frames; those without a promised order → the same order at each reading, in bounded memory."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import polars as pl
import pyarrow as pa

_BUCKETS = 64
_ROWS = 100_000
_ODD = pl.lit(0x9E3779B97F4A7C15, pl.UInt64)


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
    """All rows, by `_key`, then by their values; those of a bucket of keys are in memory at once.

    The order is that of the values alone: no library's hash, no file has a part in it.

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
            for (bucket,), rows in frame.group_by(_key(frame) % _BUCKETS, maintain_order=True):
                table = rows.to_arrow()
                if bucket not in writers:
                    writers[bucket] = stack.enter_context(pa.ipc.new_stream(at / f"{bucket:02}", table.schema))
                writers[bucket].write_table(table)


def _key(frame: pl.DataFrame) -> pl.Series:
    """A number (UInt64) of each row, made of the last characters of its texts and of its numbers and dates."""
    numbers = [pl.lit(0, pl.UInt64)]
    for name, kind in frame.schema.items():
        if kind == pl.String:
            ends = pl.concat_str(pl.lit("\0" * 8), name).cast(pl.Binary).bin.tail(8)
            numbers.append(ends.bin.reinterpret(dtype=pl.UInt64, endianness="big"))
        elif kind.is_integer() or kind in (pl.Date, pl.Datetime):
            numbers.append(pl.col(name).to_physical().cast(pl.Int64, strict=False).reinterpret(signed=False))
    mixed = pl.sum_horizontal(number.fill_null(0) * (_ODD ^ (2 * at)) for at, number in enumerate(numbers))
    return frame.select(key=mixed // 2**32).to_series()
