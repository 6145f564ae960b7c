"""Visits near a claim: which are related, which count, and where their windows end."""

from pathlib import Path

import polars as pl
import pytest

from tests.support import compare
from tests.support.claims import audit, rows
from tests.synthetic.test_sample_answer import FOLDERS, audit_folder

CALL = "call_id | patient_id | provider_id | call_start | call_minutes | cpt_code | group_id | specialty\n"


VISIT = "visit_id | patient_id | provider_id | visit_start | status | booked_at | soonest_available | diagnosis_codes | global_days\n"


DIAGNOSED = "call_id | patient_id | provider_id | call_start | call_minutes | cpt_code | diagnosis_codes\n"


def test_same_group_is_the_basis_where_nothing_else_tells(tmp_path: Path):
    visits = rows(
        "visit_id | patient_id | provider_id | visit_start | status | group_id | specialty\n"
        "v1 | p | b | 2026-03-01 09:00 | completed | g | PT\n"
        "v2 | q | b | 2026-03-01 09:00 | completed | g | OT\n"
        "v3 | r | b | 2026-03-01 09:00 | completed | h | PT"
    )
    calls = "".join(f"k-{patient} | {patient} | a | 2026-03-02 09:00 | 25 | 98968 | g | PT\n" for patient in "pqr")
    result = audit(tmp_path, CALL + calls, visits)
    reported = {key[0]: verdict["LBK001"][5] for key, verdict in compare.verdicts(result).items()}
    assert reported == {"k-p": "same group", "k-q": "unknown", "k-r": "unknown"}


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
    lookback = of_k1.filter(pl.col("rule") == "LBK001").select("id", "outcome", "exclusion_reason").rows()
    assert lookback == [
        ("v1", "none", "unrelated"),
        ("v2", "none", "did not take place"),
        ("v3", "none", "does not count as a visit"),
        ("v4", "violation", None),
    ]
    assert of_k1.filter(pl.col("rule") == "FRQ001").is_empty()
    own = of_k1.filter(pl.col("outcome") == "own").select("id", pl.col("until").dt.to_string("%FT%R")).rows()
    assert own == [("k1", "2026-03-02T09:25")]


def test_codes_in_no_list_are_tallied(tmp_path: Path):
    visits = rows(
        "visit_id | patient_id | visit_start | cpt_codes\n"
        "v1 | p | 2026-03-01 09:00 | 00001\nv2 | p | 2026-03-01 09:00 | 00001;99213\nv3 | p | 2026-03-01 09:00 | 99421\n"
        "v4 | p | 2026-03-01 09:00 | 98968\nv5 | p | 2026-03-01 09:00 |\nv6 | p | 2026-03-01 09:00 | 00002"
    )
    result = audit(tmp_path, f"{CALL}k1 | p | a | 2026-03-02 09:00 | 25 | 98968 | |", visits)
    assert result.inputs.profiles["visits"].unlisted_codes == {"00001": 2, "00002": 1}
    assert any(
        warning.startswith("visits.cpt_codes: 2 codes (3 uses) are not on a list") for warning in result.warnings
    )


def test_a_visit_ahead_without_a_status_counts(tmp_path: Path):
    visits = rows("visit_id | patient_id | provider_id | visit_start | status\nv1 | p | a | 2026-03-02 12:00 |")
    result = audit(tmp_path, f"{CALL}k1 | p | a | 2026-03-02 09:00 | 25 | 98968 | |", visits)
    assert compare.verdicts(result)[("k1", "1", "98968")]["LAH001"][:3] == ("violation", "visit", "v1")


def test_a_call_over_midnight_sees_the_dates_between(tmp_path: Path):
    """A date-only visit on the first day of a call that runs from midnight to midnight."""
    visits = rows("visit_id | patient_id | provider_id | visit_start | status\nv1 | p | a | 2026-03-02 | completed")
    result = audit(tmp_path, f"{CALL}k1 | p | a | 2026-03-02 00:00 | 1440 | 98968 | |", visits)
    assert compare.verdicts(result)[("k1", "1", "98968")]["LAH001"][:3] == ("review", "visit", "v1")


def test_codes_in_no_list_are_tallied_beside_others(tmp_path: Path):
    visits = rows(
        "visit_id | patient_id | visit_start | cpt_codes\nv1 | p | 2026-03-01 09:00 | 98966;00001\nv2 | p | 2026-03-01 09:00 | G0250;00001"
    )
    result = audit(tmp_path, f"{CALL}k1 | p | a | 2026-03-02 09:00 | 25 | 98968 | |", visits)
    assert result.inputs.profiles["visits"].unlisted_codes == {"00001": 2}


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
    reported = compare.verdicts(result)[("k1", "1", "98968")]
    assert {rule: reported[rule][0] for rule in expected} == expected


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


