"""The canonical tables: every column's kind, vocabulary, known aliases and one-line meaning.

The reader, the parser, `init` and the documentation all read these definitions; nothing repeats them.
Source: docs/specification.md#tables-and-values.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


class Kind(StrEnum):
    """How a column's text is parsed."""

    ID = "identifier"
    TEXT = "text"
    INSTANT = "instant"
    DATE = "date"
    CLOCK = "time of day"
    MINUTES = "minutes"
    SECONDS = "seconds"
    TERM = "vocabulary"
    FLAG = "yes/no"
    DOCUMENTED = "documented"
    CODE = "code"
    CODES = "list of codes"
    DIAGNOSES = "list of diagnoses"
    MONEY = "money"
    NUMBER = "number"
    DAYS = "days"
    ZONE = "time zone"


Vocabulary = Mapping[str, tuple[str, ...]]

STATUS: Vocabulary = {
    "completed": ("arrived", "attended", "checked_in", "checked_out", "fulfilled", "kept", "seen", "finished", "discharged",
                  "in-progress", "triaged", "onleave"),
    "scheduled": ("booked", "pending", "confirmed", "planned", "proposed", "waitlist"),
    "cancelled": ("canceled", "rescheduled", "discontinued", "entered-in-error"),
    "no_show": ("noshow", "no-showed", "did not attend", "dna"),
}  # fmt: skip
TENTATIVE = ("proposed", "waitlist")
"""Words for a scheduled visit that nobody has confirmed."""
MODALITY: Vocabulary = {
    "in_person": ("AMB", "EMER", "IMP", "HH", "ACUTE", "NONAC", "OBSENC", "SS"),
    "telehealth": ("video",),
    "phone": ("telephone", "audio"),
    "": ("VR",),
}
"""FHIR's classes of encounters too; VR, which may be by phone or video, counts as blank."""
INITIATED_BY: Vocabulary = {
    "patient": ("guardian", "parent", "inbound", "incoming"),
    "provider": ("staff", "outbound", "outgoing"),
    "callback": (),
}
PURPOSE: Vocabulary = {"clinical": (), "scheduling": (), "administrative": (), "follow_up": ()}
CALLER: Vocabulary = {
    "patient": ("self",),
    "parent": ("mother", "father"),
    "guardian": ("legal guardian",),
    "other": ("spouse", "child", "sibling", "friend", "caregiver", "neighbour", "pharmacy", "facility"),
}
DIRECTION: Vocabulary = {
    "inbound": ("incoming", "in", "received", "terminating"),
    "outbound": ("outgoing", "out", "placed", "originating", "outbound-api", "outbound-dial"),
    "internal": (),
}
YES_NO: Vocabulary = {"true": ("yes", "y", "t", "1", *"✓✔☑"), "false": ("no", "n", "f", "0", *"✗✘☐")}
CLAIM_STATUS: Vocabulary = {
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
}


FREQUENCY: Vocabulary = {"original": ("1", "5"), "replacement": ("7", "6"), "void": ("8",)}


@dataclass(frozen=True)
class Column:
    """One canonical column. `billing` marks the calls' columns that a claims table replaces."""

    name: str
    kind: Kind
    meaning: str
    aliases: tuple[str, ...] = ()
    required: bool = False
    vocabulary: Vocabulary | None = None
    billing: bool = False

    @property
    def is_list(self) -> bool:
        """Whether the column holds several values in one cell."""
        return self.kind in (Kind.CODES, Kind.DIAGNOSES)


@dataclass(frozen=True)
class TableSpec:
    """One canonical table: its columns by name and the columns that identify a record."""

    name: str
    key: tuple[str, ...]
    columns: Mapping[str, Column]


@lru_cache(1 << 12)
def fold(text: str) -> str:
    """The form in which headers are compared: case, `_`, `-`, spaces and dots are ignored."""
    return text.strip().casefold().translate(str.maketrans("", "", "_-. "))


def fold_term(text: str) -> str:
    """The form in which vocabulary values are compared: case, `_`, `-` and spaces are ignored."""
    return text.strip().casefold().translate(str.maketrans("", "", "_- "))


def is_number(text: str) -> bool:
    """Whether a word is a number, such as a payer's code of a claim's status."""
    return fold_term(text).replace(".", "").isdecimal()


def _table(name: str, key: tuple[str, ...], *columns: Column) -> TableSpec:
    return TableSpec(name, key, {column.name: column for column in columns})


_PATIENT_ALIASES = ("patient", "patient_no", "mrn", "member_id", "person_id", "bene_id", "subscriber_id")
_PROVIDER_ALIASES = ("provider", "rendering_provider", "rendering_provider_id", "rendering_npi", "provider_npi", "clinician",
                     "clinician_id", "npi")  # fmt: skip

