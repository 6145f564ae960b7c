"""The log: every message on standard error and, with --log-file, the record that an unattended run leaves.

A log that cannot be opened stops the run; one that can no longer be written is given up and changes no exit code.
"""

import contextlib
import json
import logging
import os
import re
import sys
import time
from typing import TYPE_CHECKING, Any

from cli.streams import write_stderr

if TYPE_CHECKING:
    from cli.progress import Bar

_OWN_LINE = re.compile(rb'(\{"time": ")?\d{4}-\d\d-\d\dT[\d:.]+Z')
_BEGAN = time.monotonic()


class _Text(logging.Formatter):
    """One line of text, with its time in UTC."""

    converter = time.gmtime  # type: ignore[assignment]
    default_time_format, default_msec_format = "%Y-%m-%dT%H:%M:%S", "%s.%03dZ"

    def format(self, record: logging.LogRecord) -> str:
        from auditor.schema.names import harmless

        return harmless(super().format(record))


class _Json(_Text):
    """One line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        own = vars(record)
        entry = {"time": self.formatTime(record), "level": record.levelname, "event": own["event"]}
        return json.dumps(entry | {"message": record.msg} | own["fields"])


class _Stderr(logging.Handler):
    text = _Text("audit98968: {levelname}: {message}", style="{")

    def format(self, record: logging.LogRecord) -> str:
        return (_Json() if log.json else self.text).format(record)

    def emit(self, record: logging.LogRecord) -> None:
        if vars(record)["aloud"]:
            log.stop_progress()
            write_stderr(self.format(record))


class _File(_Stderr):
    """A file that other runs may append to as well."""

    text = _Text("{asctime} audit98968[{process}] {levelname}: {message}", style="{")

    def __init__(self, path: str) -> None:
        super().__init__()
        self._file = _open(path)

    def emit(self, record: logging.LogRecord) -> None:
        """Append with one write, so that the lines of runs that share the file do not mix."""
        line = f"{self.format(record)}\n".encode(errors="backslashreplace")
        try:
            reason = None if os.write(self._file, line) == len(line) else "no space left"
        except OSError as error:
            reason = error.strerror
        if reason:
            os.close(self._file)
            log.give_up(self, reason)


def _without_credentials(record: logging.LogRecord) -> bool:
    from auditor.schema.names import without_credentials

    record.msg, record.levelname = without_credentials(record.msg), record.levelname.lower()
    fields = vars(record)["fields"]
    fields |= {name: without_credentials(value) for name, value in fields.items() if isinstance(value, str)}
    return True


class Log:
    """Where messages go. `context` is in every line; messages and fields never hold a patient's values.

    The logger is outside the tree of `logging.getLogger`, so that no record of a library reaches it.
    """

    def __init__(self) -> None:
        self.context: dict[str, Any] = {"pid": os.getpid()}
        self.json = self._quiet = self._opened = self._given_up = False
        self._bar: Bar | None = None
        self._logger = logging.Logger("audit98968")
        self._logger.addFilter(_without_credentials)
        self._logger.addHandler(_Stderr())

    def open(self, command: str, form: str, path: str | None, quiet: bool) -> None:
        """Log in this form from here on; the first path given is the one that is written to.

        Raises OutputFailed where it cannot be opened and UsageError where it is not a log.
        """
        self.json, self._quiet = form == "json", quiet and not self._given_up
        if path and not self._opened:
            from auditor import __version__

            self._logger.addHandler(_File(path))
            self._opened = True
            self.info("start", f"audit98968 {__version__} {command}", version=__version__, command=command)

    def info(self, event: str, message: str, **fields: Any) -> None:
        """Log for the file only."""
        self._log(logging.INFO, event, message, False, fields)

    def policy(self, path: str) -> None:
        """Log which policy file was found; --quiet does not hide it."""
        self._log(logging.INFO, "policy", f"policy file found: {path}", True, {"path": path})

    def stage(self, message: str, share: float | None = None) -> None:
        """A stage begins, or this share of it is done: a bar on standard error if that is a terminal."""
        watched = sys.stderr.isatty() and not self._quiet
        if share is None:
            self._log(logging.INFO, "stage", message, watched and self.json, {})
        if watched and not self.json:
            from cli.progress import Bar

            if share is None or not self._bar or message != self._bar.stage:
                self.stop_progress()
                self._bar = Bar(message)
            self._bar.show(share)

    def stop_progress(self) -> None:
        """Remove the bar before anything else is printed."""
        if self._bar:
            self._bar.stop()
            self._bar = None

    def warn(self, message: str, *, aloud: bool = True, even_if_quiet: bool = False) -> None:
        """Log what does not stop the audit; not `aloud`: for the file only."""
        self._log(logging.WARNING, "warning", message, even_if_quiet or (aloud and not self._quiet), {})

    def error(self, message: str) -> None:
        """Log why the command stopped; --quiet does not hide it."""
        self._log(logging.ERROR, "error", message, True, {})

    def give_up(self, file: logging.Handler, reason: str) -> None:
        self._logger.removeHandler(file)
        self._given_up, self._quiet = True, False
        self.warn(f"--log-file: could not be written ({reason}); the rest of this run is not in it")

    def _log(self, level: int, event: str, message: str, aloud: bool, fields: dict[str, Any]) -> None:
        fields = self.context | {"elapsed": round(time.monotonic() - _BEGAN, 3)} | fields
        self._logger.log(level, message, extra={"event": event, "aloud": aloud, "fields": fields})


def _open(path: str) -> int:
    from auditor.errors import OutputFailed, UsageError

    try:
        # Without blocking: a pipe that nobody reads must not hold the audit up.
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
    except OSError as error:
        problem = f"cannot be opened ({error.strerror}); its folder must exist and be writable"
        raise OutputFailed(f"--log-file: {path}: {problem}") from None
    size = os.fstat(file).st_size
    if size and not _OWN_LINE.match(os.pread(file, 40, 0)):
        os.close(file)
        raise UsageError(f"--log-file: {path}: is not a log of audit98968; name another file")
    if size and os.pread(file, 1, size - 1) != b"\n":
        with contextlib.suppress(OSError):
            os.write(file, b"\n")  # a full disk cut the last line short
    return file


log = Log()
