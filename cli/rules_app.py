"""`audit98968 rules` and `audit98968 policies`: print the rules and the built-in policies."""

from typing import Annotated, get_args

import typer

from auditor.choices import EstimateFormat
from cli.flags import argument, choice, completing, group, option, policy_names, require_choice, rule_names
from cli.guard import guarded

rules_app = group(help="List the rules and show their pages.", epilog="Example: audit98968 rules show LBK001")
policies_app = group(help="List and show the built-in policies.", epilog="Example: audit98968 policies show bcbs-ma")
_rules, _policies = completing(rule_names), completing(policy_names)


@rules_app.command("list", epilog="Example: audit98968 rules list --policy strict")
@guarded
def rules_list(
    policy: Annotated[
        str, option("FILE|NAME", "Show the severities of this policy [default: default].", autocompletion=_policies)
    ] = "default",
    format: Annotated[str, choice(EstimateFormat, "Output format [default: text].")] = "text",
) -> int:
    """List every rule with its code, name and severity.

    Each line also names the columns without which the rule cannot be evaluated. A policy asks for some rules under
    [required]; without that, they are not evaluated. JSON also has each rule's text, sources, other columns read, and the
    version that brought the rule.
    """
    import json

    from auditor import policy as policies
    from auditor.rules import ALL, pages, select
    from auditor.windows.bounds import Numbers

    require_choice("--format", format, get_args(EstimateFormat))
    shown = policies.load(policy, select)
    rows = [
        {"code": rule.code, "name": rule.name, "severity": shown.severity.get(rule.code, rule.strongest),
         "asked": rule.asked(shown) is not None, "needs": [list(alternatives) for alternatives in rule.needs],
         "local": rule.origin or None, "since": None if rule.origin else rule.since, "reads": sorted({*rule.reads}),
         "text": pages.text(rule, Numbers.of(shown)), "sources": list(rule.cites)}
        for rule in ALL
    ]  # fmt: skip
    if format == "json":
        typer.echo(json.dumps(rows, indent=2))
        return 0
    for rule, row in zip(ALL, rows, strict=True):
        needs = "; ".join(" or ".join(alternatives) for alternatives in rule.needs)
        severity = "off: not evaluated" if row["severity"] == "off" else row["severity"]
        severity = severity if row["asked"] else "not asked for"
        notes = "; ".join([f"needs {needs}"] * bool(needs) + [f"local: {rule.origin}"] * bool(rule.origin))
        typer.echo(f"{rule.code}  {rule.name:<36}  {severity:<18}  {notes}".rstrip())
    return 0


@rules_app.command("show", epilog="Example: audit98968 rules show LBK001")
@guarded
def rules_show(code: Annotated[str, argument("CODE", "A rule's code, prefix or name.", autocompletion=_rules)]) -> int:
    """Print a rule's page.

    The page says what the rule checks, why it matters, how to resolve a finding and what the rule cannot see, and has
    sources and examples.
    """
    from auditor.rules import ALL, pages, select

    chosen = select("rules show", [code])
    typer.echo("\n\n".join(pages.page(rule) for rule in ALL if rule.code in chosen))
    return 0


@policies_app.command("list", epilog="Example: audit98968 policies list")
@guarded
def policies_list() -> int:
    """List the built-in policies with their sources.

    Below each policy are its sources (title, date, address), the date on which they were read, and what they could not
    confirm.
    """
    from auditor import policy

    for name in policy.shipped():
        shown = policy.load(name)
        typer.echo(f"{name}  {shown.description}")
        for source in shown.sources:
            typer.echo(f"    source: {source}")
        typer.echo(f"    sources read on: {shown.verified_on or 'no date'}")
        for statement in shown.unverified:
            typer.echo(f"    not verified: {statement}")
    return 0


@policies_app.command("show", epilog="Example: audit98968 policies show bcbs-ma")
@guarded
def policies_show(name: Annotated[str, argument("NAME", "A policy's name.", autocompletion=_policies)]) -> int:
    """Print a built-in policy, ready to copy."""
    from auditor import policy

    typer.echo(policy.source(name).rstrip("\n"))
    return 0