_PATIENT = Column("patient_id", Kind.ID, "the patient", _PATIENT_ALIASES, required=True)
_PROVIDER = Column("provider_id", Kind.ID, "the rendering provider", _PROVIDER_ALIASES)
_REQUIRED_PROVIDER = Column("provider_id", Kind.ID, "the rendering provider", _PROVIDER_ALIASES, required=True)
_PROBLEM = Column("problem_id", Kind.ID, "the problem or episode", ("problem", "episode_id"))
_GROUP = Column("group_id", Kind.ID, "the billing group", ("practice_id", "tax_id", "tin"))
_SPECIALTY = Column("specialty", Kind.TEXT, "the provider's specialty", ("speciality", "provider_specialty"))
_DIAGNOSES = Column(
    "diagnosis_codes",
    Kind.DIAGNOSES,
    "ICD-10-CM codes",
    ("diagnoses", "diagnosis", "dx", "dx_codes", "icd10", "icd_codes"),
)
_TIMEZONE = Column("timezone", Kind.ZONE, "the zone of the row's times without an offset", ("tz", "time_zone_name"))
_PAYER = Column("payer", Kind.TEXT, "the insurer billed", ("insurer", "payor", "payer_name", "insurance"))
_CODE_ALIASES = ("cpt", "hcpcs", "hcpcs_cd", "hcpcs_code", "procedure_code", "billed_cpt")


def _billing(*, billing: bool) -> tuple[Column, ...]:
    return (
        Column("modifiers", Kind.CODES, "modifiers of the line", ("modifier", "mods"), billing=billing),
        Column("units", Kind.NUMBER, "units billed", ("unit_count", "quantity", "service_units"), billing=billing),
        Column("billed_amount", Kind.MONEY, "amount billed", ("charge", "charge_amount", "billed"), billing=billing),
        Column("paid_amount", Kind.MONEY, "amount paid", ("payment", "payment_amount", "paid"), billing=billing),
        Column(
            "claim_status",
            Kind.TERM,
            "void, reversed, denied, or active",
            ("line_status",),
            False,
            CLAIM_STATUS,
            billing,
        ),
        Column(
            "frequency_code",
            Kind.TERM,
            "original, replacement or void",
            ("claim_frequency_code", "claim_frequency"),
            False,
            FREQUENCY,
            billing,
        ),
        Column(
            "original_claim_id",
            Kind.ID,
            "the claim that it replaces or voids",
            ("original_claim", "original_reference_number", "replaced_claim_id"),
            billing=billing,
        ),
    )


CALLS = _table(
    "calls",
    ("call_id",),
    Column("call_id", Kind.ID, "the call", ("call", "call_no", "call_number"), required=True),
    _PATIENT,
    _REQUIRED_PROVIDER,
    _TIMEZONE,
    Column(
        "call_start", Kind.INSTANT, "when the call began", ("start_time", "call_start_time", "start"), required=True
    ),
    Column("call_end", Kind.INSTANT, "when the call ended", ("end_time", "end")),
    Column("call_end_time", Kind.CLOCK, "the time of day when the call ended, if the export has no date for it"),
    Column("call_minutes", Kind.MINUTES, "stated length in minutes", ("minutes", "duration_minutes")),
    Column("call_seconds", Kind.SECONDS, "stated length in seconds", ("seconds", "duration_seconds", "duration_sec")),
    Column("discussion_minutes", Kind.MINUTES, "minutes of medical discussion", ("medical_discussion_minutes",)),
    Column("initiated_by", Kind.TERM, "who started the call", ("direction", "initiator"), False, INITIATED_BY),
    Column("caller", Kind.TERM, "who spoke for the patient", ("caller_type",), False, CALLER),
    Column("purpose", Kind.TERM, "what the call was for", ("call_purpose",), False, PURPOSE),
    Column("established", Kind.FLAG, "whether the patient was established", ("established_patient",)),
    _DIAGNOSES,
    _PROBLEM,
    _GROUP,
    _SPECIALTY,
    Column("provider_credential", Kind.TEXT, "the provider's credential", ("credential", "credentials")),
    Column(
        "related_visit_id", Kind.ID, "a visit that the call belongs to", ("related_visit", "related_appointment_id")
    ),
    Column("doc_reason", Kind.DOCUMENTED, "the reason for the call is documented"),
    Column("doc_summary", Kind.DOCUMENTED, "a summary of the discussion is documented"),
    Column("doc_advice", Kind.DOCUMENTED, "the advice given is documented"),
    Column("doc_statement", Kind.DOCUMENTED, "the statement on time and related visits is documented"),
    Column("doc_identity", Kind.DOCUMENTED, "the check of the caller's identity is documented"),
    Column("doc_consent", Kind.DOCUMENTED, "the patient's consent is documented"),
    Column("cpt_code", Kind.CODE, "code billed for the call", _CODE_ALIASES, billing=True),
    Column("claim_id", Kind.ID, "claim that bills the call", ("claim", "claim_no", "claim_number")),
    Column("claim_line", Kind.ID, "line of that claim", ("line", "line_no", "line_number", "line_num")),
    *_billing(billing=True),
    _PAYER,
)

