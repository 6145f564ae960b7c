"""Lines and their calls: minutes, codes, what calls document and diagnose."""

from pathlib import Path
from typing import Any

import pytest

from tests.reference import World
from tests.support import compare
from tests.support.claims import COVERED, NO_VISITS, audit, rows

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
        ("09:00 | 09:10 | 10 |\n09:05 | 09:21 | 16 |", 21, "stated"),
        ("09:00 | 09:10 | 10 |\n09:05 | 09:21 |    |", 21, "mixed"),
        ("09:00 | 09:30 | 10 |\n09:10 | 09:21 | 11 |", 21, "stated"),
        ("09:00 | 09:30 |    | 9\n09:08 | 09:30 | | 12", 20, "discussion"),
        ("00:00 | 00:10 |    |\n00:05 | 00:10 |    |", 15, "clock"),
        ("09:00 |       | 10 |\n00:00 | 00:15 |    |\n00:00 | | 5 |", 30, "mixed"),
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


HEADER = "call_id | patient_id | provider_id | call_start | call_end | call_minutes | discussion_minutes | claim_id | cpt_code"


def durations(tmp_path: Path, calls: str, **settings: Any) -> tuple[int | None, str, str]:
    """The claim's minutes, and what DUR001 and DUR002 make of them.

    `calls`: time of day, end, stated and discussion minutes of each; the first is the claim's, and so are those that end
    with `own`.
    """
    lines = [HEADER]
    for number, line in enumerate(calls.splitlines()):
        start, end, stated, discussed, own = (
            cell.strip() for cell in f"{line}{' | ' * (4 - line.count('|'))}".split("|")
        )
        end = end and f"2026-03-02 {end}"
        claim = "C1 | 98968" if own or not number else " | "
        lines.append(f"k{number} | p | a | 2026-03-02 {start} | {end} | {stated} | {discussed} | {claim}")
    result = audit(tmp_path, "\n".join(lines), **settings)
    (reported,) = compare.verdicts(result).values()
    return reported["minutes"], reported["DUR001"][0], reported["DUR002"][0]


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        # both clocks show the stated time: 16 minutes for sure
        ("09:00 | 09:12 | 12 |\n09:04 | 09:16 | 12 | | own", (16, "violation", "clear")),
        # the first states over a minute less than its clock shows: 24 minutes are possible
        ("09:00 | 09:13:01 | 12 |\n09:04 | 09:16 | 12 | | own", (16, "review", "clear")),
        ("09:00 | 09:13 | 12 |\n09:04 | 09:16 | 12 | | own", (16, "violation", "clear")),
        ("09:00 | 09:30 | | 12\n09:04 | | 12 | | own", (16, "review", "clear")),
        ("09:00 | 09:30 | 12 |\n09:04 | 09:16 | 8 | | own", (12, "violation", "clear")),
        # the stretches meet and do not overlap
        ("09:00 | 09:30 | 10 |\n09:10 | 09:20 | 10 | | own", (20, "violation", "clear")),
        # the overlap is not the call that states less
        ("09:00 | 09:30 | 5 |\n09:10 | 09:18 | | | own\n09:12 | 09:20 | | | own", (15, "violation", "clear")),
        # whoever starts at midnight overlaps nothing
        ("00:00 | 00:30 | 10 |\n00:05 | 00:30 | 8 | | own", (18, "violation", "clear")),
        ("09:00 | 09:40 | 20 |\n09:05 | 09:40 | 20 | | own", (25, "clear", "review")),
        ("09:00 | 09:20 | 20 |\n09:05 | 09:25 | 20 | | own", (25, "clear", "clear")),
        ("09:00 | 09:40 | 16 |\n09:05 | 09:40 | 14:59 | | own", (19, "review", "clear")),
        ("09:00 | 09:40 | 16 |\n09:05 | 09:40 | 15 | | own", (20, "review", "review")),
        ("09:00 | 09:40 | 35 |\n09:05 | 09:46 | 20 | | own", (35, "clear", "violation")),
        ("09:00 | 09:40 | 10 |\n09:05 | | | | own", (None, "unknown", "unknown")),
    ],
)
def test_calls_that_overlap_count_once(tmp_path: Path, calls: str, expected: tuple[int | None, str, str]):
    assert durations(tmp_path, calls) == expected


