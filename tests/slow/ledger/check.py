"""Night after night: a quarter against an independent replay, runs and decisions killed, several writers at once.

    python -m tests.slow.ledger.check [--seed 1] [--kills 100] [--rounds 10] [--only quarter|kills|writers]

Prints a tally of each. Exits 1 if program and replay differ or a promise was broken.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import tempfile
import time
from pathlib import Path

from tests.slow.ledger.bench import Ledger, wait
from tests.slow.ledger.quarter import Plan, Quarter

SHARES = {"run": 6, "decide": 1, "import": 1}
"""Of every eight kills, how many hit which command."""


def quarter(folder: Path, options: argparse.Namespace) -> int:
    """Ninety nights. Returns the number of differences."""
    ledger_runs = Quarter(folder, Plan(), options.seed)
    ledger_runs.whole()
    print(", ".join(f"{count:,} {name}" for name, count in ledger_runs.tally.items()))
    print(*ledger_runs.differences, sep="\n", end="\n" if ledger_runs.differences else "")
    return len(ledger_runs.differences)


def kills(folder: Path, options: argparse.Namespace) -> int:
    """Commands killed at moments spread over marking, publishing and committing."""
    ledger = Ledger(folder, options.seed, options.kills + 2, daily=30)
    ledger.world.write(folder, 1)
    writing, published, end = _moments(ledger)
    kinds = [kind for kind, share in SHARES.items() for _ in range(share)]
    broken = 0
    for number in range(1, options.kills + 1):
        try:
            _one(ledger, number, kinds[number % len(kinds)], writing, published, end)
            if number % 5 == 0:
                code, _ = ledger.tell(*ledger.run())
                assert code in (0, 1), f"the next run: exit {code}"
                ledger.tally["next runs"] += 1
        except AssertionError as error:
            broken += 1
            print(f"kill {number}: {error}", flush=True)
    try:
        ledger.tell(*ledger.run())
        ledger.holds()
        ledger.announced()
    except AssertionError as error:
        broken += 1
        print(f"afterwards: {error}", flush=True)
    with sqlite3.connect(ledger.path) as connection:
        entered = {row[0] for row in connection.execute("SELECT run_id FROM runs")}
    ledger.tally["published and not entered"] = len({run.name for run in ledger.runs()} - entered)
    print(f"a run: writes from {writing:.2f} s, published {published:.2f} s, ends {end:.2f} s;"
          f" {', '.join(f'{count:,} {name}' for name, count in sorted(ledger.tally.items()))};"
          f" {len(ledger.decided)} decisions; exit codes {dict(ledger.message_text)}; {broken} broken")  # fmt: skip
    return broken


def writers(folder: Path, options: argparse.Namespace) -> int:
    """Two runs on one ledger, each with a folder of its own, and a reviewer who decides all the while."""
    ledger = Ledger(folder, options.seed, options.rounds + 2, daily=30)
    outs = (folder / "a", folder / "b")
    ledger.path = folder / "ledger.sqlite"
    ledger.world.write(folder, 1)
    words = ("--ledger", str(ledger.path))
    ledger.tell(*ledger.run(outs[0], *words))
    broken = 0
    for number in range(2, options.rounds + 2):
        ledger.world.write(folder, number)
        free = ledger.choose(40)
        runs = [ledger.start(*ledger.run(out, *words)) for out in outs]
        while free and any(run.poll() is None for run in runs):
            case = free.pop()
            code, _ = ledger.tell(*ledger.decision([case], f"round {number}"))
            ledger.message_text[code] += 1
            if code == 0:
                ledger.decided[case] = f"round {number}"
        for run in runs:
            _, err = run.communicate(timeout=300)
            ledger.message_text[run.returncode] += 1
            ledger.tally["runs"] += 1
            if run.returncode not in (0, 1):
                broken += 1
                print(f"round {number}: a run: exit {run.returncode}: {err.decode()[-400:]}")
        try:
            ledger.holds()
        except AssertionError as error:
            broken += 1
            print(f"round {number}: {error}", flush=True)
    try:
        ledger.announced(*outs)
        with sqlite3.connect(ledger.path) as connection:
            entered = {row[0] for row in connection.execute("SELECT run_id FROM runs")}
            heads = {row[0] for row in connection.execute("SELECT hash FROM history")}
        published = {run.name: json.loads((run / "summary.json").read_text())["ledger"] for run in ledger.runs(*outs)}
        assert set(published) == entered, "runs published and runs entered differ"
        assert all(
            reported["head"] in heads and reported["began"] in heads | {"0" * 64} for reported in published.values()
        ), "a head is missing"
        assert len({reported["run"] for reported in published.values()}) == len(published), "two runs have one number"
    except AssertionError as error:
        broken += 1
        print(f"afterwards: {error}", flush=True)
    print(f"{', '.join(f'{count:,} {name}' for name, count in sorted(ledger.tally.items()))};"
          f" {len(ledger.decided)} decisions; exit codes {dict(ledger.message_text)}; {broken} broken")  # fmt: skip
    return broken


def _one(ledger: Ledger, number: int, kind: str, writing: float, published: float, end: float) -> None:
    """One kill, after an acknowledged decision, and all that must hold after it."""
    ledger.world.write(ledger.folder, number + 1)
    draw = ledger.random.uniform
    if ledger.path.is_file() and (chosen := ledger.choose(2)):
        code, _ = ledger.tell(*ledger.decision(chosen, f"before kill {number}"))
        assert code == 0, f"a decision: exit {code}"
        ledger.decided |= dict.fromkeys(chosen, f"before kill {number}")
    if kind == "run":
        done = {run.name for run in ledger.runs()}
        process = ledger.start(*ledger.run())
        began = time.monotonic()
        aim = number % 3
        if aim == 0:  # about the marking, before anything is written
            wait(process, began + writing + draw(-0.4, 0.05))
        elif aim == 1:  # while the report is written
            while process.poll() is None and not any(ledger.out.glob(".unfinished-2*")):
                time.sleep(0.0005)
            wait(process, time.monotonic() + draw(0, published - writing))
        else:  # between the report and the end of the ledger's transaction
            while process.poll() is None and {run.name for run in ledger.runs()} == done:
                time.sleep(0.0002)
            wait(process, time.monotonic() + draw(0, min(0.05, end - published)))
        ledger.tally[f"runs killed {('marking', 'publishing', 'committing')[aim]}"] += ledger.kill(process)
    else:
        chosen, reason = ledger.choose(6), f"kill {number}"
        if kind == "import":
            paper = ledger.paper(chosen, reason)
            marked = {
                row["number"]
                for row in ledger.cases()
                if row["mark"] in ("new", "worse", "persisting", "changed", "reopened")
            }
            chosen = [case for case in chosen if int(case) in marked]
            process = ledger.start("cases", "import", str(ledger.path), str(paper), "--by", "Ann")
        else:
            process = ledger.start(*ledger.decision(chosen, reason))
        size = _size(ledger.path)
        while process.poll() is None and _size(ledger.path) == size:
            time.sleep(0.0002)
        wait(process, time.monotonic() + draw(0, 0.03 if kind == "decide" else 0.15))
        killed = ledger.kill(process)
        ledger.tally[f"{kind} killed"] += killed
        if chosen:
            entered = ledger.together(chosen, reason)
            assert killed or entered, f"{kind} said that it was done"
            ledger.tally[f"{kind} kept"] += entered
    ledger.holds()


def _size(path: Path) -> tuple[int, ...]:
    """What shows that somebody opened the ledger: the state of its companions."""
    return tuple(
        int(name.stat().st_mtime_ns) if name.is_file() else 0 for name in (Path(f"{path}-wal"), Path(f"{path}-shm"))
    )


def _moments(ledger: Ledger) -> tuple[float, float, float]:
    """When a clean run begins to write its report, has published it, and ends."""
    began = time.monotonic()
    process = ledger.start(*ledger.run())
    writing = published = 0.0
    while process.poll() is None:
        now = time.monotonic() - began
        writing = writing or (now if any(ledger.out.glob(".unfinished-2*")) else 0.0)
        published = published or (now if ledger.runs() else 0.0)
        time.sleep(0.0005)
    process.communicate()
    return writing, published, time.monotonic() - began


def main() -> int:
    """The checks asked for. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=10)
    checks = {"quarter": quarter, "kills": kills, "writers": writers}
    parser.add_argument("--only", choices=checks)
    options = parser.parse_args()
    broken = 0
    for name, check in checks.items():
        if options.only in (None, name):
            began = time.monotonic()
            with tempfile.TemporaryDirectory() as folder:
                broken += check(Path(folder), options)
            print(f"{name}: {time.monotonic() - began:.0f} s", flush=True)
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
