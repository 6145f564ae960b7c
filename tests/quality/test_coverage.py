"""Up to when and since when the exports are complete."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from auditor import policy as policies
from auditor.parsing import option_dates
from tests.reference import World
from tests.support import compare
from tests.support.claims import COVERED, NO_VISITS, audit, rows

CALL = "call_id | patient_id | provider_id | call_start | call_minutes | cpt_code | group_id | specialty\n"


VISIT = "visit_id | patient_id | provider_id | visit_start | status | booked_at | soonest_available | diagnosis_codes | global_days\n"


DIAGNOSED = "call_id | patient_id | provider_id | call_start | call_minutes | cpt_code | diagnosis_codes\n"


@pytest.mark.parametrize(("day", "warned"), [("2026-02-01", False), ("2026-02-02", True)])
def test_a_default_coverage_on_a_lonely_date_is_warned_about(tmp_path: Path, day: str, warned: bool):
    calls = f"{CALL}k1 | p | a | 2026-01-01 09:00 | 25 | 98968 | |\nk2 | p | a | {day} 09:00 | 25 | 98968 | |"
    result = audit(tmp_path, calls, claims_since=None)
    assert any(warning.startswith("claims_since") for warning in result.warnings) is warned


@pytest.mark.parametrize(("apart", "warned"), [(31, set()), (32, {"as_of", "visits_since"})])
def test_both_ends_of_the_visits_are_warned_about_where_lonely(tmp_path: Path, apart: int, warned: set[str]):
    middle = [date(2026, 3, 2), date(2026, 3, 3)]
    dates = [middle[0] - timedelta(days=apart), *middle, middle[1] + timedelta(days=apart)]
    visits = [f"v{number} | q | a | {day} 09:00 | completed" for number, day in enumerate(dates)]
    world = World(
        calls=rows(f"{CALL}k1 | p | a | 2026-03-02 09:00 | 25 | 98968 | |"),
        visits=rows("\n".join(["visit_id | patient_id | provider_id | visit_start | status", *visits])),
    )
    result = compare.run(world, tmp_path)
    rests = [warning for warning in result.warnings if " is based on " in warning]
    assert {warning.split()[0] for warning in rests} == warned


@pytest.mark.parametrize("adjustment", ["8 | 30", " | -30"])
def test_a_void_with_a_call_of_its_own_is_covered(tmp_path: Path, adjustment: str):
    """No completed visit: the latest call says how far the visits reach."""
    head = "call_id | patient_id | provider_id | call_start | call_minutes | cpt_code | frequency_code | paid_amount\n"
    calls = f"{head}k1 | p | a | 2026-03-02 09:00 | 25 | 98968 | | 50\n"
    calls += "".join(f"{own} | q | b | {day} 09:00 | 25 | 98968 | {adjustment}\n"
                     for own, day in (("k2", "2026-02-20"), ("k3", "2026-03-20"), ("k1", "2026-04-20")))  # fmt: skip
    visits = "visit_id | patient_id | visit_start\nv1 | q | 2026-02-01 09:00\nv2 | q | 2026-03-19 09:00\nv3 | q | 2026-04-19 09:00"
    world = World(calls=rows(calls), visits=rows(visits))
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    assert (result.coverage.as_of, result.coverage.claims_since) == (
        datetime(2026, 3, 19, 9, tzinfo=UTC), date(2026, 2, 20)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("as_of", "expected"), [("2026-03-02T09:00:00", "clear"), ("2026-03-02T08:59:59.999999", "unknown")]
)
def test_a_call_at_the_last_covered_instant_is_covered(tmp_path: Path, as_of: str, expected: str):
    result = audit(tmp_path, f"{CALL}k1 | p | a | 2026-03-02 09:00 | 25 | 98968 | |", as_of=as_of)
    assert compare.verdicts(result)[("k1", "1", "98968")]["LBK001"][0] == expected


def test_as_of_is_cut_to_the_day_of_the_last_visit(tmp_path: Path):
    world = World(
        calls=rows(f"{CALL}k1 | p | a | 2026-03-02 09:00 | 25 | 98968 | |"), visits=NO_VISITS, settings=COVERED
    )
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    assert compare.verdicts(result)[("k1", "1", "98968")]["LAH001"][0] == "unknown"
    assert (
        "--as-of is after the last visit, so the audit uses the end of that visit's day, 2026-01-01" in result.warnings
    )


@pytest.mark.parametrize(("since", "expected"), [("2026-03-02", "clear"), ("2026-03-03", "unknown")])
def test_the_first_covered_day_is_covered(tmp_path: Path, since: str, expected: str):
    visits = rows(
        "visit_id | patient_id | provider_id | visit_start | cpt_codes\nv1 | q | a | 2026-03-09 12:00 | 99421"
    )
    calls = f"{CALL}k1 | p | a | {since} 09:00 | 25 | 98968 | |".replace("2026-03-03", "2026-03-02")
    result = audit(tmp_path, calls, visits, visits_since=since)
    assert compare.verdicts(result)[("k1", "1", "98968")]["EXC001"][0] == expected


@pytest.mark.parametrize(
    ("status", "as_of", "expected"),
    [
        ("scheduled", "2026-03-10T09:00:00", "review"),
        ("scheduled", "2026-03-10T08:59:59", "unknown"),
        ("", "2026-03-10T09:00:00", "violation"),
        ("", "2026-03-10T08:59:59", "unknown"),
        ("completed", "2026-03-10T08:59:59", "violation"),
    ],
)
def test_visits_around_the_end_of_coverage(tmp_path: Path, status: str, as_of: str, expected: str):
    visits = rows(f"{VISIT}v1 | p | a | 2026-03-10 09:00 | {status} | | | |")
    result = audit(tmp_path, f"{DIAGNOSED}k1 | p | a | 2026-03-16 09:00 | 25 | 98968 |", visits, as_of=as_of)
    assert compare.verdicts(result)[("k1", "1", "98968")]["LBK001"][0] == expected


@pytest.mark.parametrize(
    ("zone", "day", "end"),
    [
        ("UTC", "2026-03-31", "2026-03-31T23:59:59.999999+00:00"),
        ("America/New_York", "2026-03-08", "2026-03-09T03:59:59.999999+00:00"),
        ("America/Sao_Paulo", "2018-11-03", "2018-11-04T02:59:59.999999+00:00"),
    ],
)
def test_a_date_as_coverage_means_its_last_instant(zone: str, day: str, end: str):
    """In São Paulo the next day began at one o'clock: its midnight was skipped."""
    assert option_dates.read_as_of(day, policies.load("default", timezone=zone)).isoformat() == end


