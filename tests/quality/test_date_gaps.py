"""Days that an export lacks: against plain loops, and what they leave open."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor import policy as policies
from auditor.parsing.option_dates import OptionDates
from auditor.quality.coverage import Coverage, cover
from auditor.quality.date_gaps import date_gaps
from auditor.quality.profile import TableProfile
from auditor.windows import bounds
from auditor.windows.columns import INSTANT
from tests.reference import Table, World
from tests.reference.date_gaps import find_holes
from tests.support import compare

FIRST = date(2026, 1, 5)
DAY = timedelta(days=1)
COUNTS = st.lists(st.sampled_from([0, 0, 0, 1, 7, 12]), max_size=45)


def dated(counts: list[int], start: int = 0) -> dict[date, int]:
    return {FIRST + (start + number) * DAY: count for number, count in enumerate(counts) if count}


@settings(max_examples=400, derandomize=True, database=None, deadline=None)
@given(
    COUNTS,
    COUNTS,
    st.integers(-5, 5),
    st.none() | st.integers(-20, 45),
    st.none() | st.integers(-20, 45),
    st.sets(st.integers(-5, 45), max_size=8),
)
def test_holes_are_those_of_the_plain_loops(
    rows: list[int], others: list[int], shift: int, since: int | None, until: int | None, shut: set[int]
):
    mine, theirs = dated(rows), dated(others, shift)
    closed = frozenset(FIRST + day * DAY for day in shut)
    covered = tuple(None if day is None else FIRST + day * DAY for day in (since, until))
    assert date_gaps(mine, theirs, covered, closed) == find_holes(mine, theirs, *covered, closed)


OPEN = {FIRST + number * DAY: 7 for number in range(28)}
"""Seven rows on each of 28 days."""


def days(first: int, last: int) -> tuple[date, date]:
    """Dates by their number from FIRST."""
    return FIRST + first * DAY, FIRST + last * DAY


def without(rows: dict[date, int], stretch: tuple[date, date]) -> dict[date, int]:
    return {day: count for day, count in rows.items() if not stretch[0] <= day <= stretch[1]}


@pytest.mark.parametrize(
    ("rows", "covered", "found"),
    [
        (OPEN, days(-12, 27), [days(-12, -1)]),
        (OPEN, days(-3, 27), [days(-3, -1)]),
        (OPEN, days(-2, 27), []),
        (OPEN, days(0, 30), [days(28, 30)]),
        (OPEN, days(0, 29), []),
        (without(OPEN, days(10, 20)), days(15, 27), [days(15, 20)]),
        (without(OPEN, days(10, 20)), days(18, 27), []),  # the dates before the coverage are usual, and empty
        (without(OPEN, days(10, 20)), days(0, 12), [days(10, 12)]),
        (without(OPEN, days(10, 20)), days(12, 18), [days(12, 18)]),
        (without(OPEN, days(10, 20)), days(0, 11), []),
    ],
)
def test_a_hole_begins_and_ends_with_the_coverage(
    rows: dict[date, int], covered: tuple[date, date], found: list[tuple[date, date]]
):
    calls = {FIRST + number * DAY: 1 for number in range(-40, 40)}
    assert date_gaps(rows, calls, covered, frozenset()) == found


@pytest.mark.parametrize(
    ("calls", "found"),
    [
        (range(-40, 40), [days(-12, -1)]),
        (range(28), [days(-12, -1)]),  # none of the run's dates is inside the calls' first and last date
        ((), [days(-12, -1)]),
        ((-40, *range(28)), []),  # the calls cover the run, and there are none in it
        ((-40, *range(-12, -6), *range(28)), [days(-12, -1)]),
        ((-40, -12, *range(28)), []),
        ((-40, *range(-12, 28, 7)), [days(-12, -1)]),  # one weekday has calls, and it alone judges
    ],
)
def test_the_other_export_judges_the_dates_that_it_covers(
    calls: range | tuple[int, ...], found: list[tuple[date, date]]
):
    theirs = {FIRST + number * DAY: 1 for number in calls}
    assert date_gaps(OPEN, theirs, days(-12, 27), frozenset()) == found


def test_rows_after_the_coverage_are_not_usual():
    booked = {FIRST + number * DAY: 1 for number in range(3)} | {FIRST + number * DAY: 50 for number in range(7, 28)}
    assert date_gaps(booked, OPEN, days(0, 6), frozenset()) == []
    assert date_gaps(booked, OPEN, days(0, 27), frozenset()) == [days(3, 6)]


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
    assert result.coverage.visit_gaps == (LOST,)
    verdicts = {key[0]: rules for key, rules in compare.verdicts(result).items()}
    assert verdicts["k2026-02-16-0"]["LBK001"][0] == "unknown"
    assert verdicts["k2026-02-06-0"]["LAH001"][0] == "clear"
    assert any(
        text.startswith("visits: the export has no rows from 2026-02-09 to 2026-02-20") for text in result.warnings
    )


def test_a_lost_fortnight_of_lines_leaves_the_period_open(tmp_path: Path):
    world = clinic(lost=LOST, table="calls")
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    assert (result.coverage.visit_gaps, result.coverage.line_gaps) == ((), (LOST,))
    verdicts = {key[0]: rules for key, rules in compare.verdicts(result).items()}
    assert [verdicts[f"k2026-02-{day}-0"]["FRQ001"][0] for day in (26, 27)] == ["unknown", "clear"]


@pytest.mark.parametrize("quiet", [None, (date(2026, 2, 16), date(2026, 2, 22))])
def test_weekends_and_a_holiday_week_are_no_holes(tmp_path: Path, quiet: tuple[date, date] | None):
    result = compare.run(clinic(quiet=quiet), tmp_path)
    assert result.coverage.visit_gaps == result.coverage.line_gaps == ()


def open_windows(start: date, end: date) -> list[str]:
    """The windows of a claim of these dates that a hole of both exports from LOST's first to its last date leaves open."""
    covered = Coverage(datetime(2027, 1, 1, tzinfo=UTC), date(2025, 1, 1), date(2025, 1, 1), (LOST,), (LOST,))
    times = [datetime(day.year, day.month, day.day, 12, tzinfo=UTC) for day in (start, end)]
    claim = pl.DataFrame(
        {
            "start": times[:1],
            "end": times[1:],
            "end_or_start": times[1:],
            "start_date": [start],
            "end_date": [end],
            "service_date": [start],
            "has_call": [True],
        },
        schema_overrides={"start": INSTANT, "end": INSTANT, "end_or_start": INSTANT},
    ).with_columns(**bounds.window_edges("UTC"))
    touched = claim.select(**bounds.not_covered(covered, policies.load("default", timezone="UTC"))).row(0, named=True)
    return [name.removesuffix("_not_covered") for name, is_open in touched.items() if is_open]


