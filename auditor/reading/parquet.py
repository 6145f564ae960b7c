"""One Parquet file → chunks of columns: dates and times as they are, all else as text.

Source: docs/specification.md#files.

Arrow alone reads the pages: on damaged ones it raises an error where polars may end the whole process.
"""

import contextlib
import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from types import MappingProxyType
from typing import BinaryIO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from auditor.errors import InputRefused
from auditor.reading import parquet_types
from auditor.reading.dictionary import NUMBERS, ColumnHints, factorize, from_arrow, is_text

CHUNK = 500_000
"""Rows of a chunk, about."""
ENCRYPTED = b"PARE"
"""How a Parquet file begins and ends whose footer is encrypted."""
DAMAGE = pl.exceptions.PolarsError, pl.exceptions.PanicException, pa.ArrowException, OSError, UnicodeError
"""What reading a damaged file raises."""
_SIGNATURE = 28
"""Bytes of the signature behind the footer of an encrypted file."""
_DATES = pl.Date, pl.Datetime
_INT64 = -(2**63), 2**63 - 1
_ROWS_PER_VALUE = 16
"""Rows per byte of the dictionary-encoded dictionary, at least, in a column that repeats a few values."""
_ROWS_OF_A_GROUP = 128
"""Rows, or mean rows of a row group, below which no column is taken for one that repeats a few values."""


@contextlib.contextmanager
def opened(where: str, stream: BinaryIO, metadata: pq.FileMetaData | None = None) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file; every way in which it can be damaged raises InputRefused, here and in the block.

    `metadata`: of one that was opened before.
    """
    try:
        file = pq.ParquetFile(stream, metadata=metadata)
        if metadata is None:
            refuse_encrypted(where, stream, file.metadata.serialized_size)
        yield file
    except DAMAGE as error:
        problem = "cannot be read as Parquet, because it is damaged or cut short; export it again"
        raise InputRefused(f"{where}: {problem}") from error


def refuse_encrypted(where: str, stream: BinaryIO, size: int | None = None) -> None:
    """Raises InputRefused for encrypted files: Arrow ends the process when it looks at an encrypted column.

    `size`: bytes of the footer's fields. An encrypted file's footer is signed, so that it is longer, or encrypted itself.
    """
    at = stream.tell()
    stream.seek(-8, io.SEEK_END)
    end = stream.read(8)
    stream.seek(at)
    if end[4:] == ENCRYPTED or (size is not None and int.from_bytes(end[:4], "little") == size + _SIGNATURE):
        raise InputRefused(f"{where}: the Parquet file is encrypted; export it without encryption")


@dataclass(frozen=True)
class Headers:
    """A file's column names, the rows of its row groups, and its columns of instants in the form INT96.

    `by_spark`: whether the footer names Spark, whose INT96 is in UTC. `odd`: nested columns and those of bytes.
    `metadata`: for `opened`.
    """

    headers: tuple[str, ...]
    rows: tuple[int, ...]
    int96: frozenset[str]
    by_spark: bool
    odd: frozenset[str]
    metadata: pq.FileMetaData


def headers(where: str, stream: BinaryIO) -> Headers:
    """What a file's footer says of its columns."""
    with opened(where, stream) as file:
        schema, keys = file.schema_arrow, file.metadata.metadata or {}
        columns = map(file.schema.column, range(len(file.schema)))
        int96 = frozenset(column.path for column in columns if column.physical_type == "INT96")
        made_by = b" ".join((file.metadata.created_by.encode(), *keys)).lower()
        odd = frozenset(field.name for field in schema if not _is_plain(field.type))
        rows = tuple(file.metadata.row_group(number).num_rows for number in range(file.num_row_groups))
        return Headers(tuple(schema.names), rows, int96, b"spark" in made_by, odd, file.metadata)


def sizes(where: str, stream: BinaryIO) -> list[int]:
    """The unpacked bytes of each row group."""
    with opened(where, stream) as file:
        return [file.metadata.row_group(number).total_byte_size for number in range(file.num_row_groups)]


def read_columns(
    where: str,
    stream: BinaryIO,
    wanted: Sequence[str],
    joined: Collection[str] = (),
    repeating: Collection[str] = (),
    rows: int = CHUNK,
    in_utc: Collection[str] = (),
    groups: range | None = None,
    metadata: pq.FileMetaData | None = None,
) -> Iterator[tuple[pl.DataFrame, ColumnHints]]:
    """The wanted columns, each by its place among them, in chunks, at least one.

    Those of `joined` become text whatever they hold; those of `repeating` that repeat a few values are dictionary-encoded;
    the instants of `in_utc` are in UTC, although their type does not say so. `groups`: the row groups (None: all).
    """
    with opened(where, stream, metadata) as file:
        low_cardinality = [name for name in _low_cardinality(file) if name in repeating]
        numbers = {field.name for field in file.schema_arrow if _is_number(field.type)} & set(repeating)
        dates_only = {name: pl.lit(_dates_only(file, name)) for name in joined}
        file = pq.ParquetFile(
            stream, metadata=file.metadata, read_dictionary=low_cardinality, coerce_int96_timestamp_unit="us"
        )
        for frame, hints in _frames(where, file, list(wanted), rows, low_cardinality, groups):
            yield _as_read(where, wanted, frame, hints, numbers, joined, dates_only, in_utc)


