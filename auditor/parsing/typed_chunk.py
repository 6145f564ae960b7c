"""How the rows of a table are typed, chunk by chunk or as a whole, and which rows are rejected.

Source: docs/specification.md#tables-and-values.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from auditor.parsing import duplicates
from auditor.parsing.duplicates import hashed
from auditor.parsing.identifiers import without_differences
from auditor.parsing.instants import ColumnDates, DateCounts
from auditor.parsing.microseconds import DAY
from auditor.parsing.readers import blank_row, read_column
from auditor.parsing.table_parser import ROW_SOURCE, DictionaryColumn, TableParser
from auditor.parsing.typed_table import UNRECOGNISED, Table, copies_marked
from auditor.parsing.vocabularies import status_numbers_hold
from auditor.policy import Policy
from auditor.reading.dictionary import ANY_BYTES, ByteRange
from auditor.reading.ingest import Chunk, Extract, written_out
from auditor.schema.tables import TABLES, TableSpec


@dataclass(frozen=True)
class TypedChunk:
    """Rows of a table, typed.

    `chunk`: the rows as they were read. `parser`: their typed columns and problems. `blanks`: as `readers.blank_row`, for
    columns that the chunk lacks. `is_valid`: Boolean, the rows that can be used.
    """

    spec: TableSpec
    chunk: Chunk
    parser: TableParser
    blanks: pl.DataFrame
    is_valid: pl.Series
    _hashes: dict[str, pl.Series] = field(default_factory=dict)

    @property
    def date_counts(self) -> Mapping[str, DateCounts]:
        return self.parser.date_counts

    def ids(self) -> pl.Series:
        """64 bits of each row's id; null where a part of it is blank. The same in every process of one version."""
        key = self.spec.key
        return self.hashes(*key) if len(key) == 1 else hashed([self.column(name) for name in key])

    def byte_range(self, name: str) -> ByteRange:
        """The bytes of a column's texts; not known where the policy has changed them."""
        changed = without_differences(name, self.parser.policy)
        return ANY_BYTES if changed else self.chunk.hints.byte_range(name)

    def hashes(self, name: str) -> pl.Series:
        """64 bits of each row's text in a column, as `ids`."""
        if name not in self._hashes:
            column = self.parser.columns.get(name) or DictionaryColumn(self.column(name))
            self._hashes[name] = column._replace(values=hashed([column.values])).decode().alias(name)
        return self._hashes[name]

    def values_where(self, name: str, mask: pl.Series) -> pl.Series:
        """A typed column of the rows that the mask picks: each value once where the column was packed."""
        if name not in self.parser.columns:
            return self.blanks[name].clear()
        values, codes = self.parser.columns[name]
        if mask.all():
            return values
        return values.filter(mask) if codes is None else values.gather(codes.filter(mask).unique())

    def column(self, name: str) -> pl.Series:
        """A typed column, one value for each row."""
        if name in self.parser.columns:
            return self.parser.columns[name].decode().alias(name)
        return self.blanks[name].new_from_index(0, self.chunk.frame.height)

    def columns(self, *names: str, ids: Collection[str] = ()) -> pl.DataFrame:
        """Some typed columns of all rows, and the hashes of some ids."""
        return pl.DataFrame([self.column(name) for name in names] + [self.hashes(name) for name in ids])

    def rows(self, mask: pl.Series) -> pl.DataFrame:
        """Every canonical column and ROW_SOURCE, of the rows that the mask picks."""
        if not mask.any():
            return self.blanks.clear()
        wanted_rows = None if mask.all() else mask
        columns = {name: column.decode(wanted_rows) for name, column in self.parser.columns.items()}
        columns |= {name: DictionaryColumn(self.chunk.frame[name]).decode(wanted_rows) for name in ROW_SOURCE}
        blank = [pl.lit(self.blanks[name]).first().alias(name) for name in self.blanks.columns if name not in columns]
        return pl.DataFrame(columns).select(*columns, *blank).select(self.blanks.columns)

    def table(self) -> Table:
        """The chunk's rejects, warnings and columns as a table without rows."""
        faulty = ~self.is_valid
        found = [_rejects(self.parser, self.rows(faulty), self.chunk.written(faulty))] if faulty.any() else []
        return Table(
            self.spec,
            frozenset(
                column.name
                for column in self.spec.columns.values()
                if column.name in self.parser.filled or (column.required and column.name in self.chunk.frame.columns)
            ),
            self.blanks.clear(),
            pl.concat([self.chunk.malformed.with_columns(written=pl.lit(None, pl.String)), *found]),
            pl.DataFrame(self.parser.unrecognised, schema=UNRECOGNISED, orient="row"),
            (),
            self.parser.tallies,
            self.parser.has_local_times,
            frozenset(self.parser.recognized),
        )


