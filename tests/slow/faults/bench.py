"""A clinic whose every cell is a canary, runs that go wrong in it, and what must be true afterwards.

Nothing here needs root. A promise that is broken is an AssertionError.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from tests.support.program import HANG

ROOT = Path(__file__).parents[3]
CANARY = "QXCANARY"
FILES = {"findings.parquet", "findings.csv", "claims.parquet", "claims.csv", "evidence.parquet", "rejects.csv",
         "summary.json", "report.html", "report.xlsx", "cases.csv", "cases.parquet"}  # fmt: skip
TABLES = ("--calls", "calls.csv", "--visits", "visits.csv", "--timezone", "UTC", "--max-rejects", "100%")
RUN = ("run", *TABLES, "--out", "out", "--fail-on", "never", "--log-file", "log")
_RUN_ID = re.compile(r"\d{8}T\d{9}Z-[0-9a-f]{8}")
_FOREIGN = ("Traceback", "panicked at", "Exception ignored", "Fatal Python error", "stack backtrace", "Warning:")


@dataclass
class Done:
    """A run that has ended."""

    code: int
    out: str
    err: str


@dataclass
class Clinic:
    """A folder of its own with exports, and a home, a temporary folder and a working folder that must stay as they are."""

    base: Path
    rows: int = 300
    modes: bool = True
    before: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("home", "tmp", "work"):
            (self.base / name).mkdir(parents=True)
        self.work.joinpath("calls.csv").write_text(_calls(self.rows))
        self.work.joinpath("visits.csv").write_text(_visits(self.rows))

    @property
    def work(self) -> Path:
        """Where the exports are, and the output folder `out`."""
        return self.base / "work"

    @property
    def out(self) -> Path:
        """The output folder."""
        return self.work / "out"

    def start(self, *arguments: str, prefix: Sequence[str] = (), env: dict[str, str] | None = None,
              **options: Any) -> subprocess.Popen[bytes]:  # fmt: skip
        """Start the program here; `prefix` is a command to start it with."""
        self.before = self.runs()
        variables = {**os.environ, "HOME": str(self.base / "home"), "TMPDIR": str(self.base / "tmp"),
                     "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(ROOT), **(env or {})}  # fmt: skip
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "preexec_fn": _usual_interrupt} | options
        command = [*prefix, sys.executable, "-m", "cli", *(arguments or RUN)]
        return subprocess.Popen(command, cwd=self.work, env=variables, **streams)

    def run(self, *arguments: str, **options: Any) -> Done:
        """Run the program here to its end."""
        return finish(self.start(*arguments, **options))

    def runs(self) -> dict[str, str]:
        """Every run folder below `out` with a digest of all it holds."""
        found = {}
        for folder in (*self.out.glob("2*"), *self.out.glob("refused/2*")):
            assert _RUN_ID.fullmatch(folder.name), folder.name
            held = [(entry.name, entry.read_bytes()) for entry in sorted(folder.iterdir())]
            found[str(folder.relative_to(self.out))] = hashlib.sha256(repr(held).encode()).hexdigest()
        return found

    def promises(self, done: Done, codes: Sequence[int]) -> None:
        """What holds after every run that went wrong, and after every other."""
        assert done.code in codes, f"exit {done.code} instead of {codes}: {done.err[:500]}"
        self.private(done)
        now = self.runs()
        assert self.before.items() <= now.items(), "an earlier run was changed"
        for name in now:
            whole(self.out / name)
        latest = self.out / "latest"
        assert not os.path.lexists(latest) or (latest.is_symlink() and latest.resolve().name in now), "latest is broken"
        assert not self.before or latest.is_symlink(), "latest is gone"
        self.tidy()

    def private(self, done: Done) -> None:
        """No canary and no library's words in what was said, logged or used as a name; nobody else can read a file."""
        log = self.work / "log"
        for where, message_text in (("stdout", done.out), ("stderr", done.err), ("log", _text(log))):
            assert CANARY not in message_text, f"a canary in {where}"
            assert not any(word in message_text for word in _FOREIGN), f"{where}: {message_text[:500]}"
        for path in (self.out, *self.out.rglob("*")) if self.out.is_dir() else ():
            assert CANARY not in str(path)
            if self.modes and not path.is_symlink():
                mode = stat.S_IMODE(path.stat().st_mode)
                assert mode == (0o700 if path.is_dir() else 0o600), f"{path.name}: mode {mode:o}"
        if self.modes and log.exists():
            assert stat.S_IMODE(log.stat().st_mode) == 0o600

    def tidy(self) -> None:
        """No file outside the output folder."""
        known = {"calls.csv", "visits.csv", "out", "log"}
        assert {entry.name for entry in self.work.iterdir()} <= known, "a stray file in the working folder"
        strays = [*(self.base / "home").iterdir(), *(self.base / "tmp").iterdir()]
        assert not strays, f"a stray file: {strays[0].name}"

    def recovers(self) -> None:
        """The next run succeeds and removes what dead runs left."""
        done = self.run()
        self.promises(done, [0])
        left = {entry.name for entry in self.out.iterdir() if not _RUN_ID.fullmatch(entry.name)}
        assert left <= {".entered", ".lock", "latest", "ledger.sqlite", "refused"}, f"left over: {left}"
        assert (self.out / "latest").resolve().name not in self.before, "latest did not move"

    def remembers(self) -> None:
        """The ledger holds, and every finding of the last run in it is one of its cases."""
        done = self.run("cases", "verify", "out")
        assert done.code == 0, done.out + done.err
        done = self.run("cases", "export", "out")
        assert done.code == 0, done.err
        known = set(pl.read_csv(done.out.encode(), infer_schema=False)["finding_id"])
        last = json.loads((self.out / "latest" / "summary.json").read_text())
        with contextlib.closing(sqlite3.connect(self.out / "ledger.sqlite")) as ledger:
            entered = ledger.execute("SELECT 1 FROM runs WHERE run_id = ?", (last["run_id"],)).fetchone()
        found = set(pl.read_parquet(self.out / "latest" / "findings.parquet")["finding_id"])
        assert not entered or found <= known, "a finding is no case"


