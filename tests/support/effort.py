"""Bounds on work that hold on a busy machine: calls and CPU time are limited, never seconds of the clock."""

import contextlib
import functools
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator

_LEFT: Counter[str] = Counter()
"""Audit event → how many more may happen; events that are not here are not limited."""


def _count(event: str, _: object) -> None:
    if event in _LEFT:
        _LEFT[event] -= 1
        if _LEFT[event] < 0:
            raise AssertionError(f"too many events of kind {event}")


@functools.cache
def _watch() -> None:
    """Once for all: Python removes no hook."""
    sys.addaudithook(_count)


@contextlib.contextmanager
def at_most(event: str, times: int) -> Iterator[None]:
    """Stop the block where an audit event of Python's, such as `os.scandir`, happens more often."""
    _watch()
    _LEFT[event] = times
    try:
        yield
    finally:
        del _LEFT[event]


def cpu_seconds(work: Callable[[], object]) -> float:
    """CPU time that all threads of this process spend while the work is done."""
    before = time.process_time()
    work()
    return time.process_time() - before


@contextlib.contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """Stop the block where this process spends more CPU time in it, in all its threads."""

    def stop(*_: object) -> None:
        raise AssertionError(f"more than {seconds:.1f} s of CPU time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
