"""`audit98968 cases` as a reviewer uses it: lists, decisions, notes, reviewed workbooks, exports, and the proof."""

import csv
import io
import json
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from auditor.cases import store
from auditor.cases.states import State
from auditor.errors import InputRefused
from auditor.reports.outputs import schemas
from auditor.runs.explain import explain
from auditor.schema import outputs
from tests.support.catalogue import command
from tests.support.program import HANG
from tests.support.workpaper import fill

IDS = ("0042", "K_x0041_", "12345678901234567890", "=1+1", "1E5")
HEAD = "call_id,patient_id,provider_id,call_start,call_minutes,cpt_code,paid_amount\n"
VISITS = "visit_id,patient_id,visit_start,status\nV1,PX,2026-01-02 09:00,completed\nV2,PX,2026-05-02 09:00,completed\n"
SECRETS = (*IDS[:3], "PATIENT", "DOCTOR", "2026-03-")
TODAY = datetime.now(UTC).date()

Program = Callable[..., tuple[int, str, str]]


def audit(folder: Path, minutes: int = 12, visits: str = VISITS, *, evidence: bool = False) -> None:
    """A night: five short calls, the first of them with these minutes."""
    rows = [f"{name},PATIENT{at},DOCTOR,2026-03-{at + 9:02} 09:00,{minutes if not at else 12},98968,30\n"
            for at, name in enumerate(IDS)]  # fmt: skip
    (folder / "calls.csv").write_text(HEAD + "".join(rows))
    (folder / "visits.csv").write_text(visits)
    words = ["--calls", str(folder / "calls.csv"), "--visits", str(folder / "visits.csv"), "--timezone", "UTC"]
    words += ["--select", "DUR001", "--out", str(folder / "out"), "--format", "none", "--fail-on", "never"]
    words += ["--write", "evidence" if evidence else "xlsx"]
    assert command(["run", *words]) == 0


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nights")
    audit(folder)
    audit(folder, visits=VISITS + "V3,PX,2026-05-01 09:00,completed\n")
    return folder


@pytest.fixture
def out(two_runs: Path, tmp_path: Path) -> Path:
    """An output folder audited twice: cases 1 to 5, all open and persisting."""
    shutil.copytree(two_runs, tmp_path, symlinks=True, dirs_exist_ok=True)
    return tmp_path / "out"


@pytest.fixture
def cases(out: Path, capfd: pytest.CaptureFixture[str]) -> Program:
    def run(what: str, *words: str) -> tuple[int, str, str]:
        capfd.readouterr()
        code = command(["cases", what, str(out), *words])
        return code, *capfd.readouterr()

    return run


def decide(cases: Program, state: str, *words: str) -> str:
    code, reported, _ = cases("decide", state, *words, "--by", "Ann", "--reason", "read the record")
    assert code == 0
    return reported


def states(cases: Program) -> dict[str, tuple[str, str, str]]:
    rows = csv.DictReader(io.StringIO(cases("export")[1]))
    return {row["number"]: (row["state"], row["reason"], row["decided_on"]) for row in rows}


def number(out: Path, claim: str) -> str:
    with closing(sqlite3.connect(out / store.NAME)) as ledger:
        return str(ledger.execute("SELECT number FROM cases WHERE claim_id = ?", (claim,)).fetchone()[0])


def row(out: Path, claim: str) -> int:
    """The claim's row in the sheet Findings of the last report."""
    import fastexcel

    sheet = fastexcel.read_excel(out / "latest" / "report.xlsx").load_sheet("Findings", header_row=1, dtypes="string")
    return sheet.to_polars()["Claim id"].to_list().index(claim) + 3


