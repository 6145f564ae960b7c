"""Delta and Iceberg tables: the rows that are in the table, of the version that is asked for."""

import json
import shutil
import uuid
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from polars.testing import assert_frame_equal
from pyiceberg.expressions import EqualTo
from pyiceberg.manifest import DataFileContent, FileFormat
from pyiceberg.types import StringType

from auditor import pipeline
from auditor import policy as policies
from auditor.engines.local import Local
from auditor.errors import InputRefused
from auditor.reading.files import expand
from auditor.rules import select
from auditor.settings import Settings
from auditor.sources import staging, unordered
from tests.support import lakes
from tests.support.lakes import SNAPSHOT, field
from tests.synthetic.test_sample_answer import SAMPLE

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
IDS = pa.table({"visit_id": [f"{n:03}" for n in range(10)]})


def read(*paths: Path | str) -> tuple[pl.DataFrame, staging.Part]:
    """The rows of a table as they are staged, and their part."""
    with staging.staged({"visits": expand("visits", [str(path) for path in paths])}, policies.load()) as found:
        (part,), _ = found["visits"]
        return pl.read_parquet(part.path), part


def ids(path: Path | str) -> list[str]:
    return sorted(read(path)[0]["visit_id"])


def understood(path: Path | str) -> str:
    staged = read(path)[1].staged
    assert staged
    (line,) = staged.understood
    return line


def test_a_delta_table_is_its_current_version(tmp_path: Path):
    """Deleted and replaced rows stay in the files of its folder; the order of rows is the same at each reading."""
    table = tmp_path / "visits"
    write_deltalake(table, pl.DataFrame(IDS))
    DeltaTable(table).delete("visit_id < '004'")
    write_deltalake(table, pl.DataFrame({"visit_id": ["new"], "status": ["done"]}), mode="append", schema_mode="merge")
    first, part = read(table)
    assert sorted(first["visit_id"]) == [*IDS["visit_id"].to_pylist()[4:], "new"]
    assert understood(table) == "Delta table, version 2" and part.shown == str(table)
    assert (ids(f"{table}@0"), understood(f"{table}@0")) == (IDS["visit_id"].to_pylist(), "Delta table, version 0")
    DeltaTable(table).optimize.compact()
    assert_frame_equal(read(table)[0], first)


def test_deletion_vectors_partitions_and_names_of_a_delta_table(tmp_path: Path):
    """Partition values come from the log, not from paths; INT96 is UTC; columns have their own names."""
    fields = [field("visit_id", "string"), field("t", "timestamp"), field("day", "date"), field("later", "string")]
    rows = [pa.table({"visit_id": [f"{n}{m}" for m in range(3)], "t": [NOON.replace(tzinfo=None)] * 3}) for n in "12"]
    files = [("x/1.parquet", rows[0], {"day": "2026-03-01"}), ("y/2.parquet", rows[1], {"day": None})]
    at = lakes.delta(
        tmp_path / "a", fields, files, "deletionVectors", deleted=[0, 2], use_deprecated_int96_timestamps=True
    )
    found = read(at)[0].sort("visit_id")
    assert found.select("visit_id", "day").rows() == [
        ("11", date(2026, 3, 1)),
        ("20", None),
        ("21", None),
        ("22", None),
    ]
    assert set(found["t"]) == {NOON} and found["later"].null_count() == 4
    mapped = [
        field(name, "string", **{"delta.columnMapping.id": n, "delta.columnMapping.physicalName": f"col-{n}"})
        for n, name in enumerate(("visit_id", "status"))
    ]
    of_files = [("1.parquet", pa.table({"col-0": ["1"], "dropped": ["x"]}), {"col-1": "done"})]
    at = lakes.delta(
        tmp_path / "b", mapped, of_files, "columnMapping", configuration={"delta.columnMapping.mode": "name"}
    )
    assert read(at)[0].to_dicts() == [{"visit_id": "1", "status": "done"}]


