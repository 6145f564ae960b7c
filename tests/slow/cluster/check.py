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
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from auditor.errors import InputRefused
from auditor.scale import spark
from auditor.scale.local import Local
from auditor.scale.spark import Spark, SparkFailed
from cli import streams
from tests.slow.cluster import folders, toy
from tests.slow.cluster.standalone import Cluster

ROOT = str(Path(__file__).parents[3])
BUCKETS, TASKS, PAUSE, CLAIMS = 8, 8, 0.5, 20_000


def runs(folder: Path) -> None:
    """The command publishes what it publishes in memory, also when a worker is killed; its paths may be relative."""
    _command(folder, "sample", "data", "--claims", str(CLAIMS)).wait()
    words = ["run", "--policy", "data/policy.toml", "--ledger", "none", "--format", "none"]
    for name in ("calls", "visits", "providers"):
        words += [f"--{name}", f"data/{name}.parquet"]
    want = _command(folder, *words, "--out", "memory").wait()
    for name, struck_at in (("whole", None), ("killed", "settling")):
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


def parcels(folder: Path) -> None:
    """Parcels come as they come in memory, also those that a killed worker held."""
    with Local() as local:
        local.buckets = BUCKETS
        want = sorted(toy.run(local, TASKS), key=repr)
    with Cluster(folder) as cluster:
        assert _told(cluster, folder / "whole", lambda _: None) == want
        done = len(list((folder / "whole").iterdir()))
        assert done == TASKS, f"{done} tasks done, of {TASKS}"

        def strike(what: str) -> None:
            if what == "counting":  # what the first round posted lies on both workers by now
                threading.Timer(2 * PAUSE + 2, cluster.kill, [0]).start()

        assert _told(cluster, folder / "killed", strike) == want
        done = len(list((folder / "killed").iterdir()))
        assert done > TASKS, "the killed worker held nothing"
        print(f"a worker killed: the same {len(want)} parcels; {done - TASKS} of {TASKS} tasks were done again")


def errors(folder: Path) -> None:
    """Refusals come as they were said; errors quote no data, here or in any log."""
    with Cluster(folder) as cluster, _spark(cluster) as engine:
        for work, kind, words in ((toy.refused, InputRefused, "calls: file 3 is not readable"),
                                  (toy.broken, SparkFailed, "internal error (ValueError, toy.py:")):  # fmt: skip
            try:
                engine.spread(work, range(8), "failing")
                raise AssertionError("not refused")
            except kind as error:
                assert str(error).startswith(words), error
    assert "CANARY" not in cluster.logs()
    print("a refusal and an error: told to the driver, no data in the logs")


def nobody(folder: Path) -> None:
    """Masters that are not there, that are no masters, or that have no worker are told of soon."""
    spark._PATIENCE = 10
    for workers, words in ((0, "no worker has come"), (None, "nobody answers there")):
        began = time.monotonic()
        try:
            if workers is None:
                with Spark("spark://127.0.0.1:1"):
                    raise AssertionError("joined nobody")
            with Cluster(folder, workers) as cluster, _spark(cluster):
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


def _spark(cluster: Cluster, progress: Callable[[str], None] = lambda _: None) -> Spark:
    engine = Spark(cluster.master, None, progress, {"spark.executorEnv.PYTHONPATH": ROOT})
    engine.divide = lambda need: None  # type: ignore[method-assign]
    engine.buckets = BUCKETS
    return engine


def _told(cluster: Cluster, marks: Path, progress: Callable[[str], None]) -> list[object]:
    marks.mkdir()
    with _spark(cluster, progress) as engine:
        return sorted(toy.run(engine, TASKS, PAUSE, marks), key=repr)


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


CHECKS = {"runs": runs, "parcels": parcels, "errors": errors, "nobody": nobody}

if __name__ == "__main__":
    streams.keep_strangers_quiet()
    main()
