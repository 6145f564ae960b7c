"""The work done by Spark, on the cores of this machine or on a cluster whose workers have this package installed.

Parcels travel as rows of bytes through Arrow. A large one is cut into pieces, so that no row and no batch comes near the
2 GB that Arrow and Java can hold at once, whatever the size of a bucket. What is posted lies on the workers' disks; what
a lost worker held is made again by another from where it came.
"""

import contextlib
import os
import resource
import shutil
import signal
import socket
import sys
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial, reduce
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import polars as pl
import pyarrow as pa

import auditor
from auditor.errors import AuditError, UsageError
from auditor.scale import DRIVER, Handling, Making, Parcel, Post, pack, unpack
from auditor.scale.spill import Spill

_BUCKET = 512 << 20
"""Bytes that a bucket takes in a worker's memory."""

_PIECE = 4 * 1024 * 1024
_FETCHED = 32 * 1024 * 1024
"""Bytes that come to the driver at once."""

_PATIENCE = 120
"""Seconds until some worker has to be there."""

_REFUSED = "refused"
_COLUMNS = {
    "address": pa.string(),
    "kind": pa.string(),
    "first": pa.int64(),
    "second": pa.int64(),
    "parcel": pa.string(),  # who sent it, and the how manieth it was
    "pieces": pa.int32(),
    "piece": pa.int32(),
    "body": pa.binary(),
}
_BODY = len(_COLUMNS) - 1
_SCHEMA = pa.schema(_COLUMNS)
_DDL = "address string, kind string, first long, second long, parcel string, pieces int, piece int, body binary"