def type_rows(
    spec: TableSpec,
    chunk: Chunk,
    policy: Policy,
    blanks: pl.DataFrame,
    date_columns: Mapping[str, ColumnDates] | None = None,
    *,
    status_numbers: bool = True,
    blank_ids: Mapping[str, pl.Series] | None = None,
) -> TypedChunk:
    """Type rows of a table as they were read. Never raises on a value.

    `blanks`: `readers.blank_row` of the table. `date_columns`: how its columns state dates; None: these rows decide.
    `status_numbers`: whether numbers in `claim_status` are those of an 835. `blank_ids`: column → hashes of ids that count
    as blank.
    """
    parser = TableParser(policy, spec.name, chunk.frame.height, date_columns, status_numbers, blank_ids or {})
    for name, column in spec.columns.items():
        if name in chunk.frame.columns:
            read_column(parser, column, chunk.frame[name], chunk.hints)
    _check_spans(parser)
    return TypedChunk(spec, chunk, parser, blanks, parser.problem == 0)


def type_table(extract: Extract, policy: Policy) -> Table:
    """Type a whole table in memory: reject rows that cannot be used, merge rows with one id."""
    chunk = Chunk(extract.frame, extract.rejects)
    blanks = blank_row(extract.spec.name, policy)
    typed = type_rows(extract.spec, chunk, policy, blanks)
    if not status_numbers_hold(typed.parser.unrecognised):
        typed = type_rows(extract.spec, chunk, policy, blanks, status_numbers=False)
    ids = typed.ids()
    repeats = typed.is_valid & ids.is_duplicated() & ids.is_not_null()
    rows, rejects = duplicates.one_per_id(extract.spec, typed.rows(typed.is_valid & ~repeats), typed.rows(repeats))
    table = typed.table()
    if extract.frame.is_empty():  # nothing is blank where nothing is
        table = replace(table, columns=frozenset(extract.spec.columns) & frozenset(extract.frame.columns))
    unusable, notes = copies_marked(table.unusable), extract.warnings
    return replace(table, rows=rows, unusable=unusable, repeated=(rejects.lazy(),), notes=notes)


def _check_spans(parser: TableParser) -> None:
    if parser.table in ("calls", "phone_log") and "call_end" in parser.columns:
        length = (parser.columns["call_end"].decode() - parser.columns["call_start"].decode()).dt.total_microseconds()
        parser.reject("call_end", "call_end is before call_start", length < 0)
        parser.reject("call_end", "the call is over 24 h", length > DAY)


def _rejects(parser: TableParser, faulty: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    """The rejects of the rows with a problem, and as `written` all cells of each, joined.

    `faulty`: their typed rows; `frame`: the same rows as they were written.
    """
    problem = parser.problem.filter(parser.problem > 0) - 1
    column, reason = (pl.Series(texts, dtype=pl.String).gather(problem) for texts in zip(*parser.problems, strict=True))
    blank = pl.lit(None, pl.String)
    cells = [written_out(name, frame.schema[name]) if name in frame.columns else blank
             for name in TABLES[parser.table].columns]  # fmt: skip
    written = frame.select(pl.concat_str([text.fill_null("\0") for text in cells], separator="\1"))
    return faulty.select(
        *ROW_SOURCE,
        column=column,
        reason=reason,
        patient_id=pl.col("patient_id") if "patient_id" in faulty.columns else blank,
        written=written.to_series(),
    )
