"""Written dates and times → instants in UTC, with what was wrong with those that have none.

Forms: the policy's own first, then ISO 8601, then US month/day/year. Source: SPEC.md section 2.
"""

import re
from dataclasses import dataclass

import polars as pl

from auditor.policy import Policy

MIDNIGHT_COLUMN = 20
"""A whole column of at least this many values, all midnight as written, holds dates."""

UNREADABLE, SKIPPED, REPEATED = 1, 2, 3

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
_HAS_TIME = re.compile(r"%[-_0]?[HIklTRXcsr+]")
_HAS_OFFSET = re.compile(r"%:{0,3}#?z|%\+|%s")
_DAY_FIRST = re.compile(r"%[-_0]?[de]/%[-_0]?m")


@dataclass(frozen=True)
class Instants:
    """Series of one length: `utc` (null where blank or wrong), `date_only`, `problem` (0, UNREADABLE, ...).

    `has_local`: some value carries no offset.
    """

    utc: pl.Series
    date_only: pl.Series
    problem: pl.Series
    has_local: bool


def read(values: pl.Series, policy: Policy, last_year: int = 9998, *, days: bool = False) -> Instants:
    """Read a column of text, dates or datetimes; blank text is null. Never raises on a value.

    `days`: the column holds dates, so that a value without an offset is the day as written, whatever its time.

    Years before 2 or after `last_year` cannot be moved between time zones and are unreadable.
    """
    if isinstance(values.dtype, pl.Date):
        wall = values.cast(pl.Datetime("us"), strict=False)
        frame = pl.DataFrame({"wall": wall, "date_only": values.is_not_null()})
        frame = frame.with_columns(utc=pl.lit(None, pl.Datetime("us", "UTC")), blank=values.is_null())
    elif isinstance(values.dtype, pl.Datetime):
        frame = _typed(values)
    else:
        frame = _parse(values, policy)
    possible = pl.col("wall").dt.year().is_between(2, last_year).fill_null(False)
    frame = frame.with_columns(pl.when(possible).then(pl.col("wall", "utc")), date_only=pl.col("date_only") & possible)
    readable = pl.col("wall").is_not_null()
    if days:
        frame = frame.with_columns(date_only=pl.col("date_only") | (readable & pl.col("utc").is_null()))
    midnight = pl.col("date_only") | (pl.col("wall").dt.time() == pl.time(0))
    dates, count = frame.select((midnight | ~readable).all(), readable.sum()).row(0)
    if dates and count >= MIDNIGHT_COLUMN:
        frame = frame.with_columns(date_only=readable)
    return _localise(frame, policy)


def _typed(values: pl.Series) -> pl.DataFrame:
    zone = getattr(values.dtype, "time_zone", None)
    instant = pl.col("v").dt.convert_time_zone("UTC") if zone else pl.lit(None, pl.Datetime("us", "UTC"))
    wall = pl.col("v").dt.replace_time_zone(None) if zone else pl.col("v")
    return pl.DataFrame({"v": values}).select(
        wall=wall, utc=instant, date_only=pl.lit(False), blank=pl.col("v").is_null()
    )


def _parse(values: pl.Series, policy: Policy) -> pl.DataFrame:
    """Each form is tried on what the forms before it could not read."""
    own = policy.instant_formats
    stages: list[tuple[str | None, str, bool]] = [(None, form, bool(_HAS_OFFSET.search(form))) for form in own]
    stages += [(pattern, form, False) for pattern, form in _ISO] + [
        (pattern, form, True) for pattern, form in _ISO_OFFSET
    ]
    stages += [(pattern, form, False) for pattern, form in _ISO_NOON]
    if not any(_DAY_FIRST.search(form) for form in own):  # a day-first export must never fall through to month-first
        stages += [(pattern, form, False) for pattern, form in _US_FORMS]
    rest = pl.DataFrame({"v": values}).with_row_index("row").filter(pl.col("v").is_not_null())
    done = []
    for pattern, form, offset in stages:
        if rest.is_empty():
            break
        read = rest.with_columns(_stage(pattern, form, offset)).unnest("read")
        done.append(read.filter(pl.col("wall").is_not_null()).drop("v"))
        rest = rest.filter(read["wall"].is_null())
    parsed = pl.concat(done) if done else rest.with_columns(_stage(None, "%Y", False)).unnest("read").drop("v")
    blank = pl.DataFrame({"blank": values.is_null()}).with_row_index("row")
    return blank.join(parsed, on="row", how="left", maintain_order="left").with_columns(
        pl.col("date_only").fill_null(False)
    )


