"""The work done by Spark: its readers, its DataFrames and its shuffle around the two functions that do it everywhere.

A table's files are typed a batch at a time (`mapInArrow`), and what can matter is kept as a DataFrame; the kept rows of all
tables meet by patients (`applyInArrow`) and are judged. Nothing here needs Spark's own process, so that Spark Connect does
as well (`--master sc://HOST:15002`). What a lost worker held is made again by another.
"""

import hashlib
import io
import pickle
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial, reduce
from pathlib import Path
from typing import Any, Self

import polars as pl

from auditor.audit_context import AuditContext
from auditor.engines import KeptRows, NoRows, Progress, worker
from auditor.engines.partitions import Partitions, linked_patients
from auditor.engines.session import SparkFailed, connect, errors_explained
from auditor.engines.worker import MESSAGE_SCHEMA, PART
from auditor.errors import InputRefused
from auditor.judging.patients import Judged
from auditor.parsing.microseconds import HOUR
from auditor.policy import Policy
from auditor.prefilter.chunk_typer import ChunkSummary, ChunkTyper
from auditor.prefilter.key_scan import KeyScan, KeyScanResult, no_billed_ids, no_line_dates
from auditor.prefilter.membership_filter import MembershipFilter
from auditor.reading import ingest, paths
from auditor.reading import parquet as parquetfile
from auditor.reading.files import Signature
from auditor.reading.ingest import Part, Parts, SourceFile
from auditor.reading.layout import layout
from auditor.sources import on_spark, staging

__all__ = ["Spark", "SparkFailed"]

_PATIENCE = 120
"""Seconds until some worker has to be there."""

_ROWS, _FEWEST = 200_000, 4
"""Kept rows of a part of patients, about, and the least number of parts, beside that of those who share a call or claim."""

_NESTED = ("array", "struct", "map", "binary", "variant")
"""How the types begin of columns that are no plain values."""

_AT_ONCE = 8
"""Parts whose findings come to the driver at once."""

_TASK = 1 << 26
"""Bytes that one task reads, about."""

_INT96 = "spark.sql.parquet.int96AsTimestamp"
_UNREADABLE = {
    "INT96": "the files have times in the form INT96 that Spark did not write, so that their zone is not known; write them "
    "as TIMESTAMP, or use --engine local with [timezones] in the policy",
    "UNSUPPORTED_TIME_TYPE": "the files have times of day, which Spark does not read; write text, or use --engine local",
    "Illegal Parquet type": "the files have a column of a type that Spark does not read, such as nanoseconds; write "
    "another type, or use --engine local",
}
"""What Spark says of Parquet files that it does not read, and our words."""

_IS_LINKED = "audit98968_meets"


@dataclass(frozen=True)
class SparkRows:
    """The kept rows of one table as Spark's DataFrame, with the types of `blanks`; `spans`: those of all calls."""

    frame: Any
    summary: ChunkSummary
    blanks: pl.DataFrame
    fetch: Callable[[Any], pl.DataFrame]
    spans: Any = None

    def select(self, *columns: str, **aliases: str) -> pl.DataFrame:
        """Some columns of the kept rows."""
        names = [*columns, *aliases.values()]
        schema = {name: self.blanks.schema[name] for name in names}
        return self.fetch(self.frame.select(*names)).cast(schema).select(*columns, **aliases)  # type: ignore[arg-type]


