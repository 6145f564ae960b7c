"""Every kind of damage to a ledger or to what proves it, and what each command must say to it.

A kind has the exit codes that each command may have. A command that ends with 0 and warns of nothing shows, decides and
restores what a sound ledger has; a `run` or a decision that is refused changes nothing. No command quotes a cell or ends in
an internal error.
"""

from __future__ import annotations

import contextlib
import csv
import faulthandler
import io
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from auditor.cases import store
from tests.slow.faults.bench import CANARY
from tests.support.catalogue import command

CALLS = f"""call_id,patient_id,provider_id,call_start,call_minutes,cpt_code,paid_amount,doc_summary
{CANARY}1,{CANARY}P1,D1,2026-03-02 09:00,12,98968,40,{CANARY}
{CANARY}2,{CANARY}P2,D1,2026-03-03 09:00,35,98968,40,{CANARY}
{CANARY}3,{CANARY}P3,D1,2026-03-04 09:00,25,98968,40,{CANARY}
{CANARY}4,{CANARY}P4,D1,2026-04-20 09:00,35,98968,40,{CANARY}
"""
VISITS = (
    f"visit_id,patient_id,visit_start,status\nV1,{CANARY}P3,2026-03-01 09:00,completed\n"
    f"V2,{CANARY}P9,2026-04-20 10:00,completed\n"
)
EXPORTS = (CALLS, CALLS.replace(",35,98968,40", ",35,98968,39"), CALLS.replace(f"{CANARY}2,", f"{CANARY}5,", 1))
_FIXED = (
    "--timezone",
    "UTC",
    "--fail-on",
    "never",
    "--write",
    "evidence",
    "--format",
    "none",
    "--quiet",
    "--max-shrink",
    "100%",
)
_BY = ("--by", "Ann", "--reason", "read the chart", "--on", "2026-05-04")
_LONGEST = 120
"""Seconds after which a command hangs."""

Damage = Callable[[Path], object]


@dataclass(frozen=True)
class Kind:
    """`word` is in what `run` says; then the exit codes that each command may have."""

    name: str
    damage: Damage
    word: str = "the ledger is damaged"
    run: Collection[int] = (4,)
    decide: Collection[int] = (3, 4)
    verify: Collection[int] = (3, 4)
    list: Collection[int] = (0, 3, 4)
    explain: Collection[int] = (0,)
    restore: Collection[int] = (0,)
    is_all_there: bool = True
    """Whether the runs of the sound folder are there to restore from."""


def harmless(name: str, damage: Damage) -> Kind:
    """A kind that no command minds."""
    return Kind(name, damage, "", (0,), (0,), (0,), (0,))


class Idle(Exception):
    """Damage that changed nothing here."""


