"""One ledger under fire: exports night by night, reviewers' decisions, and what must hold after every kill."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import fastexcel
import polars as pl
import xlsxwriter

from tests.slow.ledger.clinic import World
from tests.support.program import HANG

KEY = ("claim_id", "claim_line", "cpt_code", "rule")
ROOT = Path(__file__).parents[3]


class Ledger:
    """An output folder whose runs are killed; `decided` are the decisions that were acknowledged."""

    def __init__(self, folder: Path, seed: int, ledger_runs: int, daily: int) -> None:
        self.folder, self.out, self.path = folder, folder / "out", folder / "out" / "ledger.sqlite"
        self.random, self.world = random.Random(seed), World(seed, ledger_runs, daily)
        self.decided: dict[str, str] = {}
        self.tally: Counter[str] = Counter()
        self.message_text: Counter[int] = Counter()

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """A command as a process of its own."""
        return subprocess.Popen([sys.executable, "-m", "cli", *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env={**os.environ, "PYTHONPATH": str(ROOT)})  # fmt: skip

    def tell(self, *words: str) -> tuple[int, str]:
        """A command to its end. Returns exit code and standard output."""
        process = self.start(*words)
        out, err = process.communicate(timeout=HANG)
        if process.returncode not in (0, 1, 75):
            raise AssertionError(f"{words[:2]}: exit {process.returncode}: {out.decode()[-600:]} {err.decode()[-600:]}")
        return process.returncode, out.decode()

    def run(self, out: Path | None = None, *words: str) -> tuple[str, ...]:
        """The words of a run on tonight's exports."""
        tables = ("--calls", str(self.folder / "calls.csv"), "--visits", str(self.folder / "visits.csv"))
        return (
            "run",
            *tables,
            "--out",
            str(out or self.out),
            "--timezone",
            "UTC",
            "--fail-on",
            "new",
            "--quiet",
            *words,
        )

    def cases(self) -> list[dict[str, str]]:
        """Every case, as `cases export` shows it."""
        code, text = self.tell("cases", "export", str(self.path), "--format", "jsonl")
        assert code == 0, f"cases export: exit {code}"
        return [json.loads(line) for line in text.splitlines()]

    def choose(self, many: int) -> list[str]:
        """Cases without a decision."""
        free = [str(row["number"]) for row in self.cases() if str(row["number"]) not in self.decided]
        return self.random.sample(free, min(many, len(free)))

    def decision(self, numbers: list[str], reason: str) -> tuple[str, ...]:
        """The words of a decision. Nothing but people ends `confirmed`, so that it must stand for ever."""
        return ("cases", "decide", str(self.path), "confirmed", *numbers, "--by", "Ann", "--reason", reason)

    def paper(self, numbers: list[str], note: str) -> Path:
        """The last run's work paper with these cases confirmed."""
        frame = (
            fastexcel.read_excel(self.out / "latest" / "report.xlsx")
            .load_sheet("Findings", header_row=1, dtypes="string")
            .to_polars()
        )
        chosen = pl.col("Case").cast(pl.Float64).cast(pl.Int64).cast(pl.String).is_in(numbers)
        frame = frame.with_columns(Decision=pl.when(chosen).then(pl.lit("confirmed")), Note=pl.when(chosen).then(pl.lit(note)),
                                   **{"Decided on": pl.lit(None, pl.String)})  # fmt: skip
        path = self.folder / "reviewed.xlsx"
        with xlsxwriter.Workbook(str(path)) as book:
            page = book.add_worksheet("Findings")
            for place, name in enumerate(frame.columns):
                page.write_string(1, place, name)
                for row, value in enumerate(frame[name].fill_null("").to_list(), 2):
                    page.write_string(row, place, value)
        return path

    def kill(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether the process was still there to be killed."""
        process.send_signal(signal.SIGKILL)
        process.communicate()
        self.message_text[process.returncode] += 1
        assert process.returncode in (0, 1, -signal.SIGKILL), f"exit {process.returncode}"
        return process.returncode == -signal.SIGKILL

    def holds(self) -> None:
        """`cases verify` succeeds, and every acknowledged decision is in the state of its case and in the history."""
        if not self.path.is_file():
            return
        code, text = self.tell("cases", "verify", str(self.path))
        assert code == 0, f"cases verify: exit {code}: {text}"
        with sqlite3.connect(self.path) as ledger:
            states = {
                str(row[0]): row[1:] for row in ledger.execute("SELECT number, state, reason, finding FROM cases")
            }
            entries = set(
                ledger.execute("SELECT finding, json_extract(details, '$.reason') FROM history WHERE what = 'decided'")
            )
        ledger.close()
        for number, reason in self.decided.items():
            assert states[number][:2] == ("confirmed", reason), f"case {number}: its decision is lost"
            assert (states[number][2], reason) in entries, f"case {number}: its decision is not in the history"
        self.tally["decisions held"] += len(self.decided)

    def together(self, numbers: list[str], reason: str) -> bool:
        """Whether a killed command's decisions are all there; never some of them only."""
        there = [row["reason"] == reason for row in self.cases() if str(row["number"]) in numbers]
        assert len(there) == len(numbers) and len(set(there)) == 1, (
            f"{sum(there)} of {len(numbers)} decisions of one command"
        )
        if there[0]:
            self.decided |= dict.fromkeys(numbers, reason)
        return there[0]

    def runs(self, *outs: Path) -> list[Path]:
        """Every published run below these folders."""
        return sorted(path for out in outs or (self.out,) for path in out.glob("2*") if path.is_dir())

    def announced(self, *outs: Path) -> None:
        """Each finding of each published run, and each case of the ledger, was called new in a published run."""
        with sqlite3.connect(self.path) as ledger:
            entered = {row[0] for row in ledger.execute("SELECT run_id FROM runs")}
        ledger.close()
        new, found, kept = set(), set(), set()
        for folder in self.runs(*outs):
            marks = pl.read_parquet(folder / "cases.parquet")
            new |= set(marks.filter(pl.col("mark").is_in(["new", "reopened"])).select(KEY).rows())
            here = set(pl.read_parquet(folder / "findings.parquet").select(KEY).rows())
            found |= here
            kept |= here if folder.name in entered else set()
        cases = {tuple(row[name] for name in KEY) for row in self.cases()}
        assert found <= new, f"{len(found - new)} findings were never called new"
        assert cases <= new, f"{len(cases - new)} cases were never called new in a published run"
        assert kept <= cases, f"{len(kept - cases)} findings of runs in the ledger are no case"
        self.tally["findings announced"] = len(found)


def wait(process: subprocess.Popen[bytes], until: float) -> None:
    """Sleep up to that moment, or to the process's end."""
    while process.poll() is None and time.monotonic() < until:
        time.sleep(0.0005)
