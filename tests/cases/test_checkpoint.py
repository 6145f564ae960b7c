"""A proof that starts at the last run's checkpoint: it replays nothing before it, and hides no damage."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from auditor.cases import chain, checkpoint, decide, ledger_update, proof, replay, store
from auditor.cases.ledger_update import LedgerUpdate
from tests.cases.test_ledger import GOOD, LONG, MARKED_ABSENT, SELECTED, SHORT, LedgerRuns

CHANGED = SHORT.replace(",30", ",29")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of three runs, with decisions before and after the last, and an assignment."""
    runs = LedgerRuns(tmp_path_factory.mktemp("checkpoint"))
    runs.run(SHORT, LONG, GOOD, visits=MARKED_ABSENT)
    runs.decide("1", "confirmed")
    runs.run(CHANGED, LONG, visits=MARKED_ABSENT)
    runs.run(CHANGED, LONG, visits=MARKED_ABSENT)
    runs.decide("1", "refunded")
    runs.decide("1", "refunded")
    runs.decide("2", "dismissed")
    runs.decide("2", "open")
    with store.opened(runs.path) as ledger, store.writing(ledger):
        decide.assign(ledger, [3], "Bea", "Ann")
    return runs.path


@pytest.fixture
def copy(sound: Path, tmp_path: Path) -> Path:
    with closing(sqlite3.connect(sound)) as ledger, closing(sqlite3.connect(tmp_path / store.NAME)) as target:
        ledger.backup(target)
    return tmp_path / store.NAME


def replays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "replay", lambda _: pytest.fail("the whole history was replayed"))


def test_nothing_before_the_checkpoint_is_replayed(copy: Path, monkeypatch: pytest.MonkeyPatch):
    replays_nothing(monkeypatch)
    with store.opened(copy) as ledger:
        assert proof.fault_of(ledger, copy, None) is None


EDITS = {
    "entry of the past": "UPDATE history SET by = by || 'x' WHERE number = 1",
    "details of the past": "UPDATE history SET details = replace(details, '30', '31') WHERE what = 'changed'",
    "bytes for a text": "UPDATE history SET at = CAST(at AS BLOB) WHERE number = 2",
    "more behind a zero byte": "UPDATE history SET by = by || char(0) || 'x' WHERE number = 2",
    "checkpoint of the past": "UPDATE history SET details = replace(details, 'a', 'b') WHERE number = 3",
    "last checkpoint": f"UPDATE history SET details = replace(details, 'a', 'b') WHERE what = '{checkpoint.EVENT}'",
    "entry before the first": "INSERT INTO history SELECT -4, at, by, what, finding, details, previous, hash FROM history LIMIT 1",
    "entry behind the last": "INSERT INTO history SELECT 99, at, by, what, finding, details, previous, hash FROM history LIMIT 1",
    "no checkpoint": f"DELETE FROM history WHERE what = '{checkpoint.EVENT}'",
    "decision since": "UPDATE history SET details = replace(details, 'a', 'b') WHERE number = (SELECT max(number) FROM history)",
    "decision since is gone": "DELETE FROM history WHERE number > (SELECT max(number) FROM history WHERE what = 'checkpoint')",
    "mark": "UPDATE cases SET mark = 'resolved' WHERE number = 3",
    "facts": "UPDATE cases SET facts = replace(facts, 'P1', 'P7') WHERE number = 1",
    "claim": "UPDATE cases SET claim_id = 'K9' WHERE number = 2",
    "reason it is not seen": "UPDATE cases SET why = 'forged' WHERE number = 3",
    "state of an open case": "UPDATE cases SET state = 'dismissed' WHERE number = 3",
    "state as bytes": "UPDATE cases SET state = CAST(state AS BLOB) WHERE number = 3",
    "last day": "UPDATE cases SET until = '2026-06-01' WHERE number = 3",
    "state that was decided since": "UPDATE cases SET reason = 'another' WHERE number = 1",
    "refund": "UPDATE cases SET refunded_amount = '9.00' WHERE number = 1",
    "rows swapped": "UPDATE cases SET number = CASE number WHEN 1 THEN 99 ELSE 1 END WHERE number < 3",
    "case gone": "DELETE FROM cases WHERE number = 3",
    "run": "UPDATE runs SET version = 'x' WHERE number = 1",
    "run more": "INSERT INTO runs SELECT 9, 'run9', started, version, policy_sha256, inputs_sha256, as_of, counts, 1 FROM runs LIMIT 1",
    "claim that waits": "INSERT INTO undecided VALUES ('K9', '1', '98968', '2026-05-09T00:00:00.000000Z', 'LAH001', 1)",
}  # fmt: skip


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_no_edit_is_hidden(edit: str, copy: Path):
    with store.opened(copy) as ledger:
        assert checkpoint.holds(ledger)
        for trigger in ("history_is_kept", "history_is_fixed"):
            ledger.execute(f"DROP TRIGGER {trigger}")
        before = ledger.total_changes
        ledger.execute(edit)
        assert ledger.total_changes > before
        assert not checkpoint.holds(ledger)
        assert proof.fault_of(ledger, copy, None)


