"""The work done by Spark: its readers, its DataFrames and its shuffle around the two functions that do it everywhere.

A table's files are typed a batch at a time (`mapInArrow`), and what can matter is kept as a DataFrame; the kept rows of all
tables meet by patients (`applyInArrow`) and are judged. Nothing here needs Spark's own process, so that Spark Connect does
as well (`--master sc://HOST:15002`). What a lost worker held is made again by another.
"""

import hashlib
import pickle
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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
from auditor.reading import ingest
from auditor.reading import parquet as parquetfile
from auditor.reading.files import expand
from auditor.reading.ingest import Part, Parts, SourceFile
from auditor.reading.layout import layout
from auditor.reading.path_columns import of_path
from auditor.sources import staging

__all__ = ["Spark", "SparkFailed"]

_PATIENCE = 120
"""Seconds until some worker has to be there."""

_ROWS, _FEWEST = 200_000, 4
"""Kept rows of a part of patients, about, and the least number of parts, beside that of those who share a call or claim."""

_NESTED = ("array", "struct", "map", "binary", "variant")
"""How the types begin of columns that are no plain values."""

_AT_ONCE = 8
"""Parts whose findings come to the driver at once."""

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

    def __enter__(self) -> Self:
        """Start or join Spark. Raises UsageError where it is not installed, SparkFailed where nobody answers."""
        self._session = connect(self._master, self._settings)
        self._thread = ThreadPoolExecutor(1)
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

    def parts(self, paths: Mapping[str, Sequence[str]], policy: Policy, database: str | None = None) -> Parts:
        """Files of this machine one by one; addresses such as s3://... or hdfs://... as they are given."""
        return {name: _parts(name, given) for name, given in paths.items()}

    def scan_keys(self, scan: KeyScan, parts: Sequence[Part]) -> KeyScanResult:
        """Scan the keys of a table."""
        from pyspark.sql import functions as sql

        self._progress(f"reading {scan.table}")
        blanks = pl.concat([pl.DataFrame(schema={"id": pl.UInt64}), no_billed_ids(), no_line_dates()], how="horizontal")
        empty = blanks.with_columns(pl.col(pl.UInt64).cast(pl.Int64))
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
            self._fetched(repeated)["id"].cast(pl.Int64).reinterpret(signed=False),
            self._fetched(billed).cast(pl.String),
            self._fetched(days).with_columns(pl.col(pl.Int64).reinterpret(signed=False)).cast(no_line_dates().schema),
            _files(parts, rows_back, digested=False),
        )
        rows.unpersist()
        return result

    def type_chunks(self, typer: ChunkTyper, parts: Sequence[Part]) -> SparkRows:
        """Type a table, and keep the rows that can matter."""
        self._progress(f"typing {typer.scan.table}")
        scan, blanks = typer.scan, typer.scan.blanks
        typed = self._typed(scan, parts, None, partial(worker.type_chunk, typer), blanks)
        rows_back = self._rows(typed)
        files = _files(parts, rows_back, digested=True)
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
                absent, unmatched = counts.pop("absent"), counts.pop("unmatched")
                yield Judged(**frames, inactive=counts, absent=absent, unmatched=unmatched)

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
        results = []
        schema = f"{MESSAGE_SCHEMA}, {worker.ddl(blanks.schema)}"
        with errors_explained():
            for part in parts:
                if _is_parquet(part):
                    rows, read = self._rows_of(part, scan, only)
                else:
                    rows = self._contents(part)
                    read = partial(worker.text_chunks, part, scan.policy, scan.without_billing, only)
                results.append(
                    rows.mapInArrow(partial(worker.run_worker, read, work, blanks.schema, worker.versions()), schema)
                )
            return reduce(lambda left, right: left.union(right), results).persist()

    def _contents(self, part: Part) -> Any:
        """Whole files that are no Parquet; what can be read only once is sent from here."""
        if part.buffer is None:
            return self._session.read.format("binaryFile").load(_address(part)).select("path", "content")
        part.buffer.seek(0)
        return self._session.createDataFrame([(str(part.path), part.buffer.read())], "path string, content binary")

    def _rows_of(self, part: Part, scan: KeyScan, only: Sequence[str] | None) -> tuple[Any, worker.ReadChunks]:
        """A Parquet file's wanted columns, by their places, and how a worker makes chunks of them."""
        from pyspark.sql import functions as sql

        self._session.conf.set("spark.sql.sources.partitionColumnTypeInference.enabled", "false")
        source_name, ignored = ingest.where(part.table, part.path), ingest.ignored(part.table, scan.without_billing)
        footer = None
        if not part.address:
            with part.opened(source_name) as (stream, _):
                footer = parquetfile.headers(source_name, stream)
        frame = self._session.read.option("mergeSchema", "true").parquet(_address(part))
        types = [kind for _, kind in frame.dtypes]
        path = {} if part.address else of_path(part.path)
        found = layout(
            source_name, part.table, scan.policy, frame.columns, path, ignored, only,
            lambda at: at < len(types) and not types[at].startswith(_NESTED),
        )  # fmt: skip
        if footer:
            ingest.in_utc(found, footer)
        wanted, mapped = found.wanted, found.mapped
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
        mapping = {name: tuple(found.names[p] for p in many) for name, many in mapped.positions.items()}
        return frame.select(*columns, *row_source), partial(
            worker.parquet_chunks, part, found, dates_only, worker.file_frame(mapping, found.unused)
        )

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


