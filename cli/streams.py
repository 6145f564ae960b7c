"""Standard error that may be full or gone: what cannot be said there must not change an exit code."""

import contextlib
import os
import sys
from typing import TextIO


def say(line: str) -> None:
    """Write a line to standard error, if anybody can hear it."""
    try:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
    except OSError:
        forget(sys.stderr)


def forget(stream: TextIO) -> None:
    """Send what is left of a stream nowhere, so that closing it cannot fail."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