def whole(folder: Path) -> None:
    """A run folder is complete, or is a complete refusal."""
    reported = json.loads((folder / "summary.json").read_text())
    assert reported["run_id"] == folder.name
    names = {entry.name for entry in folder.iterdir()}
    if folder.parent.name == "refused":
        assert names == {"summary.json", "rejects.csv"}
        return
    assert names == FILES, f"{folder.name} is not whole"
    assert pl.read_parquet(folder / "claims.parquet").height >= reported["claims"]["audited"]
    assert pl.read_parquet(folder / "findings.parquet").width == pl.read_csv(folder / "findings.csv", n_rows=0).width
    pl.read_parquet(folder / "evidence.parquet")
    assert (folder / "report.html").read_text().rstrip().endswith("</html>")


def finish(process: subprocess.Popen[bytes]) -> Done:
    """Wait for a run's end."""
    try:
        out, err = process.communicate(timeout=HANG)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise AssertionError("the run did not end") from None
    return Done(process.returncode, (out or b"").decode(errors="replace"), (err or b"").decode(errors="replace"))


def stages(clinic: Clinic) -> tuple[float, float]:
    """The seconds after which a clean run begins to write, and ends."""
    began = time.monotonic()
    process = clinic.start(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    writing = 0.0
    while process.poll() is None:
        writing = writing or (time.monotonic() - began if any(clinic.out.glob(".unfinished-*")) else 0.0)
        time.sleep(0.002)
    assert process.returncode == 0
    return writing, time.monotonic() - began


def _usual_interrupt() -> None:
    """Whoever starts us may have set it to be ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.is_file() else ""


def _calls(rows: int) -> str:
    lines = ["call_id,patient_id,provider_id,call_start,call_minutes,initiated_by,caller,purpose,diagnosis_codes,"
             "doc_summary,cpt_code,paid_amount,claim_status,provider_credential"]  # fmt: skip
    for n in range(rows):
        start = CANARY if n % 50 == 49 else f"2026-03-{n % 28 + 1:02} {8 + n % 9:02}:{n % 60:02}"
        minutes = CANARY if n % 50 == 24 else str(15 + n % 20)
        who = f"{CANARY}-K{n},{CANARY} Patient {n % 97},{CANARY} Provider {n % 9}"
        what = f"{CANARY},{CANARY},{CANARY},{CANARY},{CANARY} summary,98968,{CANARY if n % 50 == 10 else 40},{CANARY},{CANARY}"
        lines.append(f"{who},{start},{minutes},{what}")
    return "\n".join(lines) + "\n"


def _visits(rows: int) -> str:
    lines = ["visit_id,patient_id,provider_id,visit_start,status,modality,cpt_codes,problem_id,originating_call_id"]
    for n in range(rows):
        who = f"{CANARY}-V{n},{CANARY} Patient {n % 97},{CANARY} Provider {n % 7}"
        start = CANARY if n % 50 == 33 else f"2026-0{2 + n % 3}-{n % 28 + 1:02} {8 + n % 9:02}:00"
        lines.append(f"{who},{start},{CANARY if n % 5 else 'completed'},{CANARY},99213,,{CANARY}-K{n}")
    return "\n".join(lines) + "\n"
