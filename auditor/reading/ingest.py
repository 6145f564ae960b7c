"""Files → chunks of each table: canonical columns as text, each row with its file and record number.

Parquet keeps its dates and times; all else becomes text.

Source: docs/specification.md#files.
"""

import contextlib
import hashlib
import io
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import polars as pl

from auditor.errors import InputRefused
from auditor.policy import Policy
from auditor.reading import csv as csvfile
from auditor.reading import headers
from auditor.reading import parquet as parquetfile
from auditor.reading.decoding import Source
from auditor.reading.dictionary import NO_HINTS, ColumnHints
from auditor.reading.file_facts import FileFacts
from auditor.reading.files import Signature, buffered, opened, signature
from auditor.reading.files import shown as shown
from auditor.reading.files import where as where
from auditor.reading.kinds import Location
from auditor.reading.layout import Layout, layout
from auditor.reading.path_columns import of_path
from auditor.schema.tables import TABLES, Kind, TableSpec, fold

PARQUET = b"PAR1", parquetfile.ENCRYPTED
"""How Parquet files begin."""
_LONGEST = 1_000_000
"""Bytes of a cell."""
CELL = 8
"""Bytes of a cell of a Parquet file, at least, once it is read."""


@dataclass(frozen=True)
class Staged:
    """What the Parquet file of a staged source holds: its bytes there, and the digest of its rows as read.

    `understood`: how the source was read.
    """

    location: Location
    bytes: int
    sha256: str
    understood: tuple[str, ...] = ()


@dataclass
class Part:
    """A file of a table. `address`: where it is not on this machine. `buffer`: all of what can be read only once.

    `staged`: what the file holds that the program wrote itself, of a source of another kind. `groups`: the row groups of a
    Parquet file that are read (None: all). `held`: what was made of it and of the small files after it.
    """

    table: str
    path: Path
    address: str = ""
    buffer: BinaryIO | None = None
    staged: Staged | None = None
    groups: range | None = None
    held: Sequence["Chunk | SourceFile"] | None = None

    @property
    def origin(self) -> Path:
        """Where the user has it."""
        return self.staged.location.path if self.staged else self.path

    @property
    def shown(self) -> str:
        """How reports name it."""
        return self.staged.location.shown if self.staged else shown(self.path)

    @property
    def where(self) -> str:
        """How messages about it begin."""
        return f"{self.table}: {self.shown}" if self.staged else where(self.table, self.path)

    @contextlib.contextmanager
    def opened(self, source_name: str) -> Iterator[tuple[BinaryIO, Signature | None]]:
        """As `files.opened`; can be called again."""
        if not self.buffer and (copy := buffered(source_name, self.path)):
            weakref.finalize(self, copy.close)
            self.buffer = copy
        if self.buffer:
            self.buffer.seek(0)
            yield self.buffer, None
        else:
            with opened(source_name, self.path) as found:
                yield found


Parts = Mapping[str, tuple[list[Part], tuple[str, ...]]]
"""Each table's files, in order, and warnings."""


@dataclass(frozen=True)
class Chunk:
    """Some records. `frame` has the existing canonical columns, `source_file` and `source_record`.

    `malformed`: REJECT_SCHEMA, the records that do not fit the header. `share`: how much of the file is read with it, about.
    `hints` of the columns: those that repeat a few texts are dictionary-encoded, and hold each row's place among them.
    """

    frame: pl.DataFrame
    malformed: pl.DataFrame
    share: float = 0.0
    hints: ColumnHints = NO_HINTS

    def written(self, mask: pl.Series | None = None) -> pl.DataFrame:
        """The rows, or those that the mask picks, with every column as it is written."""
        frame = self.frame if mask is None else self.frame.filter(mask)
        return frame.with_columns(texts.gather(frame[name]).alias(name) for name, texts in self.hints.texts.items())


@dataclass(frozen=True)
class SourceFile:
    """One input file as it was read. `signature` tells whether it was touched since; None for what is read once only.

    `kind`: csv, parquet, or that of the source. `understood`: how the source was read.
    """

    path: str
    bytes: int
    sha256: str
    rows: int
    mapping: dict[str, tuple[str, ...]]
    unused: tuple[str, ...]
    origin: Path
    signature: Signature | None
    facts: FileFacts = field(default_factory=FileFacts)
    kind: str = ""
    understood: tuple[str, ...] = ()

    @property
    def records(self) -> int:
        """The rows that are used or rejected."""
        return self.rows - self.facts.left_out


