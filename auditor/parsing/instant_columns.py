"""How a column of instants is typed, and why a date or time rejects its row. Source: docs/specification.md#instants."""

import polars as pl

from auditor.parsing import instants
from auditor.parsing.instants import UNREADABLE, Instants
from auditor.parsing.table_parser import TableParser
from auditor.parsing.time_zones import REPEATED, SKIPPED
from auditor.schema.tables import Column, Kind

_LONGEST_SHAPE = 40
"""Characters."""
_WITH_LOCAL_DATE = ("call_start", "visit_start", "booked_at")


def read(parser: TableParser, column: Column, values: pl.Series) -> None:
    """Add the column in UTC, `<name>_date_only` as Boolean, and of some columns `<name>_date`, the local date.

    Midnights of `call_start` are times, and one without a time rejects its row. A `call_end` without a time is blank: it
    does not say when the call ended.
    """
    zone = parser.policy.zone_of(parser.table, column.name)
    is_date_only = False if column.name == "call_start" else parser.is_date_only(column)
    found = instants.read(values, parser.policy, date_only=is_date_only, zone=zone, count=parser.count)
    reject_times(parser, column, values, found)
    parser.midnights[column.name] = found.midnights
    utc, date_only = found.utc, found.date_only
    if column.name == "call_start":
        parser.reject(column.name, f"{column.name} has a date but no time", date_only)
    if column.name == "call_end" and date_only.any():
        utc, date_only = utc.set(date_only, None), date_only & False
    parser.add(column.name, utc)
    parser.add(f"{column.name}_date_only", date_only)
    if column.name in _WITH_LOCAL_DATE:
        parser.add(f"{column.name}_date", found.local.dt.date())


def reject_times(parser: TableParser, column: Column, values: pl.Series, found: Instants) -> None:
    """Reject the rows whose date or time is unreadable, skipped or repeated; `found` is what `values` state."""
    name = column.name
    zone = parser.policy.zone_of(parser.table, name)
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
        reason = (
            pl.when(pl.col("shape").is_null())
            .then(
                pl.lit(
                    f"{what}: it has no digit (add its format to instant_formats, or its text to nulls if it means blank)"
                )
            )
            .when(pl.col("shape") == "")
            .then(pl.lit(f"{what}: longer than {_LONGEST_SHAPE} characters (add its format to instant_formats)"))
            .otherwise(pl.format(f"{what}: {{}} (add its format to instant_formats)", pl.col("shape")))
        )
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
