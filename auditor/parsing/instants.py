"""Written dates and times → instants in UTC, with what was wrong with those that have none.

Forms: the policy's own first, then ISO 8601, then US month/day/year.

Source: docs/specification.md#instants.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import polars as pl

from auditor.policy import Policy

MIDNIGHT_COLUMN = 20
"""A column of at least this many values, 99 of 100 midnight as written, holds dates, and perhaps a few times."""

SHAPE = 40
"""Characters of a date and time, at most."""

UNREADABLE, SKIPPED, REPEATED = 1, 2, 3

DAY, HOUR = 86_400_000_000, 3_600_000_000
"""Microseconds; durations are microseconds until shown."""
_HOURS = 24 * 366
"""Of a year, about."""

_SECOND = r":[0-5]\d"
_ISO_TIME = r"\d{4}-\d\d-\d\d \d\d?:[0-5]\d"
_OFFSET = r" ?(?:[Zz]|[+-]\d\d(?::?\d\d)?)$"
_US = r"^\d{1,2}/\d{1,2}/\d{4}"
_US_TIME = _US + r" +\d{1,2}:[0-5]\d"

_ISO = (
    (r"^\d{4}-\d\d-\d\d$", "%Y-%m-%d"),
    (f"^{_ISO_TIME}{_SECOND}$", "%Y-%m-%d %H:%M:%S"),
    (f"^{_ISO_TIME}$", "%Y-%m-%d %H:%M"),
    (rf"^{_ISO_TIME}{_SECOND}[.,]\d+$", "%Y-%m-%d %H:%M:%S%.f"),
)
_ISO_OFFSET = (
    (f"^{_ISO_TIME}{_SECOND}{_OFFSET}", "%Y-%m-%d %H:%M:%S"),
    (f"^{_ISO_TIME}{_OFFSET}", "%Y-%m-%d %H:%M"),
    (rf"^{_ISO_TIME}{_SECOND}[.,]\d+{_OFFSET}", "%Y-%m-%d %H:%M:%S%.f"),
)
_US_FORMS = (
    (f"{_US}$", "%m/%d/%Y"),
    (f"{_US_TIME}$", "%m/%d/%Y %H:%M"),
    (f"{_US_TIME}{_SECOND}$", "%m/%d/%Y %H:%M:%S"),
    (f"{_US_TIME} ?[AaPp][Mm]$", "%m/%d/%Y %I:%M%p"),
    (f"{_US_TIME}{_SECOND} ?[AaPp][Mm]$", "%m/%d/%Y %I:%M:%S%p"),
)
_ISO_NOON = (  # a date and a time joined from two columns
    (f"^{_ISO_TIME} ?[AaPp][Mm]$", "%Y-%m-%d %I:%M%p"),
    (f"^{_ISO_TIME}{_SECOND} ?[AaPp][Mm]$", "%Y-%m-%d %I:%M:%S%p"),
)
_DIGITS = ((r"^\d{14}$", "%Y%m%d%H%M%S"),)
_MAIL = r"^\d{1,2} [A-Za-z]{3} \d{4} \d\d:\d\d"  # RFC 2822, without the day of the week
_MAIL_OFFSET = (
    (f"{_MAIL}{_SECOND} [+-]\\d{{4}}$", "%d %b %Y %H:%M:%S"),
    (f"{_MAIL} [+-]\\d{{4}}$", "%d %b %Y %H:%M"),
)
_NUMBERS = {"epoch": 1_000_000, "epoch_ms": 1_000, "excel": DAY}
"""Forms that are numbers, and their units in microseconds: since 1970 in UTC, or a spreadsheet's days in local time."""
_EXCEL = -25_569 * DAY
"""A spreadsheet's day 0."""
_HAS_TIME = re.compile(r"%[-_0]?[HIklTRXcsr+]")
_HAS_OFFSET = re.compile(r"%:{0,3}#?z|%\+|%s")
_DAY_FIRST = re.compile(r"%[-_0]?[de]/%[-_0]?m")


