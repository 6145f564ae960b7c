"""Lines with a range of service dates: the first day counts, for review at most; where another gives more, unknown."""

from pathlib import Path

import pytest

from tests.reference import Table, World
from tests.support import compare


def _run(folder: Path, service_date: str, call: str, earlier: str = "") -> dict[str, str]:
    calls = {"call_id": "k", "patient_id": "p", "provider_id": "a", "call_start": f"{call} 09:00", "call_minutes": "25"}
    head = ("claim_id", "patient_id", "provider_id", "service_date", "cpt_code")
    lines = [dict(zip(head, ("c", "p", "a", service_date, "98968"), strict=True))]
    if earlier:
        lines.append(dict(zip(head, ("b", "p", "a", earlier, "98968"), strict=True)))
    visit = {"visit_id": "v", "patient_id": "p", "visit_start": "2026-01-02 09:00", "cpt_codes": "99213"}
    world = World(
        calls=Table(tuple(calls), (calls,)),
        visits=compare.reaching(Table(tuple(visit), (visit,)), "2026-04-30"),
        claims=Table(head, tuple(lines)),
        settings={"as_of": "2026-04-30", "claims_since": "2026-01-01", "visits_since": "2026-01-01"},
    )
    result = compare.run(world, folder)
    assert compare.differences(world, result) == []
    claim = result.claims.filter(claim_id="c").row(0, named=True)
    outcomes = {"violation": claim["violations"], "review": claim["reviews"], "unknown": claim["unknowns"]}
    return {rule: outcome for outcome, rules in outcomes.items() for rule in rules}


@pytest.mark.parametrize("call", ["2026-03-01", "2026-03-03", "2026-03-05"])
def test_a_call_on_one_of_its_days_is_the_lines(tmp_path: Path, call: str):
    found = _run(tmp_path, "20260301-20260305", call)
    assert "INT001" not in found and "INT002" not in found


def test_a_call_on_another_day_is_not(tmp_path: Path):
    assert _run(tmp_path, "20260301-20260305", "2026-03-06")["INT001"] == "violation"


def test_a_repeat_is_review_at_most(tmp_path: Path):
    assert _run(tmp_path, "20260301-20260301", "2026-03-01", "2026-02-27")["FRQ001"] == "violation"
    (tmp_path / "range").mkdir()
    assert _run(tmp_path / "range", "20260301-20260305", "2026-03-01", "2026-02-27")["FRQ001"] == "review"


def test_an_earlier_range_supports_review_at_most(tmp_path: Path):
    assert _run(tmp_path, "2026-03-08", "2026-03-08", "20260303-20260306")["FRQ001"] == "review"


@pytest.mark.parametrize(
    ("service_date", "earlier", "outcome"),
    [
        ("20260301-20260305", "2026-02-10", None),
        ("20260301-20260305", "2026-02-23", "review"),  # 6 days before the first day, 10 before the last
        ("20260301-20260305", "2026-03-04", "unknown"),  # later than the first day, earlier than the last
        ("2026-03-12", "20260301-20260305", None),
        ("2026-03-11", "20260301-20260305", "unknown"),
        ("2026-03-08", "20260301-20260301", None),
    ],
)
def test_another_day_may_give_more(tmp_path: Path, service_date: str, earlier: str, outcome: str | None):
    assert _run(tmp_path, service_date, "2026-03-11", earlier).get("FRQ001") == outcome


def test_a_line_that_a_rule_does_not_consider_supports_nothing(tmp_path: Path):
    """FRQ002 considers other codes only."""
    assert "FRQ002" not in _run(tmp_path, "20260301-20260305", "2026-03-01", "2026-02-27")
