"""The slow reference: audit98968's rules as plain loops, written from SPEC.md alone.

Nothing here is clever. One function reads a table, one builds the lines, one judges each rule; the fast engine must
agree with all of it. Comments that start with ``CHOICE`` mark places where SPEC.md leaves room and say which reading
was taken.

Entry point: ``audit(World) -> Result``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

DAY = timedelta(hours=24)
MICROSECOND = timedelta(microseconds=1)
MINUTE_US = 60_000_000

# ----------------------------------------------------------------------------------------------------
# What goes in and what comes out
# ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Table:
    """One table of text cells; ``""`` is blank. Only the columns listed in ``columns`` exist."""

    columns: tuple[str, ...]
    rows: tuple[dict[str, str], ...]


@dataclass(frozen=True)
class World:
    """Everything that one audit sees. For the keys of ``settings`` see ``SETTINGS``."""

    calls: Table
    visits: Table
    claims: Table | None = None
    providers: Table | None = None
    settings: dict[str, Any] = field(default_factory=dict)


SETTINGS: dict[str, Any] = {
    "timezone": "UTC",
    "dst": None,
    "as_of": None,
    "visits_since": None,
    "claims_since": None,
    "service_from": None,
    "service_to": None,
    "codes": ("98968",),
    "relatedness": "evidence",
    "anchor": "unflagged",
    "horizon_days": 14,
    "severity": {},
    "unrelated_supports_lah001": True,
}


@dataclass(frozen=True)
class Verdict:
    """One rule's outcome for one claim, with the related record that decided it."""

    outcome: str
    related_kind: str | None = None
    related_id: str | None = None
    related_count: int | None = None
    gap_days: int | None = None
    basis: str | None = None


@dataclass(frozen=True)
class ClaimResult:
    """One audited claim. ``outcomes`` holds the evaluated rules only."""

    patient_id: str
    provider_id: str
    service_date: date
    start: datetime | None
    end: datetime | None
    minutes: int | None
    minutes_source: str | None
    call_ids: tuple[str, ...]
    disposition: str
    supportable_code: str | None
    at_risk_amount: Decimal | None
    outcomes: dict[str, Verdict]
    review_amount: Decimal | None = None


@dataclass(frozen=True)
class Result:
    """The whole answer. ``rejects`` maps a table to sorted (record number from 1, reason)."""

    coverage: dict[str, Any]
    not_evaluated: set[str]
    rejects: dict[str, list[tuple[int, str]]]
    claims: dict[tuple[str, str, str], ClaimResult]
    void: int
    denied: int


# ----------------------------------------------------------------------------------------------------
# Section 9: lists
# ----------------------------------------------------------------------------------------------------

FAMILY = ("98966", "98967", "98968")
BANDS = {"98966": (5, 10), "98967": (11, 20), "98968": (21, 30)}

VISIT_CODES_TEXT = """
99202-99205 99211-99215 99242-99245 98000-98015 99441-99443 99341-99350 99304-99310 99315 99316 99381-99387 99391-99397
G0402 G0438 G0439 99281-99285 99221-99223 99231-99239 90791 90792 90832-90839 90845-90847 90853 96156 96158 96159
96164-96171 97802-97804 G0270 G0271 G0447 97161-97168 97110 97112 97116 97140 97530 97535 92507 92526 92521-92524 92540
92557 92625 92002 92004 92012 92014 G0463 T1015 10004-69990
"""
NOT_VISIT_CODES = {"36415", "36416", *FAMILY}
NCCI_0_TEXT = "36591 36592 96523 99421-99423 99484 99487 99489-99496 G0506 G0511 G0512 0734T"
NCCI_1_TEXT = "93792 93793 99424-99427 99439 99446-99449 G0250"
PHYSICIANS_TEXT = "MD DO MBBS MBCHB"
QUALIFIED_TEXT = """
PT DPT OT OTR OTD SLP AUD RD RDN LD LDN LCSW LICSW LISW CSW PSYD PHD EDD LPC LPCC LMHC LCPC LMFT MFT BCBA NP FNP DNP
APRN ARNP CRNP CNS CNM PA PHARMD CGC
"""
PHYSICIANS = set(PHYSICIANS_TEXT.split())
QUALIFIED = set(QUALIFIED_TEXT.split())


def in_list(code: str, text: str) -> bool:
    """Is the code in a list of codes and ranges? Ranges compare five-digit codes only."""
    for item in text.split():
        if "-" in item:
            low, high = item.split("-")
            if re.fullmatch(r"[0-9]{5}", code) and int(low) <= int(code) <= int(high):
                return True
        elif code == item:
            return True
    return False


def is_visit_code(code: str) -> bool:
    """A visit or procedure code of section 9."""
    return code not in NOT_VISIT_CODES and in_list(code, VISIT_CODES_TEXT)


# ----------------------------------------------------------------------------------------------------
# Section 2: columns and vocabularies
# ----------------------------------------------------------------------------------------------------

COLUMNS: dict[str, dict[str, str]] = {
    "calls": {
        "call_id": "text",
        "patient_id": "text",
        "provider_id": "text",
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
        "cpt_code": "code",
        "claim_id": "text",
        "claim_line": "text",
        "modifiers": "codes",
        "units": "number",
        "billed_amount": "money",
        "paid_amount": "money",
        "claim_status": "claim_status",
    },
    "visits": {
        "visit_id": "text",
        "patient_id": "text",
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
        "diagnosis_codes": "diagnoses",
    },
    "providers": {
        "provider_id": "text",
        "credential": "text",
        "group_id": "text",
        "specialty": "text",
        "licence_start": "date",
        "licence_end": "date",
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
BILLING_COLUMNS = ("cpt_code", "modifiers", "units", "billed_amount", "paid_amount", "claim_status")

VOCABULARIES: dict[str, dict[str, tuple[str, ...]]] = {
    "status": {
        "completed": ("arrived", "attended", "checked_in", "checked_out", "fulfilled", "kept", "seen"),
        "scheduled": ("booked", "pending", "confirmed"),
        "cancelled": ("canceled", "rescheduled", "entered-in-error"),
        "no_show": ("noshow", "no-showed", "did not attend", "dna"),
    },
    "modality": {"in_person": (), "telehealth": ("video",), "phone": ("telephone", "audio")},
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
    "claim_status": {
        "void": ("voided", "reversed", "deleted", "cancelled", "canceled"),
        "denied": ("rejected",),
    },
}
TRUE_WORDS = ("true", "yes", "y", "t", "1")
FALSE_WORDS = ("false", "no", "n", "f", "0")
NOTHING_WORDS = ("", "n/a", "na", "none", "null", "-")


class RowError(Exception):
    """A value or row that must be rejected; the text is the kind of reason."""


@dataclass(frozen=True)
class Instant:
    """A point in time in UTC; ``date_only`` when only its day is known (``at`` is then the day's first instant)."""

    at: datetime
    date_only: bool


# ----------------------------------------------------------------------------------------------------
# Section 2: reading values
# ----------------------------------------------------------------------------------------------------


class Clock:
    """The policy's timezone: local text to UTC instants, and D(x)."""

    def __init__(self, timezone: str, dst: str | None) -> None:
        self.zone = ZoneInfo(timezone)
        self.dst = dst

    def day(self, instant: datetime) -> date:
        """D(x): the local date of an instant."""
        return instant.astimezone(self.zone).date()

    def first_instant(self, day: date) -> datetime:
        """The first instant of a local day."""
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).astimezone(UTC)

    def last_instant(self, day: date) -> datetime:
        """The last microsecond before the next local midnight."""
        return self.first_instant(day + timedelta(days=1)) - MICROSECOND

    def from_local(self, naive: datetime) -> datetime:
        """A local wall time as an instant; one that the DST change skips or repeats is bad, or the policy decides."""
        first = naive.replace(tzinfo=self.zone, fold=0).astimezone(UTC)
        second = naive.replace(tzinfo=self.zone, fold=1).astimezone(UTC)
        if first == second:
            return first
        # CHOICE: "first" reads the time with the offset before the change, "second" with the offset after it, also when
        # the time is skipped (PEP 495).
        if self.dst == "first":
            return first
        if self.dst == "second":
            return second
        raise RowError("dst")


ISO = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d+))?)?\s*(Z|z|[+-]\d{2}(?::?\d{2})?)?)?", re.ASCII
)
US = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?:\s+(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\s*([AaPp][Mm]))?)?", re.ASCII)


