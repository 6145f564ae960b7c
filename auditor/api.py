"""The audit as a function of Python: tables in, frames out.

Source: docs/python.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
from polars import selectors

from auditor import pipeline, rules
from auditor import policy as policies
from auditor.engines import memory
from auditor.engines.local import Local
from auditor.errors import AuditError, InputRefused, UsageError
from auditor.judging.findings import EVIDENCE_ORDER
from auditor.quality import checks, rejects
from auditor.quality.issue import Stage
from auditor.reports import summary, tables
from auditor.run_summary import Summary
from auditor.schema.codes import FAMILY
from auditor.schema.names import nearest
from auditor.settings import Settings
from auditor.sources.scratch import scratch

OPTIONS = ("as_of", "visits_since", "claims_since", "service_from", "service_to", "codes", "select", "ignore", "require",
           "max_rejects", "allow_empty", "allow_unjoined", "database")  # fmt: skip
_FIELDS = {"select": "selected", "ignore": "ignored", "require": "required"}
"""Options whose fields of `Settings` have another name."""

Table = pl.DataFrame | pl.LazyFrame | str | Path | Sequence[str | Path]
"""A table of the export: a frame, or what the command line takes (a file, a glob, a folder), or several of those."""


@dataclass(frozen=True)
class Audit:
    """A finished audit, with the columns of the files of a run folder (docs/outputs.md).

    findings: one row per finding. claims: one per audited claim. evidence: one per claim, rule and record that it
    considered. rejects: one per rejected row. summary: the content of summary.json. The frames hold identifiers.
    """

    findings: pl.DataFrame
    claims: pl.DataFrame
    evidence: pl.DataFrame
    rejects: pl.DataFrame
    summary: Summary


def audited(
    given: Mapping[str, Table | None], policy_name: str, timezone: str | None, options: dict[str, Any]
) -> Audit:
    """As `auditor.audit`. `given`: every table; `options`: those of the command line, without hyphens."""
    started = datetime.now(UTC)
    for name in (name for name in ("calls", "visits") if given[name] is None and given["claims"] is None):
        raise UsageError(f"{name} is missing: give its frame or path; only with claims may it be left out")
    with scratch(None, "audit98968-") as folder, Local(memory.present() // 2, folder) as engine:
        files = {name: folder / f"{name}.parquet" for name in given}
        settings = Settings(
            paths={name: _paths(name, table, files[name]) for name, table in given.items() if table is not None},
            policy=policies.load(policy_name, rules.select, timezone),
            **{_FIELDS.get(name, name): _value(name, value) for name, value in options.items()},
        )
        names = {str(path): name for name, path in files.items()}
        try:
            return _of(settings, engine, started, names)
        except AuditError as error:
            raise type(error)(_without(str(error), names)) from None


def _of(settings: Settings, engine: Local, started: datetime, names: dict[str, str]) -> Audit:
    """The audit, with the tables' `names` in place of the files that frames were written to."""
    inputs = pipeline.read(settings, engine)
    checks.refuse(pipeline.exports_of(inputs, settings), Stage.READ)
    result = pipeline.audit(inputs, settings, engine)
    figures = summary.of_result(result, settings, summary.run_of(started, inputs, settings))
    for file in figures.inputs:
        file.path = names.get(file.path, file.path)
    paths = figures.settings["paths"].items()
    figures.settings["paths"] = {table: [names.get(path, path) for path in given] for table, given in paths}
    considered = result.evidence.collect().sort(EVIDENCE_ORDER)
    frames = (result.findings, result.claims.drop("line"), considered, pl.concat([*tables.rejects(inputs)]))
    findings, claims, evidence, rejected = (_renamed(frame, names) for frame in frames)
    return Audit(findings, claims, evidence, rejected, figures)


def _without(message: str, names: dict[str, str]) -> str:
    """A message that speaks of frames and not of the files that they were written to."""
    for path in names:
        message = message.replace(f"{path}: ", "").replace(path, "its frame")
    return message


def _value(name: str, value: Any) -> Any:
    """One option's value as `Settings` takes it. Raises UsageError."""
    if name not in OPTIONS:
        raise UsageError(f"{name}: no option of auditor.audit{nearest(name, OPTIONS)}")
    if name.startswith("allow_") and not isinstance(value, bool):
        raise UsageError(f"{name}: must be True or False")
    if name == "max_rejects":
        return rejects.limit(name, str(value))
    if name in (*_FIELDS, "codes") and isinstance(value, str):
        value = value.split(",")
    if name in _FIELDS:
        return rules.select(name, value)
    if name == "codes":
        if unknown := [code for code in value if code not in FAMILY]:
            raise UsageError(f"codes: {unknown[0]!r} is none of {', '.join(FAMILY)}")
        return tuple(code for code in FAMILY if code in value)
    return value.isoformat() if isinstance(value, date) else value


def _paths(name: str, table: Table, file: Path) -> tuple[str, ...]:
    """The paths of a table; a frame is written to `file` first, so that it is read as every export is."""
    if isinstance(table, pl.DataFrame | pl.LazyFrame):
        _written(name, table.lazy(), file)
        return (str(file),)
    paths = [table] if isinstance(table, str | Path) else table
    if not isinstance(paths, Sequence) or not all(isinstance(path, str | Path) for path in paths):
        raise UsageError(f"{name}: must be a polars frame, a path or a list of paths")
    return tuple(str(path) for path in paths)


def _written(name: str, table: pl.LazyFrame, file: Path) -> None:
    """Write a frame; integers of 128 bits, which other readers of Parquet lack, as text. Raises InputRefused."""
    for column in (column for column, kind in table.collect_schema().items() if kind == pl.Object):
        raise InputRefused(f"{name}: column {column!r} has objects of Python; make it text, a number, a date or a list")
    table.with_columns(selectors.by_dtype(pl.Int128, pl.UInt128).cast(pl.String)).sink_parquet(file)


def _renamed(frame: pl.DataFrame, names: dict[str, str]) -> pl.DataFrame:
    """The frame with the tables' names in place of the files that frames were written to."""
    return frame.with_columns(pl.col("^source_file$").replace(names))