def test_the_list_counts_and_filters_without_a_single_identifier(cases: Program):
    decide(cases, "confirmed", "2", "3", "--on", "2025-12-01")
    decide(cases, "dismissed", "4")
    code, reported, _ = cases("list")
    assert code == 0
    assert reported.splitlines()[0] == "5 cases: 2 open, 2 confirmed, 1 dismissed, 2 overdue; 150.00 on 5 claims"
    assert reported.splitlines()[2].split()[:5] == ["2", "DUR001", "violation", "confirmed", "persisting"]
    for words, expected in (
        (["--state", "open"], 2), (["--mark", "new"], 0), (["--mark", "persisting"], 5), (["--rule", "dur"], 5),
        (["--rule", "call-too-long"], 0), (["--due", "14d"], 2), (["--state", "open", "--due", "0"], 0),
    ):  # fmt: skip
        reported = cases("list", *words)[1]
        assert reported.startswith(f"{expected} case"), words
        assert not [secret for secret in SECRETS if secret in reported]
    assert all(secret in cases("list", "--show-ids")[1] for secret in SECRETS)


def test_the_list_goes_back_to_a_day_or_a_run(cases: Program, out: Path):
    """What was new in the first of two runs persists in the second: --since finds it again."""
    first = min(path.name for path in out.glob("2*"))
    assert cases("list", "--since", first)[1].startswith("5 cases")
    assert cases("list", "--since", first, "--mark", "new")[1].startswith("5 cases")
    assert cases("list", "--since", (out / "latest").resolve().name)[1].startswith("0 cases")
    assert cases("list", "--since", str(TODAY))[1].startswith("5 cases")
    assert cases("list", "--since", "2999-01-01")[1].startswith("0 cases")
    assert cases("list", "--since", "yesterday")[0] == 2


def test_the_list_is_sorted_cut_and_written_for_programs(cases: Program):
    reported = json.loads(cases("list", "--sort", "amount", "--limit", "2", "--format", "json")[1])
    assert [list(row) for row in reported] == [list(outputs.TABLES["cases"])] * 2
    assert all(row["number"] and row["amount"] and row["claim_id"] is None for row in reported)
    assert not [secret for secret in SECRETS if secret in str(reported)]
    reported = cases("list", "--format", "csv", "--show-ids")[1]
    assert len(list(csv.DictReader(io.StringIO(reported)))) == 5
    assert "0042" in reported
    assert cases("list", "--limit", "2")[1].endswith("and 3 more\n")
    assert "; 150.00 on 5 claims" in cases("list")[1]
    assert cases("list", "--sort", "size")[0] == 2


def test_open_means_still_found(cases: Program, out: Path):
    audit(out.parent, visits=VISITS)
    (out.parent / "calls.csv").write_text(HEAD + "".join((out.parent / "calls.csv").read_text().splitlines(True)[1:4]))
    words = ["--calls", str(out.parent / "calls.csv"), "--visits", str(out.parent / "visits.csv"), "--timezone", "UTC"]
    words += ["--select", "DUR001", "--out", str(out), "--format", "none", "--fail-on", "never", "--max-shrink", "100%"]
    assert command(["run", *words]) == 0
    assert cases("list")[1].splitlines()[0] == "5 cases: 3 open, 2 not seen; 90.00 on 3 claims"
    assert cases("list", "--state", "open")[1].startswith("3 cases")


def test_long_identifiers_are_never_cut(cases: Program, out: Path):
    with closing(sqlite3.connect(out / store.NAME)) as ledger:
        ledger.execute("UPDATE cases SET claim_id = ? WHERE number = 1", ("L" * 500,))
        ledger.commit()
    assert "L" * 500 in cases("list", "--show-ids")[1]


def test_a_case_is_reported_with_its_history_in_words(cases: Program, out: Path):
    first = number(out, "0042")
    decide(cases, "dismissed", first, "--on", "2025-04-01", "--until", "2026-12-31")
    assert cases("note", first, "asked the provider", "--by", "Bo")[:2] == (0, f"case {first}: noted\n")
    audit(out.parent, minutes=13)
    code, reported, _ = cases("show", "DUR001:0042:1")
    assert code == 0
    entries = [line.split(":00  ")[1] for line in reported.splitlines() if ":00  " in line]
    assert entries[0].startswith("audit: new in run ")
    assert entries[1:3] == [
        "Ann: dismissed on 2025-04-01, because: read the record; until 2026-12-31",
        "Bo: note: asked the provider",
    ]
    assert entries[3].startswith("audit: changed in run ")
    assert entries[3].endswith("; minutes was 12, is 13")
    assert cases("show", f"#{first}")[1] == reported