class MidnightCounts(NamedTuple):
    """How many values of a column are midnight as written, or have no time, how many there are, and how many have no time.

    Parts add up.
    """

    midnights: int
    values: int
    dates: int

    @property
    def date_only(self) -> bool:
        """Whether the column holds dates, so that every midnight in it is a date."""
        return self.values >= MIDNIGHT_COLUMN and self.midnights * 100 >= self.values * 99

    def plus(self, more: "MidnightCounts") -> "MidnightCounts":
        """Those of both parts."""
        return MidnightCounts(*(first + another for first, another in zip(self, more, strict=True)))


@dataclass(frozen=True)
class Instants:
    """Series of one length: `utc` (null where blank or wrong), `date_only`, `problem` (0, UNREADABLE, ...).

    `has_local`: some value carries no offset. `local`: the same instants as local times. `midnights` of the values.
    """

    utc: pl.Series
    date_only: pl.Series
    problem: pl.Series
    has_local: bool
    local: pl.Series
    midnights: MidnightCounts


class _Written(NamedTuple):
    """Values as written: `wall` time (null where there is none), `utc` where it has an offset, whether it has no time.

    None stands for a series of nulls, or of False.
    """

    wall: pl.Series
    utc: pl.Series | None = None
    date_only: pl.Series | None = None


def read(
    values: pl.Series,
    policy: Policy,
    *,
    days: bool = False,
    date_only: bool | None = None,
    zone: str | None = None,
    count: Callable[[pl.Series], int] = lambda mask: int(mask.sum()),
) -> Instants:
    """Read a column of text, dates or datetimes; blank text is null. Never raises on a value.

    `days`: a column of dates: every midnight is the date as written, and so is a time without an offset unless the column
    has a `zone` of its own; any other time is moved to the policy's zone. `date_only`: whether the column holds dates; None:
    the values decide, of which there are `count(mask)`. `zone`: of values without an offset, None: the policy's.

    Years before 2 and the last before 10000 (9999; none for `days`) cannot be moved between time zones and are unreadable.
    """
    zone = zone or policy.timezone
    written = _possible(_written(values, policy), 9999 if days else 9998)
    if days:
        written = _as_days(written, moved=zone != policy.timezone)
    timed = written.wall.to_physical() % DAY != 0
    if written.date_only is not None:
        timed = timed & ~written.date_only
    there = count(written.wall.is_not_null())
    dates = count(written.date_only) if written.date_only is not None else 0
    found = MidnightCounts(there - (count(timed.fill_null(False)) if timed.any() else 0), there, dates)
    if found.date_only if date_only is None else date_only:
        written = written._replace(date_only=(~timed).fill_null(False))
    return _localise(values, written, policy, zone, found)


def shapes(values: pl.Series) -> pl.Series:
    """How texts are written, without what they say: 9 for a digit, a for a letter, ? for a sign beyond ASCII.

    Null for texts without a digit; those of more than SHAPE characters are cut to none. So few shapes are many values.
    """
    text = pl.col("v").str.replace_all(r"\p{N}", "9").str.replace_all(r"[\p{L}\p{M}]", "a").str.replace_all(r"\s", " ")
    shape = pl.when(text.str.len_chars() > SHAPE).then(pl.lit("")).otherwise(text.str.replace_all(r"[^ -~]", "?"))
    return values.to_frame("v").select(pl.when(text.str.contains("9", literal=True)).then(shape)).to_series()


def _written(values: pl.Series, policy: Policy) -> _Written:
    if isinstance(values.dtype, pl.Date):
        return _Written(values.cast(pl.Datetime("us"), strict=False), None, values.is_not_null())
    if isinstance(dtype := values.dtype, pl.Datetime):
        values = values.cast(pl.Datetime("us", dtype.time_zone))
        zoned = dtype.time_zone is not None
        return _Written(values.dt.replace_time_zone(None), values.dt.convert_time_zone("UTC") if zoned else None)
    return _parse(values, policy)


