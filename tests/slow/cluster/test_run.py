"""The command on Spark publishes what it publishes in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from auditor.scale import spark
from auditor.scale.spark import Spark
from cli.app import app
from tests.slow.cluster import folders

pytest.importorskip("pyspark", reason="without the spark extra")

ROOT = str(Path(__file__).parents[3])


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample as Parquet files of several row groups, a file of calls with rejects, and one without its ids."""
    folder = tmp_path_factory.mktemp("sample")
    for name in ("calls", "visits", "providers"):
        table = pl.read_csv(Path(ROOT, "sample_data", f"{name}.csv"), infer_schema=False)
        table.write_parquet(folder / f"{name}.parquet", row_group_size=40)
        if name == "calls":
            table.drop("call_id").write_csv(folder / "no-ids.csv")
            table.with_columns(call_start=pl.lit("soon")).write_csv(folder / "soon.csv")
    return folder


class InPieces(Spark):
    """Tasks of about a hundred rows, and five buckets, on this machine."""

    split_rows = 100

    def __init__(self, master: str, beside: Path | None, progress: Callable[[str], None]) -> None:
        """What the command would make, in small."""
        super().__init__(master, beside, progress, {"spark.executorEnv.PYTHONPATH": ROOT})

    def divide(self, need: int) -> None:
        """As if there were more."""
        self.buckets = 5


@pytest.mark.parametrize("calls", ["calls.parquet", "no-ids.csv", "soon.csv"])
def test_the_run_folder_is_the_same(
    calls: str, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(spark, "Spark", InPieces)
    monkeypatch.chdir(sample)
    words = ["run", "--calls", calls, "--visits", "visits.parquet", "--providers", "providers.parquet"]
    words += ["--policy", str(Path(ROOT, "sample_data", "policy.toml")), "--ledger", "none", "--format", "none"]
    codes, said, where = [], [], []
    for engine, more in (("local", []), ("spark", ["--master", "local[2]"])):
        out = tmp_path / engine
        with pytest.raises(SystemExit) as end:
            app([*words, "--engine", engine, "--out", str(out), *more])
        codes.append(end.value.code)
        said.append(capfd.readouterr())
        where.append(next(iter(out.glob("refused/*")), out / "latest"))
        assert not list(out.glob(".unfinished*"))
    assert codes == [1 if calls == "calls.parquet" else 3] * 2
    assert said[0] == said[1]
    assert folders.same(*where) == (9 if calls == "calls.parquet" else 2)
