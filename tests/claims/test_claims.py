"""Claims and evidence in detail: what the generated worlds meet too rarely, each as a small readable case."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from auditor import policy as policies
from auditor.audit import Result
from auditor.claims import coverage, doors
from tests.reference import Table, World
from tests.support import compare
from tests.synthetic.test_sample_answer import FOLDERS, audit_folder

COVERED = {"as_of": "2026-12-31", "visits_since": "2025-01-01", "claims_since": "2025-01-01"}


def rows(text: str) -> Table:
    """A readable table: the header, then one record a line, cells between bars."""
    header, *body = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    return Table(tuple(header), tuple(dict(zip(header, cells, strict=True)) for cells in body))


NO_VISITS = rows("visit_id | patient_id | visit_start\nv0 | p0 | 2026-01-01 09:00")


def audit(tmp_path: Path, calls: str, visits: Table = NO_VISITS, **settings: Any) -> Result:
    world = World(calls=rows(calls), visits=compare.reaching(visits, COVERED["as_of"]), settings=COVERED | settings)
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    return result


@pytest.mark.parametrize(
    ("calls", "minutes", "source"),
    [
        ("09:00 | 09:21 |    |\n09:05 | 09:10 |    |", 21, "clock"),
        ("09:00 | 09:10 |    |\n09:05 | 09:21 |    |", 21, "clock"),
        ("09:00 | 09:20:59.999999 |    |\n09:05 | 09:10 |    |", 20, "clock"),
        ("09:00 | 09:10 |    |\n09:10 | 09:21 |    |", 21, "clock"),
        ("09:00 | 09:30 |    |\n09:05 | 09:10 |    |\n09:20 | 09:40 | |", 40, "clock"),
        ("09:00 | 09:10 | 10 |\n09:05 | 09:21 | 16 |", 26, "stated"),
        ("09:00 | 09:10 | 10 |\n09:05 | 09:21 |    |", 26, "mixed"),
        ("09:00 | 09:10 | 10 | 8\n09:20 | 09:30 | | 7.99", 15, "discussion"),
        ("09:00 | 09:10 |    |\n09:20 |       |    |", None, None),
    ],
)
def test_cumulative_minutes(tmp_path: Path, calls: str, minutes: int | None, source: str | None):
    header = "call_id | patient_id | provider_id | call_start | call_end | call_minutes | discussion_minutes | claim_id | cpt_code"
    lines = []
    for number, line in enumerate(calls.splitlines()):
        start, end, stated, discussed = (cell.strip() for cell in line.split("|"))
        end = f"2026-03-02 {end}" if end else ""
        lines.append(f"k{number} | p | a | 2026-03-02 {start} | {end} | {stated} | {discussed} | C1 | 98968")
    result = audit(tmp_path, "\n".join([header, *lines]))
    assert result.claims.select("minutes", "minutes_source").rows() == [(minutes, source)]


@pytest.mark.parametrize(
    ("minutes", "code"),
    [("4.99", "none"), ("5", "98966"), ("10.99", "98966"), ("11", "98967"), ("20.99", "98967"), ("20.9999999", "98967"), ("21", "98968"),
     ("30.99", "98968"), ("31", None), ("", None)],
)  # fmt: skip
def test_supportable_code(tmp_path: Path, minutes: str, code: str | None):
    result = audit(
        tmp_path,
        f"call_id | patient_id | provider_id | call_start | call_minutes | cpt_code\nk | p | a | 2026-03-02 09:00 | {minutes} | 98968",
    )
    assert result.claims["supportable_code"].to_list() == [code]


@pytest.mark.parametrize("code", ["98966", "98967"])
def test_bands_of_the_other_codes(tmp_path: Path, code: str):
    header = "call_id | patient_id | provider_id | call_start | call_minutes | cpt_code"
    minutes = ["4", "5", "10", "11", "20", "21"]
    lines = [
        f"k{number} | p{number} | a{number} | 2026-03-02 09:00 | {text} | {code}" for number, text in enumerate(minutes)
    ]
    result = audit(tmp_path, "\n".join([header, *lines]), codes=(code,))
    told = compare.verdicts(result)
    short = [told[(f"k{number}", "1", code)]["DUR001"][0] for number in range(6)]
    long = [told[(f"k{number}", "1", code)]["DUR002"][0] for number in range(6)]
    low, high = {"98966": (5, 10), "98967": (11, 20)}[code]
    assert short == ["violation" if int(text) < low else "clear" for text in minutes]
    assert long == ["violation" if int(text) > high else "clear" for text in minutes]


CALL = "call_id | patient_id | provider_id | call_start | call_minutes | cpt_code | group_id | specialty\n"


def test_same_group_is_the_basis_where_nothing_else_tells(tmp_path: Path):
    visits = rows(
        "visit_id | patient_id | provider_id | visit_start | status | group_id | specialty\n"
        "v1 | p | b | 2026-03-01 09:00 | completed | g | PT\n"
        "v2 | q | b | 2026-03-01 09:00 | completed | g | OT\n"
        "v3 | r | b | 2026-03-01 09:00 | completed | h | PT"
    )
    calls = "".join(f"k-{patient} | {patient} | a | 2026-03-02 09:00 | 25 | 98968 | g | PT\n" for patient in "pqr")
    result = audit(tmp_path, CALL + calls, visits)
    told = {key[0]: verdict["LBK001"][5] for key, verdict in compare.verdicts(result).items()}
    assert told == {"k-p": "same group", "k-q": "unknown", "k-r": "unknown"}


def test_evidence_says_what_was_weighed_and_why_it_does_not_count(tmp_path: Path):
    visits = rows(
        "visit_id | patient_id | provider_id | visit_start | status | problem_id | cpt_codes\n"
        "v1 | p | a | 2026-03-01 09:00 | completed | x | 99213\n"
        "v2 | p | a | 2026-02-28 09:00 | cancelled | y | 99213\n"
        "v3 | p | a | 2026-02-27 09:00 | completed | y | 98966\n"
        "v4 | p | a | 2026-02-26 09:00 | completed | y | 99213\n"
        "v5 | p | a | 2026-02-20 09:00 | completed | y | 99213"
    )
    calls = (
        "call_id | patient_id | provider_id | call_start | call_minutes | cpt_code | problem_id\n"
        "k1 | p | a | 2026-03-02 09:00 | 25 | 98968 | y\n"
        "k2 | p | b | 2026-03-01 09:00 | 25 | 98968 | y"
    )
    result = audit(tmp_path, calls, visits)
    of_k1 = result.evidence.filter(pl.col("claim_id") == "k1").collect()
    lookback = of_k1.filter(pl.col("rule") == "LBK001").select("id", "outcome", "why_not").rows()
    assert lookback == [
        ("v1", "none", "unrelated"),
        ("v2", "none", "did not take place"),
        ("v3", "none", "does not count as a visit"),
        ("v4", "violation", None),
    ]
    assert of_k1.filter(pl.col("rule") == "FRQ001").is_empty()
    own = of_k1.filter(pl.col("outcome") == "own").select("id", pl.col("until").dt.to_string("%FT%R")).rows()
    assert own == [("k1", "2026-03-02T09:25")]


@pytest.mark.parametrize(("day", "warned"), [("2026-02-01", False), ("2026-02-02", True)])
def test_a_default_coverage_on_a_lonely_date_is_warned_about(tmp_path: Path, day: str, warned: bool):
    calls = f"{CALL}k1 | p | a | 2026-01-01 09:00 | 25 | 98968 | |\nk2 | p | a | {day} 09:00 | 25 | 98968 | |"
    result = audit(tmp_path, calls, claims_since=None)
    assert any(warning.startswith("claims_since") for warning in result.warnings) is warned


def test_codes_in_no_list_are_tallied(tmp_path: Path):
    visits = rows(
        "visit_id | patient_id | visit_start | cpt_codes\n"
        "v1 | p | 2026-03-01 09:00 | 00001\nv2 | p | 2026-03-01 09:00 | 00001;99213\nv3 | p | 2026-03-01 09:00 | 99421\n"
        "v4 | p | 2026-03-01 09:00 | 98968\nv5 | p | 2026-03-01 09:00 |\nv6 | p | 2026-03-01 09:00 | 00002"
    )
    result = audit(tmp_path, f"{CALL}k1 | p | a | 2026-03-02 09:00 | 25 | 98968 | |", visits)
    assert doors.unlisted_codes(result.inputs.seen["visits"]) == {"00001": 2, "00002": 1}
    assert any(warning.startswith("visits.cpt_codes: 2 codes, 3 times, are in no list") for warning in result.warnings)


def test_a_visit_ahead_without_a_status_counts(tmp_path: Path):
    visits = rows("visit_id | patient_id | provider_id | visit_start | status\nv1 | p | a | 2026-03-02 12:00 |")
    result = audit(tmp_path, f"{CALL}k1 | p | a | 2026-03-02 09:00 | 25 | 98968 | |", visits)
    assert compare.verdicts(result)[("k1", "1", "98968")]["LAH001"][:3] == ("violation", "visit", "v1")


def test_a_call_over_midnight_sees_the_dates_between(tmp_path: Path):
    """A date-only visit on the first day of a call that runs from midnight to midnight."""
    visits = rows("visit_id | patient_id | provider_id | visit_start | status\nv1 | p | a | 2026-03-02 | completed")
    result = audit(tmp_path, f"{CALL}k1 | p | a | 2026-03-02 00:00 | 1440 | 98968 | |", visits)
    assert compare.verdicts(result)[("k1", "1", "98968")]["LAH001"][:3] == ("review", "visit", "v1")


def frequency(tmp_path: Path, claims: str, **settings: Any) -> dict[str, str]:
    """FRQ001's outcomes for claims written as `day patient provider code`."""
    lines = []
    for number, claim in enumerate(claims.splitlines()):
        day, patient, provider, code = claim.split()
        lines.append(f"k{number:02} | {patient} | {provider} | 2026-03-{int(day):02} 09:00 | 25 | {code} | |")
    result = audit(tmp_path, CALL + "\n".join(lines), claims_since="2026-03-01", codes=("98966", "98968"), **settings)
    return {key[0]: told["FRQ001"][0] for key, told in compare.verdicts(result).items()}