def _as_days(written: _Written, *, moved: bool) -> _Written:
    """Mark what is a date as written: every midnight, and unless they are `moved` all times without an offset."""
    wall, utc, date_only = written
    days = wall.to_physical() % DAY == 0
    if not moved:
        days = days | (wall.is_not_null() if utc is None else utc.is_null())
    return written._replace(date_only=_either(date_only, (days & wall.is_not_null()).fill_null(False)))


def _either(preferred: pl.Series | None, fallback: pl.Series) -> pl.Series:
    return fallback if preferred is None else preferred | fallback


def _where(mask: pl.Series, values: pl.Series) -> pl.Series:
    return values.zip_with(mask, pl.repeat(None, len(values), dtype=values.dtype, eager=True))


def _possible(written: _Written, last_year: int) -> _Written:
    wall, utc, date_only = written
    first, last = (
        wall.to_frame("wall").select(pl.col("wall").min().dt.year(), last=pl.col("wall").max().dt.year()).row(0)
    )
    if first is None or (first >= 2 and last <= last_year):
        return written
    possible = wall.dt.year().is_between(2, last_year).fill_null(False)
    return _Written(
        _where(possible, wall),
        None if utc is None else _where(possible, utc),
        None if date_only is None else date_only & possible,
    )


def _parse(values: pl.Series, policy: Policy) -> _Written:
    """Each form is tried on what the forms before it could not read; what is left, once more in plainer spelling."""
    rest = pl.DataFrame({"v": values}).with_row_index("row")
    done: list[pl.DataFrame] = []
    for stage in _stages(values, policy):
        read = rest.select("row", *_stage(*stage, policy.zone_names))
        left = read["wall"].is_null() & rest["v"].is_not_null()
        if not done and not left.any():
            return _Written(*(read.get_column(name, default=None) for name in _Written._fields))
        done.append(read.filter(pl.col("wall").is_not_null()))
        rest = rest.filter(left)
        if rest.is_empty():
            break
    plainer = rest["v"].to_frame("v").select(_plainly(pl.col("v"))).to_series()
    if (plainer != rest["v"]).any():
        again = _parse(plainer, policy)
        read = pl.DataFrame({"row": rest["row"], **{n: v for n, v in again._asdict().items() if v is not None}})
        done.append(read.filter(pl.col("wall").is_not_null()))
    rows = pl.DataFrame({"row": pl.int_range(len(values), dtype=pl.UInt32, eager=True)})
    joined = rows.join(pl.concat(done, how="diagonal"), on="row", how="left", maintain_order="left")
    date_only = joined.get_column("date_only", default=None)
    return _Written(
        joined["wall"],
        joined.get_column("utc", default=None),
        None if date_only is None else date_only.fill_null(False),
    )


def _plainly(text: pl.Expr) -> pl.Expr:
    """Blanks of other kinds, `a.m.`, `a`, a comma after the date, the day of the week and GMT, as our forms write them."""
    text = text.str.replace_all(r"[\u{00A0}\u{2007}\u{2009}\u{202F}]", " ")
    text = text.str.replace(r"(?i)(\d ?)([ap])\.? ?(?:m\.?)?$", "${1}${2}M")
    text = text.str.replace(r"^([\d/-]{8,10}), *", "${1} ").str.replace(r"^[A-Za-z]{3}, *", "")
    return text.str.replace(r" (?:GMT|UTC?)$", " +0000")


def _stages(values: pl.Series, policy: Policy) -> list[tuple[str | None, str, bool]]:
    """Pattern, form and whether it has an offset: the policy's own, then ours, of which only one can fit a value."""
    own = policy.instant_formats
    ours = [(pattern, form, False) for pattern, form in _ISO + _ISO_NOON + _DIGITS]
    ours += [(pattern, form, True) for pattern, form in _ISO_OFFSET + _MAIL_OFFSET]
    if not any(_DAY_FIRST.search(form) for form in own):  # a day-first export must never fall through to month-first
        ours += [(pattern, form, False) for pattern, form in _US_FORMS]
    first = "".join(values.slice(values.is_not_null().arg_max() or 0, 1).drop_nulls())
    ours.sort(key=lambda stage: not re.search(stage[0], first.replace("T", " ", 1)))
    pattern, form, offset = ours[0]
    if re.match(_ISO_TIME.replace(" ", "T"), first) and (not offset or first.endswith("Z")):  # as most exports write
        pattern, form = pattern.replace(" ", "T", 1), form.replace(" ", "T") + "Z" * offset
        ours.insert(0, (pattern.replace(_OFFSET, "Z$"), form, offset))
    return [*((None, form, bool(_HAS_OFFSET.search(form))) for form in own), *ours]


