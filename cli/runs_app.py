"""`audit98968 explain`, `compare`, `frame` and `estimate`: read finished runs."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from auditor.choices import CompareFormat, EstimateFormat, Population, Strata, Unit
from auditor.run_options import BY_NAME
from cli.flags import argument, choice, option
from cli.guard import guarded

ShowIds = Annotated[bool, typer.Option("--show-ids", help=BY_NAME["show_ids"].help_text)]


@guarded
def explain(
    folder: Annotated[Path, argument("DIR", "The folder given to --out, or one run in it.")],
    claim_id: Annotated[str, argument("CLAIM_ID", "The exact claim id.")],
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
