"""The ledger's file: an SQLite database, checked when it is opened, with a versioned schema and one writer at a time."""

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from auditor.cases.states import COLUMNS, CURRENT_CASES
from auditor.errors import FolderLocked, InputRefused, LedgerDamaged, OutputFailed
from auditor.judging.finding_id import joined_in_sql

NAME = "ledger.sqlite"
"""The ledger's file in an output folder."""

_APPLICATION = 98968
_VERSION = 5
"""The version of the schema. A change of a released schema adds a script that lifts it by one version."""
_LONGEST = 500
"""Bytes of a path that SQLite opens, with what it adds to the name."""
_WAIT = 30.0
"""Seconds that a writer waits for another: a run writes its marks and its report in one transaction."""

_RESTS = ("-wal", "-shm", "-journal")
"""Ends of the names of SQLite's files beside the ledger."""

_WAY_OUT = "put a copy of it back, or begin another with --ledger new"

_OF_THE_DISK = (sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL,
                sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL)  # fmt: skip
"""Failures of SQLite that are not the ledger's own."""

_PAGE, _CACHE = 1 << 14, 1 << 16
"""Bytes of a page, which holds some twenty entries; KiB of pages in memory, so that a run does not write them twice."""

_SCHEMA = f"""
    BEGIN IMMEDIATE;
    CREATE TABLE IF NOT EXISTS runs (
      number INTEGER PRIMARY KEY, run_id TEXT NOT NULL UNIQUE, started TEXT NOT NULL, version TEXT NOT NULL,
      policy_sha256 TEXT NOT NULL, inputs_sha256 TEXT NOT NULL, as_of TEXT, counts TEXT NOT NULL, repeats INTEGER
    );
    CREATE TABLE IF NOT EXISTS cases (
      number INTEGER PRIMARY KEY, rule TEXT NOT NULL, claim_id TEXT NOT NULL,
      claim_line TEXT NOT NULL, cpt_code TEXT NOT NULL, facts TEXT NOT NULL,
      finding_id TEXT GENERATED ALWAYS AS ({joined_in_sql("rule", "claim_id", "claim_line")}),
      finding TEXT GENERATED ALWAYS AS ({joined_in_sql("rule", "claim_id", "claim_line", "cpt_code")}),
      first_run INTEGER NOT NULL, last_run INTEGER NOT NULL,
      mark TEXT NOT NULL, why TEXT, marked_run INTEGER NOT NULL,
      state TEXT NOT NULL, {", ".join(f"{name} TEXT" for name in COLUMNS[1:])},
      UNIQUE (claim_id, claim_line, cpt_code, rule)
    );
    {CURRENT_CASES}
    CREATE TABLE IF NOT EXISTS undecided (
      claim_id TEXT NOT NULL, claim_line TEXT NOT NULL, cpt_code TEXT NOT NULL, closes TEXT NOT NULL,
      unknowns TEXT NOT NULL, since_run INTEGER NOT NULL, PRIMARY KEY (claim_id, claim_line, cpt_code)
    );
    CREATE TABLE IF NOT EXISTS history (
      number INTEGER PRIMARY KEY, at TEXT NOT NULL, by TEXT NOT NULL, what TEXT NOT NULL, finding TEXT NOT NULL,
      details TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL
    );
    CREATE INDEX IF NOT EXISTS history_of ON history (finding);
    CREATE TRIGGER IF NOT EXISTS history_is_kept BEFORE DELETE ON history
      BEGIN SELECT RAISE(ABORT, 'history is append-only'); END;
    CREATE TRIGGER IF NOT EXISTS history_is_fixed BEFORE UPDATE ON history
      BEGIN SELECT RAISE(ABORT, 'history is append-only'); END;
    PRAGMA application_id = {_APPLICATION};
    PRAGMA user_version = {_VERSION};
    COMMIT;
    """
"""A run that repeats another (`repeats`) repeats the marks since that one. Two programs may run the script at once."""


def require_short_path(path: Path) -> None:
    """Refuse a path that is too long for SQLite. Raises OutputFailed."""
    if len(os.fsencode(path.absolute())) > _LONGEST:
        raise OutputFailed(f"{path}: this path is too long for a ledger; name a shorter one with --ledger")


def is_there(path: Path) -> bool:
    """Whether anything but an empty file, which a killed run may leave, is in the ledger's place."""
    return path.is_symlink() or (path.exists() and not (path.is_file() and not path.stat().st_size))


@contextlib.contextmanager
def opened(path: Path, *, create: bool = False, any_schema: bool = False) -> Iterator[sqlite3.Connection]:
    """The ledger, checked; `create` makes it where there is none, `any_schema`: to verify or repair it.

    Raises LedgerDamaged for a damaged file, InputRefused for one of another program or version, or an absent one.
    """
    if not create and not (path.is_file() and path.stat().st_size):
        raise InputRefused(f"{path}: no ledger here; `audit98968 run --out DIR` keeps one in DIR")
    if path.is_symlink():
        raise OutputFailed(f"{path}: a link; a ledger is a file of its own, name it with --ledger")
    if create:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600))
        except OSError as error:
            raise OutputFailed(f"{path}: the ledger cannot be opened ({error.strerror}); check the folder") from None
    with _reported(path):
        connection = sqlite3.connect(path, timeout=_WAIT, isolation_level=None)
        try:
            _check(path, connection, any_schema=any_schema)
            _prepare(connection)
            yield connection
        finally:
            connection.close()


