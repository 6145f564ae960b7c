"""The catalogue of messages: each folder of tests/errors/ holds the least input that calls one forth, and the message.

A case brings its own tables, policy and `arguments`; what it does not bring comes from `_clean`. `message.txt` has the exit
code and the whole standard error, `rejects.csv` the rejected rows. What cannot lie in a repository is prepared here.
"""

import contextlib
import errno
import gzip
import io
import json
import os
import re
import resource
import shlex
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import polars as pl
import xlsxwriter
from filelock import FileLock

from auditor.cases import store
from auditor.engines import local
from auditor.quality import checks
from auditor.quality.issue import Stage
from auditor.reading import csv as csvfile
from auditor.reading import decoding
from auditor.reports.workbook.sample_book import HEADER_ROW
from auditor.runs import prune
from auditor.sources import json_lines, json_text
from cli.__main__ import repeat_table_flags
from cli.app import app
from cli.log import Log, log
from tests.support import workpaper

FOLDER = Path(__file__).parents[1] / "errors"
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


def printed(*words: str) -> str:
    """The standard output of a command that ends well, run as `command` does."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
        with contextlib.redirect_stdout(file):
            assert command([*words]) == 0
        file.seek(0)
        return file.read()


def _prepared(function: Callable[[Path], Iterator[None]]) -> Callable[[Path], Iterator[None]]:
    PREPARED[function.__name__.replace("_", "-")] = contextlib.contextmanager(function)
    return function


@contextlib.contextmanager
def _limited(which: int, size: int) -> Iterator[None]:
    """A limit of the kernel, as the program is told it."""
    reported, limits = resource.getrlimit, {which: (size, size)}
    with mock.patch.object(resource, "getrlimit", lambda kind: limits.get(kind) or reported(kind)):
        yield


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
def shrunk(folder: Path) -> Iterator[None]:
    """A run had all of these visits; then those of January but for the first were lost."""
    command(["run", "--calls", "calls.csv", "--visits", "visits.csv", "--timezone", "UTC", "--out", "out", "--quiet"])
    text = (folder / "visits.csv").read_text()
    kept = [line for line in text.splitlines() if "-01-" not in line or "-01-01-0" in line]
    (folder / "visits.csv").write_text("\n".join(kept) + "\n")
    yield


@_prepared
def gzip_bomb(folder: Path) -> Iterator[None]:
    """calls.csv.gz expands to one endless line."""
    (folder / "calls.csv").unlink()
    (folder / "calls.csv.gz").write_bytes(gzip.compress(b"a" * 10_000_000))
    with mock.patch.object(csvfile, "_LONGEST", 1_000_000):
        yield


@_prepared
def blank_lines_compressed(folder: Path) -> Iterator[None]:
    """calls.csv.gz goes on with 9 million blank lines, where 8 MB are let pass whatever the size of the file."""
    text = (folder / "calls.csv").read_bytes()
    (folder / "calls.csv").unlink()
    (folder / "calls.csv.gz").write_bytes(gzip.compress(text + b"\n" * 9_000_000))
    with mock.patch.object(decoding, "_HARMLESS", 8_000_000):
        yield


@_prepared
def json_ids_as_keys(folder: Path) -> Iterator[None]:
    """Two different keys are as many as a file may have."""
    with mock.patch.object(json_lines, "_COLUMNS", 2):
        yield


@_prepared
def json_file_changed(folder: Path) -> Iterator[None]:
    """The export goes on while its first lines are read."""
    path, decode = folder / "calls.jsonl", json_text._object

    def growing(where: str, number: int, line: str) -> json_text.Object:
        path.write_text(f"{line}\n{line}\n")
        return decode(where, number, line)

    with mock.patch.object(json_text, "_object", growing):
        yield


@_prepared
def json_line_too_long(folder: Path) -> Iterator[None]:
    """The first line has no end, and 50 characters are the longest."""
    path = folder / "calls.jsonl"
    path.write_text(path.read_text().rstrip("\n"))
    with mock.patch.object(json_text, "_LONGEST", 50):
        yield


@_prepared
def few_open_files(folder: Path) -> Iterator[None]:
    """`ulimit -n 16`"""
    with _limited(resource.RLIMIT_NOFILE, 16):
        yield


@_prepared
def few_addresses(folder: Path) -> Iterator[None]:
    """`ulimit -v 1000000`"""
    with _limited(resource.RLIMIT_AS, 1_024_000_000):
        yield


@_prepared
def cell_too_long(folder: Path) -> Iterator[None]:
    """The second call's doc_summary holds 3 MB."""
    with (folder / "calls.csv").open("a") as stream:
        stream.write(f"K2-{CANARY},P1-{CANARY},D1-{CANARY},2026-03-09 09:00,25,98968,{CANARY * 300_000}\n")
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
    with mock.patch.object(checks, "refuse", side_effect=lambda _, stage: action() if stage is Stage.READ else None):
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
def explain_without_evidence(folder: Path) -> Iterator[None]:
    """After a run with `--out out --write html`."""
    _finished_run("--write", "html")
    yield


