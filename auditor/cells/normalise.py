"""Text → typed rows, and rejects with reasons. Rows in = rows used + rejected, always. Source: SPEC.md section 2."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from auditor.cells import duplicates as records
from auditor.cells import values
from auditor.cells.duplicates import DUPLICATE, hashed
from auditor.cells.instants import DAY, Midnights
from auditor.cells.values import PLACE, Spread, Work
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
        return (*self.notes, *(text.replace("{count}", str(count)) for text, count in self.tallies.items()))

    @property
    def tainted(self) -> pl.Series:
        """Patients with a rejected row other than a duplicate."""
        return self.faulty["patient_id"].drop_nulls().unique()

    @property
    def faulty(self) -> pl.DataFrame:
        """The rejects without the duplicates."""
        return self.rejects.filter(pl.col("reason") != DUPLICATE)


@dataclass(frozen=True)
class Typed:
    """Rows of a table, typed. `chunk`: as they were read; `sound` picks those that can be used."""

    spec: TableSpec
    chunk: Chunk
    work: Work
    blanks: pl.DataFrame
    sound: pl.Series
    _hashes: dict[str, pl.Series] = field(default_factory=dict)

    @property
    def midnights(self) -> Mapping[str, Midnights]:
        """The columns of instants and dates, and how many of their values are midnight."""
        return self.work.midnights

    def ids(self) -> pl.Series:
        """64 bits of each row's id; null where a part of it is blank. The same in every process of one version."""
        key = self.spec.key
        return self.hashes(*key) if len(key) == 1 else hashed([self.column(name) for name in key])

    def hashes(self, name: str) -> pl.Series:
        """64 bits of each row's text in a column, as `ids`."""
        if name not in self._hashes:
            made = self.work.made.get(name) or Spread(self.column(name))
            self._hashes[name] = made._replace(values=hashed([made.values])).rows().alias(name)
        return self._hashes[name]

    def some(self, name: str, mask: pl.Series) -> pl.Series:
        """A typed column of the rows that the mask picks: each value once where the column was packed."""
        if name not in self.work.made:
            return self.blanks[name].clear()
        values, place = self.work.made[name]
        if mask.all():
            return values
        return values.filter(mask) if place is None else values.gather(place.filter(mask).unique())

    def column(self, name: str) -> pl.Series:
        """A typed column, one value for each row."""
        if name in self.work.made:
            return self.work.made[name].rows().alias(name)
        return self.blanks[name].new_from_index(0, self.chunk.frame.height)

    def columns(self, *names: str, ids: Collection[str] = ()) -> pl.DataFrame:
        """Some typed columns of all rows, and the hashes of some ids."""
        return pl.DataFrame([self.column(name) for name in names] + [self.hashes(name) for name in ids])

    def rows(self, mask: pl.Series) -> pl.DataFrame:
        """Every canonical column of the rows that the mask picks, and where they stand."""
        if not mask.any():
            return self.blanks.clear()
        some = None if mask.all() else mask
        made = {name: one.rows(some) for name, one in self.work.made.items()}
        places = {name: self.chunk.frame[name] for name in PLACE}
        made |= places if some is None else {name: place.filter(some) for name, place in places.items()}
        blank = [pl.lit(self.blanks[name]).first().alias(name) for name in self.blanks.columns if name not in made]
        return pl.DataFrame(made).select(*made, *blank).select(self.blanks.columns)

    def table(self) -> Table:
        """What these rows say of their table, without rows."""
        faulty = ~self.sound
        found = [_rejects(self.work, self.rows(faulty), self.chunk.written(faulty))] if faulty.any() else []
        return Table(
            self.spec,
            frozenset(
                column.name
                for column in self.spec.columns.values()
                if column.name in self.work.filled or (column.required and column.name in self.chunk.frame.columns)
            ),
            self.blanks.clear(),
            pl.concat([self.chunk.lost.with_columns(written=pl.lit(None, pl.String)), *found]),
            pl.DataFrame(self.work.unrecognised, schema=_UNRECOGNISED, orient="row"),
            (),
            self.work.tallies,
            self.work.has_local_times,
        )