def test_decisions_are_entered_for_all_cases_or_none(cases: Program):
    reported = decide(cases, "confirmed", "1", "2", "1", "--on", "2025-01-01", "--investigated-from", "2025-01-01")
    assert reported.splitlines() == [f"case {case}: confirmed; report and return by 2025-08-29" for case in (1, 2)]
    before = cases("export")[1]
    code, _, error = cases("decide", "dismissed", "3", "99", "--by", "Ann", "--reason", "x")
    assert (code, "99: no such case" in error) == (2, True)
    assert cases("export")[1] == before


def test_the_reviewer_may_come_from_the_environment(cases: Program, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AUDIT98968_BY", "Cy")
    assert cases("decide", "dismissed", "1", "--reason", "x")[0] == 0
    assert "Cy: dismissed" in cases("show", "1")[1]


def test_export_in_both_forms(cases: Program):
    rows = {line["number"]: line for line in csv.DictReader(io.StringIO(cases("export")[1]))}
    lines = {
        str(line["number"]): line for line in map(json.loads, cases("export", "--format", "jsonl")[1].splitlines())
    }
    assert {line["claim_id"] for line in lines.values()} == set(IDS)
    assert {line["claim_id"].removeprefix("'") for line in rows.values()} == set(IDS)
    assert {line["patient_id"] for line in lines.values()} == {f"PATIENT{at}" for at in range(5)}


def test_export_and_list_have_the_types_of_the_schema(cases: Program, out: Path):
    decide(cases, "confirmed", number(out, "0042"), "--on", "2025-04-01")
    lines = [json.loads(line) for line in cases("export", "--format", "jsonl")[1].splitlines()]
    listed = json.loads(cases("list", "--format", "json", "--show-ids")[1])
    assert sorted(listed, key=lambda row: row["number"]) == sorted(lines, key=lambda row: row["number"])
    last = pl.read_parquet(out / "latest" / "cases.parquet")
    schema = schemas()["cases"]
    kinds = {"string": str, "integer": int, "number": int | float, "null": type(None)}
    for row in lines:
        assert list(row) == schema["required"]
        for name, value in row.items():
            allowed = schema["properties"][name]["type"]
            allowed = [allowed] if isinstance(allowed, str) else allowed
            assert any(isinstance(value, kinds[kind]) for kind in allowed), name
        [published] = last.filter(number=row["number"]).to_dicts()
        assert (row["message"], row["minutes"], row["service_date"]) == (
            published["message"], published["minutes"], str(published["service_date"]))  # fmt: skip
    assert [row["due"] for row in lines if row["claim_id"] == "0042"] == ["2025-05-31"]


def test_a_reviewed_workbook(cases: Program, out: Path):
    paper = out.parent / "reviewed.xlsx"
    day = date(2025, 4, 2)
    decide(cases, "confirmed", number(out, "12345678901234567890"), "--on", "2025-04-01")
    fill(out / "latest" / "report.xlsx", paper, {
        row(out, "0042"): ("Confirmed ", "a < b & c", day), row(out, "K_x0041_"): ("dismissed", "other problem", "2025-04-03"),
        row(out, "12345678901234567890"): ("refunded", "paid back", None), row(out, "=1+1"): (None, "ask again", None),
    })  # fmt: skip
    assert cases("import", str(paper), "--by", "Ann")[:2] == (0, "3 decided, 1 noted, 0 taken before\n")
    found = states(cases)
    assert found[number(out, "0042")] == ("confirmed", "a < b & c", "2025-04-02")
    assert found[number(out, "K_x0041_")] == ("dismissed", "other problem", "2025-04-03")
    assert found[number(out, "12345678901234567890")] == ("refunded", "paid back", str(TODAY))
    assert found[number(out, "=1+1")][0] == "open"
    assert "note: ask again" in cases("show", number(out, "=1+1"))[1]
    entries = cases("verify")[1]
    assert cases("import", str(paper), "--by", "Ann")[1] == "0 decided, 0 noted, 3 taken before\n"
    assert cases("verify")[1] == entries


def test_a_workbook_does_not_undo_what_came_after_it(cases: Program, out: Path):
    paper = out.parent / "reviewed.xlsx"
    first, second, third = (number(out, claim) for claim in IDS[:3])
    cells = {
        row(out, claim): ("dismissed", "other problem", day)
        for claim, day in zip(IDS[1:3], (None, "2025-04-01"), strict=True)
    }
    fill(out / "latest" / "report.xlsx", paper, cells)
    cases("import", str(paper), "--by", "Ann")
    decide(cases, "confirmed", second, third)
    assert cases("import", str(paper), "--by", "Ann")[1] == "0 decided, 0 noted, 2 taken before\n"
    assert {states(cases)[case][0] for case in (second, third)} == {"confirmed"}
    fill(out / "latest" / "report.xlsx", paper, {row(out, IDS[2]): ("refunded", "paid", "2025-04-01")} | {
        row(out, IDS[0]): ("dismissed", "read", None)})  # fmt: skip
    audit(out.parent, minutes=13)
    assert cases("import", str(paper), "--by", "Ann")[1] == (
        "0 decided, 0 noted, 0 taken before\n"
        f"2 left alone, decided or found changed since the work paper: cases {', '.join(sorted((first, third)))}\n"
    )
    assert states(cases)[third][0] == "confirmed"
    assert states(cases)[first][0] == "open"


def test_a_refund_of_more_than_is_left_needs_a_yes(cases: Program):
    decide(cases, "confirmed", "1", "2")
    words = ["--by", "Ann", "--reason", "paid"]
    code, _, error = cases("decide", "refunded", "1", "--amount", "30.01", *words)
    assert (code, "more than the rest of its claim's amount" in error) == (2, True)
    assert cases("decide", "refunded", "1", "2", "--amount", "5", *words)[0] == 2
    for amount in ("0", "-5", "1e3", "5.001", "five"):
        assert cases("decide", "refunded", "1", "--amount", amount, *words)[0] == 2
    assert cases("decide", "refunded", "1", "--amount", "30.01", "--yes", "--on", "2026-03-20", *words)[0] == 0
    reported = cases("show", "1")[1]
    assert "refunded on 2026-03-20, because: paid; amount 30.01" in reported
    assert "refunded amount:   30.01" in reported


def test_a_workbook_refunds_confirmed_cases_only(cases: Program, out: Path):
    paper = out.parent / "reviewed.xlsx"
    fill(out / "latest" / "report.xlsx", paper, {3: ("refunded", "paid back", None)})
    code, _, error = cases("import", str(paper), "--by", "Ann")
    assert (code, "sheet Findings, row 3: case" in error, "only a confirmed case" in error) == (3, True, True)


def test_of_a_workbook_all_rows_are_taken_or_none(cases: Program, out: Path):
    paper = out.parent / "reviewed.xlsx"
    fill(out / "latest" / "report.xlsx", paper, {3: ("confirmed", "read", None), 5: ("refund", "read", None)})
    before = cases("verify")[1]
    code, _, error = cases("import", str(paper), "--by", "Ann")
    assert (code, "sheet Findings, row 5" in error) == (3, True)
    assert cases("verify")[1] == before


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("soffice"), reason="needs LibreOffice")
def test_a_workbook_that_libreoffice_saved(cases: Program, out: Path, tmp_path: Path):
    paper = tmp_path / "reviewed.xlsx"
    fill(out / "latest" / "report.xlsx", paper, {
        row(out, claim): ("confirmed", f"read {at}", date(2025, 4, 1 + at)) for at, claim in enumerate(IDS)
    })  # fmt: skip
    office = ["soffice", f"-env:UserInstallation=file://{tmp_path}/profile", "--headless"]
    for form in ("ods", "xlsx"):
        source = paper if form == "ods" else tmp_path / "saved" / "reviewed.ods"
        subprocess.run([*office, "--convert-to", form, "--outdir", str(tmp_path / "saved"), str(source)],
                       check=True, capture_output=True, timeout=HANG)  # fmt: skip
    reported = cases("import", str(tmp_path / "saved" / "reviewed.xlsx"), "--by", "Ann")
    assert reported[:2] == (0, "5 decided, 0 noted, 0 taken before\n")
    assert {states(cases)[number(out, claim)] for claim in IDS} == {
        ("confirmed", f"read {at}", f"2025-04-{at + 1:02}") for at in range(5)
    }


