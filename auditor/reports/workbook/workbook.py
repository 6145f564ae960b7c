"""report.xlsx: the audit as a workbook, new findings first. Ids are text and dates are dates, so sheets can be sorted."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from auditor.choices import GONE
from auditor.judging.findings import KEYS
from auditor.reports.page.providers import has_payers, ranking
from auditor.reports.tables import first_rejects, urgent_first, with_history, worst_first
from auditor.reports.workbook import columns, runs_sheet, summary_sheet
from auditor.reports.workbook.sheets import ROWS_ABOVE, opened
from auditor.result import Result
from auditor.run_summary import Summary
from auditor.schema.names import counted

ROWS = 2_000
"""Rows of a sheet: reviewers work through hundreds; the CSV and Parquet files have all rows."""

DECISIONS = ["confirmed", "corrected", "refunded", "dismissed"]
_MISSING_NOTE = (
    "Cases without a finding in this run. Resolved: the claim was audited again and the rule found nothing. Not seen: "
    "this run could not check the case, for the reason shown."
)
_PROVIDERS_NOTE = (
    "Providers are ranked by the lower bound of the 95% Wilson interval, so that a few claims do not look like a pattern; "
    "providers with few claims come last. Above all claims: the rate exceeds that of all claims by more than chance "
    "explains."
)
_RULES_NOTE = "A rule that was not evaluated was not checked for any claim."
_REJECTS_NOTE = "Rejected rows, which were not used. Their values are not shown."
_RUN_NOTE = "Settings and inputs of the run. This file contains identifiers and dates: handle it as PHI."


def write(path: Path, result: Result, summary: Summary, cases: pl.DataFrame | None = None, rows: int = ROWS) -> None:
    """Write the workbook of a finished audit, at most so many rows a sheet. Raises OSError.

    `cases` are the run's cases in the ledger (`LedgerUpdate.cases`).
    """
    claims, findings = _linked(result, cases, rows)
    with opened(path, "Audit of telephone claims", summary.run_id, summary.started) as book:
        summary_sheet.write(book, result, summary)
        heads = [head for head in columns.FINDINGS if cases is not None or head.name not in columns.LEDGER]
        names = [head.name for head in heads]
        printed = 1 + names.index(columns.LAST_PRINTED)
        note = _findings_note(result.findings.height, rows)
        sheet = book.table("Findings", findings, heads, note, frozen=2, printed=printed)
        if findings.height:
            at = names.index("decision")
            sheet.data_validation(ROWS_ABOVE, at, ROWS_ABOVE + findings.height - 1, at, {
                "validate": "list", "source": DECISIONS, "error_title": "Decision",
                "error_message": "Choose " + ", ".join(DECISIONS) + ", or leave it blank.",
            })  # fmt: skip
        book.table("Claims", claims, columns.CLAIMS, _claims_note(result.claims.height, rows), frozen=2)
        if cases is not None:
            missing = cases.filter(pl.col("mark").is_in(GONE))
            note = _MISSING_NOTE + _rest(missing.height, rows, "cases.csv")
            book.table("Gone", missing.head(rows), columns.MISSING, note)
        providers = ranking(result.claims)
        more = f" The first {rows:,} of {providers.height:,}." if providers.height > rows else ""
        book.table("Providers", providers.head(rows), columns.PROVIDERS, _PROVIDERS_NOTE + more)
        if has_payers(result.claims):
            by_payer = ranking(result.claims, "payer")
            more = f" The first {rows:,} of {by_payer.height:,}." if by_payer.height > rows else ""
            book.table("Providers by payer", by_payer.head(rows), columns.PROVIDERS_BY_PAYER, _PROVIDERS_NOTE + more)
        book.table("Rules", _rules(summary), columns.RULES, _RULES_NOTE)
        runs_sheet.write(book, summary)
        rejected = sum(counts.rejected for counts in summary.rejects.values())
        note = _REJECTS_NOTE + _rest(rejected, rows, "rejects.csv")
        book.table("Rejects", first_rejects(result.inputs, rows), columns.REJECTS, note)
        book.table("Run", _run(summary).head(rows), columns.RUN, _RUN_NOTE)


def _linked(result: Result, cases: pl.DataFrame | None, rows: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The worst claims, and the findings in the order of work, each with the sheet where its link leads, if it is there."""
    findings = urgent_first(with_history(result.findings, cases), rows, 0, "first_run")
    claims = worst_first(result.claims, "disposition", rows)
    numbers = result.findings.group_by(KEYS).agg(findings=pl.len())
    claims = claims.join(numbers, on=KEYS, how="left", maintain_order="left")

    def leads(sheet: str, ids: pl.Series) -> pl.Expr:
        return pl.when(pl.col("claim_id").is_in(ids.implode())).then(pl.lit(sheet)).alias("link")

    return (
        claims.with_columns(leads("Findings", findings["claim_id"])),
        findings.with_columns(leads("Claims", claims["claim_id"])),
    )


def _rest(height: int, rows: int, file: str) -> str:
    return f" {file} has {counted(height - rows, 'more row')}." if height > rows else ""


def _findings_note(height: int, rows: int) -> str:
    shown = counted(height, "finding") if height <= rows else f"{rows:,} of {height:,} findings"
    return (
        f"{shown}, sorted by mark and state (new, worse, reopened, open, confirmed, others), then the worst first."
        f"{_rest(height, rows, 'findings.csv')} "
        "Fill in Decision, Note and Decided on. You can sort and filter; the links still lead to the right claim."
    )


def _claims_note(height: int, rows: int) -> str:
    if height <= rows:
        return f"All audited claims ({height:,}), the worst first."
    return f"{rows:,} of {height:,} audited claims, the worst first.{_rest(height, rows, 'claims.csv')}"


def _rules(summary: Summary) -> pl.DataFrame:
    rows = pl.DataFrame(list(map(vars, summary.rules)), infer_schema_length=None).with_columns(
        pl.col("reason").cast(pl.String)
    )
    counts = ("applicable", "violation", "review", "unknown")
    yes = pl.when("evaluated").then(pl.lit("yes")).otherwise(pl.lit("NO"))
    # A zero would read as "nothing found"; a rule that was not evaluated has no numbers.
    rows = rows.with_columns(pl.when("evaluated").then(pl.col(name)).alias(name) for name in counts)
    share = pl.when(pl.col("applicable") > 0).then(pl.col("violation") / pl.col("applicable"))
    return rows.with_columns(rate=share, evaluated=yes)


def _run(summary: Summary) -> pl.DataFrame:
    pairs = [(name, value) for name, value in _flat(summary.published()) if not name.startswith("rules.")]
    return pl.DataFrame(pairs, schema={"name": pl.String, "value": pl.String}, orient="row")


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every leaf of a summary as a dotted name and text."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        for number, inner in enumerate(value, 1):
            yield from _flat(inner, f"{name}.{number}")
    else:
        yield name, ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
