"""Two thousand single damages to sound exports: what is lost or accused must not be lost or accused in silence.

    make quality-check                          2,000 damages, with a tally by kind
    python -m tests.slow.quality.check --count 200 --seed 7

After a sound night, the damaged export is audited with the same ledger. It has to be refused, or to give the same verdicts,
or unknown ones, or a new warning that names the table or the column, or to evaluate fewer rules, which every report says. A
claim that had a finding and is clear, without any of these, is a silent loss; a claim that had none and is in violation is
falsely accused. A claim whose row is gone is neither: its case is *not seen*. Exits 1 if there is any.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import random
import shutil
import sys
import tempfile
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import polars as pl

from auditor.synthetic import sample
from tests.slow.quality.damage import Damage, Export, Rows, damage
from tests.support.catalogue import command

TABLES = ("calls", "visits", "claims", "providers")
CLAIMS = 200


@dataclass
class Observed:
    """What came of one damage."""

    damage: Damage
    how: str
    lost: int = 0
    accused: int = 0
    warnings: list[str] = field(default_factory=list)


def read(folder: Path) -> Export:
    """The tables of a folder as text."""
    export: Export = {}
    for table in TABLES:
        path = folder / f"{table}.csv"
        if path.exists():
            with path.open(newline="", encoding="utf-8") as stream:
                export[table] = list(csv.DictReader(stream))
    return export


def write(export: Export, folder: Path) -> None:
    """The tables as CSV."""
    for table, rows in export.items():
        with (folder / f"{table}.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(rows[0]) if rows else ["nothing"])
            writer.writeheader()
            writer.writerows(rows)


def write_by_folder(rows: Rows, folder: Path, column: str) -> None:
    """A table as CSV in folders named for a column's values, which the files lack."""
    for value in sorted({row.get(column, "") for row in rows}):
        part = folder / f"{column}={value or '__HIVE_DEFAULT_PARTITION__'}"
        part.mkdir(parents=True)
        some = [
            {name: cell for name, cell in row.items() if name != column} for row in rows if row.get(column, "") == value
        ]
        write({"part-0": some}, part)


def audit(folder: Path, out: Path) -> int:
    """One night. Returns the exit code."""
    paths = {table: path for table in TABLES for path in (folder / table, folder / f"{table}.csv") if path.exists()}
    tables = [word for table, path in paths.items() for word in (f"--{table}", str(path))]
    options = [
        "--policy",
        str(folder / "policy.toml"),
        "--out",
        str(out),
        "--write",
        "none",
        "--format",
        "none",
        "--quiet",
    ]
    silent = io.StringIO()
    with contextlib.redirect_stdout(silent), contextlib.redirect_stderr(silent):
        return command(["run", *tables, *options, "--fail-on", "never"])


@dataclass
class LedgerRun:
    """Claim → disposition and the rules that it violates, the warnings, and how many rules were evaluated."""

    dispositions: dict[tuple[str, str], str]
    violations: dict[tuple[str, str], frozenset[str]]
    warnings: list[str]
    rules: int


def verdicts(out: Path) -> LedgerRun:
    """What the newest run says."""
    columns = ["claim_id", "claim_line", "disposition", "violations"]
    rows = pl.read_parquet(out / "latest" / "claims.parquet", columns=columns).rows()
    reported = json.loads((out / "latest" / "summary.json").read_text())
    return LedgerRun(
        {(claim, line): disposition for claim, line, disposition, _ in rows},
        {(claim, line): frozenset(rules) for claim, line, _, rules in rows},
        reported["warnings"],
        reported["rules_evaluated"],
    )


def case(base: str, seed: int) -> Observed | None:
    """Damage a copy of the sound export whose audit lies beside it."""
    with tempfile.TemporaryDirectory() as work:
        return _case(Path(base), Path(work), random.Random(seed))


def _case(base: Path, work: Path, rng: random.Random) -> Observed | None:
    export = read(base)
    done = damage(export, rng)
    if done is None:
        return None
    write(export, work)
    if done.kind == "value in the path":
        (work / f"{done.table}.csv").unlink()
        write_by_folder(export[done.table], work / done.table, done.column)
    (work / "policy.toml").write_text((base / "policy.toml").read_text())
    out = work / "out"
    shutil.copytree(base / "out", out, symlinks=True)
    before = verdicts(out)
    runs = len([*out.iterdir()])
    code = audit(work, out)
    if code in (2, 3):
        return Observed(done, "refused")
    if code or len([*out.iterdir()]) == runs:
        return Observed(done, f"EXIT {code}")
    after = verdicts(out)
    new = [text for text in after.warnings if text not in before.warnings]
    lost = sum(
        was in ("violation", "review") and after.dispositions.get(key) == "clear"
        for key, was in before.dispositions.items()
    )
    # A call and a claim that name each other's patient, provider or call no more: the damage made it true.
    true = {"INT001", "INT002"} if done.kind == "id another id" and done.table in ("calls", "claims") else set()
    accused = sum(
        bool(rules - true) and before.dispositions.get(key) in ("clear", "incomplete", None)
        for key, rules in after.violations.items()
    )
    named = [text for text in new if done.table in text or (done.column and done.column in text)]
    how = "told" if named or after.rules < before.rules else "silent" if lost or accused else "same"
    return Observed(done, how, lost, accused, new)


def main() -> int:
    """Run them, and print the tally."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=98968)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(given.workers, get_context("spawn")) as pool:
        sample.write(Path(folder), CLAIMS, given.seed)
        bases = [folder, str(Path(folder) / "with_claims")]
        (Path(bases[1]) / "policy.toml").write_text((Path(folder) / "policy.toml").read_text())
        for base in map(Path, bases):
            if audit(base, base / "out"):
                raise RuntimeError("the sound export was refused")
        futures = [pool.submit(case, bases[number % 2], given.seed + number) for number in range(given.count)]
        found = [observed for future in futures if (observed := future.result())]
    tally = Counter((observed.damage.kind, observed.how) for observed in found)
    for kind in sorted({kind for kind, _ in tally}):
        print(f"{kind:32}", ", ".join(f"{count} {how}" for (name, how), count in sorted(tally.items()) if name == kind))
    silent = [observed for observed in found if observed.how == "silent" or observed.how.startswith("EXIT")]
    for observed in silent:
        print(
            f"SILENT {observed.damage.kind} in {observed.damage.table}.{observed.damage.column}: {observed.lost} lost, {observed.accused} accused"
        )
    print(f"{len(found)} damages; {len(silent)} in silence: {sum(observed.lost for observed in silent)} findings lost, "
          f"{sum(observed.accused for observed in silent)} claims accused")  # fmt: skip
    return 1 if silent else 0


if __name__ == "__main__":
    sys.exit(main())
