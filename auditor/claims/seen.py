"""What all rows of a table say for the doors of SPEC.md section 11, as one tall frame; parts add up in any order.

`what` | `name`                          | `value`               | `how`
-------|---------------------------------|-----------------------|------------------------------------
id     | pair of `joins`                 | an id that was sought | what a nearly equal one differs in
patient| -                               | with a share of rows  | -
few    | `patient_id`, `provider_id`     | hash of one           | -
day    | -                               | local date            | -
hour   | column of instants              | local hour            | -
link   | `problem_id`, `diagnosis_codes` | hash of one           | -
order  | two columns of times            | `right` or `wrong`    | -
slashed| -                               | date read month first, or `sure` | -
code   | column of codes                 | in no list            | -
used   | code of the family, or blank    | -                     | -
lost   | code of the family, or blank    | -                     | -

`count` are rows, but for ids and hashes, whose presence counts. Of hashes the smallest are kept.
"""

from collections.abc import Mapping, Sequence
from datetime import date

import polars as pl

from auditor.claims import placeholders
from auditor.claims.joins import Sought
from auditor.policy import Policy
from auditor.schema.codes import FAMILY
from auditor.schema.tables import TABLES, Kind

SCHEMA = {"what": pl.String(), "name": pl.String(), "value": pl.String(), "how": pl.String(), "count": pl.Int64()}
_WORTH_COUNTING = 1_000
"""A patient with fewer than one row of so many is not counted in a chunk."""
HASHES = 20_000
"""Of a table and a kind of links."""
_DAYS = {"calls": "call_start_date", "visits": "visit_start_date", "claims": "service_date"}
_TIMED = {"calls": ("call_start",), "visits": ("visit_start", "booked_at")}
_ORDERED = (("booked_at", "visit_start"), ("visit_start", "visit_end"))
"""Two times, of which the first should not be after the second."""
_SLASHED = r"^\s*(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})\b"

_OF_ALL = ("patient_id", "provider_id")
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "calls": (*_OF_ALL, "call_id", "problem_id", "call_start", "call_start_date_only", "call_start_date"),
    "visits": (*_OF_ALL, "visit_id", "originating_call_id", "problem_id", "visit_start_date",
               *(f"{name}{only}" for name in ("visit_start", "visit_end", "booked_at") for only in ("", "_date_only"))),
    "claims": (*_OF_ALL, "service_date"),
}  # fmt: skip
"""The columns that are looked at."""


def of_rows(table: str, rows: pl.DataFrame, diagnoses: pl.Series, policy: Policy, sought: Sought) -> pl.DataFrame:
    """What sound rows of a table say. `diagnoses`: their different lists of categories."""
    patient, count = pl.col("patient_id"), pl.col("count")
    patients = rows.lazy().filter(patient.is_not_null()).group_by(value=patient).agg(count=pl.len()).collect()
    worth = (count * _WORTH_COUNTING > rows.height) | placeholders.is_named(pl.col("value"), policy)
    different: dict[str, pl.Series] = {
        name: rows[name].unique() for name in ("provider_id", "problem_id") if name in rows.columns
    }
    different["patient_id"] = patients["value"]
    parts = [
        _part("patient", "", patients.filter(worth)),
        _part("day", "", _counted(rows[_DAYS[table]])),
        _part("link", "diagnosis_codes", _hashes(diagnoses.explode())),
    ]
    for name, values in different.items():
        parts.append(_part("link" if name == "problem_id" else "few", name, _hashes(values)))
    for name, (column, ids) in sought.items():
        if column not in different:
            different[column] = rows[column] if (column,) == TABLES[table].key else rows[column].unique()
        parts.append(_part("id", name, ids.matched(different[column])))
    for name in _TIMED.get(table, ()):
        at_all = rows.lazy().filter(~pl.col(f"{name}_date_only")).select(hour=pl.col(name).dt.truncate("1h"))
        hours = at_all.drop_nulls().group_by("hour").agg(count=pl.len()).collect()
        at = pl.col("hour").dt.convert_time_zone(policy.timezone).dt.hour().cast(pl.String)
        parts.append(_part("hour", name, hours.group_by(value=at).agg(pl.sum("count"))))
    for first, second in _ORDERED if table == "visits" else ():
        timed = ~pl.col(f"{first}_date_only") & ~pl.col(f"{second}_date_only")
        wrong = rows.lazy().select(wrong=pl.when(timed).then(pl.col(first) > pl.col(second))).drop_nulls().collect()
        words = pl.when(pl.col("wrong")).then(pl.lit("wrong")).otherwise(pl.lit("right"))
        counts = wrong["wrong"].value_counts(name="count").select("count", value=words)
        parts.append(_part("order", f"{first} and {second}", counts))
    return pl.concat(parts)


