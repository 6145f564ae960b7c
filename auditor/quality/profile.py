"""The profile of a table: mergeable statistics of all its rows, as one tall frame.

Source: docs/specification.md#data-quality.

Merging is commutative and associative: parts add up in any order.

`what` | `name`                          | `value`               | `how`
-------|---------------------------------|-----------------------|------------------------------------
id     | name of a relationship          | an id that matches    | what a normalized match differs in
patient| -                               | with a share of rows  | -
few    | a column of ids, or diagnoses   | -                     | -
day    | -                               | local date            | -
hour   | column of instants              | local hour            | -
order  | two columns of times            | `right` or `wrong`    | -
slashed| -                               | date read month first, or `sure` | -
code   | column of codes                 | in no list            | -
call   | blank, or claim: of claim_ids   | -                     | -
used   | code of the family, or blank    | -                     | -
lost   | code of the family, or blank    | -                     | -

`count` are rows, but for ids, whose presence counts. `few` has the sketch of the distinct values in one row, calls
those of all, and so have ids that match exactly, until `resolve_ids` puts the ids in their place.
"""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import polars as pl

from auditor.parsing.duplicates import hashed
from auditor.parsing.microseconds import HOUR
from auditor.parsing.typed_chunk import TypedChunk
from auditor.policy import Policy
from auditor.quality import placeholder_ids
from auditor.quality.relationships import Lookups
from auditor.schema.codes import FAMILY
from auditor.schema.tables import TABLES, Kind

SCHEMA = {"what": pl.String(), "name": pl.String(), "value": pl.String(), "how": pl.String(),
          "hashes": pl.List(pl.UInt64), "count": pl.Int64()}  # fmt: skip
_NOTABLE_SHARE = 1_000
"""A patient with fewer than one row of so many is not counted in a chunk."""
_BITS = 14
"""Of a patient's hash: where all with the same are fewer rows than are worth counting, none is looked at."""
SKETCH_SIZE = 20_000
"""Size of the KMV sketch (the k smallest hashes) that is kept per column."""
_SKETCHED = ("patient_id", "provider_id", "problem_id")
_DAYS = {"calls": "call_start_date", "visits": "visit_start_date", "claims": "service_date"}
_TIMED = {"calls": ("call_start",), "visits": ("visit_start", "booked_at")}
_ORDERED = (("booked_at", "visit_start"), ("visit_start", "visit_end"))
"""Two times, of which the first should not be after the second."""
_SLASHED = r"^\s*(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})\b"

TIMES: Mapping[str, tuple[str, ...]] = {
    "calls": ("call_start", "call_start_date_only", "call_start_date"),
    "visits": ("visit_start_date",
               *(f"{name}{only}" for name in ("visit_start", "visit_end", "booked_at") for only in ("", "_date_only"))),
    "claims": ("service_date",),
}  # fmt: skip
IDS: Mapping[str, tuple[str, ...]] = {
    "calls": ("patient_id", "call_id", "claim_id"),
    "visits": ("patient_id", "visit_id"),
    "claims": ("patient_id", "claim_id", "call_id"),
}
"""The columns that are looked at in every row; of the ids, their hashes."""


