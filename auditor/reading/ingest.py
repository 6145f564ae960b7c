"""Files → chunks of each table: canonical columns as text, each row with its file and record number.

Parquet keeps its dates and times; all else becomes text. Source: SPEC.md section 2.
"""

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from auditor.errors import InputRefused
from auditor.policy import Policy
from auditor.reading import csv as csvfile
from auditor.reading import headers
from auditor.reading import parquet as parquetfile
from auditor.reading.decoding import Source
from auditor.reading.files import Signature, expand, opened, shown, signature, where
from auditor.schema.tables import TABLES, Kind, TableSpec, fold

__all__ = ["REJECT_SCHEMA", "Chunk", "Extract", "Part", "SourceFile", "check_mapping", "confirm", "expand", "parts",
           "read_part", "read_table", "shown", "stack", "where"]  # fmt: skip

_PARQUET = b"PAR1"
_LONGEST = 1_000_000
"""Bytes of a cell."""


@dataclass(frozen=True)
class Part:
    """What is read at a time: a file, or Parquet row groups from `groups[0]` to before `groups[1]`.

    `number`: the file's place among the table's files, from 0. `first_record`: the number of the first record in it.
    """

    table: str
    path: Path
    number: int
    groups: tuple[int, int] | None = None
    first_record: int = 1

    def __str__(self) -> str:
        """What progress lines call it."""
        return self.table


@dataclass(frozen=True)
class Chunk:
    """Some records. `frame` has the existing canonical columns, `source_file` and `source_record`.

    Text columns that repeat a few values may be Categorical. `lost`: REJECT_SCHEMA, the records that do not fit the header.
    """

    frame: pl.DataFrame
    lost: pl.DataFrame


@dataclass(frozen=True)
class SourceFile:
    """One input file as it was read. `signature` tells whether it was touched since; None for what is read once only."""

    path: str
    bytes: int
    sha256: str
    rows: int
    mapping: dict[str, tuple[str, ...]]
    unused: tuple[str, ...]
    origin: Path
    signature: Signature | None


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


REJECT_SCHEMA = {
    "source_file": pl.String(),
    "source_record": pl.UInt32(),
    "column": pl.String(),
    "reason": pl.String(),
    "patient_id": pl.String(),
}


def parts(name: str, paths: Sequence[str], *, split_rows: int | None = None) -> tuple[list[Part], tuple[str, ...]]:
    """The parts that a table's files are read in, in order, and warnings about what was left alone.

    `split_rows`: rows, about, of the parts that a regular Parquet file is cut into; None leaves every file whole. Raises
    InputRefused for paths that lead nowhere.
    """
    found = expand(name, paths)
    made = []
    for number, path in enumerate(found.paths):
        whole = Part(name, path, number)
        made += [whole] if split_rows is None else _split(whole, split_rows)
    warnings = (f"{name}: {found.strays} files of other kinds in the folder were left alone",) if found.strays else ()
    return made, warnings


def _split(part: Part, split_rows: int) -> list[Part]:
    """Parts of whole row groups. What cannot be opened stays whole: reading it says why."""
    try:
        if not stat.S_ISREG(part.path.stat().st_mode):
            return [part]
        with part.path.open("rb") as stream:
            if stream.read(4) != _PARQUET:
                return [part]
            with parquetfile.opened("", stream) as file:
                groups = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
    except (OSError, InputRefused):
        return [part]
    made: list[Part] = []
    first, record, rows = 0, 1, 0
    for number, count in enumerate(groups):
        if rows and rows + count > split_rows:
            made.append(replace(part, groups=(first, number), first_record=record))
            first, record, rows = number, record + rows, 0
        rows += count
    return [*made, replace(part, groups=(first, len(groups)), first_record=record)] if made else [part]


