"""Rows that an export had in the run before and has no more."""

import random
from datetime import date, timedelta
from pathlib import Path

import pytest

from auditor.quality.shrinkage import losses, shrunken_tables
from auditor.run_summary import Summary, TableExtent
from tests.support.catalogue import command

FIRST = date(2026, 1, 1)


def reach(first: str, last: str, **months: int) -> dict[str, TableExtent]:
    written = {f"2026-{name[1:]}": rows for name, rows in months.items()}
    return {"visits": TableExtent(first=date.fromisoformat(first), last=date.fromisoformat(last), months=written)}


def earlier(reaches: dict[str, TableExtent]) -> Summary:
    return Summary.model_validate(
        {"run_id": "before", "reaches": {name: one.model_dump(mode="json") for name, one in reaches.items()}}
    )


BEFORE = reach("2026-01-01", "2026-03-31", m01=100, m02=100, m03=19)


@pytest.mark.parametrize(
    ("this_run", "lost"),
    [
        (reach("2026-01-01", "2026-04-30", m01=80, m02=100, m03=0), None),
        (reach("2026-01-01", "2026-04-30", m01=79, m02=100), "2026-01 (79 of 100)"),
        (reach("2026-01-01", "2026-04-30", m02=100), "2026-01 (0 of 100)"),
        (reach("2026-01-02", "2026-04-30", m02=100), None),
        (reach("2026-01-01", "2026-02-27", m01=100, m02=9), None),
        (reach("2026-01-01", "2026-02-28", m01=100, m02=9), "2026-02 (9 of 100)"),
    ],
)
def test_months_that_both_cover_are_compared(this_run: dict[str, TableExtent], lost: str | None):
    reported = [issue.message for issue in shrunken_tables(earlier(BEFORE), this_run, 0.2)]
    assert reported == ([] if lost is None else [f"visits: this export has fewer rows than the run before for {lost}"])
    assert list(shrunken_tables(earlier(BEFORE), this_run, 1.0)) == []


def export(folder: Path, keep: float) -> None:
    """A clinic's quarter, or the part of its visits that came along; the first and the last one always."""
    rng = random.Random(7)
    days = [FIRST + timedelta(days=number) for number in range(90)]
    rows = [f"v{day}-{n},p{n},{day} {9 + n:02}:00,completed" for day in days for n in range(5)]
    kept = [row for row in rows[1:-1] if rng.random() < keep]
    (folder / "visits.csv").write_text(
        "\n".join(["visit_id,patient_id,visit_start,status", rows[0], *kept, rows[-1]]) + "\n"
    )
    calls = [f"k{day},p1,a,{day} 17:00,25,98968" for day in days[40:60]]
    head = "call_id,patient_id,provider_id,call_start,call_minutes,cpt_code"
    (folder / "calls.csv").write_text("\n".join([head, *calls]) + "\n")


def run(folder: Path, *more: str) -> int:
    paths = ["--calls", str(folder / "calls.csv"), "--visits", str(folder / "visits.csv")]
    return command(["run", *paths, "--timezone", "UTC", "--out", str(folder / "out"), "--fail-on", "never", *more])


def test_a_second_run_with_a_sixth_of_the_visits_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    export(tmp_path, 1)
    assert (run(tmp_path), run(tmp_path)) == (0, 0)
    export(tmp_path, 1 / 6)
    capfd.readouterr()
    assert run(tmp_path) == 3
    assert "visits: this export has fewer rows than the run " in capfd.readouterr().err
    assert len([*(tmp_path / "out" / "refused").iterdir()]) == 1
    assert run(tmp_path, "--ledger", "none") == 0
    export(tmp_path, 1 / 6)
    assert run(tmp_path, "--max-shrink", "100%") == 0