@_prepared
def explain_refused_run(folder: Path) -> Iterator[None]:
    """out/refused/run is what a refused run left."""
    (folder / "out" / "refused" / "run").mkdir(parents=True)
    for name in ("rejects.csv", "summary.json"):
        (folder / "out" / "refused" / "run" / name).touch()
    yield


def _finished_run(*more: str) -> None:
    """A run of the tables here; equal runs are made once."""
    key = (Path("calls.csv").read_bytes(), more)
    if key not in _RUNS:
        tables = ["--calls", "calls.csv", "--visits", "visits.csv", "--timezone", "UTC"]
        assert (
            command(["run", *tables, "--out", "out", "--format", "none", "--fail-on", "never", "--quiet", *more]) == 0
        )
        _RUNS[key] = tempfile.TemporaryDirectory()
        shutil.copytree("out", Path(_RUNS[key].name) / "out", symlinks=True)
    elif not Path("out").exists():
        shutil.copytree(Path(_RUNS[key].name) / "out", "out", symlinks=True)


_RUNS: dict[tuple[bytes, tuple[str, ...]], tempfile.TemporaryDirectory[str]] = {}


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
def spark_without_java(folder: Path) -> Iterator[None]:
    """On a machine without Java."""
    with mock.patch.dict(os.environ, {"PATH": str(folder), "JAVA_HOME": ""}):
        yield


@_prepared
def spark_not_installed(folder: Path) -> Iterator[None]:
    """Without the extra `spark`."""
    with mock.patch.dict(os.environ, JAVA_HOME=str(folder)), mock.patch.dict(sys.modules, pyspark=None):
        yield


@_prepared
def spilling_fails(folder: Path) -> Iterator[None]:
    """The calls need more than `--memory`, and the disk takes no more."""
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with (
        mock.patch.object(local, "_SHARE", 1 << 40),
        mock.patch.object(tempfile, "mkdtemp", side_effect=full),
    ):
        yield


@_prepared
def pipe_does_not_fit(folder: Path) -> Iterator[None]:
    """The disk takes no copy of standard input."""
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with (
        mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO((folder / "calls.csv").read_bytes()))),
        mock.patch.object(shutil, "copyfileobj", side_effect=full),
        mock.patch.object(tempfile, "gettempdir", return_value="/tmp"),
    ):
        yield


@_prepared
def too_few_addresses(folder: Path) -> Iterator[None]:
    """`ulimit -v 4194304`"""
    with _limited(resource.RLIMIT_AS, 1 << 32):
        yield


@_prepared
def output_not_utf_8(folder: Path) -> Iterator[None]:
    """`AUDIT98968_OUT=$'out\\xff'`"""
    with mock.patch.dict(os.environ, AUDIT98968_OUT=os.fsdecode(b"out\xff")):
        yield


@_prepared
def case_unknown(folder: Path) -> Iterator[None]:
    """After a run with `--out out`."""
    _finished_run()
    yield


@_prepared
def decision_before_confirmed(folder: Path) -> Iterator[None]:
    """After a run with `--out out`."""
    _finished_run()
    yield