@dataclass(frozen=True)
class Written:
    """An instant as written: wall time, offset if any, and whether a time was written at all."""

    wall: datetime
    offset: timedelta | None
    has_time: bool


def read_written(text: str) -> Written:
    """Take a date or date and time apart. Raises RowError("unreadable")."""
    try:
        if found := ISO.fullmatch(text):
            year, month, day, hour, minute, second, fraction, zone = found.groups()
            micro = int((fraction or "0")[:6].ljust(6, "0"))
            wall = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), micro)
            return Written(wall, read_offset(zone), hour is not None)
        if found := US.fullmatch(text):
            month, day, year, hour, minute, second, half = found.groups()
            number = int(hour or 0)
            if half:
                if not 1 <= number <= 12:
                    raise RowError("unreadable")
                number = number % 12 + (12 if half.upper() == "PM" else 0)
            wall = datetime(int(year), int(month), int(day), number, int(minute or 0), int(second or 0))
            return Written(wall, None, hour is not None)
    except ValueError as error:
        raise RowError("unreadable") from error
    raise RowError("unreadable")


def read_offset(zone: str | None) -> timedelta | None:
    """``Z``, ``+05``, ``+0530`` or ``+05:30`` as a timedelta; None where there is no offset."""
    if zone is None:
        return None
    if zone in "Zz":
        return timedelta(0)
    digits = zone[1:].replace(":", "").ljust(4, "0")
    if int(digits[:2]) > 23 or int(digits[2:]) > 59:
        raise RowError("unreadable")
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -size if zone[0] == "-" else size


def read_instant(text: str, clock: Clock, whole_column_date_only: bool) -> Instant:
    """An instant; without a time, or in a date-only column, the first instant of its day as written."""
    written = read_written(text)
    if not written.has_time or whole_column_date_only:
        # CHOICE: in an all-midnight column the day is the day as written, whatever its offset.
        return Instant(clock.first_instant(written.wall.date()), True)
    if written.offset is not None:
        return Instant((written.wall - written.offset).replace(tzinfo=UTC), False)
    return Instant(clock.from_local(written.wall), False)


def read_date(text: str, clock: Clock) -> date:
    """A date; where a time was written too, the local date of that instant."""
    written = read_written(text)
    if written.has_time and written.offset is not None:
        return clock.day((written.wall - written.offset).replace(tzinfo=UTC))
    return written.wall.date()  # CHOICE: a local wall time's date needs no DST decision


def column_is_date_only(table: Table, column: str) -> bool:
    """Does the column hold 20 or more values, all midnight as written?

    CHOICE: blanks and unreadable values do not count; every row counts, also one that is rejected for another reason; a
    value without a time counts as midnight.
    """
    count = 0
    for row in table.rows:
        text = row.get(column, "").strip()
        if text == "":
            continue
        try:
            written = read_written(text)
        except RowError:
            continue
        if (written.wall.hour, written.wall.minute, written.wall.second, written.wall.microsecond) != (0, 0, 0, 0):
            return False
        count += 1
    return count >= 20


def read_number(text: str) -> Fraction:
    """A plain decimal number."""
    if re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)", text, re.ASCII):
        return Fraction(text if not text.endswith(".") else text[:-1])
    raise RowError("unreadable")


def read_duration(text: str, unit_seconds: int) -> Fraction:
    """A duration in seconds from a number of units or ``[h:]mm:ss``; negative or over 24 h is bad."""
    if found := re.fullmatch(r"(-?)(?:(\d+):)?(\d+):(\d{2})", text, re.ASCII):
        sign, hours, minutes, seconds = found.groups()
        if int(seconds) > 59 or (hours is not None and int(minutes) > 59):
            raise RowError("unreadable")
        size = Fraction(int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds))
        size = -size if sign else size
    else:
        size = read_number(text) * unit_seconds
    if size < 0:
        raise RowError("negative")
    # CHOICE: every duration column of a call is held to 24 h, also call_seconds beside call_minutes.
    if size > 24 * 3600:
        raise RowError("over 24 h")
    return size


def read_money(text: str) -> Decimal:
    """``$1,234.50`` and ``(75.25)`` as Decimal."""
    found = re.fullmatch(r"(-?)(\()?(-?)\$?\s*((?:\d[\d,]*)?(?:\.\d*)?)(\))?", text, re.ASCII)
    if not found:
        raise RowError("unreadable")
    minus, opening, inner_minus, digits, closing = found.groups()
    if bool(opening) != bool(closing) or not re.search(r"\d", digits) or (minus and (inner_minus or opening)):
        raise RowError("unreadable")
    value = Decimal(digits.replace(",", ""))
    return -value if (minus or inner_minus or opening) else value


def fold(text: str) -> str:
    """For vocabularies: without case, underscores, hyphens and spaces."""
    return re.sub(r"[\s_-]+", "", text).casefold()


def read_word(column: str, text: str) -> str | None:
    """The canonical word of a vocabulary, or None where the text is outside it."""
    for word, synonyms in VOCABULARIES[column].items():
        if fold(text) in {fold(word), *(fold(synonym) for synonym in synonyms)}:
            return word
    return None


def read_code(text: str) -> str | None:
    """Upper case, cut at the first character that is neither letter nor digit; nothing left is blank."""
    found = re.match(r"[A-Z0-9]*", text.strip().upper())
    return (found.group() if found else "") or None


def read_codes(text: str, dots: bool) -> frozenset[str]:
    """A list of codes as a set. With ``dots`` (diagnoses) dots are removed before the cut."""
    codes = set()
    for part in re.split(r"[;,|\s]+", text):
        code = read_code(part.replace(".", "") if dots else part)
        if code:
            codes.add(code)
    return frozenset(codes)


def read_global_days(text: str) -> Fraction | None:
    """A number such as ``090``, else blank."""
    try:
        return read_number(text)
    except RowError:
        return None


