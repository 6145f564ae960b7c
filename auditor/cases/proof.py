"""Whether a ledger holds: its chain, its cases against the history, and the runs in the output folder, which are evidence.

A run folder says which history its run saw. A run that the ledger does not have was killed after it was published, or the
ledger is an older copy; the note of the last run that was entered distinguishes them.
"""

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

from auditor import small_files
from auditor.cases import chain, checkpoint, replay, store
from auditor.cases.chain import Entry
from auditor.errors import LedgerDamaged, OutputFailed
from auditor.run_summary import LedgerPart
from auditor.runs import past

_REMEDIES = "rebuild it from the run folders with `audit98968 cases restore`, or start another with --ledger new"
_ENTERED = ".entered"
"""In an output folder: the last run that its ledger has."""
_NOTHING = "none"
"""The note before the first run of a ledger is entered."""
_LONGEST_NOTE = 200
_WHY = "it was cut short or written anew, or that run was killed before the ledger had it, and its folder may go"
_UNREADABLE = LedgerPart(head="unreadable")
"""Of a run that had a ledger and whose summary cannot be read."""


def faults(connection: sqlite3.Connection, folder: Path) -> Iterator[str]:
    """Everything that does not hold: the file, the chain, the cases against their history, the runs against the chain."""
    if connection.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok":
        yield "the file is damaged"
        return
    if fault := store.schema_fault(connection):
        yield fault
    with store.reading(connection):
        history = list(_history_faults(connection))
    yield from history
    runs: dict[str, LedgerPart] = {}
    for run in past.folders(folder):
        runs[run.name] = _recorded_by(run)
        if runs[run.name] is _UNREADABLE:
            yield f"run {run.name}: its summary.json cannot be read"
            del runs[run.name]
    for stranger in _foreign_runs(connection, runs, folder):
        yield f"run {stranger} saw a history that is not this one; {_WHY}"


def _history_faults(connection: sqlite3.Connection) -> Iterator[str]:
    try:
        yield from chain.faults(connection)
        yield from replay.faults(connection)
    except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError):
        yield "the history has an entry that this program did not write"


def _recorded_by(run: Path) -> LedgerPart:
    """What a run recorded of the ledger."""
    try:
        return past.read(run / "summary.json").ledger
    except (OSError, ValueError):
        return _UNREADABLE if (run / "cases.parquet").exists() else LedgerPart()


def _evidence(out: Path, entered: set[str]) -> dict[str, LedgerPart]:
    """What the runs in a folder saw: all that the ledger does not have, and the newest of the others."""
    runs: dict[str, LedgerPart] = {}
    has_one_of_ours = False
    for run in reversed(past.folders(out)):
        if run.name not in entered:
            runs[run.name] = _recorded_by(run)
        elif not has_one_of_ours and (recorded := _recorded_by(run)) is not _UNREADABLE:
            runs[run.name] = recorded
            has_one_of_ours = recorded.head is not None
    return runs


def _foreign_runs(connection: sqlite3.Connection, runs: Mapping[str, LedgerPart], out: Path) -> Iterator[str]:
    """The runs that saw another history: their last hash is not in this one, and they did not die before it had them.

    Without a note of a run that the ledger has, nobody knows that a run died.
    """
    hashes = {hash for recorded in runs.values() for hash in (recorded.head, recorded.began) if hash}
    with store.reading(connection):
        known_hashes = chain.known_hashes(connection, hashes) | {chain.START}
        entered = _entered_runs(connection)
    noted = last_noted(out)
    for run, recorded in runs.items():
        died = noted in {*entered, _NOTHING} and run not in entered and recorded.began in known_hashes
        if recorded.head and recorded.head not in known_hashes and not died:
            yield run


def _entered_runs(connection: sqlite3.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT run_id FROM runs")}


def require_sound_ledger(connection: sqlite3.Connection, path: Path, out: Path | None) -> None:
    """Refuse a ledger that does not hold, or that is not the one that the runs in `out` saw. Raises LedgerDamaged."""
    if fault := fault_of(connection, path, out):
        raise LedgerDamaged(fault)


def fault_of(connection: sqlite3.Connection, path: Path, out: Path | None) -> str | None:
    """What is wrong with a ledger, and what to do; None: it holds."""
    with store.reading(connection):
        fault = None if checkpoint.holds(connection) else next(_history_faults(connection), None)
        entered = _entered_runs(connection)
    if fault:
        return (
            f"{path}: the ledger is damaged: {fault}; `audit98968 cases verify` lists all faults, `audit98968 cases repair` "
            "rebuilds the cases from the history"
        )
    if not out:
        return None
    runs = _evidence(out, entered)
    if run := next((name for name, recorded in runs.items() if recorded is _UNREADABLE), None):
        return f"{out}/{run}/summary.json: cannot be read, and says which ledger it saw; put it back, {_REMEDIES}"
    if run := next(_foreign_runs(connection, runs, out), None):
        return f"{path}: not the ledger that the run {run} saw, or an older copy of it; put that one back, {_REMEDIES}"
    return None


def require_no_ledger(path: Path, out: Path | None) -> None:
    """Refuse to begin a ledger where a run in `out` had one. Raises LedgerDamaged."""
    if out:
        last_noted(out)
    for run in reversed(past.folders(out)) if out else ():
        if _recorded_by(run).head:
            raise LedgerDamaged(f"{path}: the ledger that the run {run.name} saw is gone; put it back, {_REMEDIES}")


def begin(connection: sqlite3.Connection, out: Path | None) -> None:
    """Write into the history of a ledger that begins anew which hashes the runs in `out` saw of those before it."""
    if out and (heads := [head for run in past.folders(out) if (head := _recorded_by(run).head)]):
        with store.writing(connection):
            chain.append(connection, [Entry("audit", "began", details=json.dumps({"heads": heads}))])


def note_begun(out: Path, *, anew: bool) -> None:
    """Note, where no run is noted yet or the ledger begins anew, that none is entered: one that dies now is not missed."""
    if not last_noted(out) or anew:
        note_entered(out, _NOTHING)


def note_entered(out: Path, run: str) -> None:
    """Keep in an output folder which run its ledger has last, so that an older copy of it is known for what it is."""
    unfinished = out / ".unfinished-entered"
    with contextlib.suppress(OSError):  # the run is published, and the ledger has it
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            stream.write(run)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(out / _ENTERED)


def last_noted(out: Path) -> str:
    """The run that is noted, if any. Raises OutputFailed for a link, a pipe or a folder in the place of the note."""
    path = out / _ENTERED
    try:
        return small_files.read(path, _LONGEST_NOTE, plain=True).decode()
    except FileNotFoundError:
        return ""
    except (OSError, ValueError):
        raise OutputFailed(f"{path}: not the note of the last run, which is a small file; remove it") from None
