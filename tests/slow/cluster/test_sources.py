"""Sources of every kind on Spark: the whole result is that of one process, and that of the same rows as CSV."""

import gzip
import json
import pickle
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

from auditor import policy as policies
from auditor.engines import spark
from auditor.engines.local import Local
from auditor.engines.spark import Spark
from auditor.errors import InputRefused
from auditor.reading.paths import placed
from auditor.result import Result
from auditor.rules import select
from auditor.settings import Settings
from tests.support import lakes, x12
from tests.support.engines import audited, same

pytest.importorskip("pyspark", reason="without the spark extra")
from pyspark.sql import SparkSession

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "sample_data"
CLAIMS = SAMPLE / "with_claims"
CSV = {name: str(CLAIMS / f"{name}.csv") for name in ("calls", "visits", "claims", "providers")}
PLACES = ("source_file", "source_record")


@pytest.fixture(scope="module")
def session() -> Iterator[SparkSession]:
    """One for all tests."""
    with Spark("local[2]", settings={"spark.executorEnv.PYTHONPATH": str(ROOT)}) as place:
        yield place._session


@pytest.fixture
def on_spark(session: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Spark]:
    """Engines of the session; each row group is a task."""
    monkeypatch.setattr(spark, "_TASK", 1)
    monkeypatch.setattr(spark, "connect", lambda *_: session)
    monkeypatch.setattr(session, "stop", lambda: None)
    return lambda: Spark("local[2]", tmp_path)


def settings(paths: Mapping[str, str], **more: Any) -> Settings:
    policy = policies.load(str((CLAIMS if "claims" in paths else SAMPLE) / "policy.toml"), select)
    return Settings(paths={table: (path,) for table, path in paths.items()}, policy=policy, max_rejects="5%", **more)


def in_both(given: Settings, place: Callable[[], Spark], folder: Path) -> pl.DataFrame:
    """The findings, whose place in a source differs from that in CSV."""
    with Local(None, folder) as here:
        want = audited(given, here)
    with place() as there:
        same(_anywhere(want), _anywhere(audited(given, there)))
    assert not list(folder.glob(".unfinished*"))
    return want[0].findings.drop(PLACES)


def _anywhere(found: tuple[Result, pl.DataFrame]) -> tuple[Result, pl.DataFrame]:
    """What is fetched is a file of another folder in each run."""
    result, evidence = found
    files = {
        table: tuple(replace(file, origin=Path(), signature=None) for file in many)
        for table, many in result.inputs.files.items()
    }
    return replace(result, inputs=replace(result.inputs, files=files)), evidence


def rows(path: str) -> pl.DataFrame:
    return pl.read_csv(path, infer_schema=False)


def as_parquet(path: Path) -> str:
    rows(CSV["calls"]).with_row_index("audit_number").drop("audit_number").write_parquet(path, row_group_size=40)
    return str(path)


def as_json_lines(table: str, path: Path) -> str:
    records = ({name: cell for name, cell in row.items() if cell} for row in rows(CSV[table]).to_dicts())
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in records).encode()))
    return str(path)


def as_workbook(table: str, path: Path) -> str:
    rows(CSV[table]).write_excel(path, autofit=False)
    return f"{path}#Sheet1"


def as_delta(table: str, path: Path) -> str:
    """The sample is version 0; a later one lost its rows."""
    from deltalake import DeltaTable, write_deltalake

    write_deltalake(path, rows(CSV[table]))
    DeltaTable(path).delete()
    return f"{path}@0"


def as_iceberg(table: str, folder: Path) -> str:
    lakes.iceberg(folder, table, rows(CSV[table]).to_arrow(compat_level=pl.CompatLevel.oldest()))
    return str(folder / "n" / table)


def as_query(table: str, folder: Path) -> tuple[str, str]:
    frame = rows(CSV[table])
    with sqlite3.connect(folder / "sample.db") as lite:
        lite.execute(f"create table t ({', '.join(frame.columns)})")
        lite.executemany(f"insert into t values ({', '.join('?' * frame.width)})", frame.iter_rows())
    lite.close()
    (folder / f"{table}.sql").write_text("select * from t")
    return str(folder / f"{table}.sql"), f"sqlite:///{folder}/sample.db"


