"""The program from outside: commands, streams, exit codes, run folders."""

import contextlib
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from auditor.rules import CODES
from tests.support.program import HANG, audit98968

CALLS = """call_id,patient_id,provider_id,call_start,call_minutes,cpt_code,paid_amount
K1,PT-CANARY,D1,2026-03-09 09:00,25,98968,40.00
K2,PT-OTHER,D1,2026-03-20 09:00,{minutes},98968,50.00
"""
VISITS = """visit_id,patient_id,provider_id,visit_start,status
V1,PT-CANARY,D1,2026-03-05 09:00,{status}
V2,PT-OTHER,D1,2026-01-05 09:00,completed
V3,PT-THIRD,D2,2026-04-20 09:00,completed
"""


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    (tmp_path / "calls.csv").write_text(CALLS.format(minutes="25"))
    (tmp_path / "visits.csv").write_text(VISITS.format(status="completed"))
    return tmp_path


def run(folder: Path, *arguments: str, **options: str) -> subprocess.CompletedProcess[str]:
    tables = ("--calls", "calls.csv", "--visits", "visits.csv", "--timezone", "UTC", "--claims-since", "2026-01-01")
    return audit98968("run", *tables, *arguments, folder=folder, **options)


def test_findings_exit_1_and_the_folder_is_complete(exports: Path):
    done = run(exports, "--out", "out", "--quiet")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("10 of 27 rules evaluated")
    latest = exports / "out" / "latest"
    names = {"findings.parquet", "findings.csv", "claims.parquet", "claims.csv", "evidence.parquet", "rejects.csv"}
    assert {"summary.json", *names} <= {entry.name for entry in latest.iterdir()}
    reported = json.loads((latest / "summary.json").read_text())
    assert reported["run_id"] == latest.resolve().name
    assert reported["claims"] == {"audited": 2, "violation": 1, "review": 0, "incomplete": 0, "clear": 1,
                              "not_applicable": 0, "void": 0, "denied": 0, "rejected": 0, "clear_by_absence": 0}  # fmt: skip
    assert reported["money"]["at_risk"] == 40.0
    assert all(entry["rows"] == entry["used"] + entry["rejected"] for entry in reported["inputs"])
    finding = pl.read_parquet(latest / "findings.parquet").to_dicts()[0]
    assert (finding["finding_id"], finding["related_id"], finding["gap_days"]) == ("LBK001:K1:1", "V1", 4)


@pytest.mark.parametrize(
    ("minutes", "status", "fail_on", "code"),
    [
        ("25", "completed", "violation", 1),
        ("25", "scheduled", "violation", 0),
        ("25", "scheduled", "review", 1),
        ("", "cancelled", "review", 0),
        ("", "cancelled", "incomplete", 1),
        ("25", "cancelled", "incomplete", 0),
        ("25", "completed", "never", 0),
    ],
)
def test_fail_on(exports: Path, minutes: str, status: str, fail_on: str, code: int):
    (exports / "calls.csv").write_text(CALLS.format(minutes=minutes))
    (exports / "visits.csv").write_text(VISITS.format(status=status))
    assert run(exports, "--fail-on", fail_on).returncode == code