def read_value(kind: str, column: str, text: str, clock: Clock, date_only: bool) -> Any:
    """One cell as its normalised value; None is blank. Raises RowError where the cell rejects its row."""
    text = text.strip()
    if kind == "documented":
        return text.casefold() not in NOTHING_WORDS + FALSE_WORDS
    if kind in ("codes", "diagnoses"):
        return read_codes(text, dots=kind == "diagnoses")
    if kind == "claim_status":
        return read_word(column, text) or "active"
    if text == "":
        return None
    if kind == "text":
        return text
    if kind == "code":
        return read_code(text)
    if kind == "instant":
        return read_instant(text, clock, date_only)
    if kind == "date":
        return read_date(text, clock)
    if kind == "minutes":
        return read_duration(text, 60)
    if kind == "seconds":
        return read_duration(text, 1)
    if kind == "number":
        return read_number(text)
    if kind == "money":
        return read_money(text)
    if kind == "boolean":
        return True if text.casefold() in TRUE_WORDS else False if text.casefold() in FALSE_WORDS else None
    if kind == "global_days":
        return read_global_days(text)
    if kind == "vocabulary":
        return read_word(column, text) or ("unrecognised" if column == "status" else None)
    raise AssertionError(kind)


# ----------------------------------------------------------------------------------------------------
# Section 2: reading tables
# ----------------------------------------------------------------------------------------------------


@dataclass
class Loaded:
    """A table after normalisation: one dict per record that is used, the rejects, and the tainted patients."""

    records: list[dict[str, Any]]
    rejects: list[tuple[int, str]]
    tainted: set[str]
    columns: set[str]


def load(name: str, table: Table | None, clock: Clock, with_claims_table: bool) -> Loaded:
    """Read one table: own faults first, then exact duplicates, then rows of one id."""
    if table is None:
        return Loaded([], [], set(), set())
    missing = [column for column in REQUIRED[name] if column not in table.columns]
    if missing:
        raise ValueError(f"{name}: required columns missing: {missing}")
    kinds = dict(COLUMNS[name])
    if name == "calls" and with_claims_table:
        for column in BILLING_COLUMNS:
            del kinds[column]
    exists = {column for column in kinds if column in table.columns}
    date_only = {c: column_is_date_only(table, c) for c in exists if kinds[c] == "instant"}
    default_line = name == "claims" or (name == "calls" and not with_claims_table)

    rejects: list[tuple[int, str]] = []
    tainted: set[str] = set()

    def reject(record: int, reason: str) -> None:
        rejects.append((record, reason))
        patient = table.rows[record - 1].get("patient_id", "").strip()
        if reason != "duplicate row" and "patient_id" in exists and patient:
            tainted.add(patient)

    good: list[tuple[int, dict[str, Any]]] = []
    for record, row in enumerate(table.rows, start=1):
        try:
            values: dict[str, Any] = {}
            for column, kind in kinds.items():
                text = row.get(column, "") if column in exists else ""
                values[column] = read_value(kind, column, text, clock, date_only.get(column, False))
            for column in REQUIRED[name]:
                if values[column] is None:
                    raise RowError("blank")
            if default_line and values["claim_line"] is None:
                values["claim_line"] = "1"
            if name == "calls":
                check_call(values)
            good.append((record, values))
        except RowError as bad:
            reject(record, str(bad))

    groups: dict[tuple[str, ...], list[tuple[int, dict[str, Any]]]] = {}
    for record, values in good:
        groups.setdefault(tuple(values[column] for column in KEYS[name]), []).append((record, values))

    records: list[dict[str, Any]] = []
    for rows in groups.values():
        distinct: list[tuple[int, dict[str, Any]]] = []
        for record, values in rows:
            if any(values == other for _, other in distinct):
                reject(record, "duplicate row")
            else:
                distinct.append((record, values))
        plain = [{c: v for c, v in values.items() if c not in LIST_COLUMNS} for _, values in distinct]
        if any(one != plain[0] for one in plain):
            for record, _ in distinct:
                reject(record, "conflicting rows for one id")
            continue
        merged = dict(plain[0])
        for column in LIST_COLUMNS:
            if column in kinds:
                merged[column] = frozenset().union(*(values[column] for _, values in distinct))
        records.append(merged)
    return Loaded(records, sorted(rejects), tainted, exists)


def check_call(values: dict[str, Any]) -> None:
    """The faults that one call row can have across its columns."""
    if values["call_start"].date_only:
        raise RowError("date-only")
    if values["call_end"] is not None:
        if values["call_end"].at < values["call_start"].at:
            raise RowError("end before start")
        if values["call_end"].at - values["call_start"].at > DAY:
            raise RowError("over 24 h")


# ----------------------------------------------------------------------------------------------------
# Section 1 and 3: calls, visits, lines
# ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """One used call. Durations are microseconds."""

    id: str
    row: dict[str, Any]
    start: datetime
    clock_end: datetime | None
    end: datetime | None
    stated: Fraction | None
    discussion: Fraction | None
    patient: str
    provider: str


@dataclass(frozen=True)
class Visit:
    """One used visit, its group and specialty filled from its provider's row."""

    id: str
    row: dict[str, Any]
    start: datetime
    date_only: bool
    day: date
    status: str | None
    codes: frozenset[str]
    categories: frozenset[str]
    group: str | None
    specialty: str | None


@dataclass(frozen=True)
class Line:
    """One billed line with its calls and everything that section 3 derives from them."""

    claim_id: str
    claim_line: str
    code: str
    patient: str
    provider: str
    service_date: date
    status: str
    units: Fraction | None
    modifiers: frozenset[str]
    billed: Decimal | None
    paid: Decimal | None
    calls: tuple[Call, ...]
    named: tuple[Call, ...]
    start: datetime | None
    end: datetime | None
    problems: frozenset[str]
    categories: frozenset[str]
    group: str | None
    specialty: str | None
    credential: str | None
    minutes: int | None
    minutes_source: str | None

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.claim_id, self.claim_line, self.code)

    @property
    def first(self) -> datetime:
        """The start, for rules that read calls."""
        assert self.start is not None
        return self.start

    @property
    def last(self) -> datetime:
        """The end for the windows of section 5: the start stands for an unknown one."""
        return self.end or self.first

    @property
    def call_ids(self) -> set[str]:
        return {call.id for call in self.calls}

    @property
    def order(self) -> tuple[Any, ...]:
        """Order of lines: (service_date, start with unknown last, claim_id, claim_line as text)."""
        far = datetime.max.replace(tzinfo=UTC)
        # CHOICE: the code breaks the last tie (two codes under one claim_id and claim_line of the calls).
        return (self.service_date, self.start is None, self.start or far, self.claim_id, self.claim_line, self.code)


def make_call(row: dict[str, Any]) -> Call:
    """A call with its end: call_end, else start + stated, else start + discussion, else unknown."""
    start = row["call_start"].at
    clock_end = row["call_end"].at if row["call_end"] is not None else None
    seconds = row["call_minutes"] if row["call_minutes"] is not None else row["call_seconds"]
    stated = None if seconds is None else seconds * 1_000_000
    discussion = None if row["discussion_minutes"] is None else row["discussion_minutes"] * 1_000_000
    end = clock_end
    if end is None and stated is not None:
        end = start + timedelta(microseconds=int(stated))
    if end is None and discussion is not None:
        end = start + timedelta(microseconds=int(discussion))
    return Call(
        id=row["call_id"],
        row=row,
        start=start,
        clock_end=clock_end,
        end=end,
        stated=stated,
        discussion=discussion,
        patient=row["patient_id"],
        provider=row["provider_id"],
    )


