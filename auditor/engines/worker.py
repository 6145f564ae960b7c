"""What a worker of Spark does: batches → chunks → rows, and the records of some patients → what is found.

A worker also sends the driver frames in Arrow's format and pickled summaries of chunks, each with its kind and first record.
"""

import contextlib
import io
import os
import pickle
import resource
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl
import pyarrow as pa

import auditor
from auditor.audit_context import AuditContext
from auditor.billing.lines import bill, with_end_and_time
from auditor.errors import InputRefused, UsageError
from auditor.judging.patients import judge_patients
from auditor.policy import Policy
from auditor.prefilter.chunk_typer import ChunkTyper
from auditor.prefilter.key_scan import KeyScan
from auditor.reading import ingest, paths
from auditor.reading.dictionary import ColumnHints, from_arrow
from auditor.reading.file_facts import FileFacts
from auditor.reading.ingest import REJECT_SCHEMA, Chunk, Part, SourceFile
from auditor.reading.layout import Layout
from auditor.reading.parquet import as_text
from auditor.sources import on_spark
from auditor.windows import calls as call_windows
from auditor.windows.calls import NO_SPANS

PART, SPANS = "audit98968_part", "audit98968_spans"
MESSAGE_SCHEMA = "kind string, file string, record long, body binary"
_MESSAGE_COLUMNS = {"kind": pl.String(), "file": pl.String(), "record": pl.Int64(), "body": pl.Binary()}
_ROWS = ("row", "deferred", "span")

Read = Iterator[tuple[str, int, Chunk | SourceFile]]
"""A file, a number that grows along it, and a chunk, or what was read of the file."""
ReadChunks = Callable[[Iterable[pa.RecordBatch]], Read]
ChunkWork = Callable[[Chunk], Iterator[tuple[str, pl.DataFrame | bytes]]]
"""A chunk → frames by kind, or one pickled object."""
Piece = tuple[Part, Path]
"""A file, or some row groups of it, and its absolute path."""


def scan_chunk(scan: KeyScan, chunk: Chunk) -> Iterator[tuple[str, pl.DataFrame | bytes]]:
    """Scan the keys of a chunk."""
    ids, billed, days = scan(chunk)
    yield "row", ids.reinterpret(signed=True).to_frame("id")
    yield "row", billed
    yield "row", days.with_columns(pl.col(pl.UInt64).reinterpret(signed=True))


def type_chunk(typer: ChunkTyper, chunk: Chunk) -> Iterator[tuple[str, pl.DataFrame | bytes]]:
    """Type a chunk: rows to keep, deferred rows, spans, and the summary of all rows."""
    rows, summary = typer(chunk)
    yield "row", rows
    yield "deferred", summary.deferred_rows
    yield "span", summary.spans.rename({"id": "call_id", "from": "call_start", "to": "call_end"}, strict=False)
    rest = replace(summary, deferred_rows=summary.deferred_rows.clear(), spans=summary.spans.clear())
    yield "summary", pickle.dumps(rest)


