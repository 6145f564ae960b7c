"""Exports that overlap: each row counts once, and only rows that can matter are held in full."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from auditor import pipeline
from auditor.engines.local import Local
from auditor.engines.spill import COUNT
from auditor.parsing.duplicates import DUPLICATE
from auditor.prefilter.chunk_typer import ChunkTyper
from auditor.settings import Settings
from tests.support.engines import Spilled, audited, same
from tests.synthetic.test_sample_answer import FOLDERS, settings_of

_TIMES = 3


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def overlapping(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Settings, Settings]:
    """A sample, and the same with every table but the providers exported several times."""
    asked = settings_of(request.param, "parquet")
    paths: dict[str, tuple[str, ...]] = {}
    for name, given in asked.paths.items():
        paths[name] = tuple(given)
        for number in range(_TIMES - 1 if name != "providers" else 0):
            copy = tmp_path / f"{name}-{number}.parquet"
            shutil.copy(given[0], copy)
            paths[name] += (str(copy),)
    return asked, replace(asked, paths=paths)


def test_rows_that_were_exported_again_change_nothing(overlapping: tuple[Settings, Settings]) -> None:
    (plain, evidence), (again, again_evidence) = (audited(asked, Local()) for asked in overlapping)
    assert_frame_equal(plain.claims, again.claims)
    assert_frame_equal(plain.findings, again.findings)
    assert_frame_equal(evidence, again_evidence)
    for name, table in plain.inputs.tables.items():
        rejects = again.inputs.tables[name].rejects
        copies = rejects.height - table.rejects.height
        rows = sum(file.rows for file in plain.inputs.files[name])
        assert copies == (0 if name == "providers" else (_TIMES - 1) * rows)
        assert rejects.filter(reason=DUPLICATE).height >= copies


@pytest.mark.slow
def test_copies_may_go_to_disk(overlapping: tuple[Settings, Settings], tmp_path: Path) -> None:
    in_memory = audited(overlapping[1], Local())
    with Spilled(tmp_path) as spilled:
        on_disk = audited(overlapping[1], spilled)
        same(in_memory, on_disk)
        plans = [rejects.explain() for rejects in on_disk[0].inputs.tables["visits"].repeated]
        assert len(plans) == COUNT and all("Parquet SCAN" in plan for plan in plans)


def test_only_what_can_matter_is_held_in_full(
    overlapping: tuple[Settings, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    held: dict[str, list[tuple[int, int]]] = {}
    work = ChunkTyper.__call__

    def reported(self: ChunkTyper, chunk: Any) -> Any:
        rows, message_text = work(self, chunk)
        assert rows.is_empty() and self.row_filter(message_text.deferred_rows).all()
        held.setdefault(self.scan.table, []).append(
            (message_text.deferred_rows.height, message_text.duplicate_keys.height)
        )
        return rows, message_text

    monkeypatch.setattr(ChunkTyper, "__call__", reported)
    audited(overlapping[1], Local())
    deferred_rows, duplicate_keys = (sum(heights) for heights in zip(*held["visits"], strict=True))
    assert 0 < deferred_rows < duplicate_keys / 2


def test_rows_of_one_id_in_several_exports(tmp_path: Path) -> None:
    """A copy, one that differs in a list, and one that contradicts the others, each in a file of its own."""
    paths = []
    rows = [
        ("1", "a", "99213"),
        ("1", "a", "99214;99213"),
        ("2", "a", ""),
        ("2", "b", ""),
        ("1", "a", "99213"),
        ("2", "b", ""),
    ]
    for number, (visit, patient, codes) in enumerate(rows):
        made = {"visit_id": [visit], "patient_id": [patient], "visit_start": ["2026-03-02 09:00"], "cpt_codes": [codes]}
        path = tmp_path / f"visits-{number}.csv"
        pl.DataFrame(made).write_csv(path)
        paths.append(str(path))
    calls = tmp_path / "calls.csv"
    calls.write_text(
        "call_id,patient_id,provider_id,call_start,call_minutes,cpt_code\nc,a,p,2026-03-01 09:00,21,98968\n"
    )
    asked = settings_of(FOLDERS[0], "csv")
    asked, place = replace(asked, paths={"calls": (str(calls),), "visits": tuple(paths)}), Local()
    inputs = pipeline.read(asked, place)
    visits = inputs.tables["visits"]
    assert visits.rejects.select("source_file", "reason").rows() == [
        (paths[2], "conflicting rows for one id: patient_id differ"),
        (paths[3], "conflicting rows for one id: patient_id differ"),
        (paths[4], DUPLICATE),
        (paths[5], DUPLICATE),
    ]
    assert inputs.kept["visits"].select("visit_id", "cpt_codes").rows() == [("1", ["99213", "99214"])]
    assert sorted(visits.patients_with_rejects) == ["a", "b"]
