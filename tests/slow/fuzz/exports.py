"""Exports as plain tables of text: the valid ones to start from, how they are written, and how they are read back.

Reading back uses the csv module and pyarrow only, so that it is independent of the auditor's own reader.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from auditor.schema.tables import TABLES, fold
from auditor.synthetic import sample

CANARY = "ZQX"
"""In every identifier, name and note of the exports; none may reach the terminal."""

LINKS = ("call_id", "visit_id", "claim_id", "related_visit_id", "originating_call_id")
_IDS = (*LINKS, "patient_id", "provider_id", "problem_id", "group_id")
_NOTES = ("specialty", "doc_reason", "doc_summary", "doc_advice", "doc_statement", "doc_identity")
_CANONICAL = {
    name: {fold(known): column.name for column in spec.columns.values() for known in (column.name, *column.aliases)}
    for name, spec in TABLES.items()
}
DELIMITERS = (",", "\t", "|", ";")
Fact = dict[str, str]
_WHOLE = ("call_minutes", "discussion_minutes", "units")
_TIMES = ("call_start", "call_end", "visit_end")
_DATES = ("service_date", "license_start", "license_end")
_AMOUNTS = ("billed_amount", "paid_amount")


@dataclass
class Table:
    """Headers and rows of text, as an export holds them."""

    headers: list[str]
    rows: list[list[str]]

    def copy(self) -> Table:
        """A table that can be changed."""
        return Table(list(self.headers), [list(row) for row in self.rows])

    def columns(self, name: str) -> list[str]:
        """What each header means; blank for one that nobody needs."""
        return [_CANONICAL[name].get(fold(header), "") for header in self.headers]

    def facts(self, name: str) -> list[Fact]:
        """Each row as canonical column → trimmed text; a row that does not fit the header says so under `ragged`."""
        known, width = self.columns(name), len(self.headers)
        return [
            {c: cell.strip(" \t\r\n") for c, cell in zip(known, row, strict=False) if c}
            | ({"ragged": "yes"} if len(row) < width or any(cell.strip() for cell in row[width:]) else {})
            for row in self.rows
        ]


@dataclass(frozen=True)
class Export:
    """A valid export and the coverage that it is audited under."""

    tables: dict[str, Table]
    coverage: dict[str, str]


def bases(claims: int = 40, seed: int = 7) -> tuple[Export, Export]:
    """The generated sample, billed in the calls and with a claims table; canaries in every telling cell."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sample.write(folder, claims, seed, formats=("csv",))
        return _base(folder), _base(folder / "with_claims")


def _base(folder: Path) -> Export:
    tables = {}
    for name in TABLES:
        if (path := folder / f"{name}.csv").exists():
            with path.open(newline="", encoding="utf-8") as stream:
                headers, *rows = csv.reader(stream)
            marked = [[_marked(header, cell) for header, cell in zip(headers, row, strict=True)] for row in rows]
            tables[name] = Table([*headers, "full_name"], [[*row, f"{CANARY} Ann Doe"] for row in marked])
    return Export(tables, json.loads((folder / "expected.json").read_text())["coverage"])


def _marked(header: str, cell: str) -> str:
    return CANARY + cell if cell and (header in _IDS or (header in _NOTES and cell not in ("no", "n/a"))) else cell


def write(table: Table, stem: Path, rng: random.Random, *, plain: bool = False) -> Path:
    """Write a table in a form drawn at random; every form says the same."""
    form = "csv" if plain else rng.choices(("csv", "gz", "zst", "parquet"), (6, 1, 1, 3))[0]
    if form == "parquet" and len(set(table.headers)) == len(table.headers):
        path = stem.with_suffix(".parquet")
        columns = [_typed(header, cells, rng) for header, cells in zip(table.headers, _columns(table), strict=True)]
        pl.DataFrame(columns).write_parquet(
            path,
            compression=rng.choice(("zstd", "snappy", "uncompressed")),
            row_group_size=rng.choice((None, 50)),
            statistics=rng.random() < 0.5,
        )
        return path
    path = stem.with_suffix(f".csv.{form}" if form in ("gz", "zst") else ".csv")
    data = _csv(table, rng, plain=plain)
    if form == "gz":
        data = gzip.compress(data, mtime=0)
    elif form == "zst":
        data = pa.compress(data, "zstd", asbytes=True)
    path.write_bytes(data)
    return path


