"""Lines near a claim: series of claims, and what an unknown one leaves open."""

from pathlib import Path
from typing import Any

import pytest

from tests.support import compare
from tests.support.claims import audit

CALL = "call_id | patient_id | provider_id | call_start | call_minutes | cpt_code | group_id | specialty\n"


def frequency(tmp_path: Path, claims: str, **settings: Any) -> dict[str, str]:
    """FRQ001's outcomes for claims written as `day patient provider code`."""
    lines = []
    for number, claim in enumerate(claims.splitlines()):
        day, patient, provider, code = claim.split()
        lines.append(f"k{number:02} | {patient} | {provider} | 2026-03-{int(day):02} 09:00 | 25 | {code} | |")
    result = audit(tmp_path, CALL + "\n".join(lines), claims_since="2026-03-01", codes=("98966", "98968"), **settings)
    return {key[0]: reported["FRQ001"][0] for key, reported in compare.verdicts(result).items()}


def test_an_unknown_spreads_through_its_run_and_no_further(tmp_path: Path):
    series = "1 p a 98968\n7 p a 98968\n13 p a 98968\n19 p a 98968\n26 p a 98968"
    assert list(frequency(tmp_path, series).values()) == ["unknown", "review", "unknown", "review", "clear"]


def test_a_run_is_of_one_patient_provider_and_code(tmp_path: Path):
    series = "1 p a 98968\n6 p a 98966\n6 p b 98968\n6 q a 98968\n11 p a 98968"
    assert list(frequency(tmp_path, series).values()) == ["unknown", "unknown", "unknown", "unknown", "clear"]


def test_reported_claims_all_count_and_nothing_spreads(tmp_path: Path):
    series = "1 p a 98968\n7 p a 98968\n13 p a 98968\n20 p a 98968"
    reported = frequency(tmp_path, series, anchor="reported")
    assert list(reported.values()) == ["unknown", "violation", "violation", "clear"]


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