def read_table(where: str, stream: BinaryIO, wanted: Sequence[str], metadata: pq.FileMetaData) -> pa.Table:
    """The wanted columns of a small file, for `together`."""
    with opened(where, stream, metadata) as file:
        return file.read(list(wanted), use_threads=False).select(list(wanted))


def together(where: str, tables: Sequence[pa.Table]) -> tuple[pl.DataFrame, ColumnHints]:
    """The rows of several tables with the same columns, which keep their names. Raises ArrowInvalid where types differ."""
    names = tables[0].column_names
    frame, hints = _as_read(where, names, *_frame(where, pa.concat_tables(tables), ()))
    hints = hints.renamed(dict(zip(names, frame.columns, strict=True)))
    frame.columns = names
    return frame, hints


def _as_read(
    where: str,
    wanted: Sequence[str],
    frame: pl.DataFrame,
    hints: ColumnHints,
    numbers: Collection[str] = (),
    joined: Collection[str] = (),
    dates_only: Mapping[str, pl.Expr] = MappingProxyType({}),
    in_utc: Collection[str] = (),
) -> tuple[pl.DataFrame, ColumnHints]:
    """As `read_columns`. `numbers`: those of the repeating columns that are numbers; `dates_only`: as `as_text`."""
    columns, texts, byte_ranges = [], dict(hints.texts), dict(hints.byte_ranges)
    for name, column in zip(wanted, frame, strict=True):
        if name in in_utc:
            column = column.dt.replace_time_zone("UTC")
            frame = frame.with_columns(column)
        at, dtype = column.name, column.dtype
        is_instant = name not in joined and dtype in (pl.Datetime("us"), pl.Datetime("us", "UTC"))
        if at not in texts and dtype != pl.String and not is_instant:
            text = as_text(where, name, pl.col(at), dtype, name in joined, dates_only.get(name)).alias(at)
            if name in numbers and len(column) >= _ROWS_OF_A_GROUP and (factorized := factorize(column)):
                column, texts[at] = factorized[0].alias(at), frame[factorized[1]].select(text).to_series()
            else:
                column = frame.select(text).to_series()
                byte_ranges |= {at: NUMBERS} if dtype.is_integer() else {}
        columns.append(column)
    return pl.DataFrame(columns), ColumnHints(texts, byte_ranges)


def head(where: str, stream: BinaryIO, rows: int) -> tuple[list[str], pl.DataFrame]:
    """The stripped names of the columns that can be text, and the first rows as text; rows: about as many, if there are."""
    with opened(where, stream) as file:
        readable: dict[str, pl.Series] = {}
        for name in file.schema_arrow.names:
            with contextlib.suppress(InputRefused):
                cells = next(_frames(where, file, [name], 2 * rows))[0].head(rows)
                text = as_text(where, name, pl.col("0"), cells.schema["0"], True).cast(pl.String)
                readable[name.strip()] = cells.select(text.alias(str(len(readable)))).to_series()
        return list(readable), pl.DataFrame(list(readable.values()))


def _frames(
    where: str,
    file: pq.ParquetFile,
    wanted: list[str],
    rows: int,
    low_cardinality: Collection[str] = (),
    groups: range | None = None,
) -> Iterator[tuple[pl.DataFrame, ColumnHints]]:
    batches: list[pa.RecordBatch] = []
    held, yielded = 0, False
    each = _groups_together(file, rows, range(file.num_row_groups) if groups is None else groups)
    for batch in chain.from_iterable(file.iter_batches(rows, some, wanted, use_threads=False) for some in each):
        batches.append(batch.select(wanted))
        held += batch.num_rows
        if held * 2 >= rows:
            yield _frame(where, pa.Table.from_batches(batches), low_cardinality)
            batches, held, yielded = [], 0, True
    if batches or not yielded:
        schema = pa.schema([file.schema_arrow.field(name) for name in wanted])
        yield _frame(where, pa.Table.from_batches(batches, None if batches else schema), low_cardinality)


def _groups_together(file: pq.ParquetFile, rows: int, numbers: range) -> Iterator[list[int]]:
    """The numbers of row groups, in order; small ones are read at once, since each reading has its price."""
    groups, held = list[int](), 0
    for number in numbers:
        groups.append(number)
        held += file.metadata.row_group(number).num_rows
        if held * 2 >= rows:
            yield groups
            groups, held = [], 0
    if groups:
        yield groups


