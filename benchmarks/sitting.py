"""One sitting: the contestants on one export, their findings proved equal, then measured in alternating rounds."""

import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import answers, exports

ROOT = Path(__file__).parents[1]
MEASURE = Path(__file__).with_name("measure.py")
SELECT = ("--select", ",".join(answers.CORE))


class Differ(Exception):
    """A peer's findings are not the auditor's."""


@dataclass(frozen=True)
class Size:
    """An export to measure; `text`: its CSV files too; `narrow`: one with a ledger, of which ten runs are measured."""

    name: str
    claims: int
    rounds: int
    dense: bool = False
    text: bool = True
    narrow: bool = False

    def export(self, data: Path) -> Path:
        """The folder with its files."""
        if self.narrow:
            return exports.narrow(data, 10 * self.claims)
        return exports.export(data, self.claims, dense=self.dense)

    @property
    def contestants(self) -> list[str]:
        """Who is measured."""
        if self.narrow:
            return ["floor", "duckdb", "core"]
        left_out = set() if self.text and not self.dense else {"csv", "text"}
        left_out |= set() if self.claims > 20_000 else {"bounded"}
        return [name for name in CONTESTANTS if name not in left_out]


Command = Callable[[Path, Path], list[str]]
"""(export, scratch folder) → command."""


def _audit(kind: str, *more: str) -> Command:
    def command(export: Path, scratch: Path) -> list[str]:
        tables = [word for name in ("calls", "visits") for word in (f"--{name}", str(export / f"{name}.{kind}"))]
        if "--out" in more:
            tables += ["--providers", str(export / f"providers.{kind}")]
        rest = [word.replace("OUT", str(scratch / "out")) for word in more]
        policy = ["--policy", str(export / "policy.toml")]
        return [exports.TOOL, "run", *tables, *policy, "--format", "none", "--fail-on", "never", "--quiet", *rest]

    return command


def _peer(module: str, *more: str) -> Command:
    def command(export: Path, scratch: Path) -> list[str]:
        file = [str(scratch / f"{module}.parquet")] if module != "floor" else []
        return [sys.executable, "-m", f"benchmarks.{module}", str(export), *file, *more]

    return command


OUT = ("--out", "OUT", "--ledger", "none")
CONTESTANTS: dict[str, Command] = {
    "floor": _peer("floor"),
    "duckdb": _peer("duck"),
    "checked": _peer("checks"),
    "core": _audit("parquet", *SELECT),
    "bounded": _audit("parquet", *SELECT, "--memory", "1GB"),
    "tables": _audit("parquet", "--out", "OUT", "--write", "csv"),
    "all": _audit("parquet", *OUT),
    "pandas": _peer("frames"),
    "text": _peer("floor", "text"),
    "csv": _audit("csv", *SELECT),
}
LABELS = {
    "floor": "polars, only reading the columns",
    "duckdb": "DuckDB, hand-written SQL",
    "checked": "DuckDB, the same checks and then the same SQL",
    "core": "audit98968, core rules",
    "bounded": "audit98968, core rules, `--memory 1GB`",
    "tables": "audit98968, all rules, tables and ledger",
    "all": "audit98968, all rules and reports",
    "pandas": "pandas",
    "text": "polars, only reading CSV as text",
    "csv": "audit98968, core rules on CSV",
    "run 1": "audit98968, core rules and ledger, first run",
    "run 2": "audit98968, core rules and ledger, second run",
    "run 10": "audit98968, core rules and ledger, tenth run",
}