@dataclass(frozen=True)
class Extract:
    """One table as read. `frame` has the existing canonical columns, `source_file` and `source_record`.

    `rejects` has source_file, source_record, column, reason and patient_id (null: unreadable).
    """

    spec: TableSpec
    files: tuple[SourceFile, ...]
    frame: pl.DataFrame
    rejects: pl.DataFrame
    warnings: tuple[str, ...] = ()


RECORD = "audit98968_record"
"""The column of a staged source's file that numbers its records."""
SOURCE_SCHEMA = {"source_file": pl.String(), "source_record": pl.UInt32()}
REJECT_SCHEMA = {**SOURCE_SCHEMA, "column": pl.String(),
                 "reason": pl.String(), "patient_id": pl.String()}  # fmt: skip
NO_REJECTS = pl.DataFrame(schema=REJECT_SCHEMA)


def read_part(
    part: Part,
    policy: Policy,
    *,
    without_billing: bool = False,
    only: Collection[str] | None = None,
    chunk_bytes: int = csvfile.CHUNK,
) -> Iterator[Chunk | SourceFile]:
    """The chunks of a file in record order, at least one, all with the same columns, and last the file.

    `without_billing` leaves out the calls' columns that a claims table replaces; `only` all but these canonical columns,
    and then the file's size and digest too. `chunk_bytes`: text in a chunk of a CSV file.

    Raises InputRefused for files that cannot be read or lack a required column.
    """
    source_name, path = part.where, part.shown
    ignored_columns = ignored(part.table, without_billing)
    rows, facts = 0, FileFacts()
    whole_file = only is None and part.groups is None
    try:
        with part.opened(source_name) as (stream, touched):
            whole = stream.seek(0, io.SEEK_END) or 1
            stream.seek(0)
            source = Source(source_name, stream, digested=whole_file, expansion=policy.max_expansion)
            is_parquet = source.head in PARQUET
            reading = _parquet if is_parquet else _csv
            columns, frames = reading(source_name, part, source, policy, ignored_columns, chunk_bytes, only)
            wanted = columns.wanted
            for all_rows, hints, reasons in frames:
                rows += all_rows.height + len(reasons)
                wide, hints, found = columns.records(all_rows, hints)
                placed = wide.with_columns(source_record="record", source_file=pl.lit(path))
                hints = of_canonical(hints, wanted)
                frame = canonical(source_name, placed, wanted, hints)
                facts = facts + found + FileFacts(zoned=zoned(frame))
                malformed = [(path, record, "", reason, None) for record, reason in reasons.items()]
                rejects = pl.DataFrame(malformed, schema=REJECT_SCHEMA, orient="row") if malformed else NO_REJECTS
                yield Chunk(frame, rejects, stream.tell() / whole, hints)
            size, digest = source.finish() if whole_file else (0, "")
    except MemoryError:
        problem = "there is not enough memory to read it; export it in several files or as Parquet"
        raise InputRefused(f"{source_name}: {problem}") from None
    file = source_file(part, columns, (size, digest), rows, touched, facts, is_parquet=is_parquet)
    if not (staged := part.staged):
        yield file
        return
    kind = staged.location.kind.name
    yield replace(
        file, bytes=staged.bytes, sha256=staged.sha256, signature=None, kind=kind, understood=staged.understood
    )


def source_file(
    part: Part,
    columns: Layout,
    size_and_digest: tuple[int, str],
    rows: int,
    touched: Signature | None,
    facts: FileFacts,
    *,
    is_parquet: bool,
) -> SourceFile:
    """A file that was read to its end. `touched`: its signature from before."""
    mapping = {column: tuple(columns.names[p] for p in many) for column, many in columns.mapped.positions.items()}
    kind = "parquet" if is_parquet else "csv"
    return SourceFile(
        part.shown, *size_and_digest, rows, mapping, columns.unused, part.origin, touched, facts, kind=kind
    )


Only = Collection[str] | None


_Opened = tuple[Layout, Iterator[csvfile.Columns]]
"""What the columns are for, and those that are read."""


def zoned(frame: pl.DataFrame) -> dict[str, bool]:
    """Whether the columns of instants have a zone, of those that are no text."""
    return {name: bool(dtype.time_zone) for name, dtype in frame.schema.items() if isinstance(dtype, pl.Datetime)}


def open_csv(part: Part, source: Source, policy: Policy, chunk: int = csvfile.CHUNK) -> csvfile.CsvText:
    """The text and headers of a CSV file. `chunk`: bytes of text in a chunk. Raises InputRefused."""
    return csvfile.open_text(part.where, source, policy.encoding, chunk, policy.rows_above(part.table))


