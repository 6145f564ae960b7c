"""What holds for every check: its page and code, how profiles add up, and that a sound year raises no issue."""

import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from auditor import pipeline
from auditor import policy as policies
from auditor.engines.local import Local
from auditor.parsing.readers import blank_row
from auditor.parsing.table_parser import ROW_SOURCE
from auditor.prefilter.chunk_typer import ChunkSummary, ChunkTyper, with_any_id
from auditor.prefilter.key_scan import KeyScan, repeated
from auditor.quality import checks, missing_columns, placeholder_ids, profile, relationships
from auditor.quality.issue import Check, Stage
from auditor.quality.profile import Count
from auditor.reading.ingest import REJECT_SCHEMA, Chunk
from auditor.rules import select
from auditor.settings import Settings
from tests.cli.test_sound_year import LAST, export
from tests.support import reading
from tests.support.engines import plain
from tests.synthetic.test_sample_answer import SAMPLE

POLICY = policies.load("default", select, "America/New_York")


def test_codes_and_names_differ():
    assert len({check.code for check in checks.ALL}) == len({check.name for check in checks.ALL}) == len(checks.ALL)
    for table in ("calls", "claims", "visits"):
        names = [count.name for of_records in (False, True) for count in checks.counts(table, of_records=of_records)]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("check", checks.ALL, ids=lambda check: check.name)
def test_every_check_has_a_page(check: Check):
    parts = [part.partition(":")[0] for part in (check.page or "").strip().split("\n\n")]
    assert parts[1:] == ["What it checks", "Why it matters", "What to do", "Source"]


def test_every_file_with_a_check_is_listed():
    files = [path for path in Path(checks.__file__).parent.glob("*.py") if "\nCHECK = Check(" in path.read_text()]
    assert sorted(path.stem for path in files) == sorted(check.name for check in checks.ALL)


def summaries(table: str, size: int) -> tuple[ChunkTyper, list[ChunkSummary]]:
    """A table of the sample, typed in chunks of so many rows."""
    frame = reading.extract(table, [str(SAMPLE / f"{table}.csv")], POLICY).frame
    chunks = [Chunk(rows, pl.DataFrame(schema=REJECT_SCHEMA)) for rows in frame.iter_slices(size)]
    scan = KeyScan(table, POLICY, table == "calls", False, blank_row(table, POLICY))
    keys = [name for name in frame.columns if name in (*scan.columns, *ROW_SOURCE)]
    ids = pl.concat([scan(replace(chunk, frame=chunk.frame.select(keys)))[0] for chunk in chunks])
    patients = pl.read_csv(SAMPLE / "calls.csv", infer_schema=False)["patient_id"]
    pair = "patient in visits" if table == "visits" else "patient in other lines"
    typer = ChunkTyper(
        scan=scan,
        repeated=repeated(ids, 0),
        row_filter=with_any_id(patient_id=patients),
        with_spans=False,
        lookups=relationships.lookups({pair: patients}),
    )
    return typer, [typer(chunk)[1] for chunk in chunks]


def test_a_check_may_count_a_column_that_no_other_reads(monkeypatch: pytest.MonkeyPatch):
    days = Count("visits", "days", pl.col("global_days").count())
    check = Check("Q99", "new", "", lambda _: [], counts=(days,))
    monkeypatch.setattr(checks, "ALL", (*checks.ALL, check))
    typer, parts = summaries("visits", 50)
    written = pl.read_csv(SAMPLE / "visits.csv", infer_schema=False)["global_days"].drop_nulls()
    assert typer.merge(parts, ())[1].profile.count(days) == len(written) > 0


@pytest.mark.slow
@pytest.mark.parametrize("table", ["calls", pytest.param("visits", marks=pytest.mark.slow)])
def test_profiles_add_up_in_any_order(table: str):
    parts = [summary.profile for summary in summaries(table, 7)[1]]
    assert len(parts) > 5
    whole = plain(profile.merge(parts))
    for seed in range(3):
        order = random.Random(seed).sample(parts, len(parts))
        middle = len(order) // 2
        assert plain(profile.merge(order)) == whole
        assert plain(profile.merge([profile.merge(order[:middle]), profile.merge(order[middle:])])) == whole


@pytest.mark.slow
@pytest.mark.parametrize("table", ["calls", pytest.param("visits", marks=pytest.mark.slow)])
def test_where_files_are_cut_changes_no_profile(table: str):
    wholes = []
    for size in (10_000, 50, 7):
        typer, parts = summaries(table, size)
        whole = typer.merge(parts, ())[1].profile
        placeholders = placeholder_ids.of_profile(whole, POLICY).sort("value").rows()
        wholes.append(plain(replace(whole, rows_by_patient={})) | {"placeholders": placeholders})  # rare ones are cut
    assert wholes[0]["rows_by_date"]
    assert wholes[0]["id_matches"] or table == "calls"
    assert wholes[0] == wholes[1] == wholes[2]


def test_a_sound_year_raises_no_issue(tmp_path: Path):
    export(tmp_path, LAST)
    paths = {name: (str(tmp_path / f"{name}.csv"),) for name in ("calls", "visits")}
    settings = Settings(paths=paths, policy=POLICY)
    inputs = pipeline.read(settings, engine := Local())
    assert [issue for check in checks.ALL for issue in check.judge(pipeline.exports_of(inputs, settings))] == []
    result = pipeline.audit(inputs, settings, engine)
    assert list(checks.issues(pipeline.exports_of(inputs, settings, result))) == []


def test_a_check_without_its_stage_finds_nothing(tmp_path: Path):
    """Before the claims are judged, only what was read is judged."""
    settings = Settings(paths={name: (str(SAMPLE / f"{name}.csv"),) for name in ("calls", "visits")}, policy=POLICY)
    exports = pipeline.exports_of(pipeline.read(settings, Local()), settings)
    for check in checks.ALL:
        if check.stage in (Stage.PLANNED, Stage.COMPARED) or check.name in ("id_matching", "coverage", "date_gaps"):
            assert list(check.judge(exports)) == []


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("off in the policy", "turn it on in the policy"),
        ("the policy does not ask for it", "ask for it under [required] in the policy"),
        ("not selected", "select it, too"),
        ("ignored", "leave it out of --ignore"),
        ("no visits.global_days in the inputs", "export this data"),
    ],
)
def test_a_required_rule_that_is_not_evaluated_says_what_helps(reason: str, advice: str):
    settings = Settings(paths={}, policy=POLICY, required=("LBK002",))
    exports = SimpleNamespace(
        settings=settings, not_evaluated={"LBK002": reason}, tables={"calls": None, "visits": None}
    )
    (issue,) = missing_columns.judge(exports)  # type: ignore[arg-type]
    assert issue.text.endswith(f"cannot be evaluated: {reason}; {advice}, or leave the rule out of --require")
