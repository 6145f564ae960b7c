"""A rule's page as text. The terminal, the reports and docs/ show the same page."""

import textwrap

from auditor.rules.rule import Rule
from auditor.windows.bounds import Numbers

_ERRS = {
    "over": "the rule may report a finding that is wrong.",
    "under": "the rule may miss a finding. It reports unknown where it detects the gap.",
    "neither": "the rule is unknown or not evaluated.",
}


def text(rule: Rule, numbers: Numbers | None = None) -> str:
    """What a rule checks, why it matters, how to resolve a finding, and what it cannot see, with the numbers of a policy."""
    return rule.page.partition("\n")[2].strip().format(**(numbers or Numbers()).filled())


def page(rule: Rule, numbers: Numbers | None = None) -> str:
    """The page of one rule: checks, reasons, remedies, limits, sources and examples.

    `numbers` are those of the policy in force; by default, those of the specification.
    """
    needs = "; ".join(" or ".join(alternatives) for alternatives in rule.needs)
    parts = [
        f"{rule.code} {rule.name}",
        f"A local rule, of the package {rule.origin}." if rule.origin else "",
        text(rule, numbers),
        f"If the export lacks data: {_ERRS[rule.errs]}",
        f"Needs: {needs}" if needs else "",
        f"Also reads, if the export has them: {', '.join(sorted({*rule.reads}))}" if rule.reads else "",
        "Sources:\n" + "\n".join(f"- {cite}" for cite in rule.cites),
        "Examples:\n" + textwrap.indent(textwrap.dedent(rule.examples).strip("\n"), "    "),
    ]
    return "\n\n".join(part for part in parts if part)