def test_a_delta_table_that_cannot_be_read_whole_is_refused(tmp_path: Path):
    table = lakes.delta(tmp_path / "a", [field("visit_id", "string")], [("1.parquet", IDS, {}), ("2.parquet", IDS, {})])
    (table / "2.parquet").unlink()
    for path, message in (
        (table, "a file of this version cannot be read by deltalake"),
        (f"{table}@5", "version 5 cannot be read by deltalake .*check that the version exists"),
        (f"{table}@may", "versions of a Delta table are numbers"),
        (lakes.delta(tmp_path / "b", [field("visit_id", "string")], [], "unheardOf"), "it needs unheardOf"),
    ):
        with pytest.raises(InputRefused, match=message) as refused:
            read(path)
        assert str(tmp_path) in str(refused.value)


def test_an_iceberg_table_is_its_newest_metadata_or_that_of_the_hint(tmp_path: Path):
    """Columns keep their values through renames; a copied table is read where it is; UUIDs have their usual form."""
    one = uuid.UUID(int=1)
    rows = pa.table({
        "id": ["1", "2"], "u": pa.array([one.bytes] * 2, pa.uuid()), "gone": ["x", "y"],
        "t": pa.array([NOON] * 2, pa.timestamp("us", tz="UTC")), "l": pa.array([NOON.replace(tzinfo=None)] * 2, pa.timestamp("us")),
    })  # fmt: skip
    table = lakes.iceberg(tmp_path / "w", "visits", rows)
    first = table.current_snapshot().snapshot_id
    with table.update_schema() as change:
        change.rename_column("id", "visit_id")
        change.delete_column("gone")
        change.add_column("status", StringType())
    table.append(pa.table({"visit_id": ["3"], "status": ["done"]}))
    table.delete(EqualTo("visit_id", "1"))
    shutil.move(tmp_path / "w" / "n" / "visits", tmp_path / "copy")
    found = read(tmp_path / "copy")[0].sort("visit_id")
    expected = [("2", str(one), NOON, NOON.replace(tzinfo=None), None), ("3", None, None, None, "done")]
    assert found.rows() == expected and found.columns == ["visit_id", "u", "t", "l", "status"]
    newest = Path(table.metadata_location).name
    assert f"of metadata/{newest} (the newest; there is no version-hint.text)" in understood(tmp_path / "copy")
    assert read(f"{tmp_path}/copy@{first}")[0]["id"].to_list() == ["1", "2"]
    before = next((tmp_path / "copy" / "metadata").glob("00001-*.metadata.json"))
    (tmp_path / "copy" / "metadata" / "version-hint.text").write_text(before.name.removesuffix(".metadata.json"))
    assert read(tmp_path / "copy")[0]["id"].to_list() == ["1", "2"]
    assert f"snapshot {first} of metadata/{before.name} (as version-hint.text says)" in understood(tmp_path / "copy")


@pytest.mark.parametrize("file_format", [FileFormat.PARQUET, FileFormat.PUFFIN])
def test_delete_files_are_applied(tmp_path: Path, file_format: FileFormat):
    table = lakes.iceberg(tmp_path / "w", "visits", IDS)
    lakes.delete(table, [1, 3], DataFileContent.POSITION_DELETES, file_format)
    folder = tmp_path / "w" / "n" / "visits"
    assert ids(folder) == [one for one in IDS["visit_id"].to_pylist() if one not in ("001", "003")]
    assert f"snapshot {SNAPSHOT} of metadata/00009-new" in understood(folder)


