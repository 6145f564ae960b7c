"""A standalone cluster of Spark on loopback, whose workers can be killed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import pyspark

CLASS = "org.apache.spark.deploy"


class Cluster:
    """A master and workers of one core each, each with a folder of its own."""

    def __init__(self, folder: Path, workers: int = 2, memory: str = "1g"):
        self.folder = folder
        self.memory = memory
        self.count = workers
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        self.master = f"spark://127.0.0.1:{free_port()}"
        self._start("master", "master.Master", "--host", "127.0.0.1", "--port", self.master.rpartition(":")[2])
        self._wait("master", "I have been elected leader")
        for number in range(self.count):
            self.add(f"worker-{number}")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in reversed(self.processes):
            kill(process, signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                kill(process, signal.SIGKILL)

    def add(self, name: str) -> None:
        """Start a worker and wait until the master knows it."""
        words = ("--cores", "1", "--memory", self.memory, "--work-dir", str(self.folder / name / "work"), self.master)
        self._start(name, "worker.Worker", "--host", "127.0.0.1", *words)
        self._wait(name, "Successfully registered with master")

    def kill(self, number: int) -> None:
        """End a worker and its executors at once, as a power cut would."""
        kill(self.processes[1 + number], signal.SIGKILL)

    def logs(self) -> str:
        """All that master, workers and executors have written."""
        return "".join(path.read_text(errors="replace") for path in self.folder.rglob("*") if path.name in _LOGS)

    def _start(self, name: str, what: str, *words: str) -> None:
        (self.folder / name).mkdir()
        own = {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_DIRS": str(self.folder / name), "SPARK_NO_DAEMONIZE": "1"}
        command = [Path(pyspark.__path__[0]) / "bin" / "spark-class", f"{CLASS}.{what}", "--webui-port", "0", *words]
        with (self.folder / name / "log").open("wb") as log:
            self.processes.append(
                subprocess.Popen(
                    command,
                    env=os.environ | own,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )

    def _wait(self, name: str, words: str) -> None:
        until = time.monotonic() + 120
        while words not in (self.folder / name / "log").read_text(errors="replace"):
            if time.monotonic() > until or self.processes[-1].poll() is not None:
                raise RuntimeError(f"{name} did not start")
            time.sleep(0.2)


@contextlib.contextmanager
def connect_server(folder: Path) -> Iterator[str]:
    """A server of Spark Connect on loopback, and its address."""
    port, home = free_port(), Path(pyspark.__path__[0])
    bound = {"connect.grpc.binding.address": "127.0.0.1", "connect.grpc.binding.port": port, "ui.enabled": "false",
             "driver.host": "127.0.0.1", "driver.bindAddress": "127.0.0.1"}  # fmt: skip
    words = [word for name, value in bound.items() for word in ("--conf", f"spark.{name}={value}")]
    (jar,) = (home / "jars").glob("spark-connect_*.jar")
    command = [home / "bin" / "spark-submit", "--class", "org.apache.spark.sql.connect.service.SparkConnectServer",
               "--master", "local[2]", *words, jar]  # fmt: skip
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            command,
            env=os.environ | {"PYSPARK_PYTHON": sys.executable},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            until = time.monotonic() + 120
            while "Spark Connect server started" not in (folder / "log").read_text(errors="replace"):
                if time.monotonic() > until or server.poll() is not None:
                    raise RuntimeError("the server did not start")
                time.sleep(0.2)
            yield f"sc://127.0.0.1:{port}"
        finally:
            kill(server, signal.SIGKILL)


_LOGS = ("log", "stdout", "stderr")


def kill(process: subprocess.Popen[bytes], number: int) -> None:
    """A worker is the leader of its executors."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
    if number == signal.SIGKILL:
        process.wait()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
