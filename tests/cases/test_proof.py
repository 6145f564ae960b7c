"""What a ledger must not hide: a changed schema, an older copy, a note that is a link, decisions into damage."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import pytest

from auditor.cases import proof, restore, store
from auditor.errors import AuditError, InputRefused, LedgerDamaged, UsageError
from auditor.reports import folder as publishing
from auditor.run_summary import LedgerPart
from auditor.runs import past
from auditor.sampling import frame, reviewed_sample
from cli import run as running
from tests.cases.test_repair import CALLS, VISITS, cases, current, decided, edited
from tests.support.catalogue import command


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exports, and an output folder with two runs and a decision between them."""
    folder = tmp_path_factory.mktemp("proof")
    (folder / "calls.csv").write_text(CALLS)
    (folder / "visits.csv").write_text(VISITS)
    assert run(folder) == 0
    decided(folder / "out")
    edited(folder / "out", "PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(folder / "out" / store.NAME, folder / "older.sqlite")
    assert run(folder) == 0
    edited(folder / "out", "PRAGMA wal_checkpoint(TRUNCATE)")
    return folder


@pytest.fixture
def out(folder: Path, tmp_path: Path) -> Path:
    """A copy of that output folder, beside its exports."""
    shutil.copytree(folder, tmp_path, symlinks=True, dirs_exist_ok=True)
    return tmp_path / "out"


def run(folder: Path, *more: str) -> int:
    paths = ["--calls", str(folder / "calls.csv"), "--visits", str(folder / "visits.csv")]
    fixed = ["--timezone", "UTC", "--fail-on", "never", "--write", "none", "--format", "none", "--quiet"]
    return command(["run", *paths, *fixed, "--out", str(folder / "out"), *more])


def prove(out: Path) -> None:
    path = out / store.NAME
    with store.opened(path) as ledger:
        proof.require_sound_ledger(ledger, path, out)


def test_what_is_sound_holds(out: Path) -> None:
    prove(out)


REDEFINED = {
    "view": (
        "DROP VIEW current_cases",
        "CREATE VIEW current_cases AS SELECT number, finding_id, rule, claim_id, claim_line, cpt_code, facts, first_run, why,"
        " marked_run, 'dismissed' AS state, reviewer, reason, decided_on, until, confirmed_on, investigated_from,"
        " investigated_to, reopened_from, decided_outcome, decided_amount, decided_record, refunded_amount, last_run, mark"
        " FROM cases",
    ),
    "trigger is gone": ("DROP TRIGGER history_is_kept",),
    "trigger of another": ("CREATE TRIGGER x AFTER INSERT ON cases BEGIN UPDATE cases SET state = 'dismissed'; END",),
    "index": ("DROP INDEX history_of", "CREATE INDEX history_of ON history (number)"),
}
TABLES = {
    "column": ("ALTER TABLE undecided RENAME COLUMN unknowns TO known",),
    "column more": ("ALTER TABLE cases ADD COLUMN more TEXT",),
    "table is a view": ("ALTER TABLE undecided RENAME TO u", "CREATE VIEW undecided AS SELECT * FROM u WHERE 0"),
    "table more": ("CREATE TABLE more (x)",),
    "version": (
        "DROP VIEW current_cases",
        "CREATE VIEW current_cases AS SELECT * FROM cases",
        "PRAGMA user_version = 0",
    ),
}


@pytest.mark.parametrize("damage", REDEFINED.values(), ids=REDEFINED)
def test_a_changed_schema_is_damage_and_made_anew(damage: tuple[str, ...], out: Path) -> None:
    before = cases(out)
    edited(out, *damage)
    with pytest.raises(LedgerDamaged, match="cases repair"):
        prove(out)
    assert command(["cases", "verify", str(out)]) == 3
    assert command(["cases", "repair", str(out)]) == 0
    assert cases(out) == before
    prove(out)


@pytest.mark.parametrize("damage", TABLES.values(), ids=TABLES)
def test_a_changed_table_is_damage(damage: tuple[str, ...], out: Path) -> None:
    edited(out, *damage)
    with pytest.raises(LedgerDamaged, match="the ledger is damaged: "):
        prove(out)


def test_a_statistic_of_sqlite_is_no_damage(out: Path) -> None:
    edited(out, "ANALYZE")
    prove(out)


def unlinked(out: Path) -> None:
    (out / "latest").unlink()


def led_nowhere(out: Path) -> None:
    unlinked(out)
    (out / "latest").symlink_to("nowhere")


def led_back(out: Path) -> None:
    first = min(out.glob("2*")).name
    unlinked(out)
    (out / "latest").symlink_to(first)


def unreadable(out: Path) -> None:
    (out / "latest" / "summary.json").write_text("{")


HIDDEN = {"as it is": lambda out: None, "no latest": unlinked, "latest leads nowhere": led_nowhere, "latest is led back": led_back,
          "summary cannot be read": unreadable}  # fmt: skip
NOTES = {"noted": lambda note: None, "no note": Path.unlink, "empty note": lambda note: note.write_text("")}


@pytest.mark.parametrize("note", NOTES.values(), ids=NOTES)
@pytest.mark.parametrize("hide", HIDDEN.values(), ids=HIDDEN)
def test_an_older_copy_or_none_is_not_taken(
    hide: Callable[[Path], None], note: Callable[[Path], None], out: Path, tmp_path: Path
) -> None:
    hide(out)
    note(out / ".entered")
    shutil.copy(tmp_path / "older.sqlite", out / store.NAME)
    with pytest.raises(LedgerDamaged):
        prove(out)
    (out / store.NAME).write_bytes(b"")
    with pytest.raises(LedgerDamaged), store.opened(out / store.NAME, create=True) as ledger:
        proof.require_sound_ledger(ledger, out, out)
    (out / store.NAME).unlink()
    with pytest.raises(LedgerDamaged, match="is gone"):
        proof.require_no_ledger(out / store.NAME, out)


def test_a_run_that_died_before_it_was_entered_is_no_damage(out: Path, tmp_path: Path) -> None:
    first, second = sorted(path.name for path in out.glob("2*"))
    shutil.copy(tmp_path / "older.sqlite", out / store.NAME)
    (out / ".entered").write_text(first)
    prove(out)
    shutil.rmtree(out / first)
    (out / store.NAME).unlink()
    with store.opened(out / store.NAME, create=True):
        pass
    with pytest.raises(LedgerDamaged, match=second):
        prove(out)


def test_a_first_run_that_died_is_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "calls.csv").write_text(CALLS)
    (tmp_path / "visits.csv").write_text(VISITS)

    def publish_and_die(*given: Any) -> None:
        publish(*given)
        raise SystemExit(9)

    publish = publishing.publish
    with monkeypatch.context() as patched:
        patched.setattr(publishing, "publish", publish_and_die)
        assert run(tmp_path) == 9
    assert len(list((tmp_path / "out").glob("2*"))) == 1
    assert run(tmp_path) == 0


