"""`audit98968 compare`: two runs side by side, for a person or for a program."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import polars as pl

from auditor.choices import CompareFormat
from auditor.reports import tables
from auditor.reports.text import console
from auditor.runs import compare as comparing
from auditor.runs.compare import Comparison
from auditor.runs.compare_causes import Causes
from auditor.schema.names import harmless
from cli.flags import require_choice
from cli.streams import data

_CHANGES = ("new", "gone", "changed")
_SHOWN = 60
"""Characters of a setting's value on a line."""


def compare(first: Path, second: Path | None, form: str, show_ids: bool) -> int:
    """Compare two runs on standard output, as `text`, `csv` or `jsonl`. Returns 0; raises AuditError."""
    require_choice("--format", form, get_args(CompareFormat))
    comparison = comparing.compare(first, second) if second else comparing.compare(comparing.before(first), first)
    if form == "text":
        out = console(sys.stdout)
        for line in _lines(comparison, show_ids):
            out.print(harmless(line), soft_wrap=True)
        return 0
    data((tables.to_csv if form == "csv" else tables.to_jsonl)(comparison.findings))
    return 0


def _lines(comparison: Comparison, show_ids: bool) -> Iterator[str]:
    yield f"First run {comparison.runs[0]}, second run {comparison.runs[1]}"
    if not comparison.causes and comparison.same_results:
        yield "No difference: equal inputs, settings and version, and the same claims, findings and amounts."
        return
    nothing = "Nothing recorded differs between the runs' inputs or settings."
    yield "What differs between the runs:" if comparison.causes else nothing
    yield from _causes(comparison.causes)
    if comparison.same_results:
        yield "No difference in the results: the same claims, findings and amounts."
        return
    claims = comparison.claims
    yield (
        f"Claims: {claims['both']:,} in both runs, {claims['first only']:,} in the first only, "
        f"{claims['second only']:,} in the second only; {int(comparison.moves['claims'].sum()):,} changed disposition"
    )
    yield from (f"  {before} -> {after}: {count:,}" for before, after, count in comparison.moves.iter_rows())
    yield f"{_money('Potential overpayment', comparison, 'at_risk')}; {_money('under review', comparison, 'review')}"
    counts = comparison.findings["change"].to_list()
    tally = ", ".join(f"{counts.count(change):,} {change}" for change in _CHANGES)
    yield f"Findings: {comparison.totals[0]:,} -> {comparison.totals[1]:,}; {tally}"
    if counts:
        yield from _tally(comparison.findings, "rule")
        yield from _tally(comparison.findings, "cause")
    if show_ids:
        yield from _listed(comparison.findings)


def _causes(causes: Causes) -> Iterator[str]:
    for file in causes.inputs:
        rows = " -> ".join(f"{count:,}" for count in file.rows if count is not None)
        yield f"  data: {file.table} {file.path} {file.change} ({rows} rows)"
    if causes.version:
        yield f"  version: {_pair(causes.version)}"
    if "name" in causes.policy_file:
        yield f"  policy: {_pair(causes.policy_file['name'])}"
    elif causes.policy_file:
        yield "  policy: its file changed" + ("" if causes.policy else ", but nothing that is in force")
    for subject, pairs in (("policy", causes.policy), ("setting", causes.settings), ("coverage", causes.coverage)):
        yield from (f"  {subject} {name}: {_pair(pair)}" for name, pair in pairs.items())
    for code, (first, second) in causes.rules.items():
        yield f"  rule {code}: {_evaluated(first)} -> {_evaluated(second)}"


def _pair(pair: tuple[Any, Any]) -> str:
    """Both values; of two lists what only one has, since the lists of a policy are long."""
    first, second = pair
    if isinstance(first, list) and isinstance(second, list):
        lost, won = ([x for x in a if x not in b] for a, b in ((first, second), (second, first)))
        parts = [f"{text} {', '.join(map(str, items))}" for text, items in (("without", lost), ("with", won)) if items]
        return "; ".join(map(_cut, parts)) or "another order"
    return " -> ".join("unset" if value is None else _cut(value) for value in pair)


def _cut(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def _evaluated(reason: str | None) -> str:
    return f"not evaluated ({reason})" if reason else "evaluated"


def _money(label: str, comparison: Comparison, kind: str) -> str:
    first, second = comparison.money[kind]
    return f"{label} {first:,.2f} -> {second:,.2f} ({second - first:+,.2f})"


def _tally(findings: pl.DataFrame, by: str) -> Iterator[str]:
    """New, gone and changed findings by a column, aligned."""
    counts = [(pl.col("change") == change).sum().alias(change) for change in _CHANGES]
    counted = findings.group_by(by).agg(counts).sort(by)
    width = max(len(by), *(len(name) for name in counted[by]))
    yield f"{by:<{width}}" + "".join(f"{change:>9}" for change in _CHANGES)
    for name, *numbers in counted.iter_rows():
        yield f"{name:<{width}}" + "".join(f"{number:>9,}" for number in numbers)


def _listed(findings: pl.DataFrame) -> Iterator[str]:
    for row in findings.iter_rows(named=True):
        heading = f" ({', '.join(row['what'])})" if row["what"] else ""
        yield (
            f"{row['change']} {row['rule']} claim {row['claim_id']} line {row['claim_line']} {row['cpt_code']}: "
            f"{row['before']} -> {row['after']}{heading}; {row['why']} [{row['cause']}]"
        )
