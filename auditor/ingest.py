"""Files → one frame per table: canonical columns as text, each row with its file and record number.

Parquet keeps its dates and times; all else becomes text. Source: SPEC.md section 2.
"""

import contextlib
import glob
import hashlib
import io
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from auditor import csvfile, headers
from auditor.errors import InputRefused
from auditor.policy import Policy
from auditor.tables import TABLES, TableSpec, fold

_SUFFIXES = (".csv", ".tsv", ".psv", ".parquet", ".pq")
_COMPRESSED = (".gz", ".zst")


_LONGEST = 1_000_000
"""Bytes of a cell."""

Signature = tuple[int, int, int, int]


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


@dataclass
class _Found:
    paths: list[Path] = field(default_factory=list)
    strays: int = 0

    def add(self, name: str, path: Path) -> None:
        """A file as it is, or the data files below a folder; links to folders and hidden entries stay out."""
        if not os.path.isdir(path):  # noqa: PTH112 (a closed folder on the way raises nothing)
            self.paths.append(path)
            return
        data, strays = _inside(name, path)
        self.strays += strays
        if not data:
            raise InputRefused(
                f"{name}: {shown(path)}: no CSV or Parquet file in this folder; name the files themselves"
            )
        self.paths += data


def _inside(name: str, folder: Path) -> tuple[list[Path], int]:
    """The data files below a folder, sorted, and the number of other entries. What cannot be looked at is no stray."""

    def refuse(error: OSError) -> None:
        where = shown(Path(error.filename or folder))
        raise InputRefused(f"{name}: {where}: cannot be read ({error.strerror}); check the permissions and links")

    data, strays = [], 0
    for at, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(entry for entry in folders if not entry.startswith("."))
        strays += sum((Path(at) / entry).is_symlink() for entry in folders)
        for entry in (Path(at) / file for file in files if not file.startswith(".")):
            try:
                regular = _is_data(entry) and stat.S_ISREG(entry.stat().st_mode)
            except OSError as error:
                refuse(error)
            data += [entry] * regular
            strays += not regular
    return sorted(data), strays


def read_table(name: str, paths: Sequence[str], policy: Policy, *, without_billing: bool = False) -> Extract:
    """Read every file of a table. `without_billing` leaves out the calls' columns that a claims table replaces.

    Raises InputRefused for files that cannot be read or lack a required column.
    """
    spec = TABLES[name]
    ignored = frozenset(column.name for column in spec.columns.values() if column.billing and without_billing)
    found = expand(name, paths)
    frames, rejects, files = [], [], []
    for path in found.paths:
        frame, lost, source = _read_file(where(name, path), path, spec, policy, ignored)
        frames.append(frame.with_columns(source_file=pl.lit(source.path)))
        files.append(source)
        rows = [(source.path, record, "", reason, None) for record, reason in lost.items()]
        rejects.append(pl.DataFrame(rows, schema=REJECT_SCHEMA, orient="row"))
    seen = {fold(header) for file in files for header in _all_headers(file)}
    missing = [
        f"{column} = {source!r}"
        for column in spec.columns
        for source in policy.sources_of(name, column)
        if column not in ignored and fold(source) not in seen
    ]
    if missing:
        raise InputRefused(
            f"{name}: the policy maps columns that no file has: {', '.join(missing)}; "
            f"the last file has: {headers.shown(_all_headers(files[-1]))}; correct [columns.{name}] in the policy"
        )
    warnings = (f"{name}: {found.strays} files of other kinds in the folder were left alone",) if found.strays else ()
    return Extract(spec, tuple(files), _stack(frames), pl.concat(rejects), warnings)


def _all_headers(file: SourceFile) -> list[str]:
    return [*(name for names in file.mapping.values() for name in names), *file.unused]


def expand(name: str, paths: Sequence[str]) -> _Found:
    """Files, globs and directories → files, sorted, each once."""
    found = _Found()
    for text in paths:
        if text == "-":
            found.paths.append(Path(text))
            continue
        matches = [text] if os.path.lexists(text) else sorted(_matches(text))
        if not matches:
            raise InputRefused(f"{name}: {shown(text)}: no such file; check the path and its permissions")
        for path in map(Path, matches):
            found.add(name, path)
    unique = {os.path.realpath(path): path for path in reversed(found.paths)}
    found.paths = list(reversed(unique.values()))
    return found


