"""An audit at a place, and two audits compared whole."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
from polars.testing import assert_frame_equal

from auditor import pipeline
from auditor.engines import Engine
from auditor.engines.local import Local
from auditor.engines.partitions import Partitions
from auditor.judging.findings import EVIDENCE_ORDER, KEYS
from auditor.prefilter.chunk_typer import ChunkTyper, RowFilter
from auditor.prefilter.typers import Typers
from auditor.quality.coverage_bounds import CoverageBounds
from auditor.quality.profile import TableProfile
from auditor.result import Result
from auditor.settings import Settings

TYPER = Typers.typer
"""As it is, while a test has `keep_all` in its place."""


class Spilled(Local):
    """All that is kept goes to disk, however little there is."""

    def __init__(self, beside: Path) -> None:
        """Write beside something."""
        super().__init__(0, beside)
        self._rows = Partitions(0, beside, 3, rows_at_once=4)


class Divided(Local):
    """All that is kept is judged in partitions of a few rows, in memory."""

    def __init__(self) -> None:
        """Nothing is written."""
        super().__init__()
        self._rows = Partitions(None, None, rows_at_once=4)


def keep_all(typers: Typers, table: str, near: RowFilter, ids: Mapping[str, pl.Series]) -> ChunkTyper:
    """In place of `Typers.typer`: every row matters."""
    typer = TYPER(typers, table, near, ids)
    return replace(typer, row_filter=lambda rows: pl.repeat(True, rows.height, dtype=pl.Boolean, eager=True))


def audited_here(settings: Settings) -> Result:
    """The result of an audit in this process."""
    engine = Local()
    return pipeline.audit(pipeline.read(settings, engine), settings, engine)


def audited(settings: Settings, place: Engine) -> tuple[Result, pl.DataFrame]:
    """The result and its evidence, which may go with the engine."""
    result = pipeline.audit(pipeline.read(settings, place), settings, place)
    return result, result.evidence.collect().sort(EVIDENCE_ORDER)


def same(one: tuple[Result, pl.DataFrame], other: tuple[Result, pl.DataFrame]) -> None:
    """All that is published, rejects and warnings included."""
    (left, left_evidence), (right, right_evidence) = one, other
    assert_frame_equal(left.claims.drop("line"), right.claims.drop("line"))
    assert_frame_equal(left.findings, right.findings)
    assert_frame_equal(left_evidence, right_evidence)
    assert _messages(left) == _messages(right)
    outcomes = [result.claims.select("line", *KEYS).join(result.outcomes, on="line") for result in (left, right)]
    assert_frame_equal(*(frame.drop("line").sort(KEYS) for frame in outcomes))
    for name, table in left.inputs.tables.items():
        order = ("source_file", "source_record", "column", "reason")
        assert_frame_equal(table.rejects.sort(order), right.inputs.tables[name].rejects.sort(order))
        assert_frame_equal(table.unrecognised, right.inputs.tables[name].unrecognised)


def _messages(result: Result) -> list[Any]:
    tables = result.inputs.tables.values()
    return [
        result.coverage,
        result.warnings,
        result.inactive,
        result.joins.rows(),
        result.not_evaluated,
        [(table.columns, table.warnings, table.has_local_times) for table in tables],
        result.inputs.files,
        {name: plain(profile) for name, profile in result.inputs.profiles.items()},
    ]


def plain(profile: TableProfile) -> dict[str, Any]:
    """A profile's fields, to be compared: frames and series as sorted rows."""

    def comparable(value: Any) -> Any:
        if isinstance(value, pl.DataFrame):
            return sorted(value.rows())
        if isinstance(value, pl.Series):
            return value.sort().to_list()
        if isinstance(value, CoverageBounds):
            return {name: comparable(part) for name, part in vars(value).items()}
        if isinstance(value, Mapping):
            return {name: comparable(part) for name, part in value.items()}
        return value

    return {name: comparable(value) for name, value in vars(profile).items()}
