"""The summary that a person reads first, on a terminal or in a log. No identifier ever appears in it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

import polars as pl
from rich.console import Console
from rich.table import Table
from rich.text import Text

from auditor.cases.states import STATES
from auditor.reading.files import shown
from auditor.reports.page.phrases import (
    evaluated,
    no_policy,
    open_for,
    past_lookback,
    reach,
    tables,
    verdict,
    why_none_audited,
)
from auditor.reports.summary import shown_payers
from auditor.reports.tables import URGENT, without_ids, worst_first
from auditor.rules.phone_log import NO_LOG
from auditor.rules.rule import UNASKED
from auditor.run_summary import Join, PayerResult, RuleResult, Summary, Tally
from auditor.schema.names import counted, found_of, harmless

_PIPE_WIDTH = 240
"""Columns where no terminal limits them: nothing is cut or wrapped in a pipe."""

_ROWS = 9
"""Rules shown on a terminal."""
_URGENT_SHOWN = 10
"""Urgent findings of the run that are listed."""

STYLES = {"violation": "bold red", "review": "yellow", "unknown": "cyan", "incomplete": "cyan", "clear": "green"}


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to the caller: rich would end the program with the exit code that means findings."""
        raise BrokenPipeError


def console(stream: TextIO) -> Console:
    """A console that colours and wraps on a terminal only, and takes data as data."""
    terminal = stream.isatty()
    width = None if terminal else _PIPE_WIDTH
    return _Console(file=stream, markup=False, highlight=False, emoji=False, soft_wrap=not terminal, width=width,
                   force_terminal=terminal, no_color=None if terminal else True)  # fmt: skip


def write(
    stream: TextIO,
    summary: Summary,
    findings: pl.DataFrame,
    providers: pl.DataFrame,
    folder: Path | None,
    cases: pl.DataFrame | None = None,
    *,
    show_ids: bool,
    warnings_shown_elsewhere: bool = False,
) -> None:
    """Print the summary of a finished audit: blocks of 80 columns on a terminal, unwrapped in a pipe, the conclusion last.

    `providers` is `providers.ranking`; without `show_ids` they are numbered by rank. `cases` are the run's cases in the
    ledger (`LedgerUpdate.cases`). `warnings_shown_elsewhere`: the warnings are on the same terminal.
    """
    out = console(stream)
    most = _ROWS if stream.isatty() else None
    out.print(evaluated(summary))
    out.print(_claims_line(summary))
    if not summary.claims.audited:
        out.print(f"No claim was audited: {why_none_audited(summary)}")
    out.print(_money_line(summary))
    if summary.past_lookback.claims:
        out.print(past_lookback(summary))
    for line in _payer_lines(summary.payers if show_ids else shown_payers(summary)):
        out.print(line)
    out.print(f"Visits cover {reach(summary.coverage)}; policy {summary.policy.shown}, {summary.zones}")
    out.print(_rows_line(summary))
    if summary.blank_columns:
        out.print(f"Blank in every row, so absent: {', '.join(summary.blank_columns)}")
    if most is None and summary.joins:
        out.print(_joins_line(summary.joins))
    for table in (_rules(summary.rules, most), _providers(providers, most, show_ids)):
        if table.row_count:
            out.print(table)
    out.print(_not_evaluated(summary, most))
    if warnings_shown_elsewhere and summary.warnings:
        out.print(f"{counted(len(summary.warnings), 'warning')}, shown below")
    elif summary.warnings:
        out.print("Warnings:")
        for warning in summary.warnings:
            out.print(f"- {warning}")
    if summary.ledger.run and cases is not None:
        decided = cases.select("reopened_from", "decided_on", case_number="number")
        urgent = findings.filter(URGENT).join(decided, on="case_number", how="left", maintain_order="left")
        _ledger_lines(out, summary, urgent, folder, show_ids)
    if summary.ledger.unchecked.is_alarming:
        out.print(summary.ledger.unchecked.sentence)
    out.print(Text(verdict(summary)["headline"], style="bold"))
    if folder:
        page = folder / "report.html"
        out.print(f"Report: {shown(page if page.exists() else folder)}")


