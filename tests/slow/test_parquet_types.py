"""Every type that a Parquet writer has, in every column of the calls: read as its text in a CSV file, or refused with words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from auditor.errors import InputRefused
from auditor.policy import Policy
from auditor.schema.tables import TABLES
from tests.support.reading import read_table

AT = datetime(2026, 3, 9, 14, 30)
TEXT_AT = "2026-03-09 14:30:00.000000"
"""What a column of text has of it."""
TYPES: dict[str, tuple[pa.Array, str]] = {
    **{f"int {bits}": (pa.array([25], f"int{bits}"), "25") for bits in (8, 16, 32, 64)},
    **{f"uint {bits}": (pa.array([25], f"uint{bits}"), "25") for bits in (8, 16, 32, 64)},
    "uint above int": (pa.array([2**64 - 1], pa.uint64()), str(2**64 - 1)),
    "float 16": (pa.array([25.0], pa.float16()), "25"),
    "float 32": (pa.array([25.0], pa.float32()), "25"),
    "float 64": (pa.array([25.5], pa.float64()), "25.5"),
    "not a number": (pa.array([float("nan")], pa.float64()), ""),
    "boolean": (pa.array([True]), "true"),
    "decimal 32": (pa.array([Decimal("25.50")], pa.decimal32(9, 2)), "25.50"),
    "decimal 64": (pa.array([Decimal("25.50")], pa.decimal64(18, 2)), "25.50"),
    "decimal 128": (pa.array([Decimal("25.50")], pa.decimal128(38, 2)), "25.50"),
    "decimal 256": (pa.array([Decimal("25.50")], pa.decimal256(60, 2)), "25.50"),
    "date 32": (pa.array([date(2026, 3, 9)], pa.date32()), "2026-03-09"),
    "date 64": (pa.array([date(2026, 3, 9)], pa.date64()), "2026-03-09"),
    **{f"timestamp {unit}": (pa.array([AT], pa.timestamp(unit)), TEXT_AT) for unit in ("ms", "us", "ns")},
    **{f"instant {unit}": (pa.array([AT.replace(tzinfo=UTC)], pa.timestamp(unit, "UTC")), f"{TEXT_AT}+00:00")
       for unit in ("ms", "us", "ns")},
    "instant in a zone": (pa.array([AT.replace(tzinfo=UTC)], pa.timestamp("us", "America/New_York")),
                          f"{TEXT_AT.replace('14:', '10:')}-04:00"),
    "time ms": (pa.array([time(14, 30)], pa.time32("ms")), "14:30:00"),
    "time us": (pa.array([time(14, 30)], pa.time64("us")), "14:30:00"),
    "time ns": (pa.array([time(14, 30)], pa.time64("ns")), "14:30:00"),
    "string": (pa.array(["completed"]), "completed"),
    "large string": (pa.array(["completed"], pa.large_string()), "completed"),
    "string view": (pa.array(["completed"], pa.string_view()), "completed"),
    "dictionary": (pa.array(["completed"]).dictionary_encode(), "completed"),
    "bytes": (pa.array([b"completed"]), "completed"),
    "large bytes": (pa.array([b"completed"], pa.large_binary()), "completed"),
    "null": (pa.nulls(1), ""),
    "text null": (pa.array([None], pa.string()), ""),
}  # fmt: skip
"""Types, and what a CSV file has for their value."""
REFUSED: dict[str, pa.Array] = {
    "no text": pa.array([b"\xff\xfe"]),
    "fixed bytes": pa.array([bytes(16)], pa.binary(16)),
    "json": pa.array(['{"a": 1}'], pa.json_()),
    "list of lists": pa.array([[["a"]]]),
    "struct": pa.array([{"a": 1}]),
    "map": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
    "list of structs": pa.array([[{"a": 1}]]),
}
"""Types that no column has a meaning for."""
COLUMNS = tuple(TABLES["calls"].columns)
PLAIN = {"call_id": "K1", "patient_id": "P1", "provider_id": "D1", "call_start": "2026-03-09 14:00"}
WRITERS: dict[str, dict[str, Any]] = {
    "plain": {}, "pages 2": {"data_page_version": "2.0"}, "no dictionary": {"use_dictionary": False},
    "no statistics": {"write_statistics": False}, "version 1": {"version": "1.0"},
    **{codec: {"compression": codec} for codec in ("gzip", "brotli", "zstd", "lz4", "none")},
}  # fmt: skip


def outcome(path: Path, policy: Policy) -> tuple[object, ...] | str:
    """The row and the reason of a rejected one; or that the file was refused, with its name and a way out."""
    try:
        table = read_table(path, policy, "calls")
    except InputRefused as refused:
        assert path.name in str(refused) and ";" in str(refused), refused
        return "refused"
    columns = [name for name in table.rows.columns if name in COLUMNS]
    return table.rows.select(columns).rows(), table.rejects["reason"].to_list()


def with_column(folder: Path, name: str, column: pa.Array, **options: Any) -> Path:
    plain = {header: pa.array([text]) for header, text in PLAIN.items()}
    pq.write_table(pa.table(plain | {name: column}), folder / "calls.parquet", **options)
    return folder / "calls.parquet"


def as_csv(folder: Path, name: str, text: str) -> Path:
    cells = PLAIN | {name: text}
    (folder / "calls.csv").write_text(f"{','.join(cells)}\n{','.join(cells.values())}\n")
    return folder / "calls.csv"


def differences(folder: Path, policy: Policy, kind: str) -> Iterator[str]:
    column, text = TYPES[kind]
    for name in COLUMNS:
        found = outcome(with_column(folder, name, column), policy)
        meant = outcome(as_csv(folder, name, text), policy)
        if found not in ("refused", meant):
            yield f"{kind} in {name}: {found} instead of {meant}"


@pytest.mark.slow
@pytest.mark.parametrize("kind", TYPES)
def test_a_type_is_read_as_its_text(kind: str, tmp_path: Path, policy: Policy):
    assert [*differences(tmp_path, policy, kind)] == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", REFUSED)
def test_a_type_without_a_meaning_is_refused_or_no_text_is_read(kind: str, tmp_path: Path, policy: Policy):
    for name in COLUMNS:
        assert outcome(with_column(tmp_path, name, REFUSED[kind]), policy) == "refused", name


@pytest.mark.slow
@pytest.mark.parametrize("options", WRITERS.values(), ids=WRITERS)
def test_a_writer_changes_nothing(options: dict[str, Any], tmp_path: Path, policy: Policy):
    for name, kind in (("call_minutes", "int 16"), ("call_start", "timestamp ms"), ("call_end", "instant us"),
                       ("paid_amount", "decimal 128"), ("claim_id", "dictionary"), ("established", "boolean")):  # fmt: skip
        column, text = TYPES[kind]
        found = outcome(with_column(tmp_path, name, column, **options), policy)
        assert found == outcome(as_csv(tmp_path, name, text), policy), (name, kind)


@pytest.mark.slow
@pytest.mark.parametrize("kind", TYPES)
def test_polars_and_duckdb_write_the_same(kind: str, tmp_path: Path, policy: Policy):
    """What they can write; a type that they have not, they write as one that they have."""
    column, _ = TYPES[kind]
    name = (
        "paid_amount" if "decimal" in kind else "call_end" if kind.startswith(("instant", "timestamp")) else "claim_id"
    )
    path = with_column(tmp_path, name, column)
    table, meant = pq.read_table(path), outcome(path, policy)
    with contextlib.suppress(pl.exceptions.PolarsError, pl.exceptions.PanicException):
        pl.DataFrame(pl.from_arrow(table)).write_parquet(path)
        assert outcome(path, policy) == meant
    with contextlib.suppress(duckdb.Error):
        duckdb.from_arrow(table).write_parquet(str(path))
        assert outcome(path, policy) == meant


@pytest.mark.slow
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("'12345678-1234-5678-9abc-000000000001'::uuid", "12345678-1234-5678-9abc-000000000001"),
        ("'a'::enum('a', 'b')", "a"),
        ("interval 5 minutes", None),
        ("'{}'::json", None),
        ("{'a': 1}", None),
    ],
)
def test_types_of_duckdb_are_their_text_or_refused(value: str, text: str | None, tmp_path: Path, policy: Policy):
    plain = ", ".join(f"'{cell}' AS {name}" for name, cell in PLAIN.items())
    duckdb.sql(f"SELECT {plain}, {value} AS claim_id").write_parquet(str(tmp_path / "calls.parquet"))
    meant = outcome(as_csv(tmp_path, "claim_id", text), policy) if text else "refused"
    assert outcome(tmp_path / "calls.parquet", policy) == meant