def categories_of(codes: frozenset[str]) -> frozenset[str]:
    """Diagnosis categories: dots removed, first 3 characters."""
    return frozenset(code[:3] for code in codes)


def microseconds(delta: timedelta) -> int:
    """A timedelta as a whole number of microseconds."""
    return delta // MICROSECOND


def minutes_of(calls: tuple[Call, ...]) -> tuple[int | None, str | None]:
    """Whole minutes over all calls and where they come from; (None, None) where any call has no time."""
    if not calls:
        return None, None
    sources: list[str] = []
    total = Fraction(0)
    for call in calls:
        if call.discussion is not None:
            sources.append("discussion")
            total += call.discussion
        elif call.stated is not None:
            sources.append("stated")
            total += call.stated
        elif call.clock_end is not None:
            sources.append("clock")
            total += microseconds(call.clock_end - call.start)
        else:
            return None, None
    if set(sources) == {"clock"}:
        total = Fraction(0)
        covered_to: datetime | None = None
        for begin, end in sorted((call.start, call.clock_end) for call in calls if call.clock_end is not None):
            fresh = begin if covered_to is None else max(begin, covered_to)
            if end > fresh:
                total += microseconds(end - fresh)
                covered_to = end
    source = sources[0] if len(set(sources)) == 1 else "mixed"
    return int(total // MINUTE_US), source


class Book:
    """All records of one world, the coverage, and the settings in force."""

    def __init__(self, world: World) -> None:
        unknown_keys = set(world.settings) - set(SETTINGS)
        if unknown_keys:
            raise ValueError(f"unknown settings: {unknown_keys}")
        self.settings = {**SETTINGS, **world.settings}
        self.clock = Clock(self.settings["timezone"], self.settings["dst"])
        self.has_claims = world.claims is not None
        self.tables = {
            "calls": load("calls", world.calls, self.clock, self.has_claims),
            "visits": load("visits", world.visits, self.clock, self.has_claims),
            "claims": load("claims", world.claims, self.clock, self.has_claims),
            "providers": load("providers", world.providers, self.clock, self.has_claims),
        }
        self.providers = {row["provider_id"]: row for row in self.tables["providers"].records}
        self.calls = [make_call(row) for row in self.tables["calls"].records]
        self.calls.sort(key=lambda call: (call.start, call.id))
        self.visits = [self.make_visit(row) for row in self.tables["visits"].records]
        self.lines = self.lines_from_claims() if self.has_claims else self.lines_from_calls()
        self.lines.sort(key=lambda line: line.order)
        self.active = [line for line in self.lines if line.status == "active"]
        self.tainted_visits = self.tables["visits"].tainted
        self.tainted_lines = self.tables["claims" if self.has_claims else "calls"].tainted
        self.as_of = self.find_as_of()
        self.visits_since = self.find_visits_since()
        self.claims_since = self.find_claims_since()

    def exists(self, table: str, column: str) -> bool:
        return column in self.tables[table].columns

    def provider_value(self, provider: str | None, column: str) -> str | None:
        """What a provider's row says, where there is one."""
        if provider not in self.providers:
            return None
        value: str | None = self.providers[provider][column]
        return value

    def make_visit(self, row: dict[str, Any]) -> Visit:
        return Visit(
            id=row["visit_id"],
            row=row,
            start=row["visit_start"].at,
            date_only=row["visit_start"].date_only,
            day=self.clock.day(row["visit_start"].at),
            status=row["status"],
            codes=row["cpt_codes"],
            categories=categories_of(row["diagnosis_codes"]),
            group=row["group_id"] or self.provider_value(row["provider_id"], "group_id"),
            specialty=row["specialty"] or self.provider_value(row["provider_id"], "specialty"),
        )

    # ----- coverage -----

    def find_as_of(self) -> datetime | None:
        text = self.settings["as_of"]
        if text is not None:
            given = read_instant(text, self.clock, False)
            return self.clock.last_instant(self.clock.day(given.at)) if given.date_only else given.at
        completed = [visit for visit in self.visits if visit.status == "completed"]
        ends = [self.clock.last_instant(visit.day) if visit.date_only else visit.start for visit in completed]
        if ends:
            return max(ends)
        return max((call.end or call.start for call in self.calls), default=None)

    def find_visits_since(self) -> date | None:
        text = self.settings["visits_since"]
        if text is not None:
            return read_date(text, self.clock)
        return min((visit.day for visit in self.visits), default=None)

    def find_claims_since(self) -> date | None:
        text = self.settings["claims_since"]
        if text is not None:
            return read_date(text, self.clock)
        if self.has_claims:
            return min((line.service_date for line in self.lines), default=None)
        return min((self.clock.day(call.start) for call in self.calls), default=None)

    # ----- lines -----

    def lines_from_calls(self) -> list[Line]:
        """No claims table: calls sharing claim_id (else call_id), claim_line and code are one line."""
        members: dict[tuple[str, str, str], list[Call]] = {}
        codes_of_claim: dict[str, set[str]] = {}
        for call in self.calls:
            code = call.row["cpt_code"]
            if code is None:
                continue
            claim_id = call.row["claim_id"] or call.id
            members.setdefault((claim_id, call.row["claim_line"], code), []).append(call)
            codes_of_claim.setdefault(claim_id, set()).add(code)
        for call in self.calls:
            if call.row["cpt_code"] is not None or call.row["claim_id"] is None:
                continue
            codes = codes_of_claim.get(call.row["claim_id"], set())
            if len(codes) == 1:
                key = (call.row["claim_id"], call.row["claim_line"], next(iter(codes)))
                if key in members:
                    members[key].append(call)
        lines = []
        for (claim_id, claim_line, code), calls in members.items():
            earliest = min(calls, key=lambda call: (call.start, call.id))
            lines.append(self.make_line(claim_id, claim_line, code, earliest.row, None, calls, calls, frozenset()))
        return lines

    def lines_from_claims(self) -> list[Line]:
        """A claims table: a line's calls by call_id, else by claim_id, else by patient, provider and date."""
        rows = self.tables["claims"].records
        named_by: dict[tuple[str, str], list[Call] | None] = {}
        taken: set[str] = set()
        for row in rows:
            named: list[Call] | None = None
            if row["call_id"] is not None:
                named = [call for call in self.calls if call.id == row["call_id"]]
            else:
                sharing = [
                    call
                    for call in self.calls
                    if call.row["claim_id"] == row["claim_id"] and call.row["claim_line"] in (None, row["claim_line"])
                ]
                if sharing:
                    named = sharing
            named_by[row["claim_id"], row["claim_line"]] = named
            # CHOICE: a call is named where it is among the calls that (1) or (2) gave an active line; a claim_id that
            # (1) overrode names nothing.
            if named is not None and row["claim_status"] == "active":
                taken.update(call.id for call in named)
        lines = []
        for row in rows:
            named = named_by[row["claim_id"], row["claim_line"]]
            if named is not None:
                calls = named
            else:
                calls = [
                    call
                    for call in self.calls
                    if call.patient == row["patient_id"]
                    and call.provider == row["provider_id"]
                    and self.clock.day(call.start) == row["service_date"]
                    and call.id not in taken
                    and call.row["purpose"] not in ("scheduling", "administrative")
                ]
            lines.append(
                self.make_line(
                    row["claim_id"],
                    row["claim_line"],
                    row["cpt_code"],
                    row,
                    row["service_date"],
                    calls,
                    named or [],
                    row["diagnosis_codes"],
                )
            )
        return lines

    def make_line(
        self,
        claim_id: str,
        claim_line: str,
        code: str,
        billing: dict[str, Any],
        service_date: date | None,
        calls: list[Call],
        named: list[Call],
        diagnoses: frozenset[str],
    ) -> Line:
        """Everything of section 3; ``billing`` is the claims row, else the earliest call's row."""
        ordered = tuple(sorted(calls, key=lambda call: (call.start, call.id)))
        start = ordered[0].start if ordered else None
        known_ends = [call.end for call in ordered if call.end is not None]
        end = max(known_ends) if known_ends and len(known_ends) == len(ordered) else None
        if service_date is None:
            service_date = self.clock.day(ordered[0].start)
        if not diagnoses:
            diagnoses = frozenset().union(*(call.row["diagnosis_codes"] for call in ordered))
        provider = billing["provider_id"]

        def first_own(column: str, provider_column: str) -> str | None:
            for call in ordered:
                own: str | None = call.row[column]
                if own is not None:
                    return own
            return self.provider_value(provider, provider_column)

        minutes, source = minutes_of(ordered)
        return Line(
            claim_id=claim_id,
            claim_line=claim_line,
            code=code,
            patient=billing["patient_id"],
            provider=provider,
            service_date=service_date,
            status=billing["claim_status"],
            units=billing["units"],
            modifiers=billing["modifiers"],
            billed=billing["billed_amount"],
            paid=billing["paid_amount"],
            calls=ordered,
            named=tuple(named),
            start=start,
            end=end,
            problems=frozenset(call.row["problem_id"] for call in ordered if call.row["problem_id"] is not None),
            categories=categories_of(diagnoses),
            group=first_own("group_id", "group_id"),
            specialty=first_own("specialty", "specialty"),
            credential=first_own("provider_credential", "credential"),
            minutes=minutes,
            minutes_source=source,
        )


# ----------------------------------------------------------------------------------------------------
# Section 4: is that visit related, does it count
# ----------------------------------------------------------------------------------------------------


def is_linked(visit: Visit, claim: Line) -> bool:
    """A link in either direction between the visit and one of the claim's calls."""
    if visit.row["originating_call_id"] is not None and visit.row["originating_call_id"] in claim.call_ids:
        return True
    return any(call.row["related_visit_id"] == visit.id for call in claim.calls)


def relate(visit: Visit, claim: Line, book: Book) -> tuple[str, str]:
    """(yes | no | unknown, basis)."""
    if is_linked(visit, claim):
        return "yes", "linked"
    if book.settings["relatedness"] == "any":
        return "yes", "any"
    # CHOICE: SPEC names no basis for "no".
    if claim.problems and visit.row["problem_id"] is not None:
        shared = visit.row["problem_id"] in claim.problems
        return ("yes", "same problem") if shared else ("no", "different problem")
    if claim.categories and visit.categories:
        shared = bool(claim.categories & visit.categories)
        return ("yes", "same diagnosis category") if shared else ("no", "different diagnosis category")
    if visit.row["provider_id"] is not None and visit.row["provider_id"] == claim.provider:
        return "yes", "same provider"
    same_group = visit.group is not None and visit.group == claim.group
    if same_group and visit.specialty is not None and visit.specialty == claim.specialty:
        return "unknown", "same group"
    return "unknown", "unknown"


def counts(visit: Visit, claim: Line) -> bool:
    """Does the visit count for the claim at all?"""
    if visit.id in claim.call_ids:
        return False
    if visit.codes and all(code in FAMILY for code in visit.codes):
        return False
    if is_linked(visit, claim):
        return True
    if not visit.codes:
        return bool(visit.row["modality"] != "phone")
    return any(is_visit_code(code) for code in visit.codes)


def booked_for(visit: Visit, claim: Line, book: Book) -> datetime | None:
    """booked_at as the claim sees it: a date-only value on D(claim start) counts as blank."""
    booked: Instant | None = visit.row["booked_at"]
    if booked is None or (booked.date_only and book.clock.day(booked.at) == book.clock.day(claim.first)):
        return None
    return booked.at


# ----------------------------------------------------------------------------------------------------
# Section 5: outcomes and evidence
# ----------------------------------------------------------------------------------------------------

STRENGTH = {"violation": 0, "review": 1}
KIND_ORDER = {"visit": 0, "claim": 1, "call": 2}


@dataclass(frozen=True)
class Support:
    """One record that supports violation or review of one rule for one claim."""

    outcome: str
    kind: str
    id: str
    gap_days: int
    date_only: bool = False
    elapsed: timedelta = timedelta(0)
    basis: str | None = None


def override(rule: str, outcome: str, book: Book) -> str:
    """The policy's severity for the rule."""
    severity = book.settings["severity"].get(rule)
    if severity == "violation" and outcome == "review":
        return "violation"
    if severity == "review" and outcome == "violation":
        return "review"
    return outcome


def from_fact(rule: str, outcome: str, book: Book) -> Verdict:
    """The verdict of a rule that names no related record."""
    return Verdict(override(rule, outcome, book))


def from_records(rule: str, supports: list[Support], unknown: bool, book: Book, latest: bool = False) -> Verdict:
    """The verdict of a rule that looks at other records; with ``latest`` (supports in order) the last one is named."""
    if not supports:
        return Verdict("unknown" if unknown else "clear")
    judged = [(override(rule, one.outcome, book), position, one) for position, one in enumerate(supports)]
    strongest = min((outcome for outcome, _, _ in judged), key=lambda outcome: STRENGTH[outcome])
    same = [(position, one) for outcome, position, one in judged if outcome == strongest]
    if latest:
        chosen = max(same, key=lambda item: item[0])[1]
    else:
        chosen = min(
            (one for _, one in same),
            key=lambda one: (one.gap_days, KIND_ORDER[one.kind], one.date_only, one.elapsed, one.id),
        )
    return Verdict(strongest, chosen.kind, chosen.id, len(same), chosen.gap_days, chosen.basis)


def worst(outcomes: list[str]) -> str:
    """The worst of several facts."""
    for outcome in ("violation", "review", "unknown"):
        if outcome in outcomes:
            return outcome
    return "clear"


# ----- DUR -----


def dur001(claim: Line, book: Book) -> Verdict:
    if claim.minutes is None:
        return from_fact("DUR001", "unknown", book)
    return from_fact("DUR001", "violation" if claim.minutes < BANDS[claim.code][0] else "clear", book)


def dur002(claim: Line, book: Book) -> Verdict:
    if claim.minutes is None:
        return from_fact("DUR002", "unknown", book)
    return from_fact("DUR002", "violation" if claim.minutes > BANDS[claim.code][1] else "clear", book)


def dur003(claim: Line, book: Book) -> Verdict:
    timed = [
        call
        for call in claim.calls
        if call.clock_end is not None and (call.discussion is not None or call.stated is not None)
    ]
    if not timed:
        return Verdict("not applicable")
    for call in timed:
        length = microseconds(call.clock_end - call.start) if call.clock_end is not None else 0
        for said in (call.discussion, call.stated):
            if said is not None and said - length > MINUTE_US:
                return from_fact("DUR003", "review", book)
    return from_fact("DUR003", "clear", book)


# ----- LBK -----


def is_kept(visit: Visit, book: Book) -> bool:
    """Completed, or of blank or unrecognised status and, if not completed, with its start reached by as_of."""
    if visit.status == "completed":
        return True
    return visit.status in (None, "unrecognised") and book.as_of is not None and visit.start <= book.as_of


def behind(visit: Visit, claim: Line, outcome: str, basis: str, book: Book) -> Support:
    """A visit before the claim as evidence; gaps run from the visit to the claim's start."""
    if visit.status == "unrecognised":
        outcome = "review"
    gap = (book.clock.day(claim.first) - visit.day).days
    return Support(outcome, "visit", visit.id, gap, visit.date_only, claim.first - visit.start, basis)


def back_unknown(claim: Line, days: int, book: Book) -> bool:
    """Is the time before the claim not fully covered by the visits export?"""
    if book.visits_since is None or book.clock.day(claim.first) - timedelta(days=days) < book.visits_since:
        return True
    if book.as_of is None or claim.first > book.as_of:
        return True
    return claim.patient in book.tainted_visits


def lbk001(claim: Line, book: Book) -> Verdict:
    supports = []
    for visit in book.visits:
        if visit.row["patient_id"] != claim.patient or not counts(visit, claim) or not visit.start < claim.first:
            continue
        gap = (book.clock.day(claim.first) - visit.day).days
        if not 0 <= gap <= 7:
            continue
        related, basis = relate(visit, claim, book)
        if related == "no":
            continue
        if is_kept(visit, book):
            doubtful = related == "unknown" or (visit.date_only and gap == 0)
            supports.append(behind(visit, claim, "review" if doubtful else "violation", basis, book))
        elif visit.status == "scheduled" and book.as_of is not None and visit.start <= book.as_of:
            supports.append(behind(visit, claim, "review", basis, book))
    return from_records("LBK001", supports, back_unknown(claim, 7, book), book)


def lbk002(claim: Line, book: Book) -> Verdict:
    if "24" in claim.modifiers:
        return Verdict("not applicable")
    supports = []
    for visit in book.visits:
        # CHOICE: SPEC says "a visit", not "a counting visit": any visit with global days is weighed.
        days = visit.row["global_days"]
        if visit.row["patient_id"] != claim.patient or days not in (10, 90) or not is_kept(visit, book):
            continue
        same_provider = visit.row["provider_id"] is not None and visit.row["provider_id"] == claim.provider
        same_group = visit.group is not None and visit.group == claim.group
        if not (same_provider or same_group) or not visit.start < claim.first:
            continue
        gap = (book.clock.day(claim.first) - visit.day).days
        if not (1 if visit.date_only else 0) <= gap <= days:
            continue
        related, basis = relate(visit, claim, book)
        if related == "no":
            continue
        sure = basis in ("linked", "same problem", "same diagnosis category", "any")
        supports.append(behind(visit, claim, "violation" if sure else "review", basis, book))
    return from_records("LBK002", supports, back_unknown(claim, 90, book), book)


# ----- LAH -----


def ahead(visit: Visit, claim: Line, outcome: str, basis: str, book: Book) -> Support:
    """A visit after the claim as evidence; gaps run from the claim's end (its start where the end is unknown)."""
    if visit.status == "unrecognised":
        outcome = "review"
    end = claim.last
    gap = max(0, (visit.day - book.clock.day(end)).days)
    return Support(outcome, "visit", visit.id, gap, visit.date_only, max(timedelta(0), visit.start - end), basis)


def ahead_unknown(claim: Line, book: Book) -> bool:
    """Is the day after the claim not fully covered by the visits export?"""
    if claim.end is None or book.as_of is None or claim.end + DAY > book.as_of:
        return True
    return claim.patient in book.tainted_visits


def in_lah001_window(visit: Visit, claim: Line, book: Book) -> bool:
    end = claim.last
    if visit.date_only:
        last = book.clock.day(end)
        if last <= visit.day <= last + timedelta(days=1):
            return True
        # CHOICE: a date-only visit on a day between the calls of one claim lies in the window by its first instant.
        return claim.first <= visit.start and visit.day < last
    return claim.first <= visit.start <= end + DAY


def in_lah002_window(visit: Visit, claim: Line, book: Book) -> bool:
    end = claim.last
    horizon: int = book.settings["horizon_days"]
    if visit.date_only:
        last = book.clock.day(end)
        return last + timedelta(days=2) <= visit.day <= last + timedelta(days=horizon)
    return end + DAY < visit.start <= end + horizon * DAY


def lah001(claim: Line, book: Book) -> Verdict:
    supports = []
    for visit in book.visits:
        if visit.row["patient_id"] != claim.patient or not counts(visit, claim):
            continue
        if not in_lah001_window(visit, claim, book):
            continue
        related, basis = relate(visit, claim, book)
        linked = basis == "linked"
        booked = booked_for(visit, claim, book)
        from_call = linked or (booked is not None and booked >= claim.first)
        outcome = None
        if visit.status in ("completed", "scheduled", None, "unrecognised"):
            if linked:
                outcome = "violation"
            elif related == "yes":
                outcome = "violation" if booked is None or from_call else "review"
            elif related == "unknown":
                outcome = "violation" if from_call else "review"
            elif from_call:
                outcome = "review"
        elif from_call and related != "no":
            outcome = "review"
        if related == "no" and not book.settings["unrelated_supports_lah001"]:
            outcome = None
        if outcome == "violation" and visit.date_only:
            outcome = "review"
        if outcome is not None:
            supports.append(ahead(visit, claim, outcome, basis, book))
    return from_records("LAH001", supports, ahead_unknown(claim, book), book)


def lah002(claim: Line, book: Book) -> Verdict:
    supports = []
    undated = False
    end = claim.last
    for visit in book.visits:
        if visit.row["patient_id"] != claim.patient or not counts(visit, claim):
            continue
        soonest = visit.row["soonest_available"]
        if soonest is False or not in_lah002_window(visit, claim, book):
            continue
        related, basis = relate(visit, claim, book)
        linked = basis == "linked"
        booked = booked_for(visit, claim, book)
        in_span = linked or (booked is not None and claim.first <= booked <= end + DAY)
        outcome = None
        if visit.status in ("completed", "scheduled", None, "unrecognised"):
            if soonest is True:
                if linked or (in_span and related != "no") or (booked is None and related == "yes"):
                    outcome = "violation"
                elif in_span or (booked is None and related == "unknown"):
                    outcome = "review"
            elif linked or (in_span and related != "no"):
                outcome = "review"
            # CHOICE: "kept" is the word of section 4 here; the note (start <= as_of) belongs to LBK001 and LBK002.
            if related != "no" and booked is None and soonest is None:
                undated = True
        elif linked or (in_span and related != "no"):
            outcome = "review"
        if outcome is not None:
            supports.append(ahead(visit, claim, outcome, basis, book))
    return from_records("LAH002", supports, undated or ahead_unknown(claim, book), book)


# ----- FRQ -----


def frequency_unknown(claim: Line, book: Book) -> bool:
    """Is the week before the claim not fully covered by the lines?"""
    if book.claims_since is None or claim.service_date - timedelta(days=6) < book.claims_since:
        return True
    return claim.patient in book.tainted_lines


def days_after(line: Line, earlier: Line) -> int:
    return (line.service_date - earlier.service_date).days


def as_line(line: Line, earlier: Line, outcome: str) -> Support:
    """An earlier line as evidence."""
    return Support(outcome, "claim", earlier.claim_id, days_after(line, earlier))


def frq001_all(book: Book) -> dict[tuple[str, str, str], Verdict]:
    """FRQ001 for every active line of the audited codes, each patient, provider and code decided in order."""
    sequences: dict[tuple[str, str, str], list[Line]] = {}
    for line in book.active:  # already in the order of lines
        if line.code in book.settings["codes"]:
            sequences.setdefault((line.patient, line.provider, line.code), []).append(line)
    verdicts = {}
    for (patient, _, _), sequence in sequences.items():
        tainted = patient in book.tainted_lines
        counted: list[Line] = []
        previous: Line | None = None
        spread = tainted
        for line in sequence:
            if previous is not None and days_after(line, previous) > 6:
                spread = tainted
            previous = line
            anchors = [earlier for earlier in counted if 0 <= days_after(line, earlier) <= 6]
            outcome = "clear"
            if anchors:
                outcome = "violation"
            elif frequency_unknown(line, book):
                outcome = "unknown"
            if book.settings["anchor"] == "reported":
                counted.append(line)
            else:
                if not anchors:
                    counted.append(line)
                if spread and outcome == "violation":
                    outcome = "review"
                elif spread and outcome == "clear":
                    outcome = "unknown"
                if outcome == "unknown":
                    spread = True
            supports = [as_line(line, earlier, outcome) for earlier in anchors]
            verdicts[line.key] = from_records("FRQ001", supports, outcome == "unknown", book, latest=True)
    return verdicts


def earlier_lines(claim: Line, book: Book) -> list[Line]:
    """Active lines before the claim, in the order of lines."""
    return [line for line in book.active if line.order < claim.order]


def frq002(claim: Line, book: Book) -> Verdict:
    supports = []
    for line in earlier_lines(claim, book):
        same = line.patient == claim.patient and line.provider == claim.provider
        other_code = line.code in FAMILY and line.code != claim.code
        if same and other_code and 0 <= days_after(claim, line) <= 6:
            supports.append(as_line(claim, line, "review"))
    return from_records("FRQ002", supports, frequency_unknown(claim, book), book, latest=True)


def frq003(claim: Line, book: Book) -> Verdict:
    if claim.units is None:
        return from_fact("FRQ003", "unknown", book)
    return from_fact("FRQ003", "violation" if claim.units > 1 else "clear", book)


def frq004(claim: Line, book: Book) -> Verdict:
    supports = []
    for line in earlier_lines(claim, book):
        if line.code in FAMILY and line.call_ids & claim.call_ids:
            supports.append(as_line(claim, line, "violation"))
    return from_records("FRQ004", supports, False, book, latest=True)


def frq005(claim: Line, book: Book) -> Verdict:
    if claim.group is None or claim.specialty is None:
        return Verdict("not applicable")
    supports = []
    for line in earlier_lines(claim, book):
        same = line.patient == claim.patient and line.code == claim.code and line.provider != claim.provider
        same_group = line.group == claim.group and line.specialty == claim.specialty
        if same and same_group and 0 <= days_after(claim, line) <= 6:
            supports.append(as_line(claim, line, "review"))
    return from_records("FRQ005", supports, frequency_unknown(claim, book), book, latest=True)


# ----- ELG, DOC -----


def elg001(claim: Line, book: Book) -> Verdict:
    table = {"provider": "violation", "callback": "review", None: "unknown", "patient": "clear"}
    return from_fact("ELG001", worst([table[call.row["initiated_by"]] for call in claim.calls]), book)


def elg002(claim: Line, book: Book) -> Verdict:
    table = {False: "violation", None: "unknown", True: "clear"}
    return from_fact("ELG002", worst([table[call.row["established"]] for call in claim.calls]), book)


def elg003(claim: Line, book: Book) -> Verdict:
    if claim.credential is None:
        return from_fact("ELG003", "unknown", book)
    parts = set(re.findall(r"[A-Z]+", claim.credential.replace(".", "").upper()))
    if parts & PHYSICIANS:
        return from_fact("ELG003", "violation", book)
    return from_fact("ELG003", "clear" if parts & QUALIFIED else "review", book)


def elg004(claim: Line, book: Book) -> Verdict:
    row = book.providers.get(claim.provider)
    if row is None or (row["licence_start"] is None and row["licence_end"] is None):
        return from_fact("ELG004", "unknown", book)
    too_early = row["licence_start"] is not None and claim.service_date < row["licence_start"]
    too_late = row["licence_end"] is not None and claim.service_date > row["licence_end"]
    return from_fact("ELG004", "violation" if too_early or too_late else "clear", book)


def elg005(claim: Line, book: Book) -> Verdict:
    table = {"other": "violation", None: "unknown"}
    return from_fact("ELG005", worst([table.get(call.row["caller"], "clear") for call in claim.calls]), book)


def elg006(claim: Line, book: Book) -> Verdict:
    table = {"scheduling": "violation", "administrative": "violation", "follow_up": "violation", None: "unknown"}
    return from_fact("ELG006", worst([table.get(call.row["purpose"], "clear") for call in claim.calls]), book)


DOC_COLUMNS = {
    "DOC001": "doc_reason",
    "DOC002": "doc_summary",
    "DOC003": "doc_advice",
    "DOC004": "doc_statement",
    "DOC005": "doc_identity",
}


def doc(rule: str, claim: Line, book: Book) -> Verdict:
    documented = any(call.row[DOC_COLUMNS[rule]] for call in claim.calls)
    return from_fact(rule, "clear" if documented else "review", book)


# ----- EXC, INT -----


def exclusion(codes: frozenset[str]) -> str | None:
    """What a set of same-day codes supports."""
    if any(in_list(code, NCCI_0_TEXT) for code in codes):
        return "violation"
    if any(in_list(code, NCCI_1_TEXT) for code in codes):
        return "review"
    return None


def same_day_gap(claim: Line, visit: Visit) -> timedelta:
    """Elapsed: back from the visit to the claim's start, or ahead from its end; none without a call."""
    if claim.start is None:
        return timedelta(0)
    if visit.start < claim.start:
        return claim.start - visit.start
    return max(timedelta(0), visit.start - (claim.end or claim.start))


def exc001(claim: Line, book: Book) -> Verdict:
    supports = []
    for visit in book.visits:
        same = visit.row["patient_id"] == claim.patient and visit.row["provider_id"] == claim.provider
        if not same or visit.day != claim.service_date or visit.status in ("cancelled", "no_show"):
            continue
        outcome = exclusion(visit.codes)
        if outcome == "violation" and visit.status == "unrecognised":
            outcome = "review"
        if outcome is not None:
            supports.append(Support(outcome, "visit", visit.id, 0, visit.date_only, same_day_gap(claim, visit)))
    for line in book.active:
        same = line.patient == claim.patient and line.provider == claim.provider and line.key != claim.key
        outcome = exclusion(frozenset({line.code}))
        if same and line.service_date == claim.service_date and outcome is not None:
            supports.append(Support(outcome, "claim", line.claim_id, 0))
    unknown = (
        book.visits_since is None
        or claim.service_date < book.visits_since
        or book.as_of is None
        or claim.service_date > book.clock.day(book.as_of)
        or claim.patient in book.tainted_visits
    )
    return from_records("EXC001", supports, unknown, book)


def int001(claim: Line, book: Book) -> Verdict:
    return from_fact("INT001", "clear" if claim.calls else "violation", book)


def int002(claim: Line, book: Book) -> Verdict:
    days = {call.id: book.clock.day(call.start) for call in claim.calls}
    off_date = book.has_claims and claim.service_date not in days.values()
    supports = []
    for call in claim.calls:
        wrong = call in claim.named and (call.patient != claim.patient or call.provider != claim.provider)
        if wrong or off_date:
            supports.append(Support("violation", "call", call.id, abs((days[call.id] - claim.service_date).days)))
    return from_records("INT002", supports, False, book)


def int003(claim: Line, book: Book) -> Verdict:
    supports = []
    for other in book.calls:
        if other.provider != claim.provider or other.id in claim.call_ids or other.end is None:
            continue
        for own in claim.calls:
            if own.end is not None and min(own.end, other.end) > max(own.start, other.start):
                supports.append(Support("review", "call", other.id, 0))
                break
    unknown = any(call.end is None for call in claim.calls)
    return from_records("INT003", supports, unknown, book)


# ----------------------------------------------------------------------------------------------------
# The audit
# ----------------------------------------------------------------------------------------------------

RULES = (
    *("DUR001", "DUR002", "DUR003", "LBK001", "LBK002", "LAH001", "LAH002"),
    *("FRQ001", "FRQ002", "FRQ003", "FRQ004", "FRQ005"),
    *("ELG001", "ELG002", "ELG003", "ELG004", "ELG005", "ELG006"),
    *("DOC001", "DOC002", "DOC003", "DOC004", "DOC005", "EXC001", "INT001", "INT002", "INT003"),
)

# CHOICE: ELG003 and FRQ005 can be answered from the provider's row, ELG004, FRQ001-3 and EXC001 from the line: these
# stay applicable for a claim without a call.
READS_CALLS = {
    *("DUR001", "DUR002", "DUR003", "LBK001", "LBK002", "LAH001", "LAH002", "FRQ004"),
    *("ELG001", "ELG002", "ELG005", "ELG006", "DOC001", "DOC002", "DOC003", "DOC004", "DOC005", "INT002", "INT003"),
}

RULE_FUNCTIONS = {
    "DUR001": dur001,
    "DUR002": dur002,
    "DUR003": dur003,
    "LBK001": lbk001,
    "LBK002": lbk002,
    "LAH001": lah001,
    "LAH002": lah002,
    "FRQ002": frq002,
    "FRQ003": frq003,
    "FRQ004": frq004,
    "FRQ005": frq005,
    "ELG001": elg001,
    "ELG002": elg002,
    "ELG003": elg003,
    "ELG004": elg004,
    "ELG005": elg005,
    "ELG006": elg006,
    "EXC001": exc001,
    "INT001": int001,
    "INT002": int002,
    "INT003": int003,
}


def find_not_evaluated(book: Book) -> set[str]:
    """Rules whose columns do not exist, or that are off."""
    billing = "claims" if book.has_claims else "calls"
    needs = {
        "ELG001": book.exists("calls", "initiated_by"),
        "ELG002": book.exists("calls", "established"),
        "ELG005": book.exists("calls", "caller"),
        "ELG006": book.exists("calls", "purpose"),
        **{rule: book.exists("calls", column) for rule, column in DOC_COLUMNS.items()},
        "ELG003": book.exists("calls", "provider_credential") or book.exists("providers", "credential"),
        "ELG004": book.exists("providers", "licence_start") or book.exists("providers", "licence_end"),
        "FRQ003": book.exists(billing, "units"),
        "FRQ005": all(
            book.exists("calls", column) or book.exists("providers", column) for column in ("group_id", "specialty")
        ),
        "EXC001": book.exists("visits", "cpt_codes"),
        "LBK002": book.exists("visits", "global_days"),
        "LAH002": any(
            book.exists("visits", column) for column in ("soonest_available", "booked_at", "originating_call_id")
        ),
        "INT001": book.has_claims,
    }
    missing = {rule for rule, enough in needs.items() if not enough}
    off = {rule for rule, severity in book.settings["severity"].items() if severity == "off"}
    return missing | off


def judge(rule: str, claim: Line, book: Book, frq001: dict[tuple[str, str, str], Verdict]) -> Verdict:
    """One rule for one claim; not applicable wins over everything."""
    if not claim.calls and rule in READS_CALLS:
        return Verdict("not applicable")
    if rule == "FRQ001":
        return frq001[claim.key]
    if rule in DOC_COLUMNS:
        return doc(rule, claim, book)
    return RULE_FUNCTIONS[rule](claim, book)


def supportable_code(minutes: int | None) -> str | None:
    """The family code whose band holds the minutes, "none" under 5, None over 30 or unknown."""
    if minutes is None or minutes > 30:
        return None
    for code, (low, high) in BANDS.items():
        if low <= minutes <= high:
            return code
    return "none"


def in_service_range(line: Line, book: Book) -> bool:
    first, last = book.settings["service_from"], book.settings["service_to"]
    if first is not None and line.service_date < date.fromisoformat(first):
        return False
    return not (last is not None and line.service_date > date.fromisoformat(last))


def audit(world: World) -> Result:
    """Audit one world by the letter of SPEC.md."""
    book = Book(world)
    not_evaluated = find_not_evaluated(book)
    frq001 = frq001_all(book)
    claims = {}
    # CHOICE: void and denied lines are counted where their service date is in the audited range, as claims are.
    wanted = [line for line in book.lines if line.code in book.settings["codes"] and in_service_range(line, book)]
    for line in wanted:
        if line.status != "active":
            continue
        outcomes = {rule: judge(rule, line, book, frq001) for rule in RULES if rule not in not_evaluated}
        disposition = worst([verdict.outcome for verdict in outcomes.values()])
        amount = line.paid if line.paid is not None else line.billed
        claims[line.key] = ClaimResult(
            patient_id=line.patient,
            provider_id=line.provider,
            service_date=line.service_date,
            start=line.start,
            end=line.end,
            minutes=line.minutes,
            minutes_source=line.minutes_source,
            call_ids=tuple(sorted(line.call_ids)),
            disposition="incomplete" if disposition == "unknown" else disposition,
            supportable_code=supportable_code(line.minutes),
            at_risk_amount=amount if disposition == "violation" else None,
            outcomes=outcomes,
            review_amount=amount if disposition == "review" else None,
        )
    return Result(
        coverage={"as_of": book.as_of, "visits_since": book.visits_since, "claims_since": book.claims_since},
        not_evaluated=not_evaluated,
        rejects={name: loaded.rejects for name, loaded in book.tables.items()},
        claims=claims,
        void=sum(line.status == "void" for line in wanted),
        denied=sum(line.status == "denied" for line in wanted),
    )