@pytest.fixture(scope="module")
def from_csv(tmp_path_factory: pytest.TempPathFactory) -> pl.DataFrame:
    with Local() as here:
        return audited(settings(CSV), here)[0].findings.drop(PLACES)


def test_json_lines_a_workbook_a_query_and_parquet(
    on_spark: Callable[[], Spark], from_csv: pl.DataFrame, tmp_path: Path
) -> None:
    claims, database = as_query("claims", tmp_path)
    paths = {"calls": as_parquet(tmp_path / "calls.parquet"), "claims": claims,
             "visits": as_json_lines("visits", tmp_path / "visits.jsonl.gz"),
             "providers": as_workbook("providers", tmp_path / "p.xlsx")}  # fmt: skip
    assert_frame_equal(in_both(settings(paths, database=database), on_spark, tmp_path), from_csv)


def test_delta_and_iceberg_at_a_version_and_the_web(
    on_spark: Callable[[], Spark], from_csv: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workers get no credentials."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Nothing."""

    paths = {"calls": as_delta("calls", tmp_path / "calls"), "visits": as_iceberg("visits", tmp_path)}
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(CLAIMS)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host = f"http://me:secret@127.0.0.1:{server.server_port}"
    paths |= {table: f"{host}/{table}.csv?signature=secret" for table in ("claims", "providers")}
    sent, tasks_of = list[bytes](), spark._tasks
    monkeypatch.setattr(
        spark, "_tasks", lambda parts: [sent.append(pickle.dumps((parts, placed()))), tasks_of(parts)][1]
    )
    assert_frame_equal(in_both(settings(paths), on_spark, tmp_path), from_csv)
    assert b"127.0.0.1" in b"".join(sent) and b"secret" not in b"".join(sent)
    server.shutdown()
    server.server_close()


def test_claims_of_x12(on_spark: Callable[[], Spark], tmp_path: Path) -> None:
    (tmp_path / "a.837").write_text(x12.of_837(x12.claim("C1"), x12.claim("C2")))
    given = replace(settings({"claims": str(tmp_path / "a.837")}), max_rejects="100%", allow_unjoined=True)
    in_both(given, on_spark, tmp_path)


def test_types_that_spark_itself_does_not_read(on_spark: Callable[[], Spark], tmp_path: Path) -> None:
    """Nanoseconds, times of day, unsigned numbers, bytes that are text, the path's columns, and INT96 of two writers."""
    start = datetime(2026, 3, 1, 15)
    visits = pl.DataFrame({"visit_id": pl.Series([1, 2], dtype=pl.UInt64), "patient_id": [b"p", b"q"],
                           "day": [start.date()] * 2, "clock": [time(15), time(23)]})  # fmt: skip
    (tmp_path / "status=completed").mkdir()
    visits.write_parquet(tmp_path / "status=completed" / "v.parquet", row_group_size=1)
    for name, writer in (("a", "other"), ("b", "org.apache.spark.version")):
        calls = pa.table({"call_id": [name], "patient_id": ["p"], "provider_id": ["x"], "call_start": [start],
                          "call_minutes": [7], "cpt_code": ["98968"]}).replace_schema_metadata({writer: "1"})  # fmt: skip
        pq.write_table(calls, tmp_path / f"{name}.parquet", use_deprecated_int96_timestamps=True)
    (tmp_path / "policy.toml").write_text(
        'timezone = "America/New_York"\n[timezones]\n"calls.call_start" = "America/Denver"\n'
        '[columns.visits]\nvisit_start = ["day", "clock"]\n'
    )
    given = Settings(
        paths={"calls": tuple(f"{tmp_path}/{name}.parquet" for name in "ab"), "visits": (str(tmp_path / "status=completed"),)},
        policy=policies.load(str(tmp_path / "policy.toml"), select), max_rejects="100%", allow_unjoined=True,
    )  # fmt: skip
    in_both(given, on_spark, tmp_path)


def test_addresses_that_spark_reads_itself(on_spark: Callable[[], Spark], tmp_path: Path) -> None:
    """The same findings; what Spark would read in part, or as what it is not, is refused by name."""
    from deltalake import write_deltalake

    parts, tables = tmp_path / "parts", ("calls", "visits", "claims", "providers")
    for table in tables[:2]:
        (parts / table).mkdir(parents=True)
        for number, part in enumerate(rows(CSV[table]).iter_slices(400)):
            part.write_parquet(parts / table / f"{number}.parquet")
    rows(CSV["visits"]).clear().write_parquet(parts / "visits" / "none.parquet")
    addresses = {table: f"file://{parts}/{table}" for table in tables[:2]}
    given = settings(addresses | {"claims": f"file://{CSV['claims']}", "providers": CSV["providers"]})
    with on_spark() as there, Local() as here:
        found = audited(given, there)[0].findings.drop(PLACES)
        assert_frame_equal(found, audited(settings(CSV), here)[0].findings.drop(PLACES))
    write_deltalake(tmp_path / "lake" / "year=1" / "delta", rows(CSV["visits"]))
    lakes.iceberg(tmp_path, "ice", rows(CSV["visits"]).to_arrow(compat_level=pl.CompatLevel.oldest()))
    (parts / "visits" / "deeper").mkdir()
    rows(CSV["visits"]).write_parquet(parts / "visits" / "deeper" / "9.parquet")
    (tmp_path / "a.jsonl").write_text("{}")
    start = pa.array([0], pa.timestamp("ns"))
    pq.write_table(pa.table({"visit_id": ["1"], "patient_id": ["p"], "visit_start": start}), tmp_path / "nano.parquet")
    pq.write_table(pa.table({"visit_id": ["1"], "patient_id": ["p"], "visit_start": start}), tmp_path / "int96.parquet",
                   use_deprecated_int96_timestamps=True)  # fmt: skip
    for path, words in {
        "nowhere": "there is no such file or folder",
        "a.jsonl": "does not read sources of the kind json lines",
        "lake/year=1/delta": "does not read Delta, Iceberg and Hudi tables",
        "lake/*/delta/*.parquet": "does not read Delta, Iceberg and Hudi tables",
        "n/ice": "does not read Delta, Iceberg and Hudi tables",
        "parts/visits": "Spark leaves out the files of the folders in it",
        "int96.parquet": "times in the form INT96 that Spark did not write",
        "nano.parquet": "a type that Spark does not read",
    }.items():
        refused = refusal(on_spark, settings(CSV | {"visits": f"file://{tmp_path}/{path}"}))
        assert refused.startswith(f"visits: file://{tmp_path}/") and words in refused, path
    for address, words in {
        "nofs://h/x": "Spark has no file system for nofs://",
        "s3a://me:secret@b/x": "take the password",
    }.items():
        refused = refusal(on_spark, settings(CSV | {"visits": address}))
        assert words in refused and "secret" not in refused


def refusal(place: Callable[[], Spark], given: Settings) -> str:
    """What is said of sources that cannot be read."""
    with place() as there, pytest.raises(InputRefused) as refused:
        audited(given, there)
    return str(refused.value)


def test_wrong_sources_end_the_run_as_in_one_process(on_spark: Callable[[], Spark], tmp_path: Path) -> None:
    (tmp_path / "writes.sql").write_text("delete from t")
    _, database = as_query("claims", tmp_path)
    for path, words in {
        str(tmp_path / "nothing.jsonl"): "no such file",
        as_delta("visits", tmp_path / "d").replace("@0", "@9"): "check that the version exists",
        str(tmp_path / "writes.sql"): "give one that only reads",
    }.items():
        assert words in refusal(on_spark, settings(CSV | {"visits": path}, database=database))


def test_a_worker_that_does_not_see_a_file_says_so(
    on_spark: Callable[[], Spark], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spark, "_tasks", lambda parts: [[(part, Path("/nowhere") / part.path.name)] for part in parts])
    assert "a worker of Spark cannot open it in /nowhere" in refusal(on_spark, settings(CSV))
