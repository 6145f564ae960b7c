"""Columns and vocabularies. docs/specification.md."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

COLUMNS: dict[str, dict[str, str]] = {
    "calls": {
        "call_id": "text",
        "patient_id": "text",
        "provider_id": "text",
        "timezone": "zone",
        "call_start": "instant",
        "call_end": "instant",
        "call_minutes": "minutes",
        "call_seconds": "seconds",
        "discussion_minutes": "minutes",
        "initiated_by": "vocabulary",
        "caller": "vocabulary",
        "purpose": "vocabulary",
        "established": "boolean",
        "diagnosis_codes": "diagnoses",
        "problem_id": "text",
        "group_id": "text",
        "specialty": "text",
        "provider_credential": "text",
        "related_visit_id": "text",
        "doc_reason": "documented",
        "doc_summary": "documented",
        "doc_advice": "documented",
        "doc_statement": "documented",
        "doc_identity": "documented",
        "doc_consent": "documented",
        "cpt_code": "code",
        "claim_id": "text",
        "claim_line": "text",
        "modifiers": "codes",
        "units": "number",
        "billed_amount": "money",
        "paid_amount": "money",
        "claim_status": "claim_status",
        "frequency_code": "vocabulary",
        "original_claim_id": "text",
        "payer": "text",
    },
    "visits": {
        "visit_id": "text",
        "patient_id": "text",
        "timezone": "zone",
        "visit_start": "instant",
        "provider_id": "text",
        "visit_end": "instant",
        "modality": "vocabulary",
        "status": "vocabulary",
        "booked_at": "instant",
        "soonest_available": "boolean",
        "originating_call_id": "text",
        "cpt_codes": "codes",
        "diagnosis_codes": "diagnoses",
        "problem_id": "text",
        "group_id": "text",
        "specialty": "text",
        "global_days": "global_days",
    },
    "claims": {
        "claim_id": "text",
        "claim_line": "text",
        "patient_id": "text",
        "provider_id": "text",
        "service_date": "date",
        "cpt_code": "code",
        "call_id": "text",
        "modifiers": "codes",
        "units": "number",
        "billed_amount": "money",
        "paid_amount": "money",
        "claim_status": "claim_status",
        "frequency_code": "vocabulary",
        "original_claim_id": "text",
        "diagnosis_codes": "diagnoses",
        "payer": "text",
        "processed_date": "date",
        "remittance_only": "boolean",
        "place_of_service": "text",
    },
    "providers": {
        "provider_id": "text",
        "credential": "text",
        "group_id": "text",
        "specialty": "text",
        "license_start": "date",
        "license_end": "date",
    },
}
REQUIRED = {
    "calls": ("call_id", "patient_id", "provider_id", "call_start"),
    "visits": ("visit_id", "patient_id", "visit_start"),
    "claims": ("claim_id", "patient_id", "provider_id", "service_date", "cpt_code"),
    "providers": ("provider_id",),
}
KEYS = {
    "calls": ("call_id",),
    "visits": ("visit_id",),
    "claims": ("claim_id", "claim_line"),
    "providers": ("provider_id",),
}
LIST_COLUMNS = ("diagnosis_codes", "cpt_codes", "modifiers")
BILLING_COLUMNS = (
    "cpt_code",
    "modifiers",
    "units",
    "billed_amount",
    "paid_amount",
    "claim_status",
    "frequency_code",
    "original_claim_id",
)

VOCABULARIES: dict[str, dict[str, tuple[str, ...]]] = {
    "status": {
        "completed": (
            *("arrived", "attended", "checked_in", "checked_out", "fulfilled", "kept", "seen"),
            *("finished", "discharged", "in-progress", "triaged", "onleave"),
        ),
        "scheduled": ("booked", "pending", "confirmed", "planned"),
        "tentative": ("proposed", "waitlist"),
        "cancelled": ("canceled", "rescheduled", "discontinued", "entered-in-error"),
        "no_show": ("noshow", "no-showed", "did not attend", "dna"),
    },
    "modality": {
        "in_person": ("AMB", "EMER", "IMP", "HH", "ACUTE", "NONAC", "OBSENC", "SS"),
        "telehealth": ("video",),
        "phone": ("telephone", "audio"),
    },
    "initiated_by": {
        "patient": ("guardian", "parent", "inbound", "incoming"),
        "provider": ("staff", "outbound", "outgoing"),
        "callback": (),
    },
    "purpose": {"clinical": (), "scheduling": (), "administrative": (), "follow_up": ()},
    "caller": {
        "patient": ("self",),
        "parent": ("mother", "father"),
        "guardian": ("legal guardian",),
        "other": (*("spouse", "child", "sibling", "friend", "caregiver", "neighbour", "pharmacy", "facility"),),
    },
    "frequency_code": {"original": ("1", "5"), "replacement": ("7", "6"), "void": ("8",)},
    "claim_status": {
        "void": ("voided", "deleted", "cancelled", "canceled", "23", "25"),
        "reversed": ("22",),
        "denied": ("rejected", "4"),
        "active": (
            "paid",
            "approved",
            "accepted",
            "processed",
            "final",
            "open",
            "billed",
            "submitted",
            "pending",
            "1",
            "2",
            "3",
            "5",
            "10",
            "13",
            "15",
            "16",
            "17",
            "19",
            "20",
            "21",
            "27",
        ),
    },
}
TRUE_WORDS = ("true", "yes", "y", "t", "1", *"✓✔☑")
FALSE_WORDS = ("false", "no", "n", "f", "0", *"✗✘☐")
NOTHING_WORDS = ("", "n/a", "na", "none", "null", "-")


class RowError(Exception):
    """A value or row that must be rejected; the text is the kind of reason."""


@dataclass(frozen=True)
class Instant:
    """A point in time in UTC; ``date_only`` when only its day is known (``at`` is then the day's first instant)."""

    at: datetime
    date_only: bool


NULL_WORDS = ("null", "\\n", "<null>", "(null)", "[null]", "nil", "nan", "nat", "none", "na", "n/a", "<na>", "#n/a", "#null!",
              "(blank)", "*unspecified", "unk")  # fmt: skip
TICKS = "✓✔☑✗✘☐"
