"""The kinds of damage that ledgers.py tries, and how each is done."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

from auditor.cases import chain, store
from tests.cases.test_proof import HIDDEN, NOTES, foldered, led_back, led_nowhere, linked, piped, unlinked
from tests.slow.faults.ledgers import Damage, Idle, Kind, edited, harmless, sql

TABLES = ("runs", "cases", "undecided", "history")
_KEY = {"undecided": "claim_id"}


def unlocked(*statements: str) -> Damage:
    """Damage by SQL to the history too: its triggers are gone meanwhile."""

    def damage(out: Path) -> None:
        triggers = sql(out, "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
        before = list(_dump(out))
        sql(out, *(f"DROP TRIGGER {name}" for name, _ in triggers), *statements, *(str(text) for _, text in triggers))
        if list(_dump(out)) == before:
            raise Idle

    return damage


def _dump(out: Path) -> Iterator[str]:
    with contextlib.closing(sqlite3.connect(out / store.NAME)) as ledger:
        yield from ledger.iterdump()


def rows() -> Iterator[Kind]:
    """Rows that are gone, there twice or in another order, and each column with another value, bytes and nothing."""
    with contextlib.closing(sqlite3.connect(":memory:")) as fresh:
        fresh.executescript(store._SCHEMA)
        columns = {name: fresh.execute(f"PRAGMA table_info({name})").fetchall() for name in TABLES}
    for table in TABLES:
        key = _KEY.get(table, "number")
        for place, order in (("first", "min"), ("last", "max")):
            yield Kind(
                f"{table}: {place} row gone",
                unlocked(f"DELETE FROM {table} WHERE {key} = (SELECT {order}({key}) FROM {table})"),
            )
        yield Kind(f"{table}: empty", unlocked(f"DELETE FROM {table}"))
        names = [name for _, name, *_ in columns[table] if name != key]
        taken = {"run_id": "run_id || 'x'", "claim_id": "claim_id || 'x'"}
        values = ", ".join(taken.get(name, name) for name in names)
        another = "claim_id || 'y'" if key == "claim_id" else "number + 1000"
        yield Kind(
            f"{table}: a row twice",
            unlocked(
                f"INSERT INTO {table} ({key}, {', '.join(names)}) SELECT {another}, {values} FROM {table} LIMIT 1"
            ),
        )
        if key == "number":
            swapped = (
                f"UPDATE {table} SET number = -number WHERE number < 3",
                f"UPDATE {table} SET number = 3 + number WHERE number < 0",
            )
            yield Kind(f"{table}: two rows swapped", unlocked(*swapped))
        for _, name, kind, required, _, in_key in columns[table]:
            where = f"WHERE {key} = (SELECT max({key}) FROM {table})"
            whole = kind == "INTEGER"
            changes = {"changed": f"{name} + 50" if whole else f"coalesce({name}, '') || 'x'", "bytes": "x'ff00'"}
            if whole:
                changes["changed"] = f"coalesce({name}, 0) + 50"
                del changes["bytes"]
            for what, value in changes.items():
                yield Kind(f"{table}.{name}: {what}", unlocked(f"UPDATE {table} SET {name} = {value} {where}"))
            if not required and not in_key:
                yield Kind(
                    f"{table}.{name}: nothing", unlocked(f"UPDATE {table} SET {name} = NULL WHERE {name} IS NOT NULL")
                )


def schema() -> Iterator[Kind]:
    """Tables, columns, views, triggers, indexes and numbers of the file that this program did not make."""
    for table, column in zip(TABLES, ("as_of", "reason", "unknowns", "details"), strict=True):
        word = "the ledger is damaged: "
        view = f"CREATE VIEW {table} AS SELECT * FROM was"
        dropped = (
            *(["DROP VIEW current_cases"] if table in ("cases", "runs") else []),
            f"ALTER TABLE {table} DROP COLUMN {column}",
        )
        yield Kind(f"{table}: column renamed", unlocked(f"ALTER TABLE {table} RENAME COLUMN {column} TO more"), word)
        yield Kind(f"{table}: column added", unlocked(f"ALTER TABLE {table} ADD COLUMN more TEXT"), word)
        yield Kind(f"{table}: column dropped", unlocked(*dropped), word)
        yield Kind(
            f"{table}: generated column added",
            unlocked(f"ALTER TABLE {table} ADD COLUMN more TEXT AS ({column}) VIRTUAL"),
            word,
        )
        yield Kind(f"{table}: table dropped", lambda out, table=table: untied(out, table, ""), word)
        yield Kind(f"{table}: table is a view", lambda out, table=table, view=view: untied(out, table, view), word)
        trigger = f"CREATE TRIGGER more AFTER INSERT ON {table} BEGIN DELETE FROM cases; END"
        yield Kind(f"{table}: trigger added", edited(trigger), word)
        yield Kind(f"{table}: index added", edited(f"CREATE INDEX more ON {table} ({column} || 'x')"), word)
    for name in ("history_is_kept", "history_is_fixed"):
        yield Kind(f"{name}: gone", edited(f"DROP TRIGGER {name}"))
        empty = f"CREATE TRIGGER {name} BEFORE DELETE ON history BEGIN SELECT 1; END"
        yield Kind(f"{name}: does nothing", edited(f"DROP TRIGGER {name}", empty))
    yield Kind("index: another expression", edited("DROP INDEX history_of", "CREATE INDEX history_of ON history (by)"))
    yield Kind(
        "index: partial", edited("DROP INDEX history_of", "CREATE INDEX history_of ON history (finding) WHERE 0")
    )
    yield Kind("view: shows everything as dismissed", redefined("state", "'dismissed' AS state"))
    yield Kind("view: gone", edited("DROP VIEW current_cases"))
    yield Kind("table added", edited("CREATE TABLE more (x)"))
    yield Kind("view added", edited("CREATE VIEW more AS SELECT 1"))
    for name in ("finding", "finding_id"):
        text = f"sql = replace(sql, '{name} TEXT GENERATED ALWAYS AS (', '{name} TEXT GENERATED ALWAYS AS (''x'' || ')"
        yield Kind(
            f"generated column {name}: another expression",
            rewritten(f"UPDATE sqlite_schema SET {text} WHERE name = 'cases'"),
        )
    yield Kind(
        "schema text: not SQL",
        rewritten("UPDATE sqlite_schema SET sql = 'CREATE TABLE cases' WHERE name = 'cases'"),
        "",
    )
    yield Kind("schema text: page of another", rewritten("UPDATE sqlite_schema SET rootpage = 3 WHERE name = 'cases'"))
    for version, word in ((-1, "unreleased version"), (4, "unreleased version"), (6, "newer audit98968")):
        yield Kind(f"user_version {version}", edited(f"PRAGMA user_version = {version}"), word, (3,))
    yield harmless("user_version 0", edited("PRAGMA user_version = 0"))
    yield Kind("application_id", edited("PRAGMA application_id = 7"), "another program", (3,))
    yield Kind("another program's file", other_program, "another program", (3,))
    for name, statements in {"statistics": ("ANALYZE",), "vacuum": ("VACUUM",), "journal": ("PRAGMA journal_mode = DELETE",),
                             "reindex": ("REINDEX",), "page size": ("PRAGMA journal_mode = DELETE", "PRAGMA page_size = 4096", "VACUUM")}.items():  # fmt: skip
        yield harmless(f"harmless: {name}", edited(*statements))


def untied(out: Path, table: str, instead: str) -> None:
    """A table that goes, with what depends on it, and what comes instead."""
    first = ["PRAGMA legacy_alter_table = 1", f"ALTER TABLE {table} RENAME TO was"]
    sql(out, *first, instead or "DROP TABLE was")


def redefined(old: str, new: str) -> Damage:
    """The view of the cases with another expression."""

    def damage(out: Path) -> None:
        ((text,),) = sql(out, "SELECT sql FROM sqlite_schema WHERE name = 'current_cases'")
        sql(out, "DROP VIEW current_cases", str(text).replace(f" {old},", f" {new},", 1))

    return damage


def rewritten(statement: str) -> Damage:
    """Damage to the text of the schema itself."""

    def damage(out: Path) -> None:
        sql(out, "PRAGMA journal_mode = DELETE", "PRAGMA writable_schema = 1", statement)

    return damage


def other_program(out: Path) -> None:
    """An SQLite file without our number."""
    (out / store.NAME).unlink()
    sql(out, "CREATE TABLE letters (x)")


def chained() -> Iterator[Kind]:
    """Hashes of the history, and a history that was written anew with hashes that fit."""
    for place, number in (
        ("begin", "1"),
        ("middle", "(SELECT max(number) / 2 FROM history)"),
        ("end", "(SELECT max(number) FROM history)"),
    ):
        for column in ("hash", "previous", "details"):
            change = (
                f"UPDATE history SET {column} = replace({column}, substr({column}, 9, 1), 'e') WHERE number = {number}"
            )
            yield Kind(f"chain: {column} at the {place}", unlocked(change))
    yield Kind("chain: written anew from the start", lambda out: anew(out, 1), "not the ledger that the run")
    yield Kind("chain: written anew before the last run", lambda out: anew(out, 3), "not the ledger that the run")
    yield Kind("chain: cut off before the last run", cut_off, "")


def anew(out: Path, number: int) -> None:
    """Every entry from this one on with another author and with hashes that fit."""
    entries = sql(out, "SELECT * FROM history ORDER BY number")
    previous, changes = chain.START, []
    for entry in entries:
        row = (*entry[:2], "Eve" if entry[3] == "decided" or entry[0] == number else entry[2], *entry[3:6], previous)
        row = row if int(str(entry[0])) >= number else entry[:7]
        previous = chain.digest(row)
        changes.append((*row, previous))
    with contextlib.closing(sqlite3.connect(out / store.NAME)) as ledger:
        triggers = ledger.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            ledger.execute(f"DROP TRIGGER {name}")
        ledger.execute("DELETE FROM history")
        ledger.executemany("INSERT INTO history VALUES (?, ?, ?, ?, ?, ?, ?, ?)", changes)
        ledger.execute("UPDATE cases SET reviewer = 'Eve' WHERE reviewer IS NOT NULL")
        for _, text in triggers:
            ledger.execute(text)
        ledger.commit()


def cut_off(out: Path) -> None:
    """No history since the last run but one."""
    last = "(SELECT max(number) FROM history WHERE what = 'run')"
    unlocked(
        f"DELETE FROM history WHERE number >= {last}", "DELETE FROM runs WHERE number = (SELECT max(number) FROM runs)"
    )(out)


def contents(change: Callable[[bytes], bytes]) -> Damage:
    """Damage to the bytes of the file."""

    def damage(out: Path) -> None:
        path = out / store.NAME
        path.write_bytes(change(path.read_bytes()))

    return damage


_PAGE = store._PAGE


def files() -> Iterator[Kind]:
    """The bytes of the file, and the files of SQLite beside it."""
    yield Kind("file: gone", lambda out: (out / store.NAME).unlink(), "is gone")
    yield Kind("file: empty", contents(lambda _: b""), "is gone")
    yield Kind("file: text", contents(lambda _: b"not a ledger\n" * 999), "")
    yield Kind("file: zeros", contents(lambda had: bytes(len(had))), "")
    for share in (1, 3, 7):
        yield Kind(f"file: {share}/8", contents(lambda had, share=share: had[: len(had) * share // 8]), "")
    yield Kind("file: without its last page", contents(lambda had: had[:-_PAGE]), "")
    yield Kind("file: without its last byte", contents(lambda had: had[:-1]), "")
    for page in range(8):
        yield Kind(
            f"file: page {page + 1} is zeros",
            contents(lambda had, page=page: had[: page * _PAGE] + bytes(_PAGE) + had[(page + 1) * _PAGE :]),
            "",
        )
    yield Kind("file: older copy", older, "not the ledger that the run")
    yield Kind("file: of another folder", swapped, "")
    yield harmless("file: bytes behind its end", contents(lambda had: had + b"x" * 100))
    for rest in ("-wal", "-shm", "-journal"):
        yield harmless(
            f"{rest}: garbage", lambda out, rest=rest: (out / f"{store.NAME}{rest}").write_bytes(b"x" * 5000)
        )
        yield harmless(f"{rest}: empty", lambda out, rest=rest: (out / f"{store.NAME}{rest}").write_bytes(b""))
    yield Kind("-wal: of another ledger", other_wal, "")
    yield Kind("-journal: hot, of another ledger", hot_journal, "")
    yield Kind("-wal: a folder", lambda out: (out / f"{store.NAME}-wal").mkdir(), "")
    yield Kind("-journal: a folder", lambda out: (out / f"{store.NAME}-journal").mkdir(), "")


def older(out: Path) -> None:
    """The ledger as it was after the first run."""
    shutil.copy(out.parent.parent / "older" / store.NAME, out / store.NAME)


def swapped(out: Path) -> None:
    """The ledger of another output folder."""
    shutil.copy(out.parent.parent / "foreign" / store.NAME, out / store.NAME)


def other_wal(out: Path) -> None:
    """The log of another ledger, with entries."""
    shutil.copy(out.parent.parent / "foreign.wal", out / f"{store.NAME}-wal")


def hot_journal(out: Path) -> None:
    """The journal of another ledger's transaction that did not end."""
    sql(out, "PRAGMA journal_mode = DELETE")
    shutil.copy(out.parent.parent / "foreign.journal", out / f"{store.NAME}-journal")


