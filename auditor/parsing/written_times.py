"""What dates and times state as written: the time on the clock, the instant if there is an offset, or only a date.

Source: docs/specification.md#instants.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import NamedTuple, Self

import polars as pl

from auditor.parsing.instant_forms import NUMBERS, OFFSET, Form, forms
from auditor.parsing.microseconds import DAY
from auditor.parsing.time_zones import in_zone
from auditor.policy import Policy

_CLOCK_ZERO = datetime(1969, 12, 31), datetime(1970, 1, 1, 23, 59, 59, 999_999)
"""The day on which clocks count from 0, in UTC and west of it."""
_EXCEL_DAY_0 = -25_569 * DAY
_TIME_DIRECTIVE = re.compile(r"%[-_0]?[HIklTRXcsr+]")
_EPOCH_OR_SERIAL = r"^\d{1,15}(\.\d+)?$"


class Written(NamedTuple):
    """Series of one length. None is a series of nulls, or of False.

    `wall`: the time on the clock as written, null where blank or unreadable; `utc`: the instant where there is an offset;
    `date_only`: whether there is no time.
    """

    wall: pl.Series
    utc: pl.Series | None = None
    date_only: pl.Series | None = None

    def as_days(self, *, moved: bool) -> Self:
        """Mark as dates every midnight, and unless they are `moved` to another zone, all times without an offset."""
        days = self.wall.to_physical() % DAY == 0
        if not moved:
            days = days | (self.wall.is_not_null() if self.utc is None else self.utc.is_null())
        days = (days & self.wall.is_not_null()).fill_null(False)
        return self._replace(date_only=days if self.date_only is None else self.date_only | days)

    def at_midnight(self) -> pl.Series:
        """Which times are midnight, as written; values without a time are."""
        midnight = (self.wall.to_physical() % DAY == 0).fill_null(False)
        return midnight if self.date_only is None else midnight | self.date_only

    def on_clock(self, timezone: str, zone: str) -> Self:
        """The times on the clock in `timezone`; those without an offset are of `zone`, and dates stay as written."""
        wall = self.wall if zone == timezone else _moved(in_zone(self.wall, zone), timezone)
        if self.utc is not None:
            wall = _moved(self.utc, timezone).zip_with(self.utc.is_not_null(), wall)
        return self._replace(wall=wall if self.date_only is None else self.wall.zip_with(self.date_only, wall))

    def placeholders(self, first: date, last: date, *, clock_zero: bool) -> pl.Series | None:
        """Which dates are before `first`, after `last`, or a clock's zero; None if there are none."""
        low, high = datetime.combine(first, time()), datetime.combine(last, time.max)
        wall = pl.col("wall")
        outside = ~wall.is_between(low, high) | (wall.is_between(*_CLOCK_ZERO) & clock_zero)
        found = self.wall.to_frame("wall").select(outside.fill_null(False)).to_series()
        return found if found.any() else None

    def without(self, mask: pl.Series) -> Self:
        """Blank where the mask is True."""
        return self._replace(
            wall=self.wall.set(mask, None),
            utc=None if self.utc is None else self.utc.set(mask, None),
            date_only=None if self.date_only is None else self.date_only & ~mask,
        )


def _moved(instants: pl.Series, timezone: str) -> pl.Series:
    return instants.dt.convert_time_zone(timezone).dt.replace_time_zone(None)


def parse(values: pl.Series, policy: Policy, *, in_digits: bool = False) -> Written:
    """Parse text, dates or datetimes. A datetime with a time zone is an instant, one without is a time on the clock.

    `in_digits`: 8 and 12 digits are a date.
    """
    if isinstance(values.dtype, pl.Date):
        return Written(values.cast(pl.Datetime("us"), strict=False), None, values.is_not_null())
    if isinstance(dtype := values.dtype, pl.Datetime):
        values = values.cast(pl.Datetime("us", dtype.time_zone))
        zoned = dtype.time_zone is not None
        return Written(values.dt.replace_time_zone(None), values.dt.convert_time_zone("UTC") if zoned else None)
    return _parse_text(values, policy, in_digits)


