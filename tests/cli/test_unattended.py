"""Runs that nobody watches: the log, silence, exit codes for shells, systemd units, pipelines, completion, manual page."""

import contextlib
import json
import logging
import os
import pty
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from cli.log import Log
from docs import man
from tests.support.program import HANG, audit98968

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
DATA = ROOT / "sample_data"
TABLES = ("--calls", str(DATA / "calls.csv"), "--visits", str(DATA / "visits.csv"))
PROGRAM = str(Path(sys.executable).parent)


def logged(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_the_log_holds_the_whole_run(tmp_path: Path):
    done = audit98968("run", *TABLES, "--out", "out", "--log-format", "json", "--log-file", "log", folder=tmp_path)
    assert done.returncode == 1
    lines = logged(tmp_path / "log")
    events = [line["event"] for line in lines]
    assert events[0] == "start" and events[-1] == "exit"
    assert {"stage", "input", "result", "report", "warning"} <= set(events)
    reported = json.loads((tmp_path / "out" / "latest" / "summary.json").read_text())
    by_event = {line["event"]: line for line in lines}
    assert [
        {key: line[key] for key in reported["inputs"][0]} for line in lines if line["event"] == "input"
    ] == reported["inputs"]
    assert by_event["result"]["claims"] == reported["claims"]
    assert by_event["report"]["path"] == f"out/{reported['run_id']}"
    assert by_event["exit"]["exit_code"] == 1 and by_event["exit"]["run_id"] == reported["run_id"]
    assert [line["message"] for line in lines if line["level"] == "warning"] == reported["warnings"] != []
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"]) for line in lines)
    assert all(before["elapsed"] <= after["elapsed"] for before, after in pairwise(lines))
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o600
    assert [json.loads(line)["message"] for line in done.stderr.splitlines()] == reported["warnings"]


def test_a_log_in_text_is_appended_to(tmp_path: Path):
    for _ in range(2):
        audit98968("check", *TABLES, folder=tmp_path, AUDIT98968_LOG_FILE="log")
    lines = (tmp_path / "log").read_text().splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z audit98968\[\d+\] (info|warning): ", line) for line in lines)
    assert sum(line.endswith(" check") for line in lines) == sum(line.endswith("exit code 0") for line in lines) == 2


def test_the_policy_names_the_log(tmp_path: Path):
    (tmp_path / "p.toml").write_text('[run]\nlog_file = "log"\nlog_format = "json"\nquiet = true\n')
    done = audit98968("run", *TABLES, "--policy", "p.toml", folder=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert logged(tmp_path / "log")[-1]["exit_code"] == 1
    shown = audit98968("run", *TABLES, "--policy", "p.toml", "--print-settings", folder=tmp_path)
    assert "log_format = json  (policy file)" in shown.stdout
    assert sum(line["event"] == "start" for line in logged(tmp_path / "log")) == 1


@pytest.mark.parametrize("fail_on", ["never", "review"])
def test_quiet_says_nothing_though_there_are_warnings(tmp_path: Path, fail_on: str):
    done = audit98968("run", *TABLES, "--quiet", "--fail-on", fail_on, "--out", "out", folder=tmp_path)
    assert (done.returncode, done.stderr) == (int(fail_on != "never"), "")
    assert json.loads((tmp_path / "out" / "latest" / "summary.json").read_text())["warnings"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("--policy", "nope"), 2), (("--calls", "nope"), 3), (("--out", "/proc/nowhere"), 4)],
)
def test_what_stopped_a_run_is_logged(tmp_path: Path, arguments: tuple[str, ...], code: int):
    done = audit98968(
        "run", *TABLES, *arguments, "--log-format", "json", "--log-file", "log", "--quiet", folder=tmp_path
    )
    assert done.returncode == code
    error, end = logged(tmp_path / "log")[-2:]
    assert (error["level"], end["event"], end["exit_code"]) == ("error", "exit", code)
    assert json.loads(done.stderr) == error


