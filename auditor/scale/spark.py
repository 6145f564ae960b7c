"""The work done by Spark: its readers, its DataFrames and its shuffle around the two functions that do it everywhere.

A table's files are typed a batch at a time (`mapInArrow`), and what can matter is kept as a DataFrame; the kept rows of all
tables meet by patients (`applyInArrow`) and are judged. Nothing here needs Spark's own process, so that Spark Connect does
as well (`--master sc://HOST:15002`). What a lost worker held is made again by another.
"""

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial, reduce
from pathlib import Path
from typing import Any, Self

import polars as pl

from auditor.errors import InputRefused
from auditor.judging.patients import Context, Judged
from auditor.prefilter.chunk_typer import ChunkSummary, ChunkTyper, from_frames
from auditor.prefilter.key_scan import KeyScan, KeyScanResult, no_billed_ids, no_line_dates
from auditor.reading import headers, ingest
from auditor.reading.ingest import Part, SourceFile
from auditor.scale import Progress, worker
from auditor.scale.partitions import Partitions, sharing
from auditor.scale.session import SparkFailed, explained, joined
from auditor.scale.worker import PART, TOLD
from auditor.schema.tables import TABLES
from auditor.windows.facts import HOUR

__all__ = ["Spark", "SparkFailed"]

_PATIENCE = 120
"""Seconds until some worker has to be there."""

_ROWS, _FEWEST = 200_000, 4
"""Kept rows of a part of patients, about, and the least number of parts, beside that of those who share a call or claim."""

_AT_ONCE = 8
"""Parts whose findings come to the driver at once."""

_MEETS = "audit98968_meets"


