"""Mutation check: change the rules, windows and thresholds one spot at a time, and see that a test notices.

    python tests/slow/mutation/check.py [--only auditor/windows/lines.py] [--sample 100] [--worlds 250] [--workers 2]

A first pass with `--worlds 60 > log` is quick; `--again log` then tries its survivors on all the worlds.

Works in copies of the repository. Exits 1 if a mutant survives that equivalent.toml does not excuse.
"""

from __future__ import annotations

import argparse
import os
import pickle
import random
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue

from mutants import Mutant, of_file

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TARGETS = ("auditor/rules/*.py", "auditor/windows/*.py", "auditor/billing/lines.py", "auditor/windows/related.py", "auditor/quality/coverage.py",
           "auditor/policies/default.toml")  # fmt: skip
SKIPPED = (".venv", ".git", "__pycache__", ".hypothesis", "*_cache", "*.egg-info", "docs", "benchmarks")
SEED = 98968


@dataclass
class Bench:
    """Copies of the repository to work in, the worlds, and which worlds killed how often: those go first."""

    copies: Queue[Path]
    worlds: Path
    seconds: float
    killers: Counter[str] = field(default_factory=Counter)

    def run(self, mutant: Mutant | None) -> tuple[str, str]:
        """(`killed` or `survived` or `timed out`, by what). None stands for the unchanged source."""
        copy = self.copies.get()
        original = (copy / mutant.file).read_text(encoding="utf-8") if mutant else ""
        try:
            if mutant:
                (copy / mutant.file).write_text(mutant.applied(original), encoding="utf-8")
            return self._test(copy)
        finally:
            if mutant:
                (copy / mutant.file).write_text(original, encoding="utf-8")
            self.copies.put(copy)

    def _test(self, copy: Path) -> tuple[str, str]:
        order = ",".join(name.split()[1] for name, _ in self.killers.most_common(40) if name.startswith("world"))
        command = [sys.executable, "-B", str(HERE / "kill.py"), str(self.worlds), order]
        settings = os.environ | {"POLARS_MAX_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(command, cwd=copy, env=settings, capture_output=True, text=True, timeout=self.seconds)
        except subprocess.TimeoutExpired:
            return "timed out", ""
        reported = [line.split("\t") for line in done.stdout.splitlines() if line.startswith("KILLED")]
        if reported:
            self.killers[reported[0][1]] += 1
            return "killed", ": ".join(reported[0][1:])
        return ("survived", "") if done.returncode == 0 else ("killed", f"crash {done.stderr.strip()[-100:]}")


def main() -> int:
    """Run the check and print a line per mutant and a tally."""
    options = _options()
    excused = _equivalents()
    with tempfile.TemporaryDirectory(prefix="mutation-") as name:
        bench = _bench(Path(name), options)
        chosen = _mutants(Path(name) / "copy0", options)
        began = time.monotonic()
        state, by = bench.run(None)
        if state != "survived":
            print(f"the unchanged source does not pass: {by}")
            return 2
        print(f"{len(chosen)} mutants; a survivor takes {time.monotonic() - began:.0f} s", flush=True)
        results: Counter[str] = Counter()
        with ThreadPoolExecutor(options.workers) as pool:
            for mutant, (state, by) in zip(chosen, pool.map(bench.run, chosen), strict=True):
                reason = excused.get((mutant.file, mutant.before, mutant.after))
                if state == "survived" and reason:
                    state, by = "equivalent", reason
                results[state] += 1
                print(f"{state:10} {mutant.file}:{mutant.line}: {mutant.before}  →  {mutant.after}  [{by}]", flush=True)
    print(", ".join(f"{count} {state}" for state, count in results.most_common()), f"of {len(chosen)} tried")
    return 1 if results["survived"] else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", action="append", metavar="FILE", help="a file, as auditor/windows/lines.py; repeatable"
    )
    parser.add_argument("--lines", metavar="A-B", help="only mutants on these lines")
    parser.add_argument("--again", type=Path, metavar="LOG", help="only the survivors of an earlier run's output")
    parser.add_argument("--sample", type=int, metavar="N", help="only N mutants, chosen with a fixed seed")
    parser.add_argument("--worlds", type=int, default=250, metavar="N", help="generated worlds (250)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="mutants at a time (1)")
    parser.add_argument("--timeout", type=float, default=400, metavar="S", help="seconds for one mutant (400)")
    return parser.parse_args()


def _mutants(root: Path, options: argparse.Namespace) -> list[Mutant]:
    files = options.only or [
        path.relative_to(root).as_posix()
        for pattern in TARGETS
        for path in sorted(root.glob(pattern))
        if path.name != "__init__.py"
    ]
    every = [mutant for file in files for mutant in of_file(file, (root / file).read_text(encoding="utf-8"))]
    if options.lines:
        first, last = map(int, options.lines.split("-"))
        every = [mutant for mutant in every if first <= mutant.line <= last]
    if options.again:
        reported = [
            line for line in options.again.read_text(encoding="utf-8").splitlines() if line.startswith("survived")
        ]
        every = [
            m for m in every if any(m.file in line and f"{m.before}  →  {m.after}  [" in line for line in reported)
        ]
    if options.sample and options.sample < len(every):
        every = sorted(random.Random(SEED).sample(every, options.sample), key=lambda m: (m.file, m.start, m.new))
    return every


def _equivalents() -> dict[tuple[str, str, str], str]:
    """Mutants that no input can tell apart, each with its reason; known by the line, not by its number."""
    listed = tomllib.loads((HERE / "equivalent.toml").read_text(encoding="utf-8")).get("mutant", [])
    return {(entry["file"], entry["before"], entry["after"]): entry["reason"] for entry in listed}


def _bench(folder: Path, options: argparse.Namespace) -> Bench:
    copies: Queue[Path] = Queue()
    for number in range(options.workers):
        copy = folder / f"copy{number}"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*SKIPPED))
        copies.put(copy)
    worlds = folder / "worlds.pickle"
    worlds.write_bytes(pickle.dumps(_draw(options.worlds)))
    return Bench(copies, worlds, options.timeout)


def _draw(count: int) -> list[object]:
    """(world, the reference's answer), always the same ones: the rules' examples, then generated ones."""
    sys.path.insert(0, str(ROOT))
    from hypothesis import HealthCheck, Phase, given, seed, settings

    from auditor.rules import ALL
    from tests import reference
    from tests.support import examples
    from tests.support.worlds import worlds

    drawn = [
        (world, reference.audit(world))
        for rule in ALL
        for world in (example.world for example in examples.examples(rule))
    ]

    @seed(SEED)
    @settings(max_examples=count, phases=[Phase.generate], database=None, deadline=None,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(worlds())
    def collect(world: reference.World) -> None:
        drawn.append((world, reference.audit(world)))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        collect()
    return drawn


if __name__ == "__main__":
    sys.exit(main())
