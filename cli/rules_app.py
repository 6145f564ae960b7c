"""`audit98968 rules` and `audit98968 policies`: what ships, to be read."""

from typing import Annotated, get_args

import typer

from auditor.choices import EstimateFormat
from cli.flags import choice, completing, group, policy_names, rule_names
from cli.guard import guarded

rules_app = group(
    help="The rules and their pages.",
    epilog="Example: audit98968 rules show LBK001",
)
policies_app = group(
    help="The policies that ship with the tool.",
    epilog="Example: audit98968 policies show bcbs-ma",
)
_rules, _policies = completing(rule_names), completing(policy_names)


@rules_app.command("list", epilog="Example: audit98968 rules list --policy strict")
@guarded
def rules_list(
    policy: Annotated[
        str,
        typer.Option(metavar="FILE|NAME", help="Severities of it [default: default].", autocompletion=_policies),
    ] = "default",
    format: Annotated[str, choice(EstimateFormat, "Standard output [default: text].")] = "text",
) -> int:
    """List every rule with its code, name, severity in a policy, and the columns without which it is not evaluated."""
    import json

    from auditor import policy as policies
    from auditor.errors import UsageError
    from auditor.rules import ALL, select

    if format not in get_args(EstimateFormat):
        raise UsageError(f"--format: `{format}` is none of {', '.join(get_args(EstimateFormat))}")
    severities = policies.load(policy, select).severity
    rows = [
        {"code": rule.code, "name": rule.name, "severity": severities.get(rule.code, rule.strongest),
         "needs": [list(alternatives) for alternatives in rule.needs]}
        for rule in ALL
    ]  # fmt: skip
    if format == "json":
        typer.echo(json.dumps(rows, indent=2))
        return 0
    for row in rows:
        needs = "; ".join(" or ".join(alternatives) for alternatives in row["needs"])
        severity = "off: not evaluated" if row["severity"] == "off" else row["severity"]
        typer.echo(f"{row['code']}  {row['name']:<36}  {severity:<18}  {f'needs {needs}' if needs else ''}".rstrip())
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
