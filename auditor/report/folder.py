"""The run folder: complete or absent at any instant, then `latest` moves to it. Source: SPEC.md section 7."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
from filelock import FileLock, Timeout

from auditor.audit import Inputs, Result
from auditor.errors import FolderHeld, OutputFailed
from auditor.ingest import REJECT_SCHEMA
from auditor.report import html, xlsx
from auditor.report.summary import Summary
from auditor.report.tables import write_csv, write_parquet

_UNFINISHED = ".unfinished-"


@contextlib.contextmanager
def held(out: Path) -> Iterator[None]:
    """Hold the output folder for one run and clear what dead runs left. Raises FolderHeld at once if another has it."""
    with _as_output_failure(out):
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = FileLock(out / ".lock", mode=0o600)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise FolderHeld(
                f"{out}: another run holds this folder; wait for it to end or choose another --out"
            ) from None
    try:
        for entry in (*out.glob(f"{_UNFINISHED}*"), *out.glob(f"refused/{_UNFINISHED}*")):
            if entry.is_symlink():
                entry.unlink()
            else:
                shutil.rmtree(entry, ignore_errors=True)
        yield
    finally:
        lock.release()


def publish(out: Path, result: Result, summary: Summary) -> Path:
    """Write every output of a finished audit and move `latest` to it. Returns the run's folder."""
    with _building(out, summary["run_id"]) as folder:
        for name, frame in (
            ("findings", result.findings),
            ("claims", result.claims.drop("line")),
            ("evidence", result.evidence),
        ):
            write_parquet(frame, folder / f"{name}.parquet")
            if name != "evidence":
                write_csv(frame, folder / f"{name}.csv")
        _write_rejects(result.inputs, folder)
        write_json(summary, folder / "summary.json")
        html.write(folder / "report.html", result, summary)
        xlsx.write(folder / "report.xlsx", result, summary)
    with _as_output_failure(out):
        link = out / f"{_UNFINISHED}latest"
        link.unlink(missing_ok=True)
        link.symlink_to(summary["run_id"])
        link.replace(out / "latest")
        _sync(out)
    return out / str(summary["run_id"])


def publish_refusal(out: Path, inputs: Inputs | None, summary: Summary) -> Path:
    """Write the rejects and the summary of a refused run; `latest` stays where it is."""
    refused = out / "refused"
    with _as_output_failure(out):
        refused.mkdir(mode=0o700, exist_ok=True)
    with _building(refused, summary["run_id"]) as folder:
        _write_rejects(inputs, folder)
        write_json(summary, folder / "summary.json")
    return refused / str(summary["run_id"])


def write_json(summary: Summary, path: Path) -> None:
    """Write a summary as JSON."""
    path.write_text(to_json(summary), encoding="utf-8")


def to_json(summary: Summary) -> str:
    """The text of summary.json."""
    return json.dumps(summary, indent=2, ensure_ascii=False) + "\n"


def _write_rejects(inputs: Inputs | None, folder: Path) -> None:
    """Table, file, record, column and reason of every rejected row; never the patient, never a value."""
    columns = ("table", "source_file", "source_record", "column", "reason")
    tables = inputs.tables.items() if inputs else ()
    parts = [table.rejects.select(pl.lit(name).alias("table"), *columns[1:]) for name, table in tables]
    empty = pl.DataFrame(schema={"table": pl.String(), **REJECT_SCHEMA}).select(columns)
    write_csv(pl.concat([empty, *parts]).sort(columns), folder / "rejects.csv")


@contextlib.contextmanager
def _building(out: Path, run_id: str) -> Iterator[Path]:
    """A hidden folder that becomes `run_id` once everything in it is on disk, and vanishes if anything fails."""
    folder = out / f"{_UNFINISHED}{run_id}"
    with _as_output_failure(out):
        folder.mkdir(mode=0o700)
        try:
            yield folder
            for entry in folder.iterdir():
                entry.chmod(0o600)
                _sync(entry)
            _sync(folder)
            folder.rename(out / run_id)
            _sync(out)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise


@contextlib.contextmanager
def _as_output_failure(out: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise OutputFailed(f"{out}: the output could not be written ({reason}); check space and permissions") from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
