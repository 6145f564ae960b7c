"""How columns of instants, dates and times of day are typed, and why one rejects its row.

Source: docs/specification.md#instants.
"""

from datetime import timedelta

import polars as pl

from auditor.parsing import digit_dates, instants, row_zones
from auditor.parsing.instants import UNREADABLE, ColumnDates, Instants
from auditor.parsing.table_parser import TableParser
from auditor.parsing.time_zones import REPEATED, SKIPPED
from auditor.schema.tables import Column, Kind

PLACEHOLDER_DATES = "placeholder dates such as 1900-01-01 or 9999-12-31 count as blank (rows: {count})"
_LONGEST_SHAPE = 40
"""Characters."""
_WITH_LOCAL_DATE = ("call_start", "visit_start", "booked_at")


def read(parser: TableParser, column: Column, values: pl.Series) -> None:
    """Add the column in UTC, `<name>_date_only` as Boolean, and of some columns `<name>_date`, the local date.

    Midnights of `call_start` are times, and one without a time rejects its row. A `call_end` without a time is blank: it
    does not say when the call ended.
    """
    kind = parser.dates_of(column)
    if column.name == "call_start":
        kind = ColumnDates(mixed=kind is not None and kind.mixed)
    if parser.row_zones is not None:
        values, parser.codes = parser.encoded(values).decode(), None
    found = _found(parser, column.name, values, kind)
    _reject_times(parser, column, values, found)
    parser.date_counts[column.name] = found.counts
    utc, date_only = found.utc, found.date_only
    if column.name == "call_start":
        parser.reject(column.name, f"{column.name} has a date but no time", date_only)
    if column.name == "call_end" and date_only.any():
        utc, date_only = utc.set(date_only, None), date_only & False
    parser.add(column.name, utc)
    parser.add(f"{column.name}_date_only", date_only)
    if column.name in _WITH_LOCAL_DATE:
        parser.add(f"{column.name}_date", found.local.dt.date())


def _found(parser: TableParser, name: str, values: pl.Series, kind: ColumnDates | None) -> Instants:
    """What the values state, in the zones of their rows, else in that of the column."""
    zone = parser.policy.zone_of(parser.table, name)
    if parser.row_zones is None:
        return instants.read(values, parser.policy, kind=kind, zone=zone, count=parser.count)
    return row_zones.read_instants(parser, values, parser.row_zones, zone, kind)


def _reject_times(parser: TableParser, column: Column, values: pl.Series, found: Instants) -> None:
    """Reject the rows whose date or time is unreadable, skipped or repeated; `found` is what `values` state.

    A placeholder date is blank, and rejects the row where the column is required.
    """
    name = column.name
    if found.placeholder is not None:
        parser.warn(column, found.placeholder, PLACEHOLDER_DATES)
        if column.required:
            reason = f"{name} is a placeholder date (placeholder_dates in the policy has the bounds of real ones)"
            parser.reject(name, reason, found.placeholder)
        if not parser.has_row(values.is_not_null() & ~found.placeholder):
            parser.filled.discard(name)
    zone = parser.policy.zone_of(parser.table, name) if parser.row_zones is None else "the row's time zone"
    parser.has_local_times |= found.has_local and not parser.policy.has_zone(parser.table, name)
    if not found.problem.max():
        return
    if (unreadable := found.problem == UNREADABLE).any():
        parser.reject_each(name, _why_unreadable(column, values, unreadable))
    for problem, verb in ((SKIPPED, "skips"), (REPEATED, "repeats")):
        reason = f"{name} is a local time that the DST change in {zone} {verb} (set dst in the policy to accept it)"
        parser.reject(name, reason, found.problem == problem)


def _why_unreadable(column: Column, values: pl.Series, mask: pl.Series) -> pl.Series:
    """Why each value that the mask picks is rejected; null for the others."""
    what = f"{column.name} is not a valid {'date' if column.kind is Kind.DATE else 'date or time'}"
    if values.dtype.is_temporal():
        reason = pl.lit(f"{what}: out of range")
    else:
        no_digit = "it has no digit (add its format to instant_formats, or its text to nulls if it means blank)"
        too_long = f"longer than {_LONGEST_SHAPE} characters (add its format to instant_formats)"
        reason = (
            pl.when(pl.col("shape").is_null()).then(pl.lit(f"{what}: {no_digit}"))
            .when(pl.col("shape") == "").then(pl.lit(f"{what}: {too_long}"))
            .otherwise(pl.format(f"{what}: {{}} (add its format to instant_formats)", "shape"))
        )  # fmt: skip
        nothing = pl.Series([None], dtype=pl.String).new_from_index(0, len(values))
        values = _shapes(values.zip_with(mask, nothing))
    return pl.DataFrame({"shape": values, "mask": mask}).select(pl.when("mask").then(reason)).to_series()