def test_the_nearest_bundled_visit_of_the_day_is_named(tmp_path: Path):
    visits = rows(
        "visit_id | patient_id | provider_id | visit_start | cpt_codes\n"
        "v1 | p | a | 2026-03-02 13:00 | 99421\nv2 | p | a | 2026-03-02 08:00 | 99421\nv3 | p | a | 2026-03-02 06:00 | 99421"
    )
    result = audit(tmp_path, f"{CALL}k1 | p | a | 2026-03-02 09:00 | 25 | 98968 | |", visits)
    assert compare.verdicts(result)[("k1", "1", "98968")]["EXC001"][2:4] == ("v2", 3)


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


CONFLICTING = {"LBK001": "2026-03-15 09:00 | completed | |", "LBK002": "2026-03-15 09:00 | completed | |",
               "LAH001": "2026-03-16 12:00 | completed | 2026-03-01 09:00 |",
               "LAH002": "2026-03-20 12:00 | completed | | yes"}  # fmt: skip


@pytest.mark.parametrize("rule", CONFLICTING)
@pytest.mark.parametrize("provider", ["a", "b"])
def test_other_problems_with_a_diagnosis_in_common_conflict(tmp_path: Path, rule: str, provider: str):
    calls = f"{DIAGNOSED.strip()} | problem_id | group_id\nk1 | p | a | 2026-03-16 09:00 | 25 | 98968 | M54.5 | x | g"
    visits = rows(
        f"{VISIT.strip()} | problem_id | group_id\nv1 | p | {provider} | {CONFLICTING[rule]} | M54.2;E11 | 10 | y | g"
    )
    reported = compare.verdicts(audit(tmp_path, calls, visits))[("k1", "1", "98968")][rule]
    assert reported == ("review", "visit", "v1", 1, reported[4], "conflicting")


@pytest.mark.parametrize(
    ("problem", "diagnoses", "relatedness", "expected"),
    [
        ("x", "M54.2", "evidence", ("violation", "same problem")),
        ("y", "E11", "evidence", ("clear", None)),
        ("y", "", "evidence", ("clear", None)),
        ("X", "M54.2", "evidence", ("review", "conflicting")),
        ("X", "E11", "evidence", ("review", "unknown")),
        ("y", "M54.2", "any", ("violation", "any")),
    ],
)
def test_only_a_shared_diagnosis_makes_a_conflict(
    tmp_path: Path, problem: str, diagnoses: str, relatedness: str, expected: tuple[str, str | None]
):
    calls = f"{DIAGNOSED.strip()} | problem_id\nk1 | p | a | 2026-03-16 09:00 | 25 | 98968 | M54.5 | x"
    visits = rows(
        f"{VISIT.strip()} | problem_id\nv1 | p | a | 2026-03-15 09:00 | completed | | | {diagnoses} | | {problem}"
    )
    reported = compare.verdicts(audit(tmp_path, calls, visits, relatedness=relatedness))[("k1", "1", "98968")]["LBK001"]
    assert (reported[0], reported[5]) == expected


def test_a_conflict_needs_no_common_vocabulary_of_diagnoses(tmp_path: Path):
    """Only the step that diagnoses decide alone is passed over where hardly any is in common."""
    calls = "".join(f"n{n} | q{n} | z | 2026-01-05 09:00 | 25 | | A{n} |\n" for n in range(10, 40))
    call = "k1 | p | a | 2026-03-16 09:00 | 25 | 98968 | M54.5 | x"
    others = "".join(f"w{n} | r{n} | z | 2026-01-05 09:00 | completed | | | B{n} | |\n" for n in range(10, 40))
    visits = rows(
        f"{VISIT.strip()} | problem_id\nv1 | p | b | 2026-03-15 09:00 | completed | | | M54.2 | | y\n{others}"
    )
    result = audit(tmp_path, f"{DIAGNOSED.strip()} | problem_id\n{calls}{call}", visits)
    reported = compare.verdicts(result)[("k1", "1", "98968")]["LBK001"]
    assert (reported[0], reported[5]) == ("review", "conflicting")


