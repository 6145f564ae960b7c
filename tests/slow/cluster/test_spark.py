"""The command on Spark publishes what it publishes in memory; what goes wrong there is told without data."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from auditor.engines import spark, worker
from auditor.engines.spark import Spark, SparkFailed
from auditor.reading.ingest import REJECT_SCHEMA, Chunk
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


class InParts(Spark):
    """Batches of a hundred rows, on this machine."""

    def __init__(self, master: str, beside: Path | None, progress: Callable[[str], None]) -> None:
        """What the command would make, in small."""
        small = {"spark.sql.execution.arrow.maxRecordsPerBatch": "100", "spark.executorEnv.PYTHONPATH": ROOT}
        super().__init__(master, beside, progress, small)


@pytest.mark.parametrize("calls", ["calls.parquet", "no-ids.csv", "soon.csv"])
def test_the_run_folder_is_the_same(
    calls: str, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(spark, "Spark", InParts)
    monkeypatch.chdir(sample)
    words = ["run", "--calls", calls, "--visits", "visits.parquet", "--providers", "providers.parquet"]
    words += ["--policy", str(Path(ROOT, "sample_data", "policy.toml")), "--ledger", "none", "--format", "none"]
    codes, message_text, where = [], [], []
    for engine, more in (("local", []), ("spark", ["--master", "local[2]"])):
        out = tmp_path / engine
        with pytest.raises(SystemExit) as end:
            app([*words, "--engine", engine, "--out", str(out), *more])
        codes.append(end.value.code)
        message_text.append(capfd.readouterr())
        where.append(next(iter(out.glob("refused/*")), out / "latest"))
        assert not list(out.glob(".unfinished*"))
    assert codes == [1 if calls == "calls.parquet" else 3] * 2
    assert message_text[0] == message_text[1]
    assert folders.same(*where) == (9 if calls == "calls.parquet" else 2)


def test_an_error_in_a_worker_quotes_no_data(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Chunk) -> Iterator[tuple[str, pl.DataFrame]]:
        raise ValueError("PT-CANARY")

    def read(_: Iterable[pa.RecordBatch]) -> Iterator[tuple[str, int, Chunk | pl.DataFrame]]:
        yield "calls.csv", 1, Chunk(pl.DataFrame(), pl.DataFrame(schema=REJECT_SCHEMA))

    monkeypatch.setattr(os, "dup2", lambda *_: None)
    for asked, words in (
        (worker.versions(), "internal error (ValueError, test_spark.py:"),
        (("old",), "a worker has "),
    ):
        (batch,) = worker.run_worker(read, broken, pl.Schema({"call_id": pl.String()}), asked, [])
        (row,) = batch.to_pylist()
        assert row["kind"] == "failed"
        assert row["body"].decode().startswith(words)
        assert "CANARY" not in str(row)


@pytest.mark.parametrize("master", ["spark://127.0.0.1:1", "spark://127.0.0.1", "sc://127.0.0.1:1"])
def test_a_master_that_does_not_answer(master: str) -> None:
    with pytest.raises(SparkFailed, match="no Spark master answers"), Spark(master):
        pass