def open_parquet(part: Part, source: Source, _: Policy) -> parquetfile.Headers:
    """What the footer of a Parquet file says. Raises InputRefused for encrypted files, and those that hold too much."""
    parquetfile.refuse_encrypted(part.where, source.stream)
    footer = parquetfile.headers(part.where, source.stream)
    if not part.staged:
        source.require_size(len(footer.headers) * sum(footer.rows) * CELL, source.stream.seek(0, io.SEEK_END))
    return footer


def _csv(
    source_name: str, part: Part, source: Source, policy: Policy, ignored: frozenset[str], chunk: int, only: Only
) -> _Opened:
    table, path = part.table, of_path(part.origin)
    text = open_csv(part, source, policy, chunk)
    try:
        found = layout(source_name, table, policy, text.headers, path, ignored, only)
    except InputRefused as refusal:
        above = csvfile.lines_above(text, lambda row: headers.fits(TABLES[table], [*row, *path], policy))
        if above is None or above == policy.rows_above(table):
            raise
        raise InputRefused(
            f"{source_name}: the header is in line {above + 1}, below other lines; set this in the policy: "
            f"[skip_rows] {table} = {above}"
        ) from refusal
    return found, csvfile.read_columns(text, found.read, _repeating(table, found))


def _parquet(
    source_name: str, part: Part, source: Source, policy: Policy, ignored: frozenset[str], _: int, only: Only
) -> _Opened:
    footer = open_parquet(part, source, policy)
    found = layout(
        source_name, part.table, policy, tuple(name for name in footer.headers if name != RECORD), of_path(part.origin),
        ignored, only, lambda at: at >= len(footer.headers) or footer.headers[at] not in footer.odd,
    )  # fmt: skip
    first = 1 + sum(footer.rows[: part.groups.start] if part.groups else ())
    return found, _numbered(source, found, footer, first, part.groups)


def in_utc(found: Layout, footer: parquetfile.Headers) -> frozenset[str]:
    """The columns with the form INT96 that are in UTC. Raises InputRefused where nothing says in which zone they are."""
    for column, many in found.mapped.positions.items():
        for name in (found.names[place] for place in many):
            if name in footer.int96 and not footer.by_spark and not found.policy.has_zone(found.table, column):
                raise InputRefused(
                    f"{found.where}: the column {name!r} has times in the form INT96, which some programs write in UTC and "
                    f'some in local time; say which in the policy: [timezones] "{found.table}.{column}" = "UTC"'
                )
    return footer.int96 if footer.by_spark else frozenset()


def _numbered(
    source: Source, found: Layout, footer: parquetfile.Headers, record: int, groups: range | None
) -> Iterator[csvfile.Columns]:
    """`record`: the first one's number, unless the file itself numbers its records."""
    names, own, utc = found.names, RECORD in footer.headers, in_utc(found, footer)
    joined = {names[position] for many in found.mapped.positions.values() if len(many) > 1 for position in many}
    repeating = {names[position] for position in _repeating(found.table, found)}
    columns = [names[position] for position in found.read] + [RECORD] * own
    for frame, hints in parquetfile.read_columns(
        found.where, source.stream, columns, joined & set(columns), repeating, in_utc=utc, groups=groups,
        metadata=footer.metadata,
    ):  # fmt: skip
        at = dict(zip([*map(str, found.read), *["record"] * own], frame.columns, strict=True))
        rows = pl.DataFrame({new: frame[old] for new, old in at.items()})
        if own:
            rows = rows.select(pl.col("record").cast(pl.UInt32), pl.exclude("record"))
            del at["record"]
        else:
            rows = rows.with_row_index("record", offset=record)
        yield rows, hints.renamed(at), {}
        record += frame.height
    source.rewind()


def _repeating(table: str, found: Layout) -> list[int]:
    """Places of the columns that may be dictionary-encoded: none joined, no instant, no time of day, no key, no patient."""
    spec = TABLES[table]
    return [
        many[0]
        for name, many in found.wanted.items()
        if len(many) == 1
        and many[0] not in found.in_path
        and name not in (*spec.key, "patient_id")
        and spec.columns[name].kind not in (Kind.INSTANT, Kind.DATE, Kind.CLOCK)
    ]


def canonical(
    source_name: str, frame: pl.DataFrame, wanted: Mapping[str, tuple[int, ...]], hints: ColumnHints
) -> pl.DataFrame:
    """Columns known by their places → the canonical ones, with each row's place. Raises InputRefused for endless cells.

    `hints`: the canonical ones.
    """
    columns = [_join([pl.col(str(p)) for p in many]).alias(name) for name, many in wanted.items()]
    frame = frame.select(*columns, "source_record", "source_file")
    _check_lengths(source_name, frame, hints.texts)
    return frame