class Desk:
    """A folder with exports, and an output folder with three runs, decisions before and after the last, and a note."""

    def __init__(self, base: Path) -> None:
        self.base, self.sound = base, base / "sound"
        (self.sound / "out").mkdir(parents=True, mode=0o700)
        for number, calls in enumerate(EXPORTS):
            self.export(self.sound, calls)
            assert self.say(self.sound, *run(self.sound))[0] == 0
            if number == 0:
                shutil.copytree(self.sound / "out", base / "older")
                assert self.say(self.sound, *decide(self.sound, "1"))[0] == 0
        more = ("--investigated-from", "2026-05-05", "--investigated-to", "2026-05-09")
        assert self.say(self.sound, *decide(self.sound, "2"), *more)[0] == 0
        refund = ("cases", "decide", f"{self.sound}/out", "refunded", "2", *_BY)
        assert self.say(self.sound, *refund)[0] == 0
        dismissal = ("cases", "decide", f"{self.sound}/out", "dismissed", "4", *_BY, "--until", "2036-05-05")
        assert self.say(self.sound, *dismissal)[0] == 0
        self._another()
        self.cases = self.say(self.sound, *export(self.sound))[1]
        restored = self.copy("restored")
        assert self.say(restored, "cases", "restore", f"{restored}/out")[0] == 0
        self.restored = self.say(restored, *export(restored))[1]

    def _another(self) -> None:
        """The ledger of another folder, with the log and the journal of entries that were not finished."""
        folder = self.base / "another"
        (folder / "out").mkdir(parents=True, mode=0o700)
        self.export(folder, CALLS.replace(",D1,", ",D2,"))
        assert self.say(folder, *run(folder))[0] == 0
        (folder / "out").rename(self.base / "foreign")
        path = self.base / "foreign" / store.NAME
        for mode, rest in (("DELETE", "journal"), ("WAL", "wal")):
            with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as ledger:
                ledger.execute(f"PRAGMA journal_mode = {mode}").fetchall()
                ledger.execute("PRAGMA cache_size = 1")
                ledger.execute("BEGIN IMMEDIATE")
                for change in ("cases SET reason", "runs SET version", "cases SET reviewer"):
                    ledger.execute(f"UPDATE {change} = hex(randomblob(200000))")
                if mode == "WAL":
                    ledger.execute("COMMIT")
                shutil.copy(f"{path}-{rest}", self.base / f"foreign.{rest}")
                if mode == "DELETE":
                    ledger.execute("ROLLBACK")

    @staticmethod
    def export(folder: Path, calls: str) -> None:
        """Write the exports of a night."""
        (folder / "calls.csv").write_text(calls)
        (folder / "visits.csv").write_text(VISITS)

    def copy(self, name: str) -> Path:
        """A sound copy to damage."""
        shutil.rmtree(self.base / name, ignore_errors=True)
        shutil.copytree(self.sound, self.base / name, symlinks=True)
        return self.base / name

    def say(self, folder: Path, *words: str) -> tuple[int, str, str]:
        """A command's exit code, output and messages, in this process."""
        out, err = io.TextIOWrapper(io.BytesIO()), io.StringIO()
        faulthandler.dump_traceback_later(_LONGEST, exit=True)
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.chdir(folder):
                code = command(list(words))
        finally:
            faulthandler.cancel_dump_traceback_later()
        out.flush()
        text = out.buffer.getvalue().decode()
        assert "internal error" not in err.getvalue(), f"{words[:2]}: {err.getvalue()}"
        assert "Traceback" not in err.getvalue() + text
        assert CANARY not in err.getvalue(), f"{words[:2]}: a canary: {err.getvalue()}"
        return code, text, err.getvalue()

    def holds(self, kind: Kind) -> None:
        """Damage a copy for each command. Raises AssertionError where one does not do what it must, and Idle."""
        for name in ("run", "decide", "verify", "list", "explain", "restore"):
            folder = self.copy("desk")
            kind.damage(folder / "out")
            before = there(folder)
            words = {"run": run(folder), "decide": decide(folder, "3"), "list": export(folder),
                     "explain": ("explain", "out", f"{CANARY}1")}.get(name, ("cases", name, "out"))  # fmt: skip
            try:
                code, out, err = self.say(folder, *words)
                assert code in getattr(kind, name), f"exit {code} instead of {getattr(kind, name)}: {out[:200]}{err}"
                assert name in ("list", "explain") or CANARY not in out, "a canary"
                assert name != "run" or kind.word in err, err
                if name in ("run", "decide") and code:
                    assert there(folder) == before, f"what was refused changed something: {err}"
                elif code == 0:
                    self._is_true(kind, name, folder, out, err)
            except AssertionError as broken:
                raise AssertionError(f"{kind.name}: {name}: {broken}") from None

    def _is_true(self, kind: Kind, name: str, folder: Path, out: str, err: str) -> None:
        """What a command did that ended with 0."""
        if name == "run":
            decided = "SELECT number, state, reason FROM cases ORDER BY number"
            assert sql(folder / "out", decided) == sql(self.sound / "out", decided), "a decision is lost"
        elif name == "list":
            assert "audit98968: warning: " in err or shown(out) == shown(self.cases), "other cases are shown"
        elif name == "restore":
            code, output, err = self.say(folder, "cases", "verify", "out")
            assert code == 0, f"then verify: {output}{err}"
            cases = shown(self.say(folder, *export(folder))[1])
            assert not kind.is_all_there or cases == shown(self.restored), "another state was restored"


def run(folder: Path) -> tuple[str, ...]:
    """The words of a run."""
    tables = ("--calls", f"{folder}/calls.csv", "--visits", f"{folder}/visits.csv", "--as-of", "2026-04-20T12:00:00")
    return ("run", *tables, *_FIXED, "--out", f"{folder}/out")


def decide(folder: Path, case: str) -> tuple[str, ...]:
    """The words of a decision."""
    return ("cases", "decide", f"{folder}/out", "confirmed", case, *_BY)


def export(folder: Path) -> tuple[str, ...]:
    """The words that show every case."""
    return ("cases", "export", f"{folder}/out")


def shown(exported: str) -> list[dict[str, str]]:
    """Exported cases without what comes from the run that `latest` leads to."""
    from_run = ("payer", "policy", "message", "related_at")
    return [{k: v for k, v in row.items() if k not in from_run} for row in csv.DictReader(io.StringIO(exported))]


def there(folder: Path) -> dict[str, object]:
    """What is in an output folder, but for locks: of a ledger its rows, as far as it can be read."""
    ours = (
        path for path in (folder / "out").rglob("*") if not path.name.endswith((".lock", "-wal", "-shm", "-journal"))
    )
    return {str(path.relative_to(folder)): _content(path) for path in ours}


def _content(path: Path) -> object:
    if path.is_symlink() or not path.is_file():
        return path.readlink() if path.is_symlink() else path.stat().st_mode
    if path.name != store.NAME or not path.stat().st_size:
        return path.read_bytes()
    with tempfile.TemporaryDirectory() as copy:
        for rest in path.parent.glob(f"{path.name}*"):
            if rest.is_file():
                shutil.copy(rest, copy)
        try:
            with contextlib.closing(sqlite3.connect(Path(copy) / path.name)) as ledger:
                return [*ledger.execute("SELECT * FROM sqlite_schema"), *ledger.execute("SELECT * FROM history, runs"),
                        *ledger.execute("SELECT * FROM cases"), *ledger.execute("SELECT * FROM undecided")]  # fmt: skip
        except sqlite3.Error:
            return path.stat().st_size


def sql(out: Path, *statements: str) -> list[tuple[object, ...]]:
    """Execute statements on the ledger. Returns the rows of the last."""
    with contextlib.closing(sqlite3.connect(out / store.NAME, isolation_level=None)) as ledger:
        for statement in statements:
            rows = ledger.execute(statement).fetchall()
        ledger.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return rows


def edited(*statements: str) -> Damage:
    """Damage by SQL."""
    return lambda out: sql(out, *statements)
