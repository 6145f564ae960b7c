"""Spark on a cluster of two workers on loopback: the same results as in memory, also when a worker is killed.

    python -m tests.slow.cluster.check [--folder F]

Exits 1 if a promise was broken.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from auditor.engines import spark
from auditor.engines.spark import Spark, SparkFailed
from cli import streams
from tests.slow.cluster import folders
from tests.slow.cluster.standalone import Cluster, connect_server

ROOT = str(Path(__file__).parents[3])
CLAIMS = 20_000


def runs(folder: Path) -> None:
    """The command publishes what it publishes in memory, also when a worker is killed; its paths may be relative."""
    _command(folder, "sample", "data", "--claims", str(CLAIMS)).wait()
    words = ["run", "--policy", "data/policy.toml", "--ledger", "none", "--format", "none"]
    for name in ("calls", "visits", "providers"):
        words += [f"--{name}", f"data/{name}.parquet"]
    want = _command(folder, *words, "--out", "memory").wait()
    for name, struck_at in (("whole", None), ("killed", "typing visits")):
        (folder / name).mkdir()
        log = folder / f"{name}.log"
        there = ("--engine", "spark", "--out", f"{name}-out", "--log-file", log.name, "--log-format", "json")
        with Cluster(folder / name) as cluster:
            run = _command(folder, *words, *there, "--master", cluster.master)
            if struck_at:
                _wait(run, log, struck_at)
                time.sleep(1)
                cluster.kill(0)
                assert _stages(log)[-1] == struck_at, f"killed while {_stages(log)[-1]}, not {struck_at}"
            assert run.wait() == want, f"exit code {run.returncode}, not {want}"
        out = folder / f"{name}-out"
        count = folders.same(folder / "memory" / "latest", out / "latest")
        assert not list(out.glob(".unfinished*")), "something was left behind"
        print(f"{name}: exit code {want} and the same {count} files after {_lines(log)[-1]['elapsed']:.0f} s")


def connect(folder: Path) -> None:
    """The same through a server of Spark Connect, which this package shares no process with."""
    _command(folder, "sample", "data", "--claims", "1000").wait()
    words = ["run", "--policy", "data/policy.toml", "--ledger", "none", "--format", "none"]
    for name in ("calls", "visits", "providers"):
        words += [f"--{name}", f"data/{name}.parquet"]
    want = _command(folder, *words, "--out", "memory").wait()
    with connect_server(folder) as master:
        run = _command(folder, *words, "--engine", "spark", "--master", master, "--out", "connect")
        assert run.wait() == want, f"exit code {run.returncode}, not {want}"
    count = folders.same(folder / "memory" / "latest", folder / "connect" / "latest")
    print(f"connect: exit code {want} and the same {count} files")


def nobody(folder: Path) -> None:
    """Masters that are not there, that are no masters, or that have no worker are told of soon."""
    spark._PATIENCE = 10
    for workers, words in ((0, "no worker has come"), (None, "no Spark master answers")):
        began = time.monotonic()
        try:
            if workers is None:
                with Spark("spark://127.0.0.1:1"):
                    raise AssertionError("joined nobody")
            with Cluster(folder, workers) as cluster, Spark(cluster.master):
                raise AssertionError("joined nobody")
        except SparkFailed as error:
            assert words in str(error), error
        print(f"{words}: told after {time.monotonic() - began:.0f} s")
    spark._PATIENCE = 120


def _command(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "cli", *words]
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, cwd=folder, env=os.environ | {"PYTHONPATH": ROOT}, **quiet)


def _wait(run: subprocess.Popen[bytes], log: Path, stage: str) -> None:
    while run.poll() is None and stage not in _stages(log):
        time.sleep(0.1)


def _stages(log: Path) -> list[str]:
    return ["", *(line["message"] for line in _lines(log) if line["event"] == "stage")]


def _lines(log: Path) -> list[Any]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def main() -> None:
    """Every check, each in a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=CHECKS)
    only = parser.parse_args().only
    broken = 0
    for name, check in CHECKS.items():
        if only in (None, name):
            with tempfile.TemporaryDirectory(prefix=f"cluster-{name}-") as folder:
                try:
                    check(Path(folder))
                except AssertionError as error:
                    broken += 1
                    print(f"{name}: {str(error)[:300]}", flush=True)
    raise SystemExit(1 if broken else 0)


CHECKS = {"runs": runs, "connect": connect, "nobody": nobody}

if __name__ == "__main__":
    streams.silence_libraries()
    main()
