"""The first sheet of report.xlsx: the numbers of summary.json with native charts."""

from dataclasses import dataclass
from typing import Any

from xlsxwriter import Workbook
from xlsxwriter.chart import Chart
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from auditor.reports.page import charts
from auditor.reports.page.phrases import (
    evaluated,
    first_steps,
    money_facts,
    open_for,
    past_lookback,
    period,
    verdict,
)
from auditor.reports.workbook.sheets import WorkbookWriter
from auditor.result import Result
from auditor.run_summary import Summary, Tally
from auditor.schema.names import counted, found_of


def write(opened: WorkbookWriter, result: Result, summary: Summary) -> None:
    """The first sheet: the numbers of summary.json, then three charts beside the tables that they draw."""
    book, claims = opened.book, summary.claims
    sheet = book.add_worksheet("Summary")
    sheet.set_column(0, 0, 38)
    sheet.set_column(1, 1, 20)
    sheet.set_column(2, 3, 17)
    sheet.hide_gridlines(2)
    opened.paper(sheet)
    sheet.set_print_scale(65)  # fitting to the width would ignore the page break before the rules
    at, facts = _Cursor(sheet, opened.formats), list(money_facts(summary))
    _answer(at, summary, facts)
    if summary.ledger.run:
        _cases(at, summary)
    _scope(at, result, summary)
    first = _dispositions(at, summary)
    _money(at, summary, facts)
    if summary.payers:
        _payers(at, summary)
    fired, rules_at = _rules(at, summary)
    unit, periods = charts.trend(result.claims)
    at.heads(f"{unit.capitalize()} of", "Violation rate", "Claims")
    trend_at = at.row
    for start, count, rate in periods.select("start", "claims", "rate").iter_rows():
        at.cells(str(start), (rate, "share"), (count, "number"))
    if claims.audited:
        _bar(book, sheet, "Claims by disposition", 2, (first, first + 3), 1)
        _line(book, sheet, f"Violation rate by {unit}; a {unit} without claims is blank", 13, (trend_at, at.row - 1))
    if fired:
        title = "Claims by rule; rules without findings are left out"
        _bar(book, sheet, title, rules_at, (rules_at, rules_at + fired - 1), 2)
    sheet.set_h_pagebreaks([rules_at - 1])


def _answer(at: "_Cursor", summary: Summary, facts: list[dict[str, Any]]) -> None:
    at.line("Audit of telephone claims", None, "title")
    at.line(str(verdict(summary)["headline"]), None, "answer")
    for label, fact in zip(("At risk", "Under review"), facts, strict=True):
        amount = "not known" if fact["amount"] is None else f"${fact['amount']:,.2f}"
        at.line(label, f"{amount} {fact['sentence']}")
    for number, step in enumerate(first_steps(summary)):
        at.line("Then" if number else "Do first", step)
    at.gap()


def _cases(at: "_Cursor", summary: Summary) -> None:
    for mark, counts in summary.ledger.this_run.items():
        at.line(f"This run: {mark}", _tallied(counts))
    for state, counts in summary.ledger.work.items():
        due = f", the next due on {counts.next_due}" if counts.next_due else ""
        age = f", {open_for(summary)}" if state == "open" and open_for(summary) else ""
        at.line(f"Cases: {state}", _tallied(counts) + due + age)
    at.gap()


def _scope(at: "_Cursor", result: Result, summary: Summary) -> None:
    cover = summary.coverage
    other_rules = "; the others (see sheet Rules) are not clear"
    other_rules = other_rules if summary.rules_evaluated < summary.rules_total else ""
    at.line("Rules evaluated", evaluated(summary).replace(" rules evaluated", "") + other_rules)
    at.line("Service dates", period(result.claims) or "no claim was audited")
    until = f"{cover.as_of:%Y-%m-%d %H:%M}" if cover.as_of else "unknown"
    at.line("Visits cover", f"{cover.visits_since} to {until}" if cover.as_of or cover.visits_since else "no dates")
    at.line("Billed lines since", str(cover.claims_since))
    at.line("Policy", f"{summary.policy.shown}, {summary.zones}")
    at.line("Run", f"{summary.run_id}, audit98968 {summary.version}")
    for join in summary.joins:
        nearly = f", {join.nearly_equal:,} written differently" if join.nearly_equal else ""
        at.line(f"Ids in {join.column}", f"{found_of(join.found, join.values, join.of)}{nearly}")
    if summary.blank_columns:
        at.line("Blank in every row, so absent", ", ".join(summary.blank_columns))
    at.gap()


def _dispositions(at: "_Cursor", summary: Summary) -> int:
    """The row of the first disposition."""
    claims = summary.claims
    at.heads("Claims", "Number", "Share")
    first = at.row
    for name in ("violation", "review", "incomplete", "clear"):
        share = getattr(claims, name) / claims.audited if claims.audited else None
        at.cells(name, (getattr(claims, name), "number"), (share, "share"))
    at.cells("audited", (claims.audited, "number"))
    at.cells("clear because the patient has no visit", (claims.clear_by_absence, "number"))
    for name in ("void", "denied", "rejected", "not_applicable"):
        at.cells(f"not audited: {name.replace('_', ' ')}", (getattr(claims, name), "number"))
    at.gap()
    return first


