"""The chunks of a table's files, in order: small files are read at once, each other one by itself.

Source: docs/specification.md#files.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import polars as pl
import pyarrow as pa

from auditor.errors import InputRefused
from auditor.policy import Policy
from auditor.reading import csv as csvfile
from auditor.reading import parquet as parquetfile
from auditor.reading.decoding import Source
from auditor.reading.dictionary import concat
from auditor.reading.file_facts import FileFacts
from auditor.reading.files import Signature
from auditor.reading.ingest import (
    CELL,
    NO_REJECTS,
    PARQUET,
    SOURCE_SCHEMA,
    Chunk,
    Extract,
    Only,
    Part,
    SourceFile,
    canonical,
    check_mapping,
    ignored,
    of_canonical,
    open_csv,
    open_parquet,
    read_part,
    source_file,
    stack,
    zoned,
)
from auditor.reading.layout import Layout, layout
from auditor.reading.path_columns import of_path
from auditor.schema.tables import TABLES

_SMALL_FILE = 200_000
"""Rows of small files that are one chunk: each chunk costs some 30 ms, whatever its size."""
_HELD, _HELD_PER_BYTE = 1 << 25, 8
"""Bytes of rows that are read at once, or held between two readings, about; and those for one byte of a file."""
_MOST_SPLITS = 30
"""Failed attempts to read small files at once."""


def _read_together(
    parts: Sequence[Part], policy: Policy, *, without_billing: bool, only: Only
) -> list[Chunk | SourceFile] | None:
    """What `read_part` makes of small files, with one chunk for all: their rows are looked at together.

    None where the columns differ, or something is to be said of one of the files. Raises what reading them raises, and
    MemoryError for more rows than can be held.
    """
    found: Layout | None = None
    size, tables = 0, list[pa.Table]()
    read: list[tuple[tuple[int, str], Signature | None, bool]] = []
    for part in parts:
        with part.opened(part.where) as (stream, touched):
            source = Source(part.where, stream, digested=only is None, expansion=policy.max_expansion)
            if not (columns := _small_table(part, source, policy, found, ignored(part.table, without_billing), only)):
                return None
            found, table = columns
            tables.append(table)
            size += table.nbytes
            if size > _HELD:
                raise MemoryError
            read.append((source.finish() if only is None else (0, ""), touched, source.head in PARQUET))
    assert found
    counts = [table.num_rows for table in tables]
    rows, hints = parquetfile.together(found.where, tables)
    numbers = np.concatenate([np.arange(1, count + 1, dtype=np.uint32) for count in counts])
    rows, hints, facts = found.records(rows.with_columns(record=pl.Series(numbers)), hints)
    if facts.left_out:
        return None
    paths = pl.Series([part.shown for part in parts]).gather(np.repeat(np.arange(len(parts)), counts))
    hints = of_canonical(hints, found.wanted)
    frame = canonical(found.where, rows.with_columns(source_record="record", source_file=paths), found.wanted, hints)
    facts += FileFacts(zoned=zoned(frame))
    files = (
        source_file(part, found, size_and_digest, count, touched, facts, is_parquet=is_parquet)
        for part, count, (size_and_digest, touched, is_parquet) in zip(parts, counts, read, strict=True)
    )
    return [Chunk(frame, NO_REJECTS, 1.0, hints), *files]


def _small_table(
    part: Part, source: Source, policy: Policy, found: Layout | None, ignored: frozenset[str], only: Only
) -> tuple[Layout, pa.Table] | None:
    """The columns of a small file by their places; None for one that differs from the files before it, or is not plain.

    `found`: what the columns of those files are for.
    """
    opened = (open_parquet if source.head in PARQUET else open_csv)(part, source, policy)
    found = found or layout(part.where, part.table, policy, opened.headers, {}, ignored, only)
    if opened.headers != found.names or of_path(part.origin) or not found.is_plain:
        return None
    if isinstance(opened, csvfile.CsvText):
        return found, csvfile.read_table(opened, found.read)
    if opened.int96 or len(opened.headers) * sum(opened.rows) * CELL > _HELD:
        return None
    table = parquetfile.read_table(part.where, source.stream, [found.names[p] for p in found.read], opened.metadata)
    source.rewind()
    return found, table.rename_columns(list(map(str, found.read)))


class Chunks:
    """The chunks of a table's files, in order; `files` fills with those that were read to their end."""

    def __init__(
        self, parts: Sequence[Part], policy: Policy, *, without_billing: bool = False, only: Only = None
    ) -> None:
        """As `read_part`. With `only`, all columns of a small table are read, and held for the next reading."""
        self._parts, self._policy, self._without_billing, self._only = parts, policy, without_billing, only
        self.files: list[SourceFile] = []
        self.share = 0.0

    def __iter__(self) -> Iterator[Chunk]:
        """One after another, once, small ones of several files as one; `share` is how much is read, about."""
        for chunk in self._joined():
            names = chunk.frame.columns if self._only is None else [*self._only, *SOURCE_SCHEMA]
            yield replace(chunk, frame=chunk.frame.select(pl.selectors.by_name(names, require_all=False)))

    def _joined(self) -> Iterator[Chunk]:
        waiting: list[Chunk] = []
        rows, columns = 0, dict[str, pl.DataType]()
        for chunk in self._each():
            rows += chunk.frame.height
            before, columns = columns, chunk.frame.schema | dict.fromkeys(chunk.hints.texts, pl.String())
            if waiting and (rows > _SMALL_FILE or [*before.items()] != [*columns.items()]):
                yield _joined(waiting)
                waiting, rows = [], chunk.frame.height
            waiting.append(chunk)
            if rows * 2 > _SMALL_FILE:
                yield _joined(waiting)
                waiting, rows = [], 0
        if waiting:
            yield _joined(waiting)

    def _each(self) -> Iterator[Chunk]:
        runs = list(_runs(self._parts))
        number, keep = 0, self._only is not None and len(runs) == 1 and _bytes(runs[0][0]) <= _HELD
        for run in runs:
            if (keep or len(run) > 1) and all(part.held is None for part in run):
                self._hold(run, None if keep else self._only, _MOST_SPLITS)
            for part in run:
                for item in self._read(part) if part.held is None else part.held:
                    if isinstance(item, Chunk):
                        self.share = (number + item.share) / len(self._parts)
                        yield item
                    else:
                        self.files.append(item)
                number += 1
                part.held = part.held if keep else None

    def _read(self, part: Part) -> Iterator[Chunk | SourceFile]:
        return read_part(part, self._policy, without_billing=self._without_billing, only=self._only)

    def _hold(self, parts: Sequence[Part], only: Only, splits: int) -> int:
        """Read small files at once, to be held; each half of them where that fails, unless it fails often."""
        try:
            items = _read_together(parts, self._policy, without_billing=self._without_billing, only=only)
        except (InputRefused, *parquetfile.DAMAGE):
            items = None
        except MemoryError:
            return 0
        if items:
            for part in parts:
                part.held, items = items, []
            return splits
        middle = len(parts) // 2
        for half in (parts[:middle], parts[middle:]) if middle else ():
            splits = self._hold(half, only, splits - 1) if splits else 0
        return splits


