"""Rows that cannot matter are let go: the results are those of an audit that keeps them all.

The fuzzer keeps them all, too.
"""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings

from auditor import pipeline
from auditor.engines.local import Local
from auditor.prefilter.typers import Typers
from auditor.settings import Settings
from tests.reference import Table, World
from tests.support import compare
from tests.support.engines import audited, keep_all, same
from tests.support.worlds import worlds
from tests.synthetic.test_sample_answer import FOLDERS, settings_of

_OF_KEPT_VISITS = "call in visits"
"""The pair of ids whose count depends on the visits that are kept."""
_CALLS = ("call_id", "patient_id", "provider_id", "call_start", "call_minutes", "cpt_code", "claim_id")


def _is_as_with_all(asked: Settings) -> None:
    with Local() as held:
        kept = audited(asked, held)
    with pytest.MonkeyPatch.context() as patched, Local() as place:
        patched.setattr(Typers, "typer", keep_all)
        everything = audited(asked, place)
    same(
        *(
            (replace(result, joins=result.joins.filter(pl.col("pair") != _OF_KEPT_VISITS)), evidence)
            for result, evidence in (kept, everything)
        )
    )


@pytest.mark.slow
def test_what_is_let_go_changes_nothing() -> None:
    @settings(max_examples=4, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(worlds())
    def holds(world: World) -> None:
        with TemporaryDirectory() as name:
            _is_as_with_all(compare.settings_of(world, compare.written(world, Path(name))))

    holds()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_what_is_let_go_of_the_samples(folder: Path) -> None:
    _is_as_with_all(settings_of(folder, "parquet"))


def test_calls_that_are_kept(tmp_path: Path) -> None:
    """A claim reaches back to its earliest call, with or without a code, and the period of its line further yet."""
    rows = [
        ("coded", "2026-03-20 09:00", "98968", "claim"),
        ("same claim", "2026-03-08 09:00", "", "claim"),
        ("in its period", "2026-03-03 09:00", "", ""),
        ("long before", "2026-02-20 09:00", "", ""),
        ("long after", "2026-04-01 09:00", "", ""),
        ("another code", "2026-04-10 09:00", "99441", ""),
    ]
    calls = Table(_CALLS, tuple(
        {"call_id": call, "patient_id": "p", "provider_id": "a", "call_start": start, "call_minutes": "11", "cpt_code": code,
         "claim_id": claim} for call, start, code, claim in rows
    ))  # fmt: skip
    visits = Table(("visit_id", "patient_id", "visit_start"), ())
    world = World(calls, visits)
    with Local() as place:
        asked = compare.settings_of(world, compare.written(world, tmp_path))
        inputs = pipeline.read(asked, place)
        kept = inputs.kept["calls"].select("call_id")["call_id"]
        result = pipeline.audit(inputs, asked, place)
    assert result.claims["minutes"].to_list() == [22]
    assert set(kept) == {"coded", "same claim", "in its period", "another code"}


def test_lines_that_are_kept_without_calls(tmp_path: Path) -> None:
    """Of a patient with a telephone line: near it, of its claim or call, named by it, or an adjustment."""
    rows = [
        ("telephone", "p", "2026-03-20", "98968", "k1", "", "old"),
        ("near", "p", "2026-03-13", "99213", "", "", ""),
        ("long before", "p", "2026-01-20", "99213", "", "", ""),
        ("telephone", "p", "2025-03-20", "97110", "", "", ""),
        ("of its call", "p", "2025-03-20", "97110", "k1", "", ""),
        ("old", "p", "2025-02-20", "99213", "", "", ""),
        ("voids", "p", "2025-12-20", "99213", "", "void", "near"),
        ("of another", "q", "2026-03-13", "99213", "", "", ""),
    ]
    names = ("claim_id", "patient_id", "service_date", "cpt_code", "call_id", "frequency_code", "original_claim_id")
    lines = [
        dict(zip(names, row, strict=True)) | {"provider_id": "a", "claim_line": str(n)} for n, row in enumerate(rows)
    ]
    columns = (*names, "provider_id", "claim_line")
    with Local() as place:
        asked = compare.settings_of(w := World(None, None, Table(columns, tuple(lines))), compare.written(w, tmp_path))
        kept = pipeline.read(asked, place).kept["claims"].select("claim_id", "claim_line").rows()
    assert sorted(int(line) for _, line in kept) == [0, 1, 3, 4, 5, 6]


@settings(max_examples=4, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
@given(worlds().filter(lambda world: world.claims is not None and world.calls is None))
@pytest.mark.slow
def test_what_is_let_go_without_calls_changes_nothing(world: World) -> None:
    with TemporaryDirectory() as name:
        _is_as_with_all(compare.settings_of(world, compare.written(world, Path(name))))
