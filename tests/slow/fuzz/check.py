"""Fuzz: spoil valid exports in their cells and bytes, run the command on them, and check what must hold whatever they hold.

    CASES=5000 make fuzz        thousands of cases, with a tally
    CASE=1234 make fuzz         one of them again

For every case: no traceback, no exit code but 0, 1 and 3, no identifier on the terminal, rows = used + rejected with exact
record numbers, and the same verdicts for every patient whose rows were not touched. Exits 1 at a failure, and if too few
cases came as far as that comparison. The files of a failing case are kept, with as few changes as still fail.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2]))

import polars as pl  # noqa: E402

from auditor import pipeline  # noqa: E402
from auditor.inputs import Inputs  # noqa: E402
from auditor.prefilter.typers import Typers  # noqa: E402
from auditor.reading import csv as csvfile  # noqa: E402
from auditor.reports.page import page as html  # noqa: E402
from cli.__main__ import main as command  # noqa: E402
from tests.slow.fuzz import exports, mutate, verify  # noqa: E402
from tests.slow.fuzz.exports import Export, Table  # noqa: E402
from tests.slow.fuzz.verify import Ran  # noqa: E402
from tests.support.engines import keep_all  # noqa: E402

FORMS = ("text", "text", "none", "json", "csv", "jsonl")
CHUNK = 200  # cases in one process
SECONDS = 120  # for one case
CHECK_EVERY = 7  # also `audit98968 check`
HTML_EVERY = 8  # drawing pictures takes longer than all the rest
Outcome = dict[str, Any]


class Bench:
    """The valid exports with their verdicts, and the running of cases against them."""

    def __init__(self) -> None:
        self._html = html.write
        self._observed: dict[str, verify.Inside] = {}
        self._read = pipeline.read
        pipeline.read = self._spy
        Typers.typer = keep_all
        csvfile.piece = lambda _: 2_000  # these files are small
        self.bases: list[tuple[Export, verify.Facts, dict[str, pl.DataFrame]]] = []
        for base in exports.bases():
            with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
                rng = random.Random(0)
                paths = {
                    table: [exports.write(rows, Path(name) / table, rng, plain=True)]
                    for table, rows in base.tables.items()
                }
                ran = self.run(base, paths, Path(name) / "out", "none")
                assert ran.folder and ran.code == 1, ran.err
                reported = {table: pl.read_parquet(ran.folder / f"{table}.parquet") for table in verify.TABLES}
                self.bases.append((base, {name: table.facts(name) for name, table in base.tables.items()}, reported))

    def _spy(self, *asked: Any) -> Inputs:
        """Read, with every row kept, and remember the records that came of it."""
        inputs = self._read(*asked)
        for name, files in inputs.files.items():
            table = inputs.tables[name]
            rows = table.rows if name == "providers" else inputs.kept[name].select(pl.all())
            self._observed[name] = verify.Inside(table.spec, rows, tuple(file.path for file in files))
        return inputs

    def run(self, base: Export, paths: dict[str, list[Path]], out: Path, form: str) -> Ran:
        """`audit98968 run` on these files, and the folder that it made."""
        self._observed.clear()
        code, printed, complained = _command("run", base, paths, "--out", str(out), "--format", form)
        made = [out / "latest"] if code in (0, 1) else sorted(out.glob("refused/2*"))
        return Ran(code, printed, complained, made[0].resolve() if made else None)

    def case(self, number: int, folder: Path, without: frozenset[int] = frozenset()) -> Outcome:
        """Make and run one case in an empty folder; `without` leaves out some of its changes."""
        rng = random.Random(number)
        base, before, reported_before = self.bases[number % len(self.bases)]
        kind = rng.choice(("cells", "bytes"))
        count = rng.choice((1, 1, 2, 3, 5))
        form = rng.choice(FORMS)
        tables = {name: table.copy() for name, table in base.tables.items()}
        changes = []
        if kind == "cells":
            for change in range(count):
                if change not in without:
                    changes.append(mutate.cells(tables, random.Random(f"{number}.{change}")))
        known: dict[str, Table | None] = {}
        paths: dict[str, list[Path]] = {}
        for name, table in tables.items():
            cut = rng.randint(1, len(table.rows)) if rng.random() < 0.15 else len(table.rows)
            for part, rows in enumerate((table.rows[:cut], table.rows[cut:])):
                if rows:
                    part_of = Table(table.headers, rows)
                    path = exports.write(part_of, folder / f"{name}{part}", rng)
                    known[str(path)] = part_of
                    paths.setdefault(name, []).append(path)
        if kind == "bytes":
            path = rng.choice(
                [path for name, files in paths.items() for path in files * (1 if name == "providers" else 3)]
            )
            raw = path.read_bytes()
            packed = path.suffix == ".gz" and rng.random() < 0.7
            raw = gzip.decompress(raw) if packed else raw
            for change in range(count):
                if change not in without and raw:
                    raw, way = mutate.data(raw, random.Random(f"{number}.{change}"))
                    changes.append(f"{way} in {path.name}")
            path.write_bytes(gzip.compress(raw, mtime=0) if packed else raw)
            known[str(path)] = exports.read_back(path)
        html.write = self._html if number % HTML_EVERY == 0 else lambda *_: None  # type: ignore[assignment]
        ran = self.run(base, paths, folder / "out", form)
        found = verify.terminal(ran, form)
        if number % CHECK_EVERY == 0:
            checked = Ran(*_command("check", base, paths), None)
            found += [f"check: {fault}" for fault in verify.terminal(checked, "text")]
            if (checked.code == 3) != (ran.code == 3):
                found.append(f"check: exit {checked.code} where run exits {ran.code}")
        reported = verify.summary_of(ran)
        tally = Counter({"cases": 1, f"spoilt {kind}": 1, f"exit {ran.code}": 1})
        if reported.get("inputs"):
            more, files = verify.accounting(ran, reported, known)
            found += more
            tally["files accounted for"] += files
        if ran.code in (0, 1) and ran.folder:
            found += verify.reports(ran, reported, form)
            tally += self._compare(base, before, reported_before, ran, paths, known, found)
        elif ran.code == 3:
            tally["refused: " + ("too few rules" if reported.get("inputs") else "file")] += 1
        return {
            "number": number,
            "changes": changes,
            "count": count,
            "found": found,
            "tally": tally,
            "err": ran.err[-2000:],
        }

    def _compare(
        self, base: Export, before: verify.Facts, reported: dict[str, pl.DataFrame], ran: Ran,
        paths: dict[str, list[Path]], known: dict[str, Table | None], found: list[str],
    ) -> Counter[str]:  # fmt: skip
        by_file: verify.Facts = {}
        for name, path in ((name, str(path)) for name, files in paths.items() for path in files):
            table = known[path]
            if table is None:
                return Counter({"not compared: no plain reading": 1})
            columns = [column for column in table.columns(name) if column]
            if sorted(columns) != sorted(filter(None, base.tables[name].columns(name))):
                return Counter({"not compared: other columns": 1})
            by_file[path] = table.facts(name)
        after = {name: [row for path in files for row in by_file[str(path)]] for name, files in paths.items()}
        touched = verify.Touched(before, after)
        if not found:
            found += verify.used_rows(ran, self._observed, by_file)
            found += verify.rejected_rows(ran, after, by_file, touched)
        changed, counted = verify.verdicts(reported, ran, by_file, touched)
        found += changed
        if not counted["patients"]:
            return Counter({"not compared: every patient touched": 1})
        return Counter({"compared": 1, "compared patients": counted["patients"], "compared claims": counted["claims"]})


def _command(name: str, base: Export, paths: dict[str, list[Path]], *options: str) -> tuple[int, str, str]:
    """Run a command in this process: its exit code, standard output and standard error as a user would see them."""
    words = [word for table, files in paths.items() for path in files for word in (f"--{table}", str(path))]
    words += [word for part, value in base.coverage.items() for word in (f"--{part.replace('_', '-')}", value)]
    sys.argv = ["audit98968", name, *words, "--timezone", "America/New_York", "--max-rejects", "100%", *options]
    code: object = "returned"
    with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as complained:
        with _Streams(printed, complained):
            try:
                command()
            except SystemExit as stop:
                code = stop.code
            sys.stdout.flush()
            sys.stderr.flush()
        message_text = []
        for stream in (printed, complained):
            stream.seek(0)
            message_text.append(stream.read().decode("utf-8", "backslashreplace"))
    return code if isinstance(code, int) else -1, *message_text


class _Streams:
    """Let the process's own standard streams, down to their descriptors, be these files for a while."""

    def __init__(self, out: Any, err: Any) -> None:
        self._files = {1: out, 2: err}

    def __enter__(self) -> None:
        self._kept = (sys.stdout, sys.stderr)
        sys.stdout.flush()
        self._saved = {number: os.dup(number) for number in self._files}
        for number, file in self._files.items():
            os.dup2(file.fileno(), number)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))

    def __exit__(self, *_: object) -> None:
        sys.stdout, sys.stderr = self._kept
        for number, saved in self._saved.items():
            os.dup2(saved, number)
            os.close(saved)


