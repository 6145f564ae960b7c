"""`audit98968 cases`: the commands and their options; their bodies are in cli/cases.py and cli/ledger_file.py."""

from pathlib import Path
from typing import Annotated

from auditor.choices import CaseOrder, ExportFormat, FoundOutcome, ListFormat, Mark, State
from cli.flags import argument, choice, group, option, switch
from cli.guard import guarded

cases_app = group(
    help="Review findings across runs and record decisions.",
    epilog="Example: audit98968 cases list audit_out --state open",
)

Text = str | None
Location = Annotated[Path, argument("DIR", "The folder given to --out, or a ledger file.")]
Case = Annotated[str, argument("CASE", "A case number or finding id.")]
Cases = Annotated[list[str] | None, argument("[CASE...]", "Case numbers or finding ids; or choose with filters.")]
Rules = Annotated[Text, option("RULES", "Only these rules: codes, prefixes or names, separated by commas.")]
FilteredState = Annotated[Text, choice(State, "Only cases in this state, with a filter [default: open].")]
Outcome = Annotated[Text, choice(FoundOutcome, "Only findings of this outcome.")]
Claim = Annotated[Text, option("ID", "Only this claim.")]
Patient = Annotated[Text, option("ID", "Only this patient.")]
Provider = Annotated[Text, option("ID", "Only this provider.")]
Payer = Annotated[Text, option("NAME", "Only this payer, as the last run names it.")]
Assignee = Annotated[Text, option("NAME", "Only cases assigned to NAME; '' for those of nobody.")]
By = Annotated[Text, option("NAME", "Who decides, or writes the note.", envvar="AUDIT98968_BY", show_envvar=True)]


@cases_app.command("list", epilog="Example: audit98968 cases list audit_out --state confirmed --due 14d")
@guarded
def listing(
    location: Location,
    state: Annotated[str | None, choice(State, "Only cases in this state.")] = None,
    mark: Annotated[str | None, choice(Mark, "Only cases with this mark in the last run.")] = None,
    rule: Rules = None,
    outcome: Outcome = None,
    claim: Claim = None,
    patient: Patient = None,
    provider: Provider = None,
    payer: Payer = None,
    assignee: Assignee = None,
    due: Annotated[Text, option("DAYS", "Only confirmed cases whose 60 days end within this, such as 14d.")] = None,
    since: Annotated[
        Text, option("DATE|RUN", "Only cases whose mark is from this run, or from this date or later.")
    ] = None,
    sort: Annotated[str, choice(CaseOrder, "Sort order [default: due].")] = "due",
    limit: Annotated[int | None, option("N", "Show at most N cases.", min=1)] = None,
    format: Annotated[str, choice(ListFormat, "Output format [default: text].")] = "text",
    show_ids: Annotated[bool, switch("--show-ids", "Also show claims, patients, providers and dates.")] = False,
) -> int:
    """List the cases, earliest deadline first.

    Cases have numbers; --show-ids adds identifiers. `--state open` lists only cases that the last run still found.
    """
    given = dict(locals())
    from cli import cases

    return cases.listing(location, given)


@cases_app.command(epilog="Example: audit98968 cases show audit_out 17")
@guarded
def show(location: Location, case: Case) -> int:
    """Show a case's facts and history, with identifiers."""
    from cli import cases

    return cases.show(location, case)


