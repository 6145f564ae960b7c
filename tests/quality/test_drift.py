"""Months that changed more than they usually do, and open cases that a run could not check."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from auditor.cases.after_decisions import _unchecked
from auditor.quality import drift
from auditor.run_summary import Summary, TableExtent
from tests.quality.test_shrinkage import export
from tests.support.catalogue import command

MONTHS = ("2026-01", "2026-02")


def run(number: int, *rows: int, audited: int = 0, inputs: str = "") -> Summary:
    """A run with so many visits in the months, which it covers wholly."""
    extent = {
        "first": "2026-01-01", "last": "2026-02-28", "months": dict(zip(MONTHS, rows, strict=True)),
        "audited": {"2026-01": audited},
    }  # fmt: skip
    files = [{"table": "visits", "path": "v.csv", "sha256": inputs or str(number), "rows": 1}]
    return Summary.model_validate({"run_id": f"r{number}", "reaches": {"visits": extent}, "inputs": files})


def found(*runs: Summary) -> list[str]:
    *history, now = drift.runs_on_other_inputs(runs)
    return [
        issue.message
        for table, extent in now.reaches.items()
        for what, months in drift._counted(extent).items()
        for issue in drift._changes(table, what, [(r, r.reaches.get(table)) for r in (*history, now)], months, extent)
    ]


@pytest.mark.parametrize(
    ("after", "change"),
    [((1000, 85), "2026-02 (85, before 100)"), ((1000, 115), "2026-02 (115, before 100)"),
     ((1000, 91), None), ((960, 100), None), ((940, 100), "2026-01 (940, before 1,000)")],
)  # fmt: skip
def test_a_month_that_lost_or_gained_rows_is_warned_about(after: tuple[int, int], change: str | None):
    expected = [f"visits: the rows of {change} changed more since the run r1 than usual"] if change else []
    assert found(run(1, 1000, 100), run(2, *after)) == expected


def test_a_month_that_always_changes_that_much_is_not():
    steady = [run(n, 1000 + 30 * n, 1000) for n in range(8)]
    assert found(*steady, run(8, 1210 + 119, 1000)) == []
    assert found(*steady[:5], run(8, 1120 + 63, 1000)) == [
        "visits: the rows of 2026-01 (1,183, before 1,120) changed more since the run r4 than usual"
    ]
    assert found(*steady, run(8, 1210 + 130, 1000)) == [
        "visits: the rows of 2026-01 (1,340, before 1,210) changed more since the run r7 than usual"
    ]


def test_audited_claims_are_compared_as_rows_are():
    assert found(run(1, 100, 100, audited=40), run(2, 100, 100, audited=29)) == [
        "visits: the audited claims of 2026-01 (29, before 40) changed more since the run r1 than usual"
    ]


def test_a_run_on_equal_inputs_is_no_run_to_compare_with():
    assert [r.run_id for r in drift.runs_on_other_inputs([run(1, 1, 1), run(2, 1, 1, inputs="1"), run(3, 1, 1)])] == [
        "r2",
        "r3",
    ]


def test_open_cases_that_were_not_checked_are_counted_inside_and_outside_of_the_dates():
    rows = [("open", "not_seen", "claim not audited", date(2026, 1, 5)), ("open", "persisting", None, date(2026, 1, 6)),
            ("open", "not_seen", "rule not evaluated: no calls in the inputs", date(2026, 2, 28)),
            ("open", "not_seen", "rule could not be decided", date(2026, 1, 7)),
            ("open", "not_seen", "claim not audited", date(2025, 12, 31)),
            ("confirmed", "not_seen", "claim not audited", date(2026, 1, 5)), ("open", "resolved", None, date(2026, 1, 5))]  # fmt: skip
    cases = pl.DataFrame(rows, schema=["state", "mark", "why", "service_date"], orient="row")
    summary = run(1, 5, 5)
    summary.reaches["calls"] = TableExtent(first=date(2026, 1, 1), last=date(2026, 2, 28))
    counts = _unchecked(cases, summary)
    assert (counts.inside, counts.of, counts.outside, counts.is_alarming) == (2, 4, 1, True)
    assert counts.sentence == "2 open cases could not be checked in this run; 1 more are outside of its dates"


def test_one_in_fifty_is_no_alarm():
    counts = _unchecked(
        pl.DataFrame(
            [("open", "not_seen", "claim not audited", date(2026, 1, 5))]
            + [("open", "persisting", None, date(2026, 1, 6))] * 49,
            schema=["state", "mark", "why", "service_date"],
            orient="row",
        ),
        run(1, 5, 5),
    )
    assert not counts.is_alarming


def test_claims_that_left_the_export_are_reported_at_the_end_also_with_quiet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    export(tmp_path, 1.0)
    given = [
        "run",
        "--calls",
        "calls.csv",
        "--visits",
        "visits.csv",
        "--out",
        "out",
        "--quiet",
        "--allow-unjoined",
        "--timezone",
        "UTC",
    ]
    command([*given, "--fail-on", "never"])
    capfd.readouterr()
    lines = (tmp_path / "calls.csv").read_text().splitlines(keepends=True)
    (tmp_path / "calls.csv").write_text("".join(lines[:5] + lines[6:]))
    assert command([*given, "--fail-on", "new", "--max-shrink", "100%"]) == 1
    out, err = capfd.readouterr()
    sentence = "could not be checked in this run"
    assert any(sentence in line for line in out.splitlines()[-4:]) and sentence in err