def _money(at: "_Cursor", summary: Summary, facts: list[dict[str, Any]]) -> None:
    at.heads("Potential overpayment", "Amount", "Without amount")
    for label, fact in zip(("claims in violation", "separately: claims to review"), facts, strict=True):
        at.cells(label, (fact["amount"], "money"), (fact["missing"], "number"))
    if summary.ledger.run:
        at.cells("returned (sum of refunds)", (summary.money.returned, "money"))
        at.cells("still at risk after partial refunds", (summary.money.not_returned, "money"))
    if claims_past := past_lookback(summary):
        at.line("Before the lookback period", claims_past)
    at.line("An overpayment is potential until a reviewer confirms it.", None, "note")
    at.gap()


def _payers(at: "_Cursor", summary: Summary) -> None:
    at.heads("Payer, policy", "Claims", "Findings", "At risk", "Under review")
    for row in summary.payers:
        numbers = (
            (row.claims, "number"),
            (row.findings, "number"),
            (row.at_risk, "money"),
            (row.under_review, "money"),
        )
        at.cells(f"{row.payer or 'not stated'}, {row.policy or 'none'}", *numbers)
    at.gap()


def _rules(at: "_Cursor", summary: Summary) -> tuple[int, int]:
    """The number of rules with findings, and the row of the first one."""
    at.heads("Rule", "Violation", "Review", "Amount")
    first = at.row
    for rule in charts.most_findings_first(summary.rules):
        amount = rule.violation_amount + rule.review_amount
        at.cells(f"{rule.code} {rule.name}", (rule.violation, "number"), (rule.review, "number"), (amount, "money"))
    fired = at.row - first
    at.gap()
    return fired, first


def _tallied(counts: Tally) -> str:
    """`5 on 3 claims, $150.50`."""
    claims = counted(counts.claims, "claim")
    return f"{counts.findings:,} on {claims}, ${counts.amount:,.2f}" if counts.findings else "none"


@dataclass
class _Cursor:
    """Writes a sheet downwards."""

    sheet: Worksheet
    formats: dict[str, Format]
    row: int = 0

    def line(self, label: str, value: str | None, kind: str = "plain") -> None:
        if kind in ("title", "answer"):
            self.sheet.set_row(self.row, 24)
        self.sheet.write_string(self.row, 0, label, self.formats[kind])
        if value is not None:
            self.sheet.write_string(self.row, 1, value, self.formats["plain"])
        self.row += 1

    def heads(self, *labels: str) -> None:
        for at, label in enumerate(labels):
            self.sheet.write_string(self.row, at, label, self.formats["head_right" if at else "head"])
        self.row += 1

    def cells(self, label: str, *values: tuple[float | None, str]) -> None:
        self.sheet.write_string(self.row, 0, label, self.formats["plain"])
        for at, (value, kind) in enumerate(values, 1):
            if value is None:
                self.sheet.write_string(self.row, at, "not known" if kind == "money" else "")
            else:
                self.sheet.write_number(self.row, at, value, self.formats[kind])
        self.row += 1

    def gap(self) -> None:
        self.row += 1


def _bar(book: Workbook, sheet: Worksheet, title: str, row: int, rows: tuple[int, int], series: int) -> None:
    chart = book.add_chart({"type": "bar", "subtype": "stacked"})
    for at, name in zip(range(1, series + 1), ("violation", "review"), strict=False):
        points = [{"fill": {"color": charts.INK[key]}} for key in ("violation", "review", "incomplete", "clear")]
        chart.add_series({
            "name": name if series > 1 else "claims", "categories": _cells(rows, 0), "values": _cells(rows, at),
            "fill": {"color": charts.INK[name]}, "gap": 60,
            **({"points": points, "data_labels": {"value": True}} if series == 1 else {}),
        })  # fmt: skip
    chart.set_y_axis({"reverse": True, "interval_unit": 1})
    chart.set_x_axis({"major_gridlines": {"visible": False}, "num_format": "#,##0"})
    chart.set_legend({"position": "bottom"} if series > 1 else {"none": True})
    _place(sheet, chart, title, row, 110 + 20 * (rows[1] - rows[0] + 1))


def _line(book: Workbook, sheet: Worksheet, title: str, row: int, rows: tuple[int, int]) -> None:
    chart = book.add_chart({"type": "line"})
    chart.add_series({
        "name": "violation rate", "categories": _cells(rows, 0), "values": _cells(rows, 1),
        "line": {"color": charts.INK["violation"], "width": 1.75}, "marker": {"type": "circle", "size": 4},
    })  # fmt: skip
    chart.set_y_axis({"num_format": "0%", "min": 0, "major_gridlines": {"visible": True, "line": {"color": "#E4E7EC"}}})
    chart.set_x_axis({"num_font": {"rotation": -45}})
    chart.set_legend({"none": True})
    _place(sheet, chart, title, row, 260)


def _cells(rows: tuple[int, int], column: int) -> list[str | int]:
    return ["Summary", rows[0], column, rows[1], column]


def _place(sheet: Worksheet, chart: Chart, title: str, row: int, height: int) -> None:
    chart.set_title({"name": title, "name_font": {"size": 12}})
    chart.set_size({"width": 640, "height": height})
    sheet.insert_chart(row, 5, chart)