def work(first: int, last: int, keep: Path) -> None:
    """Run cases in this process and tell the parent, one JSON line a case."""
    bench = Bench()
    for number in range(first, last):
        print(json.dumps({"began": number}), flush=True)
        signal.alarm(SECONDS)
        with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
            outcome = bench.case(number, Path(name))
        if outcome["found"]:
            outcome = _smaller(bench, outcome, keep / f"case-{number}")
        print(json.dumps(outcome), flush=True)


def _smaller(bench: Bench, outcome: Outcome, kept: Path) -> Outcome:
    """Leave out whatever change is not needed to fail, and keep the files."""
    without: frozenset[int] = frozenset()
    for change in range(outcome["count"]):
        with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
            tried = bench.case(outcome["number"], Path(name), without | {change})
        if tried["found"]:
            without |= {change}
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    least = bench.case(outcome["number"], kept, without)
    (kept / "failure.json").write_text(json.dumps(least | {"argv": sys.argv}, indent=2), encoding="utf-8")
    return outcome | {"changes": least["changes"], "found": least["found"] or outcome["found"]}


def survey(first: int, last: int, keep: Path) -> Iterator[Outcome]:
    """The outcomes of a range of cases, each run in a child process that may die of it."""
    settings = {name: value for name, value in os.environ.items() if not name.startswith("AUDIT98968_")}
    while first < last:
        words = [sys.executable, __file__, "--keep", str(keep), "--range", str(first), str(last)]
        child = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=settings | {"POLARS_MAX_THREADS": "1"})
        assert child.stdout
        done = first
        for line in child.stdout:
            reported = json.loads(line)
            if "began" in reported:
                done = reported["began"]
            else:
                yield reported
                done += 1
        if child.wait() == 0:
            return
        death = f"the process died ({child.returncode})"
        yield {"number": done, "changes": [], "found": [death], "tally": {"cases": 1, "died": 1}}
        first = done + 1


