"""Copies of a ledger that are taken while it is written, as `cp` takes them."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from auditor.cases import chain, proof, store
from auditor.errors import AuditError
from tests.slow.faults.bench import RUN, Clinic, finish

_ORDERS = (("",), ("", "-wal"), ("-wal", ""))
"""Which of SQLite's files are copied, and in which order."""


def slowly(path: Path) -> bytes:
    """A file's bytes, a page after the other, so that what is written meanwhile is in some of them."""
    with path.open("rb", buffering=0) as stream:
        data = b""
        while part := stream.read(store._PAGE):
            data += part
            time.sleep(0.001)
        return data


def taken(process: subprocess.Popen[bytes], path: Path, into: Path) -> Iterator[Path]:
    """A copy of a ledger after the other, until a process ends; those that differ from all before."""
    number, digests = 0, set[bytes]()
    while process.poll() is None:
        copy = into / f"{number}.sqlite"
        number += 1
        digest = hashlib.sha256()
        for rest in _ORDERS[number % len(_ORDERS)]:
            with contextlib.suppress(FileNotFoundError):
                Path(f"{copy}{rest}").write_bytes(data := slowly(Path(f"{path}{rest}")))
                digest.update(rest.encode() + data)
        if copy.exists() and digest.digest() not in digests:
            digests.add(digest.digest())
            yield copy
        time.sleep(0.002)


def state(copy: Path) -> str | None:
    """The last hash of a copy that holds; None: it is refused, with words."""
    try:
        with store.opened(copy) as ledger:
            faults = list(proof.faults(ledger, copy.parent / "no runs"))
            return None if faults else chain.last(ledger)[1]
    except AuditError as refused:
        assert str(copy) in str(refused)
        return None


DECISIONS = """
import sys
from tests.support.catalogue import command
for number in range(1, 21):
    words = ["confirmed" if {round} % 2 else "dismissed", str(number), "--by", "Ann", "--reason", "read {round}"]
    assert command(["cases", "decide", "out", *words]) == 0
"""


def after(clinic: Clinic, number: int) -> tuple[int, int]:
    """Copies taken during a run and twenty decisions: how many hold, and how many are refused. Raises AssertionError."""
    path = clinic.out / store.NAME
    found: list[str | None] = []
    into = clinic.base / "copies"
    for prefix in ((), (sys.executable, "-c", DECISIONS.format(round=number))):
        into.mkdir()
        process = clinic.start(*RUN, prefix=prefix)
        copies = list(taken(process, path, into))
        done = finish(process)
        assert done.code == 0, done.err
        found += map(state, copies)
        shutil.rmtree(into)
    with contextlib.closing(sqlite3.connect(path)) as ledger:
        known = {row[0] for row in ledger.execute("SELECT hash FROM history")} | {chain.START}
    strangers = {*found} - known - {None}
    assert not strangers, f"{len(strangers)} copies hold a history that the ledger never had"
    return len(found) - found.count(None), found.count(None)