def test_an_unknown_spreads_through_its_run_and_no_further(tmp_path: Path):
    series = "1 p a 98968\n7 p a 98968\n13 p a 98968\n19 p a 98968\n26 p a 98968"
    assert list(frequency(tmp_path, series).values()) == ["unknown", "review", "unknown", "review", "clear"]


def test_a_run_is_of_one_patient_provider_and_code(tmp_path: Path):
    series = "1 p a 98968\n6 p a 98966\n6 p b 98968\n6 q a 98968\n11 p a 98968"
    assert list(frequency(tmp_path, series).values()) == ["unknown", "unknown", "unknown", "unknown", "clear"]


def test_reported_claims_all_count_and_nothing_spreads(tmp_path: Path):
    series = "1 p a 98968\n7 p a 98968\n13 p a 98968\n20 p a 98968"
    told = frequency(tmp_path, series, anchor="reported")
    assert list(told.values()) == ["unknown", "violation", "violation", "clear"]


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
    assert "--as-of is after the last visit, of 2026-01-01, and is cut to the end of that day" in result.warnings


@pytest.mark.parametrize(("since", "expected"), [("2026-03-02", "clear"), ("2026-03-03", "unknown")])
def test_the_first_covered_day_is_covered(tmp_path: Path, since: str, expected: str):
    visits = rows(
        "visit_id | patient_id | provider_id | visit_start | cpt_codes\nv1 | q | a | 2026-03-09 12:00 | 99421"
    )
    calls = f"{CALL}k1 | p | a | {since} 09:00 | 25 | 98968 | |".replace("2026-03-03", "2026-03-02")
    result = audit(tmp_path, calls, visits, visits_since=since)
    assert compare.verdicts(result)[("k1", "1", "98968")]["EXC001"][0] == expected


