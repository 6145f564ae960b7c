"""A rule's page as text: the same words in the terminal, in the reports and in docs/."""

import textwrap

from auditor.rules.rule import Rule
from auditor.windows.bounds import Numbers

_ERRS = {
    "over": "Where the export is thin, it errs towards findings.",
    "under": "Where the export is thin, it errs towards silence; unknown says so where it can.",
    "neither": "Where the export is thin, it is unknown or not evaluated.",
}


def page(rule: Rule, numbers: Numbers | None = None) -> str:
    """The page of one rule: checks, reasons, remedies, limits, sources and examples.

    `numbers` are those of the policy in force, else those of the specification.
    """
    needs = "; ".join(" or ".join(alternatives) for alternatives in rule.needs)
    text = rule.page.partition("\n")[2].strip().format(**(numbers or Numbers()).filled())
    parts = [
        f"{rule.code} {rule.name}",
        text,
        f"Which way it errs: {_ERRS[rule.errs]}",
        f"Needs: {needs}" if needs else "",
        "Sources:\n" + "\n".join(f"- {cite}" for cite in rule.cites),
        "Examples:\n" + textwrap.indent(textwrap.dedent(rule.examples).strip("\n"), "    "),
    ]
    return "\n\n".join(part for part in parts if part)
