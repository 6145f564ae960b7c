"""Lines and their calls: minutes, codes, what calls document and diagnose."""

from pathlib import Path

import pytest

from tests.reference import World
from tests.support import compare
from tests.support.claims import COVERED, audit, rows

VISIT = "visit_id | patient_id | provider_id | visit_start | status | booked_at | soonest_available | diagnosis_codes | global_days\n"


DIAGNOSED = "call_id | patient_id | provider_id | call_start | call_minutes | cpt_code | diagnosis_codes\n"


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


def test_a_minute_and_the_least_more(tmp_path: Path):
    calls = "call_id | patient_id | provider_id | call_start | call_end | call_minutes | cpt_code\n" + "\n".join(
        f"k{n} | p{n} | a{n} | 2026-03-02 09:00 | 2026-03-02 09:22 | {stated} | 98968"
        for n, stated in enumerate(["23", "23.00000002"])
    )
    told = compare.verdicts(audit(tmp_path, calls))
    assert [told[(f"k{n}", "1", "98968")]["DUR003"][0] for n in range(2)] == ["clear", "review"]


def test_one_call_that_documents_is_enough(tmp_path: Path):
    calls = (
        "call_id | patient_id | provider_id | call_start | call_minutes | cpt_code | claim_id | doc_reason | doc_advice\n"
        "k1 | p | a | 2026-03-02 09:00 | 10 | 98968 | C | yes | no\n"
        "k2 | p | a | 2026-03-02 10:00 | 12 | 98968 | C | no | no"
    )
    told = compare.verdicts(audit(tmp_path, calls))[("C", "1", "98968")]
    assert (told["DOC001"][0], told["DOC003"][0]) == ("clear", "review")


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
