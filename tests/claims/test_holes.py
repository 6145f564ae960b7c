"""Days that an export lacks: against plain loops, and what they leave open."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.claims.holes import holes
from tests.reference import Table, World
from tests.reference.holes import find_holes
from tests.support import compare

FIRST = date(2026, 1, 5)
COUNTS = st.lists(st.sampled_from([0, 0, 0, 1, 7, 12]), min_size=1, max_size=45)


def dated(counts: list[int], start: int = 0) -> dict[date, int]:
    return {FIRST + timedelta(days=start + number): count for number, count in enumerate(counts) if count}


@settings(max_examples=300, derandomize=True, database=None, deadline=None)
@given(COUNTS, COUNTS, st.integers(-5, 5), st.integers(0, 45), st.sets(st.integers(0, 45), max_size=8), st.booleans())
def test_holes_are_those_of_the_plain_loops(
    rows: list[int], others: list[int], shift: int, last: int, shut: set[int], bounded: bool
):
    mine, theirs = dated(rows), dated(others, shift)
    closed = frozenset(FIRST + timedelta(days=day) for day in shut)
    covered = (FIRST - timedelta(days=shift), FIRST + timedelta(days=last)) if bounded else (None, None)
    if mine and theirs:
        assert holes(mine, theirs, covered, closed) == find_holes(mine, theirs, *covered, closed)


def clinic(
    *, lost: tuple[date, date] | None = None, quiet: tuple[date, date] | None = None, table: str = "visits"
) -> World:
    """A clinic's quarter: ten visits and three calls each working day; a claim on most. `lost` days miss in a table."""
    days = [FIRST + timedelta(days=number) for number in range(90)]
    working = [day for day in days if day.weekday() < 5 and not (quiet and quiet[0] <= day <= quiet[1])]

    def gone(day: date, name: str) -> bool:
        return name == table and lost is not None and lost[0] <= day <= lost[1]

    visits = [
        {"visit_id": f"v{day}-{n}", "patient_id": f"p{day}-{n}", "visit_start": f"{day} {9 + n % 8:02}:00", "status": "completed"}
        for day in working for n in range(10) if not gone(day, "visits")
    ]  # fmt: skip
    calls = [
        {"call_id": f"k{day}-{n}", "patient_id": f"p{day}-{n}", "provider_id": "a", "call_start": f"{day} 12:{10 + n}",
         "call_minutes": "25", "cpt_code": "98968" if n == 0 else ""}
        for day in working for n in range(3) if not gone(day, "calls")
    ]  # fmt: skip
    return World(calls=Table(tuple(calls[0]), tuple(calls)), visits=Table(tuple(visits[0]), tuple(visits)))


LOST = (date(2026, 2, 9), date(2026, 2, 20))


def test_a_lost_fortnight_of_visits_leaves_the_windows_open(tmp_path: Path):
    world = clinic(lost=LOST)
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    assert result.coverage.visit_holes == (LOST,)
    verdicts = {key[0]: rules for key, rules in compare.verdicts(result).items()}
    assert verdicts["k2026-02-16-0"]["LBK001"][0] == "unknown"
    assert verdicts["k2026-02-06-0"]["LAH001"][0] == "clear"
    assert any(text.startswith("visits: none from 2026-02-09 to 2026-02-20") for text in result.warnings)


def test_a_lost_fortnight_of_lines_leaves_the_period_open(tmp_path: Path):
    world = clinic(lost=LOST, table="calls")
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    assert (result.coverage.visit_holes, result.coverage.line_holes) == ((), (LOST,))
    verdicts = {key[0]: rules for key, rules in compare.verdicts(result).items()}
    assert [verdicts[f"k2026-02-{day}-0"]["FRQ001"][0] for day in (26, 27)] == ["unknown", "clear"]


@pytest.mark.parametrize("quiet", [None, (date(2026, 2, 16), date(2026, 2, 22))])
def test_weekends_and_a_holiday_week_are_no_holes(tmp_path: Path, quiet: tuple[date, date] | None):
    result = compare.run(clinic(quiet=quiet), tmp_path)
    assert result.coverage.visit_holes == result.coverage.line_holes == ()
