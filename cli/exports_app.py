"""`audit98968 init` and `audit98968 sample`: before there is anything to audit."""

from pathlib import Path
from typing import Annotated, Any

import typer

from auditor.run_options import RUN_OPTIONS
from cli.flags import with_options
from cli.guard import guarded


@guarded
@with_options(option for option in RUN_OPTIONS if option.kind == "paths")
def init(
    *,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write to this new file [default: standard output].")
    ] = None,
    show_ids: Annotated[bool, typer.Option("--show-ids", help="Quote rare values of vocabularies too.")] = False,
    **given: Any,
) -> int:
    """Suggest a policy for the given files: which column is which, how sure that is, and what is left to fill in."""
    from auditor.errors import UsageError
    from auditor.mapping import suggest
    from auditor.reading.files import shown

    paths = {name: tuple(paths) for name, paths in given.items() if paths}
    found = suggest.suggest(paths, show_ids=show_ids)
    if out is None:
        typer.echo(found.text, nl=False)
    else:
        suggest.save(found.text, out)
        typer.echo(f"{shown(out)}: written; read it, then see what it does:\n{suggest.command(paths, str(out))}")
    if found.missing:
        raise UsageError(
            f"{', '.join(found.missing)}: no column is surely meant; fill in what is marked REQUIRED"
            f"{f' in {out}' if out else ''}, or add the column to the export"
        )
    return 0


@guarded
def sample(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write to.")],
    claims: Annotated[int, typer.Option(min=1, metavar="N", help="Number of claims.")] = 125,
    seed: Annotated[int, typer.Option(metavar="S", help="Equal seeds give equal files.")] = 98968,
) -> int:
    """Write synthetic exports with a planted, known answer beside them."""
    from auditor.errors import OutputFailed
    from auditor.reading.files import shown
    from auditor.synthetic import sample as sampling

    try:
        tally = sampling.write(folder, claims, seed)
    except OSError as error:
        raise OutputFailed(
            f"{folder}: cannot be written ({error.strerror}); check the path and its permissions"
        ) from error
    typer.echo(f"{shown(folder)}: {tally['claims']['audited']} claims; the answer is in expected.json")
    return 0


@guarded
def schema(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="findings, claims, evidence, cases, rejects or summary.")
    ] = None,
) -> int:
    """Print the JSON Schemas of what a run writes: of a row of each table, and of summary.json."""
    import json

    from auditor.errors import UsageError
    from auditor.reports import outputs
    from auditor.schema.names import nearest

    every = outputs.schemas()
    if name is not None and name not in every:
        raise UsageError(f"`{name}` is none of {', '.join(every)}{nearest(name, every)}")
    typer.echo(json.dumps(every if name is None else every[name], indent=2))
    return 0
