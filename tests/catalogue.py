"""The catalogue of messages: each folder of tests/errors/ holds the least input that calls one forth, and the message.

A case brings its own tables, policy and `arguments`; what it does not bring comes from `_clean`. `message.txt` has the exit
code and the whole standard error, `rejects.csv` the rejected rows. What cannot lie in a repository is prepared here.
"""

import contextlib
import errno
import gzip
import os
import resource
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from filelock import FileLock

from auditor import audit, csvfile
from cli.__main__ import repeat_table_flags
from cli.app import app
from cli.log import Log, log

FOLDER = Path(__file__).parent / "errors"
TABLES = ("calls", "visits", "claims", "providers")
GOLDEN = ("message.txt", "rejects.csv", "arguments")
CANARY = "CANARYZQX"
NOBODY = 65534

Preparation = Callable[[Path], contextlib.AbstractContextManager[object]]
PREPARED: dict[str, Preparation] = {}


@dataclass(frozen=True)
class Case:
    """One message. `inputs` are the files that the case brings, by their path in it."""

    name: str

    @property
    def folder(self) -> Path:
        return FOLDER / self.name

    @property
    def inputs(self) -> dict[str, Path]:
        files = (path for path in sorted(self.folder.rglob("*")) if path.is_file() and path.name not in GOLDEN)
        return {str(path.relative_to(self.folder)): path for path in files}

    @property
    def golden(self) -> str:
        return (self.folder / "message.txt").read_text(encoding="utf-8")

    @property
    def preparation(self) -> str:
        """In words, what is done to the inputs before the run."""
        return (PREPARED[self.name].__doc__ or "") if self.name in PREPARED else ""

    def arguments(self, folder: Path) -> list[str]:
        """The command line: the case's own, or an audit of the tables in the folder."""
        own = self.folder / "arguments"
        if own.exists():
            return shlex.split(own.read_text(encoding="utf-8"))
        entries = sorted(entry.name for entry in folder.iterdir())
        tables = [
            word for name in TABLES for entry in entries if entry.startswith(name) for word in (f"--{name}", entry)
        ]
        rest = ["--policy", "policy.toml"] if (folder / "policy.toml").exists() else ["--timezone", "UTC"]
        return ["run", *tables, *rest, "--fail-on", "never", "--out", "out"]

    def run(self, folder: Path) -> int:
        """Lay out the inputs in an empty folder and run the command there. Returns the exit code."""
        for name, path in self.inputs.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / name)
        for name in ("calls", "visits"):
            if not any(entry.name.startswith(name) for entry in folder.iterdir()):
                shutil.copy(FOLDER / "_clean" / f"{name}.csv", folder)
        with contextlib.chdir(folder), PREPARED.get(self.name, contextlib.nullcontext)(folder):
            return command(self.arguments(Path()))


def cases() -> list[Case]:
    """Every case, by name."""
    return [Case(entry.name) for entry in sorted(FOLDER.iterdir()) if not entry.name.startswith("_")]


def command(arguments: list[str]) -> int:
    """Run the program in this process, without what `main` does to the process itself."""
    vars(log).update(vars(Log()))
    try:
        app(args=repeat_table_flags(arguments), prog_name="audit98968")
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def _prepared(function: Callable[[Path], Iterator[None]]) -> Callable[[Path], Iterator[None]]:
    PREPARED[function.__name__.replace("_", "-")] = contextlib.contextmanager(function)
    return function


@contextlib.contextmanager
def _unprivileged(folder: Path) -> Iterator[None]:
    """Nothing is denied to root."""
    if os.geteuid():
        yield
        return
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@_prepared
def gzip_bomb(folder: Path) -> Iterator[None]:
    """calls.csv.gz expands to more than half of the machine's memory."""
    (folder / "calls.csv").unlink()
    (folder / "calls.csv.gz").write_bytes(gzip.compress(b"a" * 10_000_000))
    with mock.patch.object(csvfile, "_MEMORY", 1_000_000), mock.patch.object(csvfile, "_PART", 100_000):
        yield


@_prepared
def cell_too_long(folder: Path) -> Iterator[None]:
    """The second call's doc_summary holds 100 MB."""
    with (folder / "calls.csv").open("a") as stream:
        stream.write(f"K2-{CANARY},P1-{CANARY},D1-{CANARY},2026-03-09 09:00,25,98968,{CANARY * 11_000_000}\n")
    yield


@_prepared
def out_of_memory(folder: Path) -> Iterator[None]:
    """The machine has too little memory for the file."""
    with mock.patch.object(csvfile, "open_text", side_effect=MemoryError):
        yield


@_prepared
def permission_denied(folder: Path) -> Iterator[None]:
    """`chmod 000 calls.csv`"""
    (folder / "calls.csv").chmod(0)
    with _unprivileged(folder):
        yield


