"""Ids that many rows have: claims of several patients, and problems and groups that most rows have."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.reference import Table, World
from tests.support import compare
from tests.support.engines import audited_here
from tests.support.worlds import Row

COVERED = {"as_of": "2026-04-30", "visits_since": "2025-11-01", "claims_since": "2026-01-01"}


def table(rows: list[Row]) -> Table:
    return Table(tuple(dict.fromkeys(name for row in rows for name in row)), tuple(rows))


def clinic(**cells: str) -> World:
    """Two calls 6 days apart of one patient and group, a procedure and a visit before them, and more."""
    call = {"patient_id": "p1", "call_minutes": "25", "cpt_code": "98968", "specialty": "PT"}
    calls = [
        {**call, "call_id": "k1", "provider_id": "a", "call_start": "2026-03-10 09:00"},
        {**call, "call_id": "k2", "provider_id": "b", "call_start": "2026-03-16 09:00", "claim_id": "C1"},
        {**call, "call_id": "k3", "provider_id": "b", "call_start": "2026-03-16 10:00", "claim_id": "C1"},
        {**call, "call_id": "k4", "provider_id": "b", "call_start": "2026-04-16 10:00", "claim_id": "C2"},
    ]
    visit = {"patient_id": "p1", "status": "completed", "cpt_codes": "99213", "specialty": "PT"}
    visits = [
        {**visit, "visit_id": "v1", "provider_id": "c", "visit_start": "2026-03-08 09:00"},
        {**visit, "visit_id": "v2", "provider_id": "d", "visit_start": "2026-02-20 09:00", "global_days": "90"},
        {**visit, "visit_id": "v3", "provider_id": "d", "visit_start": "2026-01-20 09:00", "diagnosis_codes": "M54.5"},
    ]
    for row in (*calls, *visits):
        row.update({"problem_id": "", "group_id": ""} | cells)
    return World(calls=table(calls), visits=compare.reaching(table(visits), "2026-04-30"), settings=COVERED)


def crowded(world: World, column: str, most: int, others: int) -> World:
    """With further calls and visits, of which `most` have the id 9 in a column, and `others` another one each."""
    rows = []
    for number in range(most + others):
        value = "9" if number < most else f"x{number}"
        rows.append({"patient_id": f"q{number}", "provider_id": "z", column: value})
    calls = [{**row, "call_id": f"n{n}", "call_start": "2026-02-01 09:00"} for n, row in enumerate(rows)]
    visits = [{**row, "visit_id": f"w{n}", "visit_start": "2026-02-01 09:00"} for n, row in enumerate(rows)]
    return replace(world, calls=table([*world.calls.rows, *calls]), visits=table([*world.visits.rows, *visits]))


def outcomes(world: World, folder: Path) -> tuple[dict[str, dict[str, str]], tuple[str, ...]]:
    """The outcomes of each claim as the reference has them, too, and the warnings."""
    result = compare.run(world, folder)
    assert compare.differences(world, result) == []
    found = {
        claim: {rule: verdict[0] for rule, verdict in rules.items() if isinstance(verdict, tuple) and verdict}
        for (claim, *_), rules in compare.verdicts(result).items()
    }
    return found, result.warnings


def test_a_claim_of_two_patients_is_none(tmp_path: Path):
    rows = [dict(row) for row in clinic().calls.rows]
    rows[2]["patient_id"] = "p2"
    found, warnings = outcomes(replace(clinic(), calls=table(rows)), tmp_path)
    assert set(found) == {"k1", "k2", "k3", "C2"}
    assert [text for text in warnings if "claim_id" in text] == [
        "calls.claim_id: ids that are found with 2 patients or more count as blank (rows: 2)"
    ]


def test_a_claim_of_one_patient_stays(tmp_path: Path):
    found, warnings = outcomes(clinic(), tmp_path)
    assert set(found) == {"k1", "C1", "C2"}
    assert not [text for text in warnings if "claim_id" in text]


def test_a_claims_table_keeps_claims_of_two_patients(tmp_path: Path):
    rows = [dict(row) for row in clinic().calls.rows]
    rows[2]["patient_id"] = "p2"
    line = {"claim_id": "C1", "patient_id": "p1", "provider_id": "b", "service_date": "2026-03-16", "cpt_code": "98968"}
    found, warnings = outcomes(replace(clinic(), calls=table(rows), claims=table([line])), tmp_path)
    assert found["C1"]["INT002"] == "violation"
    assert not [text for text in warnings if "count as blank" in text]


@pytest.mark.parametrize(
    ("most", "others", "blank"), [(20, 12, True), (6, 9, False), (7, 9, True), (5, 13, False), (30, 8, False)]
)
def test_a_problem_that_most_rows_have_is_none(tmp_path: Path, most: int, others: int, blank: bool):
    """Four calls have it beside the `most`, and three visits."""
    found, warnings = outcomes(crowded(clinic(problem_id="9"), "problem_id", most, others), tmp_path)
    warning = "calls.problem_id: one id in more than half of the rows counts as blank (rows: {})"
    assert (warning.format(most + 4) in warnings) is blank
    assert found["k1"]["LBK001"] == ("review" if blank else "violation")


@pytest.mark.parametrize(("most", "common"), [(20, True), (2, False)])
def test_a_group_that_most_rows_have_supports_review(tmp_path: Path, most: int, common: bool):
    world = crowded(clinic(group_id="9"), "group_id", most, 12)
    world = replace(world, settings=COVERED | {"severity": {"FRQ005": "violation", "LBK001": "violation"}})
    rows = [{**row, "diagnosis_codes": "M54.5"} if row["visit_id"] == "v2" else row for row in world.visits.rows]
    calls = [{**row, "diagnosis_codes": "M54.5"} if row["call_id"] == "k4" else row for row in world.calls.rows]
    found, warnings = outcomes(replace(world, visits=table(rows), calls=table(calls)), tmp_path)
    strongest = "review" if common else "violation"
    assert found["C1"]["FRQ005"] == strongest
    assert found["k1"]["LBK001"] == strongest
    assert found["C2"]["LBK002"] == strongest
    about_groups = [text for text in warnings if "group_id" in text]
    assert len(about_groups) == (2 if common else 0)


def test_a_group_of_most_providers(tmp_path: Path):
    providers = [{"provider_id": name, "group_id": "9"} for name in "abcdefghijkl"]
    providers += [{"provider_id": f"o{number}", "group_id": f"g{number}"} for number in range(9)]
    world = replace(clinic(), providers=table(providers), settings=COVERED | {"severity": {"FRQ005": "violation"}})
    found, warnings = outcomes(world, tmp_path)
    assert found["C1"]["FRQ005"] == "review"
    assert any(text.startswith("providers.group_id: more than half of the rows have one id") for text in warnings)


def test_where_an_export_is_cut_changes_nothing(tmp_path: Path):
    """One file, or one for each row: what holds of a column holds of all its rows."""
    world = crowded(clinic(problem_id="9"), "problem_id", 20, 12)
    rows = [dict(row) for row in world.calls.rows]
    rows[-1].update(claim_id="C1")
    world = replace(world, calls=table(rows))
    whole = outcomes(world, tmp_path)
    settings = compare.settings_of(world, compare.written(world, tmp_path))
    header, *lines = Path(settings.paths["calls"][0]).read_text().splitlines(keepends=True)
    paths = []
    for number, line in enumerate(lines):
        paths.append(tmp_path / f"part-{number}.csv")
        paths[-1].write_text(header + line)
    parts = replace(settings, paths={**settings.paths, "calls": tuple(map(str, paths))})
    result = audited_here(parts)
    assert compare.differences(world, result) == []
    assert [text for text in result.warnings if "_id" in text] == [text for text in whole[1] if "_id" in text]


@pytest.mark.parametrize(
    ("cells", "int001"),
    [
        ({"provider_id": "-1"}, "unknown"),
        ({"provider_id": "b"}, "violation"),
        ({"provider_id": "-1", "patient_id": "p2"}, "violation"),
        ({"provider_id": "-1", "call_start": "2026-03-11 09:00"}, "violation"),
        ({"provider_id": "-1", "purpose": "scheduling"}, "violation"),
        ({"provider_id": "-1", "claim_id": "C2"}, "violation"),
    ],
)
def test_a_call_without_a_provider_may_be_the_claim_s(tmp_path: Path, cells: dict[str, str], int001: str):
    call = {"call_id": "k1", "patient_id": "p1", "call_start": "2026-03-10 09:00", "call_minutes": "25"}
    call = call | {"purpose": "", "claim_id": ""} | cells
    others = [call | {"call_id": f"o{n}", "provider_id": "a", "patient_id": "p1", "purpose": "", "claim_id": "",
                      "call_start": f"2026-02-{n:02} 09:00"} for n in (1, 2)]  # fmt: skip
    line = {"patient_id": "p1", "provider_id": "a", "service_date": "2026-03-10", "cpt_code": "98968"}
    claims = [{**line, "claim_id": "C1"}, {**line, "claim_id": "C2", "service_date": "2026-04-10"}]
    world = replace(clinic(), calls=table([call, *others]), claims=table(claims))
    found, _ = outcomes(world, tmp_path)
    assert found["C1"]["INT001"] == int001
