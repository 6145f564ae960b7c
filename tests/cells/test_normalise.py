"""Typing a table: in parts as in one, from categories as from text, and local times whatever the zone."""

import pickle
from datetime import datetime

import polars as pl
import pytest
from polars.testing import assert_frame_equal, assert_series_equal

from auditor import policy as policies
from auditor.cells import instants
from auditor.cells.normalise import Table, instant_columns, merge, normalise
from auditor.policy import Policy
from auditor.reading.ingest import REJECT_SCHEMA, Extract
from auditor.rules import select
from auditor.schema.tables import TABLES

MIDNIGHTS = [f"2026-03-{day:02} 00:00:00" for day in range(1, 25)]


@pytest.fixture
def policy() -> Policy:
    return policies.load("default", select, "America/New_York")


def visits(**columns: object) -> pl.DataFrame:
    """Two dozen visits of six patients, with faults, copies and contradictions."""
    count = 24
    frame = pl.DataFrame(
        {
            "visit_id": [f"v{number}" for number in range(count - 2)] + ["v0", "v1"],
            "patient_id": [f"p{number % 6}" for number in range(count - 2)] + ["p0", "p1"],
            "visit_start": [f"2026-03-{number % 22 + 1:02} 09:00" for number in range(count)],
            "status": [" Seen ", "completed", "lost", "LOST", None, "", "dna", "lost"] * 3,
            "problem_id": ["1E+5", "7", "7"] * 8,
            "cpt_codes": ["99213;G0438", "99213"] * 11 + ["99213", "36415"],
        }
    )
    frame = frame.with_columns(pl.Series(name, values) for name, values in columns.items())
    return frame.with_columns(
        source_file=pl.lit("visits.csv"), source_record=pl.int_range(1, count + 1, dtype=pl.UInt32)
    )


def typed(frame: pl.DataFrame, policy: Policy, **known: frozenset[str]) -> Table:
    return normalise(Extract(TABLES["visits"], (), frame, pl.DataFrame(schema=REJECT_SCHEMA)), policy, **known)


def same(one: Table, other: Table) -> None:
    assert_frame_equal(one.rejects, other.rejects)
    assert_frame_equal(one.unrecognised, other.unrecognised)
    assert (one.warnings, one.columns, one.has_local_times) == (other.warnings, other.columns, other.has_local_times)


@pytest.mark.parametrize(
    ("columns", "dates"),
    [
        ({}, set()),
        ({"booked_at": MIDNIGHTS}, {"booked_at"}),
        ({"booked_at": ["soon", *MIDNIGHTS[:20], "", "", ""]}, {"booked_at"}),
        ({"booked_at": [*MIDNIGHTS[:10], *["soon"] * 14]}, set()),
        ({"visit_end": [*MIDNIGHTS[:23], "2026-03-08 02:30"]}, set()),
    ],
)
def test_a_table_in_parts_is_the_table(policy: Policy, columns: dict[str, object], dates: set[str]):
    frame = visits(**columns)
    whole = typed(frame, policy)
    parts = frame.partition_by("patient_id")
    for name in set(instant_columns(TABLES["visits"])) & set(frame.columns):
        found = [instants.midnights(part[name], policy) for part in parts]
        enough = sum(count for _, count in found) >= instants.MIDNIGHT_COLUMN
        assert (all(dates_only for dates_only, _ in found) and enough) is (name in dates)
    known = {"date_columns": frozenset(dates), "columns": frozenset(whole.columns)}
    thin = [part.drop(name for name in part.columns if part[name].null_count() == part.height) for part in parts]
    tables = [pickle.loads(pickle.dumps(typed(part, policy, **known))) for part in thin]
    merged = merge(tables)
    same(merged, whole)
    rows = pl.concat(table.rows for table in tables)
    assert_frame_equal(rows.sort("source_record"), whole.rows.sort("source_record"))
    assert_frame_equal(merged.rows, whole.rows.clear())
    assert merge([whole]) is whole


def test_counts_of_parts_add_up(policy: Policy):
    frame = visits()
    table = merge([typed(part, policy) for part in frame.partition_by("patient_id")])
    assert table.unrecognised.rows() == [("visits", "status", "LOST", 3), ("visits", "status", "lost", 6)]
    assert list(table.tallies.values()) == [8]
    assert table.warnings[0].startswith("visits.problem_id: 8 identifiers look like rounded numbers")


@pytest.mark.parametrize("strangers", [0, 2_000])
def test_categories_are_typed_as_their_text_is(policy: Policy, strangers: int):
    """The categories may be shared with other columns, whose values are none of this one's."""
    frame = visits(soonest_available=["odd", "Y", None] * 8, global_days=["90", None, "x"] * 8)
    shared = pl.Categories.random()
    kept = pl.Series([f"-{number}" for number in range(strangers)], dtype=pl.Categorical(shared))
    names = [name for name, dtype in frame.schema.items() if dtype == pl.String and name != "source_file"]
    table = typed(frame.with_columns(pl.col(names).cast(pl.Categorical(shared))), policy)
    assert len(kept) == strangers
    same(table, typed(frame, policy))
    assert_frame_equal(table.rows, typed(frame, policy).rows)


@pytest.mark.parametrize("zone", ["America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "UTC"])
def test_many_local_times_are_read_as_each_is(zone: str):
    policy = policies.load("default", select, zone)
    at = pl.datetime_range(datetime(2011, 12, 27), datetime(2012, 11, 30), "17m", eager=True)
    some = at.gather_every(40)
    assert_series_equal(
        instants.read(at, policy).utc.gather_every(40),
        pl.concat(instants.read(some.slice(number, 1), policy).utc for number in range(len(some))),
    )


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([], (True, 0)),
        ([None, "", "soon"], (True, 0)),
        (["2026-03-01", " 2026-03-02 00:00 ", "3/2/2026", None], (True, 3)),
        (["2026-03-01", "2026-03-02 00:01"], (False, 2)),
        (["2026-03-02T00:00:00Z"] * 2_000, (True, 2_000)),
    ],
)
def test_midnights(policy: Policy, values: list[str | None], found: tuple[bool, int]):
    assert instants.midnights(pl.Series(values, dtype=pl.String), policy) == found
    assert instants.midnights(pl.Series(values, dtype=pl.Categorical), policy) == found


def test_forms_may_be_mixed_in_a_column(policy: Policy):
    written = [
        "2026-03-02T09:00:00",
        "2026-03-02T14:00:00Z",
        "2026-03-02 09:00",
        "3/2/2026 9:00 AM",
        "nine",
        None,
        "2026-03-02T14:00:00z",
    ]
    read = instants.read(pl.Series(written), policy)
    utc = datetime(2026, 3, 2, 14)
    assert read.utc.dt.replace_time_zone(None).to_list() == [utc, utc, utc, utc, None, None, utc]
    assert read.problem.to_list() == [0, 0, 0, 0, instants.UNREADABLE, 0, 0]
