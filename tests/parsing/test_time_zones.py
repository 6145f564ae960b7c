"""Local times whatever the zone, and at DST changes."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_series_equal

from auditor import policy as policies
from auditor.errors import UsageError
from auditor.parsing import instants
from auditor.rules import select
from tests.support.parsing import AT, policy_of, read_instants
from tests.support.reading import HEADER, one, own_policy


@pytest.mark.parametrize(
    ("dst", "skipped", "repeated"),
    [("first", "2026-03-08T07:30", "2026-11-01T05:30"), ("second", "2026-03-08T06:30", "2026-11-01T06:30")],
)
def test_the_policy_decides_skipped_and_repeated_times(tmp_path: Path, dst: str, skipped: str, repeated: str):
    policy = own_policy(tmp_path, f'dst = "{dst}"\n')
    table = one(tmp_path, policy, f"{HEADER}\n1,P1,2026-03-08 02:30,seen\n2,P1,2026-11-01 01:30,seen\n".encode())
    assert table.rows["visit_start"].dt.to_string("%FT%R").to_list() == [skipped, repeated]


@pytest.mark.parametrize("dst", ["reject", "first", "second"])
def test_a_date_is_the_day_as_written_also_where_a_clock_change_skips_its_midnight(tmp_path: Path, dst: str):
    (tmp_path / "policy.toml").write_text(f'timezone = "Africa/Cairo"\ndst = "{dst}"\n')
    there = policies.load(str(tmp_path / "policy.toml"), select)
    header = "claim_id,patient_id,provider_id,cpt_code,service_date"
    rows = "K1,P1,D1,98968,2024-04-26 00:00:00\nK2,P1,D1,98968,2024-04-26 00:30\nK3,P1,D1,98968,2024-04-25T22:30Z\n"
    table = one(tmp_path, there, f"{header}\n{rows}".encode(), "claims")
    assert [str(day) for day in table.rows["service_date"]] == ["2024-04-26"] * 3
    assert table.rejects.is_empty()


def test_tables_and_columns_may_have_zones_of_their_own(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, '[timezones]\nvisits = "UTC"\n"calls.call_start" = "America/Chicago"\n')
    assert policy.zone_of("visits", "booked_at") == "UTC" and policy.zone_of("calls", "call_end") == "America/New_York"
    assert read_instants(policy, "2026-03-02 14:05:09", zone="UTC") == [AT]
    found = instants.read(pl.Series(["2026-03-02"]), policy, zone="UTC")
    assert (found.utc[0], found.date_only[0]) == (datetime(2026, 3, 2, 5, tzinfo=UTC), True)
    for key in ("vists", "visits.status", "visits.booked"):
        with pytest.raises(UsageError, match="timezones"):
            policy_of(tmp_path, f'[timezones]\n"{key}" = "UTC"\n')


@pytest.mark.parametrize("zone", ["America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "UTC"])
def test_many_local_times_are_read_as_each_is(zone: str):
    policy = policies.load("default", select, zone)
    at = pl.datetime_range(datetime(2011, 12, 27), datetime(2012, 11, 30), "17m", eager=True)
    some = at.gather_every(40)
    assert_series_equal(
        instants.read(at, policy).utc.gather_every(40),
        pl.concat(instants.read(some.slice(number, 1), policy).utc for number in range(len(some))),
    )