def _matches(pattern: str) -> list[str]:
    """What a glob stands for. `**` follows no links to folders: two that lead in a circle would have no end."""
    if "**" not in pattern:
        return glob.glob(pattern)  # noqa: PTH207 (absolute)
    root, given = Path(Path(pattern).anchor), Path(pattern).parts
    found = root.glob(str(Path(pattern).relative_to(root)))
    hidden = [part for part in given if part.startswith(".")]
    return [
        str(path)
        for path in found
        if not path.is_dir() and not any(part.startswith(".") and part not in hidden for part in path.parts)
    ]


def _is_data(path: Path) -> bool:
    name = path.name.lower()
    for suffix in _COMPRESSED:
        name = name.removesuffix(suffix)
    return name.endswith(_SUFFIXES)


def _read_file(
    named: str, path: Path, spec: TableSpec, policy: Policy, ignored: frozenset[str]
) -> tuple[pl.DataFrame, dict[int, str], SourceFile]:
    raw, signature = read_bytes(named, path)
    digest = hashlib.sha256(raw).hexdigest()
    try:
        if raw[:4] == b"PAR1":
            names, frame, lost, mapped = _parquet(named, raw, spec, policy, ignored)
        else:
            text = csvfile.open_text(named, raw, policy.encoding)
            mapped = headers.match(named, spec, text.headers, policy, ignored)
            names = text.headers
            positions = sorted({position for many in mapped.positions.values() for position in many})
            frame, lost = csvfile.read_columns(named, text, positions)
    except MemoryError:
        raise _too_large(named) from None
    columns = [_join([pl.col(str(p)) for p in many]).alias(column) for column, many in mapped.positions.items()]
    frame = frame.select(*columns, pl.col("record").alias("source_record"))
    _check_lengths(named, frame)
    mapping = {column: tuple(names[p] for p in many) for column, many in mapped.positions.items()}
    rows = frame.height + len(lost)
    return frame, lost, SourceFile(shown(path), len(raw), digest, rows, mapping, mapped.unused, path, signature)


def _check_lengths(where: str, frame: pl.DataFrame) -> None:
    """Refuse cells of a size that no export means: reading a value out of one takes minutes."""
    longest = frame.select(pl.selectors.string().str.len_bytes().max())
    for column, size in longest.row(0, named=True).items():
        if size is not None and size > _LONGEST:
            record = frame.filter(pl.col(column).str.len_bytes() == size)["source_record"][0]
            raise InputRefused(
                f"{where}, record {record}: {column} is longer than {_LONGEST:,} bytes; "
                "correct that record or export the file again"
            )


def read_bytes(where: str, path: Path) -> tuple[bytes, Signature | None]:
    """A file's bytes, and its signature from before it was read. `-` is standard input, read once as pipes are.

    Raises InputRefused for what cannot be read and for devices, which may have no end.
    """
    if str(path) == "-":
        return _standard_input(where), None
    try:
        found = path.stat()
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISFIFO(found.st_mode)):
            raise InputRefused(f"{where}: a device or socket, not a file; name a file, a folder or a pipe")
        return path.read_bytes(), _signature(found) if stat.S_ISREG(found.st_mode) else None
    except OSError as error:
        raise InputRefused(f"{where}: cannot be read ({error.strerror}); check the path and its permissions") from None
    except MemoryError:
        raise _too_large(where) from None


def _too_large(where: str) -> InputRefused:
    return InputRefused(f"{where}: there is not enough memory to read it; export it in several files or as Parquet")


def _signature(found: os.stat_result) -> Signature:
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def confirm(name: str, file: SourceFile) -> None:
    """Refuse a file that is no longer what was read, as after an export that was still being written."""
    if file.signature is None:
        return
    named = where(name, file.origin)
    try:
        if _signature(file.origin.stat()) == file.signature:
            return
        with file.origin.open("rb") as stream:
            same = hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256
    except OSError as error:
        raise InputRefused(
            f"{named}: gone since it was read ({error.strerror}); run again when the export is finished"
        ) from None
    if not same:
        raise InputRefused(f"{named}: changed since it was read; run again when the export is finished")


def where(name: str, path: Path) -> str:
    """What messages about a file begin with: its table and path."""
    return f"{name}: {'standard input' if str(path) == '-' else shown(path)}"