def forged(ledger: sqlite3.Connection) -> None:
    """A mark that no run gave, chained as it should be."""
    chain.append(ledger, [chain.Entry("audit", "resolved", "DUR001:K1:1:98968", '{"run": "run3", "why": null}')])


def chained(ledger: sqlite3.Connection, change: Callable[[dict[str, str]], object]) -> None:
    """The last checkpoint with other digests, and hashes that fit from there on."""
    rows = ledger.execute("SELECT * FROM history ORDER BY number").fetchall()
    place = max(at for at, row in enumerate(rows) if row[3] == checkpoint.EVENT)
    sums = json.loads(rows[place][5])
    change(sums)
    rows[place] = (*rows[place][:5], json.dumps(sums), *rows[place][6:])
    ledger.execute("DROP TRIGGER history_is_kept")
    ledger.execute("DELETE FROM history WHERE number > ?", (place,))
    for row in rows[place:]:
        chain.append(ledger, [chain.Entry(*row[2:6])])


def test_a_mark_that_was_entered_since_is_replayed(copy: Path):
    with store.opened(copy) as ledger:
        forged(ledger)
        assert not checkpoint.holds(ledger)
        assert "does not stand" in str(proof.fault_of(ledger, copy, None))


def test_a_checkpoint_of_the_past_still_holds_where_a_later_one_was_written_anew(copy: Path):
    with store.opened(copy) as ledger:
        ledger.execute("DROP TRIGGER history_is_fixed")
        ledger.execute("UPDATE history SET by = 'Eve' WHERE number = 2")
        chained(ledger, lambda sums: None)
        assert not any(chain.faults(ledger, 4))
        assert not checkpoint.holds(ledger)


@pytest.mark.parametrize("name", ["history", "cases", "states", "runs", "undecided"])
def test_every_digest_counts(name: str, copy: Path):
    with store.opened(copy) as ledger:
        chained(ledger, lambda sums: sums.update({name: "0" * 64}))
        assert not any(chain.faults(ledger))
        assert not checkpoint.holds(ledger)
        assert proof.fault_of(ledger, copy, None) is None  # the whole proof says that the ledger holds


def test_a_ledger_without_a_checkpoint_is_proved_whole_and_gets_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    runs = LedgerRuns(tmp_path)
    with monkeypatch.context() as earlier:
        earlier.setattr(checkpoint, "entry", lambda _: chain.Entry("Ann", "note", "DUR001:K1:1:98968", '{"text": "x"}'))
        runs.run(SHORT)
    with store.opened(runs.path) as ledger:
        assert not checkpoint.holds(ledger)
        assert proof.fault_of(ledger, runs.path, None) is None
    runs.run(SHORT)
    replays_nothing(monkeypatch)
    with store.opened(runs.path) as ledger:
        assert proof.fault_of(ledger, runs.path, None) is None


def test_a_row_that_does_not_change_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    runs, written, enter = LedgerRuns(tmp_path), list[int](), ledger_update.enter_run

    def counted(ledger: sqlite3.Connection, *given: Any) -> LedgerUpdate:
        before = ledger.total_changes
        update = enter(ledger, *given)
        written.append(ledger.total_changes - before)
        return update

    monkeypatch.setattr(ledger_update, "enter_run", counted)
    for row in (SHORT, SHORT, CHANGED):
        runs.run(row, LONG, GOOD, as_of="2026-03-11T12:00:00", selected=(*SELECTED, "LAH001"))
    with store.opened(runs.path) as ledger:
        assert ledger.execute("SELECT count(*) FROM undecided").fetchone()[0] > 0
    entered = 3  # the run, its entry and its checkpoint
    assert written[1:] == [entered, entered + 2]  # a case, and its entry