def hold(size: Size, data: Path, cap: float, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure one export. Raises Differ before anything is measured where findings differ."""
    export = size.export(data)
    scratch = data / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    names = size.contestants
    slow = ("pandas",) if size.claims > 100_000 else ()  # proved at the other sizes
    checked, firsts = _prove(export, scratch, cap, [name for name in names if name not in slow])
    say(f"{size.name}: {checked}")
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    load = [os.getloadavg()[0]]
    for turn in range(size.rounds):
        for name in names if turn % 2 == 0 else reversed(names):
            if any(run["code"] for run in runs[name]):
                continue
            shutil.rmtree(scratch / "out", ignore_errors=True)
            runs[name].append(measure(CONTESTANTS[name](export, scratch), scratch, cap))
    runs |= _runs(export, scratch, cap) if size.narrow else {}
    load.append(os.getloadavg()[0])
    shutil.rmtree(scratch, ignore_errors=True)
    return {
        "name": size.name,
        "calls": exports.rows(export, "calls"),
        "visits": exports.rows(export, "visits"),
        "claims": size.claims,
        "checked": checked,
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "load": load,
        "cap": cap,
        "runs": {name: summed(some) for name, some in runs.items()},
        "firsts": firsts,
    }


def _runs(export: Path, scratch: Path, cap: float) -> dict[str, list[dict[str, float]]]:
    """The first, second and tenth of ten runs into one folder."""
    shutil.rmtree(scratch / "out", ignore_errors=True)
    command = _audit("parquet", *SELECT)(export, scratch)
    runs = [measure([*command, "--out", str(scratch / "out"), "--write", "none"], scratch, cap) for _ in range(10)]
    return {f"run {number}": [runs[number - 1]] for number in (1, 2, 10)}


def starts(data: Path, rounds: int) -> dict[str, dict[str, float]]:
    """What a newcomer waits for: the help, and a run of 1,000 claims without reports."""
    export, scratch = exports.export(data, 1_000), data
    commands = {"help": [exports.TOOL, "--help"], "thousand": _audit("parquet")(export, scratch)}
    return {name: summed([measure(command, scratch, 16) for _ in range(rounds)]) for name, command in commands.items()}


def measure(command: list[str], scratch: Path, cap: float) -> dict[str, float]:
    """One whole process."""
    guarded = [sys.executable, "-S", str(MEASURE), str(cap), str(scratch / "log"), *command]
    result: dict[str, float] = json.loads(subprocess.run(guarded, check=True, capture_output=True, cwd=ROOT).stdout)
    return result


def summed(runs: list[dict[str, float]]) -> dict[str, float]:
    """Best and median wall time, CPU time of the best, the highest peak (GiB), the worst exit code."""
    walls = [run["wall"] for run in runs]
    return {
        "best": min(walls),
        "median": statistics.median(walls),
        "cpu": min(run["cpu"] for run in runs),
        "peak": max(run["peak"] for run in runs),
        "code": next((run["code"] for run in runs if run["code"]), 0),
        "rounds": len(runs),
    }


def _prove(export: Path, scratch: Path, cap: float, names: list[str]) -> tuple[str, dict[str, float]]:
    """Run everyone once and compare: the core run, the run of all rules, and the peers. What is proved, and their times."""
    core, every = scratch / "core", scratch / "out"
    commands = {"core": [*CONTESTANTS["core"](export, scratch), "--out", str(core), "--ledger", "none"]}
    commands |= {
        name: CONTESTANTS[name](export, scratch) for name in ("all", "duckdb", "checked", "pandas") if name in names
    }
    runs = {name: measure(command, scratch, cap) for name, command in commands.items()}
    codes = {name: run["code"] for name, run in runs.items()}
    found = {"core": lambda: answers.published(core), "all": lambda: answers.published(every)}
    found |= {name: lambda file=file: answers.answered(scratch / f"{file}.parquet")
              for name, file in (("duckdb", "duck"), ("checked", "checks"), ("pandas", "frames"))}  # fmt: skip
    finished = [name for name in commands if not codes[name]]
    missing = [f"{name} did not finish (exit {codes[name]:.0f})" for name in commands if codes[name]]
    if len(finished) < 2:
        raise Differ(f"nothing to compare: {'; '.join(missing)}")
    first, *others = finished
    ours = found[first]()
    for name in others:
        if different := answers.difference(ours, found[name]()):
            raise Differ(f"{first} and {name}: {different}")
    if {"core", "checked"} <= set(finished):
        theirs = json.loads((scratch / "checks.json").read_text())
        if different := [name for name, message_text in answers.counted(core).items() if message_text != theirs[name]]:
            raise Differ(f"core and checked: {', '.join(different)}")
    proved = "; ".join([f"{ours.height:,} findings equal in {', '.join(finished)}", *missing])
    return proved, {name: runs[name]["wall"] for name in finished}
