"""Small worlds for the reference and the engine, dense in boundaries.

``worlds()`` draws a ``reference.World``. Every choice is an index into a list whose first entry is the plainest, so a
failing world shrinks towards one plain call and one plain visit. Visits are placed around a call of the world (7 or 8
days before, the end plus 24 hours and a microsecond either side, ...), lines around each other (0, 5, 6, 7, 9 days);
columns are dropped and faulty, doubled or conflicting rows are planted. Ids are distinct but for those planted rows.

In a *calm* world most facts are plain, so that every disposition occurs and one rule is seen without noise of others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from tests.reference import COLUMNS, FAMILY, REQUIRED, RULES, Table, World
from tests.reference.values import read_duration

T = TypeVar("T")
Draw = st.DrawFn
Row = dict[str, str]

US = timedelta(microseconds=1)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

# ----- candidates; the first of each is the plainest -----

ZONES = ("UTC", "UTC", "America/New_York", "America/New_York", "Asia/Kolkata")
BASES = (date(2026, 3, 16), date(2026, 3, 16), date(2026, 3, 1), date(2026, 10, 25))
CHANGES = (
    date(2026, 3, 8),
    date(2026, 11, 1),
    date(2026, 3, 16),
    date(2026, 3, 7),
    date(2026, 10, 31),
    date(2026, 3, 1),
)


def words(text: str) -> tuple[str, ...]:
    """Candidates without spaces; ``_`` is blank."""
    return tuple("" if word == "_" else word for word in text.split())


CALL_DAYS = (0, 0, 0, 5, 6, 7, 9, 1, 3, 12, 14, -1, -2)
CALL_TIMES = words(
    "09:00 09:00 09:10 09:25 12:00 09:00:30 16:40 23:50 00:00 01:30 02:30 09:00:00.000001 "
    "09:24:59.999999 23:59:59.999999"
)
MINUTES = (*words(
    "25 30 21 25 30 21 25:00 0:30:00 31 30.99 20.99 4.99 5 10 10.99 11 20 15 12.5 0 8 22 28 25 1440 4.99 5 20.99 21"
), "25 min", "PT21M", "PT20M59.4S")  # fmt: skip
# Which columns carry a call's time: m call_minutes, s call_seconds, d discussion_minutes, e call_end; with + and ! the
# call_end is one minute, or one minute and a second, too early for the rest, with - and ~ as much too late.
TIMES = ("m", "me", "d", "e", "e", "s", "de", "mde", "", "d+", "m+", "md", "ms", "s!", "d!", "m!", "m-", "m~", "d~")
CALL_CODES = words(
    "98968 98968 98968 98968 98968 98968 98968 98967 98966 98968-95 98967 98966 _ 99213 G2012 99441 99421 93792 99439 G0511"
    " 99213;98968 HC:98968:24 98966|98968 98968-24-57 98968,G2012"
)
CLAIM_STATUS = (
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "paid",
    "void",
    "Denied",
    "re-versed",
    "rejected",
    "active",
    "4",
    "22",
    "1",
    "99",
)
UNITS = words("1 1 1 2 _ 1.0 1.5 0")
MODIFIERS = ("", "", "", "95", "24", "GT,24", "24-x", "93")
PLACES = ("11", "10", "2", "", "02")
AMOUNTS = ("", "75.25", "$1,234.50", "(75.25)", "0", "0.00", "40")
PAYERS = ("", "", "", "Medicare", "medi-care", "Medicaid")
INITIATED = words("patient patient patient Guardian provider callback _ robot IN-BOUND staff")
CALLERS = words("patient patient self mother Legal_Guardian other _ martian Spouse")
PURPOSES = words("clinical clinical clinical scheduling administrative follow-up _ chat")
BOOLEANS = words("true true Y 1 false No _ maybe")
DOCUMENTED = ("yes", "patient asked about dose", "", "no", "n/a", "-", "1")
DIAGNOSES = ("", "", "J20.9", "M54.5; J20.1", "z00.00|M54.5", "E11.9")
PROBLEMS = words("_ _ _ prob1 prob2")
GROUPS = words("_ _ g1 g1 g2")
SPECIALTIES = words("_ _ pt pt ot")
CREDENTIALS = ("LCSW", "", "PA-C", "M.D.", "XYZ", "Ph.D.", "PT, DPT", "R.N.", "md phd", "123")
STATUS = (
    *("completed", "completed", "completed", "completed", "", "scheduled", "cancelled", "no_show", "weird", "Arrived"),
    *("did-not-attend", "Booked", "entered in error", "scheduled", "on hold", ""),
    *("in-progress", "proposed", "waitlist", "Discontinued"),
)
MODALITIES = ("", "", "in_person", "AMB", "VR", "phone", "Video", "telephone", "fax", "in-person")
VISIT_CODES = (
    *words(
        "_ _ 99213 99213 99213 98968 98966,98967 A0001 36415 10004 69990 10003 99421 93792 36591 g0402 98016 98015 _"
    ),
    *("0734T", "G0250", "G0511 99213", "99484; 93793", "99213-25|98968"),
)
GLOBAL_DAYS = words("_ _ 90 10 090 0 XXX 10.0 42 10 90")
SOONEST = ("", "", "true", "yes", "true", "1", "false", "unsure")
DOCS = ("doc_reason", "doc_summary", "doc_advice", "doc_statement", "doc_identity", "doc_consent")
CODE_SETS = (("98968",), FAMILY, FAMILY, ("98968",), FAMILY, ("98966", "98968"), FAMILY, ("98967",), FAMILY, FAMILY)
RULE_LEVELS = ("violation", "review", "off")


@cache
def indices(size: int) -> st.SearchStrategy[int]:
    """An index into a list of ``size`` candidates."""
    return st.integers(0, size - 1)


def pick(draw: Draw, options: Sequence[T]) -> T:
    """One of the candidates."""
    return options[draw(indices(len(options)))]


def chance(draw: Draw, one_in: int) -> bool:
    """True about once in ``one_in``; shrinks to False."""
    return draw(indices(one_in)) == one_in - 1


class Scene:
    """What the drawing of one world shares: the clock, the styles of writing, and the calls drawn so far."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.timezone = pick(draw, ZONES)
        self.zone = ZoneInfo(self.timezone)
        self.base = pick(draw, CHANGES if self.timezone == "America/New_York" else BASES)
        self.calm = chance(draw, 3)
        self.grouped = chance(draw, 4)
        self.patients = ("p1", "p1", "p1", "p2", "p3")[: pick(draw, (3, 4, 5))]
        self.providers = ("a", "a", "b", "c")[: pick(draw, (3, 2, 4))]
        self.spans: list[tuple[datetime, datetime]] = []

    def day(self, instant: datetime) -> date:
        return instant.astimezone(self.zone).date()

    def at(self, day: date, clock: str) -> datetime:
        """A local wall time as a UTC instant (the first one where it is repeated or skipped)."""
        return datetime.fromisoformat(f"{day} {clock}").replace(tzinfo=self.zone).astimezone(UTC)

    def write(self, instant: datetime, style: int) -> str:
        """An instant as text: 0 local wall time, 1 with the offset, 2 in UTC with Z, 3 digits, 4 as in a mail's header."""
        if style == 2:
            return instant.replace(tzinfo=None).isoformat() + "Z"
        local = instant.astimezone(self.zone)
        if style == 1 or (style > 2 and instant.microsecond):
            return local.isoformat()
        if style > 2:
            return local.strftime("%Y%m%d%H%M%S" if style == 3 else "%a, %d %b %Y %H:%M:%S %z")
        text = local.replace(tzinfo=None).isoformat(sep=" ")
        return text[:-3] if text.endswith(":00") else text

    def style(self) -> int:
        return pick(self.draw, (0, 0, 0, 0, 1, 1, 2, 2, 3, 4))

    def fact(self, options: Sequence[T]) -> T:
        """A candidate; in a calm world nearly always the plainest one."""
        if self.calm and not chance(self.draw, 12):
            return options[0]
        return pick(self.draw, options)