def _claims_line(summary: Summary) -> Text:
    claims = summary.claims
    line = Text(f"{counted(claims.audited, 'claim')} audited:")
    for name in ("violation", "review", "incomplete", "clear"):
        count = getattr(claims, name)
        line.append(f" {count:,} {name}", style=STYLES[name] if count else "")
        line.append("," if name != "clear" else "")
    if claims.clear and summary.rules_evaluated < summary.rules_total:
        count = summary.rules_evaluated
        line.append(f" under the {count} {'rule' if count == 1 else 'rules'} evaluated")
    if claims.clear_by_absence:
        line.append(f" ({claims.clear_by_absence:,} because the patient has no visit in the export)", style="bold")
    if summary.after_decisions.settled:
        line.append(", before decisions")
    line.append(f"; not audited: {claims.void:,} void, {claims.denied:,} denied")
    if claims.rejected:
        line.append(f", {claims.rejected:,} rejected", style="bold red")
    if claims.not_applicable:
        line.append(f", {claims.not_applicable:,} {no_policy(summary)}")
    return line


def _money_line(summary: Summary) -> str:
    money, counts = summary.money, summary.after_decisions
    line = f"Potential overpayment {money.at_risk:,.2f}; under review {money.review:,.2f}"
    if missing := money.without_amount:
        line += f"; {counted(missing, 'claim')} without an amount"
    if money.not_returned:
        line += f"; {money.not_returned:,.2f} of that not yet refunded"
    if money.returned:
        line += f"; returned {money.returned:,.2f}"
    if settled := counts.settled_findings:
        line += f"; not included: {counted(settled, 'finding')} corrected, refunded or dismissed"
    return line


def _payer_lines(payers: Sequence[PayerResult]) -> Iterator[str]:
    """`Medicare (policy medicare): 12 claims, 3 violation, 1 review; 3 findings; potential overpayment 90.00; ...`."""
    for row in payers:
        name = harmless(row.payer) if row.payer else "Other payers"
        yield (
            f"{name} ({f'policy {row.policy}' if row.policy else 'no policy'}): {counted(row.claims, 'claim')}, "
            f"{row.violation:,} violation, {row.review:,} review; {counted(row.findings, 'finding')}; "
            f"potential overpayment {row.at_risk:,.2f}; under review {row.under_review:,.2f}"
        )


def _ledger_lines(out: Console, summary: Summary, urgent: pl.DataFrame, folder: Path | None, show_ids: bool) -> None:
    """What the ledger knows: the cases by mark and by state, and this run's urgent findings one by one."""
    ledger = summary.ledger
    marks = ", ".join(f"{count:,} {mark.replace('_', ' ')}" for mark, count in ledger.marks.items())
    before = f"Since the run {ledger.previous_run}" if ledger.previous_run else "First run of this ledger"
    if ledger.repeats:
        before = f"Inputs and settings of the run {ledger.repeats} again"
    out.print(f"{before}: {marks}")
    out.print("Cases by state, each claim's money once:")
    for state in STATES:
        out.print(f"  {_state(state, ledger.work[state], summary)}")
    rows = worst_first(urgent, "outcome", _URGENT_SHOWN, last=("rule",))
    sentences = rows.select("message" if show_ids else without_ids())["message"]
    for row, sentence in zip(rows.iter_rows(named=True), sentences, strict=True):
        on = f" of {row['service_date']}" if show_ids else ""
        amount = f", {row['amount']:,.2f}" if row["amount"] is not None else ""
        former = f" (was {row['reopened_from']} on {row['decided_on']})" if row["reopened_from"] else ""
        which = f"case {row['case_number']}, {row['rule']} {row['name']}{on}{amount}{former}"
        out.print(f"  {row['mark']}: {which}" + (f": {harmless(sentence)}" if sentence else ""))
    if more := urgent.height - rows.height:
        out.print(f"  and {more:,} more: audit98968 cases list {shown(folder.parent) if folder else 'DIR'} --mark new")
    out.print(f"This run: {'; '.join(_tallied(counts, mark) for mark, counts in ledger.this_run.items())}")


def _state(state: str, counts: Tally, summary: Summary) -> str:
    """`confirmed: 2 cases on 1 claim, 30.00, the next due on 2026-03-31`, or `confirmed: none`."""
    money = summary.money
    line = f"{state}: none"
    if counts.findings:
        cases, claims = counted(counts.findings, "case"), counted(counts.claims, "claim")
        line = f"{state}: {cases} on {claims}, {counts.amount:,.2f}"
    if counts.next_due:
        line += f", the next due on {counts.next_due}"
    if state == "open" and (age := open_for(summary)):
        line += f", {age}"
    return f"{line}; returned {money.returned:,.2f}" if state == "refunded" and money.returned else line


