"""A chunk of typed rows → its profile. All plain aggregates are evaluated in one `select`.

Source: docs/specification.md#data-quality.
"""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import polars as pl

from auditor.parsing.duplicates import hashed
from auditor.parsing.identifiers import folded
from auditor.parsing.microseconds import HOUR
from auditor.parsing.typed_chunk import TypedChunk
from auditor.policy import Policy
from auditor.quality import placeholder_ids
from auditor.quality.profile import (
    LARGE_IDS,
    NO_TEXT,
    NORMALIZED_PROBLEMS,
    SKETCH_SIZE,
    Count,
    LargeIds,
    TableProfile,
    no_claimants,
    no_matches,
    smallest,
)
from auditor.quality.relationships import OF_LINES, ORIGINS, PREVIOUS_RECORD, Lookups
from auditor.reading.dictionary import detached
from auditor.schema.codes import FAMILY
from auditor.schema.tables import TABLES, Kind
from auditor.windows import visits as visit_windows

_NOTABLE_SHARE = 1_000
"""A patient with fewer than one row of so many is not counted in a chunk."""
_BITS = 14
"""Of a patient's hash: where all with the same are fewer rows than are worth counting, none is looked at."""
_SKETCHED = ("patient_id", "provider_id", "problem_id")
_DATES = {"calls": "call_start_date", "visits": "visit_start_date", "claims": "service_date"}
TIMED = {"calls": ("call_start", "call_end"), "visits": ("visit_start", "visit_end", "booked_at")}
"""The columns of instants."""
_LARGE_DIGITS, _LARGE = 16, r"^\d{16,38}(\.0)?$"
_SLASHED = r"^\s*(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})\b"

