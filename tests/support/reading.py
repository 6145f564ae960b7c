"""Exports read from small files, and the rows that come of them."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from auditor import policy as policies
from auditor.parsing.typed_chunk import type_table
from auditor.parsing.typed_table import Table
from auditor.policy import Policy
from auditor.reading.chunks import read_parts
from auditor.reading.files import expand
from auditor.reading.ingest import Extract, Part
from auditor.rules import select

HEADER = "visit_id,patient_id,visit_start,status"
CALL = "call_id,patient_id,provider_id,call_start"


ROWS = "007,P1,2026-03-02 09:00,completed"


def own_policy(tmp_path: Path, text: str) -> Policy:
    (tmp_path / "policy.toml").write_text('timezone = "America/New_York"\n' + text)
    return policies.load(str(tmp_path / "policy.toml"), select)


def parts(table: str, paths: Sequence[str]) -> tuple[list[Part], tuple[str, ...]]:
    """The files of a table, and warnings about ignored files."""
    found = expand(table, paths)
    return [Part(table, path) for path in found.paths], found.warnings(table)


def extract(table: str, paths: Sequence[str], policy: Policy) -> Extract:
    return read_parts(table, parts(table, paths), policy)


def read_table(path: Path, policy: Policy, table: str = "visits") -> Table:
    whole = extract(table, (str(path),), policy)
    made = type_table(whole, policy)
    merged = whole.frame.height + whole.rejects.height - made.rejects.height - made.rows.height
    assert merged >= 0
    assert sum(file.records for file in whole.files) == made.rows.height + merged + made.rejects.height
    return made


def one(tmp_path: Path, policy: Policy, data: bytes, table: str = "visits") -> Table:
    (tmp_path / "file.csv").write_bytes(data)
    return read_table(tmp_path / "file.csv", policy, table)


def zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


TEXT = f"{HEADER}\n{ROWS}\n"