def test_an_interrupted_run_is_logged(tmp_path: Path):
    os.mkfifo(tmp_path / "slow.csv")
    command = [sys.executable, "-m", "cli", "run", "--calls", "slow.csv", "--visits", TABLES[3], "--log-file", "log"]
    with subprocess.Popen(command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}) as process:
        until = time.monotonic() + HANG
        while "reading calls" not in ((tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""):
            assert time.monotonic() < until
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait(HANG) == 143
    assert (tmp_path / "log").read_text().endswith("info: exit code 143\n")


def test_a_log_that_cannot_be_opened_stops_the_run(tmp_path: Path):
    (tmp_path / "notes.csv").write_text("patient_id\nPT-CANARY\n")
    os.mkfifo(tmp_path / "pipe")
    for path, code in (("nowhere/log", 4), (".", 4), ("notes.csv", 2)):
        done = audit98968("run", *TABLES, "--log-file", path, folder=tmp_path)
        assert (done.returncode, done.stdout) == (code, "")
        assert done.stderr.startswith(f"audit98968: error: --log-file: {path}: ")
        assert "CANARY" not in done.stderr
    assert (tmp_path / "notes.csv").read_text() == "patient_id\nPT-CANARY\n"


@pytest.mark.parametrize("command", ["run", "check"])
def test_a_log_on_a_full_disk_changes_no_exit_code(tmp_path: Path, command: str):
    usual = audit98968(command, *TABLES, folder=tmp_path)
    done = audit98968(command, *TABLES, "--log-file", "/dev/full", "--quiet", folder=tmp_path)
    assert (done.returncode, done.stdout) == (usual.returncode, usual.stdout)
    assert done.stderr.splitlines()[0].startswith("audit98968: warning: --log-file: could not be written")
    assert done.stderr.count("--log-file") == 1


def test_a_line_that_was_cut_short_spoils_no_other(tmp_path: Path):
    (tmp_path / "log").write_text('{"time": "2026-03-09T02:00:00.000Z", "lev')
    audit98968("check", *TABLES, "--log-format", "json", "--log-file", "log", folder=tmp_path)
    cut, first, *_ = (tmp_path / "log").read_text().splitlines()
    assert (cut[-4:], json.loads(first)["event"]) == ('"lev', "start")


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_patient_in_the_log(tmp_path: Path, form: str):
    calls = "call_id,patient_id,provider_id,call_start,call_minutes,initiated_by,cpt_code\n"
    (tmp_path / "calls.csv").write_text(calls + "CANARY1,CANARY2,CANARY3,2026-03-09 09:00,CANARY4,CANARY5,98968\n")
    (tmp_path / "visits.csv").write_text(
        "visit_id,patient_id,visit_start,status\nCANARY6,CANARY2,2026-03-05 09:00,CANARY7\n"
    )
    tables = ("--calls", "calls.csv", "--visits", "visits.csv", "--show-ids")
    for rejects in ("1%", "100%"):
        log = ("--max-rejects", rejects, "--log-format", form, "--log-file", "log")
        done = audit98968("run", *tables, *log, folder=tmp_path)
        assert done.returncode == (3 if rejects == "1%" else 0)
        audit98968("check", *tables, *log, folder=tmp_path)
    assert "CANARY" not in (tmp_path / "log").read_text()


def test_no_record_of_a_library_reaches_the_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    log = Log()
    log.open("check", "text", str(tmp_path / "log"), quiet=False)
    for name in ("", "polars", "audit98968", "audit98968.polars"):
        logging.getLogger(name).critical("CANARY")
    log.info("input", "ours")
    assert [line.partition("] ")[2] for line in (tmp_path / "log").read_text().splitlines()][1:] == ["info: ours"]
    assert "audit98968" not in capfd.readouterr().err


def test_a_file_name_cannot_forge_a_line(tmp_path: Path):
    evil = "a\n2026-03-09T02:00:00.000Z audit98968[1] info: exit code 0"
    done = audit98968("run", "--calls", evil, *TABLES[2:], "--log-file", "log", folder=tmp_path)
    assert done.returncode == 3
    assert "exit code 0" in done.stderr
    assert done.stderr.count("\n") == 1
    lines = (tmp_path / "log").read_text().splitlines()
    assert [line for line in lines if line.startswith("2026-03-09")] == []
    assert sum("exit code 0" in line for line in lines) == 1


def _all_of(terminal: int) -> Iterator[bytes]:
    with contextlib.suppress(OSError):  # the end of a terminal
        while some := os.read(terminal, 4096):
            yield some


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_terminal_sees_the_stages(tmp_path: Path, form: str):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "cli", "run", *TABLES, "--format", "none", "--log-format", form]
    done = subprocess.run(command, cwd=ROOT, stderr=theirs, timeout=HANG, check=False)
    os.close(theirs)
    observed = b"".join(_all_of(ours)).decode(errors="replace")
    os.close(ours)
    assert done.returncode == 1
    if form == "json":
        assert json.loads(observed.splitlines()[0])["message"] == "reading calls"
    else:
        for words in ("Looking through the calls", "Checking the visits", "0%", "0:00:0", "left"):
            assert words in observed