def places() -> Iterator[Kind]:
    """Something else in the ledger's place, or one that may not be read or written."""
    path = Path(store.NAME)
    yield Kind("ledger: a folder", lambda out: foldered(out / path), "", (3, 4))
    yield Kind("ledger: a link", lambda out: linked(out / path), "a link")
    yield Kind("ledger: a link to nowhere", lambda out: ((out / path).unlink(), (out / path).symlink_to("nowhere")), "")
    yield Kind(
        "ledger: a link to a device",
        lambda out: ((out / path).unlink(), (out / path).symlink_to("/dev/zero")),
        "a link",
    )
    yield Kind("ledger: a pipe", lambda out: piped(out / path), "", (3, 4))
    if os.geteuid() == 0:
        yield Kind(
            "ledger: a device",
            lambda out: ((out / path).unlink(), os.mknod(out / path, 0o20600, os.makedev(1, 5))),
            "",
            (3, 4),
        )


def latest() -> Iterator[Kind]:
    """`latest` says nothing about the ledger."""
    fine = {"run": (0,), "decide": (0,), "verify": (0,), "list": (0,)}
    yield Kind("latest: gone", unlinked, "", **fine, explain=(2, 3))
    yield Kind("latest: leads nowhere", led_nowhere, "", **fine, explain=(2, 3))
    yield harmless("latest: led back", led_back)
    yield Kind(
        "latest: a folder",
        lambda out: (unlinked(out), (out / "latest").mkdir()),
        "not the link",
        **fine | {"run": (4,)},
        explain=(2, 3),
        restore=(4,),
    )
    yield Kind(
        "latest: a file",
        lambda out: (unlinked(out), (out / "latest").write_text("x")),
        "not the link",
        **fine | {"run": (4,)},
        explain=(2, 3),
        restore=(4,),
    )
    yield Kind(
        "latest: leads to itself",
        lambda out: (unlinked(out), (out / "latest").symlink_to("latest")),
        "",
        **fine,
        explain=(2, 3),
    )