def _columns(table: Table) -> list[list[str]]:
    return [[row[position] for row in table.rows] for position in range(len(table.headers))]


def _csv(table: Table, rng: random.Random, *, plain: bool) -> bytes:
    delimiter = "," if plain else rng.choice(DELIMITERS)
    everything = not plain and rng.random() < 0.2

    def written(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"' if everything or re.search(r'[",;|\t\r\n]', cell) else cell

    newline = "\n" if plain else rng.choice(("\n", "\n", "\r\n", "\r"))
    lines = [delimiter.join(map(written, row)) for row in (table.headers, *table.rows)]
    encoding = "utf-8" if plain else rng.choice(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16"))
    return (newline.join(lines) + newline).encode(encoding)


def _typed(header: str, cells: list[str], rng: random.Random) -> pl.Series:
    """A Parquet column of text, or of the type that an export could have where that loses nothing."""
    text = pl.Series(header, [cell or None for cell in cells], dtype=pl.String)
    given = [cell for cell in cells if cell]
    if not given or rng.random() < 0.5:
        return text.cast(pl.Categorical) if given and rng.random() < 0.2 else text
    if header in _WHOLE and all(re.fullmatch(r"[1-9]\d{0,8}", cell) for cell in given):
        return text.cast(rng.choice((pl.Int64, pl.Int32, pl.Float64)))
    if header in _TIMES and all(re.fullmatch(r"20\d\d-\d\d-\d\dT1\d:\d\d:\d\d", cell) for cell in given):
        return text.str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit=rng.choice(("us", "ms", "ns")))
    if header in _DATES and all(re.fullmatch(r"20\d\d-[01]\d-[012][1-8]", cell) for cell in given):
        return text.str.to_date("%Y-%m-%d", strict=False)
    if header in _AMOUNTS and all(re.fullmatch(r"\d{1,6}\.\d\d", cell) for cell in given):
        return text.cast(rng.choice((pl.Float64, pl.Decimal(12, 2))))
    if header.endswith("_codes") and all(re.fullmatch(r"[A-Z0-9.]+(;[A-Z0-9.]+)*", cell) for cell in given):
        return text.str.split(";")
    if set(given) <= {"true", "false"}:
        return text.replace_strict({"true": True, "false": False}, return_dtype=pl.Boolean)
    return text


def read_back(path: Path) -> Table | None:
    """The file as a plain reader sees it; None where it sees nothing."""
    raw = path.read_bytes()
    try:
        if raw[:4] == b"PAR1":
            frame = pq.read_table(io.BytesIO(raw))
            columns = [[_text(value) for value in column.to_pylist()] for column in frame.columns]
            return Table(frame.column_names, [list(row) for row in zip(*columns, strict=True)])
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
        elif raw[:4] == b"\x28\xb5\x2f\xfd":
            raw = pa.input_stream(pa.py_buffer(raw), compression="zstd").read()
        text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig").lstrip("\r\n")
        delimiter = max(DELIMITERS, key=re.split(r"[\r\n]", text)[0].count)
        headers, *rows = _records(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
        return Table(headers, rows)
    except Exception:
        return None


def _records(reader: Iterator[list[str]]) -> Iterator[list[str]]:
    """The records with something in them; one that cannot be told apart into cells stands as a single cell."""
    while True:
        try:
            if row := next(reader):
                yield row
        except StopIteration:
            return
        except csv.Error:
            yield ["?"]


def _text(value: object) -> str:
    return "" if value is None else ";".join(map(str, value)) if isinstance(value, list) else str(value)