def archive(path: Path) -> Path | None:
    """Keep a ledger under another name, so that another can be begun in its place. Returns that name, if any."""
    if not path.exists():
        return None
    archived = path.with_name(f"{path.stem}-until-{datetime.now(UTC):%Y%m%dT%H%M%S%f}{path.suffix}")
    with contextlib.suppress(sqlite3.DatabaseError), contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with _moved(path):
        path.rename(archived)
        for rest in _RESTS:  # what a damaged ledger has there may be all that is left of its last entries
            with contextlib.suppress(FileNotFoundError):
                path.with_name(path.name + rest).rename(archived.with_name(archived.name + rest))
    return archived


def back_up(connection: sqlite3.Connection, path: Path) -> Path:
    """A copy of the ledger beside it, as it was before a repair, for its owner only. Raises OutputFailed."""
    copy = path.with_name(f"{path.stem}-before-repair-{datetime.now(UTC):%Y%m%dT%H%M%S%f}{path.suffix}")
    with _moved(path):
        os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    with contextlib.closing(sqlite3.connect(copy)) as target:
        connection.backup(target)
    return copy


@contextlib.contextmanager
def reading(connection: sqlite3.Connection) -> Iterator[None]:
    """One state of the ledger, whatever others write meanwhile: that of the caller's transaction, if there is one."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


@contextlib.contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """One transaction: all of it is kept or none of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def insert_runs(connection: sqlite3.Connection, runs: Iterable[Sequence[object]]) -> None:
    """Add rows to the table of runs, in the caller's transaction."""
    connection.executemany("INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", runs)


def insert_cases(connection: sqlite3.Connection, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Add rows of these columns to the table of cases, in the caller's transaction."""
    marks = ", ".join("?" * len(columns))
    connection.executemany(f"INSERT INTO cases ({', '.join(columns)}) VALUES ({marks})", rows)


def remake_schema(connection: sqlite3.Connection) -> None:
    """Drop what this program did not make, and make its views, triggers and indexes anew, in the caller's transaction.

    Raises LedgerDamaged where a table is not the program's: its rows cannot be trusted.
    """
    for (kind, name), sql in _schema(connection).items():
        if kind != "table" and sql and sql != _own_schema().get((kind, name)):
            quoted = name.replace('"', '""')
            connection.execute(f'DROP {kind} IF EXISTS "{quoted}"')
    there = _schema(connection)
    for (kind, name), sql in _own_schema().items():
        if kind != "table" and sql and (kind, name) not in there:
            connection.execute(sql)
    if fault := schema_fault(connection):
        raise LedgerDamaged(f"{fault}; put a copy of the ledger back")


def _schema(connection: sqlite3.Connection) -> dict[tuple[str, str], str]:
    """The text of every table, view, index and trigger, by kind and name."""
    query = "SELECT type, name, coalesce(sql, '') FROM sqlite_schema WHERE name NOT GLOB 'sqlite_stat*'"
    return {(kind, name): " ".join(sql.split()) for kind, name, sql in connection.execute(query)}


@cache
def _own_schema() -> dict[tuple[str, str], str]:
    with contextlib.closing(sqlite3.connect(":memory:")) as fresh:
        fresh.executescript(_SCHEMA)
        return _schema(fresh)


def schema_fault(connection: sqlite3.Connection) -> str | None:
    """What is not as this program makes it: a view that shows something else would be believed."""
    there, own = _schema(connection), _own_schema()
    for kind, name in own:
        if there.get((kind, name)) != own[kind, name]:
            return f"the {kind} {name} {'was changed' if (kind, name) in there else 'is missing'}"
    strangers = there.keys() - own.keys()
    return f"it has a {min(strangers)[0]} that this program did not make" if strangers else None


def _check(path: Path, connection: sqlite3.Connection, *, any_schema: bool) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = _schema(connection)
    if application != _APPLICATION and (tables or version):
        raise InputRefused(f"{path}: an SQLite file of another program; give another --ledger")
    if version and version < _VERSION:
        raise InputRefused(
            f"{path}: an unreleased version wrote this ledger (schema {version}); export its decisions with that version, "
            "move the file away, and import them into the new ledger"
        )
    if version > _VERSION:
        raise InputRefused(f"{path}: a newer audit98968 wrote this ledger (schema {version}); use that version")
    if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        raise LedgerDamaged(f"{path}: the ledger is damaged; {_WAY_OUT}")
    if (version or tables) and not any_schema and (fault := schema_fault(connection)):
        remedy = "" if "table" in fault else "`audit98968 cases repair` makes it anew; or "
        raise LedgerDamaged(f"{path}: the ledger is damaged: {fault}; {remedy}{_WAY_OUT}")


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA page_size = {_PAGE}")  # of a file that is made now
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA cache_size = -{_CACHE}")
    if not connection.execute("PRAGMA user_version").fetchone()[0]:
        connection.executescript(_SCHEMA)


@contextlib.contextmanager
def _moved(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputFailed(f"{path}: the ledger cannot be kept aside ({error.strerror}); check its folder") from None


@contextlib.contextmanager
def _reported(path: Path) -> Iterator[None]:
    """SQLite's own messages may quote data: each failure in our words."""
    try:
        yield
    except sqlite3.OperationalError as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF  # none: a text that is not UTF-8
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise FolderLocked(f"{path}: another program holds the ledger; try again when it has ended") from None
        if code not in _OF_THE_DISK:
            raise LedgerDamaged(f"{path}: the ledger is damaged; {_WAY_OUT}") from None
        name = error.sqlite_errorname
        raise OutputFailed(f"{path}: the ledger could not be written ({name}); check space and permissions") from None
    except sqlite3.DatabaseError:
        raise LedgerDamaged(f"{path}: no ledger, or a damaged one; {_WAY_OUT}") from None