@pytest.mark.parametrize(
    ("visits", "call_minutes", "as_of"),
    [
        # completed visits come first, whatever else starts later
        ("2026-03-10 09:00 | completed\n2026-03-12 10:00 | scheduled", "25", "2026-03-10T09:00:00+00:00"),
        ("2026-03-10 | completed\n2026-03-09 09:00 | completed", "25", "2026-03-10T23:59:59.999999+00:00"),
        # without one, the latest that starts by the end of the last call, 2026-03-16 09:25
        ("2026-03-10 09:00 | scheduled\n2026-03-16 09:25 | no_show", "25", "2026-03-16T09:25:00+00:00"),
        ("2026-03-10 09:00 | scheduled\n2026-03-16 09:25:01 |", "25", "2026-03-10T09:00:00+00:00"),
        # a call without an end counts by its start
        ("2026-03-10 09:00 | cancelled\n2026-03-16 09:00:01 |", "", "2026-03-10T09:00:00+00:00"),
        ("2026-03-10 09:00 | cancelled\n2026-03-16 09:00 |", "", "2026-03-16T09:00:00+00:00"),
        # with neither nobody knows
        ("2026-03-16 09:25:01 | scheduled\n2026-03-17 09:00 |", "25", None),
    ],
)
def test_as_of_by_default(tmp_path: Path, visits: str, call_minutes: str, as_of: str | None):
    lines = [f"v{number} | q | a | {line}" for number, line in enumerate(visits.splitlines())]
    world = World(
        calls=rows(f"{CALL}k1 | p | a | 2026-03-16 09:00 | {call_minutes} | 98968 | |"),
        visits=rows("\n".join(["visit_id | patient_id | provider_id | visit_start | status", *lines])),
    )
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    assert result.coverage.as_of == (as_of and datetime.fromisoformat(as_of))


def test_where_nobody_knows_as_of_only_completed_visits_and_stronger_outcomes_count(tmp_path: Path):
    """The visits, none of which is completed, all start after the last call; one came from q's call."""
    calls = rows(
        f"{CALL}k1 | p | a | 2026-03-16 09:00 | 25 | 98968 | |\nk2 | q | a | 2026-03-16 09:00 | 25 | 98968 | |"
    )
    visits = rows(
        "visit_id | patient_id | provider_id | visit_start | status | cpt_codes | global_days | originating_call_id\n"
        "v1 | q | a | 2026-03-16 09:30 | scheduled | 99421 | 90 | k2\n"
        "v2 | z | a | 2026-03-18 09:30 | | 99213 | |"
    )
    settings = {"visits_since": "2025-01-01", "claims_since": "2025-01-01"}
    world = World(calls=calls, visits=visits, settings=settings)
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    assert result.coverage.as_of is None
    reported = compare.verdicts(result)
    rules = ("LBK001", "LBK002", "LAH001", "LAH002", "EXC001")
    assert [reported[("k1", "1", "98968")][rule][0] for rule in rules] == ["unknown"] * 5
    stronger = [reported[("k2", "1", "98968")][rule][0] for rule in rules]
    assert stronger == ["unknown", "unknown", "violation", "unknown", "violation"]


def test_every_line_counts_for_the_start_of_the_lines(tmp_path: Path):
    claims = rows(
        "claim_id | patient_id | provider_id | service_date | cpt_code | claim_status\n"
        "C1 | p | a | 2026-03-16 | 98968 |\nC2 | p | a | 2026-03-10 | 99213 | void\nC3 | q | b | 2026-03-11 | 98968 | denied"
    )
    world = World(
        calls=rows(f"{CALL}k1 | p | a | 2026-03-16 09:00 | 25 | | |\nk2 | z | a | 2026-02-16 09:00 | 25 | | |"),
        visits=NO_VISITS,
        claims=claims,
    )
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    assert (result.coverage.visits_since, result.coverage.claims_since) == (date(2026, 1, 1), date(2026, 3, 10))
    assert compare.verdicts(result)[("C1", "1", "98968")]["FRQ001"][0] == "clear"
