"""`digest`, `runs prune` and `keygen` over the runs of a small export."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditor.cases import queries, store
from auditor.errors import OutputFailed, UsageError
from auditor.identity import read_key, write_key
from auditor.run_summary import RunFigures, Summary
from auditor.runs import digest, past, prune
from tests.runs.test_compare import CALLS, NEW_VISIT, VISITS
from tests.support.program import audit98968

SETTINGS = (
    "--calls",
    "calls.csv",
    "--visits",
    "visits.csv",
    "--timezone",
    "UTC",
    "--out",
    "out",
    "--fail-on",
    "never",
    "--quiet",
)
IDS = ("SHORTLY", "SHORT", "UNRELATED", "p1", "p3", "v1")


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs of one ledger; the second has a finding more, which the third has no longer."""
    home = tmp_path_factory.mktemp("home")
    (home / "calls.csv").write_text(CALLS)
    for visits in (VISITS, VISITS + NEW_VISIT, VISITS + "v8,p9,b,2026-03-15 09:00,completed,\n"):
        (home / "visits.csv").write_text(visits)
        assert audit98968("run", *SETTINGS, folder=home).returncode == 0
    return home / "out"


@pytest.mark.parametrize("form", ["text", "markdown", "html", "json"])
def test_a_digest_has_the_figures_and_no_identifier(form: str, out: Path):
    printed = audit98968("digest", "out", "--format", form, folder=out.parent)
    assert (printed.returncode, printed.stderr) == (0, "")
    summary = json.loads((out / "latest" / "summary.json").read_text())
    assert f"{summary['claims']['audited']} audited" in printed.stdout
    marks = [(mark, count) for mark, count in summary["ledger"]["marks"].items() if count]
    assert marks and all(f"{count} {mark.replace('_', ' ')}" in printed.stdout for mark, count in marks)
    assert summary["run_id"] in printed.stdout
    words = printed.stdout.replace("|", " ").replace("<", " ").replace(">", " ").replace('"', " ").split()
    assert not set(IDS) & set(words)


def test_a_digest_with_identifiers_names_the_claims(out: Path):
    found = digest.digest(sorted(out.glob("2*"))[1], show_ids=True)
    assert [(case["rule"], case["claim_id"]) for case in found.cases] == [("LBK001", "SHORTLY")]
    assert [rule["rule"] for rule in found.rules] == ["LBK001"]


def test_the_trend_has_every_run_up_to_the_one_shown(out: Path):
    first, second, third = sorted(path.name for path in out.glob("2*"))
    assert [row["run"] for row in digest.digest(out).trend] == [first, second, third]
    assert [row["new"] for row in digest.digest(out / second).trend][1] == 1


def test_the_ledger_knows_the_figures_of_runs_whose_folders_are_gone(out: Path, tmp_path: Path):
    shutil.copytree(out, tmp_path / "out", symlinks=True)
    shutil.rmtree(tmp_path / "out" / sorted(path.name for path in out.glob("2*"))[1])
    shutil.copy(out.parent / "calls.csv", tmp_path)
    shutil.copy(out.parent / "visits.csv", tmp_path)
    assert audit98968("run", *SETTINGS, folder=tmp_path).returncode == 0
    was = [past.read(path / "summary.json").figures.model_dump() for path in sorted(out.glob("2*"))]
    assert all(None not in row.values() for row in was)
    assert digest.digest(tmp_path / "out").trend[:3] == was
    with store.opened(out / "ledger.sqlite") as ledger:
        assert [row.model_dump() for row in queries.trend(ledger)] == was[::-1]


def test_a_trend_without_a_ledger_has_the_run_folders(out: Path, tmp_path: Path):
    """What an older version entered in the ledger has no figures either."""
    *earlier, last = [past.read(path / "summary.json") for path in sorted(out.glob("2*"))]
    assert past.trend(None, last) == [last.figures]
    expected = [run.figures for run in (*earlier, last)]
    assert past.trend(out, last) == expected
    assert past.trend(out, last, [RunFigures(run=run.run_id, new=7) for run in earlier]) == expected
    assert past.trend(tmp_path, last, [RunFigures(run="2", new=7)])[0].audited is None


def test_runs_before_those_that_the_ledger_knows_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    names = [f"20260101T0000{number:02}000Z-abcdef12" for number in range(60)]
    for name in names[:-1]:
        (tmp_path / name).mkdir()
    read: list[Path] = []
    monkeypatch.setattr(past, "_readable", lambda runs: read.extend(runs) or [])
    known = [RunFigures(run=name, audited=1) for name in names[-past.TREND :]]
    assert past.trend(tmp_path, Summary(run_id=names[-1], started="", version=""), known)[0].run == known[0].run
    assert read == []


