"""`audit98968 init`, `sample` and `schema`: what an export needs, and what a run writes."""

from pathlib import Path
from typing import Annotated, Any

import typer

from auditor.run_options import RUN_OPTIONS, TABLES
from cli.flags import argument, option, require_choice, switch, with_options
from cli.guard import guarded


@guarded
@with_options(option for option in RUN_OPTIONS if option.kind == "paths" or option.name == "database")
def init(
    *,
    out: Annotated[Path | None, option("FILE", "Write to this new file [default: standard output].")] = None,
    show_ids: Annotated[bool, switch("--show-ids", "Also quote rare values of coded columns.")] = False,
    **given: Any,
) -> int:
    """Suggest a policy for your exports.

    The policy shows which column is which, how certain that is, and what you must fill in.
    """
    from auditor.errors import UsageError
    from auditor.mapping import suggest
    from auditor.reading.files import shown
    from cli.options import database_of

    database = database_of(given)
    paths = {name: tuple(paths) for name, paths in given.items() if paths and name in TABLES}
    found = suggest.suggest(paths, show_ids=show_ids, database=database)
    if out is None:
        typer.echo(found.text, nl=False)
    else:
        suggest.save(found.text, out)
        typer.echo(
            f"{shown(out)}: written; read it, then see what it does:\n{suggest.command(paths, str(out), database)}"
        )
    if found.missing:
        raise UsageError(
            f"{', '.join(found.missing)}: no column matches with certainty; fill in what is marked REQUIRED"
            f"{f' in {out}' if out else ''}, or add the column to the export"
        )
    return 0


@guarded
def sample(
    folder: Annotated[Path, argument("DIR", "Folder to write to.")],
    claims: Annotated[int, option("N", "Number of claims.", min=1)] = 125,
    seed: Annotated[int, option("S", "The same seed writes the same files.")] = 98968,
) -> int:
    """Write synthetic exports with known findings.

    expected.json has the findings.
    """
    from auditor.errors import OutputFailed
    from auditor.reading.files import shown
    from auditor.synthetic import sample as sampling

    try:
        tally = sampling.write(folder, claims, seed)
    except OSError as error:
        problem = f"cannot be written ({error.strerror}); check the path and its permissions"
        raise OutputFailed(f"{folder}: {problem}") from error
    typer.echo(f"{shown(folder)}: {tally['claims']['audited']} claims; expected.json has the expected findings")
    return 0


@guarded
def schema(
    name: Annotated[
        str | None, argument("[NAME]", "findings, claims, evidence, cases, rejects, summary or policy.")
    ] = None,
) -> int:
    """Print the JSON Schemas of a run's output files, and of a policy.

    They describe a row of each table, summary.json, and what an editor should know of a policy file.
    """
    import json

    from auditor.policy_schema import policy_schema
    from auditor.reports import outputs

    every = outputs.schemas() | {"policy": policy_schema()}
    if name is not None:
        require_choice("NAME", name, every)
    typer.echo(json.dumps(every if name is None else every[name], indent=2))
    return 0
