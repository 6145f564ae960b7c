"""Engines: this process, or Spark. Both do the same: scan keys, type chunks, judge patients."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import polars as pl

from auditor.audit_context import AuditContext
from auditor.judging.patients import Judged
from auditor.policy import Policy
from auditor.prefilter.chunk_typer import ChunkSummary, ChunkTyper
from auditor.prefilter.key_scan import KeyScan, KeyScanResult
from auditor.reading.ingest import REJECT_SCHEMA, SOURCE_SCHEMA, Chunk, Part, Parts
from auditor.schema.tables import TABLES

Progress = Callable[[str], None]


class KeptRows(Protocol):
    """The rows of a table that can matter, where the engine keeps them, and the summary of all its rows."""

    @property
    def summary(self) -> ChunkSummary:
        """The summary of the whole table."""

    def select(self, *columns: str, **aliases: str) -> pl.DataFrame:
        """Some columns of the kept rows."""


@dataclass(frozen=True)
class NoRows:
    """A table that was not given: no rows, of the columns of `blanks`."""

    blanks: pl.DataFrame
    summary: ChunkSummary
    spans: None = None

    def select(self, *columns: str, **aliases: str) -> pl.DataFrame:
        """Nothing, of some columns."""
        return self.blanks.select(*columns, **aliases)


def no_rows(typer: ChunkTyper) -> NoRows:
    """A table that was not given, as the engines have others."""
    columns = [name for name, column in TABLES[typer.scan.table].columns.items() if column.required]
    texts = pl.DataFrame(schema={**dict.fromkeys(columns, pl.String()), **SOURCE_SCHEMA})
    rows, summary = typer.merge([typer(Chunk(texts, pl.DataFrame(schema=REJECT_SCHEMA)))[1]], ())
    return NoRows(rows, summary)


class Engine(Protocol):
    """What an audit asks of the engine that runs it."""

    def __enter__(self) -> Self:
        """Hold what is needed until the end of the block."""

    def __exit__(self, *error: object) -> None:
        """Let go of everything, kept rows included."""

    def parts(self, paths: Mapping[str, Sequence[str]], policy: Policy, database: str | None = None) -> Parts:
        """Each table's files, in order, and warnings about what was left alone. Raises InputRefused.

        `database`: the URL at which queries run.
        """

    def scan_keys(self, scan: KeyScan, parts: Sequence[Part]) -> KeyScanResult:
        """Scan the keys of a table."""

    def type_chunks(self, typer: ChunkTyper, parts: Sequence[Part]) -> KeptRows:
        """Type a table, and keep the rows that can matter."""

    def judge(self, rows: Mapping[str, KeptRows], context: AuditContext) -> Iterator[Judged]:
        """Judge all patients whose records were kept, once: the rows of the tables are gone afterwards."""

    def audited_calls(self, rows: Mapping[str, KeptRows], context: AuditContext) -> pl.Series:
        """The ids of the audited claims' calls; the rows stay."""

    def spill(self, frame: pl.DataFrame) -> pl.LazyFrame:
        """A frame that is needed once more before the block is left."""