def test_days_left_count_down_to_the_last_day(cases: Program):
    decide(cases, "confirmed", "1", "--on", str(TODAY - timedelta(days=60)))
    decide(cases, "confirmed", "2", "--on", str(TODAY - timedelta(days=61)))
    decide(cases, "confirmed", "3", "--on", str(TODAY - timedelta(days=45)))
    reported = [line.split() for line in cases("list", "--due", "15d")[1].splitlines()]
    assert reported[0][-6:-4] == ["1", "overdue;"]
    assert [(line[0], line[7]) for line in reported[2:]] == [("2", "-1"), ("1", "0"), ("3", "15")]
    assert cases("list", "--due", "14d")[1].startswith("2 cases")


def test_verify_tells_the_hash_that_a_later_verify_must_find(cases: Program, out: Path):
    decide(cases, "dismissed", "1")
    head = cases("verify")[1].split()[-1]
    copy = (out / store.NAME).read_bytes()
    decide(cases, "confirmed", "1")
    assert cases("verify", "--head", head)[0] == 0
    later = cases("verify")[1].split()[-1]
    for suffix in ("-wal", "-shm"):
        (out / f"{store.NAME}{suffix}").unlink(missing_ok=True)
    (out / store.NAME).write_bytes(copy)
    assert cases("verify")[0] == 0
    code, reported, _ = cases("verify", "--head", later)
    assert (code, "no entry has the hash of --head" in reported) == (3, True)


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE cases SET mark = 'persisting' WHERE number = 2",
        "UPDATE cases SET first_run = 2 WHERE number = 2",
        "UPDATE cases SET last_run = 2 WHERE number = 2",
        "UPDATE cases SET marked_run = 2 WHERE number = 2",
        "UPDATE cases SET facts = replace(facts, '12', '25') WHERE number = 2",
        "UPDATE cases SET facts = '' WHERE number = 2",
        "UPDATE cases SET claim_id = '0001' WHERE number = 2",
        "UPDATE cases SET number = 99 WHERE number = 2",
        "UPDATE cases SET confirmed_on = '2026-01-01' WHERE number = 1",
        "INSERT INTO cases (number, rule, claim_id, claim_line, cpt_code, facts, first_run, last_run, mark, marked_run, state)"
        " SELECT 6, 'DUR002', '9', '1', '98968', facts, 1, 1, 'new', 1, 'open' FROM cases WHERE number = 1",
        "UPDATE runs SET version = '9' WHERE number = 1",
        "UPDATE runs SET as_of = NULL WHERE number = 1",
        "UPDATE runs SET counts = '{}' WHERE number = 1",
        "INSERT INTO runs SELECT 3, 'x', started, version, policy_sha256, inputs_sha256, as_of, counts, NULL FROM runs LIMIT 1",
        "UPDATE history SET details = replace(details, 'asked', 'told') WHERE what = 'note'",
        "UPDATE history SET by = 'Eve' WHERE what = 'note'",
        "DELETE FROM history WHERE what = 'note'",
        "DELETE FROM history WHERE number > 3",
        "INSERT INTO history SELECT number + 1, at, by, what, finding, details, hash, hash FROM history"
        " ORDER BY number DESC LIMIT 1",
    ],
)
def test_verify_finds_what_was_edited(cases: Program, out: Path, tampering: str):
    cases("note", "1", "asked", "--by", "Bo")
    decide(cases, "dismissed", "1")
    assert cases("verify")[0] == 0
    with closing(sqlite3.connect(out / store.NAME)) as ledger:
        ledger.executescript(f"DROP TRIGGER history_is_kept; DROP TRIGGER history_is_fixed; {tampering}")
        ledger.commit()
    code, reported, error = cases("verify")
    assert code == 3
    assert reported
    assert "the history does not hold" in error
    assert not [secret for secret in SECRETS if secret in reported + error]