def test_nothing_is_written_without_out(exports: Path):
    before = sorted(exports.iterdir())
    run(exports)
    assert sorted(exports.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--fail-on", "sometimes"), 2, "--fail-on"),
        (("--select", "LBK01"), 2, "did you mean LBK001?"),
        (("--codes", "99213"), 2, "98966"),
        (("--select", ""), 2, "names no rule"),
        (("--select", "ELG001"), 3, "no rule can be evaluated"),
        (("--service-from", "2026-03-02", "--service-to", "2026-03-01"), 2, "is before"),
        (("--max-rejects", "many"), 2, "--max-rejects"),
        (("--policy", "strictt"), 2, "did you mean strict?"),
        (("--timezone", "America/New_Yorck"), 2, "did you mean America/New_York?"),
        (("--as-of", "yesterday"), 2, "--as-of"),
        (("--require", "EXC001"), 3, "no visits.cpt_codes in the inputs"),
        (("--claims", "nowhere.csv"), 3, "no such file"),
        (("--out", "/proc/nowhere"), 4, "could not be written"),
    ],
)
def test_wrong_usage_and_refusals(exports: Path, arguments: tuple[str, ...], code: int, says: str):
    done = run(exports, *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_tables_are_wrong_usage(exports: Path):
    assert audit98968("run", "--calls", "calls.csv", folder=exports).returncode == 2
    assert audit98968("run", "--no-such-flag", folder=exports).returncode == 2
    assert audit98968(folder=exports).returncode == 2


def test_a_missing_required_column_says_what_was_found_and_accepted(exports: Path):
    (exports / "calls.csv").write_text("call_id,patient_id,call_start\n1,2,3\n")
    done = run(exports, "--out", "out")
    assert done.returncode == 3
    assert "calls.provider_id" in done.stderr
    assert "'call_start'" in done.stderr
    assert "rendering_provider" in done.stderr
    refused = list((exports / "out" / "refused").iterdir())
    assert [entry.name for entry in sorted(refused[0].iterdir())] == ["rejects.csv", "summary.json"]
    assert not (exports / "out" / "latest").exists()


def test_too_many_rejects_are_refused_and_listed(exports: Path):
    (exports / "calls.csv").write_text(CALLS.format(minutes="-5"))
    done = run(exports, "--out", "out")
    assert done.returncode == 3
    (refused,) = (exports / "out" / "refused").iterdir()
    rejects = (refused / "rejects.csv").read_text().splitlines()
    assert rejects == [
        "table_name,source_file,source_record,column_name,reason",
        "calls,calls.csv,2,call_minutes,call_minutes is negative",
    ]
    assert run(exports, "--max-rejects", "1").returncode == 1
    assert run(exports, "--max-rejects", "50%").returncode == 1


def test_a_table_without_rows(exports: Path):
    (exports / "visits.csv").write_text("visit_id,patient_id,visit_start\n")
    assert run(exports).returncode == 3
    assert run(exports, "--allow-empty").returncode == 0


def test_no_audited_claim_is_stated_plainly(exports: Path):
    (exports / "calls.csv").write_text(CALLS.format(minutes="25").replace("98968", "98966"))
    done = run(exports)
    assert done.returncode == 0
    assert "No claim was audited" in done.stdout


@pytest.mark.parametrize("form", ["text", "jsonl", "csv", "json", "none"])
def test_formats_on_standard_output(exports: Path, form: str):
    done = run(exports, "--format", form, "--quiet")
    assert (done.returncode, done.stderr) == (1, "")
    if form == "json":
        assert json.loads(done.stdout)["claims"]["audited"] == 2
    elif form == "jsonl":
        assert [json.loads(line)["rule"] for line in done.stdout.splitlines()] == ["LBK001"]
    elif form == "csv":
        assert done.stdout.splitlines()[1].startswith(
            "LBK001:K1:1,LBK001,related-visit-before-call,violation,K1,1,,default,,,,PT-CANARY"
        )
    elif form == "none":
        assert done.stdout == ""


def test_no_identifier_in_text_and_on_standard_error(exports: Path):
    (exports / "calls.csv").write_text(CALLS.format(minutes="PT-CANARY"))
    for arguments in ((), ("--out", "out"), ("--max-rejects", "100%"), ("--claims", "calls.csv")):
        done = run(exports, *arguments)
        assert "CANARY" not in done.stdout + done.stderr


def test_warnings_are_reported_on_standard_error_and_in_the_report(exports: Path):
    warning = "visits_since is based on 2026-01-05, which is 59 days from the next date"
    done = run(exports)
    assert f"warning: {warning}" in done.stderr
    assert f"- {warning}" in done.stdout
    quiet = run(exports, "--quiet")
    assert (quiet.stderr, f"- {warning}" in quiet.stdout) == ("", True)
    assert "is based on" not in run(exports, "--format", "csv").stdout
    reported = json.loads(run(exports, "--format", "json").stdout)["warnings"]
    assert any(text.startswith(warning) for text in reported)


def test_standard_input_holds_one_table(exports: Path):
    calls = (exports / "calls.csv").read_text()
    done = audit98968("run", "--calls", "-", "--visits", "visits.csv", "--timezone", "UTC", folder=exports, stdin=calls)
    assert done.returncode == 1
    both = audit98968("run", "--calls", "-", "--visits", "-", folder=exports, stdin=calls)
    assert both.returncode == 2


def test_one_flag_takes_several_paths(exports: Path):
    """As a shell's glob leaves them."""
    visits = (exports / "visits.csv").read_text().splitlines()
    (exports / "v1.csv").write_text("\n".join(visits[:2]))
    (exports / "v2.csv").write_text("\n".join([visits[0], *visits[2:]]))
    flags = ("--visits", "v1.csv", "v2.csv", "--calls", "calls.csv", "--timezone", "UTC", "--format", "json")
    reported = json.loads(audit98968("run", *flags, folder=exports).stdout)
    assert [entry["rows"] for entry in reported["inputs"] if entry["table"] == "visits"] == [1, 2]


def test_precedence_flag_variable_file_default(exports: Path):
    (exports / "p.toml").write_text('[run]\nfail_on = "never"\nformat = "none"\n')
    shown = run(exports, "--policy", "p.toml", "--print-settings", AUDIT98968_FORMAT="csv").stdout.splitlines()
    assert "fail_on = never  (policy file)" in shown
    assert "format = csv  (AUDIT98968_FORMAT)" in shown
    assert "timezone = UTC  (--timezone)" in shown
    assert "max_rejects = 1%  (default)" in shown
    assert run(exports, "--policy", "p.toml").returncode == 0
    assert run(exports, "--policy", "p.toml", "--fail-on", "review").returncode == 1
    assert run(exports, "--policy", "p.toml", AUDIT98968_FAIL_ON="review").returncode == 1


def test_two_runs_give_equal_files_but_for_run_id_and_times(exports: Path):
    folders = ("one", "two")  # a page shows the runs before it
    for out in folders:
        run(exports, "--out", out, "--ledger", "none")
    first, second = ((exports / out / "latest").resolve() for out in folders)
    for name in ("findings.csv", "findings.parquet", "claims.csv", "claims.parquet", "evidence.parquet", "rejects.csv"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    own = re.compile(rb"\d{8}T\d{9}Z-[0-9a-f]{8}|started [\d-]+ [\d:.+]+|Inputs and settings.*|.*ledger's first run.*")
    pages = [own.sub(b"", (folder / "report.html").read_bytes()) for folder in (first, second)]
    assert pages[0] == pages[1]


def test_folders_and_files_are_private(exports: Path):
    subprocess.run(
        [sys.executable, "-m", "cli", "run", "--calls", "calls.csv", "--visits", "visits.csv", "--out", "out", "--quiet"],
        cwd=exports, check=False, capture_output=True, umask=0,
    )  # fmt: skip
    latest = (exports / "out" / "latest").resolve()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (exports / "out", latest)] == [0o700, 0o700]
    assert {stat.S_IMODE(path.stat().st_mode) for path in latest.iterdir()} == {0o600}


@contextlib.contextmanager
def reading_a_pipe(exports: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A run that holds its folder and waits for an export that never comes."""
    os.mkfifo(exports / "slow.csv")
    command = [sys.executable, "-m", "cli", "run", "--calls", "slow.csv", "--visits", "visits.csv", "--out", "out"]

    def usual() -> None:  # CI may start us with these ignored
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)

    process = subprocess.Popen(command, cwd=exports, stderr=subprocess.DEVNULL, preexec_fn=usual)
    try:
        while not (exports / "out" / ".lock").exists():
            time.sleep(0.02)
        time.sleep(0.3)
        yield process
    finally:
        process.kill()
        process.wait()


def test_a_second_run_on_the_folder_exits_75(exports: Path):
    with reading_a_pipe(exports):
        done = run(exports, "--out", "out")
        assert done.returncode == 75
        assert "another run holds this folder" in done.stderr
    assert run(exports, "--out", "out").returncode == 1


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1])
def test_an_interrupt_leaves_nothing(exports: Path, sent: signal.Signals):
    with reading_a_pipe(exports) as first:
        first.send_signal(sent)
        assert first.wait(HANG) == 128 + sent
    assert [entry.name for entry in (exports / "out").iterdir()] == [".lock"]


def test_a_folder_that_others_may_write_is_warned_about(exports: Path):
    (exports / "out").mkdir()
    (exports / "out").chmod(0o777)
    assert "out: others may write to this folder; chmod 700 it" in run(exports, "--out", "out").stderr
    (exports / "out").chmod(0o755)
    assert "others may write" not in run(exports, "--out", "out").stderr


@pytest.mark.parametrize("name", ["ledger.sqlite", "refused"])
def test_no_link_leads_out_of_the_folder(exports: Path, name: str):
    (exports / "out").mkdir()
    (exports / "elsewhere").mkdir()
    (exports / "out" / name).symlink_to(exports / "elsewhere" / ("other" if name == "ledger.sqlite" else ""))
    assert run(exports, "--out", "out").returncode == 4
    assert not [*(exports / "elsewhere").iterdir()]


TABLES = "--calls calls.csv --visits visits.csv --timezone UTC"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (f"run {TABLES} --format csv --fail-on never | true", 0),
        (f"run {TABLES} --format csv | true", 1),
        (f"run {TABLES} | true", 1),
        ("run --calls nope --visits nope 2>&1 | true", 3),
        ("run --no-such-flag 2>&1 | true", 2),
        ("run --help | true", 0),
        ("run --calls nope --visits nope 2>/dev/full", 3),
        (f"run {TABLES} --fail-on never 2>/dev/full", 0),
        (f"run {TABLES} >/dev/full", 4),
        ("run --help >/dev/full", 4),
        ("--version >/dev/full", 4),
        (f"run {TABLES} --fail-on never >&-", 0),
        ("run --calls - --visits visits.csv <&-", 3),
    ],
)
def test_streams_that_are_closed_or_full_keep_the_exit_code(exports: Path, command: str, code: int):
    first, _, rest = command.partition(" ")
    script = f"{sys.executable} -m cli {first} {rest}; echo ${{PIPESTATUS[0]}} >status"
    done = subprocess.run(["bash", "-c", script], cwd=exports, capture_output=True, text=True, timeout=HANG)
    assert (exports / "status").read_text().strip() == str(code)
    assert "Traceback" not in done.stderr + done.stdout


@pytest.mark.parametrize("command", [(), ("run",), ("check",), ("init",), ("explain",), ("sample",), ("rules",),
                                     ("rules", "list"), ("rules", "show"), ("policies",), ("policies", "list"),
                                     ("policies", "show")])  # fmt: skip
def test_every_command_has_help_with_an_example(tmp_path: Path, command: tuple[str, ...]):
    done = audit98968(*command, "--help", folder=tmp_path)
    assert done.returncode == 0
    assert "Usage:" in done.stdout
    assert "Example:" in done.stdout


def test_help_loads_nothing_heavy(tmp_path: Path):
    script = "import sys, cli.app; print({'polars', 'pyarrow', 'pydantic', 'rich.console', 'auditor.policy'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=HANG)
    assert done.stdout == "set()\n"


def test_check_shows_mapping_coverage_and_rejects(exports: Path):
    done = audit98968("check", "--calls", "calls.csv", "--visits", "visits.csv", folder=exports)
    assert done.returncode == 0
    assert "calls.call_minutes: read as minutes; 0 of 0 agree with start and end" in done.stdout
    assert "  INT001 claim-without-call: no claims in the inputs" in done.stdout
    assert "rows with 98968: 2 used, 0 rejected" in done.stdout
    assert "visits.patient_id: 2 of 2 patients of audited claims found" in done.stdout
    assert "timezone: UTC (assumed)" in done.stdout
    assert "visits_since: 2026-01-05" in done.stdout
    assert "calls: 2 rows = 2 used + 0 rejected" in done.stdout


def test_check_shows_the_hours_of_every_column_of_instants(tmp_path: Path):
    (tmp_path / "calls.csv").write_text(
        "call_id,patient_id,provider_id,call_start,call_end,cpt_code\nk1,p1,a,2026-03-02 09:00,2026-03-02 10:25,98968\n"
    )
    (tmp_path / "visits.csv").write_text(
        "visit_id,patient_id,visit_start,visit_end,booked_at\nv1,p1,2026-03-02 12:00,2026-03-02 13:30,2026-03-01 08:00\n"
    )
    done = audit98968("check", "--calls", "calls.csv", "--visits", "visits.csv", folder=tmp_path)
    hours = [line.strip().split(":")[0] for line in done.stdout.splitlines() if "9 of 10 are from" in line]
    assert hours == ["calls.call_start", "calls.call_end", "visits.visit_start", "visits.visit_end", "visits.booked_at"]


def test_json_hides_what_looks_like_a_phone_unless_ids_are_asked_for(exports: Path):
    calls = (exports / "calls.csv").read_text().splitlines()
    rows = [f"{calls[0]},caller", *(f"{row},617-555-0142" for row in calls[1:])]
    (exports / "calls.csv").write_text("\n".join(rows) + "\n")
    done = run(exports, "--format", "json", "--out", "out")
    assert "0142" not in done.stdout + done.stderr
    hidden = {"table": "calls", "column": "caller", "value": None, "count": 2, "hidden": 1}
    assert json.loads(done.stdout)["unrecognised"] == [hidden]
    assert "617-555-0142" in run(exports, "--format", "json", "--show-ids").stdout
    assert "617-555-0142" in (exports / "out" / "latest" / "summary.json").read_text()


def test_words_are_shown_where_they_are_often_there_and_have_no_digit(exports: Path):
    words = ["robot"] * 10 + ["Mary Qxfamily"] * 9 + ["Ann Qxother", "Room 12"] * 2 + ["Room 7"] * 12
    rows = "".join(f"K{n},P{n},D1,2026-03-09 09:00,{word}\n" for n, word in enumerate(words))
    (exports / "calls.csv").write_text(f"call_id,patient_id,provider_id,call_start,initiated_by\n{rows}")
    codes = "".join(f"V{n},P{n},D1,2026-03-05 09:00,{'QXFAM' if n else 'M9999'}\n" for n in range(11))
    (exports / "visits.csv").write_text(f"visit_id,patient_id,provider_id,visit_start,cpt_codes\n{codes}")
    done = run(exports, "--format", "json", "--fail-on", "never", "--out", "out", "--require", "DUR001")
    reported = {(row["column"], row["value"]): row for row in json.loads(done.stdout)["unrecognised"]}
    assert {key: (row["count"], row.get("hidden")) for key, row in reported.items()} == {
        ("initiated_by", "robot"): (10, None), ("initiated_by", None): (25, 4),
        ("cpt_codes", "QXFAM"): (10, None), ("cpt_codes", None): (1, 1),
    }  # fmt: skip
    looked = audit98968("check", "--calls", "calls.csv", "--visits", "visits.csv", "--timezone", "UTC", folder=exports)
    text = run(exports, "--fail-on", "never")
    for shown in (done, looked, text):
        assert not re.search("Mary|Qxother|Room|M9999", shown.stdout + shown.stderr)
    assert "Mary Qxfamily" in (exports / "out" / "latest" / "summary.json").read_text()
    assert "Mary Qxfamily" in run(exports, "--format", "json", "--show-ids", "--fail-on", "never").stdout


def test_rules_and_policies_are_shown(tmp_path: Path):
    assert audit98968("rules", "list", folder=tmp_path).stdout.count("\n") == len(CODES)
    assert "What it cannot see:" in audit98968("rules", "show", "related-visit-before-call", folder=tmp_path).stdout
    listed = audit98968("policies", "list", folder=tmp_path).stdout
    assert "\nmedicare  " in listed
    assert "    source: CMS-1744-IFC, 85 FR 19230" in listed
    assert "2020-04-06, https://regulations.justia.com/" in listed
    assert "\n    not verified: That Medicare pays 98966-98968 on a given service date" in listed
    assert "2021-04-01" in audit98968("policies", "show", "bcbs-ma", folder=tmp_path).stdout
    assert "did you mean bcbs-ma?" in audit98968("policies", "show", "bcbs", folder=tmp_path).stderr


def test_check_shows_no_row_that_slipped_into_the_header(exports: Path):
    whole = (exports / "visits.csv").read_text()
    (exports / "visits.csv").write_text(whole.replace("\n", ",", 1))
    done = audit98968("check", "--calls", "calls.csv", "--visits", "visits.csv", "--allow-empty", folder=exports)
    assert "headers that look like data" in done.stdout
    assert "header line" not in done.stdout
    assert "P1" not in done.stdout + done.stderr


def test_check_writes_what_several_files_share_once(exports: Path):
    header, *rows = (exports / "visits.csv").read_text().splitlines()
    (exports / "visits").mkdir()
    for number in range(12):
        name, cell = ("Room", "") if number else ("Floor", "")
        lines = [f"{header},{name}", *(f"V{number}{row},{cell}" for row in rows)]
        (exports / "visits" / f"{number:02}.csv").write_text("\n".join(lines) + "\n")
    done = audit98968("check", "--calls", "calls.csv", "--visits", "visits", folder=exports)
    assert done.returncode == 0
    assert "  visits/09.csv: 3 rows\n  and 2 more files: 6 rows\n" in done.stdout
    assert "    not used: 'Floor' (visits/00.csv)\n    not used: 'Room' (11 files)\n" in done.stdout


def test_check_counts_unknown_words_that_it_does_not_show(exports: Path):
    rows = "".join(f"V{n},P{n},2026-03-05 09:00,{word}\n" for n, word in enumerate(("Ann", "Bob", "Bob", "x1")))
    (exports / "visits.csv").write_text(f"visit_id,patient_id,visit_start,status\n{rows}")
    done = audit98968("check", "--calls", "calls.csv", "--visits", "visits.csv", folder=exports)
    assert "unrecognized visits.status: 3 values in 4 rows; --show-ids shows values" in done.stdout
    named = audit98968("check", "--calls", "calls.csv", "--visits", "visits.csv", "--show-ids", folder=exports)
    assert "unrecognized visits.status: 'Bob' in 2 rows" in named.stdout


def test_a_ledger_that_a_killed_run_left_empty_is_filled(exports: Path):
    (exports / "out").mkdir()
    (exports / "out" / "ledger.sqlite").touch()
    assert run(exports, "--out", "out", "--fail-on", "new").returncode == 1
    assert run(exports, "--out", "out", "--fail-on", "new").returncode == 0
