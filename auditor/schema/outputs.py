"""The columns of every table that a run writes: name, type, meaning, what a null means, heading in the workbook.

The published tables, their JSON Schemas, docs/outputs.md and the sheets of the workbook follow from these lists.
Source: docs/specification.md#outputs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

VERSION = 2
"""Version of the output format: it increases when a column or key is renamed, removed, or changes type or meaning."""

Type = Literal["text", "whole number", "number", "dollars", "date", "instant", "yes/no", "list of text"]


@dataclass(frozen=True)
class Column:
    """A column. `null`: what a null means, blank if it is never null. `heading`: in the workbook, where it is shown.

    `identifies`: what an identifier names (patient, provider, claim or call), or the column that says it of each row.
    """

    name: str
    type: Type
    meaning: str
    null: str = ""
    heading: str = ""
    identifies: str = ""


Columns = Mapping[str, Column]

_LEDGER = "the run has no ledger"
_UNDECIDED = "not decided yet"
_GONE = "no finding in this run"
_NO_RECORD = "no related record"
_CODES = "codes of the rules"
_KEY = (
    Column("claim_id", "text", "the claim; the call's id if a call is billed without a claim id", heading="Claim id",
           identifies="claim"),
    Column("claim_line", "text", "line of the claim", heading="Line"),
)  # fmt: skip
_CODE = Column("cpt_code", "text", "the code billed", heading="Code")
_PAYER = (
    Column("payer", "text", "the insurer billed", "not in the export", "Payer"),
    Column("policy", "text", "the name of the policy that judged the claim", "no policy judges claims of this payer"),
)
_WHO = (
    Column("patient_id", "text", "the patient", heading="Patient id", identifies="patient"),
    Column("provider_id", "text", "the rendering provider", heading="Provider id", identifies="provider"),
    Column("service_date", "date", "the local date of service", "unknown", "Service date"),
)
_MINUTES = Column("minutes", "whole number", "cumulative whole minutes of the claim's calls", "unknown", "Minutes")
_RELATED = (
    Column("related_kind", "text", "kind of the related record: visit, claim, call, line, or record (of the phone log)",
           _NO_RECORD),
    Column("related_id", "text", "id of the related record", _NO_RECORD, "Related record", "related_kind"),
    Column("related_at", "instant", "start of the related record, in the policy's zone", f"{_NO_RECORD}, or unknown",
           "Time of related record"),
)  # fmt: skip
_GAP = Column("gap_days", "whole number", "days between the local dates of the claim and the related record", _NO_RECORD,
              "Days apart")  # fmt: skip
_BASIS = Column(
    "basis",
    "text",
    "why the visit is related: linked, same problem, same diagnosis category, same provider, any; or why it cannot be "
    "told: conflicting (different problems, same diagnosis category), same group, another "
    "vocabulary, may be the call itself, unknown",
    "not a visit that is compared",
)
_AMOUNTS = (
    Column("billed_amount", "dollars", "billed for the line", "not in the export", "Billed"),
    Column("paid_amount", "dollars", "paid for the line", "not in the export", "Paid"),
)
_SUPPORTABLE = Column("supportable_code", "text", "the code that the minutes support; none: too few for any code",
                      "too many for any code, or unknown", "Supportable code")  # fmt: skip
_SOURCE = (
    Column("source_file", "text", "the file of the claim's row, or else of its earliest call", heading="Source file"),
    Column("source_record", "whole number", "record number in the file, from 1", heading="Record"),
)

_FINDINGS = (
    Column(
        "finding_id",
        "text",
        "RULE:claim_id:claim_line, and :CODE where two audited codes have these; in an id, : is %3A and % is %25",
    ),
    Column("rule", "text", "the rule's code", heading="Rule"),
    Column("name", "text", "the rule's name", heading="Rule name"),
    Column("outcome", "text", "violation or review", heading="Outcome"),
    *_KEY,
    *_PAYER,
    Column(
        "mark", "text", "new, worse, reopened, persisting or changed since the previous run", _LEDGER, "Since last run"
    ),
    Column("case_number", "whole number", "number of the case", _LEDGER, "Case"),
    Column("state", "text", "open, confirmed, dismissed, corrected or refunded", _LEDGER, "State"),
    *_WHO,
    _CODE,
    _MINUTES,
    *_RELATED,
    Column("related_count", "whole number", "number of records that support the outcome", _NO_RECORD),
    _GAP,
    Column("gap_hours", "number", "hours between the claim and the related record", "unknown or not computed"),
    _BASIS,
    Column("message", "text", "what was found, in one sentence", heading="What was found"),
    *_AMOUNTS,
    Column(
        "at_risk_amount",
        "dollars",
        "paid, or else billed, less refunds; only on the claim's first violation that is not corrected, refunded or "
        "dismissed, or else its first refunded one, so that the sum counts each claim once",
        "another finding of the claim, or no amount",
        "Potential overpayment (once per claim)",
    ),
    _SUPPORTABLE,
    *_SOURCE,
)
_CLAIMS = (
    *_KEY,
    _CODE,
    *_PAYER,
    *_WHO,
    Column("call_start", "instant", "start of its first call, in the policy's zone", "no call", "Call start"),
    Column("call_end", "instant", "end of its last call, in the policy's zone", "no call, or unknown", "Call end"),
    _MINUTES,
    Column("minutes_source", "text", "discussion, stated, clock or mixed", "unknown"),
    Column("call_ids", "list of text", "the calls that it bills", identifies="call"),
    Column("disposition", "text", "the worst outcome: violation, review, incomplete, clear; not applicable",
           heading="Disposition"),
    Column("violations", "list of text", f"{_CODES} with a violation", heading="Violation"),
    Column("reviews", "list of text", f"{_CODES} with a review", heading="Review"),
    Column("unknowns", "list of text", f"{_CODES} that are unknown", heading="Unknown"),
    Column("not_applicable", "list of text", f"{_CODES} that do not apply to the claim"),
    *_AMOUNTS,
    Column("at_risk_amount", "dollars", "paid, or else billed, of a claim in violation, after decisions",
           "not in violation, or no amount", "Potential overpayment"),
    Column("review_amount", "dollars", "paid, or else billed, of a claim to review, after decisions",
           "not to review, or no amount", "Under review"),
    _SUPPORTABLE,
    *_SOURCE,
)  # fmt: skip
_EVIDENCE = (
    *_KEY,
    _CODE,
    Column("rule", "text", "the rule that considered the record; blank for the claim's own call"),
    Column("kind", "text", "visit, claim, call, line, or record (of the phone log)"),
    Column("id", "text", "id of the record", identifies="kind"),
    Column("record_at", "instant", "start of the record, in the policy's zone", "unknown"),
    Column("date_only", "yes/no", "whether only its date is known", "does not apply to the record"),
    _GAP,
    Column("gap_hours", "number", "hours between the claim and the record", "unknown or not computed"),
    _BASIS,
    Column(
        "outcome", "text", "what the record supports: violation, review, unknown or none; own for the claim's calls"
    ),
    Column("exclusion_reason", "text", "why the record supports nothing", "the record supports an outcome"),
    Column("until", "instant", "end of the record, in the policy's zone", "unknown"),
)
_CASES = (
    Column("number", "whole number", "number of the case", heading="Case"),
    Column("finding_id", "text", "as in findings"),
    *_KEY,
    _CODE,
    Column("rule", "text", "the rule's code", heading="Rule"),
    Column("payer", "text", "the insurer billed", f"not in the export, or {_GONE}"),
    Column("policy", "text", "the name of the policy that judged the claim", _GONE),
    Column("mark", "text", "as in findings; resolved or not_seen if the run has no finding", heading="Since last run"),
    Column("why", "text", "why the case was not seen", "seen or resolved", "Reason not seen"),
    Column("state", "text", "open, confirmed, dismissed, corrected or refunded", heading="State"),
    Column("assignee", "text", "who works on the case", "nobody", "Assigned to"),
    Column("reviewer", "text", "who decided", _UNDECIDED),
    Column("reason", "text", "reason for the decision", _UNDECIDED),
    Column("decided_on", "date", "date of the decision", _UNDECIDED),
    Column("until", "date", "last day of a dismissal", "no end date, or not dismissed"),
    Column("confirmed_on", "date", "first day of the 60 days", "neither confirmed nor identified"),
    Column("investigated_from", "date", "start of the investigation of related overpayments", "no investigation"),
    Column("investigated_to", "date", "end of that investigation", "no investigation, or it has not ended"),
    Column("reopened_from", "text", "the decision that no longer applies", "not reopened"),
    Column("decided_outcome", "text", "the finding's outcome at the decision", _UNDECIDED),
    Column("decided_amount", "dollars", "the claim's amount at the decision", f"{_UNDECIDED}, or no amount"),
    Column("decided_record", "text", "the related record at the decision, as kind:id", f"{_UNDECIDED}, or {_NO_RECORD}"),
    Column("refunded_amount", "dollars", "sum of the refunds of the case", "no refund"),
    Column("first_run", "text", "the first run that found it", heading="First found in"),
    Column("last_run", "text", "the last run that found it", heading="Last found in"),
    Column("outcome", "text", "violation or review, in the last run that found it", heading="Outcome when last found"),
    *_WHO,
    _MINUTES,
    *_RELATED,
    _GAP,
    _BASIS,
    *_AMOUNTS,
    Column("message", "text", "what was found, in one sentence", _GONE),
    Column("amount", "dollars", "paid, or else billed", "not in the export", "Claim amount"),
    Column("due", "date", "last of the 60 days in which the money must be returned", "the 60 days do not run"),
)  # fmt: skip
_REJECTS = (
    Column("table_name", "text", "calls, visits, claims, providers or phone_log", heading="Table"),
    Column("source_file", "text", "the file", heading="File"),
    Column("source_record", "whole number", "record number in the file, from 1", heading="Record"),
    Column("column_name", "text", "the invalid column; blank for the whole record", "the whole record", "Column"),
    Column("reason", "text", "why the row was rejected; never a value of the row", heading="Reason"),
)


_HIDDEN = ("finding_id", "claim_id", "claim_line", "cpt_code", "patient_id", "provider_id")


def _hidden(column: Column) -> Column:
    """A column of cases, which `cases list` blanks without --show-ids if it names the claim, patient or provider."""
    is_shown = column.name not in _HIDDEN
    return column if is_shown else replace(column, null="in `cases list` without --show-ids")


def _by_name(columns: tuple[Column, ...]) -> Columns:
    return {column.name: column for column in columns}


TABLES: Mapping[str, Columns] = {
    "findings": _by_name(_FINDINGS),
    "claims": _by_name(_CLAIMS),
    "evidence": _by_name(_EVIDENCE),
    "cases": _by_name(tuple(_hidden(column) for column in _CASES)),
    "rejects": _by_name(_REJECTS),
}
"""Files of a run folder and their columns in order. CSV has instants in ISO 8601 and joins lists with a semicolon."""