def test_another_ledger_knows_the_runs_before_it(out: Path, tmp_path: Path) -> None:
    assert run(tmp_path, "--ledger", "new") == 0
    assert command(["cases", "verify", str(out)]) == 0
    assert run(tmp_path) == 0
    (out / "latest").unlink()
    prove(out)


def linked(note: Path) -> None:
    note.rename(note.parent.parent / "elsewhere")
    note.symlink_to(note.parent.parent / "elsewhere")


def piped(note: Path) -> None:
    note.unlink()
    os.mkfifo(note)


def foldered(note: Path) -> None:
    note.unlink()
    note.mkdir()


@pytest.mark.parametrize("spoil", [linked, piped, foldered])
def test_a_note_that_is_no_file_stops_the_run_at_once(spoil: Callable[[Path], None], out: Path, tmp_path: Path) -> None:
    spoil(out / ".entered")
    with pytest.raises(AuditError, match=r"/\.entered: not the note of the last run"):
        prove(out)
    with pytest.raises(AuditError, match=r"/\.entered: not the note of the last run"):
        proof.require_no_ledger(tmp_path / "another.sqlite", out)


def test_a_note_is_not_written_through_a_link(out: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("kept")
    (out / ".entered").unlink()
    os.link(elsewhere, out / ".entered")
    proof.note_entered(out, "run")
    assert (elsewhere.read_text(), (out / ".entered").read_text()) == ("kept", "run")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("decide", "confirmed", "2", "--by", "Ann", "--reason", "read"), 4),
        (("note", "2", "asked", "--by", "Ann"), 4),
        (("import", "{out}/latest/report.xlsx", "--by", "Ann"), 4),
        (("list",), 0),
        (("export",), 0),
        (("show", "2"), 0),
    ],
    ids=lambda words: words[0] if isinstance(words, tuple) else "",
)
def test_damage_is_reported_by_every_command(
    words: tuple[str, ...], code: int, out: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    edited(out, "UPDATE cases SET state = 'open' WHERE number = 1")
    before = (out / store.NAME).read_bytes()
    name, *rest = (word.format(out=out) for word in words)
    assert command(["cases", name, str(out), *rest]) == code
    assert "the ledger is damaged: case 1 does not stand" in capfd.readouterr().err
    assert (out / store.NAME).read_bytes() == before


def at(monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """Set the clock of the next runs."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.fromisoformat(moment).replace(tzinfo=tz)

    monkeypatch.setattr(running, "datetime", Clock)


def test_a_clock_that_went_back_loses_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    (tmp_path / "calls.csv").write_text(CALLS)
    (tmp_path / "visits.csv").write_text(VISITS)
    at(monkeypatch, "2026-05-10T02:00:00")
    assert run(tmp_path) == 0
    decided(out)
    at(monkeypatch, "2026-05-09T02:00:00")
    assert run(tmp_path) == 0
    before = current(out)
    (out / store.NAME).unlink()
    assert command(["cases", "restore", str(out)]) == 0
    assert current(out) == before
    prove(out)
    assert run(tmp_path) == 0


def test_two_runs_in_one_millisecond_have_two_folders(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, "2026-05-10T02:00:00")
    assert run(tmp_path) == run(tmp_path) == 0
    assert [path.name[:19] for path in sorted(out.glob("20260510*"))] == ["20260510T020000000Z", "20260510T020000001Z"]


def part(number: int, before: str | None) -> LedgerPart:
    return LedgerPart(run=number, previous_run=before)


@pytest.mark.parametrize(
    ("runs", "last", "order"),
    [
        ({"b": part(1, None), "a": part(2, "b")}, ("a", "a"), "ba"),
        ({"b": part(1, None), "a": part(2, "b")}, ("", ""), "ba"),
        ({"a": part(1, None), "died": part(2, "a"), "c": part(2, "a")}, ("c", "c"), "ac"),
        ({"a": part(1, None), "c": part(3, "gone")}, ("c", "c"), "ac"),
        ({"a": part(1, None), "b": part(2, "a"), "c": part(1, None)}, ("c", "c"), "c"),
        ({"c": part(1, None), "a": part(1, None), "b": part(2, "a")}, ("", "b"), "ab"),
        ({"a": part(2, "b"), "b": part(1, "a")}, ("a", "a"), ""),
    ],
    ids=["clock back", "nothing noted", "died", "folder gone", "another ledger", "by latest", "forged"],
)
def test_runs_are_restored_in_the_order_of_the_ledger(
    runs: dict[str, LedgerPart], last: tuple[str, str], order: str
) -> None:
    assert restore._last_chain(runs, last) == [*order]


@pytest.mark.parametrize("words", [("list",), ("list", "--format", "json"), ("export",), ("show", "1")], ids=" ".join)
def test_values_that_cannot_be_read_are_damage(
    words: tuple[str, ...], out: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    edited(out, "UPDATE cases SET confirmed_on = 'x', decided_amount = x'00' WHERE number = 1")
    assert command(["cases", words[0], str(out), *words[1:]]) == 4
    assert "its cases have values that this program did not write" in capfd.readouterr().err


def test_a_version_before_the_first_is_no_version(out: Path) -> None:
    edited(out, "PRAGMA user_version = -1")
    with pytest.raises(InputRefused, match="unreleased version"):
        prove(out)


def test_an_emptied_ledger_stays_empty(out: Path, tmp_path: Path) -> None:
    (out / store.NAME).write_bytes(b"")
    assert run(tmp_path) == 4
    assert (out / store.NAME).read_bytes() == b""


def test_an_archived_ledger_keeps_the_files_beside_it(out: Path) -> None:
    (out / store.NAME).write_bytes(b"damaged" * 999)
    (out / f"{store.NAME}-journal").mkdir()
    (out / f"{store.NAME}-wal").write_bytes(b"entries")
    archived = store.archive(out / store.NAME)
    assert archived is not None
    assert archived.with_name(f"{archived.name}-wal").read_bytes() == b"entries"
    assert not list(out.glob(f"{store.NAME}*"))


def test_files_of_a_run_that_are_pipes_are_not_read(out: Path) -> None:
    latest = (out / "latest").resolve()
    for name in ("summary.json", "claims.parquet"):
        piped(latest / name)
    with pytest.raises(OSError, match="not a regular file"):
        past.read(latest / "summary.json")
    with pytest.raises(OSError, match="not a regular file"):
        past.scan(latest, "claims")
    with pytest.raises(InputRefused, match=r"cannot be read \(OSError\)"):
        frame._read(latest)
    with pytest.raises(UsageError, match="not a regular file"):
        reviewed_sample._bytes(Path("/dev/zero"))