@pytest.mark.parametrize(
    ("calls", "ask", "period", "claim"),
    [
        # one stretch of 12 minutes, logged twice
        ("09:00 | 09:12\n09:00 | 09:12", (12, "violation", "clear"), (12, "violation", "clear"), (12, "violation", "clear")),
        ("09:00 | 09:16\n09:00 | 09:16", (16, "violation", "clear"), (16, "violation", "clear"), (16, "violation", "clear")),
        ("09:00 | 09:12\n09:11 | 09:21", (12, "review", "clear"), (21, "clear", "clear"), (12, "violation", "clear")),
        ("09:00 | 09:12\n09:11 | 09:20:59", (12, "violation", "clear"), (20, "violation", "clear"), (12, "violation", "clear")),
        # two calls of the period overlap each other
        (
            "09:00 | 09:12\n10:00 | 10:08\n10:02 | 10:08",
            (12, "violation", "clear"), (20, "violation", "clear"), (12, "violation", "clear"),
        ),
        # a doubtful overlap of the period: its plain sum reaches the band, or is beyond it
        (
            "09:00 | 09:12\n09:00 | 09:20 | 9",
            (12, "review", "clear"), (12, "review", "clear"), (12, "violation", "clear"),
        ),
        (
            "09:00 | 09:16\n09:10 | 09:40 | 15",
            (16, "review", "clear"), (25, "clear", "review"), (16, "violation", "clear"),
        ),
        ("09:00 | 09:12\n10:00 | | ", (12, "violation", "clear"), (None, "unknown", "unknown"), (12, "violation", "clear")),
        ("00:00 | 00:12\n00:01 | 00:12", (12, "review", "clear"), (23, "clear", "clear"), (12, "violation", "clear")),
    ],
)  # fmt: skip
def test_the_calls_of_the_period_count_once_together(
    tmp_path: Path, calls: str, ask: tuple[Any, ...], period: tuple[Any, ...], claim: tuple[Any, ...]
):
    expected = {"ask": ask, "period": period, "claim": claim}
    assert {how: durations(tmp_path, calls, cumulative=how) for how in expected} == expected


def test_a_doubtful_overlap_is_review_whatever_the_severity(tmp_path: Path):
    calls = "09:00 | 09:30 | 12 |\n09:04 | 09:16 | 12 | | own"
    assert durations(tmp_path, calls, severity={"DUR001": "violation"}) == (16, "review", "clear")
    calls = "09:00 | 09:12\n10:00 | 10:12"
    assert durations(tmp_path, calls, severity={"DUR001": "violation"}) == (12, "violation", "clear")


def test_midnight_is_that_of_the_policys_zone(tmp_path: Path):
    calls = "05:00+00:00 | | 12 |\n05:04+00:00 | | 12 | | own"
    by_zone = {zone: durations(tmp_path, calls, timezone=zone)[0] for zone in ("UTC", "America/New_York")}
    assert by_zone == {"UTC": 16, "America/New_York": 24}


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
    reported = compare.verdicts(result)
    short = [reported[(f"k{number}", "1", code)]["DUR001"][0] for number in range(6)]
    long = [reported[(f"k{number}", "1", code)]["DUR002"][0] for number in range(6)]
    low, high = {"98966": (5, 10), "98967": (11, 20)}[code]
    assert short == ["violation" if int(text) < low else "clear" for text in minutes]
    assert long == ["violation" if int(text) > high else "clear" for text in minutes]


def test_a_minute_and_the_least_more(tmp_path: Path):
    calls = "call_id | patient_id | provider_id | call_start | call_end | call_minutes | cpt_code\n" + "\n".join(
        f"k{n} | p{n} | a{n} | 2026-03-02 09:00 | 2026-03-02 09:22 | {stated} | 98968"
        for n, stated in enumerate(["23", "23.00000002"])
    )
    reported = compare.verdicts(audit(tmp_path, calls))
    assert [reported[(f"k{n}", "1", "98968")]["DUR003"][0] for n in range(2)] == ["clear", "review"]


def test_one_call_that_documents_is_enough(tmp_path: Path):
    calls = (
        "call_id | patient_id | provider_id | call_start | call_minutes | cpt_code | claim_id | doc_reason | doc_advice\n"
        "k1 | p | a | 2026-03-02 09:00 | 10 | 98968 | C | yes | no\n"
        "k2 | p | a | 2026-03-02 10:00 | 12 | 98968 | C | no | no"
    )
    reported = compare.verdicts(audit(tmp_path, calls))[("C", "1", "98968")]
    assert (reported["DOC001"][0], reported["DOC003"][0]) == ("clear", "review")


def test_the_payer_is_that_of_the_earliest_call(tmp_path: Path):
    claims = rows("claim_id | patient_id | provider_id | service_date | cpt_code\nC | p | a | 2026-03-16 | 98968")
    calls = rows(
        "call_id | patient_id | provider_id | call_start | call_minutes | payer | claim_id\n"
        "k1 | p | a | 2026-03-16 09:00 | 15 | | C\nk2 | p | a | 2026-03-16 10:00 | 10 | Aetna | C"
    )
    world = World(calls=calls, visits=NO_VISITS, claims=claims, settings=COVERED)
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    assert result.claims["payer"].to_list() == [None]


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
