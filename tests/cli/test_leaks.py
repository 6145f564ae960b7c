"""No command shows a value of the exports that was not asked for: on its streams, in names of files, or in a list of
processes.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import polars as pl
import pytest

from tests.cases.test_repair import edited
from tests.slow.faults.bench import CANARY, RUN, TABLES, Clinic, Done, finish
from tests.support.catalogue import command
from tests.support.program import HANG, audit98968

DECISION = ("--by", "Ann", "--reason", "read the record")
QUIET = (
    (RUN, 0),
    (("run", *TABLES, "--fail-on", "never", "--codes", "98967", "--ledger", "none"), 0),
    (("run", *TABLES[:-2], "--out", "out"), 3),
    (("check", *TABLES, "--out", "out"), 0),
    (("check", "--calls", "visits.csv", "--visits", "calls.csv"), 3),
    (("init", *TABLES[:4]), 0),
    (("compare", "out", "out"), 0),
    (("frame", "out", "--out", "probe", "--size", "20", "--strata", "provider"), 0),
    (("frame", "out", "--out", "probe"), 2),
    (("estimate", "probe"), 0),
    (("estimate", "probe", "--format", "json"), 0),
    (("cases", "list", "out"), 0),
    (("cases", "list", "out", "--format", "json", "--since", "2026-01-01"), 0),
    (("compare", "out"), 2),
    (("cases", "decide", "out", "confirmed", "1", *DECISION), 0),
    (("cases", "decide", "out", "dismissed", f"DUR001:{CANARY}:1", *DECISION), 2),
    (("cases", "note", "out", "2", "asked", "--by", "Ann"), 0),
    (("cases", "import", "out", "out/latest/report.xlsx", "--by", "Ann"), 0),
    (("cases", "import", "out", "calls.csv", "--by", "Ann"), 3),
    (("cases", "verify", "out"), 0),
    (("cases", "repair", "out"), 0),
    (("cases", "restore", "out"), 0),
)  # fmt: skip
"""Commands in the order in which they can be given, none of which asks for an identifier, and their exit codes."""


WATCHED = ("run", "check", "frame")
"""What others see of them is looked at while they work."""


def watched(clinic: Clinic, *arguments: str, prefix: Sequence[str] = ()) -> Done:
    """Run a command, and look meanwhile at what others see of it: arguments of processes, and names of files."""
    process, observed = clinic.start(*arguments, prefix=prefix), set()
    secret: list[str] = []
    while process.poll() is None and not secret:
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (folder / "cwd").readlink() == clinic.work:
                    observed |= {*(folder / "cmdline").read_bytes().decode(errors="replace").split("\0")}
        with suppress(OSError):  # a folder that goes meanwhile
            observed |= {path.name for path in clinic.base.rglob("*")}
        secret = [word for word in observed - {*arguments} if CANARY in word]
        time.sleep(0.1)
    if secret:
        process.kill()
    done = finish(process)
    assert not secret
    return done


def ended(clinic: Clinic, *arguments: str) -> Done:
    """Run a command to its end, in a process that has the modules loaded."""
    done = audit98968(*arguments, folder=clinic.work, HOME=str(clinic.base / "home"), TMPDIR=str(clinic.base / "tmp"))
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.slow
def test_no_command_shows_a_value_that_was_not_asked_for(tmp_path: Path):
    clinic = Clinic(tmp_path, rows=120)
    for arguments, code in QUIET:
        if arguments[:2] == ("estimate", "probe"):
            sample = pl.read_csv(clinic.work / "probe" / "sample.csv", infer_schema=False)
            sample.with_columns(error_amount=pl.lit("0")).write_csv(clinic.work / "probe" / "sample.csv")
        done = watched(clinic, *arguments) if arguments[0] in WATCHED else ended(clinic, *arguments)
        assert done.code == code, (arguments, done.err)
        secret = rf"{CANARY}[- ]\w" if arguments[0] == "init" else CANARY  # alone it is a word, in a column of words
        message_text = done.out + done.err + (clinic.work / "log").read_text()
        assert not re.search(f"{secret}|Traceback|panicked", message_text), arguments
        assert not [*(clinic.base / "home").iterdir(), *(clinic.base / "tmp").iterdir()], arguments


WAIT = f"for _ in $(seq {10 * HANG}); do sleep 0.1; done"


@pytest.mark.parametrize("shown", ["{wait} # {canary}", "touch {canary}; {wait}"])
def test_the_watch_sees_what_there_is_to_see(tmp_path: Path, shown: str):
    with pytest.raises(AssertionError):
        watched(Clinic(tmp_path, rows=60), prefix=["sh", "-c", shown.format(wait=WAIT, canary=CANARY)])


URL = "postgresql://ann:S3CRET@db.example/claims"
LOCAL = "postgresql://ann:S3CRET@127.0.0.1:1/claims"
FILES = {"calls.sql": "select 1 as call_id", "calls.csv": "call_id,patient_id,provider_id,call_start\n1,2,3,2026-03-02 09:00\n",
         "visits.csv": "visit_id,patient_id,visit_start\n1,2,2026-03-01 09:00\n"}  # fmt: skip
BOTH = ("--calls", "calls.csv", "--visits", "visits.csv")


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--calls", URL, "--visits", "visits.csv", "--out", "out"),
        ("run", "--calls", f"{URL}?password=S3CRET", "--visits", "visits.csv", "--format", "json"),
        ("--debug", "run", "--calls", "calls.csv", "--visits", URL),
        ("check", "--calls", "calls.csv", "--visits", URL, "--log-format", "json"),
        ("init", "--calls", URL),
        ("init", "--calls", "calls.csv", "--out", URL),
        ("run", *BOTH, "--database", URL, "--print-settings"),
        ("--debug", "run", "--calls", "calls.sql", "--visits", "visits.csv", "--database", f"{LOCAL}?password=S3CRET"),
        ("run", *BOTH, "--database", f"{LOCAL};password=S3CRET", "--out", "out", "--fail-on", "never"),
        ("init", "--calls", "calls.sql", "--database", LOCAL),
        ("run", *BOTH, "--policy", URL),
        ("run", *BOTH, "--out", URL),
        ("run", *BOTH, "--ledger", URL),
        ("run", *BOTH, "--pseudonymize", URL),
        ("run", *BOTH, "--max-rejects", URL),
        ("run", *BOTH, "--log-file", URL),
        ("run", *BOTH, "--print-settings", "--out", URL, "--master", URL, "--engine", "spark"),
        ("run", "--calls", URL, "--visits", URL, "--print-settings"),
        ("explain", URL, "1"),
        ("compare", URL),
        ("frame", URL, "--out", "probe"),
        ("estimate", URL),
        ("cases", "list", URL),
        ("sample", URL, "--claims", "1"),
        ("run", URL),
        ("--debug", "run", f"--no-such-option={URL}"),
        ("rules", "show", URL),
    ],
)
def test_no_url_shows_its_user_or_password(tmp_path: Path, arguments: tuple[str, ...]):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    log = ("--log-file", "log") if arguments[0] in ("run", "check") and "--log-file" not in arguments else ()
    done = audit98968(*arguments, *log, folder=tmp_path)
    written = [path.read_text(errors="replace") for name in ("log", "out") for path in tmp_path.glob(f"{name}/**/*.*")]
    logged = (tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""
    message_text = "\n".join((done.stdout, done.stderr, logged, *written))
    assert not re.search("S3CRET|ann[:@]", message_text), message_text


def test_a_refused_url_is_named_by_its_host_and_path(tmp_path: Path):
    done = audit98968("run", "--calls", URL, "--visits", URL, folder=tmp_path)
    assert done.stderr.startswith("audit98968: error: calls: postgresql://db.example/claims: no such file;")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exports of canaries, an output folder of two runs, and a frame."""
    clinic = Clinic(tmp_path_factory.mktemp("leaks") / "clinic", rows=60)
    with contextlib.chdir(clinic.work):
        assert command([*RUN, "--format", "none"]) == command([*RUN, "--format", "none", "--codes", "98967"]) == 0
        assert command([*RUN, "--format", "none"]) == 0
        assert command(["frame", "out", "--out", "probe", "--size", "20"]) == 0
    return clinic.work


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


