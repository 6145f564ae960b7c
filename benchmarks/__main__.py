"""`python -m benchmarks quick|full|...`: prints the ratios; but for quick it writes docs/benchmarks.md and .svg as well.

Exit codes: 0; 1 where findings differ. Slowness never fails.
"""

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path

from benchmarks import page
from benchmarks.sitting import Differ, Size, hold, starts

SIZES = {
    size.name: size
    for size in (
        Size("quick", 20_000, 2, text=False),
        Size("nightly", 10_000, 5),
        Size("dense", 20_000, 3, dense=True),
        Size("narrow", 300_000, 3, text=False, narrow=True),
        Size("month", 100_000, 3),
        Size("quarter", 300_000, 2, text=False),
        Size("full", 1_000_000, 2, text=False),
    )
}
USUAL = ("nightly", "dense", "narrow", "month", "quarter")


def main() -> int:
    """Hold the sittings that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("sizes", nargs="*", choices=[*SIZES, []], help=f"default: {' '.join(USUAL)}")
    parser.add_argument("--full", action="store_true", help="the largest size too")
    parser.add_argument("--rounds", type=int, help="rounds of each, instead of the size's own")
    parser.add_argument("--data", type=Path, default=Path("build/bench"), help="where exports and results are kept")
    parser.add_argument("--cap", type=float, default=16, help="GiB of memory past which a process is killed")
    asked = parser.parse_args()
    names = [*(asked.sizes or USUAL), *(["full"] if asked.full else [])]
    results = asked.data / "results"
    results.mkdir(parents=True, exist_ok=True)
    for name in names:
        size = SIZES[name]
        if asked.rounds:
            size = replace(size, rounds=asked.rounds)
        try:
            result = hold(size, asked.data, asked.cap, lambda line: print(line, flush=True))
        except Differ as differ:
            print(f"{name}: findings differ: {differ}")
            return 1
        print("\n".join(page.figures(result)), flush=True)
        if name == "nightly":
            result["starts"] = starts(asked.data, size.rounds)
        if name != "quick":
            (results / f"{name}.json").write_text(json.dumps(result, indent=1))
    if set(names) != {"quick"}:
        page.write([json.loads(file.read_text()) for name in SIZES if (file := results / f"{name}.json").exists()])
    return 0


if __name__ == "__main__":
    sys.exit(main())