def test_codes_in_no_list_are_tallied_beside_others(tmp_path: Path):
    visits = rows(
        "visit_id | patient_id | visit_start | cpt_codes\nv1 | p | 2026-03-01 09:00 | 98966;00001\nv2 | p | 2026-03-01 09:00 | G0250;00001"
    )
    result = audit(tmp_path, f"{CALL}k1 | p | a | 2026-03-02 09:00 | 25 | 98968 | |", visits)
    assert doors.unlisted_codes(result.inputs.seen["visits"]) == {"00001": 2}


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ("99421;99213", {"EXC001": "violation", "LBK001": "violation"}),
        ("G0250;99213", {"EXC001": "review", "LBK001": "violation"}),
        ("98966;99213", {"EXC001": "clear", "LBK001": "violation"}),
        ("98966;98967", {"EXC001": "clear", "LBK001": "clear"}),
        ("99213;36415", {"EXC001": "clear", "LBK001": "violation"}),
        ("36415", {"EXC001": "clear", "LBK001": "clear"}),
        ("10004", {"EXC001": "clear", "LBK001": "violation"}),
        ("69990", {"EXC001": "clear", "LBK001": "violation"}),
        ("10003", {"EXC001": "clear", "LBK001": "review"}),
        ("69991", {"EXC001": "clear", "LBK001": "review"}),
    ],
)
def test_one_code_is_enough_for_a_visit_of_several(tmp_path: Path, codes: str, expected: dict[str, str]):
    visits = rows(
        f"visit_id | patient_id | provider_id | visit_start | status | cpt_codes\nv1 | p | a | 2026-03-02 08:00 | completed | {codes}"
    )
    result = audit(tmp_path, f"{CALL}k1 | p | a | 2026-03-02 09:00 | 25 | 98968 | |", visits)
    told = compare.verdicts(result)[("k1", "1", "98968")]
    assert {rule: told[rule][0] for rule in expected} == expected


