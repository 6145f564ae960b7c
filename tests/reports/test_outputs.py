"""The contract of the outputs: real runs have the columns and keys that are told, and no other."""

import copy
import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

from auditor.reports.outputs import schemas
from auditor.run_summary import Summary
from auditor.schema import outputs
from tests.support.catalogue import command

SAMPLE = Path(__file__).parents[2] / "sample_data"
KINDS = {"text": pl.String, "date": pl.Date, "yes/no": pl.Boolean, "list of text": pl.List, "dollars": pl.Decimal,
         "instant": pl.Datetime, "number": pl.Float64}  # fmt: skip


@pytest.fixture(scope="module", params=["first", "second", "without a ledger"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A first night; a second one with fewer calls and a decision; one without a ledger, on another policy."""
    out = tmp_path_factory.mktemp("out")
    calls = pl.read_csv(SAMPLE / "calls.csv", infer_schema=False)
    words = ["run", "--visits", str(SAMPLE / "visits.csv"), "--providers", str(SAMPLE / "providers.csv"), "--fail-on",
             "never", "--out", str(out), "--format", "none", "--quiet", "--max-shrink", "100%", "--write", "csv,evidence"]  # fmt: skip
    if request.param == "without a ledger":
        words += ["--ledger", "none", "--policy", "strict", "--timezone", "America/New_York", "--max-rejects", "100%"]
    else:
        words += ["--policy", str(SAMPLE / "policy.toml")]
    assert command([*words, "--calls", str(SAMPLE / "calls.csv")]) == 0
    if request.param == "second":
        decision = ["confirmed", "1", "--by", "A", "--reason", "r", "--on", "2026-07-01"]
        assert command(["cases", "decide", str(out), *decision]) == 0
        calls.head(400).write_csv(out / "calls.csv")
        assert command([*words, "--calls", str(out / "calls.csv")]) == 0
    return (out / "latest").resolve()


@pytest.mark.parametrize("name", [name for name in outputs.TABLES if name != "rejects"])
def test_a_table_has_the_columns_that_are_reported(run: Path, name: str) -> None:
    path = run / f"{name}.parquet"
    if name == "cases" and not path.exists():
        pytest.skip("no ledger")
    frame, columns = pl.read_parquet(path), outputs.TABLES[name]
    assert frame.columns == list(columns)
    assert pq.read_metadata(path).metadata[b"schema_version"] == str(outputs.VERSION).encode()
    for column, reported in columns.items():
        dtype = frame.schema[column]
        assert dtype.is_integer() if reported.type == "whole number" else dtype.base_type() is KINDS[reported.type], (
            column
        )
        assert reported.null or not frame[column].null_count(), f"{column} has nulls, of which nothing is told"
    if name != "evidence":
        assert pl.read_csv(run / f"{name}.csv", n_rows=0).columns == list(columns)


def test_the_rejects_have_the_columns_that_are_reported(run: Path) -> None:
    assert pl.read_csv(run / "rejects.csv", n_rows=0).columns == list(outputs.TABLES["rejects"])


def test_the_summary_has_the_keys_that_are_reported(run: Path) -> None:
    written = json.loads((run / "summary.json").read_text())
    assert Summary.model_validate(written).published() == written
    holds(written, schema := schemas()["summary"], schema["$defs"])


def holds(value: Any, schema: dict[str, Any], parts: dict[str, Any]) -> None:
    """Fail where a value has not the keys of its schema."""
    if "$ref" in schema:
        schema = parts[schema["$ref"].rpartition("/")[2]]
    if schema.get("type") == "array":
        for item in value:
            holds(item, schema["items"], parts)
    elif isinstance(schema.get("additionalProperties"), dict):
        for item in value.values():
            holds(item, schema["additionalProperties"], parts)
    elif "properties" in schema:
        assert {*schema["required"]} <= value.keys() <= schema["properties"].keys()
        for name, item in value.items():
            holds(item, schema["properties"][name], parts)


def test_a_summary_that_lacks_a_key_or_has_another_is_not_of_the_schema(run: Path) -> None:
    written, schema = json.loads((run / "summary.json").read_text()), schemas()["summary"]
    for change in (lambda part: part.pop("sha256"), lambda part: part.update(other=1)):
        changed = copy.deepcopy(written)
        change(changed["inputs"][0])
        with pytest.raises(AssertionError):
            holds(changed, schema, schema["$defs"])


def test_a_summary_of_an_older_version_has_defaults() -> None:
    older = Summary.model_validate({"run_id": "r", "rules": [{"code": "DUR001", "name": "call-too-short"}]})
    assert (older.coverage.as_of, older.ledger.head, older.numbers.hours, older.evaluated) == (
        None,
        None,
        24,
        {"DUR001"},
    )


def test_json_lines_are_rows_of_the_schema(capfd: pytest.CaptureFixture[str]) -> None:
    words = ["run", "--calls", str(SAMPLE / "calls.csv"), "--visits", str(SAMPLE / "visits.csv"), "--timezone", "UTC"]
    command([*words, "--format", "jsonl", "--max-rejects", "100%", "--quiet"])
    rows = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    schema = schemas()["findings"]
    kinds = {"string": str, "integer": int, "number": int | float, "array": list, "boolean": bool, "null": type(None)}
    assert rows
    for row in rows:
        assert list(row) == schema["required"]
        for name, value in row.items():
            allowed = schema["properties"][name]["type"]
            allowed = [allowed] if isinstance(allowed, str) else allowed
            assert any(isinstance(value, kinds[kind]) for kind in allowed), name


def test_the_schemas_are_printed(capfd: pytest.CaptureFixture[str]) -> None:
    assert command(["schema"]) == 0
    assert json.loads(capfd.readouterr().out).keys() == {*outputs.TABLES, "summary", "policy"}
    assert command(["schema", "summary"]) == 0
    assert json.loads(capfd.readouterr().out)["properties"]["money"]
    assert command(["schema", "finding"]) == 2
    assert "did you mean findings?" in capfd.readouterr().err
