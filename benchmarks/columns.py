"""The columns that the core question needs, and the zone of the generated exports' local times."""

ZONE = "America/New_York"
CALLS = [
    *("call_id", "patient_id", "provider_id", "call_start", "call_end", "call_minutes", "call_seconds"),
    *("discussion_minutes", "diagnosis_codes", "problem_id", "related_visit_id"),
    *("cpt_code", "claim_id", "claim_line", "claim_status"),
]
VISITS = [
    *("visit_id", "patient_id", "provider_id", "visit_start", "modality", "status", "booked_at"),
    *("originating_call_id", "cpt_codes", "diagnosis_codes", "problem_id"),
]
