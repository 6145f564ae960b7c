"""Reading values. docs/specification.md."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from fractions import Fraction
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from tests.reference.columns import (
    FALSE_WORDS,
    NOTHING_WORDS,
    NULL_WORDS,
    TICKS,
    TRUE_WORDS,
    VOCABULARIES,
    Instant,
    RowError,
)
from tests.reference.world import MICROSECOND, Table


class Clock:
    """The policy's timezone: local text to UTC instants, and D(x)."""

    def __init__(self, timezone: str, dst: str | None, of_row: str = "") -> None:
        self.zone = ZoneInfo(timezone)
        self.dst = dst
        self.written_in = ZoneInfo(of_row or timezone)

    def of_row(self, text: str) -> Clock:
        """The clock for values of a row that states its own zone; the same where it states none that is known."""
        name = read_zone(text)
        return Clock(self.zone.key, self.dst, name) if name else self

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
        first = naive.replace(tzinfo=self.written_in, fold=0).astimezone(UTC)
        second = naive.replace(tzinfo=self.written_in, fold=1).astimezone(UTC)
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
US = re.compile(
    r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})(?:,?\s+([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?(?:\s*([AaPp]\.?[Mm]\.?))?)?"
)
RFC_2822 = re.compile(r"[A-Za-z]{3}, \d{1,2} [A-Za-z]{3} \d{4} \d{2}:\d{2}:\d{2} [+-]\d{4}", re.ASCII)


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
                number = number % 12 + (12 if half[0] in "Pp" else 0)
            wall = datetime(int(year), int(month), int(day), number, int(minute or 0), int(second or 0))
            return Written(wall, None, hour is not None)
        if re.fullmatch("[0-9]{14}", text):
            return Written(datetime.strptime(text, "%Y%m%d%H%M%S"), None, True)
        if RFC_2822.fullmatch(text):
            parsed = parsedate_to_datetime(text)
            return Written(parsed.replace(tzinfo=None), parsed.utcoffset() or timedelta(0), True)
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


def is_placeholder_date(text: str) -> bool:
    """Whether the text is a date before 1950, of a clock's zero, or after 2100, all as written."""
    try:
        day = read_written(text).wall.date()
    except RowError:
        return False
    return not 1950 <= day.year <= 2100 or day in (date(1969, 12, 31), date(1970, 1, 1))


DIGITS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}


def with_dates_in_iso(table: Table, columns: set[str]) -> Table:
    """The table with the columns of dates that are written in digits throughout in another form; zeros are blank there."""
    rows = [dict(row) for row in table.rows]
    for column in columns & set(table.columns):
        texts = {row.get(column, ""): undress(row.get(column, "")) for row in rows}
        present = [text for text in texts.values() if not says_nothing(column, text)]
        if all(is_in_digits(text) for text in present):
            for row in rows:
                text = texts[row.get(column, "")]
                row[column] = "" if says_nothing(column, text) or int(text) == 0 else in_iso(text)
    return Table(table.columns, tuple(rows))


def is_in_digits(text: str) -> bool:
    """Whether the text is 8, 12 or 14 digits that are a date, or zeros."""
    if not re.fullmatch(r"[0-9]{8}|[0-9]{12}|[0-9]{14}", text):
        return False
    if int(text) == 0:
        return True
    try:
        year = datetime.strptime(text, DIGITS[len(text)]).year
    except ValueError:
        return False
    return 1950 <= year <= 2100 or year in (1, 1753, 1899, 1900, 9999)


def in_iso(text: str) -> str:
    """A date in digits with dashes and colons."""
    day = f"{text[:4]}-{text[4:6]}-{text[6:8]}"
    return day + (f" {text[8:10]}:{text[10:12]}:{text[12:] or '00'}" if len(text) > 8 else "")


def local_wall(written: Written, clock: Clock) -> datetime:
    """The time on the clock in the policy's zone."""
    if not written.has_time or (written.offset is None and clock.written_in == clock.zone):
        return written.wall
    if written.offset is None:
        return written.wall.replace(tzinfo=clock.written_in).astimezone(clock.zone).replace(tzinfo=None)
    return (written.wall - written.offset).replace(tzinfo=UTC).astimezone(clock.zone).replace(tzinfo=None)


def read_instant(text: str, clock: Clock, midnights_are_dates: str) -> Instant:
    """An instant; without a time, the first instant of its day.

    `midnights_are_dates`: of the column: "no"; as "written"; or in the policy's "zone", on their days there.
    """
    written = read_written(text)
    if not written.has_time or (midnights_are_dates == "written" and written.wall.time() == time()):
        # CHOICE: in an all-midnight column the day is the day as written, whatever its offset.
        return Instant(clock.first_instant(written.wall.date()), True)
    if midnights_are_dates == "zone" and (wall := local_wall(written, clock)).time() == time():
        return Instant(clock.first_instant(wall.date()), True)
    if written.offset is not None:
        return Instant((written.wall - written.offset).replace(tzinfo=UTC), False)
    return Instant(clock.from_local(written.wall), False)


def read_date(text: str, clock: Clock) -> date:
    """A date; midnight is the date as written, and of another time with an offset its local date."""
    written = read_written(text)
    if written.wall.time() != time() and written.offset is not None:
        return clock.day((written.wall - written.offset).replace(tzinfo=UTC))
    return written.wall.date()  # CHOICE: a local wall time's date needs no DST decision


