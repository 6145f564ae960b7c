"""The commands. Each one imports the auditor when it is called, so that help is quick."""

import json
import signal
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditor.choices import (
    CompareFormat,
    EngineName,
    EstimateFormat,
    FailOn,
    Format,
    LogFormat,
    Population,
    Strata,
    Unit,
)
from cli.cases_app import cases_app
from cli.guard import guarded, show_tracebacks
from cli.log import log
from cli.words import choice, completing

if TYPE_CHECKING:
    from cli.options import Options

app = typer.Typer(
    name="audit98968",
    help="Audit telephone claims billed as CPT 98968 against calls and visits.",
    epilog="Example: audit98968 run --calls calls.csv --visits visits.csv --out audit_out",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
rules_app = typer.Typer(
    help="The rules and their pages.",
    epilog="Example: audit98968 rules show LBK001",
    no_args_is_help=True,
    rich_markup_mode=None,
)
policies_app = typer.Typer(
    help="The policies that ship with the tool.",
    epilog="Example: audit98968 policies show bcbs-ma",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(rules_app, name="rules")
app.add_typer(policies_app, name="policies")
app.add_typer(cases_app, name="cases")


def _keep_interrupts_prompt() -> None:
    """Let Ctrl-C end a blocked read: polars' handler, installed when it is imported, would resume it."""
    signal.siginterrupt(signal.SIGINT, True)


def _version(wanted: bool) -> None:
    if wanted:
        from auditor import __version__

        typer.echo(f"audit98968 {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks and messages of libraries; they may quote data.")
    ] = False,
) -> None:
    """Audit telephone claims billed as CPT 98968 against calls and visits."""
    show_tracebacks(debug)


def _rule_names() -> Iterable[str]:
    from auditor.rules import ALL

    return [name for rule in ALL for name in (rule.code, rule.name)]


def _policy_names() -> Iterable[str]:
    from auditor.policy import shipped

    return shipped()


def _timezones() -> Iterable[str]:
    from zoneinfo import available_timezones

    return sorted(available_timezones())


_rules, _policies = completing(_rule_names), completing(_policy_names)


def _table(name: str, what: str) -> Any:
    return typer.Option(f"--{name}", metavar="PATH...", help=f"{what}: files, globs, folders, or - for CSV on stdin.")


Calls = Annotated[list[str] | None, _table("calls", "Calls")]
Visits = Annotated[list[str] | None, _table("visits", "Visits")]
Claims = Annotated[list[str] | None, _table("claims", "Claim lines, if billed lines are exported apart from calls")]
Providers = Annotated[list[str] | None, _table("providers", "Providers")]
PolicyOption = Annotated[
    str | None,
    typer.Option(metavar="FILE|NAME", help="Policy file or name [default: default].", autocompletion=_policies),
]
Timezone = Annotated[
    str | None,
    typer.Option(
        metavar="TZ", help="IANA time zone of the exports [default: UTC].", autocompletion=completing(_timezones)
    ),
]
AsOf = Annotated[str | None, typer.Option(metavar="T", help="The visits export is complete up to here.")]
VisitsSince = Annotated[str | None, typer.Option(metavar="D", help="First local date that the visits cover.")]
ClaimsSince = Annotated[str | None, typer.Option(metavar="D", help="First local date that the lines cover.")]
MaxRejects = Annotated[str | None, typer.Option(metavar="N|P%", help="Rejects allowed in a table [default: 1%].")]
AllowEmpty = Annotated[bool, typer.Option("--allow-empty", help="Accept a table without rows.")]
ShowIds = Annotated[bool, typer.Option("--show-ids", help="Allow identifiers on the terminal and in logs.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress and no warnings on standard error.")]
EngineOption = Annotated[str | None, choice(EngineName, "Where the work is done [default: local].")]
Master = Annotated[
    str | None, typer.Option(metavar="URL", help="Spark's master, such as spark://HOST:7077 [default: local[*]].")
]
Memory = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="Memory to use, such as 2GB; larger exports are spilled [default: 50%]."),
]
LogForm = Annotated[str | None, choice(LogFormat, "Messages and log as text or JSON Lines [default: text].")]
LogFile = Annotated[str | None, typer.Option(metavar="FILE", help="Append the full log to this file.")]


