"""Typing a table: in parts as in one, from categories as from text, and local times whatever the zone."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal, assert_series_equal

from auditor import policy as policies
from auditor.parsing import instants, values
from auditor.parsing.normalise import Table, normalise, type_rows
from auditor.policy import Policy
from auditor.prefilter.chunk_typer import ChunkSummary, ChunkTyper
from auditor.prefilter.key_scan import KeyScan, repeated_hashes
from auditor.prefilter.membership_filter import MembershipFilter
from auditor.reading.dictionary import NO_HINTS, ColumnHints
from auditor.reading.ingest import REJECT_SCHEMA, Chunk, Extract
from auditor.rules import select
from auditor.schema.tables import TABLES
from tests.support.reading import HEADER, ROWS, TEXT, one

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


def typed(frame: pl.DataFrame, policy: Policy) -> Table:
    return normalise(Extract(TABLES["visits"], (), frame, pl.DataFrame(schema=REJECT_SCHEMA)), policy)


def same(one: Table, other: Table) -> None:
    assert_frame_equal(one.rejects, other.rejects)
    assert_frame_equal(one.unrecognised, other.unrecognised)
    assert (one.warnings, one.columns, one.has_local_times) == (other.warnings, other.columns, other.has_local_times)


def in_chunks(frame: pl.DataFrame, size: int, policy: Policy) -> tuple[pl.DataFrame, ChunkSummary]:
    """The table typed chunk after chunk, every row kept; once more where that tells which columns are date-only."""
    everything = lambda rows: pl.repeat(True, rows.height, dtype=pl.Boolean, eager=True)  # noqa: E731
    look = KeyScan("visits", policy, False, False, values.blanks("visits", policy))
    chunks = [Chunk(some, pl.DataFrame(schema=REJECT_SCHEMA)) for some in frame.iter_slices(size)]
    chunks = [Chunk(_thin(chunk.frame), chunk.malformed) for chunk in chunks]
    ids = repeated_hashes([look(chunk)[0] for chunk in chunks])
    work = ChunkTyper(scan=look, repeated=MembershipFilter(ids), row_filter=everything, with_spans=False, lookups={})
    kept, message_text = zip(*map(work, chunks), strict=True)
    rows, whole = work.merge(message_text, ())
    if whole.date_only:
        work = replace(work, date_only=whole.date_only)
        kept, message_text = zip(*map(work, chunks), strict=True)
        rows, whole = work.merge(message_text, ())
    return pl.concat([*kept, rows]), whole


def _thin(frame: pl.DataFrame) -> pl.DataFrame:
    """Without the columns that are blank throughout: another file of the table may lack them."""
    return frame.drop(name for name in frame.columns if frame[name].null_count() == frame.height)


@pytest.mark.parametrize("size", [1, 7, 24])
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
def test_a_table_in_chunks_is_the_table(policy: Policy, columns: dict[str, object], dates: set[str], size: int):
    frame = visits(**columns)
    whole = typed(frame, policy)
    rows, message_text = in_chunks(frame, size, policy)
    same(replace(message_text.table, notes=()), whole)  # lost times are told of the whole
    assert_frame_equal(rows.sort("source_record"), whole.rows.sort("source_record"))
    assert message_text.date_only == dates


def test_counts_of_parts_add_up(policy: Policy):
    _, message_text = in_chunks(visits(), 5, policy)
    assert message_text.table.unrecognised.rows() == [("visits", "status", "LOST", 3), ("visits", "status", "lost", 6)]
    assert list(message_text.table.tallies.values()) == [8]
    assert message_text.table.warnings[0].startswith("visits.problem_id: 8 identifiers look like rounded numbers")


@pytest.mark.parametrize("strangers", [0, 2_000])
def test_packed_columns_are_typed_as_their_text_is(policy: Policy, strangers: int):
    """The different texts may be those of more rows."""
    frame = visits(soonest_available=["odd", "Y", None] * 8, global_days=["90", None, "x"] * 8)
    more = pl.Series([f"-{number}" for number in range(strangers)], dtype=pl.String)
    names = [
        name for name, dtype in frame.schema.items() if dtype == pl.String and name not in ("source_file", "status")
    ]
    texts = {name: pl.concat([more, frame[name].drop_nulls().unique().sort()]).alias(name) for name in names}
    places = [frame[name].replace_strict(texts[name], pl.int_range(len(texts[name]), eager=True), return_dtype=pl.UInt32)
              for name in names]  # fmt: skip
    packed = Chunk(frame.with_columns(places), pl.DataFrame(schema=REJECT_SCHEMA), hints=ColumnHints(texts))
    assert_frame_equal(packed.written(), frame)
    made, plain = (
        type_rows(TABLES["visits"], chunk, policy, values.blanks("visits", policy))
        for chunk in (packed, replace(packed, frame=frame, hints=NO_HINTS))
    )
    same(made.table(), plain.table())
    assert_frame_equal(made.rows(made.is_valid), plain.rows(plain.is_valid))


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
    ("written", "found"),
    [
        ([], (0, 0, 0)),
        ([None, "soon"], (0, 0, 0)),
        (["2026-03-01", "2026-03-02 00:00", "3/2/2026", None], (3, 3, 2)),
        (["2026-03-01", "2026-03-02 00:01"], (1, 2, 1)),
        (["2026-03-02T00:00:00Z"] * 2_000, (2_000, 2_000, 0)),
    ],
)
def test_midnights(policy: Policy, written: list[str | None], found: tuple[int, int, int]):
    assert instants.read(pl.Series(written, dtype=pl.String), policy).midnights == found


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


def test_rows_of_one_id(tmp_path: Path, policy: Policy):
    rows = """1,P1,2026-03-02 09:00,seen,E11.9;I10