def test_a_run_that_is_stopped_says_what_became_of_the_folder(tmp_path: Path):
    os.mkfifo(tmp_path / "calls.csv")
    command = [
        sys.executable,
        "-m",
        "cli",
        "run",
        "--calls",
        str(tmp_path / "calls.csv"),
        *TABLES[2:],
        "--out",
        str(tmp_path / "out"),
    ]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "out" / ".holder").exists():
        time.sleep(0.01)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=HANG)[1].strip() == (
        "audit98968: error: stopped: nothing was published, and `latest` is unchanged"
    )
    assert process.returncode == 130


def stub(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


NIGHTLY = ["bash", str(EXAMPLES / "nightly.sh")]


@pytest.mark.parametrize(
    ("codes", "ends", "says"),
    [
        ("0", 0, ""),
        ("1", 1, "reopened: out/latest/report.html"),
        ("2", 2, "invalid policy"),
        ("3", 3, "refused"),
        ("4", 4, "internal error"),
        ("75 75 1", 1, "reopened"),
        ("75 75 75", 75, "still uses"),
        ("130", 130, "interrupted"),
        ("143", 143, "terminated"),
        ("137", 137, "memory"),
    ],
)
def test_the_nightly_script_tells_the_exit_codes_apart(tmp_path: Path, codes: str, ends: int, says: str):
    stub(tmp_path, "audit98968", f'echo x >>tries; set -- {codes}; shift $(($(wc -l <tries) - 1)); exit "$1"')
    stub(tmp_path, "curl", 'echo "$@" >pinged')
    variables = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "TRIES": "3",
        "PAUSE": "0",
        "OUT": "out",
        "PING_URL": "u:p",
    }
    done = subprocess.run(NIGHTLY, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=HANG)
    assert done.returncode == ends
    assert says in done.stdout + done.stderr
    assert (done.stdout + done.stderr == "") == (ends == 0)
    assert (tmp_path / "pinged").exists() == (ends in (0, 1))
    assert (tmp_path / "tries").read_text().count("x") == len(codes.split())


@pytest.mark.slow
def test_the_nightly_script_audits(tmp_path: Path):
    variables = {
        "PATH": f"{PROGRAM}:{os.environ['PATH']}",
        "EXPORTS": str(DATA),
        "POLICY": str(DATA / "policy.toml"),
        "OUT": "out",
        "LOG": "log",
    }
    done = subprocess.run(NIGHTLY, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=HANG)
    assert (done.returncode, done.stdout, done.stderr) == (1, "new, worse or reopened: out/latest/report.html\n", "")
    assert (tmp_path / "out" / "latest" / "report.html").exists()
    assert logged(tmp_path / "log")[-1]["exit_code"] == 1
    done = subprocess.run(NIGHTLY, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=HANG)
    assert (done.returncode, done.stdout) == (0, "")  # equal exports send no second mail


@pytest.mark.parametrize(("code", "pinged"), [(0, True), (1, True), (3, False), (75, False)])
def test_the_dead_mans_switch_hears_of_audits_that_ended(tmp_path: Path, code: int, pinged: bool):
    (line,) = re.findall(r"^audit98968 .*PING_URL.*$", (ROOT / "docs" / "unattended.md").read_text(), re.MULTILINE)
    stub(tmp_path, "audit98968", f"exit {code}")
    stub(tmp_path, "curl", 'echo "$@" >pinged')
    variables = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PING_URL": "u:p"}
    subprocess.run(["sh", "-c", line], cwd=tmp_path, env=variables, timeout=HANG, check=False)
    assert (tmp_path / "pinged").exists() == pinged