VISIT = "visit_id | patient_id | provider_id | visit_start | status | booked_at | soonest_available | diagnosis_codes | global_days\n"
DIAGNOSED = "call_id | patient_id | provider_id | call_start | call_minutes | cpt_code | diagnosis_codes\n"


@pytest.mark.parametrize(
    ("visit", "rule", "expected"),
    [
        ("a | 2026-03-15 | completed | | | |", "LBK001", "violation"),
        ("a | 2026-03-18 | completed | | yes | |", "LAH002", "violation"),
        ("a | 2026-03-30 | completed | | yes | |", "LAH002", "violation"),
        ("a | 2026-03-31 | completed | | yes | |", "LAH002", "clear"),
        ("a | 2026-03-16 12:00 | completed | 2026-03-16 09:00 | | F32 |", "LAH001", "review"),
        ("a | 2026-03-16 12:00 | completed | 2026-03-16 08:59:59 | | F32 |", "LAH001", "clear"),
        ("a | 2026-03-20 12:00 | completed | 2026-03-16 09:00 | yes | |", "LAH002", "violation"),
        ("a | 2026-03-20 12:00 | completed | 2026-03-16 08:59:59 | yes | |", "LAH002", "clear"),
        ("a | 2026-03-20 12:00 | completed | 2026-03-17 09:25 | yes | |", "LAH002", "violation"),
        ("a | 2026-03-20 12:00 | completed | 2026-03-17 09:25:01 | yes | |", "LAH002", "clear"),
        ("b | 2026-03-12 09:00 | completed | | | E11 | 10", "LBK002", "clear"),
        ("a | 2026-03-12 09:00 | completed | | | E11 | 5", "LBK002", "clear"),
        ("a | 2026-03-12 09:00 | completed | | | E11 | 10", "LBK002", "violation"),
        ("a | 2026-03-06 09:00 | completed | | | E11 | 10", "LBK002", "violation"),
        ("a | 2026-03-05 09:00 | completed | | | E11 | 10", "LBK002", "clear"),
    ],
)
def test_boundaries_of_the_visit_rules(tmp_path: Path, visit: str, rule: str, expected: str):
    calls = f"{DIAGNOSED}k1 | p | a | 2026-03-16 09:00 | 25 | 98968 | E11.9"
    result = audit(tmp_path, calls, rows(f"{VISIT}v1 | p | {visit}"))
    assert compare.verdicts(result)[("k1", "1", "98968")][rule][0] == expected


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
    ("series", "expected"),
    [
        ("8 p a 98968\n10 p a 98966\n12 p a 98968\n18 p a 98968", ["clear", "clear", "violation", "clear"]),
        ("7 p a 98968", ["clear"]),
        ("6 p a 98968", ["unknown"]),
    ],
)
def test_other_codes_and_the_first_covered_line(tmp_path: Path, series: str, expected: list[str]):
    assert list(frequency(tmp_path, series).values()) == expected


@pytest.mark.parametrize(
    ("earlier", "expected"),
    [("g | PT", "review"), ("g | OT", "clear"), ("h | PT", "clear"), (" | PT", "clear"), ("g | ", "clear")],
)
def test_a_group_repeat_needs_group_and_specialty(tmp_path: Path, earlier: str, expected: str):
    calls = f"{CALL}k1 | p | b | 2026-03-02 09:00 | 25 | 98968 | {earlier}\nk2 | p | a | 2026-03-04 09:00 | 25 | 98968 | g | PT"
    assert compare.verdicts(audit(tmp_path, calls))[("k2", "1", "98968")]["FRQ005"][0] == expected


def test_the_nearest_bundled_visit_of_the_day_is_named(tmp_path: Path):
    visits = rows(
        "visit_id | patient_id | provider_id | visit_start | cpt_codes\n"
        "v1 | p | a | 2026-03-02 13:00 | 99421\nv2 | p | a | 2026-03-02 08:00 | 99421\nv3 | p | a | 2026-03-02 06:00 | 99421"
    )
    result = audit(tmp_path, f"{CALL}k1 | p | a | 2026-03-02 09:00 | 25 | 98968 | |", visits)
    assert compare.verdicts(result)[("k1", "1", "98968")]["EXC001"][2:4] == ("v2", 3)


