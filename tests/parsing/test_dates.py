"""Date columns: dates as written, other times in the zone of the audit."""

from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from auditor import policy as policies
from auditor.rules import select
from tests.support.parsing import policy_of
from tests.support.reading import one

CLAIMS = "claim_id,patient_id,provider_id,cpt_code,service_date"


@pytest.mark.parametrize("count", [1, 19, 21])
@pytest.mark.parametrize("written", ["{}T00:00:00Z", "{} 00:00:00+05:30", "{}", "{} 00:00", "{}T09:00:00-05:00"])
def test_a_midnight_in_a_date_column_is_its_date_however_few_there_are(tmp_path: Path, count: int, written: str):
    days = [f"2026-03-{10 + number % 3}" for number in range(count)]
    rows = "".join(f"K{n},P1,D1,98968,{written.format(day)}\n" for n, day in enumerate(days))
    table = one(tmp_path, policy_of(tmp_path), f"{CLAIMS}\n{rows}".encode(), "claims")
    assert [str(day) for day in table.rows.sort("source_record")["service_date"]] == days
    assert table.warnings == ()


@pytest.mark.parametrize("count", [1, 19, 21])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo", None])
def test_so_it_is_in_parquet_whatever_the_column_is_marked_as(tmp_path: Path, count: int, zone: str | None):
    at = pl.Series([datetime(2026, 3, 10)] * count).dt.replace_time_zone(zone)
    frame = pl.DataFrame({"provider_id": [f"D{n}" for n in range(count)], "license_start": at, "license_end": at})
    frame.write_parquet(tmp_path / "providers.parquet")
    table = one(tmp_path, policy_of(tmp_path), (tmp_path / "providers.parquet").read_bytes(), "providers")
    assert {str(day) for day in (*table.rows["license_start"], *table.rows["license_end"])} == {"2026-03-10"}


def test_other_times_in_a_date_column_are_moved_to_the_zone_of_the_audit(tmp_path: Path):
    texts = ["2026-03-10T03:00:00Z", "2026-03-10 03:00", "2026-03-10T00:00:00Z", "2026-03-10 00:00", "3/10/2026"]
    rows = "".join(f"K{n},P1,D1,98968,{text}\n" for n, text in enumerate(texts))
    for own, second in (("", "10"), ('[timezones]\nclaims = "UTC"\n', "09")):
        table = one(tmp_path, policy_of(tmp_path, own), f"{CLAIMS}\n{rows}".encode(), "claims")
        days = [day.strftime("%d") for day in table.rows.sort("source_record")["service_date"]]
        assert days == ["09", second, "10", "10", "10"]


def test_a_date_whose_midnight_the_zone_of_the_audit_skips_is_itself_in_a_column_with_another_zone(tmp_path: Path):
    (tmp_path / "cairo.toml").write_text('timezone = "Africa/Cairo"\n[timezones]\nclaims = "UTC"\n')
    there = policies.load(str(tmp_path / "cairo.toml"), select)
    table = one(tmp_path, there, f"{CLAIMS}\nK1,P1,D1,98968,2024-04-26\n".encode(), "claims")
    assert [str(day) for day in table.rows["service_date"]] == ["2024-04-26"]


def test_a_license_without_a_real_end_has_none(tmp_path: Path):
    rows = "D1,9999-12-31\nD2,9999-12-31T00:00:00Z\nD3,9999-12-31 23:59:59\nD4,12/31/9999\n"
    table = one(tmp_path, policy_of(tmp_path), f"provider_id,license_end\n{rows}".encode(), "providers")
    assert table.rows["license_end"].to_list() == [None] * 4
    assert "license_end" not in table.columns


def test_a_text_that_is_no_date_rejects_its_row(tmp_path: Path):
    table = one(tmp_path, policy_of(tmp_path), f"{CLAIMS}\nK1,P1,D1,98968,soon\n".encode(), "claims")
    assert table.rejects["reason"][0].startswith("service_date is not a valid date: it has no digit")


def test_a_range_that_is_none_rejects_its_row(tmp_path: Path):
    rows = ("2026-03-01", "20260305-20260301", "20260230-20260301", "19000101-19000102")
    lines = "".join(f"C{number},P1,A,{day},98968\n" for number, day in enumerate(rows))
    head = "claim_id,patient_id,provider_id,service_date,cpt_code\n"
    table = one(tmp_path, policy_of(tmp_path), f"{head}{lines}".encode(), "claims")
    reason = "service_date is not a valid date: 99999999-99999999 (add its format to instant_formats)"
    assert table.rejects["reason"].to_list() == [reason] * 3
    assert table.rows["service_date_last"].to_list() == [None]


def test_ranges_stand_beside_single_days(tmp_path: Path):
    rows = ("20260301-20260305", "20260302-20260302", "20260303")
    lines = "".join(f"C{number},P1,A,{day},98968\n" for number, day in enumerate(rows))
    head = "claim_id,patient_id,provider_id,service_date,cpt_code\n"
    table = one(tmp_path, policy_of(tmp_path), f"{head}{lines}".encode(), "claims")
    assert [str(day) for day in table.rows["service_date"]] == ["2026-03-01", "2026-03-02", "2026-03-03"]
    assert [day and str(day) for day in table.rows["service_date_last"]] == ["2026-03-05", None, None]
    assert table.warnings == ("claims.service_date: ranges of days count as their first day (rows: 1)",)
