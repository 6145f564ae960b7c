"""The run folder: complete or absent at any instant, then `latest` moves to it.

Source: docs/specification.md#outputs.
"""

import contextlib
import errno
import json
import os
import resource
import shutil
import socket
import tempfile
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl
from filelock import FileLock, Timeout

from auditor.errors import FolderLocked, OutputFailed
from auditor.inputs import Inputs
from auditor.reports.tables import rejects, write_csv, write_csv_of, write_evidence, write_parquet
from auditor.result import Result
from auditor.run_options import WRITABLE
from auditor.run_summary import RefusalSummary, Summary

_REPORTS = {"html": "auditor.reports.page.page", "xlsx": "auditor.reports.workbook.workbook"}
"""The modules that write them, which are imported only for runs that ask for one."""
_UNFINISHED = ".unfinished-"
_HOLDER = ".holder"
_ADDRESSES = 80 << 30
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP)


@contextlib.contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the output folder for one run and clear what dead runs left. Raises FolderHeld at once if another has it.

    Raises OutputFailed where the report could not be published in the end, before anything is audited.
    """
    _check_addresses(out)
    if os.fsencode(out).decode(errors="ignore") != str(out):
        raise OutputFailed(f"{out}: this name is not UTF-8; choose another --out")
    with _as_output_failure(out):
        try:
            out.mkdir(mode=0o700, parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise OutputFailed(f"{out}: not a folder; move what is there away or choose another --out") from None
        # Without the kernel's lock there is none: a file that stands for one would outlive its process.
        lock = FileLock(out / ".lock", mode=0o600, fallback_to_soft=False)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise FolderLocked(
                f"{out}: another run holds this folder{_holder(out)}; wait for it to end or choose another --out"
            ) from None
    try:
        with _as_output_failure(out):
            _check_names(out)
            _write_holder(out)
        for entry in (*out.glob(f"{_UNFINISHED}*"), *out.glob(f"refused/{_UNFINISHED}*")):
            if entry.is_symlink():
                entry.unlink()
            else:
                shutil.rmtree(entry, ignore_errors=True)
        yield
    finally:
        with contextlib.suppress(OSError):
            (out / _HOLDER).unlink(missing_ok=True)
        lock.release()


def _write_holder(out: Path) -> None:
    """Say in the folder who holds it; only the lock decides, so that what a dead run left means nothing."""
    (out / _HOLDER).unlink(missing_ok=True)
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
    descriptor = os.open(out / _HOLDER, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        json.dump(holder, stream)


def _holder(out: Path) -> str:
    """Who holds the folder, in brackets; nothing where that is not known."""
    try:
        holder = json.loads((out / _HOLDER).read_text(encoding="utf-8"))
        pid, host, since = int(holder["pid"]), str(holder["host"]), datetime.fromisoformat(holder["since"])
        if host == socket.gethostname():
            with contextlib.suppress(PermissionError):
                os.kill(pid, 0)
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return ""
    return f" (process {pid} on {host}, since {since:%Y-%m-%d %H:%M:%S} UTC)"


def _check_names(out: Path) -> None:
    """What is in the way of publishing is better known before the audit than after."""
    latest, refused = out / "latest", out / "refused"
    if os.path.lexists(latest) and not latest.is_symlink():
        raise OutputFailed(f"{latest}: not the link that leads to the last run; move it away or choose another --out")
    if os.path.lexists(refused) and (refused.is_symlink() or not refused.is_dir()):
        raise OutputFailed(f"{refused}: not a folder; move it away or choose another --out")


def _check_addresses(out: Path) -> None:
    """Drawing the pictures reserves addresses without using the memory, and ends the process where there are too few."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and limit < _ADDRESSES:
        raise OutputFailed(
            f"{out}: a report needs {_ADDRESSES >> 30} GB of addresses, though little memory, and they are limited to "
            f"{limit / 2**30:.1f} GB; lift this limit (ulimit -v) and limit memory with a control group"
        )


def publish(
    out: Path, result: Result, summary: Summary, cases: pl.DataFrame | None = None, write: Collection[str] = WRITABLE
) -> Path:
    """Write the outputs of a finished audit that are asked for and move `latest` to it. Returns the run's folder.

    `cases` are the run's cases in the ledger (`LedgerUpdate.cases`), where one is kept.
    """
    with building(out, summary.run_id) as folder, ThreadPoolExecutor() as pool:
        # Most of the time is spent in libraries that do not hold the interpreter.
        parts = [pool.submit(_write_tables, folder, result, summary, cases, write)]
        for output, module in _REPORTS.items():
            if output in write:
                writer = import_module(module).write
                parts.append(pool.submit(writer, folder / f"report.{output}", result, summary, cases))
        for part in parts:
            part.result()
    with _as_output_failure(out):
        link = out / f"{_UNFINISHED}latest"
        link.unlink(missing_ok=True)
        link.symlink_to(summary.run_id)
        link.replace(out / "latest")
        _sync(out)
    return out / summary.run_id


def _write_tables(
    folder: Path, result: Result, summary: Summary, cases: pl.DataFrame | None, write: Collection[str]
) -> None:
    for name, frame in (("findings", result.findings), ("claims", result.claims.drop("line"))):
        write_parquet(frame, folder / f"{name}.parquet")
        if "csv" in write:
            write_csv(frame, folder / f"{name}.csv")
    if "evidence" in write:
        write_evidence(result.evidence, result.claims["claim_id"], folder / "evidence.parquet")
    write_csv_of(rejects(result.inputs), folder / "rejects.csv")
    write_json(summary, folder / "summary.json")
    if cases is not None:
        write_parquet(cases, folder / "cases.parquet")
        write_csv(cases, folder / "cases.csv")


def publish_refusal(out: Path, inputs: Inputs | None, summary: RefusalSummary) -> Path:
    """Write the rejects and the summary of a refused run; `latest` stays where it is."""
    refused = out / "refused"
    with _as_output_failure(out):
        refused.mkdir(mode=0o700, exist_ok=True)
    with building(refused, summary.run_id) as folder:
        write_csv_of(rejects(inputs), folder / "rejects.csv")
        write_json(summary, folder / "summary.json")
    return refused / summary.run_id


def write_json(summary: Summary | RefusalSummary, path: Path) -> None:
    """Write a summary as JSON."""
    path.write_text(to_json(summary.published()), encoding="utf-8")


def to_json(content: dict[str, Any]) -> str:
    """The text of a JSON file."""
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


@contextlib.contextmanager
def building(parent: Path, name: str) -> Iterator[Path]:
    """A hidden folder that becomes `parent/name` once everything in it is on disk, and vanishes if anything fails.

    One that a killed process left stays, as `.unfinished-*` beside it. Raises OutputFailed.
    """
    with _as_output_failure(parent):
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{_UNFINISHED}{name}-", dir=parent))
        try:
            yield folder
            for entry in folder.iterdir():
                entry.chmod(0o600)
                _sync(entry)
            _sync(folder)
            folder.rename(parent / name)
            _sync(parent)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


@contextlib.contextmanager
def _as_output_failure(out: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pl.exceptions.PolarsError) as error:
        if getattr(error, "errno", None) in _NO_LOCKS:
            raise OutputFailed(f"{out}: files cannot be locked there; choose an --out on a local disk") from error
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise OutputFailed(f"{out}: the output could not be written ({reason}); check space and permissions") from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