def of_times(table: str, rows: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """What the TIMES of sound rows of a table say."""
    parts = [_rows("day", "", _counted(rows[_DAYS[table]]))]
    for name in _TIMED.get(table, ()):
        times = rows[name].to_physical().filter(~rows[f"{name}_date_only"]).drop_nulls()
        hours = (times // HOUR * HOUR).alias("hour").value_counts(name="count")
        local = pl.col("hour").cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(policy.timezone).dt.hour()
        parts.append(_rows("hour", name, hours.group_by(value=local.cast(pl.String)).agg(pl.sum("count"))))
    for first, second in _ORDERED if table == "visits" else ():
        timed = ~pl.col(f"{first}_date_only") & ~pl.col(f"{second}_date_only")
        wrong = rows.lazy().select(wrong=pl.when(timed).then(pl.col(first) > pl.col(second))).drop_nulls().collect()
        verdict = pl.when(pl.col("wrong")).then(pl.lit("wrong")).otherwise(pl.lit("right"))
        counts = wrong["wrong"].value_counts(name="count").select("count", value=verdict)
        parts.append(_rows("order", f"{first} and {second}", counts))
    return pl.concat(parts)


def of_ids(typed: TypedChunk, rows: pl.DataFrame, policy: Policy, lookups: Lookups) -> pl.DataFrame:
    """What the ids of sound rows say. `rows`: the hashes of their IDS."""
    hashes = {name: rows[name] for name in IDS[typed.spec.name]}
    sketched = [name for name in _SKETCHED if name in typed.blanks.columns]
    for name in {*sketched, *(column for column, _ in lookups.values())} - hashes.keys():
        hashes[name] = hashed([typed.values_where(name, typed.is_valid)])
    hashes["diagnosis_codes"] = hashed([typed.values_where("diagnosis_codes", typed.is_valid).explode()])
    parts = [
        _rows(
            "patient",
            "",
            _notable_patients(typed.column("patient_id").filter(typed.is_valid), hashes["patient_id"], policy),
        ),
        *(_hashes("few", name, _smallest(hashes[name])) for name in (*sketched, "diagnosis_codes")),
    ]
    if typed.spec.name == "calls":
        parts.append(_hashes("call", "", hashes["call_id"]))
    if typed.spec.name in ("calls", "claims"):  # a visit may say by either id where it came from
        parts.append(_hashes("call", "claim", hashes["claim_id"].drop_nulls()))
    for pair, (column, ids) in lookups.items():
        if pair == "patient in other lines":
            codes = typed.column("cpt_code")
            others = typed.is_valid & codes.is_not_null() & ~codes.is_in(FAMILY).fill_null(False)
            parts.append(
                _rows(
                    "id",
                    pair,
                    ids.normalized_matches(typed.values_where(column, others), typed.chunk.hints.byte_range(column)),
                )
            )
            continue
        parts.append(_hashes("id", pair, ids.exact_matches(hashes[column])))
        parts.append(
            _rows(
                "id",
                pair,
                ids.normalized_matches(
                    typed.values_where(column, typed.is_valid), typed.chunk.hints.byte_range(column)
                ),
            )
        )
    return pl.concat(parts)


def _notable_patients(patients: pl.Series, hashes: pl.Series, policy: Policy) -> pl.DataFrame:
    """The patients with a share of the rows, and those that are placeholders by their looks: `value` and `count`."""
    distinct = patients.filter(hashes.is_first_distinct() & hashes.is_not_null()).to_frame("value")
    placeholders = distinct.filter(placeholder_ids.looks_like_placeholder(pl.col("value"), policy))["value"].implode()
    bucket = (hashes.fill_null(0) // (1 << 64 - _BITS)).cast(pl.UInt32)
    crowded = pl.Series(np.bincount(bucket.to_numpy(), minlength=1 << _BITS) * _NOTABLE_SHARE > len(hashes))
    counts = _counted(patients.filter(crowded.gather(bucket) | patients.is_in(placeholders)))
    return counts.filter((pl.col("count") * _NOTABLE_SHARE > len(hashes)) | pl.col("value").is_in(placeholders))


def days(profile: pl.DataFrame) -> dict[date, int]:
    """Rows by local date, of what a table's rows say."""
    rows = profile.filter(pl.col("what") == "day").select("value", "count").iter_rows()
    return {date.fromisoformat(day): count for day, count in rows}


def distinct_counts(profile: pl.DataFrame) -> dict[str, int]:
    """How many different patients, providers, problems and diagnosis categories there are, about as many where many."""
    counts = {}
    for name in sorted(profile.filter(what="few")["name"].unique()):
        hashes = smallest_hashes(profile, name)
        if count := len(hashes):  # of all hashes, up to the last that is kept
            counts[name] = count if count < SKETCH_SIZE else round((count - 1) / max(hashes) * 2**64)
    return counts


def smallest_hashes(profile: pl.DataFrame, name: str) -> list[int]:
    """The hashes of a column that are kept."""
    return profile.filter(what="few", name=name)["hashes"].explode().drop_nulls().to_list()


def of_dates(table: str, written: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """The dates with slashes that can be read both ways, month first; `sure` where one of them cannot, and tells.

    `written`: a table's rows as they were read. Nothing where the policy says how such dates are to be read.
    """
    parts = []
    for name, column in TABLES[table].columns.items():
        if column.kind not in (Kind.INSTANT, Kind.DATE) or name not in written.columns or _says_slashes(policy):
            continue
        values = written[name]
        if values.dtype != pl.String or "/" not in "".join(_first_texts(values, written["source_file"])):
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


def _first_texts(values: pl.Series, files: pl.Series) -> pl.Series:
    """The first text of each file, about."""
    texts = values.set(values == "", None).fill_null(strategy="backward")
    return texts.filter((files != files.shift(1)).fill_null(True)).drop_nulls()


def _says_slashes(policy: Policy) -> bool:
    return any("/" in form for form in policy.instant_formats)


def of_codes(measure: str, codes: pl.Series) -> pl.DataFrame:
    """How many rows there are with each code of the family, and with none of them."""
    code = pl.when(codes.is_in(FAMILY)).then(codes).otherwise(pl.lit("")).alias("name")
    return codes.to_frame().select(code).group_by("name").agg(count=pl.len()).select(
        what=pl.lit(measure), name="name", value=pl.lit(""), how=pl.lit(""), hashes=pl.lit(None, SCHEMA["hashes"]),
        count=pl.col("count").cast(pl.Int64),
    )  # fmt: skip


def of_values(measure: str, name: str, values: pl.Series) -> pl.DataFrame:
    """How many rows there are with each value."""
    return _rows(measure, name, _counted(values))


def merge(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Merge profiles of parts of a table."""
    rows, hashes = pl.concat([pl.DataFrame(schema=SCHEMA), *parts]), pl.col("hashes")
    counted = (
        rows.filter(hashes.is_null()).group_by("what", "name", "value", "how").agg(hashes.first(), pl.sum("count"))
    )
    merged = [counted]
    for (measure, name), sketches in (
        rows.filter(hashes.is_not_null()).partition_by("what", "name", as_dict=True).items()
    ):
        all_hashes = sketches["hashes"].explode()
        merged.append(_hashes(str(measure), str(name), _smallest(all_hashes) if measure == "few" else all_hashes))
    return pl.concat(merged)


def call_hashes(profile: pl.DataFrame) -> pl.Series:
    """The hashes of the ids that a visit may have come from: of all calls, and of their claims."""
    return profile.filter(what="call")["hashes"].explode().drop_nulls()


def resolve_ids(profile: pl.DataFrame, lookups: Lookups) -> pl.DataFrame:
    """Put the ids that were looked up in place of their hashes."""
    of_ids = (pl.col("what") == "id") & pl.col("hashes").is_not_null()
    hashes = profile.filter(of_ids).select("name", "hashes")
    found = (
        _rows("id", pair, ids.of(hashes.filter(name=pair)["hashes"].explode())) for pair, (_, ids) in lookups.items()
    )
    return pl.concat([profile.filter(~of_ids), *found])


def _rows(measure: str, name: str, values: pl.DataFrame) -> pl.DataFrame:
    """Values, with how many or how, as rows of the tall frame."""
    columns = set(values.columns)
    return values.select(
        what=pl.lit(measure),
        name=pl.lit(name),
        value="value",
        how="how" if "how" in columns else pl.lit(""),
        hashes=pl.lit(None, SCHEMA["hashes"]),
        count=(pl.col("count") if "count" in columns else pl.lit(1)).cast(pl.Int64),
    )


def _hashes(measure: str, name: str, hashes: pl.Series) -> pl.DataFrame:
    """Hashes as a row of the tall frame."""
    return pl.DataFrame(
        {"what": [measure], "name": [name], "value": [""], "how": [""], "hashes": hashes.implode(), "count": [1]},
        schema=SCHEMA,
    )


def _counted(values: pl.Series) -> pl.DataFrame:
    counts = values.drop_nulls().alias("value").value_counts(name="count")
    return counts.with_columns(pl.col("value").cast(pl.String))


def _smallest(hashes: pl.Series) -> pl.Series:
    """The smallest of the different hashes."""
    return hashes.drop_nulls().unique().bottom_k(SKETCH_SIZE)