class Spark:
    """`master` as Spark writes it: `local[2]`, `spark://HOST:7077`, `sc://HOST:15002`. `settings` are Spark's own, by name.

    What the driver needs twice lies in the folder `beside` (None: the system's temporary folder).
    """

    def __init__(
        self,
        master: str,
        beside: Path | None = None,
        progress: Progress = lambda _: None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Not connected yet."""
        self._master = master
        self._progress = progress
        self._settings = dict(settings or {})
        self._disk = Partitions(0, beside)
        self._kept: dict[str, Any] = {}
        self._blanks: dict[str, pl.DataFrame] = {}
        self._spans: Any = None

    def __enter__(self) -> Self:
        """Start or join Spark. Raises UsageError where it is not installed, SparkFailed where nobody answers."""
        self._session = joined(self._master, self._settings)
        self._thread = ThreadPoolExecutor(1)
        try:
            self._disk.open()
            with explained():
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

    def parts(self, name: str, paths: Sequence[str]) -> tuple[list[Part], tuple[str, ...]]:
        """Files of this machine one by one; addresses such as s3://... or hdfs://... as they are given."""
        found, warnings = ingest.parts(name, [path for path in paths if "://" not in path])
        return [*found, *(Part(name, Path(path), address=path) for path in paths if "://" in path)], warnings

    def survey(self, look: KeyScan, parts: Sequence[Part]) -> KeyScanResult:
        """Look at a table."""
        from pyspark.sql import functions as sql

        self._progress(f"reading {look.table}")
        blanks = pl.concat([pl.DataFrame(schema={"id": pl.UInt64}), no_billed_ids(), no_line_dates()], how="horizontal")
        empty = blanks.with_columns(pl.col(pl.UInt64).cast(pl.Int64))
        made = self._typed(look, parts, look.columns, partial(worker.looked, look), empty)
        rows_back = self._rows(made)
        repeated = made.filter("id is not null").groupBy("id").count().filter("count > 1").select("id")
        billed, days = (
            made.filter(sql.coalesce(*some.drop("day", strict=False).columns).isNotNull())
            .select(*some.columns)
            .distinct()
            for some in (no_billed_ids(), no_line_dates())
        )
        survey = KeyScanResult(
            self._fetched(repeated)["id"].cast(pl.Int64).reinterpret(signed=False),
            self._fetched(billed).cast(pl.String),
            self._fetched(days).with_columns(pl.col(pl.Int64).reinterpret(signed=False)).cast(no_line_dates().schema),
            _files(parts, rows_back, digested=False),
        )
        made.unpersist()
        return survey

    def type_chunks(self, work: ChunkTyper, parts: Sequence[Part]) -> ChunkSummary:
        """Type a table, and keep the rows that can matter."""
        self._progress(f"typing {work.scan.table}")
        look, blanks = work.scan, work.scan.blanks
        made = self._typed(look, parts, None, partial(worker.typed, work), blanks)
        rows_back = self._rows(made)
        files = _files(parts, rows_back, digested=True)
        place = {file.path: number for number, file in enumerate(files)}
        said = [from_frames(work, frames) for frames in _chunks(rows_back, place)]
        aside = self._fetched(made.filter("kind = 'deferred'").select(blanks.columns)).cast(blanks.schema)
        in_order = pl.col("source_file").replace_strict(place, default=None, return_dtype=pl.Int64)
        said[-1] = replace(said[-1], deferred_rows=aside.sort(in_order, "source_record"))
        rows, whole = work.merge(said, files)
        if whole.date_only != work.date_only:  # now that it is known: once more
            made.unpersist()
            return self.type_chunks(replace(work, date_only=whole.date_only), parts)
        self._blanks[look.table] = blanks
        self._kept[look.table] = made.filter("kind = 'row'").select(blanks.columns).union(self._frame(rows))
        if work.with_spans and look.table == "calls":
            names = {"provider_id": "provider_id", "call_id": "id", "call_start": "from", "call_end": "to"}
            spans = made.filter("kind = 'span'").select(*names).withColumnsRenamed(names)
            self._spans = spans.union(self._frame(whole.spans.select(names.values())))
        return whole

    def kept(self, table: str, *columns: str, **renamed: str) -> pl.DataFrame:
        """Some columns of the rows that were kept."""
        names = [*columns, *renamed.values()]
        schema = {name: self._blanks[table].schema[name] for name in names}
        return self._fetched(self._kept[table].select(*names)).cast(schema).select(*columns, **renamed)  # type: ignore[arg-type]

    def judge(self, context: Context) -> Iterator[Judged]:
        """Judge all patients, those of a part together, on as many parts at once as there are cores."""
        self._progress("judging")
        count = max(_FEWEST, sum(self._wait(rows.count) for rows in self._kept.values()) // _ROWS)
        parts = self._parted(count)
        spans = [] if self._spans is None else [self._overlapping(parts, context)]
        made = self._grouped([*parts, *spans], partial(worker.judged, self._blanks, context), TOLD)
        for first in range(0, count + 1, _AT_ONCE):
            rows = self._collected(made.filter(f"record between {first} and {first + _AT_ONCE - 1}"))
            for number in sorted({row["record"] for row in rows}):
                frames = {row["kind"]: pl.read_ipc(row["body"]) for row in rows if row["record"] == number}
                counts = dict(frames.pop("counts").iter_rows())
                absent, unmatched = counts.pop("absent"), counts.pop("unmatched")
                yield Judged(**frames, inactive=counts, absent=absent, unmatched=unmatched)

    def hold(self, frame: pl.DataFrame) -> pl.LazyFrame:
        """The frame, on the driver's disk."""
        return self._disk.hold(frame)

    def _parted(self, count: int) -> list[Any]:
        """The kept rows of every table, as structs named for it, and the part in which their patients are judged.

        Patients who share a call or a claim are judged together. Source: SPEC.md section 5, Laws.
        """
        from pyspark.sql import functions as sql

        ids = ("patient_id", "call_id", "claim_id", "original_claim_id")
        meeting = sharing({table: self.kept(table, *ids).lazy() for table in self._kept if table != "visits"})
        meets = self._frame(meeting.to_frame()).withColumn(_MEETS, sql.lit(True))
        part = sql.when(sql.col(_MEETS), count).otherwise(sql.pmod(sql.xxhash64("patient_id"), sql.lit(count)))
        return [
            rows.join(sql.broadcast(meets), "patient_id", "left").select(
                part.cast("long").alias(PART), sql.struct(*self._blanks[table].columns).alias(table)
            )
            for table, rows in self._kept.items()
        ]

    def _overlapping(self, parts: list[Any], context: Context) -> Any:
        """For every part the calls that overlap its lines' calls: they meet in the hours that both touch."""
        from pyspark.sql import functions as sql

        schema = "part long, provider_id string, `from` timestamp, `to` timestamp"
        own = self._grouped(parts, partial(worker.own_spans, self._blanks, context), schema)

        def by_hour(rows: Any) -> Any:
            first, last = (sql.floor(sql.unix_micros(at) / HOUR) for at in ("from", "to"))
            return rows.withColumn("hour", sql.explode(sql.sequence(first, last)))

        mine = by_hour(own).select("part", "provider_id", "hour").distinct()
        met = by_hour(self._spans).join(mine, ["provider_id", "hour"]).drop("hour").distinct()
        return met.select(
            sql.col("part").alias(PART), sql.struct("provider_id", "id", "from", "to").alias(worker.SPANS)
        )

    def _grouped(self, parts: list[Any], work: Callable[[Any], Any], schema: str) -> Any:
        records = reduce(lambda one, other: one.unionByName(other, allowMissingColumns=True), parts)
        # Spark looks at a function's annotations, where there are any, in a way of its own.
        made = records.groupBy(PART).applyInArrow(lambda part: work(part), schema).persist()
        if schema == TOLD:
            self._refuse(made)
        return made

    def _typed(
        self, look: KeyScan, parts: Sequence[Part], only: Sequence[str] | None, work: worker.Work, blanks: pl.DataFrame
    ) -> Any:
        """A table's files, read by Spark and given to the work chunk by chunk: rows as `blanks`, and what else is told."""
        made = []
        schema = f"{TOLD}, {worker.ddl(blanks.schema)}"
        with explained():
            for part in parts:
                if _is_parquet(part):
                    rows, read = self._rows_of(part, look, only)
                else:
                    rows = self._contents(part)
                    read = partial(worker.text_chunks, part, look.policy, look.without_billing, only)
                made.append(
                    rows.mapInArrow(partial(worker.worked, read, work, blanks.schema, worker.versions()), schema)
                )
            return reduce(lambda one, other: one.union(other), made).persist()

    def _contents(self, part: Part) -> Any:
        """Whole files that are no Parquet; what can be read only once is sent from here."""
        if part.held is None:
            return self._session.read.format("binaryFile").load(_address(part)).select("path", "content")
        part.held.seek(0)
        return self._session.createDataFrame([(str(part.path), part.held.read())], "path string, content binary")

    def _rows_of(self, part: Part, look: KeyScan, only: Sequence[str] | None) -> tuple[Any, worker.Read]:
        """A Parquet file's wanted columns, by their places, and how a worker makes chunks of them."""
        from pyspark.sql import functions as sql

        frame = self._session.read.option("mergeSchema", "true").parquet(_address(part))
        named, left_out = ingest.where(part.table, part.path), ingest.ignored(part.table, look.without_billing)
        mapped = headers.match(named, TABLES[part.table], frame.columns, look.policy, left_out)
        wanted = {name: many for name, many in mapped.positions.items() if only is None or name in only}
        quoted = [f"`{name.replace('`', '``')}`" for name in frame.columns]
        types = [kind for _, kind in frame.dtypes]
        times = [p for many in wanted.values() if len(many) > 1 for p in many if types[p].startswith("timestamp")]
        days = [sql.every(sql.col(quoted[p]) == sql.date_trunc("day", quoted[p])).alias(str(p)) for p in times]
        dates_only = self._collected(frame.select(*days))[0].asDict() if days else {}
        columns = [sql.col(quoted[p]).alias(str(p)) for p in sorted({p for many in wanted.values() for p in many})]
        place = sql.col("_metadata.file_path").alias("path"), sql.col("_metadata.row_index").alias("record")
        mapping = {name: tuple(frame.columns[p] for p in many) for name, many in mapped.positions.items()}
        return frame.select(*columns, *place), partial(
            worker.parquet_chunks, part, wanted, dates_only, worker.file_frame(mapping, mapped.unused)
        )

    def _rows(self, made: Any) -> list[Any]:
        """What the workers told beside rows. Raises what they refused."""
        self._refuse(made)
        return self._collected(made.filter("body is not null").select("kind", "file", "record", "body"))

    def _refuse(self, made: Any) -> None:
        refused = self._collected(made.filter("kind in ('refused', 'failed')").select("kind", "body"))
        if refused:
            first = min(refused, key=lambda row: row["body"])
            raise (InputRefused if first["kind"] == "refused" else SparkFailed)(bytes(first["body"]).decode())

    def _frame(self, rows: pl.DataFrame) -> Any:
        schema = worker.ddl(rows.schema)
        return self._session.createDataFrame([] if rows.is_empty() else worker.arrow(rows), schema)

    def _fetched(self, frame: Any) -> pl.DataFrame:
        with explained():
            return pl.DataFrame(pl.from_arrow(self._wait(frame.toArrow)))

    def _collected(self, frame: Any) -> list[Any]:
        with explained():
            rows: list[Any] = self._wait(frame.collect)
        return rows

    def _wait(self, call: Callable[[], Any]) -> Any:
        """Call Spark from the other thread: a signal ends the wait, where PySpark's tidying up would prolong it."""
        return self._thread.submit(call).result()


def _files(parts: Sequence[Part], rows_back: Iterable[Any], *, digested: bool) -> tuple[SourceFile, ...]:
    """The files of a table as the workers have seen them; those of this machine are digested here, if they are."""
    here = {ingest.shown(part.path): part for part in parts if not part.address}
    seen: dict[str, SourceFile] = {}
    for row in (row for row in rows_back if row["kind"] == "file"):
        pairs, path = pl.read_ipc(row["body"]), row["file"]
        mapping: dict[str, tuple[str, ...]] = {}
        for column, header in pairs.select("column", "header").iter_rows():
            mapping[column] = (*mapping.get(column, ()), header)
        unused, rows = mapping.pop("", ()), pairs["rows"][0] + (seen[path].rows if path in seen else 0)
        seen[path] = SourceFile(path, 0, "", rows, mapping, unused, Path(path), None)
    for path, part in here.items():
        with part.opened(path) as (stream, touched):
            digest, size = hashlib.sha256(), 0
            while digested and (block := stream.read(1 << 20)):
                digest.update(block)
                size += len(block)
        seen[path] = replace(seen[path], bytes=size, sha256=digest.hexdigest(), origin=part.path, signature=touched)
    return tuple(seen[path] for path in [*here, *sorted(seen.keys() - here.keys())])


def _chunks(rows_back: Iterable[Any], place: Mapping[str, int]) -> list[dict[str, pl.DataFrame]]:
    """What was told, chunk by chunk, in the order of files and records."""
    frames: dict[tuple[int, int], dict[str, pl.DataFrame]] = {}
    for row in (row for row in rows_back if row["kind"] != "file"):
        frames.setdefault((place[row["file"]], row["record"]), {})[row["kind"]] = pl.read_ipc(row["body"])
    return [frames[at] for at in sorted(frames)]


def _is_parquet(part: Part) -> bool:
    if part.address:
        return not part.address.lower().removesuffix(".gz").removesuffix(".zst").endswith((".csv", ".tsv", ".psv"))
    with part.opened(ingest.where(part.table, part.path)) as (stream, _):
        return part.held is None and stream.read(4) == b"PAR1"


def _address(part: Part) -> str:
    return part.address or part.path.absolute().as_uri()
