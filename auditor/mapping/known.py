"""Headers that widespread systems write, and the words that their cells hold, in the terms of `tables.py`.

Those of the sources that ship, and others: Epic Clarity, athenahealth's reports, Kareo (Tebra), OpenEMR, Asterisk
(FreePBX), and telephone systems whose records are used as calls. They are only proposed: `run` takes the names and
aliases of `tables.py` alone.
"""

from collections.abc import Mapping, Sequence

from auditor.schema.tables import TABLES
from auditor.sources import known

HEADERS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "calls": {
        "call_id": ("globalCallID_callId", "uniqueid", "interaction_id", "Call SID", "Session Id", "id"),
        "patient_id": ("PAT_MRN_ID",),
        "provider_id": ("PROV_ID", "AGENT", "user_id"),
        "call_start": ("dateTimeConnect", "time-answered", "calldate", "TIMESTAMP", "Date + Time"),
        "call_end": ("dateTimeDisconnect", "time-end"),
        "call_minutes": ("TALK TIME", "Talking"),
        "call_seconds": ("billsec",),
        "initiated_by": ("call_type",),
    },
    "visits": {
        "visit_id": ("PAT_ENC_CSN_ID", "pc_eid", "id"),
        "patient_id": ("PAT_ID", "PAT_MRN_ID", "pc_pid"),
        "provider_id": ("PROV_ID", "VISIT_PROV_ID", "pc_aid"),
        "visit_start": ("APPT_DTTM", "APPT_TIME", "APPOINTMENT DATE + APPOINTMENT START TIME", "Start Date", "START",
                        "pc_eventDate + pc_startTime"),
        "visit_end": ("CHECKOUT_DTTM", "CHECKOUT_TIME", "End Date", "STOP", "pc_eventDate + pc_endTime"),
        "booked_at": ("APPT_MADE_DTTM", "APPT_MADE_DATE", "APPOINTMENT SCHEDULED DATETIME", "Created Date", "pc_time"),
        "status": ("APPT_STATUS_NAME", "Confirmation Status", "pc_apptstatus"),
    },
    "claims": {"service_date": ("claim_line_start_date", "claim_start_date")},
    "providers": {},
    "phone_log": {},
}  # fmt: skip
"""Canonical column → headers, or two that are joined, the better ones first."""


def headers() -> dict[str, dict[str, list[str]]]:
    """Those of the sources that ship after HEADERS."""
    found = {table: {column: [*names] for column, names in columns.items()} for table, columns in HEADERS.items()}
    for source in map(known.content, known.names()):
        for table in found.keys() & source.keys():
            for column, names in source[table]["columns"].items():
                is_list = TABLES[table].columns[column].is_list  # `init` finds the siblings of its first header
                header = names if isinstance(names, str) else names[0] if is_list else " + ".join(names)
                listed = found[table].setdefault(column, [])
                listed += [header] if header not in listed else []
    return found


ZONES = {"UTC": "+00:00", "GMT": "+00:00", "EST": "-05:00", "EDT": "-04:00", "CST": "-06:00", "CDT": "-05:00",
         "MST": "-07:00", "MDT": "-06:00", "PST": "-08:00", "PDT": "-07:00", "AKST": "-09:00", "AKDT": "-08:00",
         "HST": "-10:00"}  # fmt: skip
"""Names of zones that times of the United States end with, and their offsets."""

MEANINGS: Mapping[str, Sequence[tuple[str, str]]] = {
    "status": (
        (r"no.?show|missed|did ?n.?t|did not|without seen", "no_show"),
        (r"cancel|resched|bumped|\bcx\b|^x$|^x -", "cancelled"),
        (r"complet|check.?(ed|ing)?.?(in|out)|charge|arriv|seen|fulfil|kept|^[<>]$", "completed"),
        (r"sched|book|pend|confirm|filled|open|remind", "scheduled"),
    ),
    "modality": (
        (r"video|tele(?!phon)|virtual|zoom", "telehealth"),
        (r"phone|audio", "phone"),
        (r"office|person|clinic|face|home", "in_person"),
    ),
    "initiated_by": ((r"call.?back", "callback"), (r"^out|provider|staff|manual", "provider"), (r"^in|patient", "patient")),
    "caller": (
        (r"moth|fath|\bmom\b|\bdad\b", "parent"),
        (r"guard|foster|custod", "guardian"),
        (r"self|patient", "patient"),
        (r"wife|husb|partner|son\b|daught|grand|aunt|uncle|nurse|hosp|school", "other"),
    ),
    "purpose": (
        (r"sched|appoint|book", "scheduling"),
        (r"admin|bill|refill|form|record|insur", "administrative"),
        (r"follow", "follow_up"),
        (r"clinic|symptom|triage|medic|advice", "clinical"),
    ),
}  # fmt: skip
"""Vocabulary column → patterns of words that most likely mean a term; the first that is found."""