def type_rows(
    spec: TableSpec,
    chunk: Chunk,
    policy: Policy,
    blanks: pl.DataFrame,
    date_columns: frozenset[str] | None = None,
) -> Typed:
    """Type rows of a table as they were read.

    `blanks` are `values.blanks` of the table; `date_columns`: its columns that are date-only, None: as these rows tell.
    """
    work = Work(policy, spec.name, chunk.frame.height, date_columns)
    for name, column in spec.columns.items():
        if name in chunk.frame.columns:
            values.read(work, column, chunk.frame[name], chunk.known)
    _check_spans(work)
    return Typed(spec, chunk, work, blanks, work.problem == 0)


def normalise(extract: Extract, policy: Policy) -> Table:
    """A whole table in memory: typed, the rows that cannot be used rejected, rows of one id merged."""
    chunk = Chunk(extract.frame, extract.rejects)
    typed = type_rows(extract.spec, chunk, policy, values.blanks(extract.spec.name, policy))
    again = typed.sound & typed.ids().is_duplicated()
    rows, rejects = records.one_per_id(extract.spec, typed.rows(typed.sound & ~again), typed.rows(again))
    table = typed.table()
    if extract.frame.is_empty():  # nothing is blank where nothing is
        table = replace(table, columns=frozenset(extract.spec.columns) & frozenset(extract.frame.columns))
    return replace(table, rows=rows, rejects=all_rejects(table.rejects, [rejects]), notes=extract.warnings)


def all_rejects(rejects: pl.DataFrame, others: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """All rejects of a table in order. Of faulty rows written alike, all but the first are duplicates."""
    again = pl.col("written").is_not_null() & ~pl.col("written").is_first_distinct()
    plain = rejects.with_columns(
        column=pl.when(again).then(pl.lit("")).otherwise("column"),
        reason=pl.when(again).then(pl.lit(DUPLICATE)).otherwise("reason"),
    ).drop("written")
    return pl.concat([plain, *others]).sort("source_file", "source_record")


_UNRECOGNISED = {"table": pl.String(), "column": pl.String(), "value": pl.String(), "count": pl.Int64()}


def merge(tables: Sequence[Table]) -> Table:
    """What the parts of one table say, in order, as one. Their `rows` are those of the first."""
    first = tables[0]
    if len(tables) == 1:
        return first
    place = pl.col("column").replace_strict(list(first.spec.columns), range(len(first.spec.columns)))
    unrecognised = pl.concat([table.unrecognised for table in tables])
    tallies = sum((Counter(table.tallies) for table in tables), Counter[str]())
    return Table(
        first.spec,
        frozenset[str]().union(*(table.columns for table in tables)),
        first.rows,
        pl.concat([table.rejects for table in tables]),
        unrecognised.group_by("table", "column", "value").agg(pl.col("count").sum()).sort(place, "value"),
        tuple(dict.fromkeys(note for table in tables for note in table.notes)),
        {text: tallies[text] for text in sorted(tallies, key=_place(first.spec))},
        any(table.has_local_times for table in tables),
    )


def _place(spec: TableSpec) -> Callable[[str], int]:
    """The place among the table's columns of the one that a tally begins with."""
    names = list(spec.columns)
    return lambda text: names.index(text.partition(":")[0].partition(".")[2])


def _check_spans(work: Work) -> None:
    """`call_end` before `call_start`, and calls over 24 hours."""
    if work.table == "calls" and "call_end" in work.made:
        length = (work.made["call_end"].rows() - work.made["call_start"].rows()).dt.total_microseconds()
        work.reject("call_end", "call_end is before call_start", length < 0)
        work.reject("call_end", "the call is over 24 h", length > DAY)


def _rejects(work: Work, faulty: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows with a problem, and beside them all that was written in them, as one text."""
    problem = work.problem.filter(work.problem > 0) - 1
    column, reason = (pl.Series(said, dtype=pl.String).gather(problem) for said in zip(*work.problems, strict=True))
    blank = pl.lit(None, pl.String)
    texts = [
        written_out(name, frame.schema[name]) if name in frame.columns else blank for name in TABLES[work.table].columns
    ]
    written = frame.select(pl.concat_str([text.fill_null("\0") for text in texts], separator="\1"))
    return faulty.select(
        "source_file",
        "source_record",
        column=column,
        reason=reason,
        patient_id=pl.col("patient_id") if "patient_id" in faulty.columns else pl.lit(None, pl.String),
        written=written.to_series(),
    )
