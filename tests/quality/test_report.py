"""Ids that do not join, placeholders, other vocabularies: nothing that was not found reads as clean."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from auditor import pipeline
from auditor import policy as policies
from auditor.engines.local import Local
from auditor.errors import InputRefused
from auditor.quality import checks, measure
from auditor.quality.issue import Stage
from auditor.result import Result
from auditor.rules import select
from tests.reference import Table, World
from tests.support import compare
from tests.support.engines import audited_here

COVERED = {"as_of": "2026-03-31", "visits_since": "2026-02-20", "claims_since": "2026-02-20"}


def table(rows: list[dict[str, str]]) -> Table:
    return Table(tuple(dict.fromkeys(name for row in rows for name in row)), tuple(rows))


def clinic(claims: int = 12, **damaged: str) -> World:
    """Patients who each have a related visit three days before the call; `damaged`: ids as another table writes them."""

    def written(name: str, number: int, plain: str) -> str:
        return damaged[name].format(number) if name in damaged else plain

    calls, visits = [], []
    for number in range(10, 10 + claims):
        calls.append({
            "call_id": f"k{number}", "patient_id": f"00{number}", "provider_id": "a", "call_minutes": "25",
            "call_start": f"2026-03-{1 + number % 28:02} 09:00", "cpt_code": "98968", "problem_id": f"Q{number}",
        })  # fmt: skip
        day = number % 28 - 2
        visits.append({
            "visit_id": f"v{number}", "patient_id": written("patient", number, f"00{number}"), "status": "completed",
            "provider_id": written("provider", number, "a"), "problem_id": written("problem", number, f"Q{number}"),
            "visit_start": f"2026-03-{day:02} 09:00" if day > 0 else f"2026-02-{27 + day} 09:00",
        })  # fmt: skip
    return World(calls=table(calls), visits=compare.reaching(table(visits), COVERED["as_of"]), settings=COVERED)


def outcomes(result: Result, rule: str) -> set[str]:
    return {rules[rule][0] for rules in compare.verdicts(result).values()}


def refused(world: World, folder: Path) -> str:
    settings = replace(compare.settings_of(world, compare.written(world, folder)), allow_unjoined=False)
    with pytest.raises(InputRefused) as error:
        audited_here(settings)
    return str(error.value)


def test_a_sound_export_says_nothing(tmp_path: Path):
    result = compare.run(clinic(), tmp_path)
    assert outcomes(result, "LBK001") == {"violation"}
    assert result.warnings == ()
    assert result.joins.filter(result.joins["found"] < result.joins["values"]).is_empty()


@pytest.mark.parametrize(
    ("spelling", "kind"),
    [
        ("{}", "zeros"),
        ("00{}.0", "decimal"),
        ("0-0{}", "punctuation"),
        ("0{} ", "zeros"),
        ("{}.0", "zeros and decimal"),
    ],
)
def test_patients_who_are_nearly_found_are_unknown_and_reported(tmp_path: Path, spelling: str, kind: str):
    world = clinic(patient=spelling)
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    for rule in ("LBK001", "LAH001"):
        assert outcomes(result, rule) == {"unknown"}
    reported = [text for text in result.warnings if "only if the audit ignores" in text]
    assert len(reported) == 1
    assert "visits.patient_id: this column contains 12 of 12 patients" in reported[0]
    listed = ", ".join(f'"{word}"' for word in kind.split(" and "))
    assert f"[ids] patient_id = [{listed}]" in reported[0]
    assert "0010" not in reported[0]


def test_rounded_ids_are_nearly_equal(tmp_path: Path):
    world = clinic()
    for row in world.calls.rows:
        row["patient_id"] = f"29872512345{row['patient_id']}"
    for row in world.visits.rows:
        row["patient_id"] = f"{float('29872512345' + row['patient_id']):.9e}" if row["patient_id"].isdecimal() else "x"
    result = compare.run(world, tmp_path)
    assert outcomes(result, "LBK001") == {"unknown"}
    assert any("ignores rounding" in text and "export the ids as text" in text for text in result.warnings)


def test_the_policy_makes_ids_equal(tmp_path: Path):
    world = clinic(patient="{}")
    settings = compare.settings_of(world, compare.written(world, tmp_path))
    ids = settings.policy.ids.model_copy(update={"patient_id": ("zeros",)})
    settings = replace(settings, policy=settings.policy.model_copy(update={"ids": ids}))
    result = audited_here(settings)
    assert outcomes(result, "LBK001") == {"violation"}
    assert result.warnings == ()


def test_patients_who_are_never_found_are_refused_from_twenty_on(tmp_path: Path):
    few, many = tmp_path / "few", tmp_path / "many"
    few.mkdir(), many.mkdir()
    result = compare.run(clinic(claims=19, patient="MRN-{}"), few)
    assert outcomes(result, "LBK001") == {"clear"}
    assert result.absent == 19
    assert result.warnings[0].startswith(
        "visits.patient_id: the export has no visit of the patients of 19 clear claims"
    )
    assert "this column contains 0 of 20 patients of audited claims" in refused(
        clinic(claims=20, patient="MRN-{}"), many
    )


def test_clear_claims_are_counted_by_their_own_patient(tmp_path: Path):
    """Claim ids in another order than dates: the published claims stand in another order than the lines."""
    calls = [
        {"call_id": "z", "patient_id": "P1", "call_start": "2026-03-20 09:00"},
        {"call_id": "a", "patient_id": "P2", "call_start": "2026-03-21 09:00"},
        {"call_id": "m", "patient_id": "P3", "call_start": "2026-03-22 09:00"},
    ]
    calls = [row | {"provider_id": row["call_id"], "call_minutes": "25", "cpt_code": "98968"} for row in calls]
    visits = [{"visit_id": f"v{n}", "patient_id": f"P{n}", "visit_start": f"2026-03-{17 + n} 09:00",
               "provider_id": calls[n - 1]["provider_id"], "status": "completed"} for n in (2, 3)]  # fmt: skip
    world = World(calls=table(calls), visits=compare.reaching(table(visits), "2026-04-30"), settings=COVERED)
    result = compare.run(world, tmp_path)
    assert dict(result.claims.select("claim_id", "disposition").iter_rows()) == {
        "a": "violation", "m": "violation", "z": "clear"
    }  # fmt: skip
    assert result.absent == 1
    expected = "visits.patient_id: the export has no visit of the patients of 1 clear claim;"
    assert any(text.startswith(expected) for text in result.warnings)


def test_a_nearly_equal_problem_is_no_other_problem(tmp_path: Path):
    world = clinic(problem="q-{}", provider="b")
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    assert outcomes(result, "LBK001") == {"review"}


def test_a_visit_with_a_call_id_nearly_is_no_violation(tmp_path: Path):
    """The visits export may hold the call itself."""
    world = clinic()
    for call, visit in zip(world.calls.rows, world.visits.rows, strict=False):
        visit.update(visit_id=call["call_id"].upper(), visit_start=call["call_start"], cpt_codes="99421")
    world = replace(world, visits=table([dict(row) for row in world.visits.rows]))
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    assert outcomes(result, "EXC001") == {"review"}


@pytest.mark.parametrize(("claims", "shared"), [(20, 0), (21, 1)])
def test_links_in_another_vocabulary_show_no_relation(tmp_path: Path, claims: int, shared: int):
    world = clinic(claims=claims, problem="EP{}")
    for call, visit in [*zip(world.calls.rows, world.visits.rows, strict=False)][:shared]:
        visit["problem_id"] = call["problem_id"]
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    assert outcomes(result, "LBK001") == {"review"}  # the same provider does not show it either
    assert result.findings.filter(rule="LBK001")["basis"].unique().to_list() == ["another vocabulary"]
    assert any(text.startswith("visits.problem_id: hardly any value of this column occurs") for text in result.warnings)


def test_one_in_twenty_shared_is_the_same_vocabulary(tmp_path: Path):
    world = clinic(claims=20, problem="EP{}")
    world.visits.rows[0]["problem_id"] = world.calls.rows[0]["problem_id"].lower()  # nearly equal
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    assert outcomes(result, "LBK001") == {"clear", "review"}
    assert not any("hardly any value" in text for text in result.warnings)


def test_few_links_in_another_vocabulary_are_different_ones(tmp_path: Path):
    assert outcomes(compare.run(clinic(claims=19, problem="EP{}"), tmp_path), "LBK001") == {"clear"}


def claimed(named: bool = True, **damaged: str) -> World:
    """The clinic with a claims table; `damaged`: columns of the claims that are numbered otherwise than the calls'."""
    world = clinic()
    rows = []
    for number, call in enumerate(world.calls.rows):
        row = {"claim_id": f"C{number}", "patient_id": call["patient_id"], "provider_id": "a", "cpt_code": "98968",
               "service_date": call["call_start"][:10], "call_id": call["call_id"] if named else ""}  # fmt: skip
        rows.append(row | {column: text.format(number) for column, text in damaged.items()})
    calls = table([{name: text for name, text in row.items() if name != "cpt_code"} for row in world.calls.rows])
    return replace(world, calls=calls, claims=table(rows))