def run_worker(
    read: ReadChunks,
    work: ChunkWork,
    schema: pl.Schema,
    driver_versions: tuple[str, ...],
    batches: Iterable[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    """Batches as Spark has read them → what the work makes of their chunks. `driver_versions`: the driver's versions."""

    def messages() -> Iterator[pl.DataFrame]:
        for file, record, item in read(batches):
            frames = work(item) if isinstance(item, Chunk) else iter([("file", pickle.dumps(item))])
            for kind, found in frames:
                if isinstance(found, pl.DataFrame) and kind in _ROWS:
                    yield found.with_columns(kind=pl.lit(kind))
                else:
                    yield _message(kind, file, record, found)

    empty = pl.DataFrame(schema={**_MESSAGE_COLUMNS, **schema})
    for frame in _guarded(messages(), driver_versions):
        yield from arrow(pl.concat([empty, frame], how="diagonal")).to_batches()


def parquet_chunks(found: Layout, dates_only: Mapping[str, bool], batches: Iterable[pa.RecordBatch]) -> Read:
    """Rows of Spark's Parquet reader: columns by their places, `path` and `record`."""
    for batch in batches:
        texts, hints = _texts(found, dates_only, pa.Table.from_batches([batch]))
        for (file,), rows in texts.group_by("source_file", maintain_order=True):
            yield from _chunks_of(found, str(file), rows["source_record"][0], rows, hints)


def empty_chunks(
    found: Layout, dates_only: Mapping[str, bool], empty: pa.Table, files: Sequence[str], _: Iterable[pa.RecordBatch]
) -> Read:
    """The same, without rows, of each file."""
    texts, hints = _texts(found, dates_only, empty)
    for file in files:
        yield from _chunks_of(found, file, 0, texts, hints)


def _texts(found: Layout, dates_only: Mapping[str, bool], table: pa.Table) -> tuple[pl.DataFrame, ColumnHints]:
    joined = {str(p) for many in found.wanted.values() if len(many) > 1 for p in many}
    frame, hints = from_arrow(table, ())
    texts = {
        name: as_text(found.where, name, pl.col(name), dtype, name in joined, pl.lit(dates_only.get(name)))
        for name, dtype in frame.drop("path", "record").schema.items()
    }
    return frame.select(**texts, source_file="path", source_record=(pl.col("record") + 1).cast(pl.UInt32)), hints


def _chunks_of(found: Layout, file: str, number: int, all_rows: pl.DataFrame, hints: ColumnHints) -> Read:
    rows, left, facts = found.records(all_rows, hints)
    left = ingest.of_canonical(left, found.wanted)
    chunk = ingest.canonical(found.where, rows, found.wanted, left)
    yield file, number, Chunk(chunk, pl.DataFrame(schema=REJECT_SCHEMA), hints=left)
    mapping = {name: tuple(found.names[p] for p in many) for name, many in found.mapped.positions.items()}
    facts += FileFacts(zoned=ingest.zoned(chunk))
    yield (
        file,
        number,
        SourceFile(file, 0, "", all_rows.height, mapping, found.unused, Path(file), None, facts, "parquet"),
    )


def text_chunks(
    part: Part, policy: Policy, without_billing: bool, only: Sequence[str] | None, batches: Iterable[pa.RecordBatch]
) -> Read:
    """Whole CSV files: `file_path` and `content`."""
    for row in (row for batch in batches for row in batch.to_pylist()):
        path = Path(row["file_path"]) if part.address else part.path
        copy = Part(part.table, path, buffer=io.BytesIO(row["content"]))
        yield from _chunks(copy, policy, without_billing, only)


def file_chunks(
    tasks: Sequence[Sequence[Piece]],
    placed: Mapping[str, str],
    policy: Policy,
    without_billing: bool,
    only: Sequence[str] | None,
    batches: Iterable[pa.RecordBatch],
) -> Read:
    """Files that every machine sees, by the numbers of tasks, read as in one process. `placed`: that of `paths`."""
    paths.also_placed(placed)
    for number in (number for batch in batches for number in batch.column(0).to_pylist()):
        for part, path in tasks[number]:
            with on_spark.opened(part, path) as stream:
                yield from _chunks(replace(part, buffer=stream), policy, without_billing, only)


def _chunks(part: Part, policy: Policy, without_billing: bool, only: Sequence[str] | None) -> Read:
    number = part.groups.start << 32 if part.groups else 0
    for item in ingest.read_part(part, policy, without_billing=without_billing, only=only):
        yield part.shown, number, item
        number += 1


def own_spans(blanks: Mapping[str, pl.DataFrame], context: AuditContext, records: pa.Table) -> pa.Table:
    """The spans of a part's lines."""
    rows = _tables(blanks, records)
    billed = bill(with_end_and_time(rows["calls"]), rows.get("claims"), context.providers, context.policy)
    own = call_windows.own_spans(billed.lines, billed.line_calls)
    return arrow(own.select(pl.lit(_part(records), pl.Int64).alias("part"), "provider_id", "from", "to"))


def judge_part(blanks: Mapping[str, pl.DataFrame], context: AuditContext, records: pa.Table) -> pa.Table:
    """What comes of a part's patients."""
    part = _part(records)

    def messages() -> Iterator[pl.DataFrame]:
        rows = {SPANS: NO_SPANS} | _tables({**blanks, SPANS: NO_SPANS}, records)
        found = judge_patients(rows["calls"], rows["visits"], rows.get("claims"), rows[SPANS], context)
        for kind in ("claims", "findings", "evidence", "outcomes", "claimed"):
            yield _message(kind, "", part, getattr(found, kind))
        counts = [*found.inactive.items(), ("unmatched", found.unmatched)]
        yield _message("counts", "", part, pl.DataFrame(counts, schema=["what", "count"], orient="row"))

    return arrow(pl.concat(_guarded(messages(), versions())))


def versions() -> tuple[str, ...]:
    """What has to be the same everywhere."""
    return f"audit98968 {auditor.__version__}", f"polars {pl.__version__}"


def arrow(frame: pl.DataFrame) -> pa.Table:
    """A frame in the types that Spark knows."""
    table = frame.to_arrow()
    schema = pa.schema([(field.name, _spark_type(field.type)) for field in table.schema])
    return table.cast(schema)


def ddl(schema: pl.Schema) -> str:
    """Spark's words for the columns of a typed table."""
    names = {pl.String: "string", pl.Date: "date", pl.Int64: "long", pl.UInt32: "long", pl.Float64: "double",
             pl.Boolean: "boolean", pl.Datetime: "timestamp", pl.List: "array<string>"}  # fmt: skip
    types = {
        name: f"decimal({dtype.precision},{dtype.scale})" if isinstance(dtype, pl.Decimal) else names[type(dtype)]
        for name, dtype in schema.items()
    }
    return ", ".join(f"`{name}` {kind}" for name, kind in types.items())


def _spark_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_large_list(kind):
        return pa.list_(_spark_type(kind.value_type))
    plain = {pa.large_string(): pa.string(), pa.string_view(): pa.string(), pa.large_binary(): pa.binary(),
             pa.binary_view(): pa.binary(), pa.uint32(): pa.int64()}  # fmt: skip
    return plain.get(kind, kind)


def _message(kind: str, file: str, record: int, found: pl.DataFrame | bytes) -> pl.DataFrame:
    if isinstance(found, pl.DataFrame):
        stream = io.BytesIO()
        found.write_ipc(stream, compression="lz4")
        found = stream.getvalue()
    return pl.DataFrame([(kind, file, record, found)], schema=_MESSAGE_COLUMNS, orient="row")


def _part(records: pa.Table) -> int:
    return int(records[PART][0].as_py())


def _tables(blanks: Mapping[str, pl.DataFrame], records: pa.Table) -> dict[str, pl.DataFrame]:
    """The records of a part, table by table; none of a table that was not given."""
    frame = pl.DataFrame(pl.from_arrow(records))
    return {
        name: frame.filter(pl.col(name).is_not_null()).select(name).unnest(name).cast(rows.schema).select(rows.columns)
        if name in frame.columns
        else rows.clear()
        for name, rows in blanks.items()
    }  # fmt: skip


def _guarded(frames: Iterable[pl.DataFrame], driver_versions: tuple[str, ...]) -> Iterator[pl.DataFrame]:
    """Send errors to the driver, without the data that they may quote."""
    with contextlib.suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), 2)  # no library's last words come into a worker's log
    reason = failure = None
    try:
        if driver_versions != versions():
            worker, driver = ", ".join(versions()), ", ".join(driver_versions)
            failure = f"a worker has {worker}, the driver {driver}; install the same everywhere"
        else:
            yield from frames
    except (InputRefused, UsageError) as refusal:
        reason = str(refusal)
    except (Exception, pl.exceptions.PanicException) as error:
        at = traceback.extract_tb(error.__traceback__)[-1]
        failure = f"internal error ({type(error).__name__}, {Path(at.filename).name}:{at.lineno}) in a worker of Spark"
    for kind, text in (("refused", reason), ("failed", failure)):
        if text:
            yield pl.DataFrame([(kind, "", 0, text.encode())], schema=_MESSAGE_COLUMNS, orient="row")