def _shapes(values: pl.Series) -> pl.Series:
    """How texts are written, without what they say: 9 for a digit, a for a letter, ? for a character beyond ASCII.

    Null for texts without a digit, and empty for long ones: so many values have few shapes.
    """
    text = pl.col("v").str.replace_all(r"\p{N}", "9").str.replace_all(r"[\p{L}\p{M}]", "a").str.replace_all(r"\s", " ")
    is_long = text.str.len_chars() > _LONGEST_SHAPE
    shape = pl.when(is_long).then(pl.lit("")).otherwise(text.str.replace_all(r"[^ -~]", "?"))
    return values.to_frame("v").select(pl.when(text.str.contains("9", literal=True)).then(shape)).to_series()


def read_date(parser: TableParser, column: Column, values: pl.Series) -> None:
    """Dates as Date. Midnights and times without an offset are dates as written; other times are moved to `timezone`.

    A `service_date` may be a range, which is its first day; of a longer one than a day `service_date_last` is the last.
    """
    ranges = digit_dates.ranges(values) if column.name == "service_date" else None
    if ranges is not None:
        values = values.set(ranges["first"].is_not_null(), None)
    zone = parser.policy.zone_of(parser.table, column.name)
    found = instants.read(values, parser.policy, days=True, kind=parser.dates_of(column), zone=zone, count=parser.count)
    _reject_times(parser, column, values, found)
    parser.date_counts[column.name] = found.counts
    dates = found.local.dt.date()
    if ranges is not None:
        dates = dates.zip_with(ranges["first"].is_null(), ranges["first"])
        parser.warn(column, ranges["last"].is_not_null(), "ranges of days count as their first day (rows: {count})")
    parser.add(column.name, dates)
    if column.name == "service_date":
        nothing = pl.Series([None], dtype=pl.Date).new_from_index(0, len(values))
        parser.add("service_date_last", nothing if ranges is None else ranges["last"])


TIME_OF_DAY = r"^\d{1,2}:[0-5]\d(:[0-5]\d(\.\d+)?)?( ?[AaPp][Mm])?$"
_LONGEST_CALL_PAST_MIDNIGHT = timedelta(hours=12)


def read_clock(parser: TableParser, column: Column, values: pl.Series) -> None:
    """Fill blanks of `call_end`, in UTC, with the first such time of day from the start on.

    A full date and time is read as an instant. An end without seconds in the minute of the start is the start. A time that
    cannot be read rejects its row; so does one before the start that is more than 12 hours after it on the next day.
    """
    start = parser.columns["call_start"].decode()
    nothing = pl.Series([None], dtype=start.dtype).new_from_index(0, len(values))
    stated = parser.columns["call_end"].decode() if "call_end" in parser.columns else nothing
    if values.null_count() == len(values):
        parser.add("call_end", stated)
        return
    values = values.set(stated.is_not_null(), None)
    day, clock = row_zones.days(parser, start), values.str.contains(TIME_OF_DAY).fill_null(False)

    def ending(days: int) -> instants.Instants:
        dated = (day + timedelta(days=days)).dt.to_string("%Y-%m-%d ") + values
        text = values.to_frame("v").select(pl.when(clock).then(dated).otherwise("v")).to_series()
        return _found(parser, "call_start", text, ColumnDates())

    same = ending(0)
    next_day = clock & (same.utc < start.dt.truncate("1m")).fill_null(False)
    end = same.utc.zip_with(~next_day, ending(1).utc) if next_day.any() else same.utc
    end = end.zip_with(~(clock & (end < start)).fill_null(False), start)
    too_late = next_day & (end - start > _LONGEST_CALL_PAST_MIDNIGHT)
    reason = f"{column.name} is before the start, and on the next day it is over 12 h after the start"
    parser.reject(column.name, reason, too_late)
    parser.reject(column.name, f"{column.name} is not a valid time of day", same.problem > 0)
    parser.add("call_end", stated.zip_with(stated.is_not_null(), end))
    parser.filled.add("call_end")