_SETTINGS = {
    "spark.app.name": "audit98968",
    "spark.driver.defaultJavaOptions": "-XX:TieredStopAtLevel=1",  # Java only moves bytes: two fifths less CPU to begin with
    "spark.driver.maxResultSize": "0",
    "spark.executor.defaultJavaOptions": "-XX:TieredStopAtLevel=1",
    "spark.executorEnv.POLARS_MAX_THREADS": "1",
    "spark.executor.syncLogLevel.enabled": "true",
    "spark.log.level": "ERROR",
    "spark.serializer.objectStreamReset": "1",  # Java would keep the last hundred pieces in memory
    "spark.shuffle.compress": "false",  # packed frames are compressed already
    "spark.sql.adaptive.enabled": "false",  # one partition stays one address
    "spark.sql.execution.arrow.maxRecordsPerBatch": "8",
    "spark.sql.inMemoryColumnarStorage.compressed": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "8",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
_CAUSES = {
    "No space left on device": "a disk for shuffled data is full; give SPARK_LOCAL_DIRS more room",
    "java.lang.OutOfMemoryError": "Java ran out of memory; raise spark.executor.memory and spark.driver.memory",
    "Python worker exited unexpectedly": "a worker's Python was ended, as a rule for want of memory; use more buckets, "
    "fewer cores per executor, or raise spark.executor.memoryOverhead",
    "No module named": "the workers' Python lacks this package; install audit98968[spark] on every worker, or say "
    "where it is with PYSPARK_PYTHON",
    "PYTHON_VERSION_MISMATCH": "the workers run another version of Python; say which with PYSPARK_PYTHON",
    'Cannot run program "': "the workers have no such Python; say where it is with PYSPARK_PYTHON",
    "ExecutorLostFailure": "workers were lost again and again; the cluster's own log says why",
    "Could not parse Master URL": "--master: not an address that Spark knows, such as spark://HOST:7077",
}


class SparkFailed(AuditError):
    """Spark could not do the work."""


class Spark:
    """Spark as an engine. Addresses end in their number: each number is a task of its own."""

    split_rows: int | None = 1_000_000

    def __init__(
        self,
        master: str,
        beside: Path | None = None,
        progress: Callable[[str], None] = lambda _: None,
        settings: Mapping[str, str] | None = None,
    ):
        """`master` as Spark writes it: `local[2]`, `spark://HOST:7077`. `settings` are Spark's own, by name.

        What the driver keeps lies in the folder `beside` (None: the system's temporary folder).
        """
        self.buckets = 2
        self._spill: Spill | None = None
        self._beside = beside
        self._master = master
        self._progress = progress
        self._settings = _SETTINGS | dict(settings or {})

    def __enter__(self) -> Self:
        """Start or join Spark. Raises UsageError where it is not installed, SparkFailed where nobody answers."""
        self._context = _join(self._master, self._settings)
        self._thread = ThreadPoolExecutor(1)
        try:
            _wait_for_workers(self._context, self._master)
            from pyspark.sql import SparkSession

            self._session = SparkSession(self._context)
            self._spill = Spill(self._beside)
        except BaseException:
            _leave(self._context)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop what runs and remove what lies on the workers' disks."""
        _leave(self._context)
        self._thread.shutdown(wait=False, cancel_futures=True)
        if self._spill:
            self._spill.remove()

    def divide(self, need: int) -> None:
        """Buckets of about half a GB in memory, and enough of them for every core."""
        self.buckets = max(2, self._context.defaultParallelism, need // _BUCKET)

    def keep(self, frame: pl.DataFrame) -> pl.LazyFrame:
        """The frame, on the driver's disk."""
        assert self._spill
        return self._spill.keep(frame)

    def spread(self, work: Making, tasks: Sequence[Any], what: str) -> Post:
        """Work on each task, on as many at once as there are cores."""
        numbers = self._session.range(0, len(tasks), 1, max(1, len(tasks)))
        return self._post(numbers, partial(_make, work, [pack(task) for task in tasks], _versions(), Path.cwd()), what)

    def each(self, work: Handling, posts: Sequence[Post], prefix: str, what: str, *, keep: bool = False) -> Post:
        """Work on every address, on as many at once as there are cores."""
        from pyspark.sql import functions as sql

        boxes = [post for post in posts if isinstance(post, _Box)]
        frames = [
            box.frame.filter(sql.col("address").startswith(prefix)).withColumn(
                "parcel", sql.concat(sql.lit(f"{place:04d}."), "parcel")
            )
            for place, box in enumerate(boxes)
        ]
        addresses = [address for box in boxes for address in box.sizes if address.startswith(prefix)]
        number = sql.coalesce(sql.regexp_extract("address", r"(\d+)$", 1).try_cast("int"), sql.lit(0))
        apart = reduce(lambda a, b: a.union(b), frames).repartitionById(
            1 + max(map(_number, addresses), default=0), number
        )
        sent = self._post(apart, partial(_handle, work, _versions(), Path.cwd()), what)
        for box in boxes if not keep else ():
            box.forget(prefix)
        return sent

    def fetch(self, post: Post) -> Iterator[Parcel]:
        """What was told to the driver, about 32 MB at a time."""
        assert isinstance(post, _Box)
        size = post.sizes.get(DRIVER, 0)
        if size:
            yield from self._fetched(post.frame, size // _FETCHED + 1)
        post.forget(DRIVER)

    def _post(self, frame: Any, work: Callable[[Any], Iterable[Any]], what: str) -> "_Box":
        from pyspark import StorageLevel
        from pyspark.sql import functions as sql

        self._progress(what)
        with _explained():
            sent = frame.mapInArrow(work, _DDL).persist(StorageLevel.DISK_ONLY)
            sizes: dict[str, int] = defaultdict(int)
            refused = False
            for row in self._wait(sent.groupBy("address", "kind").agg(sql.sum(sql.octet_length("body"))).collect):
                sizes[row[0]] += row[2]
                refused |= row[1] == _REFUSED
        if refused:
            raise next(self._fetched(sent.filter(sql.col("kind") == _REFUSED), 1)).body
        return _Box(sent, sizes)

    def _fetched(self, frame: Any, count: int) -> Iterator[Parcel]:
        """The driver's parcels, in order."""
        from pyspark.sql import functions as sql

        order = ("kind", "first", "second", "parcel", "piece")
        with _explained():
            mine = frame.filter(sql.col("address") == DRIVER).repartitionByRange(count, *order)
            rows = self._wait(lambda: mine.rdd)
            parts = range(self._wait(rows.getNumPartitions))
            # one by one, as toLocalIterator keeps all of them in Java's memory
            come = (self._wait(partial(self._context.runJob, rows, list, [part])) for part in parts)
            in_order = (row for some in come for row in sorted(some, key=lambda row: [row[name] for name in order]))
            for _, parcel in _assembled(in_order):
                yield parcel

    def _wait(self, call: Callable[[], Any]) -> Any:
        """Call Spark from the other thread: a signal ends the wait, where PySpark's tidying up would prolong it."""
        return self._thread.submit(call).result()


class _Box:
    """A post: rows on the workers' disks, and how many bytes lie at each address."""

    def __init__(self, frame: Any, sizes: dict[str, int]):
        self.frame = frame
        self.sizes = sizes

    def forget(self, prefix: str) -> None:
        """Let go of addresses; once none is left the disks are freed."""
        self.sizes = {address: size for address, size in self.sizes.items() if not address.startswith(prefix)}
        if not self.sizes:
            self.frame.unpersist()


def _number(address: str) -> int:
    digits = address[len(address.rstrip("0123456789")) :]
    return int(digits or 0)


def _make(
    work: Making, tasks: list[bytes], versions: tuple[str, ...], folder: Path, batches: Iterable[Any]
) -> Iterator[Any]:
    """In a worker: numbers of tasks → batches of rows."""
    _prepare(folder)
    for batch in batches:
        for number in batch.column(0).to_pylist():
            yield from _sent(lambda task: work(unpack(tasks[task])), number, f"{number:08d}", versions)


def _handle(work: Handling, versions: tuple[str, ...], folder: Path, batches: Iterable[Any]) -> Iterator[Any]:
    """In a worker: all rows of some addresses → batches of rows."""
    _prepare(folder)
    rows = (_Row(batch, at) for batch in batches for at in range(batch.num_rows))
    boxes: dict[str, list[tuple[str, Parcel]]] = defaultdict(list)
    for name, parcel in _assembled(rows):
        boxes[parcel.to].append((name, parcel))
    for address in sorted(boxes):
        named = sorted(boxes.pop(address), key=lambda pair: (pair[1].kind, pair[1].order, pair[0]))
        parcels = [parcel for _, parcel in named]
        del named
        yield from _sent(partial(work, address), parcels, address, versions)


class _Row:
    """A row of a batch, its body not copied."""

    def __init__(self, batch: Any, at: int):
        self._batch = batch
        self._at = at

    def __getitem__(self, place: int) -> Any:
        value = self._batch.column(place)[self._at]
        return value.as_buffer() if place == _BODY else value.as_py()


def _assembled(rows: Iterable[Any]) -> Iterator[tuple[str, Parcel]]:
    """Parcels with the names of their rows, each as soon as its last piece has come."""
    begun: dict[str, dict[int, Any]] = defaultdict(dict)
    for row in rows:
        name, pieces = row[4], row[5]
        begun[name][row[6]] = row[_BODY]
        if len(begun[name]) == pieces:
            come = begun.pop(name)
            body = unpack(b"".join(come.pop(piece) for piece in range(pieces)))
            yield name, Parcel(row[0], row[1], (row[2], row[3]), body)


def _sent(work: Callable[[Any], Iterable[Parcel]], given: Any, sender: str, versions: tuple[str, ...]) -> Iterator[Any]:
    """What work on something sends, as batches. Errors are sent to the driver without the data that they may quote."""
    rows: list[tuple[Any, ...]] = []
    size = 0
    for count, parcel in enumerate(_parcels(work, given, sender, versions)):
        body = memoryview(pack(parcel.body))
        pieces = max(1, -(-len(body) // _PIECE))
        for piece in range(pieces):
            cut = body[piece * _PIECE : (piece + 1) * _PIECE]
            rows.append((parcel.to, parcel.kind, *parcel.order, f"{sender}.{count:08d}", pieces, piece, cut))
            size += len(cut)
            if size >= _PIECE:
                yield _batch(rows)
                rows, size = [], 0
    if rows:
        yield _batch(rows)


def _batch(rows: list[tuple[Any, ...]]) -> Any:
    return pa.record_batch([list(column) for column in zip(*rows, strict=True)], schema=_SCHEMA)


def _parcels(
    work: Callable[[Any], Iterable[Parcel]], given: Any, sender: str, versions: tuple[str, ...]
) -> Iterator[Parcel]:
    try:
        if versions != _versions():
            theirs, ours = ", ".join(_versions()), ", ".join(versions)
            raise SparkFailed(f"a worker has {theirs}, the driver {ours}; install the same everywhere")
        yield from work(given)
    except AuditError as refusal:
        yield Parcel(DRIVER, _REFUSED, (0, 0), refusal)
    except (Exception, pl.exceptions.PanicException) as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        what = f"internal error ({type(error).__name__}, {Path(at.filename).name}:{at.lineno})"
        yield Parcel(DRIVER, _REFUSED, (0, 0), SparkFailed(f"{what} in a worker of Spark"))


def _versions() -> tuple[str, ...]:
    return f"audit98968 {auditor.__version__}", f"polars {pl.__version__}"


def _prepare(folder: Path) -> None:
    """As the command does at its start: no core is left, and no library's last words come into a worker's log."""
    with contextlib.suppress(OSError):
        os.chdir(folder)  # relative paths mean the same in a worker
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), 2)


def _join(master: str, settings: Mapping[str, str]) -> Any:
    """Spark's context. Java inherits standard error alone, as standard output is for the report."""
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        raise UsageError("--engine spark: no Java found; install Java 17 or newer, or set JAVA_HOME")
    try:
        from pyspark import SparkConf, SparkContext
        from pyspark.errors import PySparkRuntimeError
        from pyspark.java_gateway import launch_gateway
    except ImportError:
        raise UsageError("--engine spark: PySpark is not installed; pip install 'audit98968[spark]'") from None
    _call(master)
    conf = SparkConf().setMaster(master).setAll(list(settings.items()))
    if master.startswith("local"):
        conf.set("spark.driver.host", "127.0.0.1").set("spark.driver.bindAddress", "127.0.0.1")
    interrupted = signal.getsignal(signal.SIGINT)
    try:
        with _explained():
            gateway = SparkContext._gateway or launch_gateway(conf, {"stdout": 2})
            context = SparkContext(conf=conf, gateway=gateway)
    except PySparkRuntimeError as error:
        raise SparkFailed("--engine spark: Java did not start; install Java 17 or newer, or set JAVA_HOME") from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, interrupted)  # PySpark has put its own there
    context._accumulatorServer.handle_error = lambda *_: None  # where Java ends, it would print a traceback
    context.pythonExec = os.environ.get("PYSPARK_PYTHON", sys.executable)
    return context


def _call(master: str) -> None:
    """Whether some standalone master answers; Spark itself would try for a minute, and then say nothing."""
    if not master.startswith("spark://"):
        return
    for address in master.removeprefix("spark://").split(","):
        host, _, port = address.rpartition(":")
        with contextlib.suppress(OSError, ValueError, OverflowError):
            socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
            return
    raise SparkFailed(f"--master {master}: nobody answers there; check the address, and that the master runs")


def _wait_for_workers(context: Any, master: str) -> None:
    """Spark would wait for ever for a worker that is free and large enough."""
    until = time.monotonic() + _PATIENCE
    scala = context._jsc.sc()
    with _explained():
        while not master.startswith("local") and scala.getExecutorMemoryStatus().size() < 2:
            if scala.isStopped() or time.monotonic() > until:
                raise SparkFailed(
                    f"--master {master}: no worker has come; the cluster is busy, has no worker with enough memory and "
                    "cores, or runs another version of Spark"
                )
            time.sleep(0.2)


def _leave(context: Any) -> None:
    """Stop Spark, by a connection of its own: an interrupted call may still be waiting on the usual one."""

    def stop() -> None:
        with contextlib.suppress(Exception):
            context.cancelAllJobs()
        with contextlib.suppress(Exception):
            context.stop()

    stopping = threading.Thread(target=stop, daemon=True)
    stopping.start()
    stopping.join(timeout=30)
    if stopping.is_alive() and context._gateway.proc:
        context._gateway.proc.kill()


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Spark's errors in our words: its own quote plans and traces."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException, PySparkRuntimeError

    try:
        yield
    except PySparkRuntimeError:
        raise
    except (PySparkException, Py4JError, OSError) as error:
        told = str(error)
        cause = next((words for sign, words in _CAUSES.items() if sign in told), "run again with --debug for details")
        raise SparkFailed(f"Spark could not do the work: {cause}") from error