# ----- calls -----


def draw_call(scene: Scene, number: int, earlier: list[Row], billed_here: bool) -> Row:
    """One call: where it lies, how long it says it was, its facts, and its billing columns."""
    draw = scene.draw
    row: Row = {
        "call_id": f"k{number}",
        "patient_id": pick(draw, scene.patients),
        "provider_id": pick(draw, scene.providers),
    }
    day = scene.base + timedelta(days=0 if number == 1 else pick(draw, CALL_DAYS))
    wall = pick(draw, CALL_TIMES)
    start = scene.at(day, wall)
    row["call_start"] = f"{day} {wall}" if scene.style() == 0 else scene.write(start, 1)
    for column, options in (
        ("initiated_by", INITIATED),
        ("caller", CALLERS),
        ("purpose", PURPOSES),
        ("established", BOOLEANS),
        ("provider_credential", CREDENTIALS),
    ):
        row[column] = scene.fact(options)
    for column, options in (
        ("diagnosis_codes", DIAGNOSES),
        ("problem_id", PROBLEMS),
        ("group_id", ("g1",) if scene.grouped else GROUPS),
        ("specialty", ("pt",) if scene.grouped else SPECIALTIES),
    ):
        row[column] = pick(draw, options)
    message_text = scene.fact(DOCUMENTED)
    row.update(dict.fromkeys(DOCS, message_text))
    row[pick(draw, DOCS)] = scene.fact(DOCUMENTED)
    row["cpt_code"] = pick(draw, CALL_CODES) if number > 1 or chance(draw, 3) else "98968"
    row["claim_line"] = pick(draw, ("", "", "", "1", "2"))
    row["claim_id"] = f"C{number}" if chance(draw, 2) else ""
    times: Sequence[str] = TIMES
    if earlier and chance(draw, 4 if billed_here else 5):  # another part of an earlier call
        which = draw(indices(len(earlier)))
        other = earlier[which]
        if other["claim_id"] == "":
            other["claim_id"] = f"C{other['call_id'][1:]}"
        row["claim_id"], row["claim_line"] = other["claim_id"], other["claim_line"]
        row["cpt_code"] = pick(draw, ("", other["cpt_code"], "98968"))
        if pick(draw, (True, True, True, False)):
            row["patient_id"], row["provider_id"] = other["patient_id"], other["provider_id"]
        if chance(draw, 2):  # at about the same time
            start = scene.spans[which][0] + pick(draw, (0, 5, 10, 12)) * MINUTE
            row["call_start"] = scene.write(start, 1)
            times = ("e", "e", "m", "", "m~", "me", "d~", "m~")
            if chance(draw, 2):  # and billed by nobody
                row["claim_id"] = row["cpt_code"] = ""
    draw_length(scene, row, start, times)
    draw_billing(scene, row)
    return row


