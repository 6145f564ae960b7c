"""What INT002 says that differs is what it holds against the claim."""

from pathlib import Path

from tests.reference import Table, World
from tests.support import compare

HEAD = ("claim_id", "call_id", "patient_id", "provider_id", "service_date", "cpt_code")
VISIT = {"visit_id": "v", "patient_id": "p", "visit_start": "2026-01-02 09:00", "cpt_codes": "99213"}


def words(folder: Path, *lines: tuple[str, ...]) -> dict[str, str]:
    """The messages of INT002, by claim. Call kN is of patient pN and provider a, on 2 March."""
    calls = [
        {
            "call_id": f"k{n}",
            "patient_id": f"p{n}",
            "provider_id": "a",
            "call_start": "2026-03-02 09:00",
            "call_minutes": "25",
        }
        for n in range(1, 4)
    ]
    world = World(
        calls=Table(tuple(calls[0]), tuple(calls)),
        visits=compare.reaching(Table(tuple(VISIT), (VISIT,)), "2026-04-30"),
        claims=Table(HEAD, tuple(dict(zip(HEAD, line, strict=True)) for line in lines)),
        settings={"as_of": "2026-04-30", "claims_since": "2026-01-01", "visits_since": "2026-01-01"},
    )
    found = compare.run(world, folder).findings.filter(rule="INT002")
    return dict(found.select("claim_id", "message").iter_rows())


def test_patient_and_date_are_named_where_they_differ(tmp_path: Path):
    found = words(
        tmp_path,
        ("c1", "k1", "p2", "a", "2026-03-02", "98968"),
        ("c2", "k2", "p2", "a", "2026-03-05", "98968"),
        ("c3", "k3", "p1", "b", "2026-03-02", "98968"),
    )
    assert found == {
        "c1": "call k1 on 2026-03-02 has another patient than the claim",
        "c2": "call k2 on 2026-03-02 has another date than the claim",
        "c3": "call k3 on 2026-03-02 has another patient and provider than the claim",
    }


def test_a_patient_of_another_system_is_not_named(tmp_path: Path):
    """Hardly any patient of the claims is in the calls, so that only the date is held against them."""
    found = words(
        tmp_path,
        ("c1", "k1", "x1", "a", "2026-03-05", "98968"),
        ("c2", "k2", "x2", "a", "2026-03-05", "98968"),
        ("c3", "k3", "x3", "a", "2026-03-02", "98968"),
    )
    assert found == {f"c{n}": f"call k{n} on 2026-03-02 has another date than the claim" for n in (1, 2)}