TIMES: Mapping[str, tuple[str, ...]] = {
    "calls": ("call_start", "call_start_date_only", "call_start_date", "call_end", "call_end_date_only"),
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


def counted(rows: pl.DataFrame, counts: Sequence[Count]) -> dict[str, int]:
    """The checks' counts alone."""
    found = rows.select(count.expression.alias(count.name) for count in counts) if counts else pl.DataFrame()
    return {count.name: int(found[count.name][0]) for count in counts}


def of_rows(table: str, rows: pl.DataFrame, counts: Sequence[Count], policy: Policy) -> TableProfile:
    """The plain aggregates of valid rows: the checks' counts, rows by date, and rows by local hour."""
    date_counts = pl.col(_DATES[table]).drop_nulls().value_counts(name="rows").implode()
    times = {
        name: (pl.col(name).filter(~pl.col(f"{name}_date_only")).drop_nulls().to_physical() // HOUR * HOUR)
        .value_counts(name="rows")
        .implode()
        for name in TIMED.get(table, ())
    }
    measured = rows.select(
        *(count.expression.alias(count.name) for count in counts),
        date_counts.alias("dates"),
        *(hours.alias(f"hours of {name}") for name, hours in times.items()),
    )
    return TableProfile(
        table=table,
        counts={count.name: int(measured[count.name][0]) for count in counts},
        rows_by_date=dict(measured["dates"][0].struct.unnest().rows()),
        rows_by_hour={
            name: found
            for name in times
            if len(rows_of := measured[f"hours of {name}"][0])
            and (found := _local_hours(rows_of.struct.unnest(), policy))
        },
    )


def _local_hours(hours: pl.DataFrame, policy: Policy) -> dict[int, int]:
    """Instants, cut to hours, and their rows → rows by local hour of day."""
    instant = pl.nth(0).cast(pl.Datetime("us", "UTC"))
    local = instant.dt.convert_time_zone(policy.timezone).dt.hour()
    return dict(hours.select(hour=local, rows="rows").drop_nulls().group_by("hour").agg(pl.sum("rows")).rows())


def of_ids(typed: TypedChunk, rows: pl.DataFrame, policy: Policy, lookups: Lookups) -> TableProfile:
    """What the ids of valid rows say. `rows`: the hashes of their IDS."""
    table = typed.spec.name
    hashes = {name: rows[name] for name in IDS[table]}
    sketched = [name for name in _SKETCHED if name in typed.blanks.columns]
    for name in {*sketched, *(column for column, _ in lookups.values())} - hashes.keys():
        hashes[name] = hashed([typed.values_where(name, typed.is_valid)])
    hashes["diagnosis_codes"] = hashed([typed.values_where("diagnosis_codes", typed.is_valid).explode()])
    if "problem_id" in sketched:
        problems = typed.values_where("problem_id", typed.is_valid).unique().to_frame("id").select(folded(pl.col("id")))
        hashes[NORMALIZED_PROBLEMS] = hashed([problems.to_series()])
        sketched.append(NORMALIZED_PROBLEMS)
    exact, matches = {}, []
    for pair, (column, ids) in lookups.items():
        wanted = typed.is_valid
        if pair in OF_LINES:
            wanted = wanted & _of_other_lines(typed, policy, visits=pair == "patient in billed visits")
        else:
            exact[pair] = ids.exact_matches(hashes[column])
        if pair.startswith(PREVIOUS_RECORD):  # such a record is there or not
            continue
        near = ids.pairs(typed.values_where(column, wanted), typed.byte_range(column))
        text = pl.col("text") if pair in ORIGINS else NO_TEXT
        if near.height:
            matches.append(near.select(name=pl.lit(pair), value="value", how="how", text=text).unique())
    calls = {"calls": ("call_id", "claim_id"), "claims": ("claim_id",)}  # a visit may say by either where it came from
    return TableProfile(
        table=table,
        rows_by_patient=_notable_patients(typed, hashes["patient_id"], policy),
        sketches={name: smallest(hashes[name]) for name in (*sketched, "diagnosis_codes")},
        call_hashes=pl.concat(
            [pl.Series(dtype=pl.UInt64), *(hashes[name].drop_nulls() for name in calls.get(table, ()))]
        ),
        id_hashes=exact,
        id_matches=detached(pl.concat([no_matches(), *matches])),
    )


def rows_by_id(typed: TypedChunk) -> dict[str, pl.DataFrame]:
    """As in the profile; the SKETCH_SIZE most frequent ids of the chunk."""
    found = {}
    for name in {"problem_id", "group_id"} & typed.parser.columns.keys():
        rows = typed.hashes(name).drop_nulls().alias("id").value_counts(name="rows")
        found[name] = rows.cast({"rows": pl.Int64}).top_k(SKETCH_SIZE, by="rows")
    return found


def large_ids(typed: TypedChunk) -> dict[str, LargeIds]:
    """As in the profile, of columns with an id above 2^53."""
    found = {}
    for name, column in typed.spec.columns.items():
        if column.kind is not Kind.ID or name not in typed.parser.columns or typed.byte_range(name).begins_with_capital:
            continue
        if large := large_ids_in(typed.parser.columns[name].values):
            found[name] = large
    return found


def large_ids_in(ids: pl.Series) -> LargeIds | None:
    """The ids above 2^53, if there is one."""
    long = ids.filter((ids.str.len_bytes() >= _LARGE_DIGITS).fill_null(False))
    if long.is_empty():
        return None
    number = long.filter(long.str.contains(_LARGE)).str.strip_suffix(".0").cast(pl.Int128).unique()
    number = number.filter(number > 1 << 53)
    is_exact = number.cast(pl.Float64).cast(pl.Int128) == number
    smallest_exact = number.filter(is_exact).sort().head(LARGE_IDS)
    return LargeIds(tuple(smallest_exact.to_list()), not is_exact.all()) if len(number) else None


def claimants(typed: TypedChunk) -> pl.DataFrame:
    """As in the profile."""
    if "claim_id" not in typed.parser.columns:
        return no_claimants()
    return pl.DataFrame({"claim": typed.hashes("claim_id"), "patient": typed.hashes("patient_id")}).drop_nulls()


def _of_other_lines(typed: TypedChunk, policy: Policy, *, visits: bool) -> pl.Series:
    """Which rows are lines with codes outside the family; or of these the active ones that bill visits."""
    codes = typed.column("cpt_code")
    if not visits:
        return codes.is_not_null() & ~codes.is_in(FAMILY).fill_null(False)
    rows = typed.columns("claim_status", "frequency_code")
    active = (pl.col("claim_status") == "active") & pl.col("frequency_code").ne_missing("void")
    return codes.is_in(policy.lists.visit_codes_in(codes.unique())).fill_null(False) & rows.select(active).to_series()


def _notable_patients(typed: TypedChunk, hashes: pl.Series, policy: Policy) -> dict[str, int]:
    """The patients with a share of the valid rows, and those that are placeholders by their looks, with their rows."""
    patients = typed.column("patient_id").filter(typed.is_valid)
    may_be_one = placeholder_ids.may_look_like_placeholder(patients, typed.byte_range("patient_id"), policy)
    candidates = patients.filter(may_be_one).unique().to_frame("value")
    placeholders = candidates.filter(placeholder_ids.looks_like_placeholder(pl.col("value"), policy))["value"].implode()
    bucket = (hashes.fill_null(0) // (1 << 64 - _BITS)).cast(pl.UInt32)
    crowded = pl.Series(np.bincount(bucket.to_numpy(), minlength=1 << _BITS) * _NOTABLE_SHARE > len(hashes))
    some = patients.filter(crowded.gather(bucket) | patients.is_in(placeholders)).drop_nulls().alias("value")
    notable = (pl.col("count") * _NOTABLE_SHARE > len(hashes)) | pl.col("value").is_in(placeholders)
    return dict(some.value_counts(name="count").filter(notable).rows())


def slashed_dates(table: str, written: pl.DataFrame, policy: Policy) -> tuple[frozenset[date], bool]:
    """The dates with slashes that can be read both ways, month first, and whether one of them cannot.

    `written`: a table's rows as they were read. Nothing where the policy says how such dates are to be read.
    """
    dates: set[date] = set()
    decided = False
    for name, column in TABLES[table].columns.items():
        if column.kind not in (Kind.INSTANT, Kind.DATE) or name not in written.columns or _says_slashes(policy):
            continue
        values = written[name]
        if values.dtype != pl.String or "/" not in "".join(_first_texts(values, written["source_file"])):
            continue
        parts_of = values.str.extract_groups(_SLASHED).struct.unnest().drop_nulls().cast(pl.Int32).unique()
        month, day, year = pl.col("1"), pl.col("2"), pl.col("3")
        if parts_of.select(((month > 12) | (day > 12)).any()).item():
            decided = True
        else:
            whole = pl.date(year + pl.when(year < 100).then(2000).otherwise(0), month, day)
            found = parts_of.filter((month > 0) & (day > 0)).select(whole.alias("date"))["date"]
            dates |= set(found.drop_nulls())
    return frozenset(dates), decided


def _first_texts(values: pl.Series, files: pl.Series) -> pl.Series:
    """The first text of each file, about."""
    texts = values.set(values == "", None).fill_null(strategy="backward")
    return texts.filter((files != files.shift(1)).fill_null(True)).drop_nulls()


def _says_slashes(policy: Policy) -> bool:
    return any("/" in form for form in policy.instant_formats)


def by_code(codes: pl.Series) -> dict[str, int]:
    """How many rows there are with each code of the family, and with none of them (blank)."""
    code = pl.when(codes.is_in(FAMILY)).then(codes).otherwise(pl.lit("")).alias("code")
    return dict(codes.to_frame().select(code)["code"].value_counts().rows())


def unlisted_codes(typed: TypedChunk, policy: Policy) -> dict[str, int]:
    """How many valid visits have each code that no list of the policy knows."""
    if "cpt_codes" not in typed.parser.columns:
        return {}
    codes = typed.parser.columns["cpt_codes"]
    unlisted = visit_windows.unlisted(codes.values, policy.lists).unique()
    has_unlisted = codes._replace(values=codes.values.list.set_intersection(unlisted.to_list()).list.len() > 0)
    all_codes = codes.decode(has_unlisted.decode().fill_null(False) & typed.is_valid).explode().drop_nulls()
    found = all_codes.filter(all_codes.is_in(unlisted.implode()))
    return dict(found.alias("code").value_counts().rows())