def _number(form: str) -> list[pl.Expr]:
    """What a form that is a number reads. Nothing was at 1970's first instant: 0 stands for no time."""
    number = pl.when(pl.col("v").str.contains(r"^\d{1,15}(\.\d+)?$")).then("v").cast(pl.Float64, strict=False)
    at = (pl.when(number > 0).then(number) * _NUMBERS[form]).round(0).cast(pl.Int64)
    if form == "excel":
        whole = (at % DAY == 0).fill_null(False)
        return [(at + _EXCEL).cast(pl.Datetime("us")).alias("wall"), whole.alias("date_only")]
    return [at.cast(pl.Datetime("us")).alias("wall"), at.cast(pl.Datetime("us", "UTC")).alias("utc")]


def _stage(pattern: str | None, form: str, offset: bool, zone_names: Mapping[str, str]) -> list[pl.Expr]:
    """What the form reads: `wall`, and where it has them `utc` and `date_only`."""
    if form in _NUMBERS:
        return _number(form)
    text = pl.col("v")
    if "%Z" in form:
        for name, zone_offset in zone_names.items():
            text = text.str.replace(rf"\b{re.escape(name)}\b", zone_offset)
        form, offset = form.replace("%Z", "%z"), True
    if pattern is not None:
        if "T" not in form:
            text = text.str.replace("T", " ", literal=True)
        text = pl.when(text.str.contains(pattern)).then(text)
    zoned, wall = text, text
    zoned_form = form
    in_utc = pattern is not None and form.endswith("Z")
    if offset and pattern is not None and not in_utc:
        zoned = text.str.replace(r" ?([Zz]|[+-]\d\d(?::?\d\d)?)$", "$1").str.replace("z", "Z", literal=True)
        wall = text.str.replace(_OFFSET, "")
        zoned_form = form + "%#z"
    if "%p" in form:
        wall = wall.str.replace(r" ([AaPp][Mm])$", "$1")
    if "%.f" in form:
        zoned, wall = zoned.str.replace(",", ".", literal=True), wall.str.replace(",", ".", literal=True)
    parsed = []
    local = _strptime(wall, form)
    if in_utc:
        parsed.append(local.dt.replace_time_zone("UTC").alias("utc"))
    elif offset:
        utc = zoned.str.to_datetime(zoned_form, time_unit="us", time_zone="UTC", strict=False)
        local = pl.when(utc.is_not_null()).then(utc.dt.replace_time_zone(None) if pattern is None else local)
        parsed.append(utc.alias("utc"))
    if not _HAS_TIME.search(form):
        parsed.append(local.is_not_null().alias("date_only"))
    return [local.alias("wall"), *parsed]


def _strptime(text: pl.Expr, form: str) -> pl.Expr:
    return text.str.to_datetime(form, time_unit="us", strict=False)