def read_part(
    part: Part, policy: Policy, *, without_billing: bool = False, chunk_bytes: int = csvfile.CHUNK
) -> Iterator[Chunk | SourceFile]:
    """The chunks of a part in record order, at least one, all with the same columns, and last its file.

    `without_billing` leaves out the calls' columns that a claims table replaces. `chunk_bytes`: text in a chunk of a CSV
    file. The file's rows are those of the part; its digest is blank in all parts but the first. Raises InputRefused for
    files that cannot be read or lack a required column.
    """
    named, path = where(part.table, part.path), shown(part.path)
    ignored = _ignored(part.table, without_billing)
    rows = 0
    try:
        with opened(named, part.path) as (stream, touched):
            source = Source(named, stream)
            reading = _parquet if source.head == _PARQUET else _csv
            names, mapped, frames = reading(named, part, source, policy, ignored, chunk_bytes)
            columns = [_join([pl.col(str(p)) for p in many]).alias(name) for name, many in mapped.positions.items()]
            for wide, reasons in frames:
                frame = wide.select(*columns, source_record=pl.col("record"), source_file=pl.lit(path))
                _check_lengths(named, frame)
                lost = [(path, record, "", reason, None) for record, reason in reasons.items()]
                rows += frame.height + len(lost)
                yield Chunk(frame, pl.DataFrame(lost, schema=REJECT_SCHEMA, orient="row"))
            size, digest = source.finish() if part.first_record == 1 else (os.fstat(stream.fileno()).st_size, "")
    except MemoryError:
        raise InputRefused(
            f"{named}: there is not enough memory to read it; export it in several files or as Parquet"
        ) from None
    mapping = {column: tuple(names[p] for p in many) for column, many in mapped.positions.items()}
    yield SourceFile(path, size, digest, rows, mapping, mapped.unused, part.path, touched)


_Opened = tuple[Sequence[str], headers.HeaderMap, Iterator[csvfile.Columns]]
"""The headers, what they mean, and the wanted columns."""


def _csv(named: str, part: Part, source: Source, policy: Policy, ignored: frozenset[str], chunk: int) -> _Opened:
    text = csvfile.open_text(named, source, policy.encoding, chunk)
    mapped = headers.match(named, TABLES[part.table], text.headers, policy, ignored)
    return text.headers, mapped, csvfile.read_columns(text, _wanted(mapped), _repeating(part, mapped))


def _parquet(named: str, part: Part, source: Source, policy: Policy, ignored: frozenset[str], _: int) -> _Opened:
    source.hold()
    names = parquetfile.headers(named, source.stream)
    mapped = headers.match(named, TABLES[part.table], names, policy, ignored)
    return names, mapped, _numbered(named, part, source, names, mapped)


def _numbered(
    named: str, part: Part, source: Source, names: Sequence[str], mapped: headers.HeaderMap
) -> Iterator[csvfile.Columns]:
    wanted = _wanted(mapped)
    joined = {names[position] for many in mapped.positions.values() if len(many) > 1 for position in many}
    repeating = {names[position] for position in _repeating(part, mapped)}
    record = part.first_record
    columns = [names[position] for position in wanted]
    for frame in parquetfile.read_columns(named, source.stream, columns, joined, repeating, part.groups):
        frame.columns = [str(position) for position in wanted]
        yield frame.with_row_index("record", offset=record), {}
        record += frame.height
    source.rewind()


def _wanted(mapped: headers.HeaderMap) -> list[int]:
    return sorted({position for many in mapped.positions.values() for position in many})


def _repeating(part: Part, mapped: headers.HeaderMap) -> list[int]:
    """Places of the columns that may be Categorical: none joined, no instant, no key, no patient."""
    spec = TABLES[part.table]
    return [
        many[0]
        for name, many in mapped.positions.items()
        if len(many) == 1
        and name not in (*spec.key, "patient_id")
        and spec.columns[name].kind not in (Kind.INSTANT, Kind.DATE)
    ]