@pytest.mark.parametrize(("origin", "basis"), [("k1", "linked"), ("k9", "same provider")])
def test_a_link_names_one_of_the_claims_calls(tmp_path: Path, origin: str, basis: str):
    visits = rows(
        f"{VISIT.strip()} | originating_call_id\nv1 | p | a | 2026-03-16 12:00 | completed | | | | | {origin}"
    )
    reported = compare.verdicts(audit(tmp_path, f"{DIAGNOSED}k1 | p | a | 2026-03-16 09:00 | 25 | 98968 |", visits))
    assert reported[("k1", "1", "98968")]["LAH001"][5] == basis


CALLS = "call_id | patient_id | provider_id | call_start | call_minutes | cpt_code | claim_id | problem_id\n"


@pytest.mark.parametrize(
    ("origin", "others", "expected"),
    [
        ("C1", "", ("violation", "linked")),
        (
            "C1",
            "C1 | p | a | 2026-01-02 11:00 | 9 | | |",
            ("clear", None),
        ),  # the id of a call of the patient, long before
        ("C1", "C1 | q | a | 2026-03-16 11:00 | 9 | | |", ("violation", "linked")),
        ("C2", "", ("clear", None)),
        ("c-1", "", ("unknown", None)),
        ("c-1", "c-1 | q | a | 2026-03-16 11:00 | 9 | | |", ("clear", None)),
    ],
)
def test_a_visit_may_name_the_claim_that_it_came_from(
    tmp_path: Path, origin: str, others: str, expected: tuple[str, str | None]
):
    visits = rows(
        "visit_id | patient_id | provider_id | visit_start | status | problem_id | originating_call_id\n"
        f"v1 | p | b | 2026-03-17 08:00 | completed | y | {origin}"
    )
    result = audit(tmp_path, f"{CALLS}k1 | p | a | 2026-03-16 09:00 | 25 | 98968 | C1 | x\n{others}", visits)
    reported = compare.verdicts(result)[("C1", "1", "98968")]["LAH001"]
    assert (reported[0], reported[5]) == expected
    found = result.joins.filter(pair="call in visits").select("values", "found").rows()
    assert found == [(1, int(origin == "C1" or others.startswith(origin)))]


@pytest.mark.parametrize(
    ("visit", "rule", "expected"),
    [
        ("a | 2026-03-16 09:15 | | |", "LAH001", ("review", "may be the call itself")),
        ("a | 2026-03-16 09:15:00.000001 | | |", "LAH001", ("review", "may be the call itself")),
        ("a | 2026-03-16 09:25 | | |", "LAH001", ("review", "may be the call itself")),
        ("a | 2026-03-16 09:25:00.000001 | | |", "LAH001", ("violation", "same provider")),
        ("a | 2026-03-16 08:45 | | |", "LBK001", ("review", "may be the call itself")),
        ("a | 2026-03-16 08:44:59.999999 | | |", "LBK001", ("violation", "same provider")),
        ("a | 2026-03-16 09:00 | fax | |", "LAH001", ("review", "may be the call itself")),
        ("a | 2026-03-16 09:00 | in person | |", "LAH001", ("violation", "same provider")),
        ("a | 2026-03-16 09:00 | phone | |", "LAH001", ("clear", None)),
        ("a | 2026-03-16 09:00 | | 99213 |", "LAH001", ("violation", "same provider")),
        ("a | 2026-03-16 09:00 | | | k1", "LAH001", ("violation", "linked")),
        (" | 2026-03-16 09:00 | | |", "LAH001", ("review", "may be the call itself")),
        ("b | 2026-03-16 09:00 | | |", "LAH001", ("review", "unknown")),
    ],
)
def test_a_visit_at_the_time_of_the_call_may_be_the_call_itself(
    tmp_path: Path, visit: str, rule: str, expected: tuple[str, str | None]
):
    visits = rows(
        "visit_id | patient_id | provider_id | visit_start | modality | cpt_codes | originating_call_id | status\n"
        f"v1 | p | {visit} | completed"
    )
    result = audit(tmp_path, f"{CALLS}k1 | p | a | 2026-03-16 09:00 | 25 | 98968 | |", visits)
    reported = compare.verdicts(result)[("k1", "1", "98968")][rule]
    assert (reported[0], reported[5]) == expected


def test_no_severity_makes_a_violation_of_what_may_be_the_call_itself(tmp_path: Path):
    visits = rows("visit_id | patient_id | provider_id | visit_start\nv1 | p | a | 2026-03-16 09:10")
    calls = f"{CALLS}k1 | p | a | 2026-03-16 09:00 | 25 | 98968 | |"
    reported = compare.verdicts(audit(tmp_path, calls, visits, severity={"LAH001": "violation"}))
    assert reported[("k1", "1", "98968")]["LAH001"][0] == "review"
