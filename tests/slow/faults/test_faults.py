"""Faults, a short selection: `make faults` tries hundreds.

Every run is held to all the promises of tests/slow/faults/bench.py.
"""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.slow.faults import copies
from tests.slow.faults.bench import CANARY, RUN, TABLES, Clinic, finish, stages
from tests.slow.faults.check import COMMANDS, SPOILERS, spoilt


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    return Clinic(tmp_path, rows=60)


@pytest.mark.slow
def test_a_run_killed_while_it_writes_leaves_the_last_one_whole(clinic: Clinic):
    writing, end = stages(clinic)
    for share in (0.2, 0.8):
        process = clinic.start()
        time.sleep(writing + share * (end - writing))
        process.kill()
        clinic.promises(finish(process), [0, -signal.SIGKILL])
    clinic.recovers()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stop_in_the_slow_imports_is_quiet(clinic: Clinic, number: signal.Signals, code: int):
    process = clinic.start()
    libraries = Path(f"/proc/{process.pid}/maps")
    if not libraries.exists():
        process.kill()
        pytest.skip("no /proc")
    while "polars" not in libraries.read_text():
        time.sleep(0.002)
    process.send_signal(number)
    done = finish(process)
    clinic.promises(done, [code])
    assert done.err == ""


@pytest.mark.slow
def test_a_copy_that_is_taken_while_the_ledger_is_written_is_a_state_that_it_had_or_is_refused(clinic: Clinic):
    clinic.promises(clinic.run(), [0])
    held, _ = copies.after(clinic, 1)
    assert held


@pytest.fixture
def at_work(clinic: Clinic):
    """A run that holds the folder and waits for an export that never comes."""
    os.mkfifo(clinic.base / "slow.csv")
    process = clinic.start("run", "--calls", str(clinic.base / "slow.csv"), *TABLES[2:], "--out", "out")
    while not (clinic.out / ".holder").exists() or not (clinic.out / ".holder").stat().st_size:
        time.sleep(0.01)
    yield process
    process.kill()
    finish(process)


@pytest.mark.slow
def test_a_second_run_says_who_holds_the_folder(clinic: Clinic, at_work: subprocess.Popen[bytes]):
    done = clinic.run()
    clinic.promises(done, [75])
    assert f"another run holds this folder (process {at_work.pid} on " in done.err
    (clinic.out / ".holder").write_bytes(b'{"pid": "\xff')
    assert "another run holds this folder; wait for it to end or choose another --out" in clinic.run().err
    at_work.kill()
    at_work.wait()
    clinic.recovers()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spoil", "out", "says"),
    [
        (lambda there: there.write_text("x"), "there", "there: not a folder; move"),
        (lambda there: there.symlink_to("nowhere"), "there", "there: not a folder; move"),
        (lambda there: (there / "latest").mkdir(parents=True), "there", "latest: not the link that leads to"),
        (lambda there: [there.mkdir(), (there / "refused").write_text("x")], "there", "refused: not a folder; move"),
        (lambda there: there.mkdir(), os.fsdecode(b"there/\xff"), "not UTF-8; choose"),
    ],
    ids=["file", "dangling", "latest", "refused", "bytes"],
)
def test_what_is_in_the_way_is_named_before_the_audit(
    clinic: Clinic, tmp_path: Path, spoil: Callable[[Path], object], out: str, says: str
):
    spoil(tmp_path / "there")
    done = clinic.run("run", *TABLES, "--out", f"{tmp_path}/{out}")
    clinic.promises(done, [4])
    assert says in done.err
    assert not list(tmp_path.glob("there/2*"))


@pytest.mark.parametrize(
    ("which", "size", "says"),
    [
        (resource.RLIMIT_FSIZE, 5_000, "could not be written ("),
        (resource.RLIMIT_AS, 2 << 30, "limited to 2.0 GB; lift"),
    ],
    ids=["file size", "addresses"],
)
def test_limits_of_the_kernel(clinic: Clinic, which: int, size: int, says: str):
    done = clinic.run(preexec_fn=lambda: resource.setrlimit(which, (size, resource.getrlimit(which)[1])))
    clinic.promises(done, [4])
    assert says in done.err


@pytest.mark.parametrize("where", [SPOILERS[0], SPOILERS[-1]], ids=["panic", "everything"])
def test_words_of_libraries_are_not_heard(clinic: Clinic, where: str):
    clinic.promises(clinic.run(prefix=spoilt(where), env={"RUST_BACKTRACE": "full"}), [4])


def test_debug_lets_them_through_and_says_so(clinic: Clinic):
    done = clinic.run("--debug", *RUN, prefix=spoilt(SPOILERS[0]))
    assert done.code == 4
    assert "panicked at" in done.err
    assert CANARY in done.err
    assert "which may quote data" in " ".join(clinic.run("--help").out.split())


@pytest.mark.slow
def test_no_command_reaches_for_the_network(clinic: Clinic):
    """Python code is watched everywhere; native code where the kernel gives us a network of our own, with nothing in it."""
    alone = ["unshare", "--net"]
    if not shutil.which("unshare") or subprocess.run([*alone, "true"], capture_output=True).returncode:
        alone = []
    watch = ("def told(event, _):\n if event.startswith('socket.') and event not in ('socket.__new__', 'socket.gethostname'):"
             "\n  import os; os._exit(99)\nimport sys; sys.addaudithook(told)\n")  # fmt: skip
    code = f"{watch}sys.argv = sys.argv[sys.argv.index('cli'):]\nfrom cli.__main__ import main\nmain()"
    for command in (COMMANDS[0], ("sample", "demo"), ("explain", "out", f"{CANARY}-K1")):
        done = clinic.run(*command, prefix=[*alone, sys.executable, "-c", code])
        assert done.code == 0, done.err