def days(said: pl.DataFrame) -> dict[date, int]:
    """Rows by local date, of what a table's rows say."""
    rows = said.filter(pl.col("what") == "day").select("value", "count").iter_rows()
    return {date.fromisoformat(day): count for day, count in rows}


def different(said: pl.DataFrame) -> dict[str, int]:
    """How many different patients, providers, problems and diagnosis categories there are, about as many where many."""
    made = {}
    hashes = said.filter(pl.col("what").is_in(["few", "link"])).group_by("name").agg(pl.len(), pl.col("value").max())
    for name, count, last in hashes.sort("name").iter_rows():
        share = int(last) / 2**64  # of all hashes, up to the last that is kept
        made[name] = count if count < HASHES else round((count - 1) / share)
    return made


def of_dates(table: str, written: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """The dates with slashes that can be read both ways, month first; `sure` where one of them cannot, and tells.

    `written`: a table's rows as they were read. Nothing where the policy says how such dates are to be read.
    """
    parts = []
    for name, column in TABLES[table].columns.items():
        if column.kind not in (Kind.INSTANT, Kind.DATE) or name not in written.columns or _says_slashes(policy):
            continue
        values = written[name]
        first = values.drop_nulls().head(1)
        if values.dtype != pl.String or "/" not in "".join(first):
            continue
        parts_of = values.str.extract_groups(_SLASHED).struct.unnest().drop_nulls().cast(pl.Int32).unique()
        month, day, year = pl.col("1"), pl.col("2"), pl.col("3")
        if parts_of.select(((month > 12) | (day > 12)).any()).item():
            dates = pl.Series(["sure"])
        else:
            whole = pl.date(year + pl.when(year < 100).then(2000).otherwise(0), month, day)
            dates = parts_of.filter((month > 0) & (day > 0)).select(whole.cast(pl.String)).to_series()
        parts.append(of_values("slashed", "", dates))
    return merge(parts)


def _says_slashes(policy: Policy) -> bool:
    return any("/" in form for form in policy.instant_formats)


def of_codes(what: str, codes: pl.Series) -> pl.DataFrame:
    """How many rows there are with each code of the family, and with none of them."""
    named = pl.when(codes.is_in(FAMILY)).then(codes).otherwise(pl.lit("")).alias("name")
    return codes.to_frame().select(named).group_by("name").agg(count=pl.len()).select(
        what=pl.lit(what), name="name", value=pl.lit(""), how=pl.lit(""), count=pl.col("count").cast(pl.Int64)
    )  # fmt: skip


def of_values(what: str, name: str, values: pl.Series) -> pl.DataFrame:
    """How many rows there are with each value."""
    return _part(what, name, _counted(values))


def merge(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """What all parts say together."""
    rows = (
        pl.concat([pl.DataFrame(schema=SCHEMA), *parts]).group_by("what", "name", "value", "how").agg(pl.sum("count"))
    )
    hashes = pl.col("what").is_in(["few", "link"])
    least = rows.filter(hashes).sort("value").group_by("what", "name", maintain_order=True).head(HASHES)
    return pl.concat([rows.filter(~hashes), least.select(rows.columns)])


def _part(what: str, name: str, found: pl.DataFrame) -> pl.DataFrame:
    """Values, with how many or how, as rows of the tall frame."""
    blank, one = pl.lit(""), pl.lit(1)
    return found.select(
        what=pl.lit(what),
        name=pl.lit(name),
        value=pl.col("value"),
        how="how" if "how" in found.columns else blank,
        count=(pl.col("count") if "count" in found.columns else one).cast(pl.Int64),
    )


def _counted(values: pl.Series) -> pl.DataFrame:
    counts = values.drop_nulls().alias("value").value_counts(name="count")
    return counts.with_columns(pl.col("value").cast(pl.String))


def _hashes(values: pl.Series) -> pl.DataFrame:
    """The smallest of the different values' hashes, as texts of equal length."""
    hashes = values.drop_nulls().unique().hash().unique().bottom_k(HASHES)
    return hashes.cast(pl.String).str.zfill(20).alias("value").to_frame()