def _tallied(counts: Tally, mark: str) -> str:
    """`5 new on 3 claims, 150.50`, or `none new`."""
    if not counts.findings:
        return f"none {mark}"
    return f"{counts.findings:,} {mark} on {counted(counts.claims, 'claim')}, {counts.amount:,.2f}"


def _rows_line(summary: Summary) -> str:
    """Rows in = rows used + rejected + left out, table by table, and the values that no vocabulary knows."""
    parts = []
    for table in tables(summary):
        details = [counted(table["duplicates"], "duplicate")] if table["duplicates"] else []
        if table["without_patient"]:
            details.append(f"{table['without_patient']:,} WITHOUT A VALID PATIENT ID")
        part = (
            f"{table['name']} {counted(table['rows'], 'row')} = {table['used']:,} used + {table['rejected']:,} rejected"
        )
        part += f" + {table['left_out']:,} left out" if table["left_out"] else ""
        parts.append(f"{part} ({', '.join(details)})" if details else part)
    unknown = sum(value.count for value in summary.unrecognised)
    return "; ".join(parts) + (f"; {counted(unknown, 'unrecognized value')}" if unknown else "")


def _joins_line(joins: Sequence[Join]) -> str:
    """How many different ids of audited claims are found in other tables."""
    sentences = []
    for join in joins:
        nearly = f" and {join.nearly_equal:,} written differently" if join.nearly_equal else ""
        sentences.append(f"{found_of(join.found, join.values, join.of)} in {join.column}{nearly}")
    return f"Matching ids: {'; '.join(sentences)}"


def _rules(rules: Sequence[RuleResult], most: int | None) -> Table:
    """The rules with findings or unknown outcomes; if not all are shown, those with the most violations first."""
    fired = [rule for rule in rules if rule.violation or rule.review or rule.unknown]
    shown = fired if most is None else sorted(fired, key=lambda rule: (-rule.violation, -rule.review))[:most]
    table = Table(box=None, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
    table.add_column("rule", no_wrap=True)
    for name in ("violation", "review", "unknown", "amount"):
        table.add_column(name, justify="right")
    for rule in shown:
        counts = (f"{count:,}" for count in (rule.violation, rule.review, rule.unknown))
        amount = rule.violation_amount + rule.review_amount
        table.add_row(f"{rule.code} {rule.name}", *counts, f"{amount:,.2f}" if amount else "")
    if len(fired) > len(shown):
        table.caption = f"and {counted(len(fired) - len(shown), 'more rule')} in the report"
        table.caption_justify = "left"
    return table


def _providers(providers: pl.DataFrame, most: int | None, show_ids: bool) -> Table:
    """The providers with the highest violation rates, by the lower bound of the interval."""
    table = Table(box=None, pad_edge=False, show_edge=False)
    table.add_column("provider", no_wrap=True)
    table.add_column("violations", justify="right")
    worst = providers.filter(pl.col("violation") > 0).head(10 if most is None else 3)
    for number, row in enumerate(worst.iter_rows(named=True), start=1):
        label = harmless(row["provider_id"]) if show_ids else f"#{number}"
        table.add_row(label, f"{row['violation']:,} of {row['claims']:,}")
    return table


def _not_evaluated(summary: Summary, most: int | None) -> str:
    skipped = [rule for rule in summary.rules if not rule.evaluated and rule.reason not in (UNASKED, NO_LOG)]
    unasked = ""
    for reason, because in ((UNASKED, f"because {UNASKED}"), (NO_LOG, "without a phone log")):
        if codes := ", ".join(rule.code for rule in summary.rules if rule.reason == reason):
            unasked += f"; not evaluated {because}: {codes}"
    if not skipped:
        return f"Every rule that the policy asks for was evaluated{unasked}"
    if most is not None and len(skipped) > 2:
        return f"Not evaluated: {', '.join(rule.code for rule in skipped)}; the report says why{unasked}"
    return "Not evaluated: " + "; ".join(f"{rule.code} ({rule.reason})" for rule in skipped) + unasked
