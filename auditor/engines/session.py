"""A session of Spark: started on this machine, or joined on a cluster, and its errors in our words."""

import contextlib
import os
import shutil
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from auditor.engines import memory
from auditor.errors import AuditError, UsageError

_SETTINGS = {
    "spark.driver.maxResultSize": "0",
    "spark.executorEnv.POLARS_MAX_THREADS": "1",
    "spark.log.level": "ERROR",
    "spark.sql.caseSensitive": "true",
    "spark.sql.execution.arrow.maxBytesPerBatch": "2147483647",  # no bound: Spark would measure all rows for each row
    "spark.sql.execution.arrow.maxRecordsPerBatch": "200000",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "16",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
_NO_MEMORY = "Java ran out of memory; raise spark.executor.memory and spark.driver.memory"
_CAUSES = {
    "No space left on device": "a disk for shuffled data is full; give SPARK_LOCAL_DIRS more room",
    "java.lang.OutOfMemoryError": _NO_MEMORY,
    "Python worker exited unexpectedly": "a worker's Python was ended, as a rule for want of memory; use "
    "fewer cores per executor, or raise spark.executor.memoryOverhead",
    "Error while sending or receiving": _NO_MEMORY,
    "str() failed": _NO_MEMORY,
    "No module named": "the workers' Python lacks this package; install audit98968[spark] on every worker, or say "
    "where it is with PYSPARK_PYTHON",
    "PYTHON_VERSION_MISMATCH": "the workers run another version of Python; say which with PYSPARK_PYTHON",
    'Cannot run program "': "the workers have no such Python; say where it is with PYSPARK_PYTHON",
    "ExecutorLostFailure": "workers were lost again and again; the cluster's own log says why",
    "Could not parse Master URL": "--master: not an address that Spark knows, such as spark://HOST:7077",
}


class SparkFailed(AuditError):
    """Spark could not do the work."""


def connect(master: str, settings: Mapping[str, str]) -> Any:
    """A session; of Spark Connect where the master is `sc://...`. Raises UsageError, SparkFailed.

    Java gets none of our streams: the report is on one, and on the other only what we say.
    """
    remote, settings = master.startswith("sc://"), _SETTINGS | dict(settings)
    if not (remote or os.environ.get("JAVA_HOME") or shutil.which("java")):
        raise UsageError("--engine spark: no Java found; install Java 17 or newer, or set JAVA_HOME")
    try:
        import pyspark  # noqa: F401
        from pyspark.errors import PySparkRuntimeError
        from pyspark.sql import SparkSession
    except ImportError:
        raise UsageError("--engine spark: PySpark is not installed; pip install 'audit98968[spark]'") from None
    _require_answer(master)
    builder = SparkSession.builder.appName("audit98968")
    if remote:  # a server's own settings are not ours to set
        builder = builder.remote(master).config(
            map={name: value for name, value in settings.items() if name.startswith("spark.sql.")}
        )
    else:
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        os.environ.setdefault(
            "SPARK_DRIVER_MEMORY", f"{memory.present() // 4 >> 20}m"
        )  # Spark's own settings come first
        if master.startswith("local"):
            settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
        builder = builder.master(master).config(map=settings)
    interrupted = signal.getsignal(signal.SIGINT)
    try:
        with errors_explained(), _without_streams(), warnings.catch_warnings(action="ignore"):
            return builder.getOrCreate()
    except PySparkRuntimeError as error:
        raise SparkFailed("--engine spark: Java did not start; install Java 17 or newer, or set JAVA_HOME") from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, interrupted)  # PySpark has put its own there


@contextlib.contextmanager
def _without_streams() -> Iterator[None]:
    """For what starts here, standard output and error lead nowhere."""
    saved = [os.dup(number) for number in (1, 2)]
    with Path(os.devnull).open("wb") as nothing:
        for number in (1, 2):
            os.dup2(nothing.fileno(), number)
    try:
        yield
    finally:
        for number, stream in zip((1, 2), saved, strict=True):
            os.dup2(stream, number)
            os.close(stream)


def _require_answer(master: str) -> None:
    """Whether some standalone master answers; Spark itself would try for a minute, and then say nothing."""
    scheme, _, rest = master.partition("://")
    if scheme not in ("spark", "sc"):
        return
    for address in rest.partition("/")[0].split(","):
        host, _, port = address.rpartition(":")
        with contextlib.suppress(OSError, ValueError, OverflowError):
            socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
            return
    raise SparkFailed(f"--master {master}: no Spark master answers; check the address and that the master is running")


@contextlib.contextmanager
def errors_explained() -> Iterator[None]:
    """Spark's errors in our words: its own quote plans and traces."""
    from pyspark.errors import PySparkRuntimeError

    try:
        yield
    except (AuditError, TimeoutError, PySparkRuntimeError):
        raise
    except Exception as error:
        message = str(error)
        cause = next(
            (words for sign, words in _CAUSES.items() if sign in message), "run again with --debug for details"
        )
        raise SparkFailed(f"Spark could not do the work: {cause}") from error
