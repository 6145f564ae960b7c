"""The work done in this process: chunks are typed two at a time, and of each only the rows that can matter are kept."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Self, TypeVar

import polars as pl

from auditor.audit_context import AuditContext
from auditor.engines import KeptRows, NoRows, Progress
from auditor.engines.partitions import Partitions
from auditor.engines.spill import Spill
from auditor.judging.patients import Judged, audited_calls, judge_patients
from auditor.parsing.duplicates import with_proof
from auditor.policy import Policy
from auditor.prefilter.chunk_typer import ChunkSummary, ChunkTyper
from auditor.prefilter.key_scan import KeyScan, KeyScanResult, no_billed_ids, no_line_dates, repeated
from auditor.reading.chunks import Chunks
from auditor.reading.ingest import Chunk, Part, Parts
from auditor.schema.tables import TABLES
from auditor.sources import staging

_SHARE = 4
"""The part of a bounded memory that kept rows may take: what is typed and judged takes room too."""

_AT_ONCE = 2
"""Chunks that are typed at once: polars uses all cores for much of a chunk, and one for the rest."""

_Output = TypeVar("_Output")


@dataclass(frozen=True)
class PartitionRows:
    """The kept rows of one table among the partitions."""

    partitions: Partitions
    summary: ChunkSummary

    def select(self, *columns: str, **aliases: str) -> pl.DataFrame:
        """Some columns of the kept rows."""
        return self.partitions.select(self.summary.table.spec.name, *columns, **aliases)


class Local:
    """One process.

    What is kept fits into a share of `memory` (bytes, None for no bound), or goes to the folder `spill_folder`.
    """

    def __init__(
        self,
        memory: int | None = None,
        spill_folder: Path | None = None,
        progress: Progress = lambda _: None,
        share: Callable[[str, float], None] = lambda *_: None,
    ) -> None:
        """Without rows yet. `progress` hears of each stage, `share` how much of it is done."""
        self._limit = None if memory is None else memory // _SHARE
        self._rows = Partitions(self._limit, spill_folder)
        self._progress, self._share = progress, share
        self._stack, self._spill_folder = ExitStack(), spill_folder

    def __enter__(self) -> Self:
        """Nothing is held before there are rows."""
        return self

    def __exit__(self, *error: object) -> None:
        """Remove what was written."""
        self._stack.close()
        self._rows.remove()

    def parts(self, paths: Mapping[str, Sequence[str]], policy: Policy, database: str | None = None) -> Parts:
        """Each table's files; what is neither CSV nor Parquet is staged until the engine is left."""
        return self._stack.enter_context(staging.gathered(paths, policy, self._spill_folder, database=database))

    def scan_keys(self, scan: KeyScan, parts: Sequence[Part]) -> KeyScanResult:
        """Scan the keys of a table."""
        self._progress(f"reading {scan.table}")
        source = Chunks(parts, scan.policy, without_billing=scan.without_billing, only=scan.columns)
        ids, count = Spill(self._limit, self._spill_folder, "id"), 0
        billed, days = [no_billed_ids()], [no_line_dates()]
        with ids:
            for hashes, lines, dates in _each(scan, source):
                ids.add("ids", hashes.to_frame("id"))
                count += len(hashes)
                billed.append(lines)
                days.append(dates)
                self._share(f"reading {scan.table}", source.share)
            several = reduce(or_, (repeated(some["id"], count) for (some,) in ids.partitions("ids")))
        return KeyScanResult(scan, several, pl.concat(billed), pl.concat(days), tuple(source.files))

    def type_chunks(self, typer: ChunkTyper, parts: Sequence[Part]) -> PartitionRows:
        """Type a table, and keep the rows that can matter."""
        table = typer.scan.table
        self._progress(f"typing {table}")
        source = Chunks(parts, typer.scan.policy, without_billing=typer.scan.without_billing)
        repeats = self._stack.enter_context(Spill(self._limit and self._limit // 2, self._spill_folder, "proof"))
        summaries: list[ChunkSummary] = []
        for rows, summary in _each(typer, source):
            self._rows.add(table, rows)
            repeats.add("keys", summary.duplicate_keys)
            repeats.add("deferred", with_proof(TABLES[table], summary.deferred_rows))
            summaries.append(summary.without_repeats())
            self._share(f"typing {table}", source.share)
        for keys, deferred_rows in repeats.partitions("keys", "deferred"):
            rows, summary = typer.resolve(keys, deferred_rows)
            self._rows.add(table, rows)
            rejects = tuple(repeats.spill(some.collect()) for some in summary.table.repeated)
            summaries.append(replace(summary, table=replace(summary.table, repeated=rejects)))
        whole = typer.whole(summaries, source.files)
        if again := typer.again(whole):
            self._rows.drop(table)
            repeats.remove()
            return self.type_chunks(again, parts)
        self._progress(f"read {table}: {sum(file.rows for file in whole.files):,} rows")
        return PartitionRows(self._rows, whole)

    def judge(self, rows: Mapping[str, KeptRows], context: AuditContext) -> Iterator[Judged]:
        """Judge all patients, partition after partition."""
        self._progress("judging")
        spans = rows["calls"].summary.spans
        for tables in self._tables(rows):
            yield judge_patients(tables["calls"], tables["visits"], tables.get("claims"), spans, context)

    def audited_calls(self, rows: Mapping[str, KeptRows], context: AuditContext) -> pl.Series:
        """The ids of the audited claims' calls; the rows stay."""
        found = [audited_calls(some["calls"], some.get("claims"), context) for some in self._tables(rows, keep=True)]
        return pl.concat([pl.Series(dtype=pl.String), *found]).unique()

    def _tables(self, rows: Mapping[str, KeptRows], *, keep: bool = False) -> Iterator[dict[str, pl.DataFrame]]:
        absent = {name: kept.blanks for name, kept in rows.items() if isinstance(kept, NoRows)}
        return ({**absent, **part} for part in self._rows.each(keep=keep))

    def spill(self, frame: pl.DataFrame) -> pl.LazyFrame:
        """The frame, in memory or on disk."""
        return self._rows.spill(frame)


def _each(work: Callable[[Chunk], _Output], chunks: Iterable[Chunk]) -> Iterator[_Output]:
    """The work on every chunk, in order, on a few at once."""
    threads = ThreadPoolExecutor(_AT_ONCE)
    waiting: deque[Future[_Output]] = deque()
    try:
        for chunk in chunks:
            waiting.append(threads.submit(work, chunk))
            if len(waiting) > _AT_ONCE:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        threads.shutdown(cancel_futures=True)  # an interrupted run does not begin another chunk