class Spark:
    """`master` as Spark writes it: `local[2]`, `spark://HOST:7077`, `sc://HOST:15002`. `settings` are Spark's own, by name.

    What the driver needs twice lies in the folder `spill_folder` (None: the system's temporary folder).
    """

    def __init__(
        self,
        master: str,
        spill_folder: Path | None = None,
        progress: Progress = lambda _: None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Not connected yet."""
        self._master = master
        self._progress = progress
        self._settings = dict(settings or {})
        self._disk = Partitions(0, spill_folder)
        self._stack, self._spill_folder = ExitStack(), spill_folder

    def __enter__(self) -> Self:
        """Start or join Spark. Raises UsageError where it is not installed, SparkFailed where nobody answers."""
        self._session = connect(self._master, self._settings)
        self._thread = ThreadPoolExecutor(1)
        self._addresses = on_spark.Addresses(self._session)
        try:
            self._disk.open()
            with errors_explained():
                self._thread.submit(self._session.range(1).count).result(_PATIENCE)
        except TimeoutError:
            self.__exit__()
            raise SparkFailed(
                f"--master {self._master}: no worker has come; the cluster is busy, has no worker with enough memory and "
                "cores, or runs another version of Spark"
            ) from None
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        """Stop what runs; what lies on the workers' disks goes with it."""
        stopping = threading.Thread(target=self._session.stop, daemon=True)
        stopping.start()
        stopping.join(timeout=30)
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._disk.remove()
        self._stack.close()

    def parts(self, paths: Mapping[str, Sequence[str]], policy: Policy, database: str | None = None) -> Parts:
        """Each table's files, copies of what is not CSV or Parquet here, and addresses that are Spark's own."""
        ours = {table: [path for path in given if not on_spark.is_own(path)] for table, given in paths.items()}
        found = self._stack.enter_context(staging.gathered(ours, policy, self._spill_folder, database=database))
        for table, given in paths.items():
            for path in filter(on_spark.is_own, given):
                self._addresses.add(table, path)
                found[table][0].append(Part(table, Path(path), address=path))
        return found

    def scan_keys(self, scan: KeyScan, parts: Sequence[Part]) -> KeyScanResult:
        """Scan the keys of a table."""
        from pyspark.sql import functions as sql

        self._progress(f"reading {scan.table}")
        blanks = pl.concat([pl.DataFrame(schema={"id": pl.UInt64}), no_billed_ids(), no_line_dates()], how="horizontal")
        empty = blanks.with_columns(pl.col(pl.UInt64).cast(pl.Int64))
        touched = {part.shown: _signature(part) for part in parts if not part.address}
        rows = self._typed(scan, parts, scan.columns, partial(worker.scan_chunk, scan), empty)
        rows_back = self._rows(rows)
        repeated = rows.filter("id is not null").groupBy("id").count().filter("count > 1").select("id")
        billed, days = (
            rows.filter(sql.coalesce(*empty_frame.drop("day", strict=False).columns).isNotNull())
            .select(*empty_frame.columns)
            .distinct()
            for empty_frame in (no_billed_ids(), no_line_dates())
        )
        result = KeyScanResult(
            scan,
            MembershipFilter(self._fetched(repeated)["id"].cast(pl.Int64).reinterpret(signed=False)),
            self._fetched(billed).cast(pl.String),
            self._fetched(days).with_columns(pl.col(pl.Int64).reinterpret(signed=False)).cast(no_line_dates().schema),
            _files(parts, rows_back, touched, digested=False),
        )
        rows.unpersist()
        return result

    def type_chunks(self, typer: ChunkTyper, parts: Sequence[Part]) -> SparkRows:
        """Type a table, and keep the rows that can matter."""
        self._progress(f"typing {typer.scan.table}")
        scan, blanks = typer.scan, typer.scan.blanks
        typed = self._typed(scan, parts, None, partial(worker.type_chunk, typer), blanks)
        rows_back = self._rows(typed)
        files = _files(parts, rows_back, {}, digested=True)
        self._addresses.require_unchanged()
        file_order = {file.path: number for number, file in enumerate(files)}
        summaries = _summaries(rows_back, file_order)
        deferred_rows = self._fetched(typed.filter("kind = 'deferred'").select(blanks.columns)).cast(blanks.schema)
        in_order = pl.col("source_file").replace_strict(file_order, default=None, return_dtype=pl.Int64)
        summaries[-1] = replace(summaries[-1], deferred_rows=deferred_rows.sort(in_order, "source_record"))
        rows, whole = typer.merge(summaries, files)
        if again := typer.again(whole):
            typed.unpersist()
            return self.type_chunks(again, parts)
        frame, spans = typed.filter("kind = 'row'").select(blanks.columns).union(self._frame(rows)), None
        if typer.with_spans and scan.table == "calls":
            names = {"provider_id": "provider_id", "call_id": "id", "call_start": "from", "call_end": "to"}
            spans = typed.filter("kind = 'span'").select(*names).withColumnsRenamed(names)
            spans = spans.union(self._frame(whole.spans.select(names.values())))
        self._progress(f"read {scan.table}: {sum(file.rows for file in whole.files):,} rows")
        return SparkRows(frame, whole, blanks, self._fetched, spans)

    def judge(self, rows: Mapping[str, KeptRows], context: AuditContext) -> Iterator[Judged]:
        """Judge all patients, those of a part together, on as many parts at once as there are cores."""
        self._progress("judging")
        kept = {table: rows for table, rows in rows.items() if isinstance(rows, SparkRows)}
        blanks = {name: found.blanks for name, found in rows.items() if isinstance(found, SparkRows | NoRows)}
        count = max(_FEWEST, sum(self._wait(rows.frame.count) for rows in kept.values()) // _ROWS)
        parts = self._parted(kept, count)
        spans = kept["calls"].spans if "calls" in kept else None
        overlapping = [] if spans is None else [self._overlapping(parts, spans, blanks, context)]
        judged = self._grouped([*parts, *overlapping], partial(worker.judge_part, blanks, context), MESSAGE_SCHEMA)
        for first in range(0, count + 1, _AT_ONCE):
            found = self._collected(judged.filter(f"record between {first} and {first + _AT_ONCE - 1}"))
            for number in sorted({row["record"] for row in found}):
                frames = {row["kind"]: pl.read_ipc(row["body"]) for row in found if row["record"] == number}
                counts = dict(frames.pop("counts").iter_rows())
                yield Judged(**frames, unmatched=counts.pop("unmatched"), inactive=counts)

    def audited_calls(self, rows: Mapping[str, KeptRows], context: AuditContext) -> pl.Series:
        """Not needed: `--phone-log` is refused with this engine."""
        raise NotImplementedError

    def spill(self, frame: pl.DataFrame) -> pl.LazyFrame:
        """The frame, on the driver's disk."""
        return self._disk.spill(frame)

    def _parted(self, kept: Mapping[str, SparkRows], count: int) -> list[Any]:
        """The kept rows of every table, as structs named for it, and the part in which their patients are judged.

        Patients who share a call or a claim are judged together.

        Source: docs/specification.md#invariants.
        """
        from pyspark.sql import functions as sql

        ids = ("patient_id", "call_id", "claim_id", "original_claim_id")
        linked = linked_patients({table: rows.select(*ids).lazy() for table, rows in kept.items() if table != "visits"})
        is_linked = self._frame(linked.to_frame()).withColumn(_IS_LINKED, sql.lit(True))
        part = sql.when(sql.col(_IS_LINKED), count).otherwise(sql.pmod(sql.xxhash64("patient_id"), sql.lit(count)))
        return [
            rows.frame.join(sql.broadcast(is_linked), "patient_id", "left").select(
                part.cast("long").alias(PART), sql.struct(*rows.blanks.columns).alias(table)
            )
            for table, rows in kept.items()
        ]

    def _overlapping(
        self, parts: list[Any], spans: Any, blanks: Mapping[str, pl.DataFrame], context: AuditContext
    ) -> Any:
        """For every part the calls that overlap its lines' calls: they meet in the hours that both touch."""
        from pyspark.sql import functions as sql

        schema = "part long, provider_id string, `from` timestamp, `to` timestamp"
        own = self._grouped(parts, partial(worker.own_spans, blanks, context), schema)

        def by_hour(rows: Any) -> Any:
            first, last = (sql.floor(sql.unix_micros(at) / HOUR) for at in ("from", "to"))
            return rows.withColumn("hour", sql.explode(sql.sequence(first, last)))

        own_hours = by_hour(own).select("part", "provider_id", "hour").distinct()
        overlapping = by_hour(spans).join(own_hours, ["provider_id", "hour"]).drop("hour").distinct()
        return overlapping.select(
            sql.col("part").alias(PART), sql.struct("provider_id", "id", "from", "to").alias(worker.SPANS)
        )

    def _grouped(self, parts: list[Any], work: Callable[[Any], Any], schema: str) -> Any:
        records = reduce(lambda left, right: left.unionByName(right, allowMissingColumns=True), parts)
        # Spark looks at a function's annotations, where there are any, in a way of its own.
        results = records.groupBy(PART).applyInArrow(lambda part: work(part), schema).persist()
        if schema == MESSAGE_SCHEMA:
            self._refuse(results)
        return results

    def _typed(
        self,
        scan: KeyScan,
        parts: Sequence[Part],
        only: Sequence[str] | None,
        work: worker.ChunkWork,
        blanks: pl.DataFrame,
    ) -> Any:
        """A table's files, read by Spark and given to the work chunk by chunk: rows as `blanks`, and messages."""
        schema = f"{MESSAGE_SCHEMA}, {worker.ddl(blanks.schema)}"
        text = scan.policy, scan.without_billing, only
        sources: list[tuple[Any, worker.ReadChunks]] = []
        with errors_explained():
            if tasks := _tasks([part for part in parts if not part.address and part.buffer is None]):
                numbers = self._session.range(0, len(tasks), 1, len(tasks))
                sources.append((numbers, partial(worker.file_chunks, tasks, paths.placed(), *text)))
            for part in (part for part in parts if part.address or part.buffer):
                if part.address and not self._addresses.is_csv(part.address):
                    sources += self._rows_of(part, scan, only)
                else:
                    sources.append(
                        (self._contents(part), partial(worker.text_chunks, replace(part, buffer=None), *text))
                    )
            results = [
                rows.mapInArrow(partial(worker.run_worker, read, work, blanks.schema, worker.versions()), schema)
                for rows, read in sources
            ]
            return reduce(lambda left, right: left.union(right), results).persist()

    def _contents(self, part: Part) -> Any:
        """Whole files that are no Parquet; what can be read only once is sent from here."""
        if part.buffer is None:
            return self._session.read.format("binaryFile").load(part.address).select("_metadata.file_path", "content")
        part.buffer.seek(0)
        return self._session.createDataFrame([(str(part.path), part.buffer.read())], "file_path string, content binary")

    def _rows_of(self, part: Part, scan: KeyScan, only: Sequence[str] | None) -> list[tuple[Any, worker.ReadChunks]]:
        """The wanted columns of Parquet files at an address, by their places, and how a worker makes chunks of them.

        All files are there without rows too: one that has none is read as well.
        """
        from pyspark.sql import functions as sql

        where, ignored = f"{part.table}: {paths.shown(part.address)}", ingest.ignored(part.table, scan.without_billing)
        frame = self._parquet(where, part.address)
        types = [kind for _, kind in frame.dtypes]
        found = layout(
            where, part.table, scan.policy, frame.columns, {}, ignored, only,
            lambda at: at < len(types) and not types[at].startswith(_NESTED),
        )  # fmt: skip
        wanted = found.wanted
        quoted = [f"`{name.replace('`', '``')}`" for name in frame.columns]
        times = [
            p
            for many in wanted.values()
            if len(many) > 1
            for p in many
            if p in found.read and types[p].startswith("timestamp")
        ]
        days = [sql.every(sql.col(quoted[p]) == sql.date_trunc("day", quoted[p])).alias(str(p)) for p in times]
        dates_only = self._collected(frame.select(*days))[0].asDict() if days else {}
        columns = [sql.col(quoted[p]).alias(str(p)) for p in found.read]
        row_source = sql.col("_metadata.file_path").alias("path"), sql.col("_metadata.row_index").alias("record")
        rows, names = frame.select(*columns, *row_source), self._addresses.files(part.address)
        empty = self._wait(rows.limit(0).toArrow)
        return [
            (self._session.range(1), partial(worker.empty_chunks, found, dates_only, empty, names)),
            (rows, partial(worker.parquet_chunks, found, dates_only)),
        ]

    def _parquet(self, where: str, address: str) -> Any:
        """Parquet files at an address. Raises InputRefused for times of which nothing says in which zone they are."""
        conf = self._session.conf
        conf.set("spark.sql.sources.partitionColumnTypeInference.enabled", "false")
        conf.set(_INT96, "false")  # refuses that form but where the footer names Spark
        try:
            return self._session.read.option("mergeSchema", "true").parquet(address)
        except Exception as error:
            cause = next((words for sign, words in _UNREADABLE.items() if sign in str(error)), None)
            if cause is None:
                raise
            raise InputRefused(f"{where}: {cause}") from None
        finally:
            conf.set(_INT96, "true")

    def _rows(self, results: Any) -> list[Any]:
        """The messages of the workers. Raises what they refused."""
        self._refuse(results)
        return self._collected(results.filter("body is not null").select("kind", "file", "record", "body"))

    def _refuse(self, results: Any) -> None:
        refused = self._collected(results.filter("kind in ('refused', 'failed')").select("kind", "body"))
        if refused:
            first = min(refused, key=lambda row: row["body"])
            raise (InputRefused if first["kind"] == "refused" else SparkFailed)(bytes(first["body"]).decode())

    def _frame(self, rows: pl.DataFrame) -> Any:
        schema = worker.ddl(rows.schema)
        return self._session.createDataFrame([] if rows.is_empty() else worker.arrow(rows), schema)

    def _fetched(self, frame: Any) -> pl.DataFrame:
        with errors_explained():
            return pl.DataFrame(pl.from_arrow(self._wait(frame.toArrow)))

    def _collected(self, frame: Any) -> list[Any]:
        with errors_explained():
            rows: list[Any] = self._wait(frame.collect)
        return rows

    def _wait(self, call: Callable[[], Any]) -> Any:
        """Call Spark from the other thread: a signal ends the wait, where PySpark's tidying up would prolong it."""
        return self._thread.submit(call).result()


def _tasks(parts: Sequence[Part]) -> list[list[worker.Piece]]:
    """Files, and large ones of Parquet in runs of row groups, in tasks of about `_TASK` bytes."""
    tasks: list[list[worker.Piece]] = []
    room = 0
    for part in parts:
        with part.opened(part.where) as (stream, _):
            is_parquet = stream.read(4) == b"PAR1"
            sizes = parquetfile.sizes(part.where, stream) if is_parquet else []
            whole = stream.seek(0, io.SEEK_END)
        runs = _runs(sizes)
        pieces = [replace(part, groups=groups) for groups in runs] if len(runs) > 1 else [part]
        for piece in pieces:
            if room <= 0:
                tasks.append([])
                room = _TASK
            room -= whole // len(pieces)
            tasks[-1].append((piece, part.path.absolute()))
    return tasks


def _signature(part: Part) -> Signature | None:
    with part.opened(part.where) as (_, touched):
        return None if part.staged else touched


def _runs(sizes: Sequence[int]) -> list[range]:
    """Row groups of these sizes one after another, in runs of about `_TASK` unpacked bytes."""
    runs, room = list[range](), 0
    for number, size in enumerate(sizes):
        if room <= 0:
            runs.append(range(number, number))
            room = _TASK
        runs[-1] = range(runs[-1].start, number + 1)
        room -= size
    return runs


def _files(
    parts: Sequence[Part], rows_back: Iterable[Any], touched: Mapping[str, Signature | None], *, digested: bool
) -> tuple[SourceFile, ...]:
    """The files of a table as the workers read them; those that were read in pieces are digested here, if they are."""
    files: dict[str, SourceFile] = {}
    for row in (row for row in rows_back if row["kind"] == "file"):
        file: SourceFile = pickle.loads(row["body"])
        if before := files.get(file.path):
            file = replace(file, rows=before.rows + file.rows, facts=before.facts + file.facts)
        files[file.path] = file
    here = {part.shown: part for part in parts if not part.address}
    for path, part in here.items():
        if digested and not files[path].sha256:
            size, digest = _digest(part)
            files[path] = replace(files[path], bytes=size, sha256=digest)
        files[path] = replace(files[path], signature=touched.get(path))
    return tuple(files[path] for path in [*here, *sorted(files.keys() - here.keys())])


def _digest(part: Part) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with part.opened(part.where) as (stream, _):
        while block := stream.read(1 << 20):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()


def _summaries(rows_back: Iterable[Any], file_order: Mapping[str, int]) -> list[ChunkSummary]:
    """The summaries of chunks that our own workers pickled, in the order of files and records."""
    rows = [row for row in rows_back if row["kind"] == "summary"]
    return [pickle.loads(row["body"]) for row in sorted(rows, key=lambda row: (file_order[row["file"]], row["record"]))]
