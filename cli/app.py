"""The commands. Each one imports the auditor when it runs, so that help stays fast."""

import json
import signal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from auditor.run_options import LOG, RUN_OPTIONS
from cli import exports_app, runs_app
from cli.cases_app import cases_app
from cli.flags import GroupedCommand, group, switch, with_options
from cli.guard import guarded, show_tracebacks
from cli.log import log
from cli.rules_app import policies_app, rules_app

if TYPE_CHECKING:
    from cli.options import Options

app = group(
    name="audit98968",
    help="Audit telephone claims billed as CPT 98968 against calls and visits.",
    epilog="Example: audit98968 run --calls calls.csv --visits visits.csv --out audit_out",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(rules_app, name="rules")
app.add_typer(policies_app, name="policies")
app.add_typer(cases_app, name="cases")
app.add_typer(runs_app.runs_app, name="runs")


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
    debug: Annotated[bool, switch("--debug", "Show tracebacks and library messages, which may quote data.")] = False,
) -> None:
    """Audit telephone claims billed as CPT 98968 against calls and visits."""
    show_tracebacks(debug)


@app.command(
    cls=GroupedCommand,
    epilog="Example: audit98968 run --calls calls.csv --visits visits.parquet --timezone America/New_York --out out",
)
@guarded
@with_options(RUN_OPTIONS)
def run(
    *,
    print_settings: Annotated[
        bool, switch("--print-settings", "Print each setting and where it came from, without an audit.")
    ] = False,
    **given: Any,
) -> int:
    """Audit the claims and write the report.

    Exit codes: 0 no findings at or above --fail-on, 1 findings, 2 wrong usage or policy, 3 inputs refused, 4 internal error
    or output not written, 75 another run uses the folder. You can also set each option with a variable such as
    AUDIT98968_FAIL_ON, or in [run] of the policy file.
    """
    from auditor import policy as policies
    from auditor.schema.names import without_credentials
    from cli import options
    from cli import run as running

    _keep_interrupts_prompt()
    if print_settings:
        _name_found_policy(given)
        resolved = options.resolve(given)
        for name, value in resolved.values.items():
            values = value if isinstance(value, tuple) else () if value is None else (value,)
            shown = ",".join(without_credentials(str(each)) for each in values)
            typer.echo(f"{name} = {shown}  ({resolved.origins[name]})")
        for key, value, own in policies.settings(resolved.settings.policy):
            shown = without_credentials(json.dumps(value))
            typer.echo(f"{key} = {shown}  ({'policy file' if own else 'default'})")
        return 0
    return running.run(_resolved("run", given))


@app.command(
    cls=GroupedCommand, epilog="Example: audit98968 check --calls calls.csv --visits visits.csv --policy clinic.toml"
)
@guarded
@with_options(option for option in RUN_OPTIONS if option.check)
def check(**given: Any) -> int:
    """Check the exports and the policy before a run.

    Prints column mapping, rejected rows, rules that can be evaluated, coverage, and how many ids match. Exits 3 if `run`
    would refuse the inputs.
    """
    from cli import check as checking

    _keep_interrupts_prompt()
    return checking.check(_resolved("check", given))


def _name_found_policy(given: dict[str, Any]) -> None:
    """Name the policy file that was found without --policy before anything else."""
    from cli import discovery, options

    policy, origin = options.policy_of(given)
    if origin == discovery.NAME:
        log.policy(policy)


def _resolved(command: str, given: dict[str, Any]) -> "Options":
    """The options, with the log open before the policy is read, so that a bad policy is logged too."""
    from cli import options

    log.open(command, *options.log_of(given))
    _name_found_policy(given)
    resolved = options.resolve(given)
    log.open(command, *(resolved.values[name] for name in LOG))
    return resolved


app.command(epilog="Example: audit98968 init --calls calls.csv --visits visits.csv --out clinic.toml")(exports_app.init)
app.command(epilog="Example: audit98968 explain audit_out 4711", context_settings={"ignore_unknown_options": True})(
    runs_app.explain
)
app.command(epilog="Example: audit98968 sample demo --claims 500 --seed 7")(exports_app.sample)
app.command(epilog="Example: audit98968 compare audit_out/20260301T020000000Z-1a2b3c4d audit_out")(runs_app.compare)
app.command(epilog="Example: audit98968 digest audit_out --format markdown")(runs_app.digest)
app.command(epilog="Example: audit98968 keygen clinic.key")(runs_app.keygen)
app.command(epilog="Example: audit98968 frame audit_out --out probe --size 100 --seed 7")(runs_app.frame)
app.command(epilog="Example: audit98968 estimate probe")(runs_app.estimate)
app.command(epilog="Example: audit98968 schema findings")(exports_app.schema)
