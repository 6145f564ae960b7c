"""Partitions change nothing: whole results equal those of one in memory. What is written to disk is private, and goes."""

import os
import random
import stat
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings

from auditor.engines import memory
from auditor.engines.local import Local
from auditor.errors import UsageError
from tests.reference import Table, World
from tests.support import compare
from tests.support.engines import Divided, Spilled, audited, same
from tests.support.worlds import worlds
from tests.synthetic.test_sample_answer import FOLDERS, sample_world, settings_of

_WANTED = int(os.environ.get("WORLDS", "0"))
_profile = settings(
    max_examples=_WANTED // 10 if _WANTED else 4,
    derandomize=not _WANTED,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.slow
def test_partitions_change_nothing() -> None:
    @_profile
    @given(worlds())
    def holds(world: World) -> None:
        with TemporaryDirectory() as name:
            folder = Path(name)
            asked = compare.settings_of(world, compare.written(world, folder))
            with Local() as held, Spilled(folder) as spilled, Divided() as divided:
                whole = audited(asked, held)
                same(whole, audited(asked, spilled))
                same(whole, audited(asked, divided))
            assert [path for path in folder.iterdir() if path.is_dir()] == []

    holds()


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_patients_whose_records_name_each_other_meet(folder: Path, tmp_path: Path) -> None:
    """Calls and visits of other patients under a claim's ids, ids used twice, and ids with blanks around them."""
    world, rng = sample_world(folder), random.Random(3)

    def mixed(table: Table, *names: str) -> Table:
        rows = [dict(row) for row in table.rows]
        for name in names:
            for row in rng.sample(rows, 6):
                row[name] = f" {rng.choice(rows)[name]} "
        return Table(table.columns, tuple(rows))

    calls = mixed(world.calls, "patient_id", "claim_id", "call_id")
    claims = mixed(world.claims, "call_id", "claim_id", "patient_id") if world.claims else None
    spoilt = replace(world, calls=calls, visits=mixed(world.visits, "visit_id", "patient_id"), claims=claims)
    asked = replace(compare.settings_of(spoilt, compare.written(spoilt, tmp_path)), max_rejects="100%")
    with Local() as held, Spilled(tmp_path) as spilled:
        whole = audited(asked, held)
        same(whole, audited(asked, spilled))
    rejects = whole[0].inputs.tables["visits"].rejects
    assert rejects["reason"].str.starts_with("conflicting rows for one id: ").any()


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_samples_in_partitions(folder: Path, suffix: str, tmp_path: Path) -> None:
    asked = settings_of(folder, suffix)
    with Local() as held, Spilled(tmp_path) as spilled:
        same(audited(asked, held), audited(asked, spilled))


def test_spilled_data_is_private_and_goes(tmp_path: Path) -> None:
    with Spilled(tmp_path) as spilled:
        assert not list(tmp_path.iterdir())
        audited(settings_of(FOLDERS[0], "csv"), spilled)
        folders = [*tmp_path.iterdir()]
        assert folders and {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}
    assert not list(tmp_path.iterdir())


def test_what_fits_stays_in_memory(tmp_path: Path) -> None:
    with Local(2 << 30, tmp_path) as held:
        audited(settings_of(FOLDERS[0], "csv"), held)
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "size"), [("2GB", 2 * 10**9), ("2GiB", 2 << 30), ("1.5 g", 1_500_000_000), ("512M", 512_000_000)]
)
def test_sizes(text: str, size: int) -> None:
    assert memory.parse(text, "--memory") == size


def test_a_share_of_the_memory() -> None:
    assert memory.parse("50%", "--memory") == memory.present() // 2


@pytest.mark.parametrize("text", ["", "much", "-1GB", "2XB", "1MB", "GB"])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--memory: "):
        memory.parse(text, "--memory")


def test_calls_and_claims_of_one_number_are_no_link(tmp_path: Path) -> None:
    calls = Table(("call_id", "patient_id", "provider_id", "call_start", "cpt_code", "claim_id"), tuple(
        {"call_id": str(n), "patient_id": f"p{n}", "provider_id": "a", "call_start": f"2026-03-{n + 1:02d} 09:00",
         "cpt_code": "98968" if n % 2 else "", "claim_id": str(n - 1) if n % 2 else ""} for n in range(20)
    ))  # fmt: skip
    visits = Table(
        ("visit_id", "patient_id", "visit_start"),
        ({"visit_id": "1", "patient_id": "p1", "visit_start": "2026-03-01 09:00"},),
    )
    world = World(calls, visits)
    asked = compare.settings_of(world, compare.written(world, tmp_path))
    with Local() as held, Spilled(tmp_path) as spilled:
        same(audited(asked, held), audited(asked, spilled))


def test_exports_without_rows(tmp_path: Path) -> None:
    world = World(
        Table(("call_id", "patient_id", "provider_id", "call_start"), ()),
        Table(("visit_id", "patient_id", "visit_start"), ()),
    )
    asked = compare.settings_of(world, compare.written(world, tmp_path))
    with Local() as held, Spilled(tmp_path) as spilled:
        same(audited(asked, held), audited(asked, spilled))
