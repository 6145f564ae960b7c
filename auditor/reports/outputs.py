"""What a run writes: every table's columns with type and meaning, and the summary.

Source: docs/specification.md#outputs.

docs/outputs.md and `audit98968 schema` are made of it; tests hold real runs to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auditor.run_summary import Summary

VERSION = 1
"""Of the outputs' form: it rises where a column or a key changes its name, type or meaning, or goes."""

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
    """A column: its type (of _TYPES), its meaning, and what a null means; blank: it has none."""

    type: str
    meaning: str
    null: str = ""


Columns = Mapping[str, Column]

_KEY: Columns = {
    "claim_id": Column("text", "the claim; the call's id where calls are billed without one"),
    "claim_line": Column("text", "its line"),
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
_RELATED: Columns = {
    "related_kind": Column("text", "visit, claim, call or line", "the finding rests on the claim itself"),
    "related_id": Column("text", "the record that the finding rests on", "likewise"),
    "related_at": Column("instant", "when it began, in the policy's zone", "likewise, or unknown"),
}
_GAP: Columns = {
    "gap_days": Column("whole number", "local dates between the claim and it", "likewise"),
}
_BASIS: Columns = {
    "basis": Column(
        "text",
        "why it is or may be the same matter: linked, same problem, same diagnosis category, same provider, any; or "
        "nobody can tell: conflicting (problems differ, a diagnosis category is shared), same group, "
        "may be the call itself, unknown",
        "not asked",
    )
}
_AMOUNTS: Columns = {
    "billed_amount": Column("dollars", "billed for the line", "not in the export"),
    "paid_amount": Column("dollars", "paid for the line", "not in the export"),
}
_SOURCE: Columns = {
    "source_file": Column("text", "the file of the claim's row, else of its earliest call"),
    "source_record": Column("whole number", "the record there, from 1"),
}
_LEDGER = "no ledger is kept"
_CODES = "codes of the rules"

_SUPPORTABLE = Column("text", "the code that the minutes support; none: fewer than any", "more than any, or unknown")

TABLES: Mapping[str, Columns] = {
    "findings": {
        "finding_id": Column("text", "RULE:claim_id:claim_line; a colon in an id is %3A, a percent sign %25"),
        "rule": Column("text", "the rule's code"),
        "name": Column("text", "the rule's name"),
        "outcome": Column("text", "violation or review"),
        **_KEY, **_PAYER,
        "mark": Column("text", "new, worse, reopened, persisting or changed since the run before", _LEDGER),
        "case": Column("whole number", "the number of its case", _LEDGER),
        "state": Column("text", "open, confirmed, dismissed, corrected or refunded", _LEDGER),
        **_WHO, **_CODE, **_MINUTES, **_RELATED,
        "related_count": Column("whole number", "records that support the outcome", "likewise"),
        **_GAP,
        "gap_hours": Column("number", "hours between the claim and it, where hours count", "hours do not count, or unknown"),
        **_BASIS,
        "message": Column("text", "what was found, in words"),
        **_AMOUNTS,
        "at_risk_amount": Column("dollars", "paid, else billed, less refunds; on a claim's first violation that is not "
                                 "corrected, refunded or dismissed, else the first refunded, so that the column adds up",
                                 "not that finding, or no amount"),
        "supportable_code": _SUPPORTABLE,
        **_SOURCE,
    },
    "claims": {
        **_KEY, **_CODE, **_PAYER, **_WHO,
        "start": Column("instant", "when its first call began, in the policy's zone", "no call"),
        "end": Column("instant", "when its last call ended", "no call, or unknown"),
        **_MINUTES,
        "minutes_source": Column("text", "discussion, stated, clock or mixed", "unknown"),
        "call_ids": Column("list of text", "the calls that it bills"),
        "disposition": Column("text", "the worst outcome: violation, review, incomplete, clear; not applicable"),
        "violations": Column("list of text", f"{_CODES} with a violation"),
        "reviews": Column("list of text", f"{_CODES} with a review"),
        "unknowns": Column("list of text", f"{_CODES} that could not be decided"),
        "not_applicable": Column("list of text", f"{_CODES} that do not speak of the claim"),
        **_AMOUNTS,
        "at_risk_amount": Column("dollars", "paid, else billed, of a claim in violation, after decisions",
                                 "not in violation, or no amount"),
        "review_amount": Column("dollars", "likewise of a claim to review", "not to review, or no amount"),
        "supportable_code": _SUPPORTABLE,
        **_SOURCE,
    },
    "evidence": {
        **_KEY, **_CODE,
        "rule": Column("text", "the rule that weighed the record; blank: the claim's own call"),
        "kind": Column("text", "visit, claim, call or line"),
        "id": Column("text", "the record"),
        "at": Column("instant", "when it began, in the policy's zone", "unknown"),
        "date_only": Column("yes/no", "whether only its date is known", "not asked"),
        **_GAP,
        "gap_hours": Column("number", "hours between the claim and it", "hours do not count, or unknown"),
        **_BASIS,
        "outcome": Column("text", "what it supports: violation, review, unknown, none; own for the claim's own calls"),
        "why_not": Column("text", "why it supports nothing", "it supports something"),
        "until": Column("instant", "when it ended", "unknown"),
    },
    "cases": {
        "number": Column("whole number", "the case"),
        "finding_id": Column("text", "as in findings"),
        **_KEY, **_CODE,
        "rule": Column("text", "the rule's code"),
        "payer": Column("text", "the insurer billed", "not in the export, or without a finding"),
        "policy": Column("text", "the policy that judged it", "without a finding"),
        "mark": Column("text", "as in findings; resolved or not seen without a finding"),
        "why": Column("text", "why it is not seen", "it is"),
        "state": Column("text", "open, confirmed, dismissed, corrected or refunded"),
        "reviewer": Column("text", "who decided", "nobody yet"),
        "reason": Column("text", "why", "nobody yet"),
        "decided_on": Column("date", "when", "nobody yet"),
        "until": Column("date", "last day of a dismissal", "without end, or none"),
        "confirmed_on": Column("date", "when the 60 days began", "not confirmed, nor identified"),
        "investigated_from": Column("date", "since when related overpayments are investigated", "they are not"),
        "investigated_to": Column("date", "until when", "they are, or not"),
        "reopened_from": Column("text", "the decision that does not hold any more", "it was not reopened from one"),
        "decided_outcome": Column("text", "the finding's outcome when it was decided", "nobody yet"),
        "decided_amount": Column("dollars", "its claim's amount then", "nobody yet, or no amount"),
        "decided_record": Column("text", "its related record then, as kind:id", "nobody yet, or none"),
        "refunded_amount": Column("dollars", "the sum of the refunds entered for the case", "none"),
        "first_run": Column("text", "the run that found it first"),
        "last_run": Column("text", "the run that found it last"),
        "outcome": Column("text", "violation or review, when it was last found"),
        **_WHO, **_MINUTES, **_RELATED, **_GAP, **_BASIS, **_AMOUNTS,
        "message": Column("text", "what was found, in words", "without a finding"),
        "amount": Column("dollars", "paid, else billed", "not in the export"),
    },
    "rejects": {
        "table": Column("text", "calls, visits, claims or providers"),
        "source_file": Column("text", "the file"),
        "source_record": Column("whole number", "the record there, from 1"),
        "column": Column("text", "the column at fault; blank: the record as a whole", "the record as a whole"),
        "reason": Column("text", "why the row was not used; never a value"),
    },
}  # fmt: skip
"""Files of a run folder, their columns in order. CSV writes instants in ISO 8601 and joins lists with a semicolon."""


def schemas() -> dict[str, Any]:
    """JSON Schemas by name: a row of each table as JSON Lines have it, and the summary."""
    tables = {name: _row(name, columns) for name, columns in TABLES.items()}
    return tables | {"summary": {"$schema": _DIALECT, **Summary.model_json_schema(mode="serialization")}}


_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def _row(name: str, columns: Columns) -> dict[str, Any]:
    properties = {}
    for column, text in columns.items():
        kind = dict(_TYPES[text.type])
        if text.null:
            kind["type"] = [kind["type"], "null"]
        properties[column] = kind | {"description": f"{text.meaning}; null: {text.null}" if text.null else text.meaning}
    return {"$schema": _DIALECT, "title": name, "description": f"schema_version {VERSION}", "type": "object",
            "properties": properties, "required": list(columns), "additionalProperties": False}  # fmt: skip
