"""Files that are read whole: devices are refused, pipes are read up to a size and not waited for without end."""

import os
import sqlite3
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from auditor import identity, small_files
from auditor import policy as policies
from auditor.cases import reviewed
from auditor.errors import AuditError


def listed(path: Path) -> object:
    own = path.parent / "own.toml"
    own.write_text(f'lists.procedures = {{file = "{path}"}}')
    return policies.load(str(own))


READERS: dict[str, Callable[[Path], object]] = {
    "policy": lambda path: policies.load(str(path)),
    "key": identity.read_key,
    "list": listed,
    "workbook": lambda path: reviewed.import_workbook(sqlite3.connect(":memory:"), path, "Ann", date(2026, 5, 4)),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_what_may_have_no_end_is_refused(
    read: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_files, "_PATIENCE", 0.05)
    os.mkfifo(tmp_path / "pipe")
    for path, says in (
        (Path("/dev/zero"), "not a regular file"),
        (tmp_path / "pipe", "a pipe into which nobody writes"),
    ):
        with pytest.raises(AuditError, match=says):
            read(path)


def test_a_pipe_is_read_to_its_end_or_its_limit(tmp_path: Path) -> None:
    for limit, content in ((10, b"0123456789"), (9, None)):
        end, start = os.pipe()
        os.write(start, b"0123456789")
        os.close(start)
        if content is None:
            with pytest.raises(OSError, match="larger than 9 bytes"):
                small_files.read(Path(f"/dev/fd/{end}"), limit)
        else:
            assert small_files.read(Path(f"/dev/fd/{end}"), limit) == content
        os.close(end)


def test_a_plain_file_is_no_link(tmp_path: Path) -> None:
    (tmp_path / "note").write_text("x")
    (tmp_path / "link").symlink_to("note")
    assert small_files.read(tmp_path / "link", 9) == small_files.read(tmp_path / "note", 9, plain=True) == b"x"
    with pytest.raises(OSError):
        small_files.read(tmp_path / "link", 9, plain=True)


def test_a_regular_file_that_would_wait_has_no_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "kmsg")
    writer = os.open(tmp_path / "kmsg", os.O_RDWR)
    monkeypatch.setattr(small_files.stat, "S_ISREG", lambda mode: True)
    monkeypatch.setattr(small_files.stat, "S_ISFIFO", lambda mode: False)
    with pytest.raises(OSError, match="without an end"):
        small_files.read(tmp_path / "kmsg", 9)
    os.close(writer)
