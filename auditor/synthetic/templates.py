"""Template rows of the synthetic exports: a case's short notation in, one row of an export out.

A template row holds instants as offsets from a patient's anchor and references as small numbers; `auditor.synthetic.rows`
joins templates with patients. The notation is explained at the top of scenarios.toml.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

Row = dict[str, Any]
Schema = dict[str, type[pl.DataType] | pl.DataType]

AUDITED = "98968"
# Role -> credential, group prefix, specialty, license_start, license_end. X, Y, L and N serve one kind of case each.
ROLES: dict[str, tuple[str | None, str, str, date | None, date | None]] = {
    "A": ("LCSW", "G", "Behavioral Health", date(2012, 5, 1), None),
    "B": ("LMFT", "G", "Behavioral Health", date(2016, 1, 1), date(2028, 12, 31)),
    "C": ("PT, DPT", "H", "Physical Therapy", date(2014, 9, 1), date(2027, 8, 31)),
    "S": ("M.D.", "G", "Surgery", date(2009, 7, 1), None),
    "X": ("LICSW", "G", "Behavioral Health", date(2019, 3, 1), date(2026, 2, 10)),
    "Y": (None, "G", "Behavioral Health", date(2015, 1, 1), None),
    "L": ("LPC", "G", "Behavioral Health", None, None),
    "N": ("LCSW", "G", "Behavioral Health", None, None),
}
COMMON_ROLES, ABSENT_ROLE = "ABCS", "N"

TEXT, FLAG, WHOLE, SPAN, MONEY = pl.String, pl.Boolean, pl.Int64, pl.Duration("us"), pl.Decimal(10, 2)
DOCS = ("doc_reason", "doc_summary", "doc_advice", "doc_statement", "doc_identity")
BILLED = ("modifiers", "units", "billed_amount", "paid_amount", "claim_status")


def _schema(texts: str, **more: type[pl.DataType] | pl.DataType) -> Schema:
    return {"scenario": WHOLE, **dict.fromkeys(texts.split(), TEXT)} | more


NUMBER: Schema = {"seq": WHOLE, "who": WHOLE, "role": WHOLE, "spread": WHOLE, "key": WHOLE, "start": SPAN, "end": SPAN}
MONEYS: Schema = {"units": WHOLE, "billed_amount": MONEY, "paid_amount": MONEY}
SCHEMAS: dict[str, Schema] = {
    "calls": NUMBER
    | _schema(
        "form prefix specialty diagnosis_codes problem_id initiated_by caller purpose provider_credential cpt_code "
        "claim_line modifiers claim_status " + " ".join(DOCS),
        **dict.fromkeys(("call_minutes", "call_seconds", "discussion_minutes", "related_visit", "claim"), WHOLE),
        established=FLAG,
    )
    | MONEYS,
    "visits": NUMBER
    | _schema(
        "form booked_form prefix specialty diagnosis_codes problem_id modality status cpt_codes global_days",
        booked=SPAN,
        soonest_available=FLAG,
        originating_call=WHOLE,
    ),
    "lines": NUMBER
    | _schema("claim_line cpt_code modifiers claim_status diagnosis_codes", claim=WHOLE, call=WHOLE)
    | MONEYS,
    "findings": _schema("claim_line rule outcome kind", claim=WHOLE, key=WHOLE),
    "claims": _schema("claim_line disposition unknowns", claim=WHOLE),
}
PAID: Row = {"units": 1, "billed_amount": Decimal("48.00"), "paid_amount": Decimal("31.25"), "claim_status": "paid"}
CALL: Row = {
    "form": "local", "initiated_by": "patient", "caller": "self", "purpose": "clinical", "established": True,
    "diagnosis_codes": "F33.1", "problem_id": "01", **dict.fromkeys(DOCS, "yes"), "cpt_code": None, "claim": None,
}  # fmt: skip
VISIT: Row = {
    "form": "local", "booked_form": "local", "modality": "in_person", "status": "completed", "cpt_codes": "90834",
    "diagnosis_codes": "F33.1", "problem_id": "01", "soonest_available": None, "global_days": None,
}  # fmt: skip


def frame(rows: list[Row], table: str) -> pl.DataFrame:
    """Return template rows of one table, typed; a field that a row lacks is blank."""
    schema = SCHEMAS[table]
    return pl.DataFrame([{k: v for k, v in row.items() if k in schema} for row in rows], schema=schema)


def call(number: int, i: int, row: Row, *, table: bool) -> Row:
    """Return case `number`'s call `i`: billed as claim `i` unless its `cpt_code` is "" or a claims table bills it."""
    length = row.get("len", 25)
    billed = not table and row.get("cpt_code", AUDITED) != ""
    default = CALL | {"key": i, "call_minutes": length, "discussion_minutes": length}
    default |= {"provider_credential": ROLES[row.get("by", "A")][0]}
    if billed or "claim" in row:
        default |= {"claim_line": "1"}
    if billed:
        default |= {"claim": i, "cpt_code": AUDITED} | PAID
    fields = _position(number, i, row, length) | default | _given(row)
    if row.get("call_end") == "":
        fields["end"] = None
    return fields | {"related_visit": _reference(row.get("related_visit_id"))}


def visit(number: int, i: int, row: Row) -> Row:
    """Return case `number`'s visit `i`: 50 minutes, booked 3 weeks before unless `booked` is [day, minute] or ""."""
    fields = _position(number, i, row, 50) | VISIT | {"key": i} | _given(row)
    fields["booked"] = fields["start"] - timedelta(days=21)
    if "booked" in row:
        fields["booked"] = timedelta(days=row["booked"][0], minutes=row["booked"][1]) if row["booked"] else None
    if row.get("visit_start") == "":
        fields["start"] = None
    return fields | {"originating_call": _reference(row.get("originating_call_id"))}


def line(number: int, row: Row) -> Row:
    """Return a claims-table row: claim 1, line 1 and the audited code unless it says otherwise."""
    claim = row.get("claim", 1)
    default = PAID | {"claim": claim, "key": claim, "claim_line": str(row.get("line", 1)), "cpt_code": AUDITED}
    return _position(number, claim, row, 0) | default | _given(row) | {"call": _reference(row.get("call_id"))}


def _position(number: int, seq: int, row: Row, length: int) -> Row:
    """Return where and when: `day` and `minute` from the anchor, `who` (0 is the patient), `by` whom."""
    start = timedelta(days=row.get("day", 0), minutes=row.get("minute", 0))
    role = row.get("by", "A")
    _, prefix, specialty, _, _ = ROLES[role]
    group = None if row.get("group_id") == "" else prefix
    fields = {"scenario": number, "seq": seq, "who": row.get("who", 0), "role": list(ROLES).index(role)}
    fields |= {"spread": row.get("spread", 1), "prefix": group, "specialty": specialty}
    return fields | {"start": start, "end": start + timedelta(minutes=length)}


def _given(row: Row) -> Row:
    """Return the case's own fields: "" is a blank, money is decimal."""
    given = {k: None if v == "" else v for k, v in row.items()}
    return given | {k: Decimal(v) for k, v in given.items() if k.endswith("_amount") and v is not None}


def _reference(text: str | None) -> int | None:
    return int(text[1:]) if text else None