def _runs(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """Small files that follow one another, as many as make a chunk; each other file alone."""
    run, size = list[Part](), 0
    for part in parts:
        more = _bytes(part)
        if run and size + more > _HELD:
            yield run
            run, size = [], 0
        run.append(part)
        size += more
    if run:
        yield run


def _bytes(part: Part) -> int:
    """Bytes of the rows in a file, about; too many to be held for what is not a plain file."""
    if part.staged or part.buffer or not part.path.is_file():
        return _HELD + 1
    return _HELD_PER_BYTE * part.path.stat().st_size


def _joined(chunks: Sequence[Chunk]) -> Chunk:
    if len(chunks) == 1:
        return chunks[0]
    frame, hints = concat([(chunk.frame, chunk.hints) for chunk in chunks])
    return Chunk(frame, pl.concat([chunk.malformed for chunk in chunks]), hints=hints)


def read_parts(name: str, found: tuple[Sequence[Part], tuple[str, ...]], policy: Policy) -> Extract:
    """Read every file of a table. Raises InputRefused for files that cannot be read or lack a required column."""
    source = Chunks(found[0], policy)
    chunks = list(source)
    check_mapping(name, source.files, policy)
    frame = stack([chunk.written() for chunk in chunks])
    return Extract(TABLES[name], tuple(source.files), frame, pl.concat(chunk.malformed for chunk in chunks), found[1])
