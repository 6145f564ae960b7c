"""`audit98968 cases`: the commands and their options; their bodies are in cli/cases.py."""

from pathlib import Path
from typing import Annotated

import typer

from auditor.choices import CaseOrder, ExportFormat, ListFormat, Mark, State
from cli.flags import choice, group
from cli.guard import guarded

cases_app = group(
    help="The case ledger: what is new, what is settled, and who decided it.",
    epilog="Example: audit98968 cases list audit_out --state open",
)

Location = Annotated[Path, typer.Argument(metavar="DIR", help="The folder given to --out, or a ledger file.")]
Case = Annotated[str, typer.Argument(metavar="CASE", help="A case's number, or its finding id.")]
By = Annotated[
    str | None, typer.Option(metavar="NAME", envvar="AUDIT98968_BY", show_envvar=True, help="Who decides or writes.")
]


@cases_app.command("list", epilog="Example: audit98968 cases list audit_out --state confirmed --due 14d")
@guarded
def listing(
    location: Location,
    state: Annotated[str | None, choice(State, "Only cases in this state.")] = None,
    mark: Annotated[str | None, choice(Mark, "Only cases that the last run marked so.")] = None,
    rule: Annotated[
        str | None,
        typer.Option(metavar="RULES", help="Only cases of these rules: codes, prefixes or names, with commas."),
    ] = None,
    due: Annotated[
        str | None, typer.Option(metavar="DAYS", help="Only confirmed cases whose 60 days run out within this, as 14d.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="DATE|RUN", help="Only cases that got their mark in this run, or from this day on."),
    ] = None,
    sort: Annotated[str, choice(CaseOrder, "Order [default: due].")] = "due",
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="At most so many cases.")] = None,
    format: Annotated[str, choice(ListFormat, "Standard output [default: text].")] = "text",
    show_ids: Annotated[
        bool, typer.Option("--show-ids", help="Show claims, patients, providers and dates too.")
    ] = False,
) -> int:
    """List the cases, those that run out first at the top; numbers stand for them unless --show-ids is given.

    Open are those that are still found.
    """
    given = dict(locals())
    from cli import cases

    return cases.listing(location, {"state": state, "mark": mark}, given)


@cases_app.command(epilog="Example: audit98968 cases show audit_out 17")
@guarded
def show(location: Location, case: Case) -> int:
    """Tell a case's facts and its whole history. It shows identifiers, because that is what was asked for."""
    from cli import cases

    return cases.show(location, case)


@cases_app.command(
    epilog='Example: audit98968 cases decide audit_out dismissed 17 18 --by "A. Reviewer" --reason "other problem"'
)
@guarded
def decide(
    location: Location,
    decision: Annotated[
        str, typer.Argument(metavar="DECISION", help="open, confirmed, corrected, refunded, dismissed.")
    ],
    case: Annotated[list[str], typer.Argument(metavar="CASE...", help="Numbers of cases, or finding ids.")],
    by: By = None,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why.")] = None,
    on: Annotated[str | None, typer.Option(metavar="D", help="Day of the decision [default: today, UTC].")] = None,
    until: Annotated[str | None, typer.Option(metavar="D", help="Last day of a dismissal.")] = None,
    investigated_from: Annotated[
        str | None,
        typer.Option(metavar="D", help="Related overpayments are investigated from here: suspends the 60 days."),
    ] = None,
    investigated_to: Annotated[
        str | None, typer.Option(metavar="D", help="Day that investigation ended [default: the 180th day].")
    ] = None,
    identified_on: Annotated[
        str | None,
        typer.Option(metavar="D", help="Day the overpayment was identified, for a case that nobody confirmed before."),
    ] = None,
    amount: Annotated[
        str | None,
        typer.Option(metavar="DOLLARS", help="What was refunded [default: what is left of the claim's amount]."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Enter a refund of more than is left without asking.")] = False,
) -> int:
    """Decide cases, all of them or none. `confirmed` or --identified-on starts the 60 days of 42 CFR 401.305.

    A case can be corrected or refunded once it is confirmed, or with --identified-on.
    """
    given = dict(locals())
    from cli import cases

    return cases.decision(location, case, given)


@cases_app.command(epilog='Example: audit98968 cases note audit_out 17 "asked the provider" --by "A. Reviewer"')
@guarded
def note(
    location: Location,
    case: Case,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The note.")],
    by: By = None,
) -> int:
    """Add a note to a case's history."""
    from cli import cases

    return cases.note(location, case, text, by)


@cases_app.command("import", epilog='Example: audit98968 cases import audit_out reviewed.xlsx --by "A. Reviewer"')
@guarded
def import_workbook(
    location: Location,
    workbook: Annotated[Path, typer.Argument(metavar="XLSX", help="A run's report.xlsx with decisions filled in.")],
    by: By = None,
) -> int:
    """Enter the Decision, Note and Decided on columns of a reviewed report.xlsx, all rows or none."""
    from cli import cases

    return cases.import_workbook(location, workbook, by)


@cases_app.command(epilog="Example: audit98968 cases export audit_out --format jsonl > cases.jsonl")
@guarded
def export(
    location: Location, format: Annotated[str, choice(ExportFormat, "Standard output [default: csv].")] = "csv"
) -> int:
    """Write every case with its facts and identifiers on standard output."""
    from cli import cases

    return cases.export(location, format)


@cases_app.command(epilog="Example: audit98968 cases verify audit_out")
@guarded
def verify(
    location: Location,
    head: Annotated[
        str | None,
        typer.Option(metavar="HASH", help="A hash that verify printed before; the history must still have it."),
    ] = None,
) -> int:
    """Prove that the history was not edited: recompute its hashes, replay it, and look for what the runs saw of it."""
    from cli import cases

    return cases.verify(location, head)


@cases_app.command(epilog="Example: audit98968 cases repair audit_out")
@guarded
def repair(location: Location) -> int:
    """Make damaged cases anew from the history and the run folders; a copy of the ledger is kept beside it."""
    from cli import cases

    return cases.repair(location)


@cases_app.command(epilog="Example: audit98968 cases restore audit_out")
@guarded
def restore(location: Location) -> int:
    """Make a ledger that is gone anew from what the run folders know; one that is still there is kept aside."""
    from cli import cases

    return cases.restore(location)