def test_a_digest_fits_on_one_screen(out: Path):
    assert len(digest.as_text(digest.digest(out)).splitlines()) <= 40


def test_the_runs_that_stay_say_why(out: Path, tmp_path: Path):
    runs = prune.old_runs(out, timedelta(days=-1))
    assert [run.needed for run in runs] == ["the ledger began with it", "", "it is the latest"]
    shutil.copytree(out, tmp_path / "out", symlinks=True)
    (tmp_path / "out" / "latest" / "cases.parquet").unlink()  # as of an audit without the ledger
    second = prune.old_runs(tmp_path / "out", timedelta(days=-1))[1]
    assert second.needed == "it is the last that shows an open or confirmed case"


def test_pruning_removes_what_it_listed_and_the_ledger_can_still_be_rebuilt(out: Path, tmp_path: Path):
    home = tmp_path
    for name in ("calls.csv", "visits.csv", "out"):
        source = out.parent / name
        shutil.copytree(source, home / name, symlinks=True) if source.is_dir() else shutil.copy(source, home / name)
    runs = sorted(path.name for path in (home / "out").glob("2*"))
    listed = audit98968("runs", "prune", "out", "--keep", "0d", folder=home)
    assert [line.split(":")[0] for line in listed.stdout.splitlines() if "would be removed" in line][:-1] == [runs[1]]
    assert sorted(path.name for path in (home / "out").glob("2*")) == runs
    assert audit98968("runs", "prune", "out", "--keep", "0d", "--yes", folder=home).returncode == 0
    assert sorted(path.name for path in (home / "out").glob("2*")) == [runs[0], runs[2]]
    before = audit98968("cases", "export", "out", "--format", "csv", folder=home).stdout
    (home / "out" / "ledger.sqlite").unlink()
    assert audit98968("cases", "restore", "out", folder=home).returncode == 0
    assert audit98968("cases", "export", "out", "--format", "csv", folder=home).stdout == before


def test_only_runs_older_than_asked_for_are_named(out: Path):
    assert prune.old_runs(out, timedelta(days=90)) == []
    assert prune.old_runs(out, timedelta(days=90), datetime.now(UTC) + timedelta(days=91))


def test_a_key_file_is_new_private_and_long_enough(tmp_path: Path):
    write_key(tmp_path / "key")
    assert oct((tmp_path / "key").stat().st_mode)[-3:] == "600"
    first = read_key(tmp_path / "key").key
    with pytest.raises(OutputFailed, match="there is a file already"):
        write_key(tmp_path / "key")
    write_key(tmp_path / "other")
    assert len(first) == 64 and read_key(tmp_path / "other").key != first


def test_a_folder_without_a_run_has_no_digest(tmp_path: Path):
    with pytest.raises(UsageError, match="no finished run"):
        digest.digest(tmp_path)


def test_the_amounts_are_those_of_violations_and_reviews(out: Path):
    first = digest.digest(min(out.glob("2*")))
    assert {rule["rule"]: rule["amount"] for rule in first.rules}[
        "LBK001"
    ] == 680.0  # a violation of 40 and a review of 640
    assert first.facts[2][0] == "First run"


def test_the_ledgers_own_order_says_which_run_is_the_last_that_shows_a_case(out: Path, tmp_path: Path):
    """The clock went back before the third run, which has the cases; its folder sorts before the others."""
    shutil.copytree(out, tmp_path / "out", symlinks=True)
    third = max((tmp_path / "out").glob("2*"))
    early = third.with_name(f"20200101T000000000Z{third.name[19:]}")
    summary = json.loads((third / "summary.json").read_text())
    (third / "summary.json").write_text(json.dumps(summary | {"run_id": early.name}))
    third.rename(early)
    (tmp_path / "out" / "latest").unlink()
    (tmp_path / "out" / "latest").symlink_to(early.name)
    (tmp_path / "out" / ".entered").write_text(early.name)
    needed = {run.path.name: run.needed for run in prune.old_runs(tmp_path / "out", timedelta(days=-1))}
    second = sorted(path.name for path in (tmp_path / "out").glob("2*"))[2]
    assert needed[early.name] == "it is the latest" and needed[second] == "it is the newest"
    (tmp_path / "out" / "latest").unlink()
    needed = {run.path.name: run.needed for run in prune.old_runs(tmp_path / "out", timedelta(days=-1))}
    assert needed[early.name] == "it is the last that shows an open or confirmed case"
