"""One service billed to another payer, or again after nothing was paid: review at most."""

from pathlib import Path

import pytest

from tests.reference import Table, World
from tests.support import compare
from tests.support.claims import COVERED, rows

CALLS = rows("""call_id | patient_id | provider_id | call_start | call_minutes | group_id | specialty
k1 | p | a | 2026-03-02 09:00 | 25 | g | pt
k2 | p | b | 2026-03-02 15:00 | 25 | g | pt""")
VISITS = compare.reaching(rows("visit_id | patient_id | visit_start\nv0 | p0 | 2026-01-01 09:00"), COVERED["as_of"])
HEADER = "claim_id | provider_id | call_id | cpt_code | payer | paid_amount | service_date"


def audit(tmp_path: Path, *lines: str) -> dict[str, dict[str, str]]:
    """Claim → rule → message, of findings of FRQ001 to FRQ005."""
    claims = rows("\n".join([HEADER, *(f"{line} | 2026-03-02" if line.count("|") == 5 else line for line in lines)]))
    claims = Table((*claims.columns, "patient_id"), tuple(row | {"patient_id": "p"} for row in claims.rows))
    world = World(calls=CALLS, visits=VISITS, claims=claims, settings=COVERED | {"codes": ("98968", "98967")})
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    found: dict[str, dict[str, str]] = {}
    for row in result.findings.to_dicts():
        if row["rule"].startswith("FRQ"):
            found.setdefault(row["claim_id"], {})[row["rule"]] = f"{row['outcome']}: {row['message']}"
    return found


MEDICARE, MEDICAID = "c1 | a | k1 | 98968 | Medicare | 24.80", "c2 | a | k1 | 98968 | Medicaid | 6.20"


def test_a_secondary_payer_is_no_repeat(tmp_path: Path):
    found = audit(tmp_path, MEDICARE, MEDICAID)
    again = ", but to another payer"
    claim = "claim c1 by provider a on 2026-03-02"
    billed = f"{claim} bills the same patient, provider and code for the same day{again}"
    shared = f"{claim} bills a call of this claim, too{again}"
    assert found == {"c2": {"FRQ001": f"review: {billed}", "FRQ004": f"review: {shared}"}}


@pytest.mark.parametrize(
    ("earlier", "later", "outcome"),
    [
        (MEDICARE, "c2 | a | k1 | 98968 | MEDI-CARE | 6.20", "violation"),
        (MEDICARE, "c2 | a | k1 | 98968 |  | 6.20", "violation"),
        ("c1 | a | k1 | 98968 | | 0", "c2 | a | k1 | 98968 | | 31", "review"),
        ("c1 | a | k1 | 98968 | | 0.00", "c2 | a | k1 | 98968 | |", "review"),
        ("c1 | a | k1 | 98968 | | 0", "c2 | a | k1 | 98968 | | 0", "violation"),
        # the ids of one lead to no call: it is the later line, as its start is unknown
        ("c1 | a | lost | 98968 | Medicare |", "c2 | a | k1 | 98968 | Medicaid |", "review"),
        ("c1 | a | lost | 98968 | Medicare | | 2026-03-01", "c2 | a | k1 | 98968 | Medicaid |", "violation"),
    ],
)
def test_what_one_service_is(tmp_path: Path, earlier: str, later: str, outcome: str):
    (rules,) = audit(tmp_path, earlier, later).values()
    assert rules["FRQ001"].startswith(f"{outcome}:")


def test_no_severity_makes_it_a_violation(tmp_path: Path):
    """Another code, another provider: FRQ002 and FRQ005, whose reviews a policy may make violations, say why."""
    codes = audit(tmp_path, MEDICARE, "c2 | a | k1 | 98967 | Medicaid |")
    assert codes["c2"]["FRQ002"].endswith(", but to another payer")
    others = audit(tmp_path, MEDICARE, "c2 | b | k1 | 98968 | Medicaid |")
    assert others["c2"]["FRQ005"].endswith(", but to another payer")


def test_another_telephone_code_for_one_call(tmp_path: Path):
    found = audit(tmp_path, MEDICARE, "c0 | a | k1 | G2012 | Medicaid |")
    shared = "claim c0 by provider a on 2026-03-02 bills a call of this claim, too, but to another payer"
    assert found == {"c1": {"FRQ004": f"review: {shared}"}}


@pytest.mark.parametrize(
    ("claim_id", "day", "outcome"),
    [("c1", "2026-03-02", "review"), ("c1", "2026-03-03", "violation"), ("c2", "2026-03-02", "violation")],
)
def test_a_payers_line_that_fits_no_line_of_its_claim(tmp_path: Path, claim_id: str, day: str, outcome: str):
    """It is no repeat of that claim's lines of its date, and supports nothing more than review against them."""
    claims = rows(f"""claim_id | claim_line | patient_id | provider_id | call_id | service_date | cpt_code | remittance_only
c1 | 1 | p | a | k1 | 2026-03-02 | 98968 |
{claim_id} | 1/835 | p | a | k1 | {day} | 98968 | yes""")
    world = World(calls=CALLS, visits=VISITS, claims=claims, settings=COVERED | {"codes": ("98968", "98967")})
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    found = {row["rule"]: row for row in result.findings.to_dicts() if row["rule"] in ("FRQ001", "FRQ004")}
    assert {row["outcome"] for row in found.values()} == {outcome} and len(found) == 2
    again = ", but one of the two is a payer's line that fits no line of the claim"
    assert all(row["message"].endswith(again) == (outcome == "review") for row in found.values())
