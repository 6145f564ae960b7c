"""A checkpoint: the last entry of each run, with digests of the ledger, so that the next proof replays no entry before it.

It has the SHA-256 of the entries since the checkpoint before it, and of the tables as the run leaves them, and is chained
like every entry: whoever writes it anew changes the hash that the run's summary.json has. What was decided since is
replayed, case by case. Where this short proof does not hold, the whole one says why, or that the ledger holds nevertheless.
"""

import hashlib
import json
import sqlite3
from dataclasses import astuple

from auditor.cases import chain
from auditor.cases.chain import FIRST, Entry
from auditor.cases.states import COLUMNS, HAS_STATE, State, after

EVENT = "checkpoint"
_END = (1 << 63) - 1
_ROWS = 1 << 13
"""Rows that are read at once."""
_MADE_BY_PEOPLE = {"decided", "assigned", "note"}
"""What may follow a checkpoint."""
_OPEN = astuple(State())


def entry(connection: sqlite3.Connection) -> Entry:
    """The checkpoint of a run that is entered, in the caller's transaction."""
    before = [number for number, _ in _checkpoints(connection)] or [FIRST]
    sums = {"history": _digest(connection, "history", before[-1]), **_tables(connection, _END)}
    return Entry("audit", EVENT, details=json.dumps(sums))


def holds(connection: sqlite3.Connection) -> bool:
    """Whether the ledger is what its last checkpoint says, but for later decisions, which their entries bear out."""
    try:
        return _holds(connection)
    except (sqlite3.Error, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError):
        return False


def _holds(connection: sqlite3.Connection) -> bool:
    number, sums = FIRST, dict[str, str]()
    for following, details in _checkpoints(connection):
        start, number, sums = number, following, json.loads(details)
        if sums.pop("history") != _digest(connection, "history", start, number):
            return False
    if not sums or any(chain.faults(connection, number)):
        return False
    later = {row[0] for row in connection.execute("SELECT what FROM history WHERE number > ?", (number,))}
    return later <= _MADE_BY_PEOPLE and sums == _tables(connection, number)


def _checkpoints(connection: sqlite3.Connection) -> list[tuple[int, str]]:
    """Number and details of each checkpoint."""
    query = f"SELECT number, details FROM history WHERE finding = '' AND what = '{EVENT}' ORDER BY number"
    return connection.execute(query).fetchall()


def _tables(connection: sqlite3.Connection, number: int) -> dict[str, str]:
    """The digests of the tables, that of the cases without what was decided after this entry."""
    return {name: _digest(connection, name) for name in ("runs", "cases", "undecided")} | {
        "states": _states(connection, number)
    }


def _states(connection: sqlite3.Connection, number: int) -> str:
    """The SHA-256 of the states of cases before what was decided after this entry. Raises ValueError for another state."""
    query = f"SELECT finding, number, {', '.join(COLUMNS)} FROM cases WHERE {HAS_STATE} ORDER BY number"
    rows = {finding: row for finding, *row in connection.execute(query)}
    query = "SELECT DISTINCT finding FROM history WHERE number > ? AND what = 'decided'"
    for (finding,) in connection.execute(query, (number,)).fetchall():
        case, *state = rows[finding]
        if tuple(state) != _state(connection, finding, _END):
            raise ValueError
        rows[finding] = [case, *_state(connection, finding, number)]
    return hashlib.sha256(json.dumps([row for row in rows.values() if (*row[1:],) != _OPEN]).encode()).hexdigest()


def _state(connection: sqlite3.Connection, finding: str, number: int) -> tuple[str | None, ...]:
    """Where the history leaves a case with this entry."""
    state = State()
    query = "SELECT what, by, details FROM history WHERE finding = ? AND number <= ? ORDER BY number"
    for event, by, details in connection.execute(query, (finding, number)):
        state = after(state, event, by, json.loads(details))
    return astuple(state)


def _digest(connection: sqlite3.Connection, table: str, start: int = FIRST, end: int = _END) -> str:
    """The SHA-256 of a table's rows from `start` to before `end`, each as a JSON array, but for the states of cases."""
    names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[1] not in COLUMNS]
    query = f"""
        SELECT max(at), CAST(group_concat(line, char(10)) AS BLOB) FROM (
          SELECT rowid AS at, json_array({", ".join(names)}) AS line FROM {table}
          WHERE rowid >= ? AND rowid < ? ORDER BY rowid LIMIT {_ROWS})"""
    digest = hashlib.sha256()
    while lines := (row := connection.execute(query, (start, end)).fetchone())[1]:
        digest.update(lines + b"\n")
        start = row[0] + 1
    return digest.hexdigest()