@pytest.mark.parametrize(
    ("start", "end", "left_open"),
    [
        ("2026-01-25", "2026-01-25", []),
        ("2026-01-26", "2026-01-26", ["later"]),
        ("2026-02-07", "2026-02-07", ["later"]),
        ("2026-02-08", "2026-02-08", ["ahead", "later"]),
        ("2026-02-07", "2026-02-08", ["ahead", "later"]),
        (
            "2026-02-09",
            "2026-02-09",
            ["lookback", "postoperative", "ahead", "later", "same_day", "lines", "group_lines"],
        ),
        ("2026-02-20", "2026-02-20", ["lookback", "postoperative", "ahead", "same_day", "lines", "group_lines"]),
        ("2026-02-21", "2026-02-21", ["lookback", "postoperative", "lines", "group_lines"]),
        ("2026-02-26", "2026-02-26", ["lookback", "postoperative", "lines", "group_lines"]),
        ("2026-02-27", "2026-02-27", ["lookback", "postoperative"]),
        ("2026-02-28", "2026-02-28", ["postoperative"]),
        ("2026-05-21", "2026-05-21", ["postoperative"]),
        ("2026-05-22", "2026-05-22", []),
    ],
)
def test_the_windows_that_touch_a_hole_are_open(start: str, end: str, left_open: list[str]):
    assert open_windows(date.fromisoformat(start), date.fromisoformat(end)) == left_open


@pytest.mark.parametrize(
    ("setting", "claim", "rules", "hole"),
    [
        ({"visits_since": "2025-12-01"}, "k2026-01-07-0", ("LBK001",), ("2025-12-01", "2026-01-02")),
        ({"as_of": "2026-02-13"}, "k2026-02-10-0", ("LBK001", "LAH001"), ("2026-02-09", "2026-02-13")),
    ],
)
def test_what_the_options_say_is_covered_is_looked_at_too(
    tmp_path: Path, setting: dict[str, str], claim: str, rules: tuple[str, ...], hole: tuple[str, str]
):
    world = clinic(lost=LOST)
    others = tuple(row for row in world.visits.rows if row["patient_id"] != f"p{claim[1:]}")
    world = World(calls=world.calls, visits=Table(world.visits.columns, others), settings=setting)
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    stretch = (date.fromisoformat(hole[0]), date.fromisoformat(hole[1]))
    assert stretch in result.coverage.visit_gaps
    assert any(
        text.startswith(f"visits: the export has no rows from {hole[0]} to {hole[1]}") for text in result.warnings
    )
    reported = compare.verdicts(result)[(claim, "1", "98968")]
    assert [reported[rule][0] for rule in rules] == ["unknown"] * len(rules)


def test_claims_since_before_the_first_line_begins_a_hole(tmp_path: Path):
    world = clinic()
    world = World(calls=world.calls, visits=world.visits, settings={"claims_since": "2025-12-01"})
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    assert result.coverage.line_gaps == ((date(2025, 12, 1), date(2026, 1, 2)),)
    frequency = [compare.verdicts(result)[(f"k2026-01-{day}-0", "1", "98968")]["FRQ001"][0] for day in ("08", "09")]
    assert frequency == ["unknown", "clear"]


def test_holes_that_only_warn_are_named_all_the_same(tmp_path: Path):
    world = clinic(lost=LOST)
    world = World(calls=world.calls, visits=world.visits, settings={"holes": "warn"})
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    assert result.coverage.visit_gaps == (LOST,)
    assert compare.verdicts(result)[("k2026-02-16-0", "1", "98968")]["LBK001"][0] == "clear"


def test_lines_judge_the_visits_where_there_are_no_calls():
    quiet = without(OPEN, days(10, 20))
    policy = policies.load("default", timezone="UTC")
    profiles = {name: TableProfile(table=name, rows_by_date=rows)
                for name, rows in {"visits": quiet, "claims": quiet, "calls": {}}.items()}  # fmt: skip
    both_quiet = cover(profiles, OptionDates(), policy)
    open_claims = {"claims": TableProfile(table="claims", rows_by_date=OPEN)}
    lines_go_on = cover(profiles | open_claims, OptionDates(), policy)
    assert (both_quiet.visit_gaps, lines_go_on.visit_gaps) == ((), (days(10, 20),))
