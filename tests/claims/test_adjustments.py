"""Replacements, voids and reversals: which line is left."""

from pathlib import Path

import pytest

from tests.reference import Table, World
from tests.support import compare

HEAD = ("claim_id", "claim_line", "paid_amount", "frequency_code", "original_claim_id", "claim_status")
ORIGINAL = "c1 | 1 | 30 | | |"


def world(*rows: str) -> World:
    """A call of each claim's day, and these lines."""
    lines = [dict(zip(HEAD, (cell.strip() for cell in row.split("|")), strict=True)) for row in rows]
    shared = {"patient_id": "p", "provider_id": "a", "service_date": "2026-03-02", "cpt_code": "98968"}
    claims = Table((*HEAD, *shared), tuple(line | shared for line in lines))
    call = {
        "call_id": "k",
        "patient_id": "p",
        "provider_id": "a",
        "call_start": "2026-03-02 09:00",
        "call_minutes": "25",
    }
    visit = {"visit_id": "v", "patient_id": "p", "visit_start": "2026-01-02 09:00"}
    return World(
        calls=Table(tuple(call), (call,)),
        visits=compare.reaching(Table(tuple(visit), (visit,)), "2026-04-30"),
        claims=claims,
        settings={"as_of": "2026-04-30", "claims_since": "2026-01-01"},
    )


@pytest.mark.parametrize(
    ("rows", "left", "void", "unmatched"),
    [
        ((ORIGINAL, "c1 | 1 | -30 | | |"), set(), 2, 0),
        ((ORIGINAL, "c1 | 2 | (30) | | |"), set(), 2, 0),
        ((ORIGINAL, "c9 | 1 | -30.00 | | |"), set(), 2, 0),
        ((ORIGINAL, "c1 | 1 | -31 | | |"), {"c1"}, 1, 1),
        ((ORIGINAL, "c1 | 1 | 0 | 8 | |"), set(), 2, 0),
        ((ORIGINAL, "c2 | 1 | 0 | void | c1 |"), set(), 2, 0),
        ((ORIGINAL, "c2 | 1 | 0 | 8 | c9 |"), {"c1"}, 1, 1),
        ((ORIGINAL, "c2 | 1 | 0 | 8 | c1 | denied"), {"c1"}, 0, 0),
        ((ORIGINAL, "c2 | 1 | 35 | 7 | c1 |"), {"c2"}, 1, 0),
        ((ORIGINAL, "c1 | 1 | 35 | 7 | |"), {"c1"}, 1, 0),
        ((ORIGINAL, "c1 | 1 | 35 | 7 | |", "c1 | 1 | 36 | replacement | |"), {"c1"}, 2, 0),
        ((ORIGINAL, "c2 | 1 | 35 | 7 | c9 |"), {"c1", "c2"}, 0, 1),
        ((ORIGINAL, "c1 | 1 | 35 | 7 | |", "c1 | 1 | 0 | 8 | |"), {"c1"}, 2, 0),
        ((ORIGINAL, "c1 | 1 | 35 | 7 | |", "c2 | 1 | 0 | 8 | c1 |"), set(), 3, 0),
        (("c1 | 1 | 35 | 7 | c9 |", "c1 | 1 | 0 | 8 | |"), {"c1"}, 1, 2),
        (("c1 | 1 | 30 | | | void", "c1 | 1 | -30 | | |", "c2 | 1 | 30 | | |"), {"c2"}, 2, 0),
        (("c1 | 1 | 30 | | | denied", "c1 | 1 | -30 | | |", "c2 | 1 | 30 | | |"), set(), 2, 0),
        (("c1 | 1 | 31 | | | void", "c1 | 1 | -30 | | |", "c2 | 1 | 30 | | |"), set(), 3, 0),
        ((ORIGINAL, "c1 | 1 | 35 | 1 | |"), set(), 0, 0),
    ],
)
def test_the_line_that_is_left(tmp_path: Path, rows: tuple[str, ...], left: set[str], void: int, unmatched: int):
    made = world(*rows)
    result = compare.run(made, tmp_path)
    assert compare.differences(made, result) == []
    assert set(result.claims["claim_id"]) == left
    assert (result.inactive["void"], result.unmatched) == (void, unmatched)
    assert any("name no line" in text for text in result.warnings) is bool(unmatched)


def test_a_replacement_that_found_nothing_asks_for_review(tmp_path: Path):
    result = compare.run(world(ORIGINAL, "c2 | 1 | 35 | 7 | c9 |"), tmp_path)
    assert compare.verdicts(result)["c2", "1", "98968"]["FRQ001"][:3] == ("review", "claim", "c1")