@app.command(
    epilog="Example: audit98968 run --calls calls.csv --visits visits.parquet --timezone America/New_York --out out"
)
@guarded
def run(
    calls: Calls = None,
    visits: Visits = None,
    claims: Claims = None,
    providers: Providers = None,
    policy: PolicyOption = None,
    out: Annotated[str | None, typer.Option(metavar="DIR", help="Write the report below this folder.")] = None,
    format: Annotated[str | None, choice(Format, "Standard output [default: text].")] = None,
    as_of: AsOf = None,
    visits_since: VisitsSince = None,
    claims_since: ClaimsSince = None,
    service_from: Annotated[str | None, typer.Option(metavar="D", help="Audit claims from this service date.")] = None,
    service_to: Annotated[str | None, typer.Option(metavar="D", help="Audit claims up to this service date.")] = None,
    codes: Annotated[str | None, typer.Option(metavar="LIST", help="Codes to audit [default: 98968].")] = None,
    select: Annotated[
        str | None,
        typer.Option(metavar="RULES", help="Only these rules: codes, prefixes, names.", autocompletion=_rules),
    ] = None,
    ignore: Annotated[
        str | None, typer.Option(metavar="RULES", help="Without these rules.", autocompletion=_rules)
    ] = None,
    require: Annotated[
        str | None,
        typer.Option(
            metavar="RULES",
            help="Refuse inputs on which one of these cannot be evaluated [default: DUR001,LBK001,LAH001,FRQ001].",
            autocompletion=_rules,
        ),
    ] = None,
    fail_on: Annotated[
        str | None, choice(FailOn, "Exit 1 from here on, or only for what the ledger calls new [default: review].")
    ] = None,
    max_rejects: MaxRejects = None,
    allow_empty: AllowEmpty = False,
    timezone: Timezone = None,
    show_ids: ShowIds = False,
    pseudonymize: Annotated[
        str | None,
        typer.Option(metavar="KEYFILE", help="Publish keyed tokens instead of identifiers; dated data stays PHI."),
    ] = None,
    ledger: Annotated[
        str | None,
        typer.Option(metavar="FILE|none", help="The case ledger [default: ledger.sqlite in --out]."),
    ] = None,
    memory: Memory = None,
    engine: EngineOption = None,
    master: Master = None,
    quiet: Quiet = False,
    log_format: LogForm = None,
    log_file: LogFile = None,
    print_settings: Annotated[
        bool,
        typer.Option("--print-settings", help="Print the settings in force and where each came from; audit nothing."),
    ] = False,
) -> int:
    """Audit the claims and write the report.

    Exit codes: 0 nothing at or above --fail-on, 1 findings, 2 wrong usage or policy, 3 input refused, 4 internal error or
    output not written, 75 another run holds the folder. Every option can also come from a variable such as
    AUDIT98968_FAIL_ON or from [run] in the policy file.
    """
    given = {name: value for name, value in locals().items() if name != "print_settings"}
    from auditor import policy as policies
    from cli import options
    from cli import run as running

    _keep_interrupts_prompt()
    if print_settings:
        resolved = options.resolve(given)
        for name, value in resolved.values.items():
            shown = ",".join(map(str, value)) if isinstance(value, tuple) else value
            typer.echo(f"{name} = {'' if shown is None else shown}  ({resolved.origins[name]})")
        for key, value, own in policies.settings(resolved.settings.policy):
            typer.echo(f"{key} = {json.dumps(value)}  ({'policy file' if own else 'default'})")
        return 0
    return running.run(_resolved("run", given))


@app.command(epilog="Example: audit98968 check --calls calls.csv --visits visits.csv --policy clinic.toml")
@guarded
def check(
    calls: Calls = None,
    visits: Visits = None,
    claims: Claims = None,
    providers: Providers = None,
    policy: PolicyOption = None,
    as_of: AsOf = None,
    visits_since: VisitsSince = None,
    claims_since: ClaimsSince = None,
    max_rejects: MaxRejects = None,
    allow_empty: AllowEmpty = False,
    timezone: Timezone = None,
    show_ids: ShowIds = False,
    memory: Memory = None,
    engine: EngineOption = None,
    master: Master = None,
    quiet: Quiet = False,
    log_format: LogForm = None,
    log_file: LogFile = None,
) -> int:
    """Show the column mapping found, the coverage and the rejects, without auditing."""
    given = dict(locals())
    from cli import run as running

    _keep_interrupts_prompt()
    return running.check(_resolved("check", given))


def _resolved(command: str, given: dict[str, Any]) -> "Options":
    """The options, with the log open before the policy is read, so that a bad policy is logged too."""
    from cli import options

    log.open(command, *options.log_of(given))
    resolved = options.resolve(given)
    log.open(command, *(resolved.values[name] for name in options.LOG))
    return resolved


