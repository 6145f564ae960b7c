"""The benchmark's peers give the auditor's findings, with the same evidence, on a small export and on a dense one."""

import importlib
import importlib.util
import subprocess
from pathlib import Path

import polars as pl
import pytest

from auditor.synthetic import sample
from benchmarks import answers, exports
from benchmarks.floor import read
from tests.support.program import HANG

pytestmark = pytest.mark.slow
PEERS = {"duck": "duckdb", "frames": "pandas"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, pl.DataFrame]]:
    """A sample and its dense form, each with the auditor's findings."""
    folder = tmp_path_factory.mktemp("bench")
    sample.write(folder / "sample", 200, exports.SEED)
    exports.bill_every_call(folder / "sample", folder / "dense")
    return {name: (folder / name, _audited(folder / name)) for name in ("sample", "dense")}


def _audited(export: Path) -> pl.DataFrame:
    words = ["run", "--format", "none", "--fail-on", "never", "--quiet", "--ledger", "none"]
    words += ["--calls", str(export / "calls.parquet"), "--visits", str(export / "visits.parquet")]
    words += ["--policy", str(export / "policy.toml"), "--out", str(export / "out"), "--select", ",".join(answers.CORE)]
    done = subprocess.run([exports.TOOL, *words], capture_output=True, text=True, timeout=HANG)
    assert done.returncode == 0, done.stderr
    return answers.published(export / "out")


@pytest.mark.parametrize("name", ["sample", "dense"])
def test_the_floor_reads_every_row(folders, name):
    export, found = folders[name]
    assert [frame.height for frame in read(export)] == [exports.rows(export, table) for table in ("calls", "visits")]
    assert set(found["rule"]) == set(answers.CORE)


@pytest.mark.parametrize("name", ["sample", "dense"])
@pytest.mark.parametrize("peer", PEERS)
def test_peers_agree_with_the_auditor(folders, name, peer, tmp_path):
    if importlib.util.find_spec(PEERS[peer]) is None:
        pytest.skip(f"{PEERS[peer]} is not installed: pip install -e '.[bench]'")
    module = importlib.import_module(f"benchmarks.{peer}")
    export, found = folders[name]
    module.write(export, tmp_path / "found.parquet")
    assert answers.difference(found, answers.answered(tmp_path / "found.parquet")) is None


def test_duckdb_agrees_with_the_auditor_on_the_narrow_export(tmp_path):
    if importlib.util.find_spec("duckdb") is None:
        pytest.skip("duckdb is not installed: pip install -e '.[bench]'")
    export = exports.narrow(tmp_path, 2_000)
    importlib.import_module("benchmarks.duck").write(export, tmp_path / "found.parquet")
    assert answers.difference(_audited(export), answers.answered(tmp_path / "found.parquet")) is None


def test_a_difference_is_counted_by_rule_without_ids():
    ours = pl.DataFrame([["c1", "1", "DUR001", "violation", None]], schema=answers.KEY, orient="row").cast(pl.String)
    assert answers.difference(ours, ours) is None
    assert (
        answers.difference(ours, ours.clear()) == "1 and 0 findings; only the auditor {'DUR001': 1}; only the peer {}"
    )