@pytest.mark.parametrize(
    ("world", "int001", "int002"),
    [
        (claimed(), "clear", "clear"),
        (claimed(provider_id="N77"), "clear", "unknown"),
        (claimed(patient_id="P-{}"), "clear", "unknown"),
        (claimed(call_id="Z{}"), "unknown", "unknown"),
        (claimed(named=False, provider_id="N77"), "unknown", "unknown"),
        (claimed(named=False, service_date="2026-03-29"), "violation", "not applicable"),
        (claimed(service_date="2026-03-29", provider_id="N77"), "clear", "violation"),
    ],
)
def test_claims_numbered_otherwise_than_the_calls_accuse_nobody(tmp_path: Path, world: World, int001: str, int002: str):
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    assert (outcomes(result, "INT001"), outcomes(result, "INT002")) == ({int001}, {int002})


@pytest.mark.parametrize("found", [5, 6])
def test_half_of_the_ids_found_is_enough(tmp_path: Path, found: int):
    world = claimed()
    for number, row in enumerate(world.claims.rows if world.claims else ()):
        row["provider_id"] = "a" if number == 0 else f"N{number}"
    for number, row in enumerate(world.calls.rows):  # 12 different providers of claims, of which so many have calls
        row["provider_id"] = f"N{number - 1}" if 1 < number < found + 1 else "a"
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    assert outcomes(result, "INT002") == {"clear", "violation", *(("unknown",) if found == 5 else ())}


