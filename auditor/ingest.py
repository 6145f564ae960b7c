"""Files → one frame per table: canonical columns as text, each row with its file and record number.

Parquet keeps its dates and times; all else becomes text. Source: SPEC.md section 2.
"""

import glob
import hashlib
import io
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from auditor import csvfile, headers
from auditor.errors import InputRefused
from auditor.policy import Policy
from auditor.tables import TABLES, TableSpec, fold

_SUFFIXES = (".csv", ".tsv", ".psv", ".parquet", ".pq")
_COMPRESSED = (".gz", ".zst")


@dataclass(frozen=True)
class SourceFile:
    """One input file as it was read."""

    path: str
    bytes: int
    sha256: str
    rows: int
    mapping: dict[str, tuple[str, ...]]
    unused: tuple[str, ...]


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
        """A file as it is, or the data files below a folder."""
        if not path.is_dir():
            self.paths.append(path)
            return
        inside = sorted(entry for entry in path.rglob("*") if entry.is_file() and not entry.name.startswith("."))
        data = [entry for entry in inside if _is_data(entry)]
        self.strays += len(inside) - len(data)
        if not data:
            raise InputRefused(f"{name}: {path}: no CSV or Parquet file in this folder; name the files themselves")
        self.paths += data


def read_table(name: str, paths: Sequence[str], policy: Policy, *, without_billing: bool = False) -> Extract:
    """Read every file of a table. `without_billing` leaves out the calls' columns that a claims table replaces.

    Raises InputRefused for files that cannot be read or lack a required column.
    """
    spec = TABLES[name]
    ignored = frozenset(column.name for column in spec.columns.values() if column.billing and without_billing)
    found = expand(name, paths)
    frames, rejects, files = [], [], []
    for path in found.paths:
        where = f"{name}: {'standard input' if str(path) == '-' else _shown(path)}"
        frame, lost, source = _read_file(where, path, spec, policy, ignored)
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
            f"the last file has: {headers.shown(_all_headers(files[-1]))}"
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
        matches = [text] if Path(text).exists() else sorted(glob.glob(text, recursive=True))  # noqa: PTH207 (absolute)
        existing = [path for path in map(Path, matches) if path.exists()]
        if not existing:
            raise InputRefused(f"{name}: {text}: no such file; check the path")
        for path in existing:
            found.add(name, path)
    unique = {os.path.realpath(path): path for path in reversed(found.paths)}
    found.paths = list(reversed(unique.values()))
    return found


def _is_data(path: Path) -> bool:
    name = path.name.lower()
    for suffix in _COMPRESSED:
        name = name.removesuffix(suffix)
    return name.endswith(_SUFFIXES)


def _read_file(
    where: str, path: Path, spec: TableSpec, policy: Policy, ignored: frozenset[str]
) -> tuple[pl.DataFrame, dict[int, str], SourceFile]:
    try:
        raw = _standard_input(where) if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise InputRefused(f"{where}: cannot be read ({error.strerror}); check the path and its permissions") from None
    digest = hashlib.sha256(raw).hexdigest()
    if raw[:4] == b"PAR1":
        names, frame, lost, mapped = _parquet(where, raw, spec, policy, ignored)
    else:
        text = csvfile.open_text(where, raw)
        mapped = headers.match(where, spec, text.headers, policy, ignored)
        names = text.headers
        positions = sorted({position for many in mapped.positions.values() for position in many})
        frame, lost = csvfile.read_columns(where, text, positions)
    columns = [_join([pl.col(str(p)) for p in many]).alias(column) for column, many in mapped.positions.items()]
    frame = frame.select(*columns, pl.col("record").alias("source_record"))
    mapping = {column: tuple(names[p] for p in many) for column, many in mapped.positions.items()}
    return frame, lost, SourceFile(_shown(path), len(raw), digest, frame.height + len(lost), mapping, mapped.unused)


def _standard_input(where: str) -> bytes:
    if sys.stdin is None:
        raise InputRefused(f"{where}: standard input is closed; pipe the CSV into the command")
    return sys.stdin.buffer.read()


def _shown(path: Path) -> str:
    """The path as text, whatever bytes its name holds."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _parquet(
    where: str, raw: bytes, spec: TableSpec, policy: Policy, ignored: frozenset[str]
) -> tuple[tuple[str, ...], pl.DataFrame, dict[int, str], headers.HeaderMap]:
    try:
        names = tuple(pl.read_parquet_schema(io.BytesIO(raw)))
        mapped = headers.match(where, spec, names, policy, ignored)
        positions = sorted({position for many in mapped.positions.values() for position in many})
        frame = pl.read_parquet(io.BytesIO(raw), columns=[names[position] for position in positions])
        joined = {position for many in mapped.positions.values() if len(many) > 1 for position in many}
        plain = [
            as_text(where, names[position], pl.col(names[position]), frame.schema[names[position]], position in joined)
            for position in positions
        ]
        frame = frame.select(column.alias(str(position)) for column, position in zip(plain, positions, strict=True))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise InputRefused(f"{where}: not readable as Parquet; it is damaged or cut short; export it again") from error
    return names, frame.with_row_index("record", offset=1), {}, mapped


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
