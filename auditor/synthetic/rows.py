"""From templates and patients to export rows, and from rows to files.

Frames here are one chunk of patients; every output is sorted by a full key, because joins do not keep row order.
"""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple, Self

import polars as pl
import pyarrow.parquet as pq

from auditor.synthetic import templates
from auditor.synthetic.scenarios import AS_OF_DAY, CLAIMS_SINCE_DAY, VISITS_SINCE
from auditor.synthetic.templates import BILLED, DOCS, ROLES, Row, Schema

TIMEZONE = "America/New_York"
DAY_US = 86_400_000_000
COLUMNS = {
    "calls": (
        *("call_id", "patient_id", "provider_id", "call_start", "call_end", "call_minutes", "call_seconds"),
        *("discussion_minutes", "initiated_by", "caller", "purpose", "established", "diagnosis_codes", "problem_id"),
        *("group_id", "specialty", "provider_credential", "related_visit_id", *DOCS),
        *("cpt_code", "claim_id", "claim_line", *BILLED),
    ),
    "visits": (
        *("visit_id", "patient_id", "provider_id", "visit_start", "visit_end", "modality", "status", "booked_at"),
        *("soonest_available", "originating_call_id", "cpt_codes", "diagnosis_codes", "problem_id"),
        *("group_id", "specialty", "global_days"),
    ),
    "lines": (
        *("claim_id", "claim_line", "patient_id", "provider_id", "service_date", "cpt_code", "call_id"),
        *(*BILLED, "diagnosis_codes"),
    ),
}
INSTANTS = {"call_start": "form", "call_end": "form", "visit_start": "form", "visit_end": "form",
            "booked_at": "booked_form"}  # fmt: skip
LOCAL = "%Y-%m-%dT%H:%M:%S"


class Patient(NamedTuple):
    """One patient: its case, the local start of its first call, its providers' block, a number that spreads context."""

    n: int
    scenario: int
    anchor: datetime
    block: int
    salt: int


class Opened(NamedTuple):
    """A provider that appears with a patient: one role of a block, which up to ten patients share or one has alone."""

    block: int
    role: int


def frame(chunk: list[Patient]) -> pl.DataFrame:
    """Return a chunk of patients, one row each."""
    whole = dict.fromkeys(("n", "scenario", "block", "salt"), pl.Int64)
    schema = {name: whole.get(name, pl.Datetime("us")) for name in Patient._fields}
    return pl.DataFrame(chunk, schema=schema, orient="row")


