"""Paths: files, folders, globs and pipes."""

import errno
import gzip
import os
import threading
from pathlib import Path

import pytest

from auditor.errors import InputRefused
from auditor.policy import Policy
from auditor.reading import files, ingest
from tests.support import reading
from tests.support.effort import at_most
from tests.support.reading import TEXT, read_table


def test_a_directory_is_read_with_strays_named(tmp_path: Path, policy: Policy):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text(TEXT)
    (tmp_path / "data" / "b.CSV.gz").write_bytes(gzip.compress(TEXT.replace("007", "008").encode()))
    (tmp_path / "data" / "readme.txt").write_text("no data")
    table = read_table(tmp_path / "data", policy)
    assert sorted(table.rows["visit_id"]) == ["007", "008"]
    assert table.warnings == (
        f"visits: skipped in the folder: {tmp_path}/data/readme.txt; to audit one, give its path",
    )
    assert read_table(tmp_path / "data" / "*.csv", policy).rows.height == 1


def test_paths_that_lead_nowhere_are_refused(tmp_path: Path, policy: Policy):
    (tmp_path / "link.csv").symlink_to(tmp_path / "nowhere.csv")
    (tmp_path / "xdir").mkdir()
    for pattern, says in (
        ("link.csv", r"cannot be read \(No such file"),
        ("x*", "no CSV or Parquet file"),
        ("*.parquet", "no such file"),
    ):
        with pytest.raises(InputRefused, match=says):
            read_table(tmp_path / pattern, policy)


def test_a_pipe_is_read_by_name_and_left_alone_in_a_folder(tmp_path: Path, policy: Policy):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "a.csv").write_text(TEXT)
    table = read_table(tmp_path, policy)
    assert (table.rows["source_file"].to_list(), len(table.warnings)) == ([str(tmp_path / "a.csv")], 1)
    writer = threading.Thread(target=(tmp_path / "pipe.csv").write_text, args=[TEXT])
    writer.start()
    assert read_table(tmp_path / "pipe.csv", policy).rows.height == 1
    writer.join()


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="no /proc")
def test_files_of_the_kernel_are_refused_and_open_files_are_read(tmp_path: Path, policy: Policy):
    (tmp_path / "link.csv").symlink_to("/proc/version")
    for path in (Path("/proc/version"), tmp_path / "link.csv", Path("/sys")):
        with pytest.raises(InputRefused, match="a file of the kernel, which may have no end"):
            read_table(path, policy)
    (tmp_path / "a.csv").write_text(TEXT)
    with (tmp_path / "a.csv").open() as stream:
        assert read_table(Path(f"/dev/fd/{stream.fileno()}"), policy).rows.height == 1


def test_hidden_entries_are_passed_over_and_links_to_folders_are_strays(tmp_path: Path, policy: Policy):
    for name in (".hidden/a.csv", ".a.csv", "march/a.csv"):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_text(TEXT)
    (tmp_path / "data" / "circle").symlink_to(tmp_path / "data", target_is_directory=True)
    table = read_table(tmp_path / "data", policy)
    assert table.rows["source_file"].to_list() == [str(tmp_path / "data" / "march" / "a.csv")]
    skipped = f"{tmp_path}/data/.a.csv, {tmp_path}/data/circle"
    assert table.warnings == (f"visits: skipped in the folder: {skipped}; to audit one, give its path",)


def test_names_that_begin_with_an_underscore_are_left_out_and_named(tmp_path: Path, policy: Policy):
    for name in ("a.csv", "_b.csv", "_old/c.csv", "_SUCCESS", "_metadata", ".a.csv.crc"):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_text(TEXT)
    data = tmp_path / "data"
    skipped = (f"visits: skipped in the folder: {data}/_b.csv, {data}/_old; to audit one, give its path",)
    table = read_table(data, policy)
    assert (set(table.rows["source_file"]), table.warnings) == ({f"{data}/a.csv"}, skipped)
    assert read_table(data / "**" / "*.csv", policy).rows["source_file"].to_list() == [f"{data}/a.csv"]
    assert read_table(data / "*.csv", policy).rows["source_file"].to_list() == [f"{data}/a.csv"]
    assert read_table(data / "_*.csv", policy).rows["source_file"].to_list() == [f"{data}/_b.csv"]


