"""What a rule declares is what it reads: nothing else changes its outcomes, and it is not evaluated without its needs."""

import os
from collections.abc import Set
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from auditor.result import Result
from auditor.rules import ALL
from auditor.rules.rule import Rule
from auditor.schema.tables import TABLES
from tests.reference import Table, World
from tests.support import compare
from tests.support.examples import examples
from tests.support.worlds import worlds

LINE = Table(
    ("claim_id", "patient_id", "provider_id", "service_date", "cpt_code"),
    ({"claim_id": "b1", "patient_id": "p", "provider_id": "a", "service_date": "2026-03-02", "cpt_code": "98968"},),
)
_each = pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.code)
_NEEDS = [(rule, needed) for rule in ALL for needed in rule.needs]
_RULES = {rule.code: rule for rule in ALL}


def with_columns(world: World, kept: Set[str]) -> World:
    """The world without the optional columns that are not kept."""

    def stays(table: str, column: str) -> bool:
        listed = TABLES[table].columns.get(column)
        return listed is None or listed.required or f"{table}.{column}" in kept

    tables = {}
    for name, table in compare.tables_of(world).items():
        columns = tuple(column for column in table.columns if stays(name, column))
        rows = tuple({column: row[column] for column in columns if column in row} for row in table.rows)
        tables[name] = Table(columns, rows)
    return replace(world, **tables)


def outcomes(rule: Rule, result: Result) -> dict[tuple[str, str, str], object]:
    return {claim: reported.get(rule.code) for claim, reported in compare.verdicts(result).items()}


def rejected(result: Result) -> dict[str, list[int]]:
    return {name: sorted(table.rejects["source_record"]) for name, table in result.inputs.tables.items()}


def differs_without_other_columns(rule: Rule, world: World, folder: Path) -> bool:
    """Whether the rule judges a claim otherwise if the exports have only the columns that it declares."""
    whole = outcomes(rule, compare.run(world, folder))
    return whole != outcomes(rule, compare.run(with_columns(world, rule.inputs), folder))


@pytest.mark.slow
@_each
def test_examples_hold_with_the_declared_columns_only(rule: Rule, tmp_path: Path):
    worlds = [example.world for example in examples(rule)]
    assert [world for world in worlds if differs_without_other_columns(rule, world, tmp_path)] == []


@pytest.mark.parametrize(
    ("code", "forgotten"),
    [("LBK001", "reads"), ("LAH001", "reads"), ("EXC001", "reads"), ("FRQ003", "needs"), ("DOC001", "needs")],
)
def test_a_forgotten_column_changes_an_example(code: str, forgotten: str, tmp_path: Path):
    rule = replace(_RULES[code], **{forgotten: ()})
    assert any(differs_without_other_columns(rule, example.world, tmp_path) for example in examples(rule))


@pytest.mark.slow
def test_worlds_are_judged_alike_with_the_declared_columns_only():
    """A row that only another column rejects leaves the world out: the patient's records are then incomplete."""
    compared = set()

    @settings(
        max_examples=int(os.environ.get("WORLDS", "1")),
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(worlds())
    def holds(world: World) -> None:
        with TemporaryDirectory() as folder:
            whole = compare.run(world, Path(folder))
            for rule in (rule for rule in ALL if rule.code not in whole.not_evaluated):
                alone = compare.run(with_columns(world, rule.inputs), Path(folder))
                if rejected(whole) == rejected(alone):
                    assert outcomes(rule, alone) == outcomes(rule, whole), rule.code
                    compared.add(rule.code)

    holds()
    assert len(compared) > len(ALL) / 2


@pytest.mark.parametrize(("rule", "needed"), _NEEDS, ids=[f"{rule.code}-{needed[0]}" for rule, needed in _NEEDS])
def test_a_rule_is_not_evaluated_without_what_it_needs(rule: Rule, needed: tuple[str, ...], tmp_path: Path):
    world = next(example.world for example in examples(rule))
    columns = {name.replace("lines.", f"{table}.") for name in needed for table in ("calls", "claims")}
    world = with_columns(world, rule.inputs - columns)
    if needed == ("claims",):
        world = replace(world, claims=None)
    absent = {name: None for name in ("calls", "visits", "phone_log") if name in needed}
    world = replace(
        world, **({"claims": LINE} if absent.keys() - {"phone_log"} and world.claims is None else {}), **absent
    )
    result = compare.run(world, tmp_path)
    assert result.not_evaluated[rule.code] == f"no {' or '.join(needed)} in the inputs"


@_each
def test_a_rule_may_not_read_what_the_exports_cannot_have(rule: Rule):
    with pytest.raises(ValueError, match=rf"{rule.code} reads 'visits.colour'"):
        replace(rule, reads=("visits.colour",))