def joined(template: pl.DataFrame, patients: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return the rows of one table: template rows x the patients of their case, identifiers and instants filled in."""
    columns = {"patient_id": _digits(pl.col("n") * 4 + pl.col("who"), 9), "provider_id": _provider()}
    group = pl.col("prefix") + _digits(pl.col("block"), 7)
    if name == "lines":
        columns |= {"claim_id": _id("c", "claim"), "call_id": _id("k", "call")}
        columns |= {"service_date": pl.col("anchor").dt.date() + pl.col("start")}
    elif name == "calls":
        columns |= {"call_id": _id("k", "key"), "call_start": _at("start"), "call_end": _at("end"), "group_id": group}
        columns |= {"related_visit_id": _id("v", "related_visit"), "claim_id": _id("c", "claim")}
    else:
        columns |= {"visit_id": _id("v", "key"), "visit_start": _at("start"), "visit_end": _at("end")}
        columns |= {"booked_at": _at("booked"), "originating_call_id": _id("k", "originating_call"), "group_id": group}
    return patients.join(template, on="scenario").with_columns(**columns)


def inside(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """Drop context outside the export's year, so that coverage rests on the edges alone."""
    if name == "lines":
        return rows
    start, since = ("call_start", CLAIMS_SINCE_DAY + 1) if name == "calls" else ("visit_start", 1)
    first, last = VISITS_SINCE + timedelta(days=since), VISITS_SINCE + timedelta(days=AS_OF_DAY - 1)
    return rows.filter(pl.col(start).dt.date().is_between(first, last))


def finished(rows: pl.DataFrame, name: str, *, text: bool) -> pl.DataFrame:
    """Order one chunk of a table by time, keep its columns; `text` writes instants in their row's form, else typed."""
    rows = rows.sort({"calls": "call_start", "visits": "visit_start", "lines": "claim_id"}[name], "n", "key", "seq")
    columns = [c for c in COLUMNS[name] if not (text and name == "calls" and c in ("cpt_code", *BILLED))]
    if text:
        rows = rows.with_columns(_written(c, pl.col(form)) for c, form in INSTANTS.items() if c in columns)
    return rows.select(columns)


def providers(opened: list[Opened]) -> pl.DataFrame:
    """Return the providers table's rows of newly opened blocks."""
    facts: Schema = {"credential": pl.String, "prefix": pl.String, "specialty": pl.String}
    facts |= {"license_start": pl.Date, "license_end": pl.Date}
    roles = pl.DataFrame(list(ROLES.values()), schema=facts, orient="row").with_row_index("role")
    rows = pl.DataFrame(opened, schema={"block": pl.Int64, "role": pl.UInt32}, orient="row").join(roles, on="role")
    group = pl.col("prefix") + _digits(pl.col("block"), 7)
    published = rows.sort("block", "role").with_columns(provider_id=_provider(), group_id=group)
    return published.select("provider_id", "credential", "group_id", "specialty", "license_start", "license_end")


def expected_claims(claims: list[Row], patients: pl.DataFrame) -> pl.DataFrame:
    """Return claim_id, claim_line, disposition, unknowns (rule codes, `;` between), sorted by claim."""
    rows = patients.join(templates.frame(claims, "claims"), on="scenario").with_columns(claim_id=_id("c", "claim"))
    return rows.sort("claim_id", "claim_line").select("claim_id", "claim_line", "disposition", "unknowns")


def expected_findings(findings: list[Row], patients: pl.DataFrame) -> pl.DataFrame:
    """Return claim_id, claim_line, rule, outcome (violation | review), related_id or blank, sorted by its key."""
    related = pl.coalesce(pl.when(pl.col("kind") == kind).then(_id(kind, "key")) for kind in "kvc")
    rows = patients.join(templates.frame(findings, "findings"), on="scenario")
    rows = rows.with_columns(claim_id=_id("c", "claim"), related_id=related).sort("claim_id", "claim_line", "rule")
    return rows.select("claim_id", "claim_line", "rule", "outcome", "related_id")


def _digits(number: pl.Expr, width: int, prefix: str = "") -> pl.Expr:
    return pl.lit(prefix) + number.cast(pl.String).str.zfill(width)


def _id(kind: str, key: str) -> pl.Expr:
    """Calls start with 01, visits with 02, claims with 03: no identifier of one kind is one of another."""
    return _digits(pl.col("n") * 100 + pl.col(key), 10, {"k": "01", "v": "02", "c": "03"}[kind])


def _provider() -> pl.Expr:
    return _digits(pl.col("block") * 10 + pl.col("role"), 8)


def _at(offset: str) -> pl.Expr:
    """Anchor + offset, less some days under the row's `spread`: wall-clock times, never between 02:00 and 03:00."""
    shift = (pl.col("salt") + 7 * pl.col("key")) % pl.col("spread") * DAY_US
    return pl.col("anchor") + pl.col(offset) - shift.cast(pl.Duration("us"))


def _written(column: str, form: pl.Expr) -> pl.Expr:
    local, zoned = pl.col(column), pl.col(column).dt.replace_time_zone(TIMEZONE)
    texts = {"date": local.dt.to_string("%Y-%m-%d"), "offset": zoned.dt.to_string(LOCAL + "%:z")}
    written = pl.coalesce(pl.when(form == name).then(text) for name, text in texts.items())
    return pl.coalesce(written, local.dt.to_string(LOCAL)).alias(column)


class Files:
    """The open files of one export: each table grows by appended chunks, expected answers as CSV only."""

    def __init__(self, folder: Path, formats: tuple[str, ...]) -> None:
        self.folder, self.formats = folder, formats
        self.rows: Counter[str] = Counter()
        self._parquet: dict[str, pq.ParquetWriter] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def append(self, name: str, chunk: pl.DataFrame) -> None:
        """Add a chunk to `name`; the first one, even when empty, fixes the columns."""
        expected = name.startswith("expected")
        if expected or "csv" in self.formats:
            first = name not in self.rows
            with (self.folder / f"{name}.csv").open("wb" if first else "ab") as file:
                chunk.write_csv(file, include_header=first, datetime_format=LOCAL)
        if not expected and "parquet" in self.formats:
            table = chunk.to_arrow(compat_level=pl.CompatLevel.oldest())
            if name not in self._parquet:
                writer = pq.ParquetWriter(self.folder / f"{name}.parquet", table.schema, compression="zstd")
                self._parquet[name] = self._stack.enter_context(writer)
            self._parquet[name].write_table(table)
        self.rows[name] += len(chunk)