def test_a_minute_and_the_least_more(tmp_path: Path):
    calls = "call_id | patient_id | provider_id | call_start | call_end | call_minutes | cpt_code\n" + "\n".join(
        f"k{n} | p{n} | a{n} | 2026-03-02 09:00 | 2026-03-02 09:22 | {stated} | 98968"
        for n, stated in enumerate(["23", "23.00000002"])
    )
    told = compare.verdicts(audit(tmp_path, calls))
    assert [told[(f"k{n}", "1", "98968")]["DUR003"][0] for n in range(2)] == ["clear", "review"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_only_visits_are_known_by_date_alone(folder: Path):
    evidence = audit_folder(folder, "csv")[0].evidence.collect()
    assert evidence.filter(pl.col("kind") != "visit")["date_only"].unique().to_list() == [False]
    assert set(evidence["kind"]) == {"visit", "claim", "call"}


@pytest.mark.parametrize(("start", "expected"), [("2026-03-16 00:30", "violation"), ("2026-03-16 00:31", "clear")])
def test_the_horizon_is_elapsed_time_across_a_clock_change(tmp_path: Path, start: str, expected: str):
    """14 x 24 hours after 23:30 end on the fifteenth day by the calendar, because one night is an hour short."""
    visits = rows(f"{VISIT}v1 | p | a | {start} | completed | | yes | |")
    calls = f"{DIAGNOSED}k1 | p | a | 2026-03-01 23:05 | 25 | 98968 |"
    result = audit(tmp_path, calls, visits, timezone="America/New_York")
    assert compare.verdicts(result)[("k1", "1", "98968")]["LAH002"][0] == expected


def test_one_call_that_documents_is_enough(tmp_path: Path):
    calls = (
        "call_id | patient_id | provider_id | call_start | call_minutes | cpt_code | claim_id | doc_reason | doc_advice\n"
        "k1 | p | a | 2026-03-02 09:00 | 10 | 98968 | C | yes | no\n"
        "k2 | p | a | 2026-03-02 10:00 | 12 | 98968 | C | no | no"
    )
    told = compare.verdicts(audit(tmp_path, calls))[("C", "1", "98968")]
    assert (told["DOC001"][0], told["DOC003"][0]) == ("clear", "review")


@pytest.mark.parametrize(
    ("problem", "visit_problem", "diagnoses", "basis"),
    [
        ("x", "x", "E11", "same problem"),
        ("", "x", "E11", "same diagnosis category"),
        ("x", "", "E11", "same diagnosis category"),
        ("", "x", "", "same provider"),
    ],
)
def test_a_problem_tells_only_where_both_have_one(
    tmp_path: Path, problem: str, visit_problem: str, diagnoses: str, basis: str
):
    calls = f"{DIAGNOSED.strip()} | problem_id\nk1 | p | a | 2026-03-16 09:00 | 25 | 98968 | {diagnoses} | {problem}"
    visits = rows(
        f"{VISIT.strip()} | problem_id\nv1 | p | a | 2026-03-15 09:00 | completed | | | {diagnoses} | | {visit_problem}"
    )
    assert compare.verdicts(audit(tmp_path, calls, visits))[("k1", "1", "98968")]["LBK001"][5] == basis


@pytest.mark.parametrize(("origin", "basis"), [("k1", "linked"), ("k9", "same provider")])
def test_a_link_names_one_of_the_claims_calls(tmp_path: Path, origin: str, basis: str):
    visits = rows(
        f"{VISIT.strip()} | originating_call_id\nv1 | p | a | 2026-03-16 12:00 | completed | | | | | {origin}"
    )
    told = compare.verdicts(audit(tmp_path, f"{DIAGNOSED}k1 | p | a | 2026-03-16 09:00 | 25 | 98968 |", visits))
    assert told[("k1", "1", "98968")]["LAH001"][5] == basis


@pytest.mark.parametrize(("own", "basis"), [("E11", "same diagnosis category"), ("", "different diagnosis category")])
def test_the_claims_own_diagnoses_come_first(tmp_path: Path, own: str, basis: str):
    claims = rows(
        f"claim_id | patient_id | provider_id | service_date | cpt_code | call_id | diagnosis_codes\nC | p | a | 2026-03-16 | 98968 | k1 | {own}"
    )
    visits = rows(f"{VISIT}v1 | p | a | 2026-03-16 12:00 | completed | 2026-03-16 09:10 | | E11.9 |")
    world = World(
        calls=rows(f"{DIAGNOSED}k1 | p | a | 2026-03-16 09:00 | 25 | | F32"),
        visits=visits,
        claims=claims,
        settings=COVERED,
    )
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    assert compare.verdicts(result)[("C", "1", "98968")]["LAH001"][5] == basis


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
    assert coverage.parse_as_of(day, policies.load("default", timezone=zone)).isoformat() == end