def test_check_tells_what_shrank_and_refuses_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    export(tmp_path, 1)
    paths = [
        "--calls",
        str(tmp_path / "calls.csv"),
        "--visits",
        str(tmp_path / "visits.csv"),
        "--out",
        str(tmp_path / "out"),
    ]
    assert command(["check", *paths]) == 0
    assert not (tmp_path / "out").exists()
    assert run(tmp_path) == 0
    assert command(["check", *paths]) == 0
    export(tmp_path, 1 / 6)
    capfd.readouterr()
    there = sorted((tmp_path / "out").iterdir())
    assert command(["check", *paths]) == 3
    assert "visits: this export has fewer rows than the run " in capfd.readouterr().err
    assert command(["check", *paths, "--max-shrink", "100%"]) == 0
    assert sorted((tmp_path / "out").iterdir()) == there


def test_columns_and_small_months_that_are_gone_are_reported():
    before = reach("2026-01-01", "2026-03-31", m01=9, m02=9, m03=9)
    before["visits"] = before["visits"].model_copy(update={"columns": ["status", "visit_id"]})
    this_run = reach("2026-01-01", "2026-03-31", m01=9, m02=9)
    this_run["visits"] = this_run["visits"].model_copy(update={"columns": ["visit_id"]})
    reported = [issue.text for issue in losses(earlier(before), earlier(this_run), 0.2)]
    assert [text.partition(":")[0] for text in reported] == ["visits.status", "visits"]
    assert "2026-03" in reported[1]
    assert list(losses(earlier(before), earlier(before), 0.2)) == []
    thin = reach("2026-01-01", "2026-03-31", m01=7, m02=6, m03=8)
    assert "21 rows" in list(losses(earlier(before), earlier(thin), 0.2))[-1].text


def test_ids_that_became_others_are_reported():
    before, this_run = reach("2026-01-01", "2026-03-31", m01=90), reach("2026-01-01", "2026-03-31", m01=90)
    before["visits"] = before["visits"].model_copy(update={"different": {"patient_id": 40, "provider_id": 3}})
    this_run["visits"] = this_run["visits"].model_copy(update={"different": {"patient_id": 60, "provider_id": 5}})
    [issue] = losses(earlier(before), earlier(this_run), 0.2)
    assert issue.text.startswith("visits.patient_id: 60 different values in 90 rows; the run before had 40 in 90")
    more = reach("2026-01-01", "2026-03-31", m01=135)
    more["visits"] = more["visits"].model_copy(update={"different": {"patient_id": 60, "provider_id": 4}})
    assert list(losses(earlier(before), earlier(more), 0.2)) == []


def test_times_that_became_dates_are_reported():
    before, this_run = reach("2026-01-01", "2026-03-31", m01=9), reach("2026-01-01", "2026-03-31", m01=9)
    columns = ["booked_at", "visit_start"]
    before["visits"] = before["visits"].model_copy(update={"columns": columns, "timed": columns})
    this_run["visits"] = this_run["visits"].model_copy(update={"columns": columns, "timed": ["booked_at"]})
    assert [issue.text.partition(":")[0] for issue in losses(earlier(before), earlier(this_run), 0.2)] == [
        "visits.visit_start"
    ]
    assert list(losses(earlier(this_run), earlier(before), 0.2)) == []


def test_ids_that_were_found_and_are_no_more_are_reported():
    def joined(found: int, values: int = 40) -> Summary:
        of_problems = {
            "of": "problems of calls and claims",
            "in": "visits.problem_id",
            "values": values,
            "found": found,
        }
        return Summary.model_validate(
            {"run_id": "before", "joins": [of_problems | {"nearly_equal": None, "differ_in": None}]}
        )

    [reported] = losses(joined(40), joined(31), 0.2)
    assert reported.text.startswith(
        "visits.problem_id: this column contains 31 of 40 problems of calls and claims; in the run before it had 40"
    )
    assert list(losses(joined(40), joined(32), 0.2)) == list(losses(joined(4, 4), joined(1, 4), 0.2)) == []