def _parse_text(values: pl.Series, policy: Policy, in_digits: bool) -> Written:
    """Try each form on the texts that no form before it reads; then all forms again on the rest in plainer spelling."""
    rest = pl.DataFrame({"v": values}).with_row_index("row")
    done: list[pl.DataFrame] = []
    for form in forms(values, policy, in_digits):
        read = rest.select("row", *_read_form(form, policy.zone_names))
        left = read["wall"].is_null() & rest["v"].is_not_null()
        if not done and not left.any():
            return Written(*(read.get_column(name, default=None) for name in Written._fields))
        done.append(read.filter(pl.col("wall").is_not_null()))
        rest = rest.filter(left)
        if rest.is_empty():
            break
    plainer = rest["v"].to_frame("v").select(_plainer(pl.col("v"))).to_series()
    if (plainer != rest["v"]).any():
        again = _parse_text(plainer, policy, in_digits)
        read = pl.DataFrame({"row": rest["row"], **{n: v for n, v in again._asdict().items() if v is not None}})
        done.append(read.filter(pl.col("wall").is_not_null()))
    rows = pl.DataFrame({"row": pl.int_range(len(values), dtype=pl.UInt32, eager=True)})
    joined = rows.join(pl.concat(done, how="diagonal"), on="row", how="left", maintain_order="left")
    date_only = joined.get_column("date_only", default=None)
    date_only = None if date_only is None else date_only.fill_null(False)
    return Written(joined["wall"], joined.get_column("utc", default=None), date_only)


def _plainer(text: pl.Expr) -> pl.Expr:
    """Other blanks as spaces; `a.m.` and `a` as AM; no comma after the date; no weekday; GMT and UTC as an offset."""
    text = text.str.replace_all(r"[\u{00A0}\u{2007}\u{2009}\u{202F}]", " ")
    text = text.str.replace(r"(?i)(\d ?)([ap])\.? ?(?:m\.?)?$", "${1}${2}M")
    text = text.str.replace(r"^([\d/-]{8,10}), *", "${1} ").str.replace(r"^[A-Za-z]{3}, *", "")
    return text.str.replace(r" (?:GMT|UTC?)$", " +0000")


def _read_form(form: Form, zone_names: Mapping[str, str]) -> list[pl.Expr]:
    """What the form reads in the text `v`: `wall`, and `utc` and `date_only` unless all are null, or False."""
    pattern, written_as, has_offset = form
    if written_as in NUMBERS:
        return _read_number(written_as)
    text = pl.col("v")
    if "%Z" in written_as:
        for name, offset in zone_names.items():
            text = text.str.replace(rf"\b{re.escape(name)}\b", offset)
        written_as, has_offset = written_as.replace("%Z", "%z"), True
    if pattern is not None:
        text = text if "T" in written_as else text.str.replace("T", " ", literal=True)
        text = pl.when(text.str.contains(pattern)).then(text)
    if "%.f" in written_as:
        text = text.str.replace(",", ".", literal=True)
    in_utc = pattern is not None and written_as.endswith("Z")
    if has_offset and not in_utc:
        wall, utc = _with_offset(text, written_as) if pattern is None else _before_offset(text, written_as)
    else:
        text = text.str.replace(r" ([AaPp][Mm])$", "$1") if "%p" in written_as else text
        wall = text.str.to_datetime(written_as, time_unit="us", strict=False)
        utc = wall.dt.replace_time_zone("UTC")
    read = [wall.alias("wall")] + [utc.alias("utc")] * has_offset
    return read if _TIME_DIRECTIVE.search(written_as) else [*read, wall.is_not_null().alias("date_only")]


def _with_offset(text: pl.Expr, written_as: str) -> tuple[pl.Expr, pl.Expr]:
    """`wall` and `utc` of a format that has a directive for the offset."""
    utc = text.str.to_datetime(written_as, time_unit="us", time_zone="UTC", strict=False)
    return utc.dt.replace_time_zone(None), utc


def _before_offset(text: pl.Expr, written_as: str) -> tuple[pl.Expr, pl.Expr]:
    """`wall` and `utc` of a built-in format, which ends before the offset."""
    zoned = text.str.replace(r" ?([Zz]|[+-]\d\d(?::?\d\d)?)$", "$1").str.replace("z", "Z", literal=True)
    utc = zoned.str.to_datetime(f"{written_as}%#z", time_unit="us", time_zone="UTC", strict=False)
    wall = text.str.replace(OFFSET, "").str.to_datetime(written_as, time_unit="us", strict=False)
    return pl.when(utc.is_not_null()).then(wall), utc


def _read_number(form: str) -> list[pl.Expr]:
    """The same for a form that is a number."""
    number = pl.when(pl.col("v").str.contains(_EPOCH_OR_SERIAL)).then("v").cast(pl.Float64, strict=False)
    at = (number * NUMBERS[form]).round(0).cast(pl.Int64)
    if form == "excel":
        whole = (at % DAY == 0).fill_null(False)
        return [(at + _EXCEL_DAY_0).cast(pl.Datetime("us")).alias("wall"), whole.alias("date_only")]
    return [at.cast(pl.Datetime("us")).alias("wall"), at.cast(pl.Datetime("us", "UTC")).alias("utc")]
