"""What a run writes: the columns of every table with type and meaning, and the summary.

Source: docs/specification.md#outputs.

docs/outputs.md and `audit98968 schema` are generated from it; tests compare real runs with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auditor.run_summary import Summary

VERSION = 2
"""Version of the output format: it increases when a column or key is renamed, removed, or changes type or meaning."""

_TYPES: Mapping[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "whole number": {"type": "integer"},
    "number": {"type": "number"},
    "dollars": {"type": "number"},
    "date": {"type": "string", "format": "date"},
    "instant": {"type": "string", "format": "date-time"},
    "yes/no": {"type": "boolean"},
    "list of text": {"type": "array", "items": {"type": "string"}},
}


@dataclass(frozen=True)
class Column:
    """A column: its type (of _TYPES), its meaning, and what a null means; blank if it is never null."""

    type: str
    meaning: str
    null: str = ""


Columns = Mapping[str, Column]

_KEY: Columns = {
    "claim_id": Column("text", "the claim; the call's id if a call is billed without a claim id"),
    "claim_line": Column("text", "line of the claim"),
}
_CODE: Columns = {"cpt_code": Column("text", "the code billed")}
_PAYER: Columns = {
    "payer": Column("text", "the insurer billed", "not in the export"),
    "policy": Column("text", "the name of the policy that judged the claim"),
}
_WHO: Columns = {
    "patient_id": Column("text", "the patient"),
    "provider_id": Column("text", "the rendering provider"),
    "service_date": Column("date", "the local date of service", "unknown"),
}
_MINUTES: Columns = {"minutes": Column("whole number", "cumulative whole minutes of the claim's calls", "unknown")}
_NO_RECORD = "no related record"
_RELATED: Columns = {
    "related_kind": Column("text", "kind of the related record: visit, claim, call or line", _NO_RECORD),
    "related_id": Column("text", "id of the related record", _NO_RECORD),
    "related_at": Column("instant", "start of the related record, in the policy's zone", f"{_NO_RECORD}, or unknown"),
}
_GAP: Columns = {
    "gap_days": Column("whole number", "days between the local dates of the claim and the related record", _NO_RECORD),
}
_BASIS: Columns = {
    "basis": Column(
        "text",
        "why the visit is related: linked, same problem, same diagnosis category, same provider, any; or why it cannot be "
        "told: conflicting (different problems, same diagnosis category), same group, may be the call itself, unknown",
        "not a visit that is compared",
    )
}
_AMOUNTS: Columns = {
    "billed_amount": Column("dollars", "billed for the line", "not in the export"),
    "paid_amount": Column("dollars", "paid for the line", "not in the export"),
}
_SOURCE: Columns = {
    "source_file": Column("text", "the file of the claim's row, or else of its earliest call"),
    "source_record": Column("whole number", "record number in the file, from 1"),
}
_LEDGER = "the run has no ledger"
_UNDECIDED = "not decided yet"
_GONE = "no finding in this run"
_CODES = "codes of the rules"

_SUPPORTABLE = Column(
    "text", "the code that the minutes support; none: too few for any code", "too many for any code, or unknown"
)

TABLES: Mapping[str, Columns] = {
    "findings": {
        "finding_id": Column("text", "RULE:claim_id:claim_line; a colon in an id is %3A, a percent sign %25"),
        "rule": Column("text", "the rule's code"),
        "name": Column("text", "the rule's name"),
        "outcome": Column("text", "violation or review"),
        **_KEY, **_PAYER,
        "mark": Column("text", "new, worse, reopened, persisting or changed since the previous run", _LEDGER),
        "case_number": Column("whole number", "number of the case", _LEDGER),
        "state": Column("text", "open, confirmed, dismissed, corrected or refunded", _LEDGER),
        **_WHO, **_CODE, **_MINUTES, **_RELATED,
        "related_count": Column("whole number", "number of records that support the outcome", _NO_RECORD),
        **_GAP,
        "gap_hours": Column("number", "hours between the claim and the related record", "unknown or not computed"),
        **_BASIS,
        "message": Column("text", "what was found, in one sentence"),
        **_AMOUNTS,
        "at_risk_amount": Column("dollars", "paid, or else billed, less refunds; only on the claim's first violation that "
                                 "is not corrected, refunded or dismissed, or else its first refunded one, so that the sum "
                                 "counts each claim once", "another finding of the claim, or no amount"),
        "supportable_code": _SUPPORTABLE,
        **_SOURCE,
    },
    "claims": {
        **_KEY, **_CODE, **_PAYER, **_WHO,
        "call_start": Column("instant", "start of its first call, in the policy's zone", "no call"),
        "call_end": Column("instant", "end of its last call, in the policy's zone", "no call, or unknown"),
        **_MINUTES,
        "minutes_source": Column("text", "discussion, stated, clock or mixed", "unknown"),
        "call_ids": Column("list of text", "the calls that it bills"),
        "disposition": Column("text", "the worst outcome: violation, review, incomplete, clear; not applicable"),
        "violations": Column("list of text", f"{_CODES} with a violation"),
        "reviews": Column("list of text", f"{_CODES} with a review"),
        "unknowns": Column("list of text", f"{_CODES} that are unknown"),
        "not_applicable": Column("list of text", f"{_CODES} that do not apply to the claim"),
        **_AMOUNTS,
        "at_risk_amount": Column("dollars", "paid, or else billed, of a claim in violation, after decisions",
                                 "not in violation, or no amount"),
        "review_amount": Column("dollars", "paid, or else billed, of a claim to review, after decisions",
                                "not to review, or no amount"),
        "supportable_code": _SUPPORTABLE,
        **_SOURCE,
    },
    "evidence": {
        **_KEY, **_CODE,
        "rule": Column("text", "the rule that considered the record; blank for the claim's own call"),
        "kind": Column("text", "visit, claim, call or line"),
        "id": Column("text", "id of the record"),
        "at": Column("instant", "start of the record, in the policy's zone", "unknown"),
        "date_only": Column("yes/no", "whether only its date is known", "does not apply to the record"),
        **_GAP,
        "gap_hours": Column("number", "hours between the claim and the record", "unknown or not computed"),
        **_BASIS,
        "outcome": Column("text", "what the record supports: violation, review, unknown or none; own for the claim's calls"),
        "exclusion_reason": Column("text", "why the record supports nothing", "the record supports an outcome"),
        "until": Column("instant", "end of the record, in the policy's zone", "unknown"),
    },
    "cases": {
        "number": Column("whole number", "number of the case"),
        "finding_id": Column("text", "as in findings"),
        **_KEY, **_CODE,
        "rule": Column("text", "the rule's code"),
        "payer": Column("text", "the insurer billed", f"not in the export, or {_GONE}"),
        "policy": Column("text", "the name of the policy that judged the claim", _GONE),
        "mark": Column("text", "as in findings; resolved or not_seen if the run has no finding"),
        "why": Column("text", "why the case was not seen", "seen or resolved"),
        "state": Column("text", "open, confirmed, dismissed, corrected or refunded"),
        "reviewer": Column("text", "who decided", _UNDECIDED),
        "reason": Column("text", "reason for the decision", _UNDECIDED),
        "decided_on": Column("date", "date of the decision", _UNDECIDED),
        "until": Column("date", "last day of a dismissal", "no end date, or not dismissed"),
        "confirmed_on": Column("date", "first day of the 60 days", "neither confirmed nor identified"),
        "investigated_from": Column("date", "start of the investigation of related overpayments", "no investigation"),
        "investigated_to": Column("date", "end of that investigation", "no investigation, or it has not ended"),
        "reopened_from": Column("text", "the decision that no longer applies", "not reopened"),
        "decided_outcome": Column("text", "the finding's outcome at the decision", _UNDECIDED),
        "decided_amount": Column("dollars", "the claim's amount at the decision", f"{_UNDECIDED}, or no amount"),
        "decided_record": Column("text", "the related record at the decision, as kind:id", f"{_UNDECIDED}, or {_NO_RECORD}"),
        "refunded_amount": Column("dollars", "sum of the refunds of the case", "no refund"),
        "first_run": Column("text", "the first run that found it"),
        "last_run": Column("text", "the last run that found it"),
        "outcome": Column("text", "violation or review, in the last run that found it"),
        **_WHO, **_MINUTES, **_RELATED, **_GAP, **_BASIS, **_AMOUNTS,
        "message": Column("text", "what was found, in one sentence", _GONE),
        "amount": Column("dollars", "paid, or else billed", "not in the export"),
        "due": Column("date", "last of the 60 days in which the money must be returned", "the 60 days do not run"),
    },
    "rejects": {
        "table_name": Column("text", "calls, visits, claims or providers"),
        "source_file": Column("text", "the file"),
        "source_record": Column("whole number", "record number in the file, from 1"),
        "column_name": Column("text", "the invalid column; blank for the whole record", "the whole record"),
        "reason": Column("text", "why the row was rejected; never a value of the row"),
    },
}  # fmt: skip
"""Files of a run folder and their columns in order. CSV has instants in ISO 8601 and joins lists with a semicolon."""


def schemas() -> dict[str, Any]:
    """JSON Schemas by name: a row of each table as in JSON Lines, and the summary."""
    tables = {name: _row(name, columns) for name, columns in TABLES.items()}
    return tables | {"summary": _head("summary") | Summary.model_json_schema(mode="serialization")}


_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def _head(name: str) -> dict[str, Any]:
    return {"$schema": _DIALECT, "$id": f"urn:audit98968:schema:{name}:{VERSION}"}


def _row(name: str, columns: Columns) -> dict[str, Any]:
    properties = {}
    for column, text in columns.items():
        kind = dict(_TYPES[text.type])
        if text.null:
            kind["type"] = [kind["type"], "null"]
        properties[column] = kind | {"description": f"{text.meaning}; null: {text.null}" if text.null else text.meaning}
    return _head(name) | {"title": name, "description": f"schema_version {VERSION}", "type": "object",
            "properties": properties, "required": list(columns), "additionalProperties": False}  # fmt: skip
