"""The zone that each row states for its own times without an offset. Source: docs/specification.md#instants."""

from collections.abc import Sequence

import polars as pl

from auditor import zones
from auditor.parsing import instants
from auditor.parsing.instants import ColumnDates, DateCounts, Instants
from auditor.parsing.table_parser import TableParser
from auditor.schema.tables import Column

LOOKS_LIKE = r"^(UTC|GMT|[A-Z][A-Za-z]+(/[A-Za-z0-9_+-]+)+)$"
_UNKNOWN = "{} is neither an IANA time zone nor a name of whole hours in [zone_names]"


def read(parser: TableParser, column: Column, values: pl.Series) -> None:
    """Names as IANA names. One that is neither known nor in `[zone_names]` rejects its row."""
    known = {name.lower(): name for name in zones.names()}
    fixed = {name.lower(): _fixed(offset) for name, offset in parser.policy.zone_names.items()}
    names = values.str.to_lowercase().replace_strict(known | fixed, default=None, return_dtype=pl.String)
    parser.reject(column.name, _UNKNOWN.format(column.name), values.is_not_null() & names.is_null())
    parser.add(column.name, names)
    if names.null_count() < len(names):
        parser.row_zones = parser.columns[column.name].decode()


def _fixed(offset: str) -> str | None:
    """The IANA name of an offset of whole hours, if there is one; the signs of these names are turned around."""
    name = f"Etc/GMT{'-' if offset[0] == '+' else '+'}{int(offset[1:3])}"
    return name if offset.endswith("00") and name in zones.names() else None


def read_instants(
    parser: TableParser, values: pl.Series, names: pl.Series, zone: str, kind: ColumnDates | None
) -> Instants:
    """As `instants.read`, each value in its row's own zone, else in `zone`. `values` and `names`: one for each row."""
    rows = pl.DataFrame({"name": names}).with_row_index("row").group_by("name").agg("row").sort("name")
    parts = list(rows.iter_rows())

    def read_all(kind: ColumnDates | None) -> list[Instants]:
        return [instants.read(values.gather(some), parser.policy, kind=kind, zone=name or zone) for name, some in parts]

    found = read_all(kind)
    counts = DateCounts(*map(sum, zip(*(part.counts for part in found), strict=True)))
    if kind is None:
        found = read_all(counts.kind)
    joined = pl.concat(map(_frame, (some for _, some in parts), found)).sort("row")
    utc, date_only, problem, local = (joined[name] for name in ("utc", "date_only", "problem", "local"))
    has_local = any(part.has_local for (name, _), part in zip(parts, found, strict=True) if name is None)
    placeholder = joined["placeholder"] if joined["placeholder"].any() else None
    return Instants(utc, date_only, problem, has_local, local, counts, placeholder)


def _frame(rows: Sequence[int], part: Instants) -> pl.DataFrame:
    nothing = pl.repeat(False, len(rows), dtype=pl.Boolean, eager=True)
    placeholder = nothing if part.placeholder is None else part.placeholder
    return pl.DataFrame({"row": rows, "utc": part.utc, "date_only": part.date_only, "problem": part.problem,
                         "local": part.local.dt.replace_time_zone(None), "placeholder": placeholder})  # fmt: skip


def days(parser: TableParser, start: pl.Series) -> pl.Series:
    """The date of each call's start (UTC) in its row's own zone, else in that of the column."""
    zone = parser.policy.zone_of(parser.table, "call_start")
    if parser.row_zones is None:
        return start.dt.convert_time_zone(zone).dt.date()
    frame = pl.DataFrame({"start": start, "zone": parser.row_zones.fill_null(zone)})
    dates = (
        pl.when(pl.col("zone") == name).then(pl.col("start").dt.convert_time_zone(name).dt.date())
        for name in frame["zone"].unique()
    )
    return frame.select(pl.coalesce(*dates)).to_series()