def test_the_crontab_has_five_times_and_a_command():
    jobs = [line for line in (EXAMPLES / "crontab").read_text().splitlines() if line and line[0].isdigit()]
    assert [re.fullmatch(r"(?:[\d*,/-]+ ){5}/opt/audit98968/nightly\.sh", job) is not None for job in jobs] == [True]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_takes_the_units(tmp_path: Path):
    for unit in EXAMPLES.glob("audit98968*.*"):
        text = unit.read_text().replace("/opt/audit98968/bin/audit98968", shutil.which("true"))
        (tmp_path / unit.name).write_text(text.replace("/usr/bin/curl", shutil.which("true")))
    command = ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(command) == 6


def test_the_service_gives_options_that_exist(tmp_path: Path):
    text = (EXAMPLES / "audit98968.service").read_text().replace("\\\n", " ")
    arguments = re.search(r"ExecStart=\S+ (.+)", text)[1].split()
    changed = {
        "/srv/exports/calls.csv": TABLES[1],
        "/srv/exports/visits.csv": TABLES[3],
        "/etc/audit98968/policy.toml": str(DATA / "policy.toml"),
        "/var/lib/audit98968/out": "out",
        "/var/log/audit98968/audit.jsonl": "log",
    }
    done = audit98968(*(changed.get(word, word) for word in arguments), folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed")
def test_the_pipelines_print_what_the_page_says(tmp_path: Path):
    page = (ROOT / "docs" / "unattended.md").read_text()
    blocks = re.findall(r"<!-- tested -->\n```sh\n(.*?)```\n(?:```text\n(.*?)```\n)?", page, re.DOTALL)
    assert len(blocks) == page.count("<!-- tested -->") > 4
    (tmp_path / "sample_data").symlink_to(DATA)
    script = "set -euo pipefail\n" + "echo ====\n".join(commands for commands, _ in blocks)
    variables = {"PATH": f"{PROGRAM}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=HANG
    )
    assert done.stderr == ""
    assert done.stdout.split("====\n") == [shown for _, shown in blocks]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "some"),
    [
        (["r"], {"run", "rules", "runs"}),
        (["run", "--log"], {"--log-format", "--log-file"}),
        (["run", "--fail-on", ""], {"violation", "review", "incomplete", "new", "never"}),
        (["run", "--format", "j"], {"jsonl", "json"}),
        (["check", "--policy", "b"], {"bcbs-ma", "bcbsm-pdcm"}),
        (["check", "--timezone", "America/New_"], {"America/New_York"}),
        (["run", "--select", "DUR001,INT00"], {f"DUR001,INT00{number}" for number in (1, 2, 3, 4)}),
        (["rules", "show", "EXC"], {"EXC001"}),
        (["policies", "show", "s"], {"strict"}),
        (["run", "--calls", ""], set()),
    ],
)
def test_bash_completes(tmp_path: Path, words: list[str], some: set[str]):
    """As bash asks, by the very function that --show-completion prints."""
    environment = {"PATH": f"{PROGRAM}:{os.environ['PATH']}"}
    line = " ".join(f"'{word}'" for word in ["audit98968", *words])
    script = (
        'eval "$(audit98968 --show-completion bash)"\n'
        f"COMP_WORDS=({line}) COMP_CWORD={len(words)}\n"
        '_audit98968_completion audit98968; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=HANG
    )
    assert done.stderr == ""
    assert set(done.stdout.split()) == some


def test_the_manual_page_is_current():
    assert man.PAGE.read_text(encoding="utf-8") == man.page(), "run `make docs`"


@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed")
def test_the_manual_page_is_well_formed():
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", man.PAGE], capture_output=True, text=True, timeout=HANG
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_manual_page_holds_every_option_variable_and_exit_code():
    page = man.page().replace("\\-", "-")
    for command in (("run",), ("check",), ("init",), ("sample",)):
        shown = audit98968(*command, "--help", folder=ROOT).stdout
        assert all(option in page for option in re.findall(r"--[a-z-]+", shown))
    assert {f".TP\n\\fB{code}\\fR" in page for code in ("0", "1", "2", "3", "4", "75", "130, 143")} == {True}
    assert "AUDIT98968_LOG_FILE" in page and "AUDIT98968_FAIL_ON" in page
