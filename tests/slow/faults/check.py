"""Faults: runs are killed, starved, locked out and cut off; the promises of bench.py must hold after each.

    python -m tests.slow.faults.check [--seed 1] [--kills 200] [--stops 60] [--only NAME]

Prints a line per fault with the cases tried and survived. Exits 1 if a promise was broken. Disk full, read-only output
and the other user need root; strace shows the network. What cannot be tried here is named, and is no success.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.slow.faults import copies
from tests.slow.faults.bench import CANARY, ROOT, RUN, TABLES, Clinic, Done, finish, stages
from tests.slow.faults.ledger_kinds import kinds
from tests.slow.faults.ledgers import Desk, Idle, Kind

NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
COMMANDS = (RUN, ("run", *TABLES, "--fail-on", "never"), ("check", *TABLES), ("init", *TABLES[:4]), ("rules", "list"),
            ("rules", "show", "LBK001"), ("policies", "list"), ("policies", "show", "strict"), ("sample", "demo"),
            ("explain", "out", f"{CANARY}-K1"), ("--help",), ("--version",))  # fmt: skip


class Bench:
    """The tally, and a fresh clinic for every group of cases."""

    def __init__(self, options: argparse.Namespace, base: Path) -> None:
        self.options, self.base = options, base
        self.random = random.Random(options.seed)
        self.broken = 0

    def fault(self, name: str, cases: Callable[[Bench, Clinic], Iterator[Callable[[], None]]]) -> None:
        """Try every case of a fault in one clinic that has a finished run to lose."""
        if self.options.only and self.options.only not in name:
            return
        clinic = Clinic(self.base / re.sub(r"\W", "_", name))
        clinic.promises(clinic.run(), [0])
        tried = survived = 0
        began = time.monotonic()
        try:
            for case in cases(self, clinic):
                tried += 1
                try:
                    case()
                    survived += 1
                except AssertionError as broken:
                    print(f"    broken: {name}: {broken}", flush=True)
            clinic.recovers()
        except AssertionError as broken:
            tried += 1
            print(f"    broken: {name}: afterwards: {broken}", flush=True)
        self.broken += tried - survived
        print(f"{name:<34} {tried:>4} tried {survived:>4} survived  {time.monotonic() - began:6.0f} s", flush=True)
        shutil.rmtree(clinic.base, ignore_errors=True)


def at_random(number: signal.Signals, codes: tuple[int, ...], early: float = 0.0):  # type: ignore[no-untyped-def]
    """Send a signal at moments spread over a run, over its writing, and (`early`) over its first tenth of a second."""

    def cases(bench: Bench, clinic: Clinic) -> Iterator[Callable[[], None]]:
        writing, end = stages(clinic)
        count = bench.options.kills if number == signal.SIGKILL else bench.options.stops
        for case in range(count):
            spans = [(0.0, end), (0.0, end), (writing, end)] + ([(0.0, 0.1)] if early else [])
            moment = bench.random.uniform(*spans[case % len(spans)])

            def try_it(moment: float = moment, case: int = case) -> None:
                process = clinic.start()
                time.sleep(moment)
                process.send_signal(number)
                done = finish(process)
                if not _in_the_program(done):
                    done = Done(done.code, done.out, "")  # the interpreter's own start: no handler can be there yet
                    clinic.promises(done, (*codes, 1, -number))
                else:
                    clinic.promises(done, codes)
                if case % 10 == 9:
                    clinic.recovers()

            yield try_it

    return cases


def at_points(bench: Bench, clinic: Clinic) -> Iterator[Callable[[], None]]:
    """Kills where it hurts most: while rows are spilled, within the ledger's transaction, and on both sides of its
    commit.
    """
    for code in POINTS.values():
        for count in range(1, 2 + bench.options.kills // 40):

            def try_it(code: str = code, count: int = count) -> None:
                done = clinic.run(prefix=spoilt(KILL.format(count=count) + code))
                clinic.promises(done, (-signal.SIGKILL,))
                clinic.remembers()
                clinic.recovers()
                clinic.remembers()

            yield try_it


def kinds_of_damage(bench: Bench, clinic: Clinic) -> Iterator[Callable[[], None]]:
    """Every kind of ledger_kinds.py, in this process; `--kinds A` tries those that begin with A."""
    desk, idle = Desk(clinic.base / "desk"), []

    def try_it(kind: Kind) -> None:
        try:
            desk.holds(kind)
        except Idle:
            idle.append(kind.name)

    for kind in kinds():
        if kind.name.startswith(bench.options.kinds):
            yield partial(try_it, kind)
    if idle:
        print(f"    no such value to damage here: {', '.join(idle)}")


def copied(bench: Bench, clinic: Clinic) -> Iterator[Callable[[], None]]:
    """Copies while runs and decisions write: each is a state that the ledger had, or is refused."""
    tally = [0, 0]

    def try_it(number: int) -> None:
        held, refused = copies.after(clinic, number)
        tally[0] += held
        tally[1] += refused

    for number in range(1, 1 + bench.options.stops // 6):
        yield partial(try_it, number)
    print(f"    {tally[0]:,} copies hold, {tally[1]:,} are refused")
    assert tally[0], "no copy was taken"


KILL = """
import os
from auditor.cases import chain, proof
from auditor.engines import partitions
from auditor.reports import folder
left = [{count}]
def killed_after(work, often=True):
    def killed(*given, **named):
        made = work(*given, **named)
        left[0] -= often
        if left[0] <= 0 or not often:
            os.kill(os.getpid(), 9)
        return made
    return killed