def _localise(values: pl.Series, written: _Written, policy: Policy, zone: str, found: MidnightCounts) -> Instants:
    """Wall times without an offset → UTC; a date stands for the day's first instant."""
    wall, utc, date_only = written
    no_dates = pl.repeat(False, len(values), dtype=pl.Boolean, eager=True)
    if date_only is not None:
        wall = wall.dt.truncate("1d").zip_with(date_only, wall)
    instants, plain = _in_zone(wall, zone), utc is None and zone == policy.timezone
    if zone != policy.timezone and date_only is not None:  # a date is one of the audit's own zone
        instants = _in_zone(wall, policy.timezone).zip_with(date_only, instants)
    has_local = wall.null_count() < len(wall)
    if utc is not None:
        local = _either(date_only, utc.is_null())
        has_local = bool((local & wall.is_not_null()).any())
        instants = instants.zip_with(local, utc)
    problem = pl.repeat(0, len(values), dtype=pl.UInt8, eager=True)
    if wall.null_count() > values.null_count():
        problem = (wall.is_null() & values.is_not_null()).cast(pl.UInt8) * UNREADABLE
    if instants.null_count() > wall.null_count():
        odd = (instants.is_null() & wall.is_not_null()).arg_true()
        frame = pl.DataFrame({"wall": wall, "date_only": no_dates if date_only is None else date_only})[odd]
        settled = _at_clock_change(frame, policy, zone)
        instants, problem, plain = (
            instants.scatter(odd, settled["utc"]),
            problem.scatter(odd, settled["problem"]),
            False,
        )
    local_times = wall if plain else instants.dt.convert_time_zone(policy.timezone)
    return Instants(instants, no_dates if date_only is None else date_only, problem, has_local, local_times, found)


def _in_zone(wall: pl.Series, zone: str) -> pl.Series:
    """Local times → UTC, null where the clock change skips or repeats them. Whole hours are looked up once."""
    if zone == "UTC":
        return wall.dt.replace_time_zone("UTC")
    hours = (wall.to_physical() // HOUR).alias("hour")
    low, high = hours.to_frame().select(pl.min("hour"), high=pl.max("hour")).row(0)
    if low is not None and high - low < len(wall):
        first, last = low // _HOURS, high // _HOURS
        if (offsets := _offsets(zone, first, last)) is not None:
            return (wall.to_physical() - offsets.gather(hours - first * _HOURS)).cast(pl.Datetime("us", "UTC"))
    return _slowly_in_zone(wall, zone)


@cache
def _offsets(zone: str, first: int, last: int) -> pl.Series | None:
    """The zone's offset in each hour of these years, about; None where it changes within an hour."""
    begin = pl.int_range(first * _HOURS * HOUR, (last + 1) * _HOURS * HOUR, HOUR, eager=True)
    offset = _offset(begin, zone)
    return offset if offset.eq_missing(_offset(begin + (HOUR - 1), zone)).all() else None


def _slowly_in_zone(wall: pl.Series, zone: str) -> pl.Series:
    local = wall.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
    return local.dt.convert_time_zone("UTC")


def _offset(wall: pl.Series, zone: str) -> pl.Series:
    """The zone's offset at these local times, all in microseconds."""
    return wall - _slowly_in_zone(wall.cast(pl.Datetime("us")), zone).to_physical()


def _at_clock_change(frame: pl.DataFrame, policy: Policy, zone: str) -> pl.DataFrame:
    """Times that a clock change skips or repeats: by the policy, and the first instant for dates.

    A skipped time counts on in the offset before the change (`first`) or back in the one after it (`second`).
    """
    wall = pl.col("wall")

    def at(when: pl.Expr, ambiguous: str, there: str = zone) -> pl.Expr:
        return when.dt.replace_time_zone(there, ambiguous=ambiguous, non_existent="null").dt.convert_time_zone("UTC")  # type: ignore[arg-type]

    def first_in(there: str) -> pl.Expr:
        return pl.coalesce(at(wall, "earliest", there), at(wall - apart, "earliest", there) + apart)

    apart = pl.duration(hours=6)
    first = first_in(zone)
    second = pl.coalesce(at(wall, "latest"), at(wall + apart, "latest") - apart)
    chosen = {"first": first, "second": second, "reject": pl.lit(None, pl.Datetime("us", "UTC"))}[policy.dst]
    skipped = at(wall, "earliest").is_null()
    frame = frame.select(utc=pl.when("date_only").then(first_in(policy.timezone)).otherwise(chosen), skipped=skipped)
    problem = pl.when(pl.col("utc").is_not_null()).then(0).when("skipped").then(SKIPPED).otherwise(REPEATED)
    return frame.select("utc", problem=problem.cast(pl.UInt8))
