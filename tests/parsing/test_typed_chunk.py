"""Typing a table: in parts as in one, from categories as from text, and local times whatever the zone."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from auditor.parsing.instants import ColumnDates
from auditor.parsing.readers import blank_row
from auditor.parsing.typed_chunk import type_rows, type_table
from auditor.parsing.typed_table import Table
from auditor.policy import Policy
from auditor.prefilter.chunk_typer import ChunkSummary, ChunkTyper
from auditor.prefilter.key_scan import KeyScan, repeated
from auditor.reading.dictionary import NO_HINTS, ColumnHints
from auditor.reading.ingest import REJECT_SCHEMA, Chunk, Extract
from auditor.schema.tables import TABLES
from tests.support.reading import HEADER, ROWS, one

MIDNIGHTS = [f"2026-03-{day:02} 00:00:00" for day in range(1, 25)]
IN_ZONE = [f"2026-03-{day:02}T0{5 if day <= 8 else 4}:00:00Z" for day in range(1, 25)]
"""Midnights in New York."""


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
    return type_table(Extract(TABLES["visits"], (), frame, pl.DataFrame(schema=REJECT_SCHEMA)), policy)


def same(one: Table, other: Table) -> None:
    assert_frame_equal(one.rejects, other.rejects)
    assert_frame_equal(one.unrecognised, other.unrecognised)
    assert (one.warnings, one.columns, one.has_local_times) == (other.warnings, other.columns, other.has_local_times)


def in_chunks(frame: pl.DataFrame, size: int, policy: Policy) -> tuple[pl.DataFrame, ChunkSummary]:
    """The table typed chunk after chunk, every row kept; once more where that tells how columns state dates."""
    everything = lambda rows: pl.repeat(True, rows.height, dtype=pl.Boolean, eager=True)  # noqa: E731
    look = KeyScan("visits", policy, False, False, blank_row("visits", policy))
    chunks = [Chunk(some, pl.DataFrame(schema=REJECT_SCHEMA)) for some in frame.iter_slices(size)]
    chunks = [Chunk(_thin(chunk.frame), chunk.malformed) for chunk in chunks]
    ids = pl.concat([look(chunk)[0] for chunk in chunks])
    work = ChunkTyper(scan=look, repeated=repeated(ids, 0), row_filter=everything, with_spans=False, lookups={})
    kept, message_text = zip(*map(work, chunks), strict=True)
    rows, whole = work.merge(message_text, ())
    while whole.date_columns != work.date_columns:
        work = replace(work, date_columns=whole.date_columns)
        kept, message_text = zip(*map(work, chunks), strict=True)
        rows, whole = work.merge(message_text, ())
    return pl.concat([*kept, rows]), whole


def _thin(frame: pl.DataFrame) -> pl.DataFrame:
    """Without the columns that are blank throughout: another file of the table may lack them."""
    return frame.drop(name for name in frame.columns if frame[name].null_count() == frame.height)


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 7, 24])
@pytest.mark.parametrize(
    ("columns", "dates"),
    [
        ({}, {}),
        ({"booked_at": MIDNIGHTS}, {"booked_at": ColumnDates(date_only=True)}),
        ({"booked_at": ["soon", *MIDNIGHTS[:20], "", "", ""]}, {"booked_at": ColumnDates(date_only=True)}),
        ({"booked_at": [*MIDNIGHTS[:10], *["soon"] * 14]}, {}),
        ({"visit_end": [*MIDNIGHTS[:23], "2026-03-08 02:30"]}, {}),
        ({"booked_at": [*IN_ZONE[:20], *MIDNIGHTS[20:]]}, {"booked_at": ColumnDates(in_zone=True)}),
        ({"booked_at": [*["20260301", "202603020930", "20260303000000"] * 7, "00000000", "18991230", ""]}, {}),
        ({"booked_at": ["20260301"] * 24}, {"booked_at": ColumnDates(date_only=True)}),
        ({"booked_at": [*["20260301"] * 23, "2026-03-01"]}, {"booked_at": ColumnDates(mixed=True)}),
        ({"booked_at": [*["20260301"] * 23, "03012026"]}, {"booked_at": ColumnDates(mixed=True)}),
        (
            {"booked_at": [*MIDNIGHTS[:20], "2026-03-08 09:30", "20260301", "20260301", ""]},
            {"booked_at": ColumnDates(mixed=True)},
        ),
    ],
)
def test_a_table_in_chunks_is_the_table(policy: Policy, columns: dict[str, object], dates: set[str], size: int):
    frame = visits(**columns)
    whole = typed(frame, policy)
    rows, message_text = in_chunks(frame, size, policy)
    same(replace(message_text.table, notes=()), whole)  # lost times are told of the whole
    assert_frame_equal(rows.sort("source_record"), whole.rows.sort("source_record"))
    assert message_text.date_columns == dates


def test_counts_of_parts_add_up(policy: Policy):
    _, message_text = in_chunks(visits(), 5, policy)
    assert message_text.table.unrecognised.rows() == [("visits", "status", "LOST", 3), ("visits", "status", "lost", 6)]
    assert list(message_text.table.tallies.values()) == [8]
    assert message_text.table.warnings[0].startswith(
        "visits.problem_id: identifiers look like rounded numbers, such as 2.98725E+13 (rows: 8)"
    )


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
        type_rows(TABLES["visits"], chunk, policy, blank_row("visits", policy))
        for chunk in (packed, replace(packed, frame=frame, hints=NO_HINTS))
    )
    same(made.table(), plain.table())
    assert_frame_equal(made.rows(made.is_valid), plain.rows(plain.is_valid))


def test_a_column_of_blanks_counts_as_absent(tmp_path: Path, policy: Policy):
    table = one(tmp_path, policy, f"{HEADER},booked_at,cpt_codes\n{ROWS}, ,\n".encode())
    assert table.rows.select("booked_at", "cpt_codes").rows() == [(None, [])]
    assert not {"booked_at", "cpt_codes"} & table.columns
    assert "visit_start" in table.columns