"""
POINTS = {
    "spilling": "had = partitions.Partitions.__init__\n"
    "partitions.Partitions.__init__ = lambda self, room, *more, **named: had(self, 0, *more, **named)\n"
    "partitions.Partitions._put = killed_after(partitions.Partitions._put)\n",
    "within the transaction": "chain.append = killed_after(chain.append, False)\n",
    "published, not entered": "folder.publish = killed_after(folder.publish, False)\n",
    "entered, not told": "proof.note_entered = killed_after(proof.note_entered, False)\n",
}


def _in_the_program(done: Done) -> bool:
    """Whether a traceback shows anything of ours."""
    ours = any(f"{ROOT}/{name}/" in done.err for name in ("cli", "auditor"))
    return ours or not done.err.rstrip().endswith("KeyboardInterrupt")


def limited(which: int, sizes: tuple[int, ...], codes: tuple[int, ...]):  # type: ignore[no-untyped-def]
    """Runs under a limit of the kernel, at several sizes."""

    def cases(bench: Bench, clinic: Clinic) -> Iterator[Callable[[], None]]:
        for size in sizes:

            def try_it(size: int = size) -> None:
                done = clinic.run(preexec_fn=lambda: resource.setrlimit(which, (size, size)))
                if done.code < 0:
                    print(f"    {size:,} bytes: native code ended the process with signal {-done.code}")
                clinic.promises(done, codes)

            yield try_it

    return cases


def disk_full(bench: Bench, clinic: Clinic) -> Iterator[Callable[[], None]]:
    """A file system of its own that holds the finished run and a little more."""
    for free_kb in (0, 4, 24, 60, 120, 300, 450, 600, 4000):

        def try_it(free_kb: int = free_kb) -> None:
            with mounted(clinic, "-t", "tmpfs", "-o", "size=64m,mode=700", "none"):
                clinic.promises(clinic.run(), [0])
                used = int(subprocess.check_output(["du", "-sk", clinic.out]).split()[0])
                subprocess.run(["mount", "-o", f"remount,size={used + free_kb}k", clinic.out], check=True)
                done = clinic.run()
                clinic.promises(done, [0] if free_kb == 4000 else [0, 4])
                assert done.code == 0 or "space" in done.err, done.err
                subprocess.run(["mount", "-o", "remount,size=64m", clinic.out], check=True)
                clinic.recovers()

        yield try_it


def read_only(bench: Bench, clinic: Clinic) -> Iterator[Callable[[], None]]:
    """The output folder on a file system that takes nothing."""

    def bound() -> None:
        with mounted(clinic, "--bind", str(clinic.out)):
            subprocess.run(["mount", "-o", "remount,bind,ro", clinic.out], check=True)
            done = clinic.run()
            clinic.promises(done, [4])
            assert "Read-only file system" in done.err

    yield bound


def another_user(bench: Bench, clinic: Clinic) -> Iterator[Callable[[], None]]:
    """A user who may not write the output folder, or may not write all of it."""

    def try_it(*, owns: bool, shut: str = "", mode: int = 0o500) -> None:
        clinic.base.chmod(0o755)
        shut_path = clinic.out / shut
        if owns:
            subprocess.run(["chown", "-R", "65534", clinic.out], check=True)
            shut_path.chmod(mode)
        try:
            done = clinic.run(*RUN[:-2], prefix=NOBODY)
            shut_path.chmod(0o600 if shut_path.is_file() else 0o700)
            clinic.promises(done, [4])
            assert "Permission denied" in done.err
        finally:
            shut_path.chmod(0o600 if shut_path.is_file() else 0o700)
            subprocess.run(["chown", "-R", "0", clinic.out], check=True)

    bench.base.chmod(0o755)
    yield lambda: try_it(owns=False)
    yield lambda: try_it(owns=True)
    yield lambda: try_it(owns=True, mode=0)
    yield lambda: try_it(owns=True, shut=".lock", mode=0)


def streams(bench: Bench, clinic: Clinic) -> Iterator[Callable[[], None]]:
    """Streams that are closed, full, or read by somebody who leaves."""
    endings = (("| true", 0), ("| head -1", 0), (">&-", 0), ("2>&-", 0), (">&- 2>&-", 0), ("<&-", 0),
               ("<&- >&- 2>&-", 0), (">/dev/full", 4), ("2>/dev/full", 0), (">/dev/full 2>/dev/full", 4))  # fmt: skip
    for form in ("text", "jsonl", "none"):
        for ending, code in endings:

            def try_it(form: str = form, ending: str = ending, code: int = code) -> None:
                line = f"{sys.executable} -m cli {' '.join(RUN)} --format {form} {ending}; exit ${{PIPESTATUS[0]}}"
                done = clinic.run(prefix=["bash", "-c", line])
                if form == "jsonl":
                    done.out = ""  # it carries ids, because that is what was asked for
                clinic.promises(done, [0 if form == "none" else code])

            yield try_it


def at_once(bench: Bench, clinic: Clinic) -> Iterator[Callable[[], None]]:
    """Many runs on one folder: one works, the others leave at once and say who works."""
    for _ in range(5):

        def try_it() -> None:
            began = [clinic.start(*RUN[:-2]) for _ in range(6)]
            ended = [finish(process) for process in began]
            for done in ended:
                clinic.promises(done, [0, 75])
            assert sum(done.code == 0 for done in ended) >= 1
            assert all("another run holds this folder" in done.err for done in ended if done.code == 75)

        yield try_it


def held(bench: Bench, clinic: Clinic) -> Iterator[Callable[[], None]]:
    """A second run while one works; and locks that dead runs left."""

    def second() -> None:
        os.mkfifo(clinic.base / "slow.csv")
        first = clinic.start("run", "--calls", str(clinic.base / "slow.csv"), *TABLES[2:], "--out", "out")
        try:
            while not (clinic.out / ".holder").exists():
                time.sleep(0.01)
            time.sleep(0.05)
            began = time.monotonic()
            done = clinic.run()
            assert time.monotonic() - began < 10, "the second run waited"
            clinic.promises(done, [75])
            assert re.search(rf"\(process {first.pid} on \S+, since 20\d\d-[\d-]+ [\d:]+ UTC\)", done.err), done.err
            for content in (b"", b"{", b"\xff\xfe", b'{"pid": "x"}', b"[]", b'{"pid": 1, "host": 3, "since": 4}'):
                (clinic.out / ".holder").write_bytes(content)
                done = clinic.run()
                clinic.promises(done, [75])
                assert "another run holds this folder; wait" in done.err, done.err
        finally:
            first.kill()
            finish(first)
            (clinic.base / "slow.csv").unlink()

    def stale() -> None:
        (clinic.out / ".lock").write_text("999999999")
        (clinic.out / ".lock").chmod(0o600)
        (clinic.out / ".holder").write_text('{"pid": 999999999, "host": "gone", "since": "2020-01-01T00:00:00Z"}')
        clinic.recovers()

    yield second
    yield clinic.recovers
    yield stale


def in_the_way(bench: Bench, clinic: Clinic) -> Iterator[Callable[[], None]]:
    """Something else where the output folder, its link or its folder of refusals should be."""

    def try_it(spoil: Callable[[Path], object], says: str, out: str = "there", code: int = 4) -> None:
        there = clinic.base / "in_the_way"
        shutil.rmtree(there, ignore_errors=True)
        there.mkdir()
        spoil(there / "there")
        kept = {str(path) for path in there.rglob("*") if path.name != ".lock"}
        target = os.fsencode(there) + b"/" + os.fsencode(out)
        done = clinic.run("run", *TABLES, "--out", os.fsdecode(target), "--fail-on", "never")
        clinic.promises(done, [code])
        assert says in done.err, done.err
        left = {str(path) for path in there.rglob("*") if path.name != ".lock"}
        assert not code or left == kept, "something was changed"

    yield lambda: try_it(lambda there: there.write_text("x"), "not a folder")
    yield lambda: try_it(lambda there: there.write_text("x"), "not a folder", "there/below")
    yield lambda: try_it(lambda there: there.symlink_to("nowhere"), "not a folder")
    yield lambda: try_it(lambda there: (there / "latest").mkdir(parents=True), "latest: not the link")
    yield lambda: try_it(lambda there: (there.mkdir(), (there / "latest").write_text("x")), "latest: not the link")
    yield lambda: try_it(lambda there: (there.mkdir(), (there / "refused").write_text("x")), "refused: not a folder")
    yield lambda: try_it(lambda there: (there / ".lock").mkdir(parents=True), "could not be written")
    yield lambda: try_it(lambda there: there.mkdir(), "not UTF-8", os.fsdecode(b"there/\xff"))
    yield lambda: try_it(lambda there: there.mkdir(), "name too long", "there/" + "x" * 300)
    yield lambda: try_it(lambda there: there.mkdir(), "", "there/" + "deep/" * 50, 0)
    yield lambda: try_it(lambda there: there.mkdir(), "too long for a ledger", "there/" + "deep/" * 100)


def umasks(bench: Bench, clinic: Clinic) -> Iterator[Callable[[], None]]:
    """Modes whatever the umask, in a new output folder, also while the run works and for refusals."""
    for mask in (0o000, 0o022, 0o077, 0o777):

        def try_it(mask: int = mask) -> None:
            shutil.rmtree(clinic.out)
            (clinic.work / "log").unlink(missing_ok=True)
            process = clinic.start(umask=mask)
            while process.poll() is None:
                for path in clinic.out.rglob("*"):
                    with contextlib.suppress(FileNotFoundError):
                        assert path.is_symlink() or not path.stat().st_mode & 0o077, f"{path.name} is open to others"
                time.sleep(0.005)
            clinic.promises(finish(process), [0])
            clinic.promises(clinic.run(*RUN, "--max-rejects", "0", umask=mask), [3])
            assert list(clinic.out.glob("refused/2*"))

        yield try_it


def strangers(bench: Bench, clinic: Clinic) -> Iterator[Callable[[], None]]:
    """Native panics and every other word of a library: only --debug lets them through."""
    loud = {"RUST_BACKTRACE": "full", "RUST_LOG": "trace"}

    def quiet(where: str) -> None:
        done = clinic.run(prefix=spoilt(where), env=loud)
        clinic.promises(done, [4])
        expected = (
            "PanicException",
            "(ComputeError)",
            "(RuntimeError)",
            "(ZeroDivisionError)",
            "No space left",
            "(ValueError)",
        )
        assert any(word in done.err for word in expected), done.err

    def heard() -> None:
        done = clinic.run("--debug", *RUN[:-2], prefix=spoilt(SPOILERS[0]), env=loud)
        assert done.code == 4
        assert "panicked at" in done.err and CANARY in done.err, "the panic was to be seen"

    def verbose() -> None:
        done = clinic.run(env=loud | {"POLARS_VERBOSE": "1"})
        clinic.promises(done, [0])
        assert all(line.startswith("audit98968: warning: ") for line in done.err.splitlines()), done.err

    yield verbose
    for where in SPOILERS:
        yield lambda where=where: quiet(where)  # type: ignore[misc]
    yield heard


SPOILERS = (
    f"def bad(*_):\n import os\n os.environ['POLARS_PANIC_ON_ERR'] = '1'\n"
    f" pl.DataFrame({{'x': ['{CANARY}']}}).select(pl.col('x').str.to_integer())\npipeline.read = bad",
    f"def bad(*_): pl.Series(['{CANARY}']).map_elements(lambda v: 1 / 0, pl.Int8)\npipeline.audit = bad",
    f"def bad(*_): raise RuntimeError('{CANARY}')\npage.write = bad",
    f"def bad(*_): raise OSError(28, 'No space left on device', '{CANARY}')\nworkbook.write = bad",
    f"def bad(*_):\n import warnings, logging, threading, sys, os\n warnings.warn('{CANARY}')\n"
    f" logging.getLogger('x').error('{CANARY}')\n os.write(2, b'{CANARY}')\n sys.__stderr__.write('{CANARY}')\n"
    f" t = threading.Thread(target=lambda: int('{CANARY}')); t.start(); t.join()\n"
    f" class D:\n  def __del__(self): raise ValueError('{CANARY}')\n D(); raise ValueError('{CANARY}')\n"
    "page.write = bad",
)


def spoilt(code: str) -> list[str]:
    """A command that runs the program with a piece of it replaced."""
    setup = "import polars as pl\nfrom auditor import pipeline\nfrom auditor.reports.page import page\n"
    setup += f"from auditor.reports.workbook import workbook\n{code}\n"
    script = f"import sys\nsys.argv = sys.argv[sys.argv.index('cli'):]\n{setup}from cli.__main__ import main\nmain()\n"
    return [sys.executable, "-c", script]


def network(bench: Bench, clinic: Clinic) -> Iterator[Callable[[], None]]:
    """Every command: no call of the kernel that names a network address, and all work without a network at all."""

    def traced(command: tuple[str, ...]) -> None:
        trace = clinic.base / "trace"
        done = clinic.run(*command, prefix=["strace", "-f", "-qq", "-e", "trace=network", "-o", str(trace)])
        assert done.code == 0, done.err
        calls = [line for line in trace.read_text().splitlines() if "AF_UNIX" not in line and "(" in line]
        reached = [line for line in calls if re.search(r"\b(socket|connect|bind|sendto|sendmsg|listen)\(", line)]
        assert not reached, reached[:3]
        trace.unlink()
        shutil.rmtree(clinic.work / "demo", ignore_errors=True)

    def alone(command: tuple[str, ...]) -> None:
        done = clinic.run(*command, prefix=["unshare", "--net"])
        assert done.code == 0, done.err
        shutil.rmtree(clinic.work / "demo", ignore_errors=True)

    for command in COMMANDS:
        yield lambda command=command: traced(command)  # type: ignore[misc]
        yield lambda command=command: alone(command)  # type: ignore[misc]


@contextlib.contextmanager
def mounted(clinic: Clinic, *how: str) -> Iterator[None]:
    """Something mounted on the output folder for a while."""
    subprocess.run(["mount", *how, clinic.out], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", clinic.out], check=True)


def main() -> int:
    """Try every fault. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--stops", type=int, default=60)
    parser.add_argument("--only", default="")
    parser.add_argument("--kinds", default="")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what is mounted is let go
    print(f"seed {options.seed}")
    root = os.geteuid() == 0
    mega = 2**20
    with tempfile.TemporaryDirectory() as base:
        bench = Bench(options, Path(base))
        bench.fault("kill -9", at_random(signal.SIGKILL, (0, -signal.SIGKILL)))
        bench.fault("kill -9 at a point", at_points)
        bench.fault("SIGINT", at_random(signal.SIGINT, (0, 130, -signal.SIGINT), early=0.1))
        bench.fault("SIGTERM", at_random(signal.SIGTERM, (0, 143, -signal.SIGTERM), early=0.1))
        sizes = (0, 100, 5_000, 12_000, 20_000, 60_000, 200_000, 400_000, 100 * mega)
        bench.fault("file size limit", limited(resource.RLIMIT_FSIZE, sizes, (0, 4)))
        sizes = tuple(size * mega for size in (512, 600, 800, 1000, 1500, 2000, 3000, 8000, 32_000, 120_000))
        bench.fault("address limit", limited(resource.RLIMIT_AS, sizes, (0, 4)))
        sizes = tuple(size * mega for size in (64, 128, 192, 256, 320, 400, 450))
        bench.fault("address limit below the libraries", limited(resource.RLIMIT_AS, sizes, (4,)))
        bench.fault("open files limit", limited(resource.RLIMIT_NOFILE, (8, 16, 24, 32, 48, 64, 128), (0, 4)))
        for name, fault in (("disk full", disk_full), ("read-only output", read_only), ("another user", another_user)):
            if root:
                bench.fault(name, fault)
            else:
                print(f"{name}: NOT TRIED, it needs root")
        bench.fault("streams closed or full", streams)
        bench.fault("runs at once", at_once)
        bench.fault("held and stale locks", held)
        bench.fault("in the way", in_the_way)
        bench.fault("copies while it is written", copied)
        bench.fault("kinds of ledger damage", kinds_of_damage)
        bench.fault("umask", umasks)
        bench.fault("libraries' words", strangers)
        if root and shutil.which("strace"):
            bench.fault("network", network)
        else:
            print("network: NOT TRIED, it needs root and strace")
    print(f"{bench.broken} promises broken")
    return bool(bench.broken)


if __name__ == "__main__":
    raise SystemExit(main())