def of_canonical(hints: ColumnHints, wanted: Mapping[str, tuple[int, ...]]) -> ColumnHints:
    """What is known of columns that are known by their places → the same of the canonical ones."""
    return hints.renamed({name: str(many[0]) for name, many in wanted.items() if len(many) == 1})


def ignored(table: str, without_billing: bool) -> frozenset[str]:
    """The columns of a table that a claims table replaces, if there is one."""
    columns = TABLES[table].columns.values()
    return frozenset(column.name for column in columns if column.billing and without_billing)


def _check_lengths(where: str, frame: pl.DataFrame, encoded: Mapping[str, pl.Series]) -> None:
    """Refuse cells of a size that no export means: reading a value out of one takes minutes."""
    if frame.estimated_size() + sum(texts.estimated_size() for texts in encoded.values()) <= _LONGEST:  # of all cells
        return
    texts = pl.selectors.string() - pl.selectors.by_name("source_file")
    lengths = frame.select(texts.str.len_bytes().max()).row(0, named=True)
    if encoded and (pl.concat(encoded.values()).str.len_bytes().max() or 0) > _LONGEST:  # type: ignore[operator]
        lengths |= {name: different.str.len_bytes().max() for name, different in encoded.items()}
    for column, size in lengths.items():
        if size is not None and size > _LONGEST:
            cells = encoded[column].gather(frame[column]) if column in encoded else frame[column]
            record = frame.filter(cells.str.len_bytes() == size)["source_record"][0]
            raise InputRefused(
                f"{where}, record {record}: {column} is longer than {_LONGEST:,} bytes; "
                "correct that record or export the file again"
            )


def check_mapping(name: str, files: Sequence[SourceFile], policy: Policy, *, without_billing: bool = False) -> None:
    """Refuse a policy that maps columns which none of a table's files has."""
    ignored_columns = ignored(name, without_billing)
    headers_found = {fold(header) for file in files for header in _all_headers(file)}
    missing = [
        f"{column} = {source!r}"
        for column in TABLES[name].columns
        for source in policy.sources_of(name, column)
        if column not in ignored_columns and fold(source) not in headers_found and policy.must_have(name, column)
    ]
    if missing:
        raise InputRefused(
            f"{name}: the policy maps columns that are in no file: {', '.join(missing)}; "
            f"the last file has: {headers.shown(_all_headers(files[-1]), policy)}; correct [columns.{name}] in the policy"
        )


def _all_headers(file: SourceFile) -> list[str]:
    return [*(name for names in file.mapping.values() for name in names), *file.unused]


def signed_at_first(files: Sequence[SourceFile], first: Sequence[SourceFile]) -> tuple[SourceFile, ...]:
    """Files that were read twice, with the signatures from before they were read first."""
    return tuple(replace(file, signature=before.signature) for file, before in zip(files, first, strict=True))


def confirm(name: str, file: SourceFile) -> None:
    """Refuse a file that is no longer what was read, as after an export that was still being written."""
    if file.signature is None:
        return
    source_name = where(name, file.origin)
    try:
        if signature(file.origin.stat()) == file.signature:
            return
        with file.origin.open("rb") as stream:
            same = hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256
    except OSError as error:
        raise InputRefused(
            f"{source_name}: the file is gone since it was read ({error.strerror}); run again when the export is finished"
        ) from None
    if not same:
        raise InputRefused(f"{source_name}: the file changed since it was read; run again when the export is finished")


def _join(parts: list[pl.Expr]) -> pl.Expr:
    """Several source columns, joined with a space; blank parts leave no space."""
    if len(parts) == 1:
        return parts[0]
    trimmed = [part.str.strip_chars() for part in parts]
    return pl.concat_str([pl.when(part != "").then(part) for part in trimmed], separator=" ", ignore_nulls=True)


def stack(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Files of one table under each other; where their types differ, they become text."""
    dtypes: dict[str, set[pl.DataType]] = {}
    for frame in frames:
        for name, dtype in frame.schema.items():
            dtypes.setdefault(name, set()).add(dtype)
    mixed = {name for name, kinds in dtypes.items() if len(kinds) > 1}
    alike = [frame.with_columns(written_out(name, frame.schema[name]) for name in mixed & {*frame.columns})
             for frame in frames]  # fmt: skip
    return pl.concat(alike, how="diagonal")


def written_out(name: str, dtype: pl.DataType) -> pl.Expr:
    """A column of a chunk as text, whatever it is."""
    if isinstance(dtype, pl.Datetime):
        return pl.col(name).dt.to_string(f"%Y-%m-%d %H:%M:%S%.f{'%:z' if dtype.time_zone else ''}")
    return pl.col(name).cast(pl.String)
