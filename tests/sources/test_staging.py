"""Sources of other kinds are staged: read once, digested, named as the user names them."""

import sys
from datetime import datetime
from types import ModuleType

import polars as pl
import pytest

from auditor.errors import InputRefused, OutputFailed, UsageError
from auditor.parsing.typed_chunk import type_table
from auditor.policy import load
from auditor.reading import kinds
from auditor.reading.chunks import read_parts
from auditor.reading.files import expand
from auditor.sources import staging
from auditor.sources.source import RECORD, Source, require_extra

KIND = kinds.Kind("letters", "letters_reader", suffixes=(".letters",), head=b"LETTERS", mark="#")


@pytest.fixture
def reader(monkeypatch):
    """A kind of source that has two visits in each file, its records numbered 7 and 9."""
    module = ModuleType("letters_reader")

    def read(table, locations, context):
        for location in locations:
            rows = [
                {
                    "visit_id": f"{location.within}{n}",
                    "patient_id": "p",
                    "visit_start": datetime(2026, 3, n),
                    RECORD: 5 + n,
                }
                for n in (2, 4)
            ]
            frames = (pl.DataFrame([row], schema_overrides={RECORD: pl.UInt32}) for row in rows)
            yield Source(location, frames, ["one sheet is hidden"], [f"sheet {location.within}"])

    module.read = read
    monkeypatch.setitem(sys.modules, "letters_reader", module)
    monkeypatch.setattr(kinds, "KINDS", (KIND,))
    return module


def staged(tmp_path, *paths):
    policy = load("default", lambda _, words: words)
    with staging.staged({"visits": expand("visits", paths)}, policy, tmp_path) as found:
        (folder,) = tmp_path.glob(".unfinished-*")
        assert oct(folder.stat().st_mode)[-3:] == "700"
        extract = read_parts("visits", found["visits"], policy)
    assert not folder.exists()
    return extract, type_table(extract, policy)


def test_a_source_is_read_as_its_reader_says(tmp_path, reader):
    """Its own record numbers and name, its kind and a digest; its warnings are those of the table."""
    (tmp_path / "a.letters").write_text("LETTERS")
    extract, table = staged(tmp_path, str(tmp_path / "a.letters"))
    (file,) = extract.files
    assert (file.path, file.kind, file.rows, file.bytes) == (str(tmp_path / "a.letters"), "letters", 2, 7)
    assert table.rows["source_record"].to_list() == [7, 9] and table.rows["source_file"].unique().to_list() == [
        file.path
    ]
    assert extract.warnings == (f"visits: {file.path}: one sheet is hidden",) and file.understood == ("sheet ",)
    again, _ = staged(tmp_path, str(tmp_path / "a.letters"))
    assert again.files[0].sha256 == file.sha256 != ""


def test_kinds_mix_with_csv_and_are_found_by_name_by_head_and_by_part(tmp_path, reader):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.letters").touch()
    (tmp_path / "data" / "b.csv").write_text("visit_id,patient_id,visit_start\nv,p,2026-03-01\n")
    (tmp_path / "other").write_text("LETTERS")
    paths = str(tmp_path / "data"), str(tmp_path / "other"), f"{tmp_path}/other#S"
    extract, table = staged(tmp_path, *paths)
    assert [file.kind for file in extract.files] == ["csv", "letters", "letters", "letters"]
    assert extract.files[-1].path == f"{tmp_path}/other#S"
    assert sorted(table.rows["visit_id"]) == ["2", "4", "S2", "S4", "v"]
    assert set(table.rejects["reason"]) == {"duplicate row"}


def test_a_source_that_changes_while_it_is_read_ends_the_run(tmp_path, reader):
    path = tmp_path / "a.letters"
    path.touch()
    read = reader.read

    def changing(table, locations, context):
        (source,) = read(table, locations, context)
        first, second = source.frames
        yield Source(source.location, _touching([first, second], path))

    reader.read = changing
    with pytest.raises(InputRefused, match="changed while it was read"):
        staged(tmp_path, str(path))


def _touching(frames, path):
    """The frames; the file changes between them."""
    for frame in frames:
        yield frame
        path.write_text("more")


def test_the_message_says_what_a_user_can_do():
    with pytest.raises(
        UsageError, match=r"no_such is not installed; install it with: pip install 'audit98968\[letters\]'"
    ):
        require_extra("letters", "os", "no_such")


def test_a_folder_that_cannot_be_written_is_named(tmp_path, reader):
    (tmp_path / "a.letters").touch()
    found = {"visits": expand("visits", (str(tmp_path / "a.letters"),))}
    with pytest.raises(OutputFailed, match="none: cannot be written"), staging.staged(found, load(), tmp_path / "none"):
        pass
