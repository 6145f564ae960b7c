"""The summary that a person reads first, on a terminal or in a log. No identifier ever appears in it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from auditor.report.summary import Summary

_PIPE_WIDTH = 240
"""Columns where no terminal limits them: nothing is cut or wrapped in a pipe."""

_STYLES = {"violation": "bold red", "review": "yellow", "incomplete": "cyan", "clear": "green"}


def console(stream: TextIO) -> Console:
    """A console that colours and wraps on a terminal only, and takes data as data."""
    terminal = stream.isatty()
    width = None if terminal else _PIPE_WIDTH
    return Console(file=stream, markup=False, highlight=False, emoji=False, soft_wrap=not terminal, width=width,
                   force_terminal=terminal, no_color=None if terminal else True)  # fmt: skip


def write(stream: TextIO, summary: Summary, folder: Path | None) -> None:
    """Print the summary of a finished audit."""
    out = console(stream)
    out.print(_evaluated(summary))
    out.print(_claims_line(summary))
    if not summary["claims"]["audited"]:
        codes = ", ".join(summary["settings"]["codes"])
        out.print(f"No claim was audited: the inputs hold no active line with {codes} in the audited dates.")
    out.print(_money_line(summary["money"]))
    coverage = summary["coverage"]
    out.print(
        f"Visits cover {coverage['visits_since']} to {coverage['as_of']}; lines since {coverage['claims_since']}; "
        f"policy {summary['policy']['name']}, {summary['timezone']}"
    )
    _rows(out, summary)
    _rules(out, summary["rules"])
    if folder:
        out.print(f"Report: {folder}")


def _evaluated(summary: Summary) -> str:
    skipped = [rule for rule in summary["rules"] if not rule["evaluated"]]
    reasons = "; ".join(f"{rule['code']} ({rule['reason']})" for rule in skipped)
    tail = f"; not evaluated: {reasons}" if skipped else ""
    return f"{summary['rules_evaluated']} of {summary['rules_total']} rules evaluated{tail}"


def _claims_line(summary: Summary) -> Text:
    claims = summary["claims"]
    line = Text(f"{claims['audited']:,} claims audited:")
    for name in ("violation", "review", "incomplete", "clear"):
        line.append(f" {claims[name]:,} {name}", style=_STYLES[name] if claims[name] else "")
        line.append("," if name != "clear" else "")
    line.append(f"; not audited: {claims['void']:,} void, {claims['denied']:,} denied")
    if claims["not_applicable"]:
        line.append(f", {claims['not_applicable']:,} outside the policy's dates")
    return line


def _money_line(money: dict[str, Any]) -> str:
    line = f"Potential overpayment {money['at_risk']:,.2f}; under review {money['review']:,.2f}"
    missing = money["without_amount"]
    return f"{line}; {missing:,} of these claims carry no amount" if missing else line


def _rows(out: Console, summary: Summary) -> None:
    """Rows in = rows used + rejected, table by table."""
    for table, rejects in summary["rejects"].items():
        files = [entry for entry in summary["inputs"] if entry["table"] == table]
        rows, used = (sum(entry[name] for entry in files) for name in ("rows", "used"))
        line = f"{table}: {rows:,} rows = {used:,} used + {rejects['rejected']:,} rejected"
        details = [f"{rejects['duplicates']:,} duplicates"] if rejects["duplicates"] else []
        if rejects["without_patient"]:
            details.append(f"{rejects['without_patient']:,} WITHOUT A READABLE PATIENT")
        out.print(line + (f" ({', '.join(details)})" if details else ""))
    unknown: dict[str, int] = {}
    for value in summary["unrecognised"]:
        name = f"{value['table']}.{value['column']}"
        unknown[name] = unknown.get(name, 0) + value["count"]
    for name, count in unknown.items():
        out.print(f"{name}: {count:,} unrecognised values; summary.json lists them")


def _rules(out: Console, rules: Sequence[dict[str, Any]]) -> None:
    fired = [rule for rule in rules if rule["violation"] or rule["review"] or rule["unknown"]]
    if not fired:
        return
    table = Table(box=None, pad_edge=False, show_edge=False)
    for name in ("rule", "name"):
        table.add_column(name, no_wrap=True)
    for name in ("violation", "review", "unknown", "applicable"):
        table.add_column(name, justify="right")
    for rule in fired:
        table.add_row(rule["code"], rule["name"], *(f"{rule[name]:,}" for name in
                      ("violation", "review", "unknown", "applicable")))  # fmt: skip
    out.print(table)
