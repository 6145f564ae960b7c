"""Single columns and single calls, typed."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from auditor import policy as policies
from auditor.parsing import instants
from auditor.parsing.readers import blank_row, read_column
from auditor.parsing.table_parser import TableParser
from auditor.parsing.typed_chunk import TypedChunk, type_rows
from auditor.policy import Policy
from auditor.reading.dictionary import NO_HINTS
from auditor.reading.ingest import REJECT_SCHEMA, Chunk
from auditor.rules import select
from auditor.schema.tables import TABLES

POLICY = policies.load("default", select, "UTC")
AT = datetime(2026, 3, 2, 14, 5, 9, tzinfo=UTC)
"""09:05:09 in New York."""


def typed(table: str, column: str, *texts: str | None) -> tuple[TableParser, list[object]]:
    work = TableParser(POLICY, table, len(texts))
    read_column(work, TABLES[table].columns[column], pl.Series(texts, dtype=pl.String), NO_HINTS)
    return work, work.columns[column].decode().to_list()


def call(policy: Policy, **cells: str) -> TypedChunk:
    row = {"call_id": "k", "patient_id": "p", "provider_id": "a", "source_file": "f", "source_record": 1}
    chunk = Chunk(pl.DataFrame(row | cells), pl.DataFrame(schema=REJECT_SCHEMA))
    return type_rows(TABLES["calls"], chunk, policy, blank_row("calls", policy))


def policy_of(tmp_path: Path, text: str = "") -> Policy:
    (tmp_path / "p.toml").write_text(text)
    return policies.load(str(tmp_path / "p.toml"), select, "America/New_York")


def read_instants(policy: Policy, *texts: str | None, zone: str | None = None) -> list[datetime | None]:
    return instants.read(pl.Series(texts, dtype=pl.String), policy, zone=zone).utc.to_list()