SECRET = f"{CANARY}-X1"


def overwritten(path: Path) -> None:
    path.write_text(f"{SECRET},{SECRET}\n{SECRET},{SECRET}\n")


BAD: dict[str, Callable[[Path], object]] = {
    "good": lambda folder: None,
    "header": lambda folder: overwritten(folder / "calls.csv"),
    "not UTF-8": lambda folder: (folder / "calls.csv").write_bytes(f"call_id\n{SECRET}".encode() + b"\xff\xfe\x00"),
    "no end": lambda folder: (folder / "visits.csv").write_text(f'visit_id,patient_id,visit_start\n"{SECRET},{SECRET}\n'),
    "summary": lambda folder: cut(folder / "out" / "latest" / "summary.json"),
    "findings": lambda folder: cut(folder / "out" / "latest" / "findings.parquet"),
    "claims": lambda folder: overwritten(folder / "out" / "latest" / "claims.parquet"),
    "ledger": lambda folder: edited(folder / "out", f"UPDATE cases SET facts = '{SECRET}', reason = '{SECRET}'"),
    "sample": lambda folder: overwritten(folder / "probe" / "sample.csv"),
    "manifest": lambda folder: (folder / "probe" / "frame.json").write_text(f'["{SECRET}"]'),
}  # fmt: skip
OF_EXPORTS = (
    *((*RUN, "--format", form) for form in ("text", "json", "none")), ("check", *TABLES), ("init", *TABLES[:4]),
)  # fmt: skip
OF_RUNS = (
    ("frame", "out", "--out", "other", "--size", "20"), ("compare", "out"),
    *(("digest", "out", "--format", form) for form in ("text", "markdown", "html", "json")),
    *(("estimate", "probe", "--format", form) for form in ("text", "json")),
    *(("cases", "list", "out", "--format", form) for form in ("text", "csv", "json")),
    ("cases", "verify", "out"), ("runs", "prune", "out", "--keep", "0d"),
)  # fmt: skip
"""What `compare --format csv` and `jsonl` write is what was asked for."""


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD)
def test_no_format_has_a_value_that_was_not_asked_for(
    name: str, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    of_exports = name in ("header", "not UTF-8", "no end")
    for arguments in OF_EXPORTS if of_exports else OF_RUNS if name != "good" else OF_EXPORTS + OF_RUNS:
        shutil.rmtree(tmp_path / "work", ignore_errors=True)
        shutil.copytree(folder, tmp_path / "work", symlinks=True)
        BAD[name](tmp_path / "work")
        capfd.readouterr()
        with contextlib.chdir(tmp_path / "work"):
            code = command(list(arguments))
        output = "".join(capfd.readouterr())
        shown = re.findall(rf".{{0,60}}{CANARY}[- ]\w.*", output)  # alone it is a word, in a column of words
        assert not shown, (arguments, code, shown[:3])
        assert "internal error" not in output, (arguments, output)