def _stage(pattern: str | None, form: str, offset: bool) -> pl.Expr:
    text = pl.col("v")
    if pattern is not None:
        text = text.str.replace("T", " ", literal=True)
        text = pl.when(text.str.contains(pattern)).then(text)
    zoned, wall = text, text
    zoned_form = form
    if offset and pattern is not None:
        zoned = text.str.replace(r" ?([Zz]|[+-]\d\d(?::?\d\d)?)$", "$1").str.replace("z", "Z", literal=True)
        wall = text.str.replace(_OFFSET, "")
        zoned_form = form + "%#z"
    if "%p" in form:
        wall = wall.str.replace(r" ([AaPp][Mm])$", "$1")
    if "%.f" in form:
        zoned, wall = zoned.str.replace(",", ".", literal=True), wall.str.replace(",", ".", literal=True)
    utc = pl.lit(None, pl.Datetime("us", "UTC"))
    if offset:
        utc = zoned.str.to_datetime(zoned_form, time_unit="us", time_zone="UTC", strict=False)
    local = utc.dt.replace_time_zone(None) if offset and pattern is None else _strptime(wall, form)
    if offset:
        local = pl.when(utc.is_not_null()).then(local)
    date_only = pl.lit(not _HAS_TIME.search(form))
    return pl.struct(wall=local, utc=utc, date_only=date_only & local.is_not_null()).alias("read")


def _strptime(text: pl.Expr, form: str) -> pl.Expr:
    return text.str.to_datetime(form, time_unit="us", strict=False)


def _localise(frame: pl.DataFrame, policy: Policy) -> Instants:
    """Wall times without an offset → UTC; a date stands for the day's first instant."""
    zone = policy.timezone
    day = pl.col("wall").dt.truncate("1d")
    wall = pl.when("date_only").then(day).otherwise("wall")
    local = pl.col("utc").is_null() | pl.col("date_only")
    plain = wall.dt.replace_time_zone(zone, ambiguous="null", non_existent="null").dt.convert_time_zone("UTC")
    frame = frame.select(
        "blank",
        "date_only",
        wall=wall,
        local=local,
        utc=pl.when(local).then(plain).otherwise("utc"),
    )
    odd = frame.select(odd=pl.col("utc").is_null() & pl.col("wall").is_not_null())["odd"]
    problem = pl.when("blank").then(0).when(pl.col("wall").is_null()).then(UNREADABLE).otherwise(0).cast(pl.UInt8)
    if odd.any():
        frame = _settle(frame, policy, odd)
        open_ = pl.col("utc").is_null() & pl.col("wall").is_not_null()
        problem = pl.when(open_ & pl.col("skipped")).then(SKIPPED).when(open_).then(REPEATED).otherwise(problem)
    frame = frame.with_columns(problem=problem.cast(pl.UInt8))
    has_local = bool(frame.select((pl.col("local") & pl.col("wall").is_not_null()).any()).item())
    return Instants(frame["utc"], frame["date_only"], frame["problem"], has_local)


def _settle(frame: pl.DataFrame, policy: Policy, odd: pl.Series) -> pl.DataFrame:
    """Times that a clock change skips or repeats: by the policy, and the first instant for dates.

    A skipped time counts on in the offset before the change (`first`) or back in the one after it (`second`).
    """
    zone = policy.timezone
    wall = pl.col("wall")

    def at(when: pl.Expr, ambiguous: str) -> pl.Expr:
        return when.dt.replace_time_zone(zone, ambiguous=ambiguous, non_existent="null").dt.convert_time_zone("UTC")  # type: ignore[arg-type]

    apart = pl.duration(hours=6)
    first = pl.coalesce(at(wall, "earliest"), at(wall - apart, "earliest") + apart)
    second = pl.coalesce(at(wall, "latest"), at(wall + apart, "latest") - apart)
    chosen = {"first": first, "second": second, "reject": pl.lit(None, pl.Datetime("us", "UTC"))}[policy.dst]
    frame = frame.with_columns(odd=odd, skipped=at(wall, "earliest").is_null())
    settled = pl.when("date_only").then(first).otherwise(chosen)
    return frame.with_columns(utc=pl.when("odd").then(settled).otherwise("utc"))