def test_verify_looks_at_what_the_runs_saw(cases: Program, out: Path):
    kept = out / "latest" / "summary.json"
    reported = kept.read_text()
    kept.write_text(reported.replace('"head": "', '"head": "0').replace('"began": "', '"began": "0'))
    assert "saw a history that is not this one" in cases("verify")[1]
    kept.write_text("{")
    assert "its summary.json cannot be read" in cases("verify")[1]


def test_an_empty_file_is_no_ledger(cases: Program, out: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    (tmp_path / "empty").touch()
    assert command(["cases", "list", str(tmp_path / "empty")]) == 3
    assert "no ledger here" in capfd.readouterr().err
    assert (tmp_path / "empty").stat().st_size == 0


def test_the_clock_counts_sixty_days_that_are_not_suspended():
    confirmed = date(2026, 1, 1)
    last = confirmed + timedelta(days=180)
    starts = [confirmed + timedelta(days=days) for days in range(-20, 90, 2)]
    for begun, ended in [
        (None, None),
        *((start, end) for start in starts for end in (None, *starts, last, date(2027, 1, 1))),
    ]:
        suspended = range(0) if begun is None else range(begun.toordinal(), min(ended or last, last).toordinal())
        day, left = confirmed, 60
        while left or day.toordinal() in suspended:
            left -= day.toordinal() not in suspended
            day += timedelta(days=1)
        words = [str(end) if end else None for end in (begun, ended)]
        state = State("confirmed", confirmed_on=str(confirmed), investigated_from=words[0], investigated_to=words[1])
        assert state.due() == day, words


def test_the_list_is_filtered_by_what_a_case_is_about(cases: Program, out: Path):
    def claims(*words: str) -> list[str]:
        return [row["claim_id"] for row in json.loads(cases("list", *words, "--show-ids", "--format", "json")[1])]

    assert claims("--provider", "DOCTOR") == claims() != []
    assert claims("--provider", "OTHER") == claims("--outcome", "review") == []
    assert claims("--patient", "PATIENT1") == claims("--claim", IDS[1]) == [IDS[1]]
    assert claims("--payer", "nobody") == []
    assert cases("list", "--outcome", "unknown")[0] == 2


def test_cases_are_assigned_listed_by_assignee_and_proved(cases: Program, out: Path):
    assert cases("assign", "1", "2", "--to", "Bea", "--by", "Ann")[1] == "2 cases assigned to Bea\n"
    assert cases("assign", "2", "--to", "", "--by", "Ann")[1] == "1 case assigned to nobody\n"

    def numbers(*words: str) -> list[int]:
        return sorted(row["number"] for row in json.loads(cases("list", *words, "--format", "json")[1]))

    assert (numbers("--assignee", "Bea"), numbers("--assignee", "")) == ([1], [2, 3, 4, 5])
    assert "assignee" in cases("list")[1] and "Ann: assigned to Bea" in cases("show", "1")[1]
    assert cases("assign", "--assignee", "", "--to", "Cy", "--by", "Ann")[1].endswith("assigned; add --yes to do so.\n")
    assert cases("assign", "--assignee", "", "--to", "Cy", "--by", "Ann", "--yes")[1].endswith(
        "4 cases assigned to Cy\n"
    )
    exported = [json.loads(line) for line in cases("export", "--format", "jsonl")[1].splitlines()]
    assert [row["assignee"] for row in sorted(exported, key=lambda row: row["number"])] == ["Bea", *["Cy"] * 4]
    assert cases("verify")[0] == 0
    with closing(sqlite3.connect(out / store.NAME)) as ledger:
        ledger.execute("DROP TRIGGER history_is_fixed")
        ledger.execute("UPDATE history SET details = replace(details, 'Bea', 'Eve')")
        ledger.commit()
    assert "was changed after it was written" in cases("verify")[1]


def test_a_zone_that_is_none_in_the_latest_summary_is_utc(cases: Program, out: Path):
    audit(out.parent, evidence=True)
    path = out / "latest" / "summary.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"timezone": "Nowhere/Here"}))
    assert [cases("list")[0], cases("show", "1")[0]] == [0, 0]
    with pytest.raises(InputRefused, match="the run's files cannot be read"):
        explain(out, IDS[0])


def test_an_assignee_survives_a_run_and_a_restored_ledger(cases: Program, out: Path):
    assert cases("assign", "3", "--to", "Bea", "--by", "Ann")[0] == 0
    audit(out.parent, visits=VISITS + "V4,PX,2026-05-01 10:00,completed\n")
    assert pl.read_parquet(out / "latest" / "cases.parquet").filter(number=3)["assignee"].item() == "Bea"
    (out / store.NAME).unlink()
    assert cases("restore")[0] == 0
    assert [row["number"] for row in json.loads(cases("list", "--assignee", "Bea", "--format", "json")[1])] == [3]


def test_a_resolved_case_is_explained_by_its_number(out: Path, capfd: pytest.CaptureFixture[str]):
    resolved = number(out, IDS[0])
    audit(out.parent, minutes=25, evidence=True)
    assert pl.read_parquet(out / "latest" / "cases.parquet").filter(mark="resolved")["number"].to_list() == [
        int(resolved)
    ]
    assert command(["explain", str(out), resolved]) == 0
    assert IDS[0] in capfd.readouterr().out
    assert command(["cases", "list", str(out), "--mark", "resolved", "--format", "json"]) == 0
    (listed,) = json.loads(capfd.readouterr().out)
    assert listed["message"] == "the call time is 12 min; 98968 needs at least 21 min"


def test_a_decision_for_what_filters_choose_is_counted_first(cases: Program):
    words = ("confirmed", "--rule", "DUR001", "--provider", "DOCTOR", "--by", "A", "--reason", "short")
    code, printed, _ = cases("decide", *words)
    assert code == 0 and "5 cases to be confirmed" in printed and "Nothing was decided; add --yes to do so." in printed
    assert {state for state, *_ in states(cases).values()} == {"open"}
    assert cases("decide", *words, "--yes")[0] == 0
    assert {state for state, *_ in states(cases).values()} == {"confirmed"}
    assert cases("decide", *words, "--yes")[1].endswith("Nothing was decided.\n")
    assert cases("decide", "dismissed", "1", "--rule", "DUR001", "--by", "A", "--reason", "x")[0] == 2
    assert cases("decide", "dismissed", "--by", "A", "--reason", "x")[0] == 2


def test_a_case_has_the_id_of_its_finding(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    """Of a cell with two audited codes, the finding ids end in the code, and the ids of the cases too."""
    (tmp_path / "calls.csv").write_text(HEAD + "K1,P1,D1,2026-03-09 09:00,3,98967;98968,30\n")
    (tmp_path / "visits.csv").write_text(VISITS)
    words = ["--calls", str(tmp_path / "calls.csv"), "--visits", str(tmp_path / "visits.csv"), "--timezone", "UTC"]
    words += ["--select", "DUR001", "--codes", "98967,98968", "--out", str(tmp_path / "out"), "--format", "none"]
    assert command(["run", *words, "--fail-on", "never", "--write", "none"]) == 0
    run = tmp_path / "out" / "latest"
    capfd.readouterr()
    assert command(["cases", "export", str(tmp_path / "out"), "--format", "jsonl"]) == 0
    exported = {json.loads(line)["finding_id"] for line in capfd.readouterr().out.splitlines()}
    found, cases = (set(pl.read_parquet(run / f"{name}.parquet")["finding_id"]) for name in ("findings", "cases"))
    assert found == cases == exported == {"DUR001:K1:1:98967", "DUR001:K1:1:98968"}
    assert command(["cases", "note", str(tmp_path / "out"), "DUR001:K1:1:98967", "read", "--by", "Ann"]) == 0