def _ignored(table: str, without_billing: bool) -> frozenset[str]:
    columns = TABLES[table].columns.values()
    return frozenset(column.name for column in columns if column.billing and without_billing)


def _check_lengths(where: str, frame: pl.DataFrame) -> None:
    """Refuse cells of a size that no export means: reading a value out of one takes minutes."""
    texts, repeating = pl.selectors.string() - pl.selectors.by_name("source_file"), pl.selectors.categorical()
    sizes = (texts.str.len_bytes().max(), repeating.cat.len_bytes().max())
    for column, size in frame.select(sizes).row(0, named=True).items():
        if size is not None and size > _LONGEST:
            long = pl.col(column).cast(pl.String).str.len_bytes() == size
            record = frame.filter(long)["source_record"][0]
            raise InputRefused(
                f"{where}, record {record}: {column} is longer than {_LONGEST:,} bytes; "
                "correct that record or export the file again"
            )


def check_mapping(name: str, files: Sequence[SourceFile], policy: Policy, *, without_billing: bool = False) -> None:
    """Refuse a policy that maps columns which none of a table's files has."""
    ignored = _ignored(name, without_billing)
    seen = {fold(header) for file in files for header in _all_headers(file)}
    missing = [
        f"{column} = {source!r}"
        for column in TABLES[name].columns
        for source in policy.sources_of(name, column)
        if column not in ignored and fold(source) not in seen
    ]
    if missing:
        raise InputRefused(
            f"{name}: the policy maps columns that no file has: {', '.join(missing)}; "
            f"the last file has: {headers.shown(_all_headers(files[-1]))}; correct [columns.{name}] in the policy"
        )


def _all_headers(file: SourceFile) -> list[str]:
    return [*(name for names in file.mapping.values() for name in names), *file.unused]


def read_table(name: str, paths: Sequence[str], policy: Policy, *, without_billing: bool = False) -> Extract:
    """Read every file of a table. `without_billing` leaves out the calls' columns that a claims table replaces.

    Raises InputRefused for files that cannot be read or lack a required column.
    """
    found, warnings = parts(name, paths)
    read = [item for part in found for item in read_part(part, policy, without_billing=without_billing)]
    files = tuple(item for item in read if isinstance(item, SourceFile))
    chunks = [item for item in read if isinstance(item, Chunk)]
    check_mapping(name, files, policy, without_billing=without_billing)
    frame = stack([chunk.frame for chunk in chunks])
    return Extract(TABLES[name], files, frame, pl.concat(chunk.lost for chunk in chunks), warnings)


def confirm(name: str, file: SourceFile) -> None:
    """Refuse a file that is no longer what was read, as after an export that was still being written."""
    if file.signature is None:
        return
    named = where(name, file.origin)
    try:
        if signature(file.origin.stat()) == file.signature:
            return
        with file.origin.open("rb") as stream:
            same = hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256
    except OSError as error:
        raise InputRefused(
            f"{named}: gone since it was read ({error.strerror}); run again when the export is finished"
        ) from None
    if not same:
        raise InputRefused(f"{named}: changed since it was read; run again when the export is finished")


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
    mixed = [name for name, kinds in dtypes.items() if len(kinds) > 1]
    return pl.concat([frame.with_columns(_written(frame, mixed)) for frame in frames], how="diagonal")


def _written(frame: pl.DataFrame, names: list[str]) -> list[pl.Expr]:
    formats = []
    for name in names:
        dtype = frame.schema.get(name)
        if isinstance(dtype, pl.Datetime):
            form = "%Y-%m-%d %H:%M:%S%.f%:z" if dtype.time_zone else "%Y-%m-%d %H:%M:%S%.f"
            formats.append(pl.col(name).dt.to_string(form))
        elif dtype == pl.Date:
            formats.append(pl.col(name).dt.to_string("%Y-%m-%d"))
        elif dtype == pl.Categorical:
            formats.append(pl.col(name).cast(pl.String))
    return formats
