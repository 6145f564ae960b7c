"""Text → typed rows, and rejects with reasons. Rows in = rows used + rejected, always.

Source: docs/specification.md#duplicates-and-conflicts.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from auditor.parsing import duplicates, values
from auditor.parsing.duplicates import DUPLICATE, hashed
from auditor.parsing.instants import DAY, MidnightCounts
from auditor.parsing.values import ROW_SOURCE, DictionaryColumn, TableParser
from auditor.policy import Policy
from auditor.reading.ingest import Chunk, Extract, written_out
from auditor.schema.tables import TABLES, TableSpec


@dataclass(frozen=True)
class Table:
    """One table's typed records.

    Every canonical column of the table is present in `rows` (null where the export has none); `columns` are those that
    exist: an optional one that is blank in every row does not. Instants are UTC datetimes with a `<name>_date_only` flag,
    dates are dates, durations are integer microseconds, money is Decimal, lists are sorted and without repeats. `rejects`
    is as in `ingest.Extract`. `tallies` are warnings that hold a `{count}`, with that count; `notes` are the other warnings.
    """

    spec: TableSpec
    columns: frozenset[str]
    rows: pl.DataFrame
    rejects: pl.DataFrame
    unrecognised: pl.DataFrame
    notes: tuple[str, ...]
    tallies: Mapping[str, int]
    has_local_times: bool

    @property
    def warnings(self) -> tuple[str, ...]:
        """The notes and the tallies as text."""
        return (*self.notes, *self.tallied)

    @property
    def tallied(self) -> tuple[str, ...]:
        """The tallies as text."""
        return tuple(text.replace("{count}", str(count)) for text, count in self.tallies.items())

    @property
    def patients_with_rejects(self) -> pl.Series:
        """Patients with a rejected row other than a duplicate."""
        return self.faulty["patient_id"].drop_nulls().unique()

    @property
    def faulty(self) -> pl.DataFrame:
        """The rejects without the duplicates."""
        return self.rejects.filter(pl.col("reason") != DUPLICATE)


@dataclass(frozen=True)
class TypedChunk:
    """Rows of a table, typed. `chunk`: as they were read; `is_valid` is the mask of those that can be used."""

    spec: TableSpec
    chunk: Chunk
    parser: TableParser
    blanks: pl.DataFrame
    is_valid: pl.Series
    _hashes: dict[str, pl.Series] = field(default_factory=dict)

    @property
    def midnights(self) -> Mapping[str, MidnightCounts]:
        """The columns of instants and dates, and how many of their values are midnight."""
        return self.parser.midnights

    def ids(self) -> pl.Series:
        """64 bits of each row's id; null where a part of it is blank. The same in every process of one version."""
        key = self.spec.key
        return self.hashes(*key) if len(key) == 1 else hashed([self.column(name) for name in key])

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
        """Every canonical column of the rows that the mask picks, and where they stand."""
        if not mask.any():
            return self.blanks.clear()
        wanted_rows = None if mask.all() else mask
        columns = {name: column.decode(wanted_rows) for name, column in self.parser.columns.items()}
        row_sources = {name: self.chunk.frame[name] for name in ROW_SOURCE}
        columns |= (
            row_sources
            if wanted_rows is None
            else {name: source.filter(wanted_rows) for name, source in row_sources.items()}
        )
        blank = [pl.lit(self.blanks[name]).first().alias(name) for name in self.blanks.columns if name not in columns]
        return pl.DataFrame(columns).select(*columns, *blank).select(self.blanks.columns)

    def table(self) -> Table:
        """What these rows say of their table, without rows."""
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
            pl.DataFrame(self.parser.unrecognised, schema=_UNRECOGNISED, orient="row"),
            (),
            self.parser.tallies,
            self.parser.has_local_times,
        )


def type_rows(
    spec: TableSpec,
    chunk: Chunk,
    policy: Policy,
    blanks: pl.DataFrame,
    date_columns: frozenset[str] | None = None,
) -> TypedChunk:
    """Type rows of a table as they were read.

    `blanks` are `values.blanks` of the table; `date_columns`: its columns that are date-only, None: as these rows tell.
    """
    parser = TableParser(policy, spec.name, chunk.frame.height, date_columns)
    for name, column in spec.columns.items():
        if name in chunk.frame.columns:
            values.read(parser, column, chunk.frame[name], chunk.hints)
    _check_spans(parser)
    return TypedChunk(spec, chunk, parser, blanks, parser.problem == 0)


