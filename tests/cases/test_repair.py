"""A damaged, lost, older or foreign ledger stops the run; `cases repair` makes the cases anew from the history."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from auditor.cases import replay, store
from tests.support.catalogue import command

CALLS = """call_id,patient_id,provider_id,call_start,call_minutes,cpt_code,billed_amount
K1,P1,D1,2026-03-02 09:00,12,98968,40
K2,P2,D1,2026-03-03 09:00,35,98968,40
K3,P3,D1,2026-03-04 09:00,25,98968,40
"""
VISITS = "visit_id,patient_id,visit_start,status\nV1,P3,2026-03-01 09:00,completed\nV2,P9,2026-04-20 09:00,completed\n"
LedgerRun = Callable[..., int]


@pytest.fixture
def ledger_run(tmp_path: Path) -> LedgerRun:
    """A run of the same exports in `out`."""
    (tmp_path / "calls.csv").write_text(CALLS)
    (tmp_path / "visits.csv").write_text(VISITS)

    def run(*more: str) -> int:
        paths = ["--calls", str(tmp_path / "calls.csv"), "--visits", str(tmp_path / "visits.csv")]
        fixed = ["--timezone", "UTC", "--fail-on", "never", "--write", "none", "--format", "none", "--quiet"]
        return command(["run", *paths, *fixed, "--out", str(tmp_path / "out"), *more])

    return run


def decided(out: Path) -> None:
    words = ["--by", "Ann", "--reason", "read the chart", "--on", "2026-05-04"]
    assert command(["cases", "decide", str(out), "confirmed", "1", *words]) == 0


def edited(out: Path, *statements: str) -> None:
    with closing(sqlite3.connect(out / store.NAME)) as ledger:
        for statement in statements:
            ledger.execute(statement)
        ledger.commit()


def cases(out: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(out / store.NAME)) as ledger:
        return ledger.execute("SELECT * FROM cases ORDER BY number").fetchall()


DAMAGE = [
    "DELETE FROM cases WHERE number = 1",
    "DELETE FROM cases WHERE number = 2",
    "UPDATE cases SET facts = replace(facts, '12', '25') WHERE number = 1",
    "UPDATE cases SET state = 'open', confirmed_on = NULL WHERE number = 1",
    "UPDATE cases SET facts = x'00ff' WHERE number = 2",
    "UPDATE runs SET as_of = NULL",
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_stops_the_run_and_is_repaired(
    damage: str, ledger_run: LedgerRun, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert ledger_run() == 0
    decided(out)
    assert ledger_run() == 0
    before = cases(out)
    edited(out, damage)
    there = sorted(out.iterdir())
    capfd.readouterr()
    assert ledger_run() == 4
    assert "the ledger is damaged" in (message_text := capfd.readouterr().err)
    assert "cases repair" in message_text
    assert sorted(out.iterdir()) == there
    assert command(["cases", "verify", str(out)]) == 3
    assert command(["cases", "repair", str(out)]) == 0
    assert cases(out) == before
    assert command(["cases", "verify", str(out)]) == 0
    assert len([*out.glob("ledger-before-repair-*.sqlite")]) == 1
    assert ledger_run() == 0


def test_an_edited_history_is_not_repaired(
    ledger_run: LedgerRun, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert ledger_run() == 0
    decided(out)
    edited(out, "DROP TRIGGER history_is_fixed", "UPDATE history SET by = 'Eve' WHERE what = 'decided'")
    assert ledger_run() == 4
    assert command(["cases", "repair", str(out)]) == 4
    assert "the history itself does not hold" in capfd.readouterr().err


def test_new_cases_need_the_folder_of_their_run(
    ledger_run: LedgerRun, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert ledger_run() == 0
    edited(out, "DELETE FROM cases WHERE number = 2")
    kept = (out / "latest").resolve()
    kept.rename(tmp_path / "elsewhere")
    assert command(["cases", "repair", str(out)]) == 4
    assert "the folder of the run" in capfd.readouterr().err
    (tmp_path / "elsewhere").rename(kept)
    assert command(["cases", "repair", str(out)]) == 0


def test_a_ledger_that_is_gone_is_missed(
    ledger_run: LedgerRun, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert ledger_run() == 0
    (out / store.NAME).rename(tmp_path / "kept.sqlite")
    assert ledger_run() == 4
    assert "is gone; put it back, rebuild it" in capfd.readouterr().err
    assert not (out / store.NAME).exists()
    assert ledger_run("--ledger", "none") == 0
    shutil.rmtree(out / "latest" / ".." / (out / "latest").resolve().name)
    assert ledger_run("--ledger", "new") == 0
    assert ledger_run() == 0


@pytest.mark.parametrize("other", ["older", "emptied", "foreign"])
def test_another_ledger_is_not_continued(
    other: str, ledger_run: LedgerRun, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert ledger_run() == 0
    edited(out, "PRAGMA wal_checkpoint(TRUNCATE)")
    older = (out / store.NAME).read_bytes()
    assert ledger_run() == 0
    edited(out, "PRAGMA wal_checkpoint(TRUNCATE)")
    if other == "foreign":
        out.rename(tmp_path / "first")
        assert ledger_run() == 0
        edited(out, "PRAGMA wal_checkpoint(TRUNCATE)")
        older = (out / store.NAME).read_bytes()
        shutil.rmtree(out)
        (tmp_path / "first").rename(out)
    (out / store.NAME).write_bytes(b"" if other == "emptied" else older)
    assert ledger_run() == 4
    assert ("is gone" if other == "emptied" else "not the ledger that the run") in capfd.readouterr().err
    assert ledger_run("--ledger", "new") == 0
    assert len([*out.glob("ledger-until-*.sqlite")]) == 1
    assert ledger_run() == 0


def test_a_table_that_is_missing_is_damage(
    ledger_run: LedgerRun, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert ledger_run() == 0
    edited(out, "DROP TABLE undecided")
    assert ledger_run() == 4
    assert "the ledger is damaged: the table undecided is missing" in capfd.readouterr().err
    assert command(["cases", "list", str(out)]) == 4


def current(out: Path) -> list[tuple[object, ...]]:
    """Every case as it stands; by which run a mark was given before the last is not known any more."""
    with closing(sqlite3.connect(out / store.NAME)) as ledger:
        ledger.row_factory = sqlite3.Row
        rows = [dict(row) for row in ledger.execute("SELECT * FROM current_cases ORDER BY number")]
    return [tuple(value for name, value in row.items() if name != "marked_run") for row in rows]


def test_a_ledger_that_is_gone_is_restored_from_the_runs(
    ledger_run: LedgerRun, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert ledger_run() == 0
    decided(out)
    (tmp_path / "calls.csv").write_text(CALLS.replace(",35,", ",25,"))
    assert ledger_run() == 0
    (tmp_path / "calls.csv").write_text(CALLS.replace(",35,", ",25,") + "K5,P5,D1,2026-03-06 09:00,10,98968,40\n")
    assert ledger_run() == 0
    before = current(out)
    (out / store.NAME).unlink()
    assert ledger_run() == 4
    assert "cases restore" in capfd.readouterr().err
    latest = (out / "latest").readlink()
    (out / "latest").unlink()
    (out / "latest").symlink_to("latest")
    assert command(["cases", "restore", str(out)]) == 0
    (out / "latest").unlink()
    (out / "latest").symlink_to(latest)
    assert f"{len(before)} cases restored from 3 runs" in capfd.readouterr().out
    assert current(out) == before
    assert command(["cases", "verify", str(out)]) == 0
    assert command(["cases", "show", str(out), "1"]) == 0
    (tmp_path / "calls.csv").write_text(CALLS)
    assert ledger_run() == 0
    assert command(["cases", "verify", str(out)]) == 0
    with closing(sqlite3.connect(out / store.NAME)) as ledger:
        marks = dict(ledger.execute("SELECT number, mark FROM current_cases"))
        assert ledger.execute("SELECT state FROM cases WHERE number = 1").fetchone() == ("confirmed",)
    assert marks[2] == "reopened"  # it had been resolved in the second of three runs


def test_a_restored_ledger_knows_runs_whose_folders_are_gone(ledger_run: LedgerRun, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert ledger_run() == 0
    first = (out / "latest").resolve()
    (tmp_path / "visits.csv").write_text(VISITS + "V8,P9,2026-04-19 09:00,completed\n")
    assert ledger_run() == 0
    shutil.rmtree(first)
    assert command(["cases", "restore", str(out)]) == 0
    assert command(["cases", "verify", str(out)]) == 0
    assert len(list(out.glob("ledger-until-*.sqlite"))) == 1
    assert ledger_run() == 0


def test_nothing_to_restore_from(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").mkdir()
    assert command(["cases", "restore", str(tmp_path / "out")]) == 3
    assert "no run with cases here" in capfd.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir() if path.name != ".lock"] == []


def test_a_decision_while_the_ledger_is_proved_is_no_damage(
    ledger_run: LedgerRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ledger_run() == 0
    reported = replay.replay

    def slow(connection: sqlite3.Connection) -> replay.Replay:
        history = reported(connection)
        monkeypatch.undo()
        decided(tmp_path / "out")
        return history

    monkeypatch.setattr(replay, "replay", slow)
    assert ledger_run() == 0
