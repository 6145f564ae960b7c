"""What the program writes, by an outside validator and by the engines that read it."""

import json
import re
import sqlite3
from pathlib import Path

import duckdb
import jsonschema
import polars as pl
import pytest

from auditor.reports import tables
from auditor.reports.outputs import schemas
from auditor.rules import ALL, SHIPPED
from auditor.schema import outputs
from tests.support.catalogue import command, printed

SAMPLE = Path(__file__).parents[2] / "sample_data"
_OFFSET = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d")
FORMATS = jsonschema.FormatChecker(["date"])
FORMATS.checks("date-time")(lambda value: not isinstance(value, str) or bool(_OFFSET.fullmatch(value)))
LISTED = {*Path(__file__).with_name("reserved_words.txt").read_text(encoding="utf-8").split()}
FIRST_RULES = """
    DUR001 DUR002 DUR003 LBK001 LBK002 LAH001 LAH002 FRQ001 FRQ002 FRQ003 FRQ004 FRQ005 ELG001 ELG002 ELG003 ELG004 ELG005
    ELG006 DOC001 DOC002 DOC003 DOC004 DOC005 EXC001 INT001 INT002 INT003"""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in New York, with a decision and an assignment."""
    out = tmp_path_factory.mktemp("out")
    paths = [word for name in ("calls", "visits", "providers") for word in (f"--{name}", str(SAMPLE / f"{name}.csv"))]
    words = ["--timezone", "America/New_York", "--policy", "strict", "--max-rejects", "100%", "--fail-on", "never"]
    assert (
        command(["run", *paths, *words, "--out", str(out), "--write", "evidence", "--format", "none", "--quiet"]) == 0
    )
    reviewer = ["--by", "Ann", "--reason", "read the chart"]
    assert command(["cases", "decide", str(out), "refunded", "1", "--identified-on", "2026-05-04", *reviewer]) == 0
    assert command(["cases", "assign", str(out), "2", "--to", "Bea", "--by", "Ann"]) == 0
    return out


def valid(name: str, rows: list[object]) -> None:
    validator = jsonschema.Draft202012Validator(schemas()[name], format_checker=FORMATS)
    assert rows
    assert [error.message for row in rows for error in validator.iter_errors(row)] == []


def lines(text: str) -> list[object]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("name", [*outputs.TABLES, "summary"])
def test_schemas_are_schemas(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schemas()[name])


@pytest.mark.parametrize("name", ["findings", "claims", "evidence", "cases"])
def test_tables_of_a_run_are_valid_by_their_schemas(out: Path, name: str) -> None:
    valid(name, lines(tables.to_jsonl(pl.read_parquet(out / "latest" / f"{name}.parquet"))))


def test_the_summary_and_the_rejects_are_valid(out: Path) -> None:
    valid("summary", [json.loads((out / "latest" / "summary.json").read_text())])
    rejects = pl.read_csv(out / "latest" / "rejects.csv", schema_overrides={"source_record": pl.Int64})
    valid("rejects", lines(rejects.write_ndjson()))


def test_the_exported_and_the_listed_cases_are_valid_and_equal(out: Path) -> None:
    exported = lines(printed("cases", "export", str(out), "--format", "jsonl"))
    listed = json.loads(printed("cases", "list", str(out), "--show-ids", "--sort", "case", "--format", "json"))
    valid("cases", exported)
    valid("cases", json.loads(printed("cases", "list", str(out), "--format", "json")))
    assert sorted(exported, key=lambda row: row["number"]) == listed  # type: ignore[index]


def test_every_instant_is_in_the_zone_of_the_policy(out: Path) -> None:
    summary = json.loads((out / "latest" / "summary.json").read_text())
    texts = [printed("cases", "export", str(out)), json.dumps([summary["started"], summary["coverage"]])]
    texts += [tables.to_csv(pl.read_parquet(out / "latest" / f"{name}.parquet")) for name in ("findings", "evidence")]
    for text in texts:
        found = re.findall(r"\d{4}-\d\d-\d\dT[\d:.]+([Z+-][\d:]*)", text)
        assert found and {*found} <= {"-05:00", "-04:00"}


@pytest.mark.parametrize("name", outputs.TABLES)
def test_engines_take_every_column_name_as_it_is(name: str) -> None:
    columns = ", ".join(outputs.TABLES[name])
    reserved = "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category NOT IN ('unreserved', 'column_name')"
    with duckdb.connect() as connection:
        words = {word for (word,) in connection.execute(reserved).fetchall()}
        assert words <= LISTED and not outputs.TABLES[name].keys() & words
        connection.execute(f"CREATE TABLE t ({columns.replace(', ', ' TEXT, ')} TEXT)").execute(
            f"SELECT {columns} FROM t"
        )
    with sqlite3.connect(":memory:") as lite:
        lite.execute(f"CREATE TABLE t ({columns})").execute(f"SELECT {columns} FROM t")


def test_rules_are_listed_with_text_sources_needs_and_the_version_that_brought_them() -> None:
    rows = {row["code"]: row for row in json.loads(printed("rules", "list", "--format", "json"))}
    assert rows.keys() == {rule.code for rule in ALL}
    for rule in SHIPPED:
        row = rows[rule.code]
        assert row["text"].startswith("What it checks:") and "{" not in row["text"]
        assert row["sources"] == list(rule.cites) and row["needs"] == [list(names) for names in rule.needs]
    assert [code for code, row in rows.items() if row["since"] == "0.1.0"] == FIRST_RULES.split()
