"""Which reader types a column: the registry of the kinds of values, and how one column is read.

Source: docs/specification.md#tables-and-values.
"""

from collections.abc import Callable
from typing import NamedTuple

import polars as pl

from auditor.parsing import cells, codes, durations, identifiers, instant_columns, numbers, row_zones, vocabularies
from auditor.parsing.table_parser import TableParser
from auditor.policy import Policy
from auditor.reading.dictionary import ColumnHints, byte_range_of
from auditor.schema.tables import TABLES, Column, Kind


class Reader(NamedTuple):
    """How values of one kind are read.

    `read` types the cleaned texts of a column into the parser: null is blank, and nothing raises on a value. `encode`:
    whether distinct texts are read once each; None: if most rows repeat one. `keeps_times`: dates and datetimes of Parquet
    are read as they are. `looks_like`: a pattern that `init` compares headers' values with.
    """

    read: Callable[[TableParser, Column, pl.Series], None]
    looks_like: str | None = None
    encode: bool | None = None
    keeps_times: bool = False


READERS: dict[Kind, Reader] = {
    Kind.ID: Reader(identifiers.read, identifiers.LOOKS_LIKE, encode=False),
    Kind.TEXT: Reader(identifiers.read, encode=False),
    Kind.INSTANT: Reader(instant_columns.read, encode=False, keeps_times=True),
    Kind.DATE: Reader(instant_columns.read_date, encode=False, keeps_times=True),
    Kind.CLOCK: Reader(instant_columns.read_clock, instant_columns.TIME_OF_DAY, encode=False),
    Kind.MINUTES: Reader(durations.read_minutes, durations.MINUTES_LOOK_LIKE),
    Kind.SECONDS: Reader(durations.read_seconds, durations.SECONDS_LOOK_LIKE),
    Kind.TERM: Reader(vocabularies.read, encode=True),
    Kind.FLAG: Reader(vocabularies.read_flag, encode=True),
    Kind.DOCUMENTED: Reader(vocabularies.read_documented, encode=True),
    Kind.CODE: Reader(codes.read, codes.LOOKS_LIKE),
    Kind.CODES: Reader(codes.read_list, codes.LOOKS_LIKE, encode=True),
    Kind.DIAGNOSES: Reader(codes.read_diagnoses, codes.DIAGNOSES_LOOK_LIKE, encode=True),
    Kind.MONEY: Reader(numbers.read_money, numbers.MONEY_LOOKS_LIKE),
    Kind.NUMBER: Reader(numbers.read, numbers.LOOKS_LIKE),
    Kind.DAYS: Reader(numbers.read_days, numbers.DAYS_LOOK_LIKE),
    Kind.ZONE: Reader(row_zones.read, row_zones.LOOKS_LIKE, encode=True),
}
"""A new kind of value is its reader, its line here and its name in `Kind`."""


def read_column(parser: TableParser, column: Column, values: pl.Series, hints: ColumnHints) -> None:
    """Type one column of the export into `parser`.

    `values`: one for each row, or the codes of the distinct texts that `hints` has for the column.
    """
    reader, may_be_number = READERS[column.kind], column.kind is Kind.ID
    if not (values.dtype.is_temporal() and reader.keeps_times):
        values, parser.codes = _dictionary_encoded(values, hints.texts.get(column.name), reader.encode)
        byte_range = hints.byte_range(column.name) if parser.codes is None else byte_range_of(values)
        values = cells.clean(parser, column, values, byte_range)
        may_be_number = may_be_number and not byte_range.begins_with_capital
        if may_be_number:
            values = identifiers.without_lost_digits(parser, column, values, byte_range)
    if column.required and values.null_count():
        parser.reject(column.name, f"{column.name} is blank", values.is_null())
    if may_be_number:
        values = identifiers.without_keys_of_nothing(parser, column, values)
    if parser.rows and (not values.null_count() or parser.has_row(values.is_not_null())):
        parser.filled.add(column.name)
    reader.read(parser, column, values)
    parser.codes = None


def blank_row(table: str, policy: Policy) -> pl.DataFrame:
    """One row with every typed column of the table, all cells blank, and the columns `ROW_SOURCE`."""
    parser = TableParser(policy, table, 1)
    for column in TABLES[table].columns.values():
        READERS[column.kind].read(parser, column, pl.Series([None], dtype=pl.String))
    source = pl.DataFrame({"source_file": "", "source_record": 0}, schema_overrides={"source_record": pl.UInt32})
    return pl.DataFrame({name: typed.values for name, typed in parser.columns.items()}).with_columns(source)


def _dictionary_encoded(
    values: pl.Series, texts: pl.Series | None, encode: bool | None
) -> tuple[pl.Series, pl.Series | None]:
    """A column's distinct texts and each row's index among them; or the column's texts and None.

    `texts` are those of a column that was dictionary-encoded as it was read. They may belong to more rows than these.
    """
    if texts is None:
        values = values.cast(pl.String)
        if encode is False or (encode is None and _mostly_distinct(values)):
            return values, None
        categorical = values.cast(pl.Categorical(pl.Categories.random()))  # whose codes count from 0
        values = categorical.to_physical()
        count = values.to_frame("p").select(pl.max("p").fill_null(-1).cast(pl.Int64) + 1).item()
        texts = pl.int_range(count, dtype=pl.UInt32, eager=True).cat.to(categorical.dtype).cast(pl.String)
    if values.null_count():
        values = values.fill_null(len(texts))
        texts = texts.extend_constant(None, 1)
    return texts, values


def _mostly_distinct(values: pl.Series) -> bool:
    return bool(values.to_frame("v").select(pl.col("v").approx_n_unique() * 10 > pl.len()).item())