@rules_app.command("list", epilog="Example: audit98968 rules list")
@guarded
def rules_list() -> int:
    """List every rule with its code and name."""
    from auditor.rules import ALL

    for rule in ALL:
        typer.echo(f"{rule.code}  {rule.name}")
    return 0


@rules_app.command("show", epilog="Example: audit98968 rules show LBK001")
@guarded
def rules_show(
    code: Annotated[str, typer.Argument(metavar="CODE", help="A rule's code, prefix or name.", autocompletion=_rules)],
) -> int:
    """Print a rule's page: what it checks, why it matters, how to resolve, what it cannot see, sources, examples."""
    from auditor.rules import ALL, pages, select

    chosen = select("rules show", [code])
    typer.echo("\n\n".join(pages.page(rule) for rule in ALL if rule.code in chosen))
    return 0


@policies_app.command("list", epilog="Example: audit98968 policies list")
@guarded
def policies_list() -> int:
    """List the policies that ship with the tool."""
    from auditor import policy

    for name in policy.shipped():
        typer.echo(f"{name}  {policy.load(name).description}")
    return 0


@policies_app.command("show", epilog="Example: audit98968 policies show bcbs-ma")
@guarded
def policies_show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A policy's name.", autocompletion=_policies)],
) -> int:
    """Print a shipped policy, ready to be copied."""
    from auditor import policy

    typer.echo(policy.source(name).rstrip("\n"))
    return 0


@app.command(epilog="Example: audit98968 init --calls calls.csv --visits visits.csv --out clinic.toml")
@guarded
def init(
    calls: Calls = None,
    visits: Visits = None,
    claims: Claims = None,
    providers: Providers = None,
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


@app.command(epilog="Example: audit98968 explain audit_out 4711", context_settings={"ignore_unknown_options": True})
@guarded
def explain(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder given to --out, or one run in it.")],
    claim_id: Annotated[str, typer.Argument(metavar="CLAIM_ID", help="The claim, letter for letter.")],
) -> int:
    """Tell one claim's story: its calls, the visits around it, the windows, and every rule's outcome and reason.

    It shows identifiers, because that is what was asked for.
    """
    from auditor.reports.page import story
    from auditor.runs import explain as explaining

    story.write(sys.stdout, explaining.explain(folder, claim_id))
    return 0


@app.command(epilog="Example: audit98968 sample demo --claims 500 --seed 7")
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


@app.command(epilog="Example: audit98968 compare audit_out/20260301T020000000Z-1a2b3c4d audit_out")
@guarded
def compare(
    one: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, or the folder given to --out.")],
    other: Annotated[Path, typer.Argument(metavar="RUN", help="The run to compare it with.")],
    format: Annotated[str, choice(CompareFormat, "Standard output [default: text].")] = "text",
    show_ids: ShowIds = False,
) -> int:
    """Tell what differs between two runs, and why: new data, another policy, settings, coverage or version."""
    from cli.compare_command import compare as comparing

    return comparing(one, other, format, show_ids)


@app.command(epilog="Example: audit98968 frame audit_out --out probe --size 100 --seed 7")
@guarded
def frame(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, or the folder given to --out.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="A new folder for the frame and the sample.")],
    size: Annotated[int, typer.Option(min=1, metavar="N", help="Units to draw.")] = 100,
    seed: Annotated[int | None, typer.Option(metavar="S", help="Equal seeds draw equal samples.")] = None,
    unit: Annotated[str, choice(Unit, "What is drawn [default: claim].")] = "claim",
    of: Annotated[str, choice(Population, "Claims to draw from [default: audited].")] = "audited",
    strata: Annotated[str, choice(Strata, "Stratify by this [default: none].")] = "none",
    spares: Annotated[int, typer.Option(min=0, metavar="K", help="Spare units, used in their order.")] = 0,
    show_ids: ShowIds = False,
) -> int:
    """Draw a reproducible random sample of a run's claims for a probe review."""
    from auditor.sampling.frame import Design
    from cli import frame_command

    design = Design(unit=unit, of=of, strata=strata, size=size, spares=spares, seed=seed)
    return frame_command.frame(run, out, design, show_ids=show_ids)


@app.command(epilog="Example: audit98968 estimate probe")
@guarded
def estimate(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder that `frame` wrote.")],
    reviewed: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The reviewed sample [default: the one filled in there].")
    ] = None,
    format: Annotated[str, choice(EstimateFormat, "Standard output [default: text].")] = "text",
    show_ids: ShowIds = False,
) -> int:
    """Estimate the error amount of the frame from its reviewed sample, with a 90% interval."""
    from cli import frame_command

    return frame_command.estimate(folder, reviewed, format, show_ids=show_ids)
