"""The types of values in a policy, with what they must be.

Source: docs/specification.md#policy.
"""

import codecs
import contextlib
import re
from datetime import date, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator

from auditor import zones
from auditor.schema.codes import form
from auditor.schema.names import nearest

MOST = 1_000_000
"""The largest number of a policy: it leaves room for arithmetic."""


def _valid_timezone(name: str) -> str:
    if name not in zones.names():
        raise ValueError(f"not an IANA time zone{nearest(name, zones.names())}")
    return name


def _bounds(dates: tuple[date, date]) -> tuple[date, date]:
    first, last = dates
    if first > last:
        raise ValueError("the first date is after the last one")
    if first.year < 2 or last.year > 9998:
        raise ValueError("dates must be from the year 2 to 9998")
    return dates


def _whole_date(form: str) -> str:
    if form in ("epoch", "epoch_ms", "excel"):
        return form
    day, month, year = r"%[-_0]?[dej]|%j", r"%[-_0]?m|%[bBh]|%j", r"%[-_0]?[Yy]"
    if not re.search(r"%[FDxcs+]", form) and not all(re.search(part, form) for part in (day, month, year)):
        raise ValueError("a format needs a day, a month and a year, such as %d-%b-%Y or %d.%m.%Y %H:%M")
    return form


def _valid_encoding(name: str) -> str:
    known = {"utf-8": "utf-8", "iso8859-1": "latin-1", "cp1252": "cp1252"}
    with contextlib.suppress(LookupError, ValueError):
        if found := known.get(codecs.lookup(name).name):
            return found
    raise ValueError(f"must be one of {', '.join(known.values())}")


def _offset(text: str) -> str:
    if not re.fullmatch(r"[+-](0\d|1[0-4]):?[0-5]\d", text):
        raise ValueError("must be an offset from UTC, such as -05:00")
    return text


def _code_or_range(entry: str) -> str:
    first, _, last = entry.strip().upper().partition("-")
    low, high = form(first), form(last)
    if not re.fullmatch(r"\w{5}", first, re.ASCII) or (last and not (low and high and low[0] == high[0])):
        raise ValueError("must be a code of five characters or a range of codes of the same form, such as 99202-99205")
    if last and first > last:
        raise ValueError("a range must begin with its lower code, such as 99202-99205")
    return entry


def dates(text: str) -> list[date]:
    """The dates of `2025-12-24`, or of `2025-12-24/2026-01-01`. Raises ValueError."""
    first, _, last = text.partition("/")
    try:
        start, end = date.fromisoformat(first.strip()), date.fromisoformat((last or first).strip())
    except ValueError:
        raise ValueError("must be a date or two dates, such as 2025-12-25 or 2025-12-24/2026-01-01") from None
    if not 0 <= (end - start).days <= 366:
        raise ValueError("the first date must come first, and the last date at most a year later")
    _bounds((start, end))
    return [start + timedelta(days=days) for days in range((end - start).days + 1)]


def two_characters(pattern: str, kind: str) -> AfterValidator:
    """Checks that a text is two characters of a kind, and writes it in upper case."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text.upper(), re.ASCII):
            raise ValueError(f"must be two {kind}")
        return text.upper()

    return AfterValidator(check)


def _clock(days: Any) -> Any:
    if days not in (60, "", None) or isinstance(days, bool):
        raise ValueError('must be 60, or "" for no clock')
    return days or None


Unit = Literal["minutes", "seconds", "milliseconds", "hours", "days", "h:mm"]
Severity = Literal["violation", "review", "off"]
Differences = tuple[Literal["case", "zeros", "decimal", "punctuation", "reference"], ...]

Clock = Annotated[int | None, BeforeValidator(_clock)]
Code = Annotated[str, AfterValidator(_code_or_range)]
DateBounds = Annotated[tuple[date, date], AfterValidator(_bounds)]
Dates = Annotated[str, AfterValidator(lambda text: dates(text) and text)]
Encoding = Annotated[str, AfterValidator(_valid_encoding)]
InstantFormat = Annotated[str, AfterValidator(_whole_date)]
Offset = Annotated[str, AfterValidator(_offset)]
Timezone = Annotated[str, AfterValidator(_valid_timezone)]
