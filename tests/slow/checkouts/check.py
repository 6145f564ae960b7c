"""Do two checkouts publish the same? For a refactoring that must change no finding, file, message or exit code.

    python -m tests.slow.checkouts.check BASE [CHANGED] [--export DIR]... [--worlds N]

`BASE` and `CHANGED` (default: this checkout) are checkouts whose `.venv` is set up. Both audit the sample data, a synthetic
export, generated worlds, and every folder given by `--export`: one with a file `arguments.txt`, which holds the arguments
of a run in that folder. Every published file, standard output, standard error and the exit code must be byte for byte
equal but for run ids, times and paths. Each run is repeated on the ledger of the first, so that the marks of a second run
are compared too. Prints the first differences and exits 1 if there are any.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from tests.support import compare
from tests.support.worlds import worlds

_HERE = Path(__file__).parents[3]
_RUN_ID = re.compile(r"\d{8}T\d{9}Z-[0-9a-f]{8}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\.\d{6}(?:\+00:00|Z)?")
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
_TEXT = {".csv", ".json", ".html", ".jsonl", ".txt"}
Outputs = dict[str, str]
"""Name of an output → its text, without what differs from run to run."""


def _exports(folder: Path, base: Path, worlds_wanted: int, extra: list[str]) -> Iterator[tuple[Path, list[str]]]:
    """Folders with an export, and the arguments that audit it."""
    for name in ("sample_data", "sample_data/with_claims"):
        yield base / name, _arguments(base / name)
    synthetic = folder / "synthetic"
    subprocess.run(
        [*_program(base), "sample", str(synthetic), "--claims", "2000", "--seed", "7"], check=True, capture_output=True
    )
    yield synthetic, _arguments(synthetic)
    for number, (paths, settings) in enumerate(_worlds(folder, worlds_wanted)):
        options = [part for table, files in paths.items() for part in (f"--{table}", Path(files[0]).name)]
        for name in ("as_of", "visits_since", "claims_since", "service_from", "service_to"):
            options += [f"--{name.replace('_', '-')}", settings[name]] if settings.get(name) else []
        options += [
            "--timezone",
            settings.get("timezone", "UTC"),
            "--max-rejects",
            "100%",
            "--allow-empty",
            "--allow-unjoined",
        ]
        yield folder / f"world{number}", [*options, "--require", ""]
    for export in map(Path, extra):
        yield export.resolve(), shlex.split((export / "arguments.txt").read_text())


def _arguments(folder: Path) -> list[str]:
    tables = [part for table in ("calls", "visits", "claims", "providers")
              if (folder / f"{table}.csv").exists() for part in (f"--{table}", f"{table}.csv")]  # fmt: skip
    return [*tables, "--policy", "policy.toml"] if (folder / "policy.toml").exists() else tables


def _worlds(folder: Path, wanted: int) -> Iterator[tuple[dict[str, tuple[str, ...]], dict[str, str]]]:
    """Generated exports, the same in each call."""
    from hypothesis import HealthCheck, Phase, given, seed, settings

    drawn: list = []

    @seed(98968)
    @settings(max_examples=max(wanted, 1), database=None, deadline=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(worlds())
    def draw(world: object) -> None:
        drawn.append(world)

    draw()
    for number, world in enumerate(drawn[:wanted]):
        target = folder / f"world{number}"
        target.mkdir()
        yield compare.written(world, target), world.settings


def _program(checkout: Path) -> list[str]:
    return [str(checkout / ".venv/bin/python"), "-m", "cli"]


def _outputs(checkout: Path, export: Path, arguments: list[str], out: Path) -> Outputs:
    """Everything that two runs of a checkout on an export publish, the second on the ledger of the first."""
    env = {**os.environ, "PYTHONPATH": str(checkout), "AUDIT98968_LEDGER": "", "COLUMNS": "100"}
    env.pop("AUDIT98968_LEDGER")
    found: Outputs = {}
    for run in ("first", "second"):
        done = subprocess.run([*_program(checkout), "run", *arguments, "--out", str(out)], cwd=export, env=env,
                              capture_output=True, text=True)  # fmt: skip
        found[f"{run}: exit code"] = str(done.returncode)
        found[f"{run}: standard output"], found[f"{run}: standard error"] = done.stdout, done.stderr
        folders = sorted([*out.glob("2*"), *out.glob("refused/2*")], key=lambda path: path.name)
        for path in sorted(folders[-1].iterdir()) if folders else []:
            found[f"{run}: {path.name}"] = _text(path)
    return {name: _plain(text, checkout, out) for name, text in found.items()}


def _text(path: Path) -> str:
    if path.suffix == ".parquet":
        frame = pl.read_parquet(path)
        return f"{frame.schema}\n{frame.write_ndjson()}"
    if path.suffix == ".xlsx":
        return "\n".join(
            f"{name}\n{frame.cast(pl.String, strict=False).write_csv()}"
            for name, frame in pl.read_excel(
                path, sheet_id=0, has_header=False, engine="calamine", infer_schema_length=0
            ).items()
        )
    return path.read_text() if path.suffix in _TEXT else f"{path.stat().st_size} bytes"


def _plain(text: str, checkout: Path, out: Path) -> str:
    for path, name in ((out, "OUT"), (checkout, "CHECKOUT")):
        text = text.replace(str(path), name)
    for pattern, name in ((_RUN_ID, "RUN"), (_TIME, "TIME"), (_DIGEST, "DIGEST")):
        text = pattern.sub(name, text)
    return text


def _differences(name: str, before: Outputs, after: Outputs) -> Iterator[str]:
    for output in sorted(before.keys() | after.keys()):
        if before.get(output) != after.get(output):
            lines = difflib.unified_diff(
                (before.get(output) or "").splitlines(),
                (after.get(output) or "").splitlines(),
                "before",
                "after",
                n=0,
                lineterm="",
            )
            yield "\n".join([f"{name}: {output}", *(line[:300] for line, _ in zip(lines, range(12), strict=False))])


def main() -> int:
    """Compare, print, and end with 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path)
    parser.add_argument("changed", type=Path, nargs="?", default=_HERE)
    parser.add_argument("--export", action="append", default=[])
    parser.add_argument("--worlds", type=int, default=40)
    asked = parser.parse_args()
    base, changed = asked.base.resolve(), asked.changed.resolve()
    compared = different = 0
    with TemporaryDirectory() as folder:
        for export, arguments in _exports(Path(folder), base, asked.worlds, asked.export):
            out = Path(folder) / "out"
            both = []
            for checkout in (base, changed):
                shutil.rmtree(out, ignore_errors=True)
                both.append(_outputs(checkout, export, arguments, out))
            compared += len(both[0])
            for difference in _differences(export.name, *both):
                different += 1
                print(difference)
    print(f"{compared} outputs compared, {different} different")
    return min(different, 1)


if __name__ == "__main__":
    sys.exit(main())
