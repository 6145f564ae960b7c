"""Text → typed rows, and rejects with reasons. Rows in = rows used + rejected, always. Source: SPEC.md section 2."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from auditor.cells import duplicates as records
from auditor.cells import values
from auditor.cells.duplicates import DUPLICATE
from auditor.cells.instants import DAY
from auditor.cells.values import Work
from auditor.policy import Policy
from auditor.reading.ingest import REJECT_SCHEMA, Extract
from auditor.schema.tables import Kind, TableSpec


@dataclass(frozen=True)
class Table:
    """One table's typed records.

    Every canonical column of the table is present in `rows` (null where the export has none); `columns` are those that
    exist. Instants are UTC datetimes with a `<name>_date_only` flag, dates are dates, durations are integer
    microseconds, money is Decimal, lists are sorted and without repeats. `rejects` is as in `ingest.Extract`.
    `tallies` are warnings that hold a `{count}`, with that count; `notes` are the other warnings.
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


def normalise(
    extract: Extract,
    policy: Policy,
    date_columns: frozenset[str] | None = None,
    columns: frozenset[str] | None = None,
) -> Table:
    """Type every row of a table, reject the rows that cannot be used, and merge rows of one id.

    Where the extract is only a part of a table, the whole table decides two things: `date_columns`, the instants and
    dates whose values are all midnight (see `instants.midnights`), and `columns`, the columns that exist.
    """
    spec, frame = extract.spec, extract.frame
    work = Work(policy, spec.name, frame.height, date_columns)
    blank = pl.repeat(None, frame.height, dtype=pl.String, eager=True)
    existing = [name for name in spec.columns if name in frame.columns or name in (columns or ())]
    for name in existing:
        values.read(work, spec.columns[name], frame[name] if name in frame.columns else blank)
    _check_spans(work)
    lacking = [column for name, column in spec.columns.items() if name not in existing]
    constants = {name: one for column in lacking for name, one in values.missing(policy, spec.name, column).items()}

    def typed(mask: pl.Series) -> pl.DataFrame:
        """The rows that the mask picks; all of them as they are, for wide tables are mostly sound."""
        some = None if mask.all() else mask
        return pl.DataFrame({name: made.rows(some) for name, made in work.made.items()}).with_columns(
            *(pl.lit(one).first().alias(name) for name, one in constants.items()),
            *(frame[name] if some is None else frame[name].filter(some) for name in ("source_file", "source_record")),
        )

    sound = work.problem == 0
    key = {name: work.made[name].rows() for name in spec.key if name in work.made}
    repeated = records.repeated(pl.DataFrame(key), sound)
    singles = typed(sound & ~repeated)
    faulty, repeats = (typed(mask) if mask.any() else singles.clear() for mask in (~sound, repeated))
    rows, again = records.one_per_id(spec, singles, repeats)
    rejects = pl.concat([extract.rejects, _rejects(work, faulty, frame.filter(~sound)), again])
    return Table(
        spec,
        frozenset(existing),
        rows,
        rejects.sort("source_file", "source_record"),
        pl.DataFrame(work.unrecognised, schema=_UNRECOGNISED, orient="row"),
        extract.warnings,
        work.tallies,
        work.has_local_times,
    )


_UNRECOGNISED = {"table": pl.String(), "column": pl.String(), "value": pl.String(), "count": pl.Int64()}


def merge(tables: Sequence[Table]) -> Table:
    """The parts of one table as one: what was counted and rejected. Its `rows` are kept only where it is a single part."""
    first = tables[0]
    if len(tables) == 1:
        return first
    place = pl.col("column").replace_strict(list(first.spec.columns), range(len(first.spec.columns)))
    unrecognised = pl.concat([table.unrecognised for table in tables])
    tallies = sum((Counter(table.tallies) for table in tables), Counter[str]())
    return Table(
        first.spec,
        frozenset[str]().union(*(table.columns for table in tables)),
        first.rows.clear(),
        pl.concat([table.rejects for table in tables]).sort("source_file", "source_record"),
        unrecognised.group_by("table", "column", "value").agg(pl.col("count").sum()).sort(place, "value"),
        tuple(dict.fromkeys(note for table in tables for note in table.notes)),
        {text: tallies[text] for text in sorted(tallies, key=_place(first.spec))},
        any(table.has_local_times for table in tables),
    )


def _place(spec: TableSpec) -> Callable[[str], int]:
    """The place among the table's columns of the one that a tally begins with."""
    names = list(spec.columns)
    return lambda text: names.index(text.partition(":")[0].partition(".")[2])


def instant_columns(spec: TableSpec) -> tuple[str, ...]:
    """The columns that hold instants or dates, and so may be date-only as a whole."""
    return tuple(column.name for column in spec.columns.values() if column.kind in (Kind.INSTANT, Kind.DATE))


def _check_spans(work: Work) -> None:
    """`call_end` before `call_start`, and calls over 24 hours."""
    if work.table == "calls" and "call_end" in work.made:
        length = (work.made["call_end"].rows() - work.made["call_start"].rows()).dt.total_microseconds()
        work.reject("call_end", "call_end is before call_start", length < 0)
        work.reject("call_end", "the call is over 24 h", length > DAY)


def _rejects(work: Work, faulty: pl.DataFrame, written: pl.DataFrame) -> pl.DataFrame:
    """The rows with a problem, typed and as written; of those written alike, all but the first are duplicates."""
    if faulty.is_empty():
        return pl.DataFrame(schema=REJECT_SCHEMA)
    again = written.select(~pl.struct(pl.exclude("source_file", "source_record")).is_first_distinct()).to_series()
    problem = work.problem.filter(work.problem > 0) - 1
    column, reason = (pl.Series(said, dtype=pl.String).gather(problem) for said in zip(*work.problems, strict=True))
    return faulty.select(
        "source_file",
        "source_record",
        column=pl.when(again).then(pl.lit("")).otherwise(column),
        reason=pl.when(again).then(pl.lit(DUPLICATE)).otherwise(reason),
        patient_id=pl.col("patient_id") if "patient_id" in faulty.columns else pl.lit(None, pl.String),
    )