def normalise(extract: Extract, policy: Policy) -> Table:
    """A whole table in memory: typed, the rows that cannot be used rejected, rows of one id merged."""
    chunk = Chunk(extract.frame, extract.rejects)
    typed = type_rows(extract.spec, chunk, policy, values.blanks(extract.spec.name, policy))
    repeats = typed.is_valid & typed.ids().is_duplicated()
    rows, rejects = duplicates.one_per_id(extract.spec, typed.rows(typed.is_valid & ~repeats), typed.rows(repeats))
    table = typed.table()
    if extract.frame.is_empty():  # nothing is blank where nothing is
        table = replace(table, columns=frozenset(extract.spec.columns) & frozenset(extract.frame.columns))
    return replace(table, rows=rows, rejects=all_rejects(table.rejects, [rejects]), notes=extract.warnings)


def all_rejects(rejects: pl.DataFrame, more: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """All rejects of a table in order. Of faulty rows written alike, all but the first are duplicates."""
    written_before = pl.col("written").is_not_null() & ~pl.col("written").is_first_distinct()
    plain = rejects.with_columns(
        column=pl.when(written_before).then(pl.lit("")).otherwise("column"),
        reason=pl.when(written_before).then(pl.lit(DUPLICATE)).otherwise("reason"),
    ).drop("written")
    return pl.concat([plain, *more]).sort("source_file", "source_record")


_UNRECOGNISED = {"table": pl.String(), "column": pl.String(), "value": pl.String(), "count": pl.Int64()}


def merge(tables: Sequence[Table]) -> Table:
    """What the parts of one table say, in order, as one. Their `rows` are those of the first."""
    first = tables[0]
    if len(tables) == 1:
        return first
    column_order = pl.col("column").replace_strict(list(first.spec.columns), range(len(first.spec.columns)))
    unrecognised = pl.concat([table.unrecognised for table in tables])
    tallies = sum((Counter(table.tallies) for table in tables), Counter[str]())
    return Table(
        first.spec,
        frozenset[str]().union(*(table.columns for table in tables)),
        first.rows,
        pl.concat([table.rejects for table in tables]),
        unrecognised.group_by("table", "column", "value").agg(pl.col("count").sum()).sort(column_order, "value"),
        tuple(dict.fromkeys(note for table in tables for note in table.notes)),
        {text: tallies[text] for text in sorted(tallies, key=_column_order(first.spec))},
        any(table.has_local_times for table in tables),
    )


def _column_order(spec: TableSpec) -> Callable[[str], int]:
    """The place among the table's columns of the one that a tally begins with."""
    names = list(spec.columns)
    return lambda text: names.index(text.partition(":")[0].partition(".")[2])


def _check_spans(parser: TableParser) -> None:
    """`call_end` before `call_start`, and calls over 24 hours."""
    if parser.table == "calls" and "call_end" in parser.columns:
        length = (parser.columns["call_end"].decode() - parser.columns["call_start"].decode()).dt.total_microseconds()
        parser.reject("call_end", "call_end is before call_start", length < 0)
        parser.reject("call_end", "the call is over 24 h", length > DAY)


def _rejects(parser: TableParser, faulty: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows with a problem, and beside them all that was written in them, as one text."""
    problem = parser.problem.filter(parser.problem > 0) - 1
    column, reason = (pl.Series(texts, dtype=pl.String).gather(problem) for texts in zip(*parser.problems, strict=True))
    blank = pl.lit(None, pl.String)
    cells = [
        written_out(name, frame.schema[name]) if name in frame.columns else blank
        for name in TABLES[parser.table].columns
    ]
    written = frame.select(pl.concat_str([text.fill_null("\0") for text in cells], separator="\1"))
    return faulty.select(
        "source_file",
        "source_record",
        column=column,
        reason=reason,
        patient_id=pl.col("patient_id") if "patient_id" in faulty.columns else pl.lit(None, pl.String),
        written=written.to_series(),
    )