@_prepared
def folder_closed(folder: Path) -> Iterator[None]:
    """calls is a folder with a folder in it that others may not open."""
    (folder / "calls.csv").unlink()
    (folder / "calls" / "march").mkdir(parents=True)
    (folder / "calls" / "march").chmod(0)
    with _unprivileged(folder):
        yield
    (folder / "calls" / "march").chmod(0o700)


@_prepared
def link_in_a_circle(folder: Path) -> Iterator[None]:
    """`ln -sf calls.csv calls.csv`"""
    (folder / "calls.csv").unlink()
    (folder / "calls.csv").symlink_to("calls.csv")
    yield


@_prepared
def link_in_folder_leads_nowhere(folder: Path) -> Iterator[None]:
    """calls is a folder that holds a table, and a link to one that is gone."""
    (folder / "calls").mkdir()
    (folder / "calls.csv").rename(folder / "calls" / "a.csv")
    (folder / "calls" / "b.csv").symlink_to("gone.csv")
    yield


@_prepared
def device(folder: Path) -> Iterator[None]:
    """`ln -sf /dev/zero calls.csv`"""
    (folder / "calls.csv").unlink()
    (folder / "calls.csv").symlink_to("/dev/zero")
    yield


@_prepared
def not_utf_8_path(folder: Path) -> Iterator[None]:
    """An empty file whose name holds the byte 0xFF."""
    (folder / "calls.csv").unlink()
    Path(os.fsdecode(b"calls-\xff.csv")).touch()
    yield


@_prepared
def file_changed(folder: Path) -> Iterator[None]:
    """calls.csv is written to after it was read."""
    with _while_auditing(lambda: (folder / "calls.csv").write_bytes(b"call_id")):
        yield


@_prepared
def file_gone(folder: Path) -> Iterator[None]:
    """calls.csv is removed after it was read."""
    with _while_auditing((folder / "calls.csv").unlink):
        yield


@contextlib.contextmanager
def _while_auditing(action: Callable[[], object]) -> Iterator[None]:
    with mock.patch.object(audit, "accept", side_effect=lambda *_: action()):
        yield


@_prepared
def standard_input_closed(folder: Path) -> Iterator[None]:
    """`<&-`"""
    with mock.patch.object(sys, "stdin", None):
        yield


@_prepared
def yes_or_no(folder: Path) -> Iterator[None]:
    """`AUDIT98968_QUIET=perhaps`"""
    with mock.patch.dict(os.environ, AUDIT98968_QUIET="perhaps"):
        yield


@_prepared
def key_open_to_others(folder: Path) -> Iterator[None]:
    """`chmod 644 key`"""
    (folder / "key").chmod(0o644)
    yield


@_prepared
def key_too_short(folder: Path) -> Iterator[None]:
    """`chmod 600 key`"""
    (folder / "key").chmod(0o600)
    yield


@_prepared
def explain_no_claim(folder: Path) -> Iterator[None]:
    """After a run with `--out out`."""
    _finished_run()
    yield


@_prepared
def explain_damaged_run(folder: Path) -> Iterator[None]:
    """After a run with `--out out`, whose claims.parquet was then damaged."""
    _finished_run()
    (folder / "out" / "latest" / "claims.parquet").write_bytes(b"PAR1")
    yield


@_prepared
def explain_refused_run(folder: Path) -> Iterator[None]:
    """out/refused/run is what a refused run left."""
    (folder / "out" / "refused" / "run").mkdir(parents=True)
    for name in ("rejects.csv", "summary.json"):
        (folder / "out" / "refused" / "run" / name).touch()
    yield


def _finished_run() -> None:
    tables = ["--calls", "calls.csv", "--visits", "visits.csv", "--timezone", "UTC"]
    assert command(["run", *tables, "--out", "out", "--format", "none", "--fail-on", "never"]) == 0


@_prepared
def folder_held(folder: Path) -> Iterator[None]:
    """Another run writes to the same folder."""
    (folder / "out").mkdir()
    with FileLock(folder / "out" / ".lock"):
        yield


@_prepared
def output_closed(folder: Path) -> Iterator[None]:
    """`chmod 500 out`"""
    (folder / "out").mkdir()
    (folder / "out").chmod(0o500)
    with _unprivileged(folder):
        yield


@_prepared
def output_without_locks(folder: Path) -> Iterator[None]:
    """out is on a file system that cannot lock files."""
    with mock.patch.object(FileLock, "acquire", side_effect=OSError(errno.ENOLCK, "")):
        yield


@_prepared
def too_few_addresses(folder: Path) -> Iterator[None]:
    """`ulimit -v 1048576`"""
    with mock.patch.object(resource, "getrlimit", return_value=(1 << 30, 1 << 30)):
        yield


@_prepared
def output_not_utf_8(folder: Path) -> Iterator[None]:
    """`AUDIT98968_OUT=$'out\\xff'`"""
    with mock.patch.dict(os.environ, AUDIT98968_OUT=os.fsdecode(b"out\xff")):
        yield