def main() -> int:
    """Run the cases and print the failures and a tally."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=int(os.environ.get("CASES") or 5000), metavar="N")
    parser.add_argument("--case", type=int, default=os.environ.get("CASE") or None, metavar="K", help="only this one")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes at a time (1)")
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "fuzz-failures", metavar="DIR")
    parser.add_argument("--range", type=int, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.range:
        work(*options.range, options.keep)
        return 0
    one = options.case is not None
    first, last = (int(options.case), int(options.case) + 1) if one else (0, options.cases)
    chunks = [(start, min(start + CHUNK, last)) for start in range(first, last, CHUNK)]
    tally: Counter[str] = Counter()
    failures = 0
    with ThreadPoolExecutor(options.workers) as pool:
        for outcomes in pool.map(lambda chunk: list(survey(*chunk, options.keep)), chunks):
            for outcome in outcomes:
                tally.update(outcome["tally"])
                if outcome["found"]:
                    failures += 1
                    print(f"case {outcome['number']} [{', '.join(outcome['changes'])}]", flush=True)
                    print("".join(f"    {line[:1000]}\n" for line in outcome["found"][:5]), end="", flush=True)
    for name, count in sorted(tally.items()):
        print(f"{count:9,}  {name}")
    print(f"{failures:9,}  failed{f'; kept in {options.keep}' if failures else ''}")
    thin = not one and tally["compared"] < 0.4 * tally["cases"]
    if thin:
        print("too few cases were compared: the check says little")
    return 1 if failures or thin else 0


if __name__ == "__main__":
    sys.exit(main())
