"""Run folders that are no longer needed, and their removal.

Source: docs/specification.md#old-run-folders.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from auditor.cases import restore
from auditor.errors import InputRefused, OutputFailed
from auditor.runs import past

_UNFINISHED = ".unfinished-"


@dataclass(frozen=True)
class OldRun:
    """A run folder that is older than what is kept. `needed`: why it stays all the same; blank where it may go."""

    path: Path
    needed: str

    @property
    def bytes(self) -> int:
        """What its files take."""
        return sum(entry.stat().st_size for entry in self.path.iterdir() if entry.is_file())


def old_runs(out: Path, keep: timedelta, now: datetime | None = None) -> list[OldRun]:
    """The runs in an output folder that began before `keep` ago, refused ones too, oldest first.

    Raises InputRefused where there is no run, or one cannot be read.
    """
    runs = past.folders(out)
    if not runs:
        raise InputRefused(f"{out}: no run here; name the folder that was given to --out")
    before = f"{(now or datetime.now(UTC)) - keep:%Y%m%dT%H%M%S}"
    needed = dict(_needed(out, runs))
    refused = [summary.parent for summary in sorted((out / "refused").glob("*/summary.json"))]
    return [OldRun(run, needed.get(run.name, "")) for run in (*runs, *refused) if run.name < before]


def _needed(out: Path, runs: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """The runs that stay, and why: those that rebuilding the ledger needs, and the newest."""
    try:
        ledger_runs = restore.runs_with_cases(out)
    except restore.UnreadableRun as unreadable:
        raise InputRefused(
            f"{unreadable.run}: cannot be read ({unreadable.reason}), so it is not known which folders are needed; put a "
            "copy of it back, or move it away"
        ) from None
    if ledger_runs:
        yield ledger_runs[0][0].run_id, "the ledger began with it"
        cases = [cases.select("number", "state", run=pl.lit(run.run_id)) for run, cases in ledger_runs]
        last = pl.concat(cases).unique("number", keep="last", maintain_order=True)
        for run_id, states in last.group_by("run").agg(pl.col("state").unique()).iter_rows():
            active = {"open", "confirmed"} & set(states)
            yield run_id, "it is the last that shows an open or confirmed case" if active else "the ledger needs it"
    yield runs[-1].name, "it is the newest"
    if (out / "latest").is_symlink():
        yield (out / "latest").readlink().name, "it is the latest"


def remove(run: Path) -> None:
    """Remove a run's folder: it is there whole, or not at all. Raises OutputFailed."""
    going = run.with_name(f"{_UNFINISHED}{run.name}")
    try:
        run.rename(going)
        shutil.rmtree(going)
    except OSError as error:
        raise OutputFailed(f"{run}: cannot be removed ({error.strerror}); check its permissions") from None
