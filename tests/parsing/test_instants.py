"""Dates among midnights."""

from pathlib import Path

import polars as pl
import pytest

from auditor import policy as policies
from auditor.parsing import instants
from auditor.policy import Policy
from auditor.rules import select
from tests.support.parsing import AT, policy_of
from tests.support.reading import HEADER, one


def test_a_few_times_between_midnights_stay_times(tmp_path: Path) -> None:
    policy = policy_of(tmp_path)
    days = [f"2026-{month:02}-{day:02} 00:00:00" for month in range(1, 8) for day in range(1, 29)]
    found = instants.read(pl.Series([*days, "2026-03-02 09:05:09"]), policy)
    assert found.counts[:3] == (196, 197, 0)
    assert found.date_only.sum() == 196 and found.utc[-1] == AT
    some = instants.read(pl.Series([*days, *["2026-03-02 09:05:09"] * 2]), policy)
    assert not some.date_only.any()


@pytest.mark.parametrize(("count", "date_only"), [(19, False), (20, True)])
def test_a_whole_column_of_midnights_holds_dates(tmp_path: Path, policy: Policy, count: int, date_only: bool):
    rows = "".join(f"{number},P1,2026-03-{number % 28 + 1:02} 00:00:00,seen\n" for number in range(count))
    table = one(tmp_path, policy, f"{HEADER}\n{rows}".encode())
    assert table.rows["visit_start_date_only"].unique().to_list() == [date_only]


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
    assert instants.read(pl.Series(written, dtype=pl.String), policy).counts[:3] == found


def test_digits_are_dates_where_the_whole_column_is_in_digits(policy: Policy):
    days = ["20260302", "202603020905", "20260302090509", "00000000", "00000000000000", "18991230", None]
    found = instants.read(pl.Series(days), policy)
    assert found.date_only.to_list() == [True, False, False, False, False, False, False]
    assert found.utc[2] == AT and found.utc.null_count() == 4 and found.problem.max() == 0
    assert found.placeholder is not None and found.placeholder.sum() == 3


@pytest.mark.parametrize(
    "other", ["2026-03-02", "03022026", "2026030212", "20260231", "22000101", "20260302T09", "30000101000000"]
)
def test_digits_are_no_dates_beside_other_forms(policy: Policy, other: str):
    found = instants.read(pl.Series(["20260302", "00000000", "20260302090509", other]), policy)
    assert found.utc.is_not_null().to_list()[:3] == [False, False, True]
    assert found.problem.to_list()[:3] == [instants.UNREADABLE] * 2 + [0]
    assert found.counts.kind.mixed


def test_a_file_in_digits_is_none_where_another_has_other_dates(tmp_path: Path, policy: Policy):
    kind = instants.ColumnDates(mixed=True)
    assert instants.read(pl.Series(["20260302"]), policy, kind=kind).utc.to_list() == [None]
    assert instants.read(pl.Series(["20260302"]), policy_of(tmp_path, 'instant_formats = ["%Y%m%d"]'), kind=kind).utc[0]


def test_midnights_in_the_zone_are_dates_there(tmp_path: Path):
    (tmp_path / "p.toml").write_text('timezone = "Europe/Berlin"')
    policy = policies.load(str(tmp_path / "p.toml"), select, None)
    written = [f"2026-03-{day:02}T23:00:00Z" for day in range(1, 21)]
    found = instants.read(pl.Series(written), policy)
    assert found.counts.kind == instants.ColumnDates(in_zone=True)
    assert found.date_only.all() and str(found.local.dt.date()[0]) == "2026-03-02"
    assert found.utc.dt.to_string("%Y-%m-%dT%H:%M:%SZ").to_list() == written
    assert not instants.read(pl.Series(written[1:]), policy).date_only.any()
    assert not instants.read(pl.Series([*written[1:], "2026-03-22T09:00:00Z"]), policy).date_only.any()


def test_midnights_of_a_zone_of_its_own_are_dates_as_written(policy: Policy):
    written = [f"2026-03-{day:02} 05:00" for day in range(1, 25)]
    assert not instants.read(pl.Series(written), policy, zone="UTC").date_only.any()