def test_an_iceberg_table_that_cannot_be_read_whole_is_refused(tmp_path: Path):
    table = lakes.iceberg(tmp_path / "w", "visits", IDS)
    folder = tmp_path / "w" / "n" / "visits"
    after = lakes.delete(table, [1], DataFileContent.EQUALITY_DELETES, FileFormat.PARQUET)
    with pytest.raises(InputRefused, match=r"it needs equality deletes\); rewrite its data files"):
        read(folder)
    with pytest.raises(InputRefused, match=f"no such snapshot, tag or branch; it has the snapshots .*{SNAPSHOT}"):
        read(f"{folder}@7")
    rival = after.with_name("00009-other.metadata.json")
    rival.write_text(json.dumps(json.loads(after.read_text()) | {"location": "file:///elsewhere"}))
    with pytest.raises(InputRefused, match="are both the newest metadata file"):
        read(folder)
    hint = rival.with_name("version-hint.text")
    hint.write_text("00009-other")
    with pytest.raises(InputRefused, match="has files outside of its folder"):
        read(folder)
    hint.write_text("12")
    with pytest.raises(InputRefused, match="names a metadata file that is not in metadata/"):
        read(folder)


@pytest.mark.slow
def test_findings_are_those_of_csv(tmp_path: Path):
    policy = policies.load(str(SAMPLE / "policy.toml"), select)
    results = []
    for kind in ("csv", "delta", "iceberg"):
        paths = {name: SAMPLE / f"{name}.csv" for name in ("calls", "visits", "providers")}
        for name, path in paths.items():
            frame = pl.read_csv(path, infer_schema=False)
            if kind == "delta":
                paths[name] = tmp_path / kind / name
                write_deltalake(paths[name], frame)
            elif kind == "iceberg":
                lakes.iceberg(tmp_path / kind, name, frame.to_arrow(compat_level=pl.CompatLevel.oldest()))
                paths[name] = tmp_path / kind / "n" / name
        settings = Settings(paths={n: (str(path),) for n, path in paths.items()}, policy=policy, max_rejects="5%")
        with Local() as engine:
            results.append(pipeline.audit(pipeline.read(settings, engine), settings, engine))
    places = "source_file", "source_record"
    for result in results[1:]:
        assert_frame_equal(result.findings.drop(places), results[0].findings.drop(places))
        assert_frame_equal(result.claims.drop(places), results[0].claims.drop(places))
    assert results[0].findings.height == 65


def test_the_order_of_rows_without_one_is_that_of_their_values(tmp_path: Path):
    """The numbers of records are the same with each version of the libraries, however the rows come."""
    rows = pl.DataFrame({
        "visit_id": ["00017", "00012", None, "00014é", "00015"], "day": [date(2026, 3, 1)] * 4 + [None], "n": [1, 2, 3, None, 5],
        "minutes": [1.5, 2.5, None, 0.0, 3.0], "cpt_codes": [["99213"], [], None, ["98968", "99213"], ["98968"]],
    })  # fmt: skip
    expected = ["00012", "00014é", None, "00017", "00015"]
    for at in range(rows.height):
        turned = pl.concat([rows[at:], rows[:at]]).to_arrow()
        found = pl.concat(unordered.in_order(turned.schema, iter(turned.to_batches(2)), tmp_path))
        assert found["visit_id"].to_list() == expected
    many = pl.DataFrame({"visit_id": [f"V{n:06}" for n in range(10_000)]})
    sizes = unordered._key(many).to_frame().with_columns(pl.col("key") % 64)["key"].value_counts()["count"]
    assert len(sizes) == 64 and sizes.max() < 2 * sizes.min()


def test_the_files_of_an_iceberg_table_are_read_by_their_paths(tmp_path: Path):
    table = lakes.iceberg(tmp_path / "w", "visits", IDS[:2])
    for at in range(2, 10, 2):
        table.append(IDS[at : at + 2])
    data = tmp_path / "w" / "n" / "visits" / "data"
    written = [name for path in sorted(data.glob("*.parquet")) for name in pl.read_parquet(path)["visit_id"]]
    assert read(tmp_path / "w" / "n" / "visits")[0]["visit_id"].to_list() == written