def _standard_input(where: str) -> bytes:
    if sys.stdin is None:
        raise InputRefused(f"{where}: standard input is closed; pipe the CSV into the command")
    return sys.stdin.buffer.read()


def shown(path: str | Path) -> str:
    """The path as text, whatever bytes its name holds."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _parquet(
    where: str, raw: bytes, spec: TableSpec, policy: Policy, ignored: frozenset[str]
) -> tuple[tuple[str, ...], pl.DataFrame, dict[int, str], headers.HeaderMap]:
    with parquet(where, raw) as file:
        names = tuple(file.schema_arrow.names)
        mapped = headers.match(where, spec, names, policy, ignored)
        positions = sorted({position for many in mapped.positions.values() for position in many})
        frame = pl.read_parquet(io.BytesIO(raw), columns=sound(file, [names[position] for position in positions]))
        joined = {position for many in mapped.positions.values() if len(many) > 1 for position in many}
        plain = [
            as_text(where, names[position], pl.col(names[position]), frame.schema[names[position]], position in joined)
            for position in positions
        ]
        frame = frame.select(column.alias(str(position)) for column, position in zip(plain, positions, strict=True))
    return names, frame.with_row_index("record", offset=1), {}, mapped


@contextlib.contextmanager
def parquet(where: str, raw: bytes) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file; every way in which it can be damaged raises InputRefused, here and in the block."""
    try:
        yield pq.ParquetFile(pa.BufferReader(raw))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, pa.ArrowException, OSError, UnicodeError) as error:
        raise InputRefused(f"{where}: not readable as Parquet; it is damaged or cut short; export it again") from error


def sound(file: pq.ParquetFile, names: list[str]) -> list[str]:
    """The wanted columns, once Arrow has read them: on damaged pages polars may end the whole process."""
    for _ in file.iter_batches(columns=names):
        pass
    return names


def as_text(where: str, name: str, column: pl.Expr, dtype: pl.DataType, joined: bool) -> pl.Expr:
    """A Parquet column as text; dates and times stay what they are unless they are to be joined."""
    if isinstance(dtype, pl.Datetime):
        if not joined:
            return column.cast(pl.Datetime("us", dtype.time_zone), strict=False)
        dates_only = (column.dt.time() == pl.time(0)).all()
        return pl.when(dates_only).then(column.dt.to_string("%F")).otherwise(column.dt.to_string("%F %T%.f"))
    if isinstance(dtype, pl.Date):
        return column.dt.to_string("%Y-%m-%d") if joined else column
    if isinstance(dtype, pl.Array):
        return as_text(where, name, column.arr.to_list(), pl.List(dtype.inner), joined)
    if isinstance(dtype, pl.List) and not dtype.inner.is_nested():
        return column.cast(pl.List(pl.String)).list.join(";", ignore_nulls=True)
    if isinstance(dtype, pl.Duration):
        total = column.dt.total_microseconds()
        clock = pl.format("{}:{}:{}", total // 3_600_000_000, total // 60_000_000 % 60, total % 60_000_000 / 1_000_000)
        return pl.when(total >= 0).then(clock).when(total < 0).then(pl.lit("-1"))
    if isinstance(dtype, pl.Decimal):
        return column.cast(pl.String).str.replace(r"\.0+$", "")
    if dtype.is_float():
        column = column.fill_nan(None)
        whole = (column == column.round(0)) & (column.abs() < 2**53)
        return (
            pl.when(whole).then(column.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(column.cast(pl.String))
        )
    if dtype == pl.Binary:
        return column.cast(pl.String, strict=False)
    if dtype.is_nested() or dtype == pl.Object:
        raise InputRefused(f"{where}: column {name!r} holds nested data; export it as text, a number, a date or a list")
    return column.cast(pl.String)


def _join(parts: list[pl.Expr]) -> pl.Expr:
    """Several source columns, joined with a space; blank parts leave no space."""
    if len(parts) == 1:
        return parts[0]
    trimmed = [part.str.strip_chars() for part in parts]
    return pl.concat_str([pl.when(part != "").then(part) for part in trimmed], separator=" ", ignore_nulls=True)


def _stack(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """Files of one table under each other; where their types differ, dates and times become text."""
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
    return formats