def _frame(where: str, table: pa.Table, low_cardinality: Collection[str]) -> tuple[pl.DataFrame, ColumnHints]:
    """Columns named by their places. Neither Arrow nor polars looks whether text is UTF-8 unless told to."""
    columns = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        column = parquet_types.readable(where, name, column)
        if not pa.types.is_primitive(column.type) and not is_text(column.type):
            column.validate(full=True)
        columns.append(column)
    encoded = [str(position) for position, name in enumerate(table.column_names) if name in low_cardinality]
    frame, hints = from_arrow(pa.table(columns, [str(position) for position in range(len(columns))]), encoded)
    for at, byte_range in hints.byte_ranges.items():
        if byte_range.greatest > 127:
            columns[int(at)].validate(full=True)
    beyond = [_spelled(column) for column in frame if isinstance(column.dtype, _DATES) and _is_beyond(column)]
    return frame.with_columns(beyond) if beyond else frame, hints


def _is_beyond(column: pl.Series) -> bool:
    """Whether dates or instants lie outside the years 1 to 9999, where libraries panic."""
    (first, last), numbers = _years(column.dtype), column.cast(pl.Int64)
    return column.null_count() < len(column) and not first <= numbers.min() <= numbers.max() <= last  # type: ignore[operator]


def _years(dtype: pl.DataType) -> tuple[int, int]:
    """The first and the last value of a date or an instant in the years 1 to 9999."""
    days = (date.min - date(1970, 1, 1)).days, (date.max - date(1970, 1, 1)).days
    if not isinstance(dtype, pl.Datetime):
        return days
    day = {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}[dtype.time_unit]
    return max(days[0] * day, _INT64[0]), min((days[1] + 1) * day - 1, _INT64[1])


def _spelled(column: pl.Series) -> pl.Series:
    """Dates or instants as text, those that no calendar here has as the number that they are."""
    number = column.to_physical()
    within = number.is_between(*_years(column.dtype))
    zone = "%:z" if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone else ""
    form = "%F" if column.dtype == pl.Date else f"%F %T%.f{zone}"
    instants = column.zip_with(within.fill_null(False), pl.Series([None], dtype=column.dtype)).dt.to_string(form)
    return instants.zip_with(instants.is_not_null(), number.cast(pl.String)).alias(column.name)


def _low_cardinality(file: pq.ParquetFile) -> list[str]:
    """The text columns whose dictionaries are small in every row group."""
    if file.metadata.num_rows < _ROWS_OF_A_GROUP * file.metadata.num_row_groups:
        return []
    names = [field.name for field in file.schema_arrow if _is_text(field.type)]
    rows = dict.fromkeys(names, 0)
    for number in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(number)
        for position in range(group.num_columns):
            column = group.column(position)
            if column.path_in_schema not in rows:
                continue
            size = column.data_page_offset - (column.dictionary_page_offset or 0)
            if column.has_dictionary_page and 0 < size <= 1 << 16:
                rows[column.path_in_schema] += column.num_values - size * _ROWS_PER_VALUE
            else:
                del rows[column.path_in_schema]
    return [name for name, left in rows.items() if left > 0]


def _is_plain(kind: pa.DataType) -> bool:
    """Whether a column can be read as text whatever it holds."""
    is_bytes = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)
    return not (
        is_bytes or pa.types.is_nested(kind) or pa.types.is_decimal256(kind) or isinstance(kind, pa.BaseExtensionType)
    )


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind))


def _is_text(kind: pa.DataType) -> bool:
    return is_text(kind.value_type if pa.types.is_dictionary(kind) else kind)


def _dates_only(file: pq.ParquetFile, name: str) -> bool:
    """Whether a column of instants holds midnights only, in the whole file."""
    if not pa.types.is_timestamp(file.schema_arrow.field(name).type):
        return False
    midnight = pl.col("0").dt.time() == pl.time(0)
    return all(bool(frame.select(midnight.all()).item()) for frame, _ in _frames("", file, [name], CHUNK))


def as_text(
    where: str, name: str, column: pl.Expr, dtype: pl.DataType, joined: bool, dates_only: pl.Expr | None = None
) -> pl.Expr:
    """A column as text; dates and times stay what they are unless they are to be joined.

    `dates_only`: whether all instants to be joined are midnights; None: the column itself tells.
    Raises InputRefused for nested data.
    """
    if isinstance(dtype, pl.Datetime):
        if not joined:
            return column.cast(pl.Datetime("us", dtype.time_zone), strict=False)
        dates_only = (column.dt.time() == pl.time(0)).all() if dates_only is None else dates_only
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
        return column.cast(pl.String).str.strip_suffix("." + "0" * dtype.scale)
    if dtype.is_float():
        column = column.fill_nan(None)
        whole = (column == column.round(0)) & (column.abs() < 2**53)
        integers = column.cast(pl.Int64, strict=False).cast(pl.String)
        return pl.when(whole).then(integers).otherwise(column.cast(pl.String))
    if dtype == pl.Binary:
        return column.cast(pl.String)
    if dtype.is_nested() or dtype == pl.Object:
        raise InputRefused(f"{where}: column {name!r} has nested data; export it as text, a number, a date or a list")
    return column.cast(pl.String)
