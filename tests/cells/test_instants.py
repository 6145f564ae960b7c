"""Written dates and times → instants: the spellings of exports, numbers, names of zones, zones of columns, dates among midnights."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from auditor import policy as policies
from auditor.cells import instants
from auditor.cells.instants import Midnights
from auditor.errors import UsageError
from auditor.policy import Policy
from auditor.rules import select

AT = datetime(2026, 3, 2, 14, 5, 9, tzinfo=UTC)
"""09:05:09 in New York."""


def policy_of(tmp_path: Path, text: str = "") -> Policy:
    (tmp_path / "p.toml").write_text(text)
    return policies.load(str(tmp_path / "p.toml"), select, "America/New_York")


def read(policy: Policy, *texts: str | None, zone: str | None = None) -> list[datetime | None]:
    return instants.read(pl.Series(texts, dtype=pl.String), policy, zone=zone).utc.to_list()


@pytest.mark.parametrize(
    "written",
    ["3/2/2026, 9:05:09 AM", "3/2/2026 9:05:09 a.m.", "3/2/2026 9:05:09 a", "03/02/2026 09:05:09\u202fAM", "3/2/2026 9:05:09\u00a0am", "20260302090509",
     "Mon, 02 Mar 2026 09:05:09 -0500", "2 Mar 2026 14:05:09 GMT", "Mon, 2 Mar 2026 14:05:09 +0000", "2026-03-02, 09:05:09",
     "2026-03-02 14:05:09 UTC", "2026-03-02T14:05:09Z", "2026-03-02 09:05:09-05:00"],
)  # fmt: skip
def test_spellings(tmp_path: Path, written: str) -> None:
    policy = policy_of(tmp_path)
    assert read(policy, written) == [AT]
    assert read(policy, "2026-03-02 09:05:09", written, None, "soon") == [AT, AT, None, None]


@pytest.mark.parametrize(
    "written", ["2026-03-02 09:05:09 EST", "Mon, 02 Mar 2026 09:05:09 EST", "2026030209050", "9:05 a.m."]
)
def test_what_nobody_can_be_sure_of_is_unreadable(tmp_path: Path, written: str) -> None:
    assert read(policy_of(tmp_path), written) == [None]


@pytest.mark.parametrize(
    ("form", "written"),
    [
        ("epoch", "1772460309"),
        ("epoch", "1772460309.0"),
        ("epoch_ms", "1772460309000"),
        ("excel", "46083.3785763888889"),
    ],
)
def test_numbers_only_where_the_policy_says_so(tmp_path: Path, form: str, written: str) -> None:
    (found,) = read(policy_of(tmp_path, f'instant_formats = ["{form}"]'), written)
    assert found is not None and abs((found - AT).total_seconds()) < 0.001
    assert read(policy_of(tmp_path), written) == [None]


def test_0_is_no_instant_and_a_whole_day_is_a_date(tmp_path: Path) -> None:
    assert read(policy_of(tmp_path, 'instant_formats = ["epoch"]'), "0", "-5") == [None, None]
    found = instants.read(pl.Series(["46083", "46083.5"]), policy_of(tmp_path, 'instant_formats = ["excel"]'))
    assert found.date_only.to_list() == [True, False]
    assert found.utc[0] == datetime(2026, 3, 2, 5, tzinfo=UTC)


def test_names_of_zones_are_never_thrown_away(tmp_path: Path) -> None:
    form = 'instant_formats = ["%Y-%m-%d %H:%M:%S %Z"]\n'
    with pytest.raises(UsageError, match=r"%Z needs the names and their offsets"):
        policy_of(tmp_path, form)
    policy = policy_of(tmp_path, f'{form}[zone_names]\nEST = "-05:00"\nGMT = "+00:00"\n')
    assert read(policy, "2026-03-02 09:05:09 EST", "2026-03-02 14:05:09 GMT", "2026-03-02 09:05:09 CET") == [
        AT,
        AT,
        None,
    ]


def test_tables_and_columns_may_have_zones_of_their_own(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, '[timezones]\nvisits = "UTC"\n"calls.call_start" = "America/Chicago"\n')
    assert policy.zone_of("visits", "booked_at") == "UTC" and policy.zone_of("calls", "call_end") == "America/New_York"
    assert read(policy, "2026-03-02 14:05:09", zone="UTC") == [AT]
    found = instants.read(pl.Series(["2026-03-02"]), policy, zone="UTC")
    assert (found.utc[0], found.date_only[0]) == (datetime(2026, 3, 2, 5, tzinfo=UTC), True)
    for key in ("vists", "visits.status", "visits.booked"):
        with pytest.raises(UsageError, match="timezones"):
            policy_of(tmp_path, f'[timezones]\n"{key}" = "UTC"\n')


def test_a_few_times_among_midnights_stay_times(tmp_path: Path) -> None:
    policy = policy_of(tmp_path)
    days = [f"2026-{month:02}-{day:02} 00:00:00" for month in range(1, 8) for day in range(1, 29)]
    found = instants.read(pl.Series([*days, "2026-03-02 09:05:09"]), policy)
    assert found.midnights == Midnights(196, 197, 0)
    assert found.date_only.sum() == 196 and found.utc[-1] == AT
    some = instants.read(pl.Series([*days, *["2026-03-02 09:05:09"] * 2]), policy)
    assert not some.date_only.any()
