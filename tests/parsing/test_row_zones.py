"""Times of rows that state their own zone."""

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from tests.support.reading import own_policy, read_table

_HEADER = "call_id,patient_id,provider_id,call_start,call_end_time,Time Zone"


def _rows(tmp_path: Path, *rows: tuple[str, str, str], policy: str = "") -> pl.DataFrame:
    """The typed calls of `call_start`, `call_end_time` and zone; the policy's own zone is America/New_York."""
    lines = (f"K{number},P,D,{','.join(row)}" for number, row in enumerate(rows))
    (tmp_path / "calls.csv").write_text("\n".join([_HEADER, *lines, ""]))
    return read_table(tmp_path / "calls.csv", own_policy(tmp_path, policy), "calls").rows.sort("call_id")


@pytest.mark.parametrize("offset", ["-14:00", "-03:30"])
def test_an_offset_without_a_zone_of_its_own_rejects_the_row(tmp_path: Path, offset: str):
    rows = (("2026-07-01 09:00", "", "ODD"), ("2026-07-01 09:00", "", "UTC"))
    assert _rows(tmp_path, *rows, policy=f'[zone_names]\nODD = "{offset}"')["call_id"].to_list() == ["K1"]


@pytest.mark.parametrize(
    ("written", "zone", "hour"),
    [
        ("2026-07-01 09:00", "America/Los_Angeles", 16),
        ("2026-07-01 09:00", "europe/berlin", 7),
        ("2026-07-01 09:00", "", 13),
        ("2026-07-01T09:00Z", "America/Los_Angeles", 9),
        ("2026-07-01 09:00", "EST", 14),
    ],
)
def test_each_row_is_read_in_its_own_zone(tmp_path: Path, written: str, zone: str, hour: int):
    others = ("2026-07-01 10:00", "", "Asia/Tokyo")
    rows = _rows(tmp_path, (written, "", zone), others, policy='[zone_names]\nEST = "-05:00"')
    assert rows["call_start"].to_list() == [
        datetime(2026, 7, 1, hour, tzinfo=UTC),
        datetime(2026, 7, 1, 1, tzinfo=UTC),
    ]
    assert rows["call_start_date"].to_list() == [date(2026, 7, 1), date(2026, 6, 30)]


def test_a_row_s_own_zone_comes_before_the_policy_s(tmp_path: Path):
    rows = _rows(
        tmp_path,
        ("2026-07-01 09:00", "", "Asia/Tokyo"),
        ("2026-07-01 09:00", "", ""),
        policy='[timezones]\ncalls = "UTC"',
    )
    assert [start.hour for start in rows["call_start"]] == [0, 9]


def test_ends_without_a_date_are_in_the_row_s_zone(tmp_path: Path):
    rows = _rows(tmp_path, ("2026-07-01 23:50", "00:15", "America/Los_Angeles"), ("2026-07-01 23:50", "00:15", ""))
    assert (rows["call_end"] - rows["call_start"]).dt.total_minutes().to_list() == [25, 25]


def test_dates_keep_their_day_whatever_the_row_s_zone(tmp_path: Path):
    (tmp_path / "visits.csv").write_text(
        "visit_id,patient_id,visit_start,timezone\nV1,P,2026-07-01,Asia/Tokyo\nV2,P,2026-07-01 08:00,Asia/Tokyo\n"
    )
    rows = read_table(tmp_path / "visits.csv", own_policy(tmp_path, ""), "visits").rows.sort("visit_id")
    assert rows["visit_start_date"].to_list() == [date(2026, 7, 1), date(2026, 6, 30)]
    assert rows["visit_start_date_only"].to_list() == [True, False]


def test_midnights_of_a_column_are_counted_over_its_zones(tmp_path: Path):
    zones = ["Asia/Tokyo", "America/New_York"]
    lines = [f"V{number},P{number},2026-07-01 00:00,{zones[number % 2]}" for number in range(20)]
    (tmp_path / "visits.csv").write_text("\n".join(["visit_id,patient_id,visit_start,timezone", *lines, ""]))
    rows = read_table(tmp_path / "visits.csv", own_policy(tmp_path, ""), "visits").rows
    assert rows["visit_start_date_only"].all()
    assert rows["visit_start_date"].unique().to_list() == [date(2026, 7, 1)]
