"""Dates among midnights."""

from pathlib import Path

import polars as pl
import pytest

from auditor.parsing import instants
from auditor.policy import Policy
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
