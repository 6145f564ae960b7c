"""What a run found, on one screen: the body of a mail or a message.

Source: docs/specification.md#digest.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from auditor.cases.states import STATES
from auditor.errors import InputRefused
from auditor.judging.findings import AMOUNT
from auditor.reports.page.phrases import evaluated, share, verdict
from auditor.reports.tables import URGENT, without_ids, worst_first
from auditor.run_summary import Summary
from auditor.runs import past
from auditor.runs.explain import find_run
from auditor.schema.names import counted

_RULES, _CASES, _WARNINGS, _RUNS = 5, 5, 3, 6
"""Rows on the screen; JSON has the whole trend."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Digest:
    """`run`, `headline` and `facts` (label, sentence); `rules`, `cases` and `trend` are tables; `warnings` sentences."""

    run: str
    headline: str
    facts: list[tuple[str, str]]
    rules: list[Row]
    cases: list[Row]
    warnings: list[str]
    trend: list[Row]
    folder: str


def digest(folder: Path, *, show_ids: bool = False) -> Digest:
    """The digest of a run; `folder` is the run's, or an output folder, of which the latest run is taken.

    Without `show_ids` it has no identifier. Raises UsageError where there is no run, InputRefused if it cannot be read.
    """
    run = find_run(folder).resolve()
    try:
        summary, findings = past.read(run / "summary.json"), past.scan(run, "findings").collect()
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        problem = f"the run's files cannot be read ({type(error).__name__}); run the audit again"
        raise InputRefused(f"{run}: {problem}") from None
    return Digest(
        run=summary.run_id,
        headline=verdict(summary)["headline"],
        facts=_facts(summary),
        rules=_rules(findings),
        cases=_cases(findings, show_ids),
        warnings=summary.warnings,
        trend=[row.model_dump() for row in summary.trend or past.trend(run.parent, summary)],
        folder=str(run),
    )


def _facts(summary: Summary) -> list[tuple[str, str]]:
    claims, money, ledger = summary.claims, summary.money, summary.ledger
    counts = ", ".join(f"{getattr(claims, name):,} {name}" for name in ("violation", "review", "incomplete", "clear"))
    amounts = f"{money.at_risk:,.2f} potential overpayment, {money.review:,.2f} under review"
    facts = [
        ("Claims", f"{claims.audited:,} audited: {counts}; {evaluated(summary)}"),
        ("Money", amounts + (f", {money.returned:,.2f} returned" if money.returned else "")),
    ]
    if ledger.run:
        marks = ", ".join(f"{count:,} {mark.replace('_', ' ')}" for mark, count in ledger.marks.items() if count)
        since = "Since last run" if ledger.previous_run else "First run"
        facts.append((since, marks or "nothing changed"))
        states = [
            f"{tally.findings:,} {state}" + (f" (next due {tally.next_due})" if tally.next_due else "")
            for state in STATES
            if (tally := ledger.work.get(state)) and tally.findings
        ]
        facts.append(("Cases", ", ".join(states) or "none"))
    return facts


def _alarms(findings: pl.DataFrame) -> pl.DataFrame:
    """The findings that are new, worse or reopened and not settled; all where there is no ledger."""
    return findings.filter(URGENT) if "mark" in findings.columns else findings


def _rules(findings: pl.DataFrame) -> list[Row]:
    """The rules of most new findings."""
    amount = AMOUNT.sum().cast(pl.Float64)
    counts = _alarms(findings).group_by("rule", "name").agg(findings=pl.len(), amount=amount)
    return counts.sort(pl.col("findings"), "rule", descending=[True, False]).head(_RULES).to_dicts()


def _cases(findings: pl.DataFrame, show_ids: bool) -> list[Row]:
    """The most urgent new findings."""
    names = ["rule", "outcome"]
    if "case_number" in findings.columns:
        names = ["case_number", "mark", *names]
    if show_ids:
        names += ["claim_id", "patient_id", "provider_id", "service_date"]
    if not show_ids and "case_number" not in findings.columns:
        return []
    first = worst_first(_alarms(findings), "outcome", _CASES, last=("rule",))
    return first.select(*names, "message" if show_ids else without_ids()).to_dicts()


def as_text(found: Digest) -> str:
    """For a terminal or a plain mail."""
    lines = [found.headline, ""]
    width = max(len(label) for label, _ in found.facts)
    lines += [f"{label:<{width}}  {sentence}" for label, sentence in found.facts]
    for title, rows in _tables(found):
        cells = [list(rows[0]), *(list(row.values()) for row in rows)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines += ["", title]
        lines += ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]
    if found.warnings:
        lines += ["", *(f"Warning: {text}" for text in _warnings(found))]
    return "\n".join([*lines, "", f"Report: {found.folder}"]) + "\n"


def as_markdown(found: Digest) -> str:
    """For a chat."""
    lines = [f"**{_escaped(found.headline)}**", ""]
    lines += [f"- {label}: {_escaped(sentence)}" for label, sentence in found.facts]
    for title, rows in _tables(found):
        lines += ["", f"{title}:", "", f"| {' | '.join(rows[0])} |", f"|{'---|' * len(rows[0])}"]
        lines += [f"| {' | '.join(map(_escaped, row.values()))} |" for row in rows]
    if found.warnings:
        lines += ["", *(f"- Warning: {_escaped(text)}" for text in _warnings(found))]
    return "\n".join([*lines, "", f"Report: `{found.folder}`"]) + "\n"


def as_html(found: Digest) -> str:
    """For an HTML mail: no script, no picture, nothing from elsewhere."""
    from jinja2 import Environment, PackageLoader

    environment = Environment(loader=PackageLoader("auditor.reports.page"), autoescape=True, trim_blocks=True,
                              lstrip_blocks=True)  # fmt: skip
    template = environment.get_template("digest.html.j2")
    return template.render(found=found, tables=list(_tables(found)), warnings=_warnings(found))


def _tables(found: Digest) -> list[tuple[str, list[dict[str, str]]]]:
    """What is shown as tables of text, with titles, if there is any of it."""
    every = [("New findings by rule", found.rules), ("Look at these first", found.cases)]
    if len(found.trend) > 1:
        rates = [None if row["violation_rate"] is None else share(row["violation_rate"]) for row in found.trend]
        rows = [row | {"violation_rate": rate} for row, rate in zip(found.trend, rates, strict=True)]
        every.append(("Last runs", rows[-_RUNS:]))
    return [
        (title, [{name.replace("_", " "): _cell(value) for name, value in row.items()} for row in rows])
        for title, rows in every
        if rows
    ]


def _warnings(found: Digest) -> list[str]:
    more = len(found.warnings) - _WARNINGS
    return found.warnings[:_WARNINGS] + ([f"{counted(more, 'more warning')} in the report"] if more > 0 else [])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _escaped(text: str) -> str:
    """Text in which no sign means anything to Markdown."""
    for sign in "\\`*_[]<>|#":
        text = text.replace(sign, f"\\{sign}")
    return text
