"""`audit98968 init` and `audit98968 sample`: before there is anything to audit."""

from pathlib import Path
from typing import Annotated, Any

import typer

from auditor.run_options import BY_NAME
from cli.guard import guarded


def _table(name: str) -> Any:
    option = BY_NAME[name]
    return typer.Option(option.flag, metavar=option.metavar, help=option.help)


@guarded
def init(
    calls: Annotated[list[str] | None, _table("calls")] = None,
    visits: Annotated[list[str] | None, _table("visits")] = None,
    claims: Annotated[list[str] | None, _table("claims")] = None,
    providers: Annotated[list[str] | None, _table("providers")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write to this new file [default: standard output].")
    ] = None,
) -> int:
    """Suggest a policy for the given files: which column is which, how sure that is, and what is left to fill in."""
    given = {"calls": calls, "visits": visits, "claims": claims, "providers": providers}
    from auditor.mapping import suggest

    text = suggest.suggest({name: tuple(paths) for name, paths in given.items() if paths})
    if out is None:
        typer.echo(text, nl=False)
    else:
        suggest.save(text, out)
        typer.echo(f"{out}: written; read it, then see what it does: audit98968 check --policy {out}")
    return 0


@guarded
def sample(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write to.")],
    claims: Annotated[int, typer.Option(min=1, metavar="N", help="Number of claims.")] = 125,
    seed: Annotated[int, typer.Option(metavar="S", help="Equal seeds give equal files.")] = 98968,
) -> int:
    """Write synthetic exports with a planted, known answer beside them."""
    from auditor.errors import OutputFailed
    from auditor.synthetic import sample as sampling

    try:
        tally = sampling.write(folder, claims, seed)
    except OSError as error:
        raise OutputFailed(
            f"{folder}: cannot be written ({error.strerror}); check the path and its permissions"
        ) from error
    typer.echo(f"{folder}: {tally['claims']['audited']} claims; the answer is in expected.json")
    return 0
