"""`audit98968 explain`, `compare`, `frame` and `estimate`: read finished runs."""

import sys
from pathlib import Path
from typing import Annotated, get_args

import typer

from auditor.choices import CompareFormat, DigestFormat, EstimateFormat, Population, Strata, Unit
from auditor.run_options import BY_NAME
from cli.flags import argument, choice, group, option, require_choice, switch
from cli.guard import guarded

runs_app = group(
    help="Manage the folders of finished runs.", epilog="Example: audit98968 runs prune audit_out --keep 90d"
)
ShowIds = Annotated[bool, typer.Option("--show-ids", help=BY_NAME["show_ids"].help_text)]


@guarded
def explain(
    folder: Annotated[Path, argument("DIR", "The folder given to --out, or one run in it.")],
    claim_id: Annotated[str, argument("CLAIM_ID", "A claim id, a finding id or a case number.")],
) -> int:
    """Explain the outcome of every rule for one claim.

    Shows the claim's calls, the visits around it, the windows, and each rule's outcome and reason, with identifiers.
    """
    from auditor.reports.page import explanation
    from auditor.runs import explain as explaining

    explanation.write(sys.stdout, explaining.explain(folder, claim_id))
    return 0


@guarded
def compare(
    first: Annotated[Path, argument("[RUN]", "A run's folder, or the folder given to --out.", envvar="AUDIT98968_OUT")],
    second: Annotated[Path | None, argument("[RUN]", "The run to compare with [default: the run before].")] = None,
    format: Annotated[str, choice(CompareFormat, "Output format [default: text].")] = "text",
    show_ids: ShowIds = False,
) -> int:
    """Show what differs between two runs, and why.

    Causes are new data, or another policy, setting, coverage or version.

    With one folder, or with AUDIT98968_OUT alone, its latest run is compared with the run before.
    """
    from cli.compare_command import compare as comparing

    return comparing(first, second, format, show_ids)


@guarded
def digest(
    folder: Annotated[Path, argument("DIR", "The folder given to --out, or one run in it.")],
    format: Annotated[str, choice(DigestFormat, "Output format [default: text].")] = "text",
    show_ids: ShowIds = False,
) -> int:
    """Print what a run found on one screen, for a mail or a message.

    Without --show-ids it has no identifiers.
    """
    import json
    from dataclasses import asdict

    from auditor.runs import digest as digests

    require_choice("--format", format, get_args(DigestFormat))
    found = digests.digest(folder, show_ids=show_ids)
    writers = {"text": digests.as_text, "markdown": digests.as_markdown, "html": digests.as_html}
    if format == "json":
        typer.echo(json.dumps(asdict(found) | {"facts": dict(found.facts)}, indent=2, default=str))
    else:
        typer.echo(writers[format](found), nl=False)
    return 0


@runs_app.command(epilog="Example: audit98968 runs prune audit_out --keep 90d --yes")
@guarded
def prune(
    folder: Annotated[Path, argument("DIR", "The folder given to --out.")],
    keep: Annotated[str, option("DAYS", "Keep runs of the last days, such as 90d.")],
    yes: Annotated[bool, switch("--yes", "Remove the folders; without it they are only listed.")] = False,
) -> int:
    """Remove old run folders.

    The newest run stays, and so do runs that `cases restore` needs or that are the last to show an open or confirmed case.
    """
    from cli import prune_command

    return prune_command.prune(folder, keep, yes)


@guarded
def keygen(file: Annotated[Path, argument("FILE", "The new key file.")]) -> int:
    """Make a key for --pseudonymize.

    Keep it: outputs made with another key have other tokens.
    """
    from auditor.identity import write_key
    from auditor.reading.files import shown

    write_key(file)
    typer.echo(f"{shown(file)}: written; only you can read it. Use it with --pseudonymize {shown(file)}")
    return 0


@guarded
def frame(
    run: Annotated[Path, argument("RUN", "A run's folder, or the folder given to --out.")],
    out: Annotated[Path, option("DIR", "New folder for the frame and the sample.")],
    size: Annotated[int, option("N", "Units to draw.", min=1)] = 100,
    seed: Annotated[int | None, option("S", "The same seed draws the same sample.")] = None,
    unit: Annotated[str, choice(Unit, "Unit to draw [default: claim].")] = "claim",
    of: Annotated[str, choice(Population, "Claims to draw from [default: audited].")] = "audited",
    strata: Annotated[str, choice(Strata, "Stratify by this [default: none].")] = "none",
    spares: Annotated[int, option("K", "Spare units to draw, to use in order.", min=0)] = 0,
    show_ids: ShowIds = False,
) -> int:
    """Draw a random sample of claims for a probe review."""
    from auditor.sampling.frame import Design
    from cli import frame_command

    design = Design(unit=unit, of=of, strata=strata, size=size, spares=spares, seed=seed)
    return frame_command.frame(run, out, design, show_ids=show_ids)


@guarded
def estimate(
    folder: Annotated[Path, argument("DIR", "The folder that `frame` wrote.")],
    reviewed: Annotated[Path | None, option("FILE", "The reviewed sample [default: the one in DIR].")] = None,
    net_underpayments: Annotated[
        bool, typer.Option("--net-underpayments", help="Subtract underpayments, which otherwise count as 0.")
    ] = False,
    format: Annotated[str, choice(EstimateFormat, "Output format [default: text].")] = "text",
    show_ids: ShowIds = False,
) -> int:
    """Estimate the error amount from a reviewed sample.

    The estimate is for the whole frame, with a two-sided 90% confidence interval and the limits that RAT-STATS gives.
    """
    from cli import frame_command

    return frame_command.estimate(folder, reviewed, format, net=net_underpayments, show_ids=show_ids)
