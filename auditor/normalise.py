"""Text → typed rows, and rejects with reasons. Rows in = rows used + rejected, always. Source: SPEC.md section 2."""

from dataclasses import dataclass

import polars as pl

from auditor import records, values
from auditor.ingest import Extract
from auditor.policy import Policy
from auditor.records import DUPLICATE
from auditor.tables import TableSpec
from auditor.values import DAY, Work


@dataclass(frozen=True)
class Table:
    """One table's typed records.

    Every canonical column of the table is present in `rows` (null where the export has none); `columns` are those that
    exist. Instants are UTC datetimes with a `<name>_date_only` flag, dates are dates, durations are integer
    microseconds, money is Decimal, lists are sorted and without repeats. `rejects` is as in `ingest.Extract`.
    """

    spec: TableSpec
    columns: frozenset[str]
    rows: pl.DataFrame
    rejects: pl.DataFrame
    unrecognised: pl.DataFrame
    warnings: tuple[str, ...]
    has_local_times: bool

    @property
    def tainted(self) -> pl.Series:
        """Patients with a rejected row other than a duplicate."""
        return self.faulty["patient_id"].drop_nulls().unique()

    @property
    def faulty(self) -> pl.DataFrame:
        """The rejects without the duplicates."""
        return self.rejects.filter(pl.col("reason") != DUPLICATE)


def normalise(extract: Extract, policy: Policy) -> Table:
    """Type every row of a table, reject the rows that cannot be used, and merge rows of one id."""
    spec, frame = extract.spec, extract.frame
    work = Work(policy, spec.name, frame.height)
    existing = [column for column in spec.columns.values() if column.name in frame.columns]
    for column in existing:
        values.read(work, column, frame[column.name])
    for column in spec.columns.values():
        if column not in existing:
            values.add_missing(work, column)
    _check_spans(work)
    typed = pl.DataFrame(work.made).with_columns(frame["source_file"], frame["source_record"], problem=work.problem)
    rows, repeats = records.one_per_id(spec, typed.drop("problem"), work.problem == 0)
    rejects = pl.concat([extract.rejects, _rejects(work, typed, frame), repeats])
    return Table(
        spec,
        frozenset(column.name for column in existing),
        rows,
        rejects.sort("source_file", "source_record"),
        pl.DataFrame(work.unrecognised, schema=["table", "column", "value", "count"], orient="row")
        if work.unrecognised
        else pl.DataFrame(schema={"table": pl.String, "column": pl.String, "value": pl.String, "count": pl.Int64}),
        (*extract.warnings, *work.warnings),
        work.has_local_times,
    )


def _check_spans(work: Work) -> None:
    """`call_end` before `call_start`, and calls over 24 hours."""
    if work.table != "calls":
        return
    length = (work.made["call_end"] - work.made["call_start"]).dt.total_microseconds()
    work.reject("call_end", "call_end is before call_start", length < 0)
    work.reject("call_end", "the call is over 24 h", length > DAY)


def _rejects(work: Work, typed: pl.DataFrame, written: pl.DataFrame) -> pl.DataFrame:
    """The rows with a problem; of rows that are written alike, all but the first are duplicates."""
    faulty = work.problem > 0
    cells = pl.struct(pl.exclude("source_file", "source_record"))
    again = written.filter(faulty).select(~cells.is_first_distinct()).to_series()
    bad = typed.filter(faulty).with_columns(again=again)
    patient = pl.col("patient_id") if "patient_id" in typed.columns else pl.lit(None, pl.String)
    problems = pl.DataFrame(
        {
            "problem": range(1, len(work.problems) + 1),
            "column": [column for column, _ in work.problems],
            "reason": [reason for _, reason in work.problems],
        },
        schema={"problem": pl.UInt16, "column": pl.String, "reason": pl.String},
    )
    return bad.join(problems, on="problem", how="left").select(
        "source_file",
        "source_record",
        column=pl.when("again").then(pl.lit("")).otherwise("column"),
        reason=pl.when("again").then(pl.lit(DUPLICATE)).otherwise("reason"),
        patient_id=patient,
    )