def draw_length(scene: Scene, row: Row, start: datetime, times: Sequence[str]) -> None:
    """The time columns of one call; remembers its span for placing visits."""
    draw = scene.draw
    text = pick(draw, MINUTES[:6] if scene.calm else MINUTES)
    mode = pick(draw, times)
    length = parse_minutes(text)
    end = start + length
    if "m" in mode:
        row["call_minutes"] = text
    if "d" in mode:
        row["discussion_minutes"] = text
    if "s" in mode:  # call_seconds loses to call_minutes
        row["call_seconds"] = "600" if "m" in mode else str(length // SECOND)
    if "e" in mode:
        row["call_end"] = scene.write(end, scene.style())
    if mode[-1:] in ("+", "!"):  # stated more than the clock by exactly one minute, or by a little more
        excess = MINUTE if mode[-1] == "+" else MINUTE + SECOND
        row["call_end"] = scene.write(max(start, end - excess), scene.style())
    if mode[-1:] in ("-", "~"):  # stated less
        row["call_end"] = scene.write(end + (MINUTE if mode[-1] == "-" else MINUTE + SECOND), scene.style())
    if chance(draw, 40):  # a date-only end, which stands for that day's first instant
        row["call_end"] = str(scene.day(start) + DAY)
    scene.spans.append((start, end))


def parse_minutes(text: str) -> timedelta:
    """The candidates of MINUTES as lengths."""
    return timedelta(seconds=float(read_duration(text, 60)))


def draw_billing(scene: Scene, row: Row) -> None:
    """Units, modifiers, amounts and status of a billed row."""
    row["units"] = scene.fact(UNITS)
    row["modifiers"] = scene.fact(MODIFIERS)
    row["billed_amount"] = pick(scene.draw, AMOUNTS)
    row["paid_amount"] = pick(scene.draw, AMOUNTS)
    row["claim_status"] = scene.fact(CLAIM_STATUS)
    row["payer"] = pick(scene.draw, PAYERS)


# ----- visits -----


def positions(scene: Scene, start: datetime, end: datetime) -> list[str]:
    """Where a visit can lie around a call, as text; date-only where no time is written."""
    first, last = scene.day(start), scene.day(end)

    def on(day: date, clock: str) -> str:
        style = scene.style()  # as local wall time even one that the day does not have
        return scene.write(scene.at(day, clock), style) if style else f"{day} {clock}"

    def at(instant: datetime) -> str:
        return scene.write(instant, scene.style())

    kind = pick(scene.draw, ("behind", "ahead", "far", "behind", "ahead", "far", "days", "postoperative"))
    if kind == "behind":
        return [
            on(first - 3 * DAY, "10:00"),
            on(first - 7 * DAY, "00:00"),
            on(first - 7 * DAY, "23:59:59"),
            on(first - 8 * DAY, "23:59:59.999999"),
            on(first, "00:00"),
            on(first - DAY, "23:59:59.999999"),
            on(first - DAY, "01:30"),
            on(first, "02:30"),
            on(first, "03:00"),
            at(start - SECOND),
            at(start - US),
            at(start - HOUR),
            at(start - 7 * DAY),
            at(start - 15 * MINUTE),
            at(start - 15 * MINUTE - US),
        ]
    if kind == "ahead":
        return [
            at(end + 5 * HOUR),
            at(start),
            at(start + US),
            at(start + 5 * MINUTE),
            at(start + 15 * MINUTE),
            at(start + 15 * MINUTE + US),
            at(end),
            at(end + US),
            at(end + DAY),
            at(end + DAY - US),
            at(end + DAY - SECOND),
            at(end + DAY + US),
            at(end + DAY + SECOND),
            on(last + DAY, "01:30"),
            on(last + DAY, "00:00"),
        ]
    if kind == "far":
        return [
            at(end + 5 * DAY),
            at(end + 14 * DAY),
            at(end + 14 * DAY - US),
            at(end + 14 * DAY + US),
            at(end + 2 * DAY),
            at(end + 7 * DAY),
            str(last + 2 * DAY),
            str(last + 14 * DAY),
            str(last + 15 * DAY),
            str(last + 5 * DAY),
            at(end + 40 * DAY),
        ]
    if kind == "days":
        offsets = (0, -1, -7, -8, 1, 2, -10, -90, -91, -11)
        return [str(first + days * DAY) for days in offsets] + [str(last), str(last + DAY)]
    return [on(first - days * DAY, "10:00") for days in (5, 10, 11, 90, 91, 30, 8)] + [
        on(first, "00:00:01"),
        on(first - 90 * DAY, "00:00"),
    ]


def bookings(scene: Scene, start: datetime, end: datetime) -> list[str]:
    """When a visit can have been booked, around a call."""
    moments = (start - 2 * DAY, start, start - US, start + SECOND, end + 2 * HOUR, end + DAY, end + DAY + US)
    texts = ["", "", ""] + [scene.write(moment, 0 if number % 2 else 2) for number, moment in enumerate(moments)]
    return texts + [str(scene.day(start) + days * DAY) for days in (0, 1, -1)]


def draw_visit(scene: Scene, number: int, calls: list[Row], earlier: list[Row]) -> Row:
    """One visit around one of the calls: its place, its tie to that call, its state."""
    draw = scene.draw
    which = draw(indices(len(calls)))
    call, (start, end) = calls[which], scene.spans[which]
    own = call["provider_id"]
    row: Row = {
        "visit_id": f"v{number}",
        "patient_id": call["patient_id"] if not chance(draw, 8) else "p2",
        "visit_start": pick(draw, positions(scene, start, end)),
        "provider_id": pick(draw, (own, own, "b", "a", "", "c")),
        "modality": pick(draw, MODALITIES),
        "status": pick(draw, STATUS),
        "booked_at": pick(draw, bookings(scene, start, end)),
        "soonest_available": pick(draw, SOONEST),
        "cpt_codes": pick(draw, VISIT_CODES),
        "diagnosis_codes": pick(draw, (*DIAGNOSES, call["diagnosis_codes"])),
        "problem_id": pick(draw, (*PROBLEMS, call["problem_id"])),
        "group_id": pick(draw, (*GROUPS, call["group_id"])),
        "specialty": pick(draw, (*SPECIALTIES, call["specialty"])),
        "global_days": pick(draw, GLOBAL_DAYS),
    }
    if chance(draw, 5):  # other problems, and a diagnosis category in common
        call["problem_id"], row["problem_id"] = "prob1", pick(draw, ("prob2", "prob2", "Prob1"))
        call["diagnosis_codes"], row["diagnosis_codes"] = "M54.5", pick(draw, ("M54.2", "J20.9;M541"))
    if earlier and chance(draw, 6):  # a tie
        row["visit_start"] = earlier[-1]["visit_start"]
        row["patient_id"] = earlier[-1]["patient_id"]
    link = pick(draw, ("", "", "", "", "", "", "by visit", "by call", "by claim", "elsewhere", "is the call"))
    if link == "by visit":
        row["originating_call_id"] = call["call_id"]
    elif link == "by call":
        call["related_visit_id"] = row["visit_id"]
    elif link == "by claim":
        row["originating_call_id"] = call.get("claim_id") or pick(draw, ("L1", "L2", "A1"))
    elif link == "elsewhere":
        row["originating_call_id"] = pick(draw, ("k99", "k1", "k2"))
    elif link == "is the call" and chance(draw, 2):
        row["visit_id"] = call["call_id"]
        if chance(draw, 2):
            row["originating_call_id"] = call["call_id"]
    return row


# ----- claims and providers -----


def draw_claim(scene: Scene, number: int, calls: list[Row]) -> Row:
    """One line of the claims table, tied to a call by id, by claim_id, by patient, provider and date, or not at all."""
    draw = scene.draw
    which = draw(indices(len(calls)))
    call, (start, _) = calls[which], scene.spans[which]
    day = scene.day(start)
    row: Row = {
        "claim_id": f"L{number}",
        "claim_line": pick(draw, ("", "1", "2")),
        "patient_id": call["patient_id"],
        "provider_id": call["provider_id"],
        "cpt_code": pick(draw, CALL_CODES) or "98968" if number > 1 else "98968",
        "diagnosis_codes": pick(draw, DIAGNOSES),
    }
    ties = ("call", "call", "claim", "claim", "match", "match", "nothing", "wrong call", "other day", "other patient")
    tie = pick(draw, ties)
    if tie == "claim":
        if call["claim_id"] == "":
            call["claim_id"] = f"C{call['call_id'][1:]}"
        row["claim_id"] = f"{call['claim_id']}"
        row["claim_line"] = pick(draw, (call["claim_line"], "", "2"))
    elif tie == "nothing":
        day = scene.base + timedelta(days=pick(draw, (0, 5, 6, 7, 9, 1, 20)))
    elif tie == "wrong call":
        row["call_id"] = "k99"
    elif tie != "match":
        row["call_id"] = call["call_id"]
    if tie == "other day":
        day += timedelta(days=pick(draw, (1, -1, 5, 6)))
    if tie == "other patient":
        row[pick(draw, ("patient_id", "provider_id"))] = pick(draw, ("p1", "p2", "a", "b"))
    row["service_date"] = pick(draw, ("{}", "{}", "{} 00:00", "{}T00:00:00Z", "{}T00:00+05:30", "{} 23:30")).format(day)
    row["place_of_service"] = pick(draw, PLACES)
    if chance(draw, 6):
        last = day + timedelta(days=pick(draw, (0, 2, 6, 1, 4, 9)))
        row["service_date"] = f"{day:%Y%m%d}-{last:%Y%m%d}"
    draw_billing(scene, row)
    return row


def draw_billed_visit(scene: Scene, number: int, calls: list[Row]) -> Row:
    """A line that bills a visit, on days around a call; sometimes of the call itself."""
    draw = scene.draw
    which = draw(indices(len(calls)))
    call, (start, _) = calls[which], scene.spans[which]
    row: Row = {
        "claim_id": f"V{number}",
        "claim_line": pick(draw, ("", "1", "2")),
        "patient_id": call["patient_id"],
        "provider_id": pick(draw, (call["provider_id"], call["provider_id"], "b", "c")),
        "service_date": str(scene.day(start) + timedelta(days=pick(draw, (-3, 1, -7, -8, -1, 0, 2, 5, 14, 15)))),
        "cpt_code": pick(draw, ("99213", "99213", "97110", "10004", "99441", "98016", "A0001", "99484")),
        "diagnosis_codes": pick(draw, (*DIAGNOSES, call["diagnosis_codes"])),
        "claim_status": scene.fact(CLAIM_STATUS),
    }
    if chance(draw, 6):
        row["call_id"] = call["call_id"]
    if chance(draw, 8):
        row["claim_id"] = pick(draw, ("L1", call.get("related_visit_id") or "L2", call["call_id"]))
    return row


def draw_provider(scene: Scene, provider: str) -> Row:
    """One provider's row."""
    draw = scene.draw
    days = [str(scene.base + timedelta(days=days)) for days in (-400, 0, 1, 5, -1, 6, 400)]
    return {
        "provider_id": provider,
        "credential": scene.fact(CREDENTIALS),
        "group_id": pick(draw, ("g1", "g1", "g2", "")),
        "specialty": pick(draw, ("pt", "pt", "ot", "")),
        "license_start": scene.fact((days[0], "", *days)),
        "license_end": scene.fact((days[-1], "", *reversed(days))),
    }


# ----- faults -----

FAULTS: dict[str, tuple[tuple[str, str], ...]] = {
    "calls": (
        *(("call_start", "soon"), ("patient_id", ""), ("call_minutes", "-5"), ("call_minutes", "1440.01")),
        *(("call_start", "2026-03-16"), ("call_end", "2020-01-01 00:00"), ("call_end", "2031-01-01 00:00")),
        *(("provider_id", " "), ("discussion_minutes", "half an hour"), ("call_seconds", "86401"), ("units", "one")),
        *(("paid_amount", "x1"), ("call_start", ""), ("call_minutes", "12:75")),
    ),
    "visits": (
        *(("visit_start", "yesterday"), ("patient_id", ""), ("booked_at", "soon"), ("visit_end", "2026-13-01")),
        *(("visit_start", ""), ("visit_start", "2026-02-30 10:00")),
    ),
    "claims": (
        *(("service_date", "x"), ("patient_id", ""), ("cpt_code", ""), ("units", "two"), ("billed_amount", "1.2.3")),
        *(("service_date", ""), ("provider_id", "")),
    ),
    "providers": (("license_start", "someday"), ("provider_id", ""), ("license_end", "2026-00-10")),
}
CONFLICTS: dict[str, tuple[tuple[str, str], ...]] = {
    "calls": (
        *(("problem_id", "prob9"), ("patient_id", "p2"), ("call_minutes", "22"), ("units", "3"), ("specialty", "slp")),
    ),
    "visits": (
        *(
            ("problem_id", "prob9"),
            ("patient_id", "p2"),
            ("status", "completed"),
            ("status", "x"),
            ("global_days", "7"),
        ),
    ),
    "claims": (
        *(("patient_id", "p2"), ("units", "3"), ("paid_amount", "9"), ("claim_status", "void"), ("call_id", "k1")),
    ),
    "providers": (("credential", "DPT"), ("group_id", "g9"), ("license_end", "2026-03-17")),
}


def plant(draw: Draw, name: str, rows: list[Row]) -> list[Row]:
    """Sometimes adds a row with a fault, a duplicate, a conflicting row, or a row to unite."""
    kind = pick(draw, ("none",) * 14 + ("fault", "fault", "duplicate", "same", "conflict", "unite"))
    if kind == "none" or not rows:
        return rows
    copy = dict(pick(draw, rows))
    key = REQUIRED[name][0]
    if kind == "fault":
        column, value = pick(draw, FAULTS[name])
        if not chance(draw, 3):  # else the faulty row shares its id with a good one
            copy[key] = copy[key] + "x"
        copy[column] = value
    elif kind == "same":  # equal after normalisation
        if copy.get("claim_status", "x") in ("", "paid", "active"):
            copy["claim_status"] = "open"
        if copy.get("units") == "1":
            copy["units"] = "1.00"
        if copy.get("modality") == "":
            copy["modality"] = "fax"
        copy["patient_id"] = f" {copy.get('patient_id', '')} "
    elif kind == "conflict":
        column, value = pick(draw, CONFLICTS[name])
        copy[column] = value
    elif kind == "unite" and name != "providers":
        copy["diagnosis_codes"] = pick(draw, ("M54.5", "J20.9", "prob E11.9"))
        if name == "visits":
            copy["cpt_codes"] = pick(draw, ("99213", copy.get("cpt_codes", ""), "99421"))
    planted = [copy, *rows] if chance(draw, 3) else [*rows, copy]
    if chance(draw, 6):
        planted.append(dict(pick(draw, rows)))
    return planted


def drop(draw: Draw, name: str, rows: list[Row]) -> Table:
    """A table that lacks some of its optional columns."""
    optional = [column for column in COLUMNS[name] if column not in REQUIRED[name]]
    dropped: set[str] = set()
    for _ in range(pick(draw, (0, 0, 0, 0, 0, 1, 2, 4))):
        dropped.add(pick(draw, optional))
    if chance(draw, 25):
        half = draw(indices(2))
        dropped.update(column for number, column in enumerate(optional) if number % 2 == half)
    if "timezone" in COLUMNS[name] and "timezone" not in dropped and chance(draw, 8):
        zones = ("", "", "America/New_York", "europe/berlin", "UTC", "Asia/Tokyo")
        rows = [{**row, "timezone": "Nowhere" if chance(draw, 40) else pick(draw, zones)} for row in rows]
    columns = tuple(column for column in COLUMNS[name] if column not in dropped)
    return Table(columns, tuple({column: row.get(column, "") for column in columns} for row in rows))


def fill(scene: Scene, calls: list[Row], visits: list[Row], claims: list[Row] | None) -> None:
    """Bystanders that widen the coverage to both sides."""
    early, late = scene.base - 120 * DAY, scene.base + 60 * DAY
    which = pick(scene.draw, ("none", "both", "both", "late", "early", "both"))
    if which in ("both", "late"):
        visit = {"visit_id": "v90", "patient_id": "p9", "visit_start": f"{late} 00:00", "cpt_codes": "99213"}
        visits.append({**visit, "status": "completed"})
    if which in ("both", "early"):
        visits.append({"visit_id": "v91", "patient_id": "p9", "visit_start": f"{early} 00:00", "status": "no_show"})
    if pick(scene.draw, (False, True, True, True)):
        row = {"patient_id": "p9", "provider_id": "z"}
        if claims is None:
            calls.append({**row, "call_id": "k90", "call_start": f"{early} 08:00"})
        else:
            claims.append({**row, "claim_id": "L90", "service_date": str(early), "cpt_code": "99213"})


def busy(scene: Scene, visits: list[Row], lines: list[Row]) -> None:
    """Sometimes weeks of bystanders in one table: what a hole is measured by; the other one may go on or be quiet."""
    draw = scene.draw
    if not chance(draw, 5):
        return
    rows, key, column = pick(draw, ((visits, "visit_id", "visit_start"), (lines, "", "")))
    if rows is lines:
        key, column = (
            ("claim_id", "service_date") if lines and "service_date" in lines[0] else ("call_id", "call_start")
        )
    first, length, shut = pick(draw, (-30, -14, -5, 2)), pick(draw, (14, 7, 21)), pick(draw, (99, 5, 6, 0))
    lost = pick(draw, (range(0), range(4, 8), range(6, 13)))
    status = pick(draw, ("completed", "no_show"))
    for number in range(length):
        day = scene.base + (first + number) * DAY
        if day.weekday() == shut or number in lost:
            continue
        for place in range(6):
            row = {key: f"b{number}-{place}", "patient_id": f"q{number}{place}", "provider_id": "z", "status": status}
            at = str(day) if column == "service_date" else f"{day} 11:{10 + place}"
            rows.append({**row, column: at, **({"cpt_code": "99213"} if key == "claim_id" else {})})


def make_midnight(scene: Scene, rows: list[Row], column: str, key: str, total: int) -> None:
    """Turns a column into midnights only, and adds bystanders up to ``total`` values.

    They are written as local times, as UTC, or in 8 digits.
    """
    have, form = 0, pick(scene.draw, ("local", "UTC", "local", "digits"))

    def midnight(day: str) -> str:
        if form == "UTC":
            return scene.write(scene.at(date.fromisoformat(day), "00:00"), 2)
        return day.replace("-", "") if form == "digits" else f"{day} 00:00"

    for row in rows:
        if row.get(column):
            day = row[column][:10]
            row[column] = midnight(day) if re.fullmatch(r"\d{4}-\d\d-\d\d", day) else day + " 00:00"
            have += 1
    for number in range(total - have):
        filler = {key: f"{column}-{number}", "patient_id": "p9", "provider_id": "z", "status": "completed"}
        if column == "booked_at":
            filler["visit_start"] = f"{scene.base - 119 * DAY} 10:00"
        rows.append({**filler, column: midnight(str(scene.base - (100 - number % 3) * DAY))})


ASTRAY = (
    *(("calls", name) for name in ("patient_id", "provider_id", "call_id", "problem_id", "related_visit_id")),
    *(("visits", name) for name in ("patient_id", "provider_id", "visit_id", "problem_id", "originating_call_id")),
    *(("claims", name) for name in ("patient_id", "provider_id", "call_id")),
    ("providers", "provider_id"),
)
SPELLINGS: tuple[Callable[[str], str], ...] = (
    str.upper, lambda text: f"0{text}", lambda text: f"{text}.0", lambda text: f"{text[:1]}-{text[1:]}",
    lambda text: f"{text[:1]},{text[1:]}", lambda text: f"Patient/{text}", lambda text: f"urn:uuid:{text}",
)  # fmt: skip
DRESSES: tuple[Callable[[str], str], ...] = (
    lambda text: f'="{text}"', lambda text: f"'{text}", lambda text: f"{text[:1]}\u200b{text[1:]}\u00a0"
)  # fmt: skip
"""What changes nothing."""
NO_RECORD = ("-1", "0", "-2", "-3")
"""Keys by which a warehouse points to nothing."""
NOBODY = ("0", "-1", "9999", "Unknown", "2.9E+13", "2.9E+1")


def adjust(draw: Draw, name: str, rows: list[Row]) -> None:
    """Sometimes adds rows that replace, void or reverse another one, each other, or nothing, wherever they stand."""
    for _ in range(pick(draw, (0, 0, 0, 1, 1, 2, 3)) if rows else 0):
        add_adjustment(draw, name, rows)


def add_adjustment(draw: Draw, name: str, rows: list[Row]) -> None:
    """Adds a row that adjusts one of the rows, which may be void already."""
    adjusted = pick(draw, rows)
    row = dict(adjusted)
    key = REQUIRED[name][0]
    how = pick(draw, ("7", "7", "8", "void", "negative", "negative", *(("again",) if name == "claims" else ())))
    if name == "claims":
        for one in (adjusted, row):
            one["processed_date"] = pick(draw, ("", "2026-03-14", "2026-03-15", "2026-03-16"))
    if how == "again":
        row["paid_amount"] = pick(draw, ("28", row.get("paid_amount", "")))
        row["claim_status"] = pick(draw, ("", "denied", "void", "reversed"))
        rows.append(row)
        return
    if how == "negative" and chance(draw, 3):
        adjusted["claim_status"] = "void"
    own_claim = pick(draw, (False, True))
    if how == "negative":
        for amount in ("billed_amount", "paid_amount"):
            plain = row.get(amount, "").replace("$", "").replace(",", "")
            if plain.replace(".", "").isdecimal():
                row[amount] = pick(draw, (f"-{plain}", f"({plain})", f"-{plain}", "-1"))
    else:
        row["frequency_code"] = how
    if own_claim:
        row["original_claim_id"] = pick(draw, (row.get("claim_id", ""), row.get("claim_id", ""), "L99", ""))
        row["claim_id"] = "A1"
    if pick(draw, (False, False, True)):
        row["claim_status"] = pick(draw, ("denied", "void", "reversed", ""))
    if name == "calls" and pick(draw, (False, True)):
        row[key] = row[key] + "a"
        if how == "7":
            replace_call(draw, row)
            if chance(draw, 4):  # corrected once more, under the same call_id
                again = row | {"original_claim_id": row.get("claim_id", ""), "claim_id": "A2"}
                replace_call(draw, again)
                rows.insert(draw(indices(len(rows) + 1)), again)
    rows.insert(draw(indices(len(rows) + 1)), row)


def replace_call(draw: Draw, row: Row) -> None:
    """The call of a replacement: as the one it replaces, or of another length."""
    if pick(draw, (False, True)):
        row["call_minutes"] = pick(draw, MINUTES)


def lead_astray(draw: Draw, tables: dict[str, list[Row] | None]) -> None:
    """Sometimes writes the ids of a column differently, in some rows or all, or makes a patient a placeholder."""
    if chance(draw, 5):
        table, column = pick(draw, ASTRAY)
        spelling, some = pick(draw, SPELLINGS), chance(draw, 2)
        for row in tables[table] or ():
            if row.get(column) and not (some and chance(draw, 2)):
                row[column] = spelling(row[column])
    if chance(draw, 8):
        table, column = pick(draw, ASTRAY)
        for row in tables[table] or ():
            if row.get(column):
                row[column] = pick(draw, DRESSES)(row[column])
    if chance(draw, 8):
        table, column = pick(draw, (*ASTRAY, ("calls", "claim_id"), ("claims", "provider_id"), ("calls", "group_id")))
        for row in tables[table] or ():
            if row.get(column) and column != "patient_id" and chance(draw, 2):
                row[column] = pick(draw, NO_RECORD)
    if chance(draw, 12):
        nobody = pick(draw, NOBODY)
        for rows in tables.values():
            for row in rows or ():
                if row.get("patient_id") == "p1":
                    row["patient_id"] = nobody


# ----- settings -----


def draw_settings(scene: Scene) -> dict[str, Any]:
    """The run's settings; most of them at their defaults."""
    draw = scene.draw
    start, end = pick(draw, scene.spans) if scene.spans else (scene.at(scene.base, "09:00"),) * 2
    first = scene.day(start)
    settings: dict[str, Any] = {
        "timezone": scene.timezone,
        "dst": pick(draw, (None, None, None, None, "first", "second")),
        "relatedness": pick(draw, ("evidence", "evidence", "evidence", "evidence", "evidence", "any")),
        "anchor": pick(draw, ("unflagged", "unflagged", "unflagged", "reported")),
        "codes": pick(draw, CODE_SETS),
    }
    moments = [scene.write(moment, 2) for moment in (end + DAY, end + DAY - US, start, start - US)]
    days = [str(first + 60 * DAY), str(first), str(first + DAY)]
    as_of = pick(draw, (None, None, None, None, *days, *moments))
    if as_of is not None:
        settings["as_of"] = as_of
    visits_since = pick(draw, (None, None, None, None, 120, 7, 6, 8, 90, 89, -1))
    if visits_since is not None:
        settings["visits_since"] = str(first - visits_since * DAY)
    claims_since = pick(draw, (None, None, None, 60, 6, 5, 7, -1))
    if claims_since is not None:
        settings["claims_since"] = str(first - claims_since * DAY)
    if chance(draw, 25):
        settings["service_from"] = str(first + pick(draw, (0, 1, -5)) * DAY)
    if chance(draw, 25):
        to = str(first + pick(draw, (0, 5, 1, -1)) * DAY)
        settings["service_to"] = max(to, settings.get("service_from", to))
    if chance(draw, 8):
        settings["horizon_days"] = pick(draw, (7, 2, 5, 30))
    if chance(draw, 8):
        settings["lookahead_hours"] = pick(draw, (48, 12, 30, 72))
    if chance(draw, 6):
        settings["unrelated_supports_lah001"] = False
    if chance(draw, 5):
        settings["cumulative"] = pick(draw, ("period", "period", "claim"))
    if chance(draw, 5):
        settings |= {"consent": chance(draw, 2), "modifiers": pick(draw, ((), ("93", "GT")))}
        settings["may_report_em"] = pick(draw, ("clear", "review"))
        settings["place_of_service"] = pick(draw, ((), ("02", "10")))
    if chance(draw, 6):
        settings["severity"] = {pick(draw, RULES): pick(draw, RULE_LEVELS) for _ in range(pick(draw, (1, 2, 3)))}
    return settings


# ----- the world -----


@st.composite
def worlds(draw: Draw) -> World:
    """A small world: 1-6 calls, 0-6 visits, perhaps a claims table with 0-5 lines, perhaps a providers table."""
    scene = Scene(draw)
    with_claims = pick(draw, (False, False, True))
    calls: list[Row] = []
    for number in range(1, 1 + pick(draw, (1, 2, 2, 3, 3, 4, 5, 6))):
        calls.append(draw_call(scene, number, calls, not with_claims))
    visits: list[Row] = []
    for number in range(1, 1 + pick(draw, (0, 1, 2, 2, 3, 4, 6))):
        visits.append(draw_visit(scene, number, calls, visits))
    visits = distinct(visits, "visit_id", "")
    claims = None
    if with_claims:
        claims = [draw_claim(scene, number, calls) for number in range(1, 1 + pick(draw, (0, 1, 2, 2, 3, 3, 4, 5)))]
        claims += [draw_billed_visit(scene, number, calls) for number in range(1, 1 + pick(draw, (0, 0, 1, 1, 2, 3)))]
        claims = distinct(claims, "claim_id", "claim_line")
    providers = None
    if not chance(draw, 3):
        providers = [draw_provider(scene, provider) for provider in ("a", "b", "c")[: pick(draw, (3, 2, 1, 3))]]
    settings = draw_settings(scene)
    fill(scene, calls, visits, claims)
    busy(scene, visits, calls if claims is None else claims)
    if chance(draw, 12):
        make_midnight(scene, visits, "visit_start", "visit_id", pick(draw, (20, 19, 23)))
    if chance(draw, 20):
        make_midnight(scene, visits, "booked_at", "visit_id", pick(draw, (20, 19)))
    if chance(draw, 100):
        make_midnight(scene, calls, "call_start", "call_id", pick(draw, (20, 19)))
    adjust(draw, "calls" if claims is None else "claims", calls if claims is None else claims)
    if chance(draw, 10):
        go_through_a_double(draw, [row for rows in (calls, visits, claims, providers) for row in rows or ()])
    lead_astray(draw, {"calls": calls, "visits": visits, "claims": claims, "providers": providers})
    no_calls = claims is not None and chance(draw, 3)
    no_visits = claims is not None and chance(draw, 5)
    return World(
        calls=None if no_calls else drop(draw, "calls", plant(draw, "calls", calls)),
        visits=None if no_visits else drop(draw, "visits", plant(draw, "visits", visits)),
        claims=None if claims is None else drop(draw, "claims", plant(draw, "claims", claims)),
        providers=None if providers is None else drop(draw, "providers", plant(draw, "providers", providers)),
        settings=settings,
    )


def go_through_a_double(draw: Draw, rows: list[Row]) -> None:
    """The ids of one kind are long numbers: exact doubles, or numbers that no double was."""
    kinds = (("patient_id",), ("provider_id",), ("problem_id",), ("group_id",), ("claim_id",),
             ("call_id", "originating_call_id"), ("visit_id", "related_visit_id"))  # fmt: skip
    columns, step = pick(draw, kinds), pick(draw, (16, 16, 17))
    texts = sorted({row[column] for row in rows for column in columns if row.get(column)})
    for row in rows:
        for column in columns:
            if row.get(column):
                row[column] = str(123_456_789_012_345_600 + step * texts.index(row[column]))


def distinct(rows: list[Row], key: str, line: str) -> list[Row]:
    """Keeps the first row of every id; duplicates and conflicts are planted later, on purpose."""
    kept: dict[tuple[str, str], Row] = {}
    for row in rows:
        kept.setdefault((row[key], row.get(line) or "1"), row)
    return list(kept.values())


INSURERS = ("Acme", "acme_", "Bolt", "Cross", "")
"""Words for the payers of a run's policies, and of nobody's."""


@st.composite
def worlds_of_payers(draw: Draw) -> World:
    """A world whose lines are billed to several payers, each judged by a policy of its own, some only on some dates."""
    world = draw(worlds())
    table = "claims" if world.claims else "calls"
    billed = getattr(world, table)
    rows = tuple(row | {"payer": pick(draw, INSURERS)} for row in billed.rows)
    billed = replace(billed, columns=tuple(dict.fromkeys([*billed.columns, "payer"])), rows=rows)
    policies: dict[str, Any] = {
        "one": {"anchor": pick(draw, ("unflagged", "reported"))},
        "two": {"modifiers": ("95",), "horizon_days": 7, "lookahead_hours": pick(draw, (12, 72)), "relatedness": "any"},
        "three": {"cumulative": pick(draw, ("period", "claim")), "unrelated_supports_lah001": False},
    }
    for policy in policies.values():
        if chance(draw, 3):
            policy["severity"] = {pick(draw, ("FRQ001", *RULES)): pick(draw, RULE_LEVELS)}
    day = pick(draw, ("2026-03-16", "2026-03-14", "2026-03-18"))
    after = str(date.fromisoformat(day) + DAY)
    payers = {
        "ACME": [("one", None, None)],
        "bolt": pick(draw, ([("two", None, None)], [("two", None, day), ("one", after, None)], [("two", day, None)])),
        "Cross": [("three", None, None)],
    }
    if chance(draw, 2):
        payers["otherwise"] = [(pick(draw, ("none", "none", "three")), None, None)]
    return replace(world, settings=world.settings | {"policies": policies, "payers": payers}, **{table: billed})