def test_at_most_five_other_files_are_named(tmp_path: Path, policy: Policy):
    (tmp_path / "a.csv").write_text(TEXT)
    for number in range(7):
        (tmp_path / f"{number}.txt").touch()
    (warning,) = read_table(tmp_path, policy).warnings
    assert warning.endswith(f"{tmp_path}/4.txt and 2 more; to audit one, give its path")


@pytest.mark.parametrize("names", [("_temporary/0/b.csv", "a.csv"), ("a/a.csv", "a/_SUCCESS", "b/a.csv")])
def test_an_unfinished_spark_job_is_reported(tmp_path: Path, policy: Policy, names: tuple[str, ...]):
    for name in names:
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_text(TEXT)
    (warning,) = read_table(tmp_path / "data", policy).warnings
    at = tmp_path / "data" / ("b" if "b/a.csv" in names else "")
    assert warning.startswith(f"visits: the job that writes {at} has not finished")


@pytest.mark.parametrize(
    ("log", "kind", "refused"),
    [
        ("_delta_log/0.json", "delta", "belongs to the Delta table .*; name that folder"),
        ("metadata/v1.metadata.json", "iceberg", "belongs to the Iceberg table .*; name that folder"),
        (".hoodie/hoodie.properties", "", "this folder is a Hudi table"),
    ],
)
def test_folders_of_table_formats_are_no_folders_of_files(
    tmp_path: Path, policy: Policy, log: str, kind: str, refused: str
):
    """Delta and Iceberg tables are sources as a whole; their files are refused."""
    table = tmp_path / "visits"
    for name in ("data/a.csv", "day=1/a.csv", log):
        (table / name).parent.mkdir(parents=True, exist_ok=True)
        (table / name).write_text(TEXT)
    for given in (
        table / "*" / "*.csv",
        table / "day=1" / "a.csv",
        table / "data" / "a.csv",
        *[table, tmp_path] * (not kind),
    ):
        with pytest.raises(InputRefused, match=refused):
            read_table(given, policy)
    if kind:
        for given in (table, tmp_path):
            found = files.expand("visits", [str(given)])
            assert [(one.path, one.kind.name) for one in found.located] == [(table, kind)] and not found.paths


def test_a_glob_follows_no_circle_of_links(tmp_path: Path, policy: Policy):
    for name in ("a", "b", ".hidden"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.csv").write_text(TEXT.replace("007", name))
        (tmp_path / name / "up").symlink_to("..", target_is_directory=True)
    with at_most("os.scandir", 20):
        assert sorted(read_table(tmp_path / "**" / "*.csv", policy).rows["visit_id"]) == ["a", "b"]


def test_a_file_that_was_only_touched_is_confirmed(tmp_path: Path, policy: Policy):
    (tmp_path / "a.csv").write_text(TEXT)
    (file,) = reading.extract("visits", (str(tmp_path / "a.csv"),), policy).files
    os.utime(tmp_path / "a.csv", (1, 1))
    ingest.confirm("visits", file)
    (tmp_path / "a.csv").write_text(TEXT.replace("7", "8"))
    os.utime(tmp_path / "a.csv", ns=(0, file.signature[2]))  # as a copy that keeps the time would leave it
    with pytest.raises(InputRefused, match="changed since it was read"):
        ingest.confirm("visits", file)


def test_what_can_be_read_only_once_is_read_twice(tmp_path: Path, policy: Policy):
    os.mkfifo(tmp_path / "pipe.csv")
    writer = threading.Thread(target=(tmp_path / "pipe.csv").write_text, args=[TEXT])
    writer.start()
    (part,), _ = reading.parts("visits", (str(tmp_path / "pipe.csv"),))
    first, second = (list(ingest.read_part(part, policy)) for _ in range(2))
    writer.join()
    assert isinstance(first[0], ingest.Chunk) and isinstance(second[0], ingest.Chunk)
    assert first[0].frame.height == 1 and first[0].frame.equals(second[0].frame)
    assert first[1] == second[1]


def test_a_file_that_fails_while_it_is_read_is_refused(tmp_path: Path):
    (tmp_path / "calls.csv").write_text("x")
    says = r"calls: cannot be read \(Input/output error\)"
    with pytest.raises(InputRefused, match=says), files.opened("calls", tmp_path / "calls.csv"):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
