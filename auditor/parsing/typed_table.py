"""What is known of a whole table once it is typed: its rows, rejects and warnings; and parts of one, merged.

Source: docs/specification.md#duplicates-and-conflicts.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from auditor.parsing.duplicates import DUPLICATE
from auditor.reading.ingest import REJECT_SCHEMA
from auditor.schema.tables import TableSpec

UNRECOGNISED = {"table": pl.String(), "column": pl.String(), "value": pl.String(), "count": pl.Int64()}
"""Words outside a vocabulary, and the rows that have them."""


@dataclass(frozen=True)
class Table:
    """One table's typed records. Rows in = rows used + rejected, always.

    `rows`: every canonical column, null where the export has none. Instants are UTC datetimes with a Boolean
    `<name>_date_only`, dates are Date, durations are integer microseconds, money is Decimal, lists are sorted and without
    repeats. `columns`: those that exist; an optional one that is blank in every row does not. `unusable`: the rejects of
    rows that cannot be used by themselves, as in `ingest.Extract`; `repeated`: those of copies and of rows that contradict
    each other, which may be on disk. `unrecognised`: as UNRECOGNISED. `tallies`: warnings with a `{count}`, and that count;
    `notes`: the other warnings. `recognized`: columns with a word of their vocabulary.
    """

    spec: TableSpec
    columns: frozenset[str]
    rows: pl.DataFrame
    unusable: pl.DataFrame
    unrecognised: pl.DataFrame
    notes: tuple[str, ...]
    tallies: Mapping[str, int]
    has_local_times: bool
    recognized: frozenset[str] = frozenset()
    repeated: tuple[pl.LazyFrame, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """The notes and the tallies as text."""
        return (*self.notes, *self.tallied)

    @property
    def tallied(self) -> tuple[str, ...]:
        return tuple(text.replace("{count}", str(count)) for text, count in self.tallies.items())

    @property
    def all_rejects(self) -> pl.LazyFrame:
        """All rejects (REJECT_SCHEMA), in no order."""
        return pl.concat([self.unusable.lazy().select(*REJECT_SCHEMA), *self.repeated])

    @property
    def rejects(self) -> pl.DataFrame:
        """All rejects in memory, sorted by file and record: for small tables."""
        return self.all_rejects.sort("source_file", "source_record").collect()

    @property
    def patients_with_rejects(self) -> pl.Series:
        """Patients with a rejected row other than a duplicate."""
        patients = self.all_rejects.filter(pl.col("reason") != DUPLICATE).select("patient_id").drop_nulls().unique()
        return patients.collect(engine="streaming").to_series()

    @cached_property
    def rejects_by_reason(self) -> pl.DataFrame:
        """How many rows of each file are rejected for a reason (`count`), and those without a patient (`unknown`)."""
        counts = self.all_rejects.group_by("source_file", "column", "reason").agg(
            count=pl.len(), unknown=pl.col("patient_id").null_count()
        )
        return counts.collect(engine="streaming")

    @property
    def faulty(self) -> pl.DataFrame:
        """`rejects_by_reason` without the duplicates."""
        return self.rejects_by_reason.filter(pl.col("reason") != DUPLICATE)


def merge(tables: Sequence[Table]) -> Table:
    """Merge the parts of one table, given in order: counts add up. `rows` are those of the first part."""
    first = tables[0]
    if len(tables) == 1:
        return first
    names = list(first.spec.columns)
    column_order = pl.col("column").replace_strict(names, range(len(names)))
    unrecognised = pl.concat([table.unrecognised for table in tables])
    tallies = sum((Counter(table.tallies) for table in tables), Counter[str]())
    return Table(
        first.spec,
        frozenset[str]().union(*(table.columns for table in tables)),
        first.rows,
        pl.concat([table.unusable for table in tables]),
        unrecognised.group_by("table", "column", "value").agg(pl.col("count").sum()).sort(column_order, "value"),
        tuple(dict.fromkeys(note for table in tables for note in table.notes)),
        {text: tallies[text] for text in sorted(tallies, key=lambda text: names.index(re.split("[.:]", text)[1]))},
        any(table.has_local_times for table in tables),
        frozenset[str]().union(*(table.recognized for table in tables)),
        tuple(rejects for table in tables for rejects in table.repeated),
    )


def of_repeats(spec: TableSpec, no_rows: pl.DataFrame, rejects: pl.DataFrame) -> Table:
    """The rejects of rows that share ids, as a part of a table."""
    none = pl.DataFrame(schema={**REJECT_SCHEMA, "written": pl.String()}), pl.DataFrame(schema=UNRECOGNISED)
    return Table(spec, frozenset(), no_rows, *none, (), {}, False, repeated=(rejects.lazy(),))


def copies_marked(unusable: pl.DataFrame) -> pl.DataFrame:
    """The rejects of all rows that cannot be used. Of those written alike, all but the first are duplicates."""
    written_before = pl.col("written").is_not_null() & ~pl.col("written").is_first_distinct()
    return unusable.with_columns(
        column=pl.when(written_before).then(pl.lit("")).otherwise("column"),
        reason=pl.when(written_before).then(pl.lit(DUPLICATE)).otherwise("reason"),
    ).drop("written")
