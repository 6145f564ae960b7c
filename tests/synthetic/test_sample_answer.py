"""The committed sample exports have a planted answer; the auditor finds exactly it."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from auditor import pipeline
from auditor import policy as policies
from auditor.engines.local import Local
from auditor.quality import checks
from auditor.quality.issue import Stage
from auditor.reports import summary
from auditor.result import Result
from auditor.rules import ALL, select
from auditor.rules.phone_log import NEEDS as OF_PHONE_LOG
from auditor.rules.rule import Outcome
from auditor.settings import Settings
from tests.reference import Table, World
from tests.support import compare

SAMPLE = Path(__file__).parents[2] / "sample_data"
FOLDERS = [SAMPLE, SAMPLE / "with_claims"]


def sample_world(folder: Path) -> World:
    def table(path: Path) -> Table:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream)
            return Table(tuple(reader.fieldnames or ()), tuple(reader))

    tables = {name: table(folder / f"{name}.csv") for name in compare.TABLES if (folder / f"{name}.csv").exists()}
    return World(**tables, settings={"timezone": "America/New_York"})


def settings_of(folder: Path, suffix: str) -> Settings:
    paths = {
        name: (str(folder / f"{name}.{suffix}"),) for name in compare.TABLES if (folder / f"{name}.{suffix}").exists()
    }
    return Settings(paths=paths, policy=policies.load(str(SAMPLE / "policy.toml"), select), max_rejects="5%")


def audit_folder(folder: Path, suffix: str) -> tuple[Result, Settings]:
    settings = settings_of(folder, suffix)
    inputs = pipeline.read(settings, engine := Local())
    checks.refuse(pipeline.exports_of(inputs, settings), Stage.READ)
    return pipeline.audit(inputs, settings, engine), settings


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_planted_answer_is_found(folder: Path, suffix: str):
    result, _ = audit_folder(folder, suffix)
    found = result.findings.select("claim_id", "claim_line", "rule", "outcome", "related_id")
    assert found.rows() == read_answer(folder / "expected_findings.csv").select(found.columns).rows()
    unknowns = pl.col("unknowns").list.sort().list.join(";").replace("", None)
    reported = result.claims.select("claim_id", "claim_line", "disposition", unknowns)
    assert reported.rows() == read_answer(folder / "expected_claims.csv").select(reported.columns).rows()


def read_answer(path: Path) -> pl.DataFrame:
    return pl.read_csv(path, infer_schema=False)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_planted_tally_is_in_the_summary(folder: Path):
    result, settings = audit_folder(folder, "csv")
    reported = summary.of_result(result, settings, summary.Run("test", datetime.now(UTC))).published()
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    assert {name: reported["claims"][name] for name in expected["claims"]} == expected["claims"]
    rules = {rule["code"]: rule for rule in reported["rules"] if rule["evaluated"]}
    for code, counts in expected["rules"].items():
        assert {name: rules[code][name] for name in counts} == counts, code
    assert {name: reported["money"][name] for name in expected["money"]} == {
        name: float(value) for name, value in expected["money"].items()
    }


def test_every_rule_and_outcome_is_in_the_samples():
    observed: dict[str, set[int]] = {}
    for folder in FOLDERS:
        outcomes = audit_folder(folder, "csv")[0].outcomes
        for rule in outcomes.columns[1:]:
            observed.setdefault(rule, set()).update(outcomes[rule].unique().to_list())
    assert set(observed) == {rule.code for rule in ALL if rule.is_on(policies.load()) and rule.needs != OF_PHONE_LOG}
    assert [rule for rule, values in observed.items() if not values & {Outcome.VIOLATION, Outcome.REVIEW}] == []
    assert set().union(*observed.values()) == set(Outcome)


@pytest.mark.slow
def test_the_reference_agrees_on_the_samples(tmp_path: Path):
    for number, folder in enumerate(FOLDERS):
        world = sample_world(folder)
        (tmp_path / str(number)).mkdir()
        assert compare.differences(world, compare.run(world, tmp_path / str(number))) == []