@_prepared
def refund_too_large(folder: Path) -> Iterator[None]:
    """After a run with `--out out`."""
    _finished_run()
    yield


@_prepared
def refund_without_amount(folder: Path) -> Iterator[None]:
    """After a run with `--out out`."""
    _finished_run()
    yield


@_prepared
def cases_since(folder: Path) -> Iterator[None]:
    """After a run with `--out out`."""
    _finished_run()
    yield


@_prepared
def compare_first_run(folder: Path) -> Iterator[None]:
    """After a run with `--out out`."""
    _finished_run()
    yield


@_prepared
def case_ambiguous(folder: Path) -> Iterator[None]:
    """After a run with `--out out --codes 98966,98968`."""
    _finished_run("--codes", "98966,98968")
    yield


@_prepared
def ledger_of_another_program(folder: Path) -> Iterator[None]:
    """other.sqlite has a table of another program."""
    _sql(folder / "other.sqlite", f"CREATE TABLE patients (a); INSERT INTO patients VALUES ('{CANARY}')")
    yield


@_prepared
def ledger_newer(folder: Path) -> Iterator[None]:
    """After a run of a newer version with `--out out`."""
    _finished_run()
    _sql(folder / "out" / store.NAME, "PRAGMA user_version = 99")
    yield


@_prepared
def ledger_older(folder: Path) -> Iterator[None]:
    """After a run with `--out out`, whose ledger.sqlite was then replaced by one of schema 1."""
    _finished_run()
    _sql(folder / "out" / store.NAME, "PRAGMA user_version = 1")
    yield


@_prepared
def ledger_damaged(folder: Path) -> Iterator[None]:
    """After a run with `--out out`, whose ledger.sqlite then lost a page."""
    _finished_run()
    path = folder / "out" / store.NAME
    whole = path.read_bytes()
    path.write_bytes(whole[: 1 << 14] + b"\xff" * (1 << 14) + whole[2 << 14 :])
    yield


@_prepared
def ledger_closed(folder: Path) -> Iterator[None]:
    """After a run with `--out out`, then `chmod 500 out`."""
    _finished_run()
    (folder / "out" / store.NAME).chmod(0o400)
    (folder / "out").chmod(0o500)
    with _unprivileged(folder):
        yield
    (folder / "out").chmod(0o700)


@_prepared
def ledger_kept_in_a_closed_folder(folder: Path) -> Iterator[None]:
    """After `mkdir closed; touch closed/ledger.sqlite; chmod 500 closed`"""
    (folder / "closed").mkdir()
    (folder / "closed" / store.NAME).touch()
    (folder / "closed").chmod(0o500)
    with _unprivileged(folder):
        yield
    (folder / "closed").chmod(0o700)


@_prepared
def policy_without_end(folder: Path) -> Iterator[None]:
    """policy.toml nests 5,000 lists."""
    (folder / "policy.toml").write_text(f"nulls = {'[' * 5000}{']' * 5000}\n")
    yield


@_prepared
def ledger_is_a_link(folder: Path) -> Iterator[None]:
    """After `mkdir out; ln -s ../ledger.sqlite out/ledger.sqlite`"""
    (folder / "out").mkdir()
    (folder / "out" / store.NAME).symlink_to(folder / store.NAME)
    yield


@_prepared
def ledger_gone(folder: Path) -> Iterator[None]:
    """After a run with `--out out`, then `rm out/ledger.sqlite`."""
    _finished_run()
    (folder / "out" / store.NAME).unlink()
    yield


@_prepared
def ledger_of_other_exports(folder: Path) -> Iterator[None]:
    """After a run with `--out out` of the calls of another clinic."""
    own = (folder / "calls.csv").read_text()
    (folder / "calls.csv").write_text(own.replace("K", "X").replace(",P", ",Y"))
    _finished_run()
    (folder / "calls.csv").write_text(own)
    yield


@_prepared
def ledger_of_another_folder(folder: Path) -> Iterator[None]:
    """After a run with `--out out`, whose ledger was then replaced by that of another folder."""
    _finished_run()
    (folder / "out" / store.NAME).unlink()
    with store.opened(folder / "out" / store.NAME, create=True):
        pass
    yield