1,P1,2026-03-02 09:00,completed,F32.1
1,P1,2026-03-02T09:00,seen,F32.1
2,P2,2026-03-02 09:00,seen,
2,P2,2026-03-02 10:00,seen,
3,P3,2026-03-02 09:00,seen,
3,P3,2026-03-02 09:00,seen,
"""
    table = one(tmp_path, policy, f"{HEADER},dx\n{rows}".encode())
    assert table.rows.sort("visit_id").select("visit_id", "diagnosis_codes").rows() == [
        ("1", ["E11", "F32", "I10"]),
        ("3", []),
    ]
    assert table.rejects.select("source_record", "reason").rows() == [
        (3, "duplicate row"),
        (4, "conflicting rows for one id"),
        (5, "conflicting rows for one id"),
        (7, "duplicate row"),
    ]
    assert table.patients_with_rejects.to_list() == ["P2"]


def test_identifiers_that_a_spreadsheet_rounded_are_warned_about(tmp_path: Path, policy: Policy):
    table = one(tmp_path, policy, TEXT.replace("007", "2.98725E+13").encode())
    assert "visits.visit_id: 1 identifiers look like rounded numbers" in table.warnings[0]
    assert table.rows["visit_id"].to_list() == ["2.98725E+13"]


def test_a_column_of_blanks_counts_as_absent(tmp_path: Path, policy: Policy):
    table = one(tmp_path, policy, f"{HEADER},booked_at,cpt_codes\n{ROWS}, ,\n".encode())
    assert table.rows.select("booked_at", "cpt_codes").rows() == [(None, [])]
    assert not {"booked_at", "cpt_codes"} & table.columns
    assert "visit_start" in table.columns


def test_copies_of_a_faulty_row_are_duplicates(tmp_path: Path, policy: Policy):
    faulty = "8,P2,yesterday,seen\n"
    table = one(tmp_path, policy, f"{HEADER}\n{ROWS}\n{faulty}{faulty}9,P2,yesterday,seen\n".encode())
    reasons = [
        (record, reason.partition(":")[0]) for record, reason in table.rejects.select("source_record", "reason").rows()
    ]
    assert reasons == [
        (2, "visit_start is no date or time that can be read"),
        (3, "duplicate row"),
        (4, "visit_start is no date or time that can be read"),
    ]
    assert (table.faulty.height, table.patients_with_rejects.to_list()) == (2, ["P2"])
