"""What a run writes: every table's columns with type and meaning, and the summary.

Source: docs/specification.md#outputs.

docs/outputs.md and `audit98968 schema` are made of it; tests hold real runs to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

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

Text = str | None


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _PolicyName(_Part):
    name: str
    sha256: str = Field(description="of the policy's file")


class _Input(_Part):
    table: str
    path: str
    bytes: int
    sha256: str
    rows: int
    used: int
    rejected: int


class _DateGap(_Part):
    table: str
    first: str
    last: str


class _Coverage(_Part):
    as_of: Text = Field(description="the visits are complete up to here")
    visits_since: Text
    claims_since: Text
    holes: list[_DateGap] = Field(description="days that an export lacks although rows are expected on them")


class _Reach(_Part):
    first: Text
    last: Text
    months: dict[str, int] = Field(description="rows by month")
    different: dict[str, int] = Field(description="different ids by column")
    timed: list[str] = Field(description="columns that hold times of day")
    columns: list[str] = Field(description="columns that are not blank")


class _Claims(_Part):
    audited: int
    violation: int
    review: int
    incomplete: int
    clear: int
    not_applicable: int
    void: int
    denied: int
    rejected: int
    clear_by_absence: int = Field(description="clear, and their patient is in no visit")


class _AfterDecisions(_Part):
    violation: int
    review: int
    incomplete: int
    dismissed: int = Field(description="claims whose findings are all dismissed")
    dismissed_findings: int
    dismissed_amount: float
    settled: int = Field(description="claims whose findings are all corrected, refunded or dismissed")
    settled_findings: int


class _Rule(_Part):
    code: str
    name: str
    evaluated: bool
    reason: Text = Field(description="why it was not evaluated")
    applicable: int
    violation: int
    review: int
    unknown: int
    violation_amount: float = Field(description="dollars of claims with a violation that is not settled")
    review_amount: float
    dismissed: int = Field(description="findings")
    settled: int = Field(description="findings that are corrected, refunded or dismissed")


class _Money(_Part):
    at_risk: float = Field(description="dollars of claims in violation, each once, less what was settled")
    review: float
    at_risk_without_amount: int = Field(description="such claims without an amount")
    review_without_amount: int
    without_amount: int
    this_run: float = Field(description="at_risk before decisions")
    returned: float = Field(description="the sum of refunds")
    not_returned: float = Field(description="what refunds left of their claims' amounts, at risk or under review still")


class _Join(_Part):
    of: str
    in_: str = Field(alias="in")
    values: int = Field(description="different ids that were looked for")
    found: int
    nearly_equal: int | None
    differ_in: Text


class _Rejects(_Part):
    rejected: int
    duplicates: int
    without_patient: int


class _Unrecognised(_Part):
    table: str
    column: str
    value: Text = Field(description="null on standard output without --show-ids: rare, or with digits")
    count: int = Field(description="rows")
    hidden: int = Field(default=1, description="values that a null stands for")


class _Tally(_Part):
    findings: int
    claims: int
    amount: float = Field(description="dollars, each claim once")
    next_due: Text = Field(default=None, description="of cases whose 60 days run: the next deadline")


class _Undecided(_Part):
    waiting: int
    settled: int


class _Ledger(_Part):
    run: int
    previous_run: Text
    repeats: Text = Field(description="the run whose inputs and settings these are again")
    marks: dict[str, int]
    announced: int = Field(description="findings that this run is the first to report as new, worse or reopened")
    undecided: _Undecided
    began: str
    head: str
    tonight: dict[str, _Tally]
    work: dict[str, _Tally]


class SummaryFile(_Part):
    """summary.json of a finished run."""

    schema_version: int
    run_id: str
    version: str
    started: str
    policy: _PolicyName
    settings: dict[str, Any]
    timezone: str
    pseudonym_key_id: Text
    rules_evaluated: int
    rules_total: int
    inputs: list[_Input]
    coverage: _Coverage
    blank_columns: list[str]
    reaches: dict[str, _Reach]
    claims: _Claims = Field(description="verdicts, whatever people decided")
    standing: _AfterDecisions = Field(description="claims as they stand without settled findings")
    rules: list[_Rule]
    money: _Money
    joins: list[_Join]
    rejects: dict[str, _Rejects]
    unrecognised: list[_Unrecognised]
    warnings: list[str]
    ledger: _Ledger | None = None


def schemas() -> dict[str, Any]:
    """JSON Schemas by name: a row of each table as JSON Lines have it, and the summary."""
    tables = {name: _row(name, columns) for name, columns in TABLES.items()}
    return tables | {"summary": {"$schema": _DIALECT, **SummaryFile.model_json_schema()}}


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