@_prepared
def ledger_edited(folder: Path) -> Iterator[None]:
    """After a run with `--out out`, a case of its ledger was deleted."""
    _finished_run()
    _sql(folder / "out" / store.NAME, "DELETE FROM cases WHERE number = 1")
    yield


@_prepared
def ledger_without_a_table(folder: Path) -> Iterator[None]:
    """After a run with `--out out`, a table of its ledger was dropped."""
    _finished_run()
    _sql(folder / "out" / store.NAME, "DROP TABLE undecided")
    yield


@_prepared
def repair_of_an_edited_history(folder: Path) -> Iterator[None]:
    """After a run with `--out out`, its ledger's history was edited."""
    _finished_run()
    _sql(folder / "out" / store.NAME, "DROP TRIGGER history_is_fixed; UPDATE history SET by = 'Eve' WHERE number = 1")
    yield


@_prepared
def cases_of_another_program(folder: Path) -> Iterator[None]:
    """After a run with `--out out`, a case of its ledger got a date that is none."""
    _finished_run()
    _sql(folder / "out" / store.NAME, "UPDATE cases SET confirmed_on = 'x'")
    yield


@_prepared
def digest_of_a_damaged_run(folder: Path) -> Iterator[None]:
    """After a run with `--out out`, its findings.parquet was cut short."""
    _finished_run()
    path = (folder / "out" / "latest").resolve() / "findings.parquet"
    path.write_bytes(path.read_bytes()[:100])
    yield


@_prepared
def repair_of_claims_that_wait(folder: Path) -> Iterator[None]:
    """After a run with `--out out`, a claim that waits was added to its ledger."""
    _finished_run()
    _sql(folder / "out" / store.NAME, "INSERT INTO undecided VALUES ('C1', '1', '98968', '', 'LAH001', 1)")
    yield


@_prepared
def repair_without_the_run(folder: Path) -> Iterator[None]:
    """After a run with `--out out`, a case of its ledger was deleted, and the tables of its folder too."""
    _finished_run()
    _sql(folder / "out" / store.NAME, "DELETE FROM cases WHERE number = 1")
    (folder / "out" / "latest" / "cases.parquet").unlink()
    yield


@_prepared
def restore_from_older_runs(folder: Path) -> Iterator[None]:
    """After a run with `--out out`, whose cases.parquet was then cut short."""
    _finished_run()
    path = (folder / "out" / "latest").resolve() / "cases.parquet"
    path.write_bytes(path.read_bytes()[:100])
    yield


@_prepared
def restore_from_runs_of_two_ledgers(folder: Path) -> Iterator[None]:
    """After a run with `--out out`, copied under a later name; in the copy the cases have other numbers."""
    _finished_run()
    run = (folder / "out" / "latest").resolve()
    other = run.with_name("2" + run.name[1:].replace("2", "3", 1))
    shutil.copytree(run, other)
    summary = json.loads((other / "summary.json").read_text())
    summary["ledger"]["previous_run"], summary["run_id"] = run.name, other.name
    (other / "summary.json").write_text(json.dumps(summary))
    pl.read_parquet(run / "cases.parquet").with_columns(pl.col("number") + 9).write_parquet(other / "cases.parquet")
    yield


