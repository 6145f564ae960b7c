"""The columns of report.xlsx, sheet by sheet."""

from auditor.reports.workbook.sheets import Column

FINDINGS = (
    Column("link", "Claim", "link", 7),
    Column("claim_id", "Claim id", width=16),
    Column("mark", "Since last run", width=9),
    Column("case_number", "Case", "number", 6),
    Column("outcome", "Outcome", width=9),
    Column("rule", "Rule", width=8),
    Column("service_date", "Service date", "date", 11),
    Column("amount", "Claim amount", "money", 10),
    Column("message", "What was found", width=44),
    Column("decision", "Decision", "open", 12),
    Column("note", "Note", "open", 28),
    Column("decided_on", "Decided on", "open_date", 11),
    Column("state", "State", width=10),
    Column("former", "Previous decision", width=28),
    Column("name", "Rule name", width=28),
    Column("claim_line", "Line", width=6),
    Column("cpt_code", "Code", width=7),
    Column("provider_id", "Provider id", width=14),
    Column("patient_id", "Patient id", width=14),
    Column("payer", "Payer", width=14),
    Column("minutes", "Minutes", "number", 8),
    Column("related_id", "Related record", width=18),
    Column("related_at", "Time of related record", "instant", 16),
    Column("gap_days", "Days apart", "number", 8),
    Column("at_risk_amount", "Potential overpayment (once per claim)", "money", 14),
    Column("first_run", "First found in", width=24),
    Column("source_file", "Source file", width=24),
    Column("source_record", "Record", "number", 8),
)
"""The columns that a reviewer reads and fills in fit a screen of 1366 pixels; the others are to the right."""
LEDGER = ("mark", "case_number", "state", "former", "first_run")
"""Columns of the findings that exist only with a ledger."""
MISSING = (
    Column("number", "Case", "number", 7),
    Column("rule", "Rule", width=9),
    Column("claim_id", "Claim id", width=18),
    Column("claim_line", "Line", width=6),
    Column("cpt_code", "Code", width=7),
    Column("outcome", "Outcome when last found", width=12),
    Column("mark", "Since last run", width=11),
    Column("why", "Reason not seen", width=44),
    Column("state", "State", width=10),
    Column("first_run", "First found in", width=24),
    Column("last_run", "Last found in", width=24),
)
CLAIMS = (
    Column("link", "Findings", "link", 9),
    Column("claim_id", "Claim id", width=18),
    Column("disposition", "Disposition", width=12),
    Column("claim_line", "Line", width=6),
    Column("cpt_code", "Code", width=7),
    Column("provider_id", "Provider id", width=14),
    Column("patient_id", "Patient id", width=14),
    Column("service_date", "Service date", "date", 11),
    Column("call_start", "Call start", "instant", 16),
    Column("call_end", "Call end", "instant", 16),
    Column("minutes", "Minutes", "number", 8),
    Column("findings", "Findings", "number", 9),
    Column("violations", "Violation", width=20),
    Column("reviews", "Review", width=20),
    Column("unknowns", "Unknown", width=20),
    Column("supportable_code", "Supportable code", width=11),
    Column("billed_amount", "Billed", "money", 11),
    Column("paid_amount", "Paid", "money", 11),
    Column("at_risk_amount", "Potential overpayment", "money", 13),
    Column("review_amount", "Under review", "money", 11),
)
PROVIDERS = (
    Column("provider_id", "Provider id", width=18),
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
PROVIDERS_NOTE = (
    "Providers are ranked by the lower bound of the 95% Wilson interval, so that a few claims do not look like a pattern; "
    "providers with few claims come last. Above all claims: the rate exceeds that of all claims by more than chance "
    "explains."
)
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
REJECTS = (
    Column("table", "Table", width=10),
    Column("source_file", "File", width=40),
    Column("source_record", "Record", "number"),
    Column("column", "Column", width=20),
    Column("reason", "Reason", width=60),
)
RUN = (Column("name", "Name", width=34), Column("value", "Value", width=110))