def read_range(text: str) -> tuple[date, date] | None:
    """A range of days from 1950 to 2100, such as 20260301-20260305."""
    if not re.fullmatch(r"\d{8}-\d{8}", text):
        return None
    try:
        first, last = (datetime.strptime(part, "%Y%m%d").date() for part in text.split("-"))
    except ValueError:
        return None
    return (first, last) if first.year >= 1950 and first <= last and last.year <= 2100 else None


def column_dates(table: Table, column: str, clock: Clock) -> str:
    """Which midnights of the column are dates (see `read_instant`): it has 20 values or more, 99 of 100 of them midnight.

    CHOICE: blanks and unreadable values do not count; every row counts, also one that is rejected for another reason; a
    value without a time counts as midnight.
    """
    count = midnights = in_zone = instants = 0
    for row in table.rows:
        text = undress(row.get(column, ""))
        if text == "" or is_placeholder_date(text):
            continue
        try:
            written = read_written(text)
        except RowError:
            continue
        midnights += written.wall.time() == time()
        in_zone += local_wall(written, clock.of_row(row.get("timezone", ""))).time() == time()
        instants += written.offset is not None
        count += 1
    if count < 20:
        return "no"
    return "written" if midnights * 100 >= count * 99 else "zone" if instants and in_zone * 100 >= count * 99 else "no"


def undress(text: str) -> str:
    """A cell without what prints nothing, and without a spreadsheet's armor."""
    text = "".join(letter for letter in text if letter.isspace() or unicodedata.category(letter) not in ("Cf", "Cc"))
    text = text.strip()
    if found := re.fullmatch('="(.*)"', text):
        return found[1].strip()
    return text.removeprefix("'").strip()


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
    elif found := re.fullmatch(r"PT(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?", text, re.ASCII):
        iso_hours, iso_minutes, iso_seconds = (Fraction(part or 0) for part in found.groups())
        size = iso_hours * 3600 + iso_minutes * 60 + iso_seconds
    elif found := re.fullmatch(r"(\d+(?:\.\d+)?) min", text, re.ASCII):
        size = Fraction(found[1]) * 60
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


FAMILY_CODES = ("98966", "98967", "98968")


def read_billed_codes(text: str) -> dict[str, frozenset[str]]:
    """The codes of a cell of lines, and the modifiers that follow each.

    CHOICE: words beside a code that do not look like codes are a description; of a cell without any, the first word counts.
    """
    found: dict[str, frozenset[str]] = {}
    joined = re.sub(r"\b(HCPCS|HCPC|CPT)\s+", "", text.upper())
    for item in re.split(r"[;,|\s]+", joined):
        code = read_code(item)
        if code is None or not re.fullmatch(r"\d{4}[A-Z0-9]|[A-Z]\d{4}", code):
            continue
        modifiers = set()
        for part in [part for part in re.split(r"[^A-Z0-9]+", item.partition(code)[2]) if part][:4]:
            if len(part) != 2:
                break
            modifiers.add(part)
        found[code] = found.get(code, frozenset()) | modifiers
    if not found:
        single = read_code(text)
        return {single: frozenset()} if single else {}
    return found


def read_code(text: str) -> str | None:
    """Upper case, what stands before it and the words CPT, HCPCS, HCPC left out, cut at the first other character."""
    text = re.sub(r"^[^A-Z0-9]+", "", text.strip().upper())
    text = re.sub(r"^(HC|HP|ER|WK|N4)[^A-Z0-9\s]+", "", text)
    for word in ("HCPCS", "HCPC", "CPT"):
        if text.startswith(word):
            text = text.removeprefix(word).lstrip(":- \t")
            break
    found = re.match(r"[A-Z0-9]*", text)
    return (found.group() if found else "") or None


def read_codes(text: str, dots: bool) -> frozenset[str]:
    """A list of codes as a set. With ``dots`` (diagnoses) dots are removed before the cut."""
    codes = set()
    if not dots:
        text = re.sub(r"\b(HCPCS|HCPC|CPT)\s+", "", text, flags=re.IGNORECASE)
    for part in re.split(r"[;,|\s]+", text):
        if dots:
            found = re.match(
                r"[^A-Z0-9]*(?:(?:ABK|ABF|BK|BF)[^A-Z0-9]+)?([A-Z][0-9][A-Z0-9])", part.replace(".", "").upper()
            )
            code = found.group(1) if found else None
        else:
            code = read_code(part)
        if code:
            codes.add(code)
    return frozenset(codes)


def read_global_days(text: str) -> Fraction | None:
    """A number such as ``090``, else blank."""
    try:
        return read_number(text)
    except RowError:
        return None


def read_zone(text: str) -> str | None:
    """The IANA name that a cell states, whatever its case; None where it states none."""
    return _names().get(undress(text).lower())


@cache
def _names() -> dict[str, str]:
    return {name.lower(): name for name in available_timezones()}


def says_nothing(column: str, text: str) -> bool:
    """Whether a cell is empty, has no letter or digit, or is a null word; signs for yes and no say something."""
    signs = TICKS if column in ("established", "soonest_available") or column.startswith("doc_") else ""
    return not any(sign.isalnum() or sign in signs for sign in text) or text.strip().casefold() in NULL_WORDS


def read_value(kind: str, column: str, text: str, clock: Clock, midnights_are_dates: str) -> Any:
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
    if kind == "zone":
        if read_zone(text) is None:
            raise RowError("zone")
        return read_zone(text)
    if kind == "code":
        codes = read_billed_codes(text)
        return max((code for code in codes if code in FAMILY_CODES), default=min(codes, default=None))
    if kind == "instant":
        return read_instant(text, clock, midnights_are_dates)
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