@pytest.mark.parametrize("nobody", ["0", "-1", "999", "Unknown", "TEST", "2.98E+13"])
def test_a_placeholder_is_nobody(tmp_path: Path, nobody: str):
    world = clinic()
    for row in (*world.calls.rows, *world.visits.rows):
        row["patient_id"] = nobody if row["patient_id"] == "0010" else row["patient_id"]
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    verdicts = compare.verdicts(result)
    assert verdicts["k10", "1", "98968"]["LBK001"][0] == "review"
    assert verdicts["k11", "1", "98968"]["LBK001"][0] == "violation"
    assert any(
        text.startswith("calls.patient_id: a placeholder replaces the patient's id in 1 row")
        for text in result.warnings
    )


def test_a_patient_with_most_rows_is_nobody(tmp_path: Path):
    world = clinic(claims=12)
    crowd = [{**world.calls.rows[0], "call_id": f"x{n}", "patient_id": "clinic", "cpt_code": ""} for n in range(25)]
    world = replace(world, calls=table([*world.calls.rows, *crowd]))
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    assert result.inputs.quality.placeholders.to_list() == ["clinic"]


@pytest.mark.parametrize(("hours", "reported"), [(0, False), (2, False), (3, True), (5, True), (-4, True)])
def test_visits_in_another_zone_are_reported(tmp_path: Path, hours: int, reported: bool):
    world = clinic()
    for row in world.visits.rows:
        row["visit_start"] = f"{row['visit_start'][:11]}{9 + hours:02}:00"
    result = compare.run(world, tmp_path)
    assert any("most calls start between" in text for text in result.warnings) is reported


@pytest.mark.parametrize(
    ("booked", "reported"), [("", True), ("2026-04-30 23:00", True), ("2026-04-30", True), ("day", False)]
)
def test_bookings_at_or_after_their_visit_are_reported(tmp_path: Path, booked: str, reported: bool):
    """A booking at the minute of its visit is the visit's own time, copied."""
    world = clinic()
    for number, row in enumerate(world.visits.rows):
        late = {"": row["visit_start"], "day": row["visit_start"][:10]}.get(booked, booked)
        row["booked_at"] = late if number < 3 else "2026-01-05 10:00"
    result = compare.run(replace(world, visits=table(list(world.visits.rows))), tmp_path)
    assert [text for text in result.warnings if "booked_at: 3 of 13 are at or after visit_start" in text] == (
        list(result.warnings) if reported else []
    )


