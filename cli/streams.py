"""Standard streams that may be full or gone: a message that cannot be written must not change an exit code."""

import contextlib
import io
import os
import resource
import sys
from typing import TextIO

_FILES = 64
"""Files that may be open at once, at least."""
_ADDRESSES = 2 << 30
"""Addresses that libraries reserve, at least; a report needs more."""


class _Messages(io.TextIOWrapper):
    """Standard error without the users and passwords of URLs, also in messages of typer about its arguments."""

    def write(self, text: str, /) -> int:
        """Write all of a message at once."""
        from auditor.schema.names import without_credentials

        super().write(without_credentials(text))
        return len(text)


def write_stderr(line: str) -> None:
    """Write a line to standard error, if it is open."""
    try:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
    except OSError:
        redirect_to_devnull(sys.stderr)


def data(text: str) -> None:
    """Write data for programs to standard output: UTF-8 whatever the locale."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()


def redirect_to_devnull(stream: TextIO) -> None:
    """Discard the rest of a stream, so that closing it cannot fail."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def keep_files_private() -> None:
    """Make new files private and write no core file, which would hold patient data."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def require_limits() -> None:
    """Check limits below which libraries panic or end the process. Raises OutputFailed."""
    from auditor.errors import OutputFailed

    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's, which nothing here multiplies with
    files, addresses = (resource.getrlimit(which)[0] for which in (resource.RLIMIT_NOFILE, resource.RLIMIT_AS))
    if files != resource.RLIM_INFINITY and files < _FILES:
        raise OutputFailed(f"the limit of open files is {files}; allow {_FILES} or more (ulimit -n)")
    if addresses != resource.RLIM_INFINITY and addresses < _ADDRESSES:
        raise OutputFailed(
            f"the limit of address space is {addresses / 2**30:.1f} GB; allow {_ADDRESSES >> 30} GB or more "
            "(ulimit -v), and limit memory with a control group"
        )


def open_missing_streams() -> None:
    """Open streams that the caller closed; else the next file opened would become standard output."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or os.fdopen(os.dup(1), "w")
    errors = sys.stderr.detach() if sys.stderr else os.fdopen(os.dup(2), "wb")  # type: ignore[union-attr]
    sys.stderr = _Messages(errors, errors="backslashreplace", line_buffering=True)
    sys.stdout.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]  # paths need not be UTF-8


def silence_libraries() -> None:
    """Hide panics, warnings and last messages of libraries, which may quote cells."""
    import logging
    import threading
    import warnings

    errors = os.fdopen(os.dup(2), "wb")
    sys.stderr = _Messages(errors, sys.stderr.encoding, "backslashreplace", line_buffering=True)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    warnings.showwarning = sys.unraisablehook = threading.excepthook = _discard
    logging.lastResort = None
    os.environ.pop("POLARS_VERBOSE", None)


def _discard(*_: object, **__: object) -> None:
    """Ignore what a library reports."""