@_prepared
def ledger_held(folder: Path) -> Iterator[None]:
    """After a run with `--out out`, while another program writes to its ledger for half a minute."""
    _finished_run()
    with contextlib.closing(sqlite3.connect(folder / "out" / store.NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with mock.patch.object(store, "_WAIT", 0.05):
            yield


@_prepared
def history_edited(folder: Path) -> Iterator[None]:
    """After a run with `--out out`, whose ledger.sqlite was then edited."""
    _finished_run()
    _sql(folder / "out" / store.NAME, f"UPDATE cases SET state = 'refunded', reason = '{CANARY}'")
    yield


def _sql(path: Path, script: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)


@_prepared
def digits_lost(folder: Path) -> Iterator[None]:
    """calls.xlsx has the records of calls.csv, and patients that are numbers."""
    rows = [line.split(",") for line in (folder / "calls.csv").read_text(encoding="utf-8").splitlines()]
    (folder / "calls.csv").unlink()
    with xlsxwriter.Workbook(folder / "calls.xlsx") as book:
        sheet = book.add_worksheet()
        for row, cells in enumerate(rows):
            sheet.write_row(row, 0, cells)
            if row:
                sheet.write_number(row, 1, float(cells[1]))
    yield


def _reviewed(name: str, what: str, *cells: workpaper.Cell, edit: Callable[[Path], object] | None = None) -> None:
    def prepare(folder: Path) -> Iterator[None]:
        _finished_run()
        report, paper = folder / "out" / "latest" / "report.xlsx", folder / "reviewed.xlsx"
        workpaper.fill(report, paper, {workpaper.FIRST: cells})
        if edit:
            edit(paper)
        yield

    prepare.__doc__ = f"After a run with `--out out`. reviewed.xlsx is its report.xlsx, {what}."
    PREPARED[name] = contextlib.contextmanager(prepare)


def _edit(part: str, old: str, new: str) -> Callable[[Path], object]:
    def edit(paper: Path) -> None:
        workpaper.replace(paper.rename(paper.with_suffix(".old")), paper, part, old, new)

    return edit


_reviewed("review-misspelt", "with the decision `refunnded`", "refunnded", CANARY)
_reviewed("review-without-note", "with a decision and no note", "confirmed")
_reviewed("review-refund", "with a refund of a case that nobody confirmed", "refunded", CANARY)
_reviewed("review-no-date", "with the date `31.3.`", "confirmed", CANARY, "31.3.")
_reviewed("review-in-the-future", "with a date in the future", "confirmed", CANARY, "2999-03-31")
_reviewed("review-date-alone", "with a date and no decision", None, CANARY, "2026-03-31")
_reviewed("review-of-another-claim", "with another claim id", "confirmed", CANARY,
          edit=_edit("xl/sharedStrings.xml", f"K1-{CANARY}", f"K9-{CANARY}"))  # fmt: skip
_reviewed("review-of-another-run", "with another run id", "confirmed", CANARY,
          edit=_edit("xl/sharedStrings.xml", "Z-", "Z-0"))  # fmt: skip
_reviewed("review-without-findings", "its sheet Findings renamed", "confirmed", CANARY,
          edit=_edit("xl/workbook.xml", 'name="Findings"', 'name="Work"'))  # fmt: skip
_reviewed("review-without-columns", "the head of its column Decision changed", "confirmed", CANARY,
          edit=_edit("xl/sharedStrings.xml", "<t>Decision</t>", "<t>Verdict</t>"))  # fmt: skip


@_prepared
def review_is_no_workbook(folder: Path) -> Iterator[None]:
    """After a run with `--out out`."""
    _finished_run()
    yield


@_prepared
def review_missing(folder: Path) -> Iterator[None]:
    """After a run with `--out out`."""
    _finished_run()
    yield


@_prepared
def compare_pseudonyms(folder: Path) -> Iterator[None]:
    """After a run with `--out out` and one with `--out other --pseudonymize key`."""
    (folder / "key").chmod(0o600)
    _finished_run("--pseudonymize", "key")
    (folder / "out").rename("other")
    _finished_run()
    yield


@_prepared
def compare_older_columns(folder: Path) -> Iterator[None]:
    """After a run with `--out out`, whose findings.parquet has no column minutes."""
    _finished_run()
    path = folder / "out" / "latest" / "findings.parquet"
    pl.read_parquet(path).drop("minutes").write_parquet(path)
    yield


@_prepared
def compare_damaged_table(folder: Path) -> Iterator[None]:
    """After a run with `--out out`, whose findings.parquet was then damaged."""
    _finished_run()
    (folder / "out" / "latest" / "findings.parquet").write_bytes(b"PAR1")
    yield


@_prepared
def compare_damaged_summary(folder: Path) -> Iterator[None]:
    """After a run with `--out out`, whose summary.json was then emptied."""
    _finished_run()
    (folder / "out" / "latest" / "summary.json").write_text("")
    yield


_CALLS = "call_id,patient_id,provider_id,call_start,call_minutes,cpt_code,paid_amount\n" + "".join(
    f"K{day}-{CANARY},P{day}-{CANARY},D{day % 2}-{CANARY},2026-03-{day:02} 09:00,25,98968,{day}0\n"
    for day in range(1, 8)
)
"""Seven claims of $10 to $70."""


def _frame(name: str, what: str, act: Callable[[Path], object] | None = None, *, errors: str = "") -> None:
    """A case after a run of _CALLS; with `act` or `errors` after its frame was drawn and sample.csv filled in too."""

    def prepare(folder: Path) -> Iterator[None]:
        (folder / "calls.csv").write_text(_CALLS)
        _finished_run()
        if act or errors:
            options = ["--size", "3", "--spares", "2", "--seed", "1", "--strata", "none"]
            assert command(["frame", "out", "--out", "sample", *options]) == 0
            path = folder / "sample" / "sample.csv"
            rows = pl.read_csv(path, infer_schema=False)
            found = errors.split(",") if errors else []
            filled = rows.with_columns(
                pl.Series("error_amount", [*found, *[None] * (rows.height - len(found))], pl.String)
            )
            filled.write_csv(path)
        if act:
            act(folder / "sample")
        yield

    prepare.__doc__ = f"After a run of seven claims with `--out out`{what}."
    PREPARED[name] = contextlib.contextmanager(prepare)


def _text(name: str, change: Callable[[str], str]) -> Callable[[Path], object]:
    return lambda sample: (sample / name).write_text(change((sample / name).read_text()))


def _lines(change: Callable[[list[str]], list[str]]) -> Callable[[Path], object]:
    return _text("sample.csv", lambda text: "".join(change(text.splitlines(keepends=True))))


_DRAWN = " and `frame out --out sample --size 3 --spares 2 --seed 1`"
_frame("frame-too-many-strata", "")
_frame("frame-again", _DRAWN, errors="0,0,0")
_frame(
    "estimate-too-few",
    f"{_DRAWN}; the manifest and sample.csv were cut down to one unit",
    lambda sample: _one_unit(sample),
    errors="0",
)
_frame(
    "estimate-changed-manifest",
    f"{_DRAWN}; the manifest has another stratum",
    _text("frame.json", lambda text: text.replace('"name": "all"', f'"name": "{CANARY}"')),
    errors="0,0,0",
)
_frame("estimate-missing-file", _DRAWN, errors="0,0,0")
_frame(
    "estimate-damaged-manifest",
    f"{_DRAWN}; the manifest was emptied",
    _text("frame.json", lambda text: "{}"),
    errors="0,0,0",
)
_frame(
    "estimate-changed-frame",
    f"{_DRAWN}; frame.csv was edited",
    _text("frame.csv", lambda text: text.replace("30", "31")),
    errors="0,0,0",
)
_frame("estimate-nothing-filled-in", _DRAWN, lambda sample: None)
_frame(
    "estimate-both-filled-in",
    f"{_DRAWN}; sample.csv and sample.xlsx are filled in",
    lambda sample: _write_book(sample, "error_amount"),
    errors="0,0,0",
)
_frame(
    "estimate-no-sheet",
    f"{_DRAWN}; a sheet of reviewed.xlsx has another name",
    lambda sample: _write_book(sample, "error_amount", "Work", "reviewed"),
    errors="0,0,0",
)
_frame(
    "estimate-no-column",
    f"{_DRAWN}; the header of sample.csv was edited",
    _lines(lambda lines: [lines[0].replace("error_amount", "error"), *lines[1:]]),
    errors="0,0,0",
)
_frame(
    "estimate-another-unit",
    f"{_DRAWN}; a unit_id of sample.csv was edited",
    _text("sample.csv", lambda text: text.replace("claim:", "claims:")),
    errors="0,0,0",
)
_frame(
    "estimate-unit-twice",
    f"{_DRAWN}; a row of sample.csv stands twice",
    _lines(lambda lines: [*lines, lines[1]]),
    errors="0,0,0",
)
_frame(
    "estimate-unit-missing",
    f"{_DRAWN}; a row of sample.csv is gone",
    _lines(lambda lines: [lines[0], *lines[2:]]),
    errors="0,0,0",
)
_frame("estimate-blank", f"{_DRAWN}; two units are filled in", errors="0,0")
_frame("estimate-spare-skipped", f"{_DRAWN}; the second spare is filled in", errors="0,0,0,,0")
_frame("estimate-no-money", f"{_DRAWN}; a word is filled in", errors=f"0,0,{CANARY}")
_frame("estimate-half-cents", f"{_DRAWN}; `12.505` is filled in", errors="0,0,12.505")
_frame(
    "estimate-ragged",
    f"{_DRAWN}; a row of sample.csv is cut short",
    _lines(lambda lines: [*lines[:-1], "5\n"]),
    errors="0,0,0",
)


def _one_unit(sample: Path) -> None:
    _text(
        "frame.json", lambda text: re.sub(r'"(drawn|size)": 3', r'"\1": 1', text).replace('"spares": 2', '"spares": 0')
    )(sample)
    _lines(lambda lines: lines[:2])(sample)


@_prepared
def frame_nothing(folder: Path) -> Iterator[None]:
    """After a run with `--out out`."""
    _finished_run()
    yield


def _write_book(sample: Path, head: str, sheet: str = "Sample", name: str = "sample") -> None:
    rows = pl.read_csv(sample / "sample.csv", infer_schema=False)
    with xlsxwriter.Workbook(sample / f"{name}.xlsx") as book:
        page = book.add_worksheet(sheet)
        for column, values in enumerate(rows.iter_columns()):
            page.write_column(HEADER_ROW, column, [values.name, *(value or "" for value in values)])


def _three_runs() -> None:
    for zone in ("UTC", "America/Denver", "America/Phoenix"):
        command(
            ["run", "--calls", "calls.csv", "--visits", "visits.csv", "--timezone", zone, "--out", "out", "--quiet"]
        )


@_prepared
def prune_damaged(folder: Path) -> Iterator[None]:
    """Three runs; the summary of the first is empty."""
    _three_runs()
    first = min((folder / "out").glob("2*"))
    (first / "summary.json").write_text("")
    first.rename(folder / "out" / "20260101T000000000Z-00000000")
    yield


@_prepared
def prune_denied(folder: Path) -> Iterator[None]:
    """Three runs; the file system lets none be removed."""
    _three_runs()
    second = sorted((folder / "out").glob("2*"))[1]
    second.rename(folder / "out" / "20260101T000000000Z-00000000")
    with mock.patch.object(prune.shutil, "rmtree", side_effect=OSError(errno.EACCES, os.strerror(errno.EACCES))):
        yield


@_prepared
def found_policy_of_another(folder: Path) -> Iterator[None]:
    """audit98968.toml in the working directory belongs to another user."""
    (folder / "audit98968.toml").write_text("")
    if os.geteuid() == 0:
        os.chown(folder / "audit98968.toml", NOBODY, NOBODY)
        yield
        return
    with mock.patch.object(os, "geteuid", lambda: NOBODY):
        yield


@_prepared
def found_policy_writable(folder: Path) -> Iterator[None]:
    """audit98968.toml in the working directory has mode 0666."""
    (folder / "audit98968.toml").write_text("")
    (folder / "audit98968.toml").chmod(0o666)
    yield


@_prepared
def found_policy_unreadable(folder: Path) -> Iterator[None]:
    """audit98968.toml in the working directory is a link that leads nowhere."""
    (folder / "audit98968.toml").symlink_to("gone.toml")
    yield


@_prepared
def note_is_a_folder(folder: Path) -> Iterator[None]:
    """A run with a ledger; then a folder stands where its note was."""
    command(["run", "--calls", "calls.csv", "--visits", "visits.csv", "--timezone", "UTC", "--out", "out", "--quiet"])
    (folder / "out" / ".entered").unlink()
    (folder / "out" / ".entered").mkdir()
    yield


@_prepared
def decision_for_nobody(folder: Path) -> Iterator[None]:
    """After a run with `--out out`."""
    _finished_run()
    yield
