"""The program in a process of its own, forked from one that has its modules loaded: most of a short run is their import."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import warnings
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

_LOADED = ["cli.__main__", "cli.app", "cli.cases", "cli.check", "cli.compare_command", "cli.frame_command", "cli.run",
           "auditor.mapping.suggest", "auditor.runs.explain", "auditor.reports.page.page", "vl_convert"]  # fmt: skip
HANG = 600
"""Seconds after which a process hangs: a watchdog that no busy machine trips, never a measure of speed."""
_FORKS = get_context("forkserver")
_FORKS.set_forkserver_preload(_LOADED)


def audit98968(*arguments: str, folder: Path, stdin: str | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """Run it in a folder, with variables added to the environment. Any warning of Python's is an error."""
    with TemporaryDirectory() as work:
        streams = [Path(work) / name for name in ("in", "out", "err")]
        streams[0].write_text(stdin or "")
        child = _FORKS.Process(target=_main, args=(arguments, folder, streams, {**os.environ, **env}), daemon=False)
        child.start()
        child.join(HANG)
        if child.is_alive():
            child.kill()
            raise TimeoutError(arguments)
        out, err = (stream.read_text() for stream in streams[1:])
        return subprocess.CompletedProcess(arguments, child.exitcode or 0, out, err)


def _main(arguments: tuple[str, ...], folder: Path, streams: list[Path], env: dict[str, str]) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    for number, (stream, flags) in enumerate(zip(streams, (os.O_RDONLY, *[os.O_WRONLY | os.O_CREAT] * 2), strict=True)):
        os.dup2(os.open(stream, flags, 0o600), number)
    sys.stdin, sys.stdout, sys.stderr = (open(number, "rw"[number > 0], closefd=False) for number in range(3))  # noqa: SIM115
    sys.argv = ["audit98968", *arguments]
    warnings.simplefilter("error")
    from cli.__main__ import main

    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 1)
