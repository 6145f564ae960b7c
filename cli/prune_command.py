"""`audit98968 runs prune`: list old run folders, and remove them."""

from pathlib import Path

import typer

from auditor.cases.queries import days
from auditor.reports import folder as folders
from auditor.runs import prune as pruning
from auditor.schema.names import counted


def prune(out: Path, keep: str, yes: bool) -> int:
    """List the runs that are older than `keep` and what happens to each; with `yes`, remove those that nothing needs."""
    span = days(keep, "--keep")
    if not yes:
        _list(pruning.old_runs(out, span), "would be removed")
        return 0
    with folders.locked(out):
        runs = pruning.old_runs(out, span)
        sizes = _list(runs, "removed")
        for run in sizes:
            pruning.remove(run)
    return 0


def _list(runs: list[pruning.OldRun], what: str) -> list[Path]:
    """Print the runs; those that may go."""
    going = [run for run in runs if not run.needed]
    for run in runs:
        typer.echo(f"{run.path.name}: {f'kept, because {run.needed}' if run.needed else what}")
    size = f"{sum(run.bytes for run in going) / 1e6:,.1f} MB"
    typer.echo(f"{counted(len(going), 'run folder')} {what}, {size}; {len(runs) - len(going):,} older ones kept")
    if going and what != "removed":
        typer.echo("Nothing was removed; --yes removes them.")
    return [run.path for run in going]