VISITS = _table(
    "visits",
    ("visit_id",),
    Column("visit_id", Kind.ID, "the visit", ("appointment_id", "encounter_id", "visit_occurrence_id"), required=True),
    _PATIENT,
    _TIMEZONE,
    Column(
        "visit_start",
        Kind.INSTANT,
        "when the visit began",
        ("appointment_start", "encounter_start", "visit_start_datetime"),
        required=True,
    ),
    _PROVIDER,
    Column(
        "visit_end", Kind.INSTANT, "when the visit ended", ("appointment_end", "encounter_end", "visit_end_datetime")
    ),
    Column("modality", Kind.TERM, "in person, telehealth or phone", ("visit_modality",), False, MODALITY),
    Column("status", Kind.TERM, "whether the visit took place", ("visit_status", "appointment_status"), False, STATUS),
    Column(
        "booked_at",
        Kind.INSTANT,
        "when the visit was booked",
        ("booked", "booking_date", "scheduled_at", "scheduling_date"),
    ),
    Column("soonest_available", Kind.FLAG, "whether it was the soonest available appointment", ("next_available",)),
    Column("originating_call_id", Kind.ID, "the call that led to the visit", ("originating_call", "source_call_id")),
    Column("cpt_codes", Kind.CODES, "codes billed for the visit", ("cpt_code", *_CODE_ALIASES, "procedure_codes")),
    _DIAGNOSES,
    _PROBLEM,
    _GROUP,
    _SPECIALTY,
    Column("global_days", Kind.DAYS, "days of the procedure's global period", ("global_period", "glob_days")),
)

CLAIMS = _table(
    "claims",
    ("claim_id", "claim_line"),
    Column("claim_id", Kind.ID, "the claim", ("claim", "claim_no", "claim_number", "clm_id"), required=True),
    Column("claim_line", Kind.ID, "the line of the claim; 1 if blank", ("line", "line_no", "line_number", "line_num")),
    _PATIENT,
    _REQUIRED_PROVIDER,
    Column(
        "service_date", Kind.DATE, "date of service", ("dos", "date_of_service", "line_1st_expns_dt"), required=True
    ),
    Column("cpt_code", Kind.CODE, "code billed", _CODE_ALIASES, required=True),
    Column("call_id", Kind.ID, "the call that the line bills", ("call", "call_no", "call_number")),
    *_billing(billing=False),
    Column("processed_date", Kind.DATE, "when the payer decided on the row", ("date_processed", "adjudication_date")),
    Column("remittance_only", Kind.FLAG, "whether a payer's line that fits no line of the claim as it was billed"),
    Column("place_of_service", Kind.TEXT, "place of service code", ("pos", "pos_code", "place_of_service_code")),
    _PAYER,
    _DIAGNOSES,
)

PROVIDERS = _table(
    "providers",
    ("provider_id",),
    _REQUIRED_PROVIDER,
    Column("credential", Kind.TEXT, "the provider's credential", ("credentials", "provider_credential")),
    _GROUP,
    _SPECIALTY,
    Column(
        "license_start",
        Kind.DATE,
        "first day of the provider's license",
        ("licence_start", "licence_from", "license_from"),
    ),
    Column(
        "license_end",
        Kind.DATE,
        "last day of the provider's license",
        ("licence_end", "licence_to", "license_to", "license_expiry"),
    ),
)

PHONE_LOG = _table(
    "phone_log",
    ("record_id",),
    Column("record_id", Kind.ID, "the telephone system's record", ("record", "call_id", "session_id", "unique_id")),
    _TIMEZONE,
    Column(
        "call_start",
        Kind.INSTANT,
        "when the record began",
        ("start", "start_time", "call_start_time", "record_start"),
        required=True,
    ),
    Column("call_end", Kind.INSTANT, "when it ended", ("end", "end_time", "call_end_time", "record_end")),
    Column("talk_seconds", Kind.SECONDS, "length of the talk in seconds", ("talk_time", "talking", "billable_seconds")),
    Column("direction", Kind.TERM, "inbound, outbound or internal", ("call_direction",), False, DIRECTION),
    Column("extension", Kind.TEXT, "the extension that took part", ("ext", "extension_number")),
    Column("user", Kind.TEXT, "the user who took part", ("user_id", "username", "agent", "agent_id")),
    Column("from_number", Kind.TEXT, "the number that called", ("from", "caller_number")),
    Column("to_number", Kind.TEXT, "the number that was called", ("to", "called_number")),
    Column("outside_number", Kind.TEXT, "the number of the outside party", ("outside", "external_number", "number")),
)

TABLES: Mapping[str, TableSpec] = {table.name: table for table in (CALLS, VISITS, CLAIMS, PROVIDERS, PHONE_LOG)}
