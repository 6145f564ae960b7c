"""The log: every message to standard error and, with --log-file, what a run at night leaves behind of itself.

A log that cannot be opened stops the run; one that can no longer be written is given up and changes no exit code.
"""

import contextlib
import json
import os
import re
import sys
import time
from datetime import UTC, datetime
from typing import Any

from cli.streams import write_stderr

_OWN_LINE = re.compile(rb'(\{"time": ")?\d{4}-\d\d-\d\dT[\d:.]+Z')


_STAGE_TEXTS = {"reading": "Looking through the", "typing": "Checking the", "judging": "Judging the claims",
             "writing": "Writing the report"}  # fmt: skip
"""What a stage means to a reader."""


class Bar:
    """How far a stage of the audit is, with the time that it took and that it may still take."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (TextColumn("{task.description}", markup=False), BarColumn(20), TaskProgressColumn(), TimeElapsedColumn(),
                   TextColumn("left"), TimeRemainingColumn())  # fmt: skip
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._progress.start()
        self._stage = ""
        self._task = self._progress.add_task("")

    def show(self, stage: str, share: float | None) -> None:
        """The stage, done so far; None: it begins."""
        if share is None or stage != self._stage:
            self._progress.remove_task(self._task)
            text, _, table = stage.partition(" ")
            texts = f"{_STAGE_TEXTS.get(text, text)} {table}".rstrip()
            self._stage, self._task = stage, self._progress.add_task(texts, total=None)
        if share is not None:
            self._progress.update(self._task, total=1.0, completed=min(share, 1.0))

    def close(self) -> None:
        """Leave the line blank."""
        self._progress.stop()


class Log:
    """Where messages go. `context` is added to every line; messages and fields never hold a patient's values."""

    def __init__(self) -> None:
        self.context: dict[str, Any] = {"pid": os.getpid()}
        self._began = time.monotonic()
        self._json = self._quiet = self._opened = False
        self._file: int | None = None
        self._bar: Bar | None = None

    def open(self, command: str, form: str, path: str | None, quiet: bool) -> None:
        """Log in this form from here on; the first path given is the one that is written to.

        Raises OutputFailed where it cannot be opened and UsageError where it holds something else than a log.
        """
        self._json, self._quiet = form == "json", quiet and not (self._opened and self._file is None)
        if path and not self._opened:
            from auditor import __version__

            self._file, self._opened = _open(path), True
            self.info("start", f"audit98968 {__version__} {command}", version=__version__, command=command)

    def info(self, event: str, message: str, **fields: Any) -> None:
        """Something worth knowing afterwards: for the file only."""
        self._emit("info", event, message, None, fields)

    def stage(self, message: str, share: float | None = None) -> None:
        """A stage of the audit begins, or so much of it is done: a bar on standard error, where somebody watches."""
        watched = sys.stderr.isatty() and not self._quiet
        if share is None:
            self._emit("info", "stage", message, message if watched and self._json else None, {})
        if watched and not self._json:
            self._bar = self._bar or Bar()
            self._bar.show(message, share)

    def stop_progress(self) -> None:
        """Stop the progress bar before printing."""
        if self._bar:
            self._bar.close()
            self._bar = None

    def warn(self, message: str, *, aloud: bool = True) -> None:
        """Something to look at that does not stop the audit."""
        heard = f"audit98968: warning: {message}" if aloud and not self._quiet else None
        self._emit("warning", "warning", message, heard, {})

    def error(self, message: str) -> None:
        """Why the command stopped; --quiet does not hide it."""
        self._emit("error", "error", message, f"audit98968: error: {message}", {})

    def _emit(self, level: str, event: str, message: str, aloud: str | None, fields: dict[str, Any]) -> None:
        from auditor.schema.names import harmless, without_credentials

        message = without_credentials(message)
        fields = {
            name: without_credentials(value) if isinstance(value, str) else value for name, value in fields.items()
        }
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = f"{now} audit98968[{self.context['pid']}] {level}: {harmless(message)}"
        if self._json:
            entry = {"time": now, "level": level, "event": event, "message": message, **self.context}
            line = json.dumps(entry | {"elapsed": round(time.monotonic() - self._began, 3)} | fields)
        if aloud is not None:
            self.stop_progress()
            write_stderr(line if self._json else harmless(without_credentials(aloud)))
        if self._file is not None:
            self._append(f"{line}\n".encode(errors="backslashreplace"))

    def _append(self, line: bytes) -> None:
        """One write a line, so that runs sharing a file do not mix theirs."""
        assert self._file is not None
        try:
            reason = None if os.write(self._file, line) == len(line) else "no space left"
        except OSError as error:
            reason = error.strerror
        if reason:
            os.close(self._file)
            self._file, self._quiet = None, False
            self.warn(f"--log-file: could not be written ({reason}); the rest of this run is not in it")


def _open(path: str) -> int:
    from auditor.errors import OutputFailed, UsageError

    try:
        # Without blocking: a pipe that nobody reads must not hold the audit up.
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    except OSError as error:
        raise OutputFailed(
            f"--log-file: {path}: cannot be opened ({error.strerror}); its folder must exist and be writable"
        ) from None
    size = os.fstat(file).st_size
    if size and not _OWN_LINE.match(os.pread(file, 40, 0)):
        os.close(file)
        raise UsageError(f"--log-file: {path}: holds something else than a log of audit98968; name another file")
    if size and os.pread(file, 1, size - 1) != b"\n":
        with contextlib.suppress(OSError):
            os.write(file, b"\n")  # a full disk cut the last line short
    return file


log = Log()
