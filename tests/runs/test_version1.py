"""Run folders of version 0.1.0 (schema_version 1), whose columns and keys had other names, are still read."""

import json
import shutil
import sqlite3
from pathlib import Path

import polars as pl
import pytest

from auditor.cases import restore, store
from auditor.quality.shrinkage import losses
from auditor.reports.outputs import schemas
from auditor.reports.page.explanation import write
from auditor.runs import past
from auditor.runs.compare import compare
from auditor.runs.explain import explain
from auditor.sampling.frame import Design, draw
from auditor.schema import outputs
from auditor.schema.tables import TABLES

RUNS = Path(__file__).parent / "version1"
"""Two runs with a ledger; the second one's export lacks the claim k4."""
FIRST, SECOND = sorted(run.name for run in RUNS.iterdir())
RESERVED = Path(__file__).parents[1] / "reports" / "reserved_words.txt"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    shutil.copytree(RUNS, tmp_path / "out")
    (tmp_path / "out" / "latest").symlink_to(SECOND)
    return tmp_path / "out"


def test_a_claim_is_explained_with_its_calls_and_what_was_weighed(out: Path) -> None:
    [explanation] = explain(out, "k3")
    assert [(event.kind, event.id) for event in explanation.events] == [("call", "k3"), ("visit", "v5")]
    assert explanation.events[1].notes == ("LAH001: does not count (did not take place)",)
    with (out / "text").open("w", encoding="utf-8") as stream:
        write(stream, [explanation])
    assert "2026-03-04 09:00 to 09:25 CALL k3" in (out / "text").read_text(encoding="utf-8")


def test_two_runs_are_compared(out: Path) -> None:
    compared = compare(out / FIRST, out)
    assert compared.claims == {"both": 3, "first only": 1, "second only": 0}
    assert compared.findings["change"].to_list() == ["gone"] * 3


def test_a_sample_is_drawn(out: Path) -> None:
    drawn = draw(out, Design(size=2, seed=1))
    assert drawn.frame["claims"].sum() == 3
    assert drawn.sample["draw_order"].to_list() == [1, 2]


def test_nothing_is_lost_by_a_column_that_has_another_name_now(out: Path) -> None:
    earlier = past.read(out / FIRST / "summary.json")
    assert "license_end" in earlier.reaches["providers"].columns
    now = earlier.model_copy(deep=True)
    assert not list(losses(earlier, now, 0.2))


def test_summary_keys_have_the_names_of_this_version(out: Path) -> None:
    written = json.loads((out / SECOND / "summary.json").read_text(encoding="utf-8"))
    read = past.read(out / SECOND / "summary.json")
    assert read.after_decisions.violation == written["standing"]["violation"] > 0
    assert read.ledger.this_run["new"].findings == written["ledger"]["tonight"]["new"]["findings"]
    assert read.ledger.marks["not_seen"] == written["ledger"]["marks"]["not seen"] == 3


def test_the_ledger_is_restored(out: Path) -> None:
    with store.opened(out / "ledger.sqlite", create=True) as ledger, store.writing(ledger):
        restore.restore(ledger, out)
    with sqlite3.connect(out / "ledger.sqlite") as ledger:
        assert dict(ledger.execute("SELECT mark, count(*) FROM cases GROUP BY mark"))["not_seen"] == 3


@pytest.fixture(scope="module")
def reserved() -> dict[str, set[str]]:
    words: dict[str, set[str]] = {}
    for line in RESERVED.read_text(encoding="utf-8").splitlines():
        engine, _, part = line.partition(": ")
        if not line.startswith("#"):
            words.setdefault(engine, set()).update(part.split())
    assert {*words} == {"postgresql", "duckdb", "sqlite", "spark"} and all(
        "case" in listed for listed in words.values()
    )
    return words


@pytest.mark.parametrize("table", outputs.TABLES)
def test_no_published_column_is_a_reserved_word(table: str, reserved: dict[str, set[str]]) -> None:
    for engine, words in reserved.items():
        assert not outputs.TABLES[table].keys() & words, engine


def test_no_column_of_a_comparison_or_a_sample_is_a_reserved_word(out: Path, reserved: dict[str, set[str]]) -> None:
    """SQLite's list has words that may name a column all the same, as `before` may; so SQLite is asked."""
    drawn = draw(out, Design(size=2, seed=1))
    for frame in (compare(out / FIRST, out).findings, drawn.frame, drawn.sample):
        assert not {*frame.columns} & (reserved["postgresql"] | reserved["duckdb"] | reserved["spark"])
        with sqlite3.connect(":memory:") as connection:
            connection.execute(f"CREATE TABLE t ({', '.join(frame.columns)})")
            connection.execute(f"SELECT {', '.join(frame.columns)} FROM t")


@pytest.mark.parametrize("name", [*outputs.TABLES, "summary"])
def test_a_schema_has_an_id_with_its_version(name: str) -> None:
    assert schemas()[name]["$id"] == f"urn:audit98968:schema:{name}:2"


def test_the_older_spelling_of_a_provider_s_license_is_read() -> None:
    providers = {column.name: column for column in TABLES["providers"].columns.values()}
    assert "licence_end" in providers["license_end"].aliases


def test_the_fixture_is_of_version_1() -> None:
    assert {"start", "end"} < {*pl.read_parquet(RUNS / FIRST / "claims.parquet").columns}
