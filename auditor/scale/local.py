"""The work done in this process: chunks are typed two at a time, and of each only the rows that can matter are kept."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Self, TypeVar

import polars as pl

from auditor.judging.patients import Context, Judged, judge_patients
from auditor.prefilter.chunk_typer import ChunkSummary, ChunkTyper, without_copies
from auditor.prefilter.key_scan import KeyScan, KeyScanResult, no_billed_ids, no_line_dates, repeated_hashes
from auditor.reading import ingest
from auditor.reading.ingest import Chunk, Chunks, Part
from auditor.scale import Progress
from auditor.scale.partitions import Partitions
from auditor.windows.calls import NO_SPANS

_SHARE = 4
"""The part of a bounded memory that kept rows may take: what is typed and judged takes room too."""

_AT_ONCE = 2
"""Chunks that are typed at once: polars uses all cores for much of a chunk, and one for the rest."""

_COPIES = 2_000_000
"""Rows that may be held because others have their ids, beside two for each id."""

_Made = TypeVar("_Made")


class Local:
    """One process. What is kept fits into a share of `memory` (bytes, None for no bound), or goes to the folder `beside`."""

    def __init__(
        self,
        memory: int | None = None,
        beside: Path | None = None,
        progress: Progress = lambda _: None,
        share: Callable[[str, float], None] = lambda *_: None,
    ) -> None:
        """Without rows yet. `progress` hears of each stage, `share` how much of it is done."""
        self._rows = Partitions(None if memory is None else memory // _SHARE, beside)
        self._spans = NO_SPANS
        self._progress, self._share = progress, share

    def __enter__(self) -> Self:
        """Nothing is held before there are rows."""
        return self

    def __exit__(self, *error: object) -> None:
        """Remove what was written."""
        self._rows.remove()

    def parts(self, name: str, paths: Sequence[str]) -> tuple[list[Part], tuple[str, ...]]:
        """A table's files."""
        return ingest.parts(name, paths)

    def survey(self, look: KeyScan, parts: Sequence[Part]) -> KeyScanResult:
        """Look at a table."""
        self._progress(f"reading {look.table}")
        source = Chunks(parts, look.policy, without_billing=look.without_billing, only=look.columns)
        ids: list[pl.Series] = []
        billed, days = [no_billed_ids()], [no_line_dates()]
        for some, lines, dates in _each(look, source):
            ids.append(some)
            billed.append(lines)
            days.append(dates)
            self._share(f"reading {look.table}", source.share)
        return KeyScanResult(repeated_hashes(ids), pl.concat(billed), pl.concat(days), tuple(source.files))

    def type_chunks(self, work: ChunkTyper, parts: Sequence[Part]) -> ChunkSummary:
        """Type a table, and keep the rows that can matter."""
        self._progress(f"typing {work.scan.table}")
        source = Chunks(parts, work.scan.policy, without_billing=work.scan.without_billing)
        said: list[ChunkSummary] = []
        for rows, some in _each(work, source):
            self._rows.add(work.scan.table, rows)
            said.append(some)
            if sum(part.duplicate_keys.height for part in said) > 2 * len(work.repeated) + _COPIES:
                said = without_copies(said)
            self._share(f"typing {work.scan.table}", source.share)
        rows, whole = work.merge(said, source.files)
        if whole.date_only != work.date_only:  # now that it is known: once more
            self._rows.drop(work.scan.table)
            return self.type_chunks(replace(work, date_only=whole.date_only), parts)
        self._rows.add(work.scan.table, rows)
        if work.scan.table == "calls":
            self._spans = whole.spans
        return whole

    def kept(self, table: str, *columns: str, **renamed: str) -> pl.DataFrame:
        """Some columns of the rows that were kept."""
        return self._rows.select(table, *columns, **renamed)

    def judge(self, context: Context) -> Iterator[Judged]:
        """Judge all patients, partition after partition."""
        self._progress("judging")
        for rows in self._rows.each():
            yield judge_patients(rows["calls"], rows["visits"], rows.get("claims"), self._spans, context)

    def hold(self, frame: pl.DataFrame) -> pl.LazyFrame:
        """The frame, in memory or on disk."""
        return self._rows.hold(frame)


def _each(work: Callable[[Chunk], _Made], chunks: Iterable[Chunk]) -> Iterator[_Made]:
    """The work on every chunk, in order, on a few at once."""
    threads = ThreadPoolExecutor(_AT_ONCE)
    waiting: deque[Future[_Made]] = deque()
    try:
        for chunk in chunks:
            waiting.append(threads.submit(work, chunk))
            if len(waiting) > _AT_ONCE:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        threads.shutdown(cancel_futures=True)  # an interrupted run does not begin another chunk
