"""Columns of instants: dates without a time, and reasons for rejection."""

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from auditor.errors import UsageError
from auditor.parsing.instant_columns import PLACEHOLDER_DATES
from auditor.parsing.typed_chunk import type_table
from auditor.policy import Policy
from auditor.reading.ingest import REJECT_SCHEMA, Extract
from auditor.schema.tables import TABLES
from tests.support.parsing import policy_of, read_instants, typed
from tests.support.reading import CALL, HEADER, one

_PLACEHOLDER = "visit_start is a placeholder date (placeholder_dates in the policy has the bounds of real ones)"


def test_midnights_of_calls_stay_times_and_a_date_alone_is_none() -> None:
    days = [f"2026-03-{day:02} 00:00:00" for day in range(1, 29)]
    work, values = typed("calls", "call_start", *days, "2026-03-29")
    assert None not in values[:28] and not work.columns["call_start_date_only"].decode()[:28].any()
    assert work.problem.to_list() == [0] * 28 + [1]
    assert work.problems == [("call_start", "call_start has a date but no time")]


def test_a_date_alone_does_not_tell_when_a_call_ended() -> None:
    work, values = typed("calls", "call_end", "2026-03-02", "2026-03-02 09:20")
    assert values[0] is None and values[1] is not None
    assert work.problem.max() == 0


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "visit_start is blank"),
        (
            "soon",
            "visit_start is not a valid date or time: it has no digit (add its format to instant_formats, or its text to nulls if it means blank)",
        ),
        (
            "2026-02-30",
            "visit_start is not a valid date or time: 9999-99-99 (add its format to instant_formats)",
        ),
        (
            "Mon 3.2.2026 klo 9:05",
            "visit_start is not a valid date or time: aaa 9.9.9999 aaa 9:99 (add its format to instant_formats)",
        ),
        ("Ünal 7²€", "visit_start is not a valid date or time: aaaa 99? (add its format to instant_formats)"),
        (
            "9" * 41,
            "visit_start is not a valid date or time: longer than 40 characters (add its format to instant_formats)",
        ),
        (
            "13/13/2026",
            "visit_start is not a valid date or time: 99/99/9999 (add its format to instant_formats)",
        ),
        (
            "2026-03-02 25:00",
            "visit_start is not a valid date or time: 9999-99-99 99:99 (add its format to instant_formats)",
        ),
        (
            "2026-03-08 02:30",
            "visit_start is a local time that the DST change in America/New_York skips (set dst in the policy to accept it)",
        ),
        (
            "2026-11-01 01:30",
            "visit_start is a local time that the DST change in America/New_York repeats (set dst in the policy to accept it)",
        ),
    ],
)
def test_instants_that_reject_their_row(tmp_path: Path, policy: Policy, written: str, reason: str):
    table = one(tmp_path, policy, f"{HEADER}\n1,P1,{written},seen\n".encode())
    assert table.rejects.select("column", "reason", "patient_id").rows() == [("visit_start", reason, "P1")]
    assert table.patients_with_rejects.to_list() == ["P1"]


def test_a_call_needs_a_time(tmp_path: Path, policy: Policy):
    table = one(tmp_path, policy, f"{CALL}\n1,P1,D,2026-03-02\n".encode(), "calls")
    assert table.rejects["reason"].to_list() == ["call_start has a date but no time"]


def test_each_shape_of_unreadable_dates_is_a_reason_of_its_own_in_text_as_in_categories(tmp_path: Path):
    texts = ["02/03/2026, 9:05 Uhr", "12/03/2026, 9:15 Uhr", "2026-W10", "CANARY", None, "2026-03-02"]
    values = pl.Series("visit_start", texts)
    for column in (values, values.cast(pl.Categorical)):
        frame = pl.DataFrame(
            {"visit_id": list("abcdef"), "patient_id": list("abcdef"), "visit_start": column}
        ).with_columns(source_file=pl.lit("visits.csv"), source_record=pl.int_range(1, 7, dtype=pl.UInt32))
        table = type_table(
            Extract(TABLES["visits"], (), frame, pl.DataFrame(schema=REJECT_SCHEMA)), policy_of(tmp_path)
        )
        reasons = [reason.partition(": ")[2] or reason for reason in table.rejects["reason"]]
        assert reasons == [*["99/99/9999, 9:99 aaa (add its format to instant_formats)"] * 2,
                           "9999-a99 (add its format to instant_formats)",
                           "it has no digit (add its format to instant_formats, or its text to nulls if it means blank)", "visit_start is blank"]  # fmt: skip


def test_a_placeholder_date_of_parquet_is_named_so(tmp_path: Path):
    frame = pl.DataFrame({"visit_id": "V1", "patient_id": "P1", "visit_start": datetime(9999, 12, 31, 9)})
    frame.write_parquet(tmp_path / "visits.parquet")
    table = one(tmp_path, policy_of(tmp_path), (tmp_path / "visits.parquet").read_bytes())
    assert table.rejects["reason"].to_list() == [_PLACEHOLDER]


@pytest.mark.parametrize(
    "written",
    ["0001-01-01", "0001-01-01T00:10:00+05:00", "1/1/1900", "1949-12-31 23:59", "1969-12-31T19:00:00-05:00",
     "1970-01-01T00:00:00Z", "1970-01-01 23:59:59", "2101-01-01", "99991231235959"],
)  # fmt: skip
def test_placeholder_dates_are_blank_and_reject_a_row_that_needs_them(written: str) -> None:
    work, values = typed("visits", "booked_at", written, "2026-03-02 09:00", None)
    assert values[0] is None and values[1] is not None and work.problem.max() == 0
    assert work.tallies == {f"visits.booked_at: {PLACEHOLDER_DATES}": 1} and work.date_counts["booked_at"].values == 1
    work, _ = typed("visits", "visit_start", written)
    assert work.problems == [("visit_start", _PLACEHOLDER)] and work.problem.to_list() == [1]


@pytest.mark.parametrize(
    "written", ["1950-01-01 00:00", "1969-12-30 23:59", "1970-01-02 00:00", "2100-12-31 23:59:59.9"]
)
def test_dates_within_the_bounds_are_real(written: str) -> None:
    work, values = typed("visits", "booked_at", written)
    assert values[0] is not None and not work.tallies


def test_a_column_of_placeholder_dates_is_blank() -> None:
    assert "booked_at" not in typed("visits", "booked_at", "1900-01-01", None)[0].filled
    assert "booked_at" in typed("visits", "booked_at", "1900-01-01", "2026-03-02")[0].filled


def test_the_policy_sets_the_bounds_of_real_dates(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, 'placeholder_dates = ["1900-01-02", 2030-12-31]')
    assert read_instants(policy, "1900-01-01", "2031-01-01", "1970-01-01") == [None] * 3
    assert None not in read_instants(policy, "1900-01-02", "2030-12-31")


@pytest.mark.parametrize(
    ("dates", "problem"),
    [
        ('["2030-01-01", "2020-01-01"]', "the first date is after the last one"),
        ('["0001-01-01", "2020-01-01"]', "dates must be from the year 2 to 9998"),
    ],
)
def test_bounds_that_cannot_be(tmp_path: Path, dates: str, problem: str) -> None:
    with pytest.raises(UsageError, match=f"line 1: placeholder_dates: {problem}"):
        policy_of(tmp_path, f"placeholder_dates = {dates}")