@cases_app.command(
    epilog='Example: audit98968 cases decide audit_out dismissed 17 18 --by "A. Reviewer" --reason "other problem"'
)
@guarded
def decide(
    location: Location,
    decision: Annotated[str, argument("DECISION", "open, confirmed, corrected, refunded, dismissed.")],
    case: Cases = None,
    rule: Rules = None,
    state: FilteredState = None,
    outcome: Outcome = None,
    claim: Claim = None,
    patient: Patient = None,
    provider: Provider = None,
    payer: Payer = None,
    assignee: Assignee = None,
    by: By = None,
    reason: Annotated[Text, option("TEXT", "Reason for the decision.")] = None,
    on: Annotated[Text, option("D", "Date of the decision [default: today, UTC].")] = None,
    until: Annotated[Text, option("D", "Last date of a dismissal.")] = None,
    investigated_from: Annotated[
        Text, option("D", "First date of an investigation of related overpayments; suspends the 60 days.")
    ] = None,
    investigated_to: Annotated[Text, option("D", "Last date of that investigation [default: the 180th day].")] = None,
    identified_on: Annotated[
        Text, option("D", "Date the overpayment was identified, if the case was never confirmed.")
    ] = None,
    amount: Annotated[Text, option("DOLLARS", "Amount refunded [default: the rest of the claim's amount].")] = None,
    yes: Annotated[
        bool, switch("--yes", "Decide what the filters choose; do not ask before a refund of more than the rest.")
    ] = False,
) -> int:
    """Record a decision on one or more cases.

    All cases change, or none. With filters in place of case numbers, the cases are counted first; --yes decides them.
    `confirmed` or --identified-on starts the 60 days of 42 CFR 401.305. A case can be corrected
    or refunded once it is confirmed, or with --identified-on.
    """
    given = dict(locals())
    from cli import cases

    return cases.decision(location, case or [], given)


@cases_app.command(epilog='Example: audit98968 cases assign audit_out 17 18 --to "B. Reviewer" --by "A. Reviewer"')
@guarded
def assign(
    location: Location,
    case: Cases = None,
    to: Annotated[Text, option("NAME", "Who works on the cases; '' for nobody.")] = None,
    rule: Rules = None,
    state: FilteredState = None,
    outcome: Outcome = None,
    claim: Claim = None,
    patient: Patient = None,
    provider: Provider = None,
    payer: Payer = None,
    assignee: Assignee = None,
    by: By = None,
    yes: Annotated[bool, switch("--yes", "Assign what the filters choose.")] = False,
) -> int:
    """Say who works on one or more cases.

    With filters in place of case numbers, the cases are counted first; --yes assigns them.
    """
    given = dict(locals())
    from cli import cases

    return cases.assignment(location, case or [], given)


@cases_app.command(epilog='Example: audit98968 cases note audit_out 17 "asked the provider" --by "A. Reviewer"')
@guarded
def note(location: Location, case: Case, text: Annotated[str, argument("TEXT", "The note.")], by: By = None) -> int:
    """Add a note to a case's history."""
    from cli import cases

    return cases.note(location, case, text, by)


@cases_app.command("import", epilog='Example: audit98968 cases import audit_out reviewed.xlsx --by "A. Reviewer"')
@guarded
def import_workbook(
    location: Location,
    workbook: Annotated[Path, argument("XLSX", "A report.xlsx with decisions filled in.")],
    by: By = None,
) -> int:
    """Import decisions from a reviewed report.xlsx.

    Reads the columns Decision, Note and Decided on. All rows are entered, or none.
    """
    from cli import cases

    return cases.import_workbook(location, workbook, by)


@cases_app.command(epilog="Example: audit98968 cases export audit_out --format jsonl > cases.jsonl")
@guarded
def export(
    location: Location, format: Annotated[str, choice(ExportFormat, "Output format [default: csv].")] = "csv"
) -> int:
    """Print every case with its facts and identifiers."""
    from cli import cases

    return cases.export(location, format)


@cases_app.command(epilog="Example: audit98968 cases verify audit_out")
@guarded
def verify(
    location: Location,
    head: Annotated[Text, option("HASH", "A hash that `verify` printed before; the history must contain it.")] = None,
) -> int:
    """Verify that nobody edited the history.

    Recomputes its hashes, replays it, and compares it with the run folders.
    """
    from cli import ledger_file

    return ledger_file.verify(location, head)


@cases_app.command(epilog="Example: audit98968 cases repair audit_out")
@guarded
def repair(location: Location) -> int:
    """Rebuild damaged cases from the history and run folders.

    Keeps a copy of the ledger beside it.
    """
    from cli import ledger_file

    return ledger_file.repair(location)


@cases_app.command(epilog="Example: audit98968 cases restore audit_out")
@guarded
def restore(location: Location) -> int:
    """Rebuild a lost ledger from the run folders.

    If there is a ledger, it is moved aside first.
    """
    from cli import ledger_file

    return ledger_file.restore(location)
