"""When a call ended, if the export states only a time of day. Source: docs/specification.md#instants."""

from datetime import timedelta

import polars as pl

from auditor.parsing import instants
from auditor.parsing.table_parser import TableParser
from auditor.schema.tables import Column

TIME_OF_DAY = r"^\d{1,2}:[0-5]\d(:[0-5]\d(\.\d+)?)?( ?[AaPp][Mm])?$"
_LONGEST_CALL_PAST_MIDNIGHT = timedelta(hours=12)


def read(parser: TableParser, column: Column, values: pl.Series) -> None:
    """Fill blanks of `call_end`, in UTC, with the first such time of day from the start on.

    A full date and time is read as an instant. An end without seconds in the minute of the start is the start. A time that
    cannot be read rejects its row; so does one before the start that is more than 12 hours after it on the next day.
    """
    stated = _stated_end(parser, len(values))
    if values.null_count() == len(values):
        parser.add("call_end", stated)
        return
    values = values.set(stated.is_not_null(), None)
    zone, start = parser.policy.zone_of(parser.table, "call_start"), parser.columns["call_start"].decode()
    day, clock = start.dt.convert_time_zone(zone).dt.date(), values.str.contains(TIME_OF_DAY).fill_null(False)

    def ending(days: int) -> instants.Instants:
        dated = (day + timedelta(days=days)).dt.to_string("%Y-%m-%d ") + values
        text = values.to_frame("v").select(pl.when(clock).then(dated).otherwise("v")).to_series()
        return instants.read(text, parser.policy, date_only=False, zone=zone)

    same = ending(0)
    next_day = clock & (same.utc < start.dt.truncate("1m")).fill_null(False)
    end = same.utc.zip_with(~next_day, ending(1).utc) if next_day.any() else same.utc
    end = end.zip_with(~(clock & (end < start)).fill_null(False), start)
    too_late = next_day & (end - start > _LONGEST_CALL_PAST_MIDNIGHT)
    parser.reject(
        column.name, f"{column.name} is before the start, and on the next day it is over 12 h after the start", too_late
    )
    parser.reject(column.name, f"{column.name} is not a valid time of day", same.problem > 0)
    parser.add("call_end", stated.zip_with(stated.is_not_null(), end))
    parser.filled.add("call_end")


def _stated_end(parser: TableParser, rows: int) -> pl.Series:
    """The column `call_end` as it is; nulls if the export has none."""
    if "call_end" in parser.columns:
        return parser.columns["call_end"].decode()
    return pl.Series([None], dtype=parser.columns["call_start"].values.dtype).new_from_index(0, rows)