@pytest.mark.parametrize(
    ("days", "form", "refusal"),
    [
        (range(1, 13), "{day:02}/03/2026", "they span 11 days if read day first and 334 if read month first"),
        (range(2, 14), "{day:02}/03/2026", None),
        (range(1, 13), "03/{day:02}/2026", None),
        ((9,), "{day:02}/03/2026", "only if read day first are they within the dates of the other tables"),
    ],
)
def test_dates_that_read_both_ways(tmp_path: Path, days: Sequence[int], form: str, refusal: str | None):
    world = clinic()
    for number, row in enumerate(world.calls.rows):
        row["call_start"] = f"{form.format(day=days[number % len(days)])} 09:00"
    settings = compare.settings_of(world, compare.written(world, tmp_path))
    inputs = pipeline.read(settings, Local())
    if refusal is None:
        checks.refuse(pipeline.exports_of(inputs, settings), Stage.READ)
    else:
        with pytest.raises(InputRefused, match=refusal):
            checks.refuse(pipeline.exports_of(inputs, settings), Stage.READ)


def test_rejected_billed_rows_are_allowed_by_themselves(tmp_path: Path):
    world = clinic(claims=20)
    spare = [{**world.calls.rows[0], "call_id": f"x{n}", "cpt_code": ""} for n in range(200)]
    rows = [*world.calls.rows, *spare]
    rows[0]["call_start"] = "soon"
    world = replace(world, calls=table(rows))
    settings = replace(compare.settings_of(world, compare.written(world, tmp_path)), max_rejects="1%")
    inputs = pipeline.read(settings, Local())
    with pytest.raises(InputRefused, match="calls: 1 of 20 billed rows were rejected, more than --max-rejects 1%"):
        checks.refuse(pipeline.exports_of(inputs, settings), Stage.READ)


def test_dates_with_slashes_are_found_in_whatever_file_they_are() -> None:
    """A chunk may hold several files, and a file may begin with blank cells."""
    dates = [("a", "2026-03-01 09:00"), ("a", "2026-03-02 09:00"), ("b", ""), ("b", "03/04/2026 09:00")]
    written = pl.DataFrame(dates, schema=["source_file", "visit_start"], orient="row")
    policy = policies.load("default", select, "UTC")
    assert measure.slashed_dates("visits", written, policy) == ({date(2026, 3, 4)}, False)
    assert measure.slashed_dates("visits", written.head(3), policy) == (frozenset(), False)


def other_line(world: World, **cells: str) -> World:
    """The world, and one more call a day after the first one."""
    first = world.calls.rows[0]
    more = {**first, "call_id": "x1", "call_start": first["call_start"].replace("09:00", "15:00"), **cells}
    thin = {**world.settings, "holes": "warn"}
    return replace(world, calls=table([*world.calls.rows, more]), visits=coded(world.visits), settings=thin)


def coded(visits: Table) -> Table:
    return table([{**row, "cpt_codes": "99213"} for row in visits.rows])


@pytest.mark.parametrize(
    ("cells", "unknown"),
    [
        ({"provider_id": "A"}, {"FRQ001", "FRQ002", "EXC001"}),
        ({"provider_id": "A", "cpt_code": "98966"}, {"FRQ001", "FRQ002", "EXC001"}),
        ({"provider_id": "A", "cpt_code": "99213"}, {"EXC001"}),
        ({"provider_id": "A", "cpt_code": "99213", "claim_status": "void"}, {"EXC001"}),
        ({"provider_id": "A", "patient_id": "0099"}, set()),
        ({"patient_id": "10", "provider_id": "b"}, {"FRQ001", "FRQ002", "EXC001"}),
        ({"patient_id": "10", "cpt_code": "99213"}, {"EXC001"}),
        ({"patient_id": "10", "cpt_code": ""}, set()),
        ({"provider_id": "b"}, set()),
    ],
)
@pytest.mark.parametrize("with_claims", [False, True])
def test_lines_that_are_nearly_the_patient_or_provider_s(
    tmp_path: Path, cells: dict[str, str], unknown: set[str], with_claims: bool
):
    """Of `0010` and provider `a`, of whom another line is written differently."""
    world = other_line(clinic(), **cells)
    if with_claims:
        lines = [
            {**row, "claim_id": row["call_id"], "service_date": row["call_start"][:10]}
            for row in world.calls.rows
            if row["cpt_code"]
        ]
        world = replace(world, claims=table(lines), calls=table([dict(row) for row in world.calls.rows]))
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    rules = compare.verdicts(result)["k10", "1", "98968"]
    assert {rule for rule in ("FRQ001", "FRQ002", "EXC001") if rules[rule][0] == "unknown"} == unknown
    reported = any(
        "lines." in text and "only if the audit ignores" in text and "EXC001" in text for text in result.warnings
    )
    assert reported is bool(unknown)
