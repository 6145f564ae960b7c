"""What is known of a table's columns while they are parsed: typed columns, rejected rows, counts for warnings.

Source: docs/specification.md#tables-and-values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import polars as pl

from auditor.parsing.instants import ColumnDates, DateCounts
from auditor.policy import Policy
from auditor.schema.tables import Column

ROW_SOURCE = ("source_file", "source_record")
"""The columns that say where a row was read."""
_FIRST_ROWS = 1_000
"""Rows that `has_row` tries before it looks at all."""


class DictionaryColumn(NamedTuple):
    """A dictionary-encoded column: its distinct values, and each row's index among them.

    Without `codes`, `values` has one value for each row.
    """

    values: pl.Series
    codes: pl.Series | None = None

    def decode(self, mask: pl.Series | None = None) -> pl.Series:
        """The value of each row, or of the rows that the mask picks."""
        if self.codes is None:
            return self.values if mask is None else self.values.filter(mask)
        codes = self.codes if mask is None else self.codes.filter(mask)
        if isinstance(self.values.dtype, pl.List):  # a join spreads lists ten times faster than a gather
            values = pl.DataFrame({"values": self.values}).with_row_index("place")
            return pl.DataFrame({"place": codes}).join(values, "place", "left", maintain_order="left")["values"]
        return self.values.gather(codes)


@dataclass
class TableParser:
    """The state of parsing one table's rows, column by column. Readers of values write to it.

    A reader gets a column's distinct texts if `codes` is set (each row's index among them), else one text for each row. Its
    masks and typed values have the length of those texts; the methods here apply them to rows.

    `columns`: typed columns by name. `problem`: for each row 0, or the number from 1 of its first entry in `problems`
    (column, reason). `unrecognised`: table, column, word outside the vocabulary, rows. `recognized`: columns with a
    word of their vocabulary. `tallies`: warnings with a `{count}`, and that count. `date_counts`: of the columns of instants
    and dates. `filled`: columns with a value that is not blank. `has_local_times`: whether a time without an offset was read
    in the policy's default zone. `date_columns`: how the whole columns state dates, if that is known before these rows are
    read. `status_numbers`: whether numbers in `claim_status` are those of an 835. `blank_ids`: column → hashes of ids that
    count as blank. `row_zones`: each row's own time zone, null where it states none; None if no row does.
    """

    policy: Policy
    table: str
    rows: int
    date_columns: Mapping[str, ColumnDates] | None = None
    status_numbers: bool = True
    blank_ids: Mapping[str, pl.Series] = field(default_factory=dict)
    columns: dict[str, DictionaryColumn] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)
    problem: pl.Series = field(init=False)
    unrecognised: list[tuple[str, str, str, int]] = field(default_factory=list)
    recognized: set[str] = field(default_factory=set)
    tallies: dict[str, int] = field(default_factory=dict)
    has_local_times: bool = False
    date_counts: dict[str, DateCounts] = field(default_factory=dict)
    filled: set[str] = field(default_factory=set)
    row_zones: pl.Series | None = None
    codes: pl.Series | None = None

    def __post_init__(self) -> None:
        self.problem = pl.repeat(0, self.rows, dtype=pl.UInt32, eager=True)

    def dates_of(self, column: Column) -> ColumnDates | None:
        """How the whole column states dates; None if these rows decide."""
        return None if self.date_columns is None else self.date_columns.get(column.name, ColumnDates())

    def encoded(self, values: pl.Series) -> DictionaryColumn:
        """Values of the current column's texts, as a column of the table."""
        return DictionaryColumn(values, self.codes)

    def count(self, mask: pl.Series) -> int:
        """How many rows have one of the texts that the mask picks."""
        return int(self.encoded(mask).decode().sum()) if mask.any() else 0

    def has_row(self, mask: pl.Series) -> bool:
        """Whether any row has one of the texts that the mask picks."""
        if self.codes is None or not mask.any():
            return bool(mask.any())
        return any(mask.gather(some).any() for some in (self.codes.head(_FIRST_ROWS), self.codes))

    def add(self, name: str, values: pl.Series) -> None:
        self.columns[name] = self.encoded(values)

    def warn(self, column: Column, mask: pl.Series, problem: str) -> None:
        """Count the rows with the texts that the mask picks in a warning: `problem` has a `{count}`."""
        if count := self.count(mask):
            self.tallies[f"{self.table}.{column.name}: {problem}"] = count

    def reject(self, column: str, reason: str, mask: pl.Series) -> None:
        """Reject the rows with the texts that the mask picks; a row that has a reason keeps it."""
        if mask.any():
            self.problems.append((column, reason))
            first = self.encoded(mask).decode().fill_null(False) & (self.problem == 0)
            self.problem = self.problem.set(first, len(self.problems))

    def reject_each(self, column: str, reasons: pl.Series) -> None:
        """Reject the rows of each text that has a reason (null: none); a row that has a reason keeps it."""
        different = reasons.drop_nulls().unique().sort()
        numbers = pl.Series(range(len(self.problems) + 1, len(self.problems) + len(different) + 1), dtype=pl.UInt32)
        self.problems += [(column, reason) for reason in different]
        found = self.encoded(reasons.replace_strict(different, numbers, default=0, return_dtype=pl.UInt32)).decode()
        self.problem = self.problem.zip_with(self.problem > 0, found.fill_null(0))