def hidden() -> Iterator[Kind]:
    """A ledger that is gone, empty or older where `latest`, the last summary or the note does not say so."""
    ledgers: dict[str, Damage] = {
        "gone": lambda out: (out / store.NAME).unlink(),
        "empty": lambda out: (out / store.NAME).write_bytes(b""),
        "older": older,
    }
    for (hide, note), (how, change) in product(product(HIDDEN, NOTES), ledgers.items()):

        def damage(out: Path, hide: str = hide, note: str = note, change: Damage = change) -> None:
            HIDDEN[hide](out)
            NOTES[note](out / ".entered")
            change(out)

        restore = (3,) if hide == "summary cannot be read" else (0,)
        yield Kind(f"{how}: {hide}, {note}", damage, "", explain=(0, 2, 3), restore=restore)


def run_of(out: Path, place: int) -> Path:
    """A run's folder."""
    return sorted(out.glob("2*"))[place]


def changed_summary(run: Path, **values: object) -> None:
    """A summary with another part about the ledger."""
    path = run / "summary.json"
    summary = json.loads(path.read_text())
    summary["ledger"] |= values
    path.write_text(json.dumps(summary))


def runs() -> Iterator[Kind]:
    """The folders of runs, which are evidence: `run` looks at those that it needs, `cases verify` at all."""
    fine = {"run": (0,), "decide": (0,), "verify": (0,), "list": (0,)}
    for place, name in enumerate(("first", "middle", "last")):
        last = name == "last"
        codes = {} if last else fine | {"verify": (3,)}
        explain = (3,) if last else (0,)
        unreadable = fine | {"verify": (3,)}

        def of(spoil: Damage, place: int = place) -> Damage:
            return lambda out: spoil(run_of(out, place))

        lost = {"explain": (2, 3) if last else (0,), "is_all_there": not last}
        yield Kind(f"{name} run: gone", of(shutil.rmtree), "", **fine, **lost)
        word = "not the ledger that the run" if last else ""
        yield Kind(f"{name} run: of another ledger", of(lambda run: changed_summary(run, head="f" * 64)), word, **codes)
        for what, spoil in SUMMARIES.items():
            yield Kind(f"{name} run: summary {what}", of(spoil), "", **unreadable, explain=explain, restore=(3,))
        for what, spoil in (("a pipe", piped), ("a folder", foldered)):
            damage = of(lambda run, spoil=spoil: spoil(run / "summary.json"))
            yield Kind(f"{name} run: summary {what}", damage, "", **unreadable, explain=explain, restore=(3,))
        for table in ("cases", "findings", "claims"):
            for what, change in (("cut short", lambda had: had[: len(had) // 2]), ("empty", lambda _: b"")):
                damage = of(lambda run, table=table, change=change: cut(run / f"{table}.parquet", change))
                codes = {
                    "explain": explain if table != "cases" else (0,),
                    "restore": (3,) if table == "cases" else (0,),
                }
                yield Kind(f"{name} run: {table} {what}", damage, "", **fine, **codes)
    renamed = {"explain": (2, 3), "verify": (0, 3), "decide": (0, 4), "restore": (0, 3)}
    yield Kind(
        "run renamed", lambda out: run_of(out, 2).rename(out / "20300101T000000000Z-00000000"), "", (0, 4), **renamed
    )
    # Its history began where every history begins: a run that died before this ledger had it is like that.
    yield Kind("run of another ledger added", foreign_run, "", **fine | {"verify": (0, 3)}, restore=(0, 3))


SUMMARIES: dict[str, Damage] = {
    "not JSON": lambda run: (run / "summary.json").write_bytes(b"{"),
    "empty": lambda run: (run / "summary.json").write_bytes(b""),
    "not UTF-8": lambda run: (run / "summary.json").write_bytes(b"\xff" * 9),
}


def cut(path: Path, change: Callable[[bytes], bytes]) -> None:
    """A file with other bytes."""
    path.write_bytes(change(path.read_bytes()))


def foreign_run(out: Path) -> None:
    """A run that saw another ledger."""
    run = next((out.parent.parent / "foreign").glob("2*"))
    shutil.copytree(run, out / f"203{run.name[3:]}")


def notes() -> Iterator[Kind]:
    """The note of the last run that was entered."""
    word = "not the note of the last run"
    yield harmless("note: gone", lambda out: (out / ".entered").unlink())
    yield harmless("note: empty", lambda out: (out / ".entered").write_text(""))
    yield harmless("note: none", lambda out: (out / ".entered").write_text("none"))
    yield harmless("note: of an earlier run", lambda out: (out / ".entered").write_text(run_of(out, 0).name))
    yield harmless("note: of no run", lambda out: (out / ".entered").write_text("20300101T000000000Z-00000000"))
    yield Kind("note: not UTF-8", lambda out: (out / ".entered").write_bytes(b"\xff"), word, restore=(4,))
    yield Kind("note: long", lambda out: (out / ".entered").write_bytes(b"x" * 10_000), word, restore=(4,))
    for name, spoil in (("a link", linked), ("a pipe", piped), ("a folder", foldered)):
        yield Kind(f"note: {name}", lambda out, spoil=spoil: spoil(out / ".entered"), word, restore=(4,))


def kinds() -> Iterator[Kind]:
    """Every kind."""
    for group in (rows, schema, chained, files, places, latest, hidden, runs, notes):
        yield from group()
