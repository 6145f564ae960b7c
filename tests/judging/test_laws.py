"""What must change nothing: row order, files, formats, threads, other patients. Whole tables are compared."""

import os
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from auditor.judging.findings import EVIDENCE_ORDER
from auditor.result import Result
from tests.reference import Table, World
from tests.support import compare
from tests.support.engines import audited_here
from tests.synthetic.test_sample_answer import SAMPLE, sample_world

EXACT = ("source_file", "source_record")


def published(result: Result) -> dict[str, pl.DataFrame]:
    evidence = result.evidence.collect().sort(EVIDENCE_ORDER)
    tables = {"claims": result.claims, "findings": result.findings, "evidence": evidence}
    return {name: frame.drop([c for c in (*EXACT, "line") if c in frame.columns]) for name, frame in tables.items()}


def same(left: Result, right: Result) -> None:
    for name, frame in published(left).items():
        assert frame.equals(published(right)[name]), name
    assert left.coverage == right.coverage


@pytest.fixture(scope="module", params=["", "with_claims"])
def world(request) -> World:
    return sample_world(SAMPLE / request.param)


@pytest.fixture(scope="module")
def base(world: World, tmp_path_factory) -> Result:
    return compare.run(world, tmp_path_factory.mktemp("base"))


def test_row_order(world: World, base: Result, tmp_path: Path):
    def shuffled(table: Table) -> Table:
        rows = list(table.rows)
        random.Random(7).shuffle(rows)
        return Table(table.columns, tuple(rows))

    tables = {name: shuffled(table) for name, table in compare.tables_of(world).items()}
    same(base, compare.run(World(**tables, settings=world.settings), tmp_path))


def test_without_evidence(world: World, base: Result, tmp_path: Path):
    """No part of the folder that is asked for shows it."""
    settings = compare.settings_of(world, compare.written(world, tmp_path, "csv"))
    result = audited_here(replace(settings, write=("xlsx", "csv")))
    assert result.evidence.collect().is_empty()
    assert not base.evidence.collect().is_empty()
    for name in ("claims", "findings"):
        assert published(result)[name].equals(published(base)[name])


def test_csv_and_parquet(world: World, base: Result, tmp_path: Path):
    same(base, compare.run(world, tmp_path, "parquet"))


def test_many_files(world: World, base: Result, tmp_path: Path):
    paths = {}
    for name, table in compare.tables_of(world).items():
        (tmp_path / name).mkdir()
        for part in range(3):
            write = compare.write_parquet if part == 1 else compare.write_csv
            suffix = "parquet" if part == 1 else "csv"
            write(Table(table.columns, table.rows[part::3]), tmp_path / name / f"part{part}.{suffix}")
        paths[name] = (str(tmp_path / name),)
    settings = compare.settings_of(world, paths)
    same(base, audited_here(settings))


def test_other_patients(world: World, base: Result, tmp_path: Path):
    """Given coverage, columns and doors, every other patient can go; INT003 reads the provider's other calls by design."""
    patients = sorted(base.claims["patient_id"].unique())[::2]

    def without(table: Table) -> Table:
        keep = [row for row in table.rows if "patient_id" not in table.columns or row["patient_id"] in patients]
        return Table(table.columns, tuple(keep))

    covered = base.coverage
    settings = world.settings | {
        "as_of": covered.as_of.isoformat(),
        "visits_since": str(covered.visits_since),
        "claims_since": str(covered.claims_since),
        "severity": {"INT003": "off"},
        "holes": "warn",
    }
    all_of_them = compare.run(World(**compare.tables_of(world), settings=settings), tmp_path)
    (tmp_path / "fewer").mkdir()
    tables = {name: without(table) for name, table in compare.tables_of(world).items()}
    tables["visits"] = compare.reaching(tables["visits"], covered.as_of.date().isoformat())
    tables["visits"].rows[-1]["global_days"] = "0"  # a column that is blank in every row would count as absent
    fewer = compare.run(World(**tables, settings=settings), tmp_path / "fewer")
    assert fewer.inputs.quality.placeholders.is_empty()
    assert dict(fewer.not_evaluated) == dict(all_of_them.not_evaluated)
    kept = pl.col("patient_id").is_in(patients)
    assert published(all_of_them)["claims"].filter(kept).equals(published(fewer)["claims"])
    assert published(all_of_them)["findings"].filter(kept).equals(published(fewer)["findings"])


@pytest.mark.slow
def test_threads(world: World, base: Result, tmp_path: Path):
    paths: dict[str, tuple[str, ...]] = {}
    for name, table in compare.tables_of(world).items():
        compare.write_csv(table, tmp_path / f"{name}.csv")
        paths[name] = (str(tmp_path / f"{name}.csv"),)
    flags = [word for name, (path,) in paths.items() for word in (f"--{name}", path)]
    command = [sys.executable, "-m", "cli", "run", *flags, "--timezone", "America/New_York", "--out", str(tmp_path / "out"),
               "--format", "none", "--max-rejects", "100%", "--fail-on", "never", "--ledger", "none"]  # fmt: skip
    subprocess.run(command, check=True, env=os.environ | {"POLARS_MAX_THREADS": "4"}, capture_output=True)
    for name, frame in published(base).items():
        other = pl.read_parquet(tmp_path / "out" / "latest" / f"{name}.parquet")
        assert other.drop([c for c in EXACT if c in other.columns]).equals(frame), name
