"""The history of the cases: append-only, each entry carrying the hash of the one before it.

An entry's hash is the SHA-256 of the previous hash and the entry's own text, so that no entry can be changed, moved or
left out without changing every hash after it. What follows the last hash that is known outside the ledger could be cut
off or written anew: each run's summary.json has the last hash of its run, and `cases verify` prints the present one.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from json.encoder import encode_basestring
from typing import Any, NamedTuple

START = "0" * 64
FIRST = -(1 << 63)
"""No entry has a lower number, whoever wrote it."""


class Entry(NamedTuple):
    """Something that happened, with its details as JSON.

    `finding` is the finding's id and the code, blank for a run and for its new cases: one entry, with a `seal`.
    """

    by: str
    what: str
    finding: str = ""
    details: str = "{}"


def append(connection: sqlite3.Connection, entries: Iterable[tuple[str, str, str, str]]) -> str:
    """Add entries, in one pass, within the caller's transaction. Returns the hash of the last."""
    number, previous = last(connection)
    at = datetime.now(UTC).isoformat(timespec="microseconds")

    def rows() -> Iterator[tuple[int, str, str, str, str, str, str, str]]:
        nonlocal number, previous
        for by, what, finding, details in entries:
            number += 1
            row = (number, at, by, what, finding, details, previous)
            previous = digest(row)
            yield (*row, previous)

    connection.executemany("INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows())
    return previous


def last(connection: sqlite3.Connection) -> tuple[int, str]:
    """Number and hash of the last entry."""
    row = connection.execute("SELECT number, hash FROM history ORDER BY number DESC LIMIT 1").fetchone()
    return (row[0], row[1]) if row else (0, START)


def known_hashes(connection: sqlite3.Connection, hashes: set[str]) -> set[str]:
    """Those of the hashes that are an entry's, or that runs saw of a ledger before this one."""
    query = """
        SELECT hash FROM history WHERE hash IN (SELECT value FROM json_each(:hashes)) UNION ALL
        SELECT value FROM history, json_each(details, '$.heads') WHERE what IN ('restored', 'began') AND finding = ''"""
    return {row[0] for row in connection.execute(query, {"hashes": json.dumps([*hashes])})} & hashes


def digest(row: tuple[Any, ...]) -> str:
    """The hash of an entry: number, time, author, event, case, details and the previous hash, as a JSON array."""
    number, *texts = row
    return hashlib.sha256(f"[{number}, {', '.join(map(encode_basestring, texts))}]".encode()).hexdigest()


def seal(cases: Iterable[tuple[int, str, str]]) -> str:
    """The SHA-256 of cases as they were when they were new: number, finding and facts, a line each."""
    lines = hashlib.sha256()
    for number, finding, facts in cases:
        lines.update(sealed_line(number, finding, facts))
    return lines.hexdigest()


def sealed_line(number: int, finding: str, facts: str) -> bytes:
    """A case, as its seal has it."""
    return f"{number}\t{finding}\t{facts}\n".encode()


def has_reasons(connection: sqlite3.Connection) -> bool:
    """Whether the last run entered, or the restore, wrote the reason of each case that is not seen."""
    query = """
        SELECT json_type(details, '$.undecided') IS NOT NULL FROM history
        WHERE finding = '' AND what IN ('run', 'restored') ORDER BY number DESC LIMIT 1"""
    return bool((connection.execute(query).fetchone() or [False])[0])


def seal_undecided(connection: sqlite3.Connection) -> str:
    """The SHA-256 of the claims that wait for their windows, as the ledger has them."""
    lines = hashlib.sha256()
    for row in connection.execute("SELECT * FROM undecided ORDER BY claim_id, claim_line, cpt_code"):
        lines.update(f"{json.dumps(row, default=str)}\n".encode())
    return lines.hexdigest()


def faults(connection: sqlite3.Connection, number: int = FIRST) -> Iterator[str]:
    """Every place where the chain does not hold, from this entry on."""
    before = connection.execute("SELECT number + 1, hash FROM history WHERE number = ? - 1", (number,)).fetchone()
    expected, previous = before or (1, START)
    for row in connection.execute("SELECT * FROM history WHERE number >= ? ORDER BY number", (number,)):
        if row[0] != expected:
            yield f"entry {expected} is missing"
        if row[6] != previous:
            yield f"entry {row[0]} does not follow the entry before it"
        if digest(row[:7]) != row[7]:
            yield f"entry {row[0]} was changed after it was written"
        expected, previous = row[0] + 1, row[7]
