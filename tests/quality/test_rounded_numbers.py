"""Ids that a program rounded, because it read them as numbers."""

from dataclasses import replace
from pathlib import Path

import pytest

from auditor.quality.profile import LargeIds
from auditor.quality.rounded_numbers import look_rounded
from tests.quality.test_common_ids import clinic, table
from tests.reference import World
from tests.support import compare
from tests.support.engines import audited_here

FIRST = 123_456_789_012_345_600
"""From here on, doubles are 16 apart."""


@pytest.mark.parametrize(
    ("ids", "inexact", "looks"),
    [
        ((FIRST, FIRST + 16, FIRST + 32), False, True),
        ((FIRST, FIRST + 16, FIRST + 32), True, False),
        ((FIRST, FIRST + 16), False, False),
        (tuple(2**53 + 2 * n for n in range(1, 10)), False, False),
        (tuple(2**53 + 2 * n for n in range(1, 11)), False, True),
    ],
)
def test_what_looks_rounded(ids: tuple[int, ...], inexact: bool, looks: bool):
    assert look_rounded(LargeIds(ids, inexact)) is looks


def numbered(world: World, column: str, step: int) -> World:
    """With long numbers for ids of a column."""

    def rows(table_rows: tuple[dict[str, str], ...]) -> list[dict[str, str]]:
        ids = ("p1", "p9", "a", "b", "c", "d")
        return [
            {**row, column: str(FIRST + step * ids.index(row[column]))} if row.get(column) in ids else dict(row)
            for row in table_rows
        ]

    return replace(world, calls=table(rows(world.calls.rows)), visits=table(rows(world.visits.rows)))


def result_of(world: World, folder: Path, exact: tuple[str, ...] = ()):
    settings = compare.settings_of(world, compare.written(world, folder))
    policy = settings.policy.model_copy(update={"ids": settings.policy.ids.model_copy(update={"exact": exact})})
    return audited_here(replace(settings, policy=policy))


@pytest.mark.parametrize(
    ("step", "exact", "outcome"),
    [(16, (), "review"), (16, ("provider_id",), "violation"), (17, (), "violation"), (16, ("patient_id",), "review")],
)
def test_what_joins_by_rounded_ids_is_review(tmp_path: Path, step: int, exact: tuple[str, ...], outcome: str):
    """A visit that only its provider relates to the call."""
    world = clinic()
    visits = [{**row, "provider_id": "a" if row["visit_id"] == "v1" else row.get("provider_id", "")}
              for row in world.visits.rows]  # fmt: skip
    calls = [*world.calls.rows, {**world.calls.rows[0], "call_id": "k9", "provider_id": "c", "patient_id": "p9"}]
    world = replace(world, calls=table(calls), visits=table(visits))
    result = result_of(numbered(world, "provider_id", step), tmp_path, exact)
    assert compare.verdicts(result)["k1", "1", "98968"]["LBK001"][0] == outcome
    is_warned = any(
        text.startswith("calls.provider_id: ids of 16 digits or more look like rounded") for text in result.warnings
    )
    assert is_warned is (outcome == "review")


@pytest.mark.parametrize(("step", "outcome"), [(16, "review"), (17, "violation")])
def test_providers_alone_may_be_rounded(tmp_path: Path, step: int, outcome: str):
    """The table of providers has three long ids; calls and visits have one of them."""
    ids = [str(FIRST + step * n) for n in range(3)]
    calls = [{**row, "provider_id": ids[0]} for row in clinic().calls.rows]
    providers = [{"provider_id": one, "license_start": "2026-04-01"} for one in ids]
    world = replace(clinic(), calls=table(calls), providers=table(providers))
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    assert compare.verdicts(result)["k1", "1", "98968"]["ELG004"][0] == outcome
    warning = "providers.provider_id: ids of 16 digits or more look like rounded"
    assert any(text.startswith(warning) for text in result.warnings) is (step == 16)


@pytest.mark.parametrize(
    ("call", "step", "outcome"), [("0", 16, "review"), ("0", 17, "violation"), ("", 16, "violation")]
)
def test_a_call_that_is_found_by_a_rounded_id_gives_review(tmp_path: Path, call: str, step: int, outcome: str):
    """Another call may be the claim's: its minutes are not held against it. Not where patient, provider and date find it."""
    calls = [{**row, "call_id": str(FIRST + step * n), "claim_id": "", "call_minutes": "9"}
             for n, row in enumerate(clinic().calls.rows)]  # fmt: skip
    claim = {"claim_id": "C", "patient_id": "p1", "provider_id": "a", "service_date": "2026-03-10", "cpt_code": "98968"}
    claims = [claim | {"call_id": calls[0]["call_id"] if call else ""}]
    world = replace(clinic(), calls=table(calls), claims=table(claims))
    result = compare.run(world, tmp_path)
    assert compare.differences(world, result) == []
    assert compare.verdicts(result)["C", "1", "98968"]["DUR001"][0] == outcome


def test_where_an_export_is_cut_changes_nothing(tmp_path: Path):
    world = numbered(clinic(), "provider_id", 16)
    extra = [{**world.calls.rows[0], "call_id": f"n{n}", "provider_id": str(FIRST + 16 * n)} for n in range(7, 20)]
    world = replace(world, calls=table([*world.calls.rows, *extra]))
    whole = result_of(world, tmp_path)
    settings = compare.settings_of(world, compare.written(world, tmp_path))
    header, *lines = Path(settings.paths["calls"][0]).read_text().splitlines(keepends=True)
    paths = []
    for number, line in enumerate(lines):
        paths.append(str(tmp_path / f"part-{number}.csv"))
        Path(paths[-1]).write_text(header + line)
    parts = audited_here(replace(settings, paths={**settings.paths, "calls": tuple(paths)}))
    assert "calls.provider_id" in whole.inputs.quality.rounded
    assert parts.inputs.quality.rounded == whole.inputs.quality.rounded
    assert parts.inputs.profiles["calls"].large_ids == whole.inputs.profiles["calls"].large_ids
