"""Sources of other kinds → Parquet files in a private folder, which the run then reads twice, as any other Parquet file.

A source is read once and whole, so that both passes see the same rows; one that fails midway ends the run.

Source: docs/specification.md#sources.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from auditor.errors import OutputFailed
from auditor.policy import Policy
from auditor.reading import files
from auditor.reading.ingest import Part, Parts, Staged
from auditor.reading.kinds import Location
from auditor.sources import objects
from auditor.sources.scratch import scratch
from auditor.sources.source import Context, Source


@contextmanager
def gathered(
    paths: Mapping[str, Sequence[str]],
    policy: Policy,
    parent: Path | None = None,
    *,
    database: str | None = None,
    sample: int | None = None,
) -> Iterator[Parts]:
    """As `staged`, of what each table's paths and addresses lead to."""
    with objects.fetched(paths, parent) as fetched:
        found = {table: files.expand(table, given) for table, given in fetched.items()}
        with staged(found, policy, parent, database=database, sample=sample) as parts:
            yield parts


@contextmanager
def staged(
    found: Mapping[str, files.Found],
    policy: Policy,
    parent: Path | None = None,
    *,
    database: str | None = None,
    sample: int | None = None,
) -> Iterator[Parts]:
    """Each table's files; what is neither CSV nor Parquet is in a folder inside `parent` until the block is left.

    `database`, `sample`: as in Context.

    Raises InputRefused for what cannot be read whole, OutputFailed where there is no room for it.
    """
    if not any(one.located for one in found.values()):
        yield {table: _of_table(table, one, None) for table, one in found.items()}
        return
    with scratch(parent, ".unfinished-sources-") as folder:
        located = {table: one.located for table, one in found.items()}
        context = Context(policy, folder, frozenset(found), database, sample, located=located)
        with context.stack:
            parts = {table: _of_table(table, one, context) for table, one in found.items()}
        yield parts


def _of_table(table: str, found: files.Found, context: Context | None) -> tuple[list[Part], tuple[str, ...]]:
    made, warnings = [Part(table, path) for path in found.paths], list(found.warnings(table))
    if context is None:
        return made, tuple(warnings)
    located = sorted(found.located, key=lambda location: location.kind.module)
    for module, locations in groupby(located, key=lambda location: location.kind.module):
        for source in import_module(module).read(table, list(locations), context):
            made.append(_staged(table, source, context.folder))
            warnings += [f"{table}: {source.location.shown}: {warning}" for warning in source.warnings]
    return made, tuple(warnings)


def _staged(table: str, source: Source, folder: Path) -> Part:
    """Write a source to a file of its own."""
    location = source.location
    before = _signature(location)
    path = folder / f"{table}-{len(list(folder.glob('*.parquet')))}.parquet"
    try:
        with path.open("xb") as stream:
            digest = _write(source.frames, stream)
    except OSError as error:
        raise OutputFailed(f"{folder.parent}: cannot be written ({error.strerror}); free space there") from None
    files.require_unchanged(f"{table}: {location.shown}", location.path, before)
    size = location.path.stat().st_size if location.path.is_file() else path.stat().st_size
    return Part(table, path, staged=Staged(location, size, digest, tuple(source.understood)))


def _write(frames: Iterator[pl.DataFrame | pa.Table], stream: BinaryIO) -> str:
    """Write frames as Parquet, each while the next one is read; the SHA-256 of what was written."""
    writer, digest = None, hashlib.sha256()
    output = _Hashed(stream, digest)
    with ThreadPoolExecutor(1) as pool:
        try:
            written: Future[None] | None = None
            for frame in frames:
                rows = frame.to_arrow() if isinstance(frame, pl.DataFrame) else frame
                writer = writer or pq.ParquetWriter(output, rows.schema, compression="lz4", write_statistics=False)
                if written:
                    written.result()
                written = pool.submit(writer.write_table, rows)
            if written:
                written.result()
        finally:
            pool.shutdown()
            if writer:
                writer.close()  # while there is a stream to write to
    if writer is None:
        raise ValueError("a source without frames")
    return str(digest.hexdigest())


class _Hashed:
    """A stream to write to, whose bytes are hashed."""

    closed = False

    def __init__(self, stream: BinaryIO, digest: Any) -> None:
        self._stream, self._digest = stream, digest

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        return self._stream.write(data)

    def flush(self) -> None:
        self._stream.flush()

    def tell(self) -> int:
        return self._stream.tell()

    def close(self) -> None:
        """Leave the stream to the one who opened it."""


def _signature(location: Location) -> files.Signature | None:
    return files.signature(location.path.stat()) if location.path.is_file() else None
