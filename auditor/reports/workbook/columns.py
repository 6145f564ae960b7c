"""The columns of report.xlsx in their order, sheet by sheet: those of the published tables, and some of its own."""

from dataclasses import replace

from auditor.reports.page.run_trend import HEADINGS
from auditor.reports.workbook.sheets import Column
from auditor.schema.outputs import TABLES

_KINDS = {"whole number": "number", "dollars": "money", "date": "date", "instant": "instant"}


def _published(table: str, **widths: int) -> tuple[Column, ...]:
    """Columns of a published table, with their widths."""
    columns = [(TABLES[table][name], width) for name, width in widths.items()]
    return tuple(Column(one.name, one.heading, _KINDS.get(one.type, "text"), width) for one, width in columns)


FINDINGS = (
    Column("link", "Claim", "link", 7),
    *_published("findings", claim_id=16, mark=9, case_number=6, outcome=9, rule=8, service_date=11),
    *_published("cases", amount=10),
    replace(*_published("findings", message=44), kind="wrapped"),
    Column("decision", "Decision", "open", 12),
    Column("note", "Note", "open", 28),
    Column("decided_on", "Decided on", "open_date", 11),
    *_published("findings", state=10, provider_id=14, patient_id=14),
    Column("former", "Previous decision", width=28),
    *_published("findings", name=28, claim_line=6, cpt_code=7, payer=14, minutes=8, related_id=18, related_at=16,
                gap_days=8, at_risk_amount=14),
    *_published("cases", first_run=24, assignee=20),
    *_published("findings", source_file=24, source_record=8),
)  # fmt: skip
"""The columns that a reviewer reads and fills in fit a screen of 1366 pixels; the others are to the right."""
LAST_PRINTED = "patient_id"
"""The last of these columns that is on paper: more of them would be too small to read."""
LEDGER = ("mark", "case_number", "state", "former", "first_run", "assignee")
"""Columns of the findings that exist only with a ledger."""
MISSING = _published("cases", number=7, rule=9, claim_id=18, claim_line=6, cpt_code=7, outcome=12, mark=11, why=44,
                     state=10, assignee=20, first_run=24, last_run=24)  # fmt: skip
CLAIMS = (
    Column("link", "Findings", "link", 9),
    *_published("claims", claim_id=18, disposition=12, claim_line=6, cpt_code=7, provider_id=14, patient_id=14,
                service_date=11, call_start=16, call_end=16, minutes=8),
    Column("findings", "Findings", "number", 9),
    *_published("claims", violations=20, reviews=20, unknowns=20, supportable_code=11, billed_amount=11, paid_amount=11,
                at_risk_amount=13, review_amount=11),
)  # fmt: skip
PROVIDERS = (
    *_published("claims", provider_id=18),
    Column("claims", "Claims", "number"),
    Column("violation", "Violation", "number"),
    Column("review", "Review", "number"),
    Column("incomplete", "Incomplete", "number"),
    Column("clear", "Clear", "number"),
    Column("rate", "Violation rate", "share"),
    Column("low", "95% interval, low", "share"),
    Column("high", "95% interval, high", "share"),
    Column("above", "Above all claims", width=10),
    Column("at_risk", "Potential overpayment", "money", 14),
)
PROVIDERS_BY_PAYER = (*PROVIDERS[:1], *_published("claims", payer=18), *PROVIDERS[1:])
RULES = (
    Column("code", "Rule", width=9),
    Column("name", "Name", width=34),
    Column("evaluated", "Evaluated", width=10),
    Column("reason", "Reason not evaluated", width=44),
    Column("applicable", "Claims it applies to", "number"),
    Column("violation", "Violation", "number"),
    Column("review", "Review", "number"),
    Column("unknown", "Unknown", "number"),
    Column("rate", "Violation rate", "share"),
    Column("violation_amount", "Amount in violation", "money", 14),
    Column("review_amount", "Amount to review", "money", 14),
    Column("dismissed", "Dismissed findings", "number"),
    Column("settled", "Corrected, refunded or dismissed", "number"),
)
_FORMS = {"violation_rate": "share", "returned": "money"}
RUNS = (
    Column("run", "Run", width=28),
    *(Column(name, heading, _FORMS.get(name, "number"), 14) for name, heading in HEADINGS.items()),
)
REJECTS = _published("rejects", table_name=10, source_file=40, source_record=12, column_name=20, reason=60)
RUN = (Column("name", "Name", width=34), Column("value", "Value", width=110))
