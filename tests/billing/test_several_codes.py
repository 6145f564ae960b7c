"""Cells with several codes, and codes with their modifiers."""

from pathlib import Path

import pytest

from tests.reference import Table, World
from tests.support import compare

COVERED = {"as_of": "2026-04-30", "claims_since": "2026-01-01", "visits_since": "2026-01-01"}


def _world(code: str, *, claims: bool, codes: tuple[str, ...] = ("98968",)) -> World:
    call = {
        "call_id": "k",
        "patient_id": "p",
        "provider_id": "a",
        "call_start": "2026-03-10 09:00",
        "call_minutes": "12",
    }
    billed = {"claim_id": "c", "cpt_code": code, "paid_amount": "30"}
    line = {"patient_id": "p", "provider_id": "a", "service_date": "2026-03-10", "call_id": "k"} | billed
    visit = {"visit_id": "v", "patient_id": "p", "visit_start": "2026-03-01 09:00", "global_days": "10"}
    calls = call if claims else call | billed
    return World(
        calls=Table(tuple(calls), (calls,)),
        visits=compare.reaching(Table(tuple(visit), (visit,)), "2026-04-30"),
        claims=Table(tuple(line), (line,)) if claims else None,
        settings={**COVERED, "codes": codes},
    )


@pytest.mark.parametrize("claims", [False, True])
@pytest.mark.parametrize(
    ("code", "line", "modifiers"),
    [
        ("98968", "1", []),
        ("99213; 98968", "1/98968", []),
        ("98968, 99213, 98968", "1/98968", []),
        ("98968-24", "1", ["24"]),
        ("HC:98968:95:24", "1", ["24", "95"]),
        ("CPT 98968-24-talk-57", "1", ["24"]),
        ("98968-talk", "1", []),
        ("98968 by telephone", "1", []),
        ("HC:99213; HC:98968:24", "1/98968", ["24"]),
    ],
)
def test_a_cell_gives_a_line_for_each_code(tmp_path: Path, code: str, line: str, modifiers: list[str], claims: bool):
    world = _world(code, claims=claims)
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    assert result.claims["claim_line"].to_list() == [line if claims else "1"]
    applies = "LBK002" not in result.claims["not_applicable"][0]
    assert applies is ("24" not in modifiers)


@pytest.mark.parametrize("claims", [False, True])
def test_another_code_of_the_same_cell_names_the_call(tmp_path: Path, claims: bool):
    world = _world("99213; 98968", claims=claims)
    result = compare.run(world, tmp_path)
    found = {row["rule"]: (row["outcome"], row["related_id"]) for row in result.findings.to_dicts()}
    assert found["FRQ004"] == ("review", "c")


@pytest.mark.parametrize("claims", [False, True])
def test_two_audited_codes_of_one_cell(tmp_path: Path, claims: bool):
    world = _world("98967; 98968", claims=claims, codes=("98967", "98968"))
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    assert sorted(result.claims["cpt_code"]) == ["98967", "98968"]
    amounts = result.claims.select("at_risk_amount", "review_amount").sum().row(0)
    assert sum(float(amount) for amount in amounts) == 30.0
    ids = result.findings.filter(rule="DUR001")["finding_id"].to_list()
    assert ids == (["DUR001:c:1/98968"] if claims else ["DUR001:c:1:98968"])