def _parts(name: str, paths: Sequence[str]) -> tuple[list[Part], tuple[str, ...]]:
    found = expand(name, [path for path in paths if "://" not in path])
    for location in found.located:
        staging.refuse_on_spark(name, location)
    addresses = [Part(name, Path(path), address=path) for path in paths if "://" in path]
    return [*(Part(name, path) for path in found.paths), *addresses], found.warnings(name)


def _files(parts: Sequence[Part], rows_back: Iterable[Any], *, digested: bool) -> tuple[SourceFile, ...]:
    """The files of a table as the workers read them; those of this machine are digested here, if they are."""
    local_parts = {ingest.shown(part.path): part for part in parts if not part.address}
    files: dict[str, SourceFile] = {}
    for row in (row for row in rows_back if row["kind"] == "file"):
        pairs, path = pl.read_ipc(row["body"]), row["file"]
        mapping: dict[str, tuple[str, ...]] = {}
        for column, header in pairs.select("column", "header").iter_rows():
            mapping[column] = (*mapping.get(column, ()), header)
        unused, rows, facts = mapping.pop("", ()), pairs["rows"][0], pickle.loads(pairs["facts"][0])
        if path in files:
            rows, facts = files[path].rows + rows, files[path].facts + facts
        files[path] = SourceFile(
            path, 0, "", rows, mapping, unused, Path(path), None, facts, "csv" if _is_csv(path) else "parquet"
        )
    for path, part in local_parts.items():
        with part.opened(path) as (stream, touched):
            digest, size = hashlib.sha256(), 0
            while digested and (block := stream.read(1 << 20)):
                digest.update(block)
                size += len(block)
        kind = "parquet" if _is_parquet(part) else "csv"
        files[path] = replace(
            files[path], bytes=size, sha256=digest.hexdigest(), origin=part.path, signature=touched, kind=kind
        )
    return tuple(files[path] for path in [*local_parts, *sorted(files.keys() - local_parts.keys())])


def _summaries(rows_back: Iterable[Any], file_order: Mapping[str, int]) -> list[ChunkSummary]:
    """The summaries of chunks that our own workers pickled, in the order of files and records."""
    rows = [row for row in rows_back if row["kind"] == "summary"]
    return [pickle.loads(row["body"]) for row in sorted(rows, key=lambda row: (file_order[row["file"]], row["record"]))]


def _is_parquet(part: Part) -> bool:
    if part.address:
        return not _is_csv(part.address)
    with part.opened(ingest.where(part.table, part.path)) as (stream, _):
        return part.buffer is None and stream.read(4) == b"PAR1"


def _address(part: Part) -> str:
    return part.address or part.path.absolute().as_uri()


def _is_csv(path: str) -> bool:
    """Whether an address is that of CSV, by its name."""
    return path.lower().removesuffix(".gz").removesuffix(".zst").endswith((".csv", ".tsv", ".psv"))
