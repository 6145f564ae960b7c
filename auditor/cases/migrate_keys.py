"""A ledger whose keys did not say where a colon stands: each case that is called otherwise now has an entry for it."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from auditor.cases import chain, replay
from auditor.cases.chain import Entry
from auditor.cases.decide import COLUMNS
from auditor.cases.replay import PLAIN, ROW, CaseHistory
from auditor.errors import LedgerDamaged

_STATE_COLUMNS = ("last_run", "marked_run", "mark", "why", *COLUMNS)


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Write the entries, within the caller's transaction, once the cases have their new keys. Raises LedgerDamaged.

    Where two cases shared a key, and so a history, each goes on from its own row.
    """
    faults = list(_changed(connection))
    chain.append(connection, _entries(connection))
    for fault in (*faults, *replay.faults(connection)):
        raise LedgerDamaged(
            f"{path}: the ledger is damaged: {fault}; an older audit98968 wrote it: repair it with that version, or put "
            "a copy of it back"
        )


def _changed(connection: sqlite3.Connection) -> Iterator[str]:
    """The cases with a key of their own that do not stand where their history leaves them."""
    histories = replay.replay(connection).histories
    query = f"""
        SELECT number, {PLAIN} AS former, facts, {ROW} FROM cases WHERE finding <> former
        GROUP BY former HAVING count(*) = 1"""
    for number, former, facts, began, *row in connection.execute(query):
        if not histories.get(former, CaseHistory()).matches(began, facts, (began, *row)):
            yield f"case {number} does not stand where its history leaves it"


def _entries(connection: sqlite3.Connection) -> Iterator[Entry]:
    """An entry for each case whose key changes: its former key, the facts that it began with, and where it stands."""
    query = f"""
        SELECT finding, {PLAIN} AS former, facts, {", ".join(_STATE_COLUMNS)} FROM cases WHERE finding <> former
        ORDER BY number"""
    for finding, former, facts, *state in connection.execute(query).fetchall():
        details = {"from": former, "first": _first(connection, former, facts), "facts": json.loads(facts)}
        details |= zip(_STATE_COLUMNS, state, strict=True)
        yield Entry("audit", "renamed", finding, json.dumps(details, ensure_ascii=False))


def _first(connection: sqlite3.Connection, former: str, facts: str) -> str:
    """The facts that a case began with: backwards from its last ones, through the changes that led to them."""
    now: Any = json.loads(facts)
    query = "SELECT details FROM history WHERE finding = ? ORDER BY number DESC"
    for (text,) in connection.execute(query, (former,)):
        details = json.loads(text)
        if "before" in details and details["facts"] == now:
            now = details["before"]
            facts = json.dumps(now, ensure_ascii=False, separators=(",", ":"))
    return facts
