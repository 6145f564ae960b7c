"""Which forms of written dates and times are read, and in which order they are tried.

Source: docs/specification.md#instants.
"""

import re
from typing import NamedTuple

import polars as pl

from auditor.parsing import digit_dates
from auditor.parsing.microseconds import DAY, MILLISECOND, SECOND
from auditor.policy import Policy

NUMBERS = {"epoch": SECOND, "epoch_ms": MILLISECOND, "excel": DAY}
"""Forms that are numbers, and their units: since 1970 in UTC, or a spreadsheet's days in local time."""
OFFSET = r" ?(?:[Zz]|[+-]\d\d(?::?\d\d)?)$"

_SECOND = r":[0-5]\d"
_ISO_TIME = r"\d{4}-\d\d-\d\d \d\d?:[0-5]\d"
_US = r"^\d{1,2}/\d{1,2}/\d{4}"
_US_TIME = _US + r" +\d{1,2}:[0-5]\d"

_ISO = (
    (r"^\d{4}-\d\d-\d\d$", "%Y-%m-%d"),
    (f"^{_ISO_TIME}{_SECOND}$", "%Y-%m-%d %H:%M:%S"),
    (f"^{_ISO_TIME}$", "%Y-%m-%d %H:%M"),
    (rf"^{_ISO_TIME}{_SECOND}[.,]\d+$", "%Y-%m-%d %H:%M:%S%.f"),
)
_ISO_OFFSET = (
    (f"^{_ISO_TIME}{_SECOND}{OFFSET}", "%Y-%m-%d %H:%M:%S"),
    (f"^{_ISO_TIME}{OFFSET}", "%Y-%m-%d %H:%M"),
    (rf"^{_ISO_TIME}{_SECOND}[.,]\d+{OFFSET}", "%Y-%m-%d %H:%M:%S%.f"),
)
_US_FORMS = (
    (f"{_US}$", "%m/%d/%Y"),
    (f"{_US_TIME}$", "%m/%d/%Y %H:%M"),
    (f"{_US_TIME}{_SECOND}$", "%m/%d/%Y %H:%M:%S"),
    (f"{_US_TIME} ?[AaPp][Mm]$", "%m/%d/%Y %I:%M%p"),
    (f"{_US_TIME}{_SECOND} ?[AaPp][Mm]$", "%m/%d/%Y %I:%M:%S%p"),
)
_ISO_12_HOURS = (  # a date and a time joined from two columns
    (f"^{_ISO_TIME} ?[AaPp][Mm]$", "%Y-%m-%d %I:%M%p"),
    (f"^{_ISO_TIME}{_SECOND} ?[AaPp][Mm]$", "%Y-%m-%d %I:%M:%S%p"),
)
_MAIL = r"^\d{1,2} [A-Za-z]{3} \d{4} \d\d:\d\d"  # RFC 2822, without the day of the week
_MAIL_OFFSET = ((f"{_MAIL}{_SECOND} [+-]\\d{{4}}$", "%d %b %Y %H:%M:%S"), (f"{_MAIL} [+-]\\d{{4}}$", "%d %b %Y %H:%M"))
_OFFSET_DIRECTIVE = re.compile(r"%:{0,3}#?z|%\+|%s")
_DAY_FIRST = re.compile(r"%[-_0]?[de]/%[-_0]?m")


class Form(NamedTuple):
    """A `format` of strptime, and the `pattern` of the texts that have it; None: a format of the policy, tried on all."""

    pattern: str | None
    format: str
    has_offset: bool


def forms(values: pl.Series, policy: Policy, in_digits: bool) -> list[Form]:
    """The policy's forms, then those built in, of which at most one fits a text. The form of the first text comes first.

    `in_digits`: 8 and 12 digits are a date.

    If a form of the policy reads the day before the month, US dates are not read: one export must not be read both ways.
    """
    digits = tuple((rf"^\d{{{n}}}$", text) for n, text in digit_dates.FORMATS.items() if in_digits or n == 14)
    own = [Form(None, text, bool(_OFFSET_DIRECTIVE.search(text))) for text in policy.instant_formats]
    built_in = [Form(*pair, False) for pair in _ISO + _ISO_12_HOURS + digits]
    built_in += [Form(*pair, True) for pair in _ISO_OFFSET + _MAIL_OFFSET]
    if not any(_DAY_FIRST.search(text) for text in policy.instant_formats):
        built_in += [Form(*pair, False) for pair in _US_FORMS]
    first = "".join(values.slice(values.is_not_null().arg_max() or 0, 1).drop_nulls())
    built_in.sort(key=lambda form: not re.search(form.pattern or "", first.replace("T", " ", 1)))
    pattern, text, has_offset = built_in[0]
    if pattern and re.match(_ISO_TIME.replace(" ", "[T ]"), first) and (not has_offset or first.endswith("Z")):
        pattern, text = pattern.replace(" ", first[10], 1), text.replace(" ", first[10]) + "Z" * has_offset
        if decimals := re.search(r"\.(\d{3}|\d{6})Z?$", first):  # of a known number polars reads faster
            pattern = pattern.replace(r"[.,]\d+", rf"\.\d{{{len(decimals[1])}}}")
            text = text.replace("%.f", f".%{len(decimals[1])}f")
        built_in.insert(0, Form(pattern.replace(OFFSET, "Z$"), text, has_offset))  # as most exports write
    return own + built_in
