"""Lines with a range of service dates as if they were another of its days.

Source: docs/specification.md#ranges-of-service-dates.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from auditor.windows import lines
from auditor.windows.records import PatientRecords

MOST_DAYS = 366
"""Days of a range that are looked at one by one."""
_SERIES = ("patient_id", "provider_id", "cpt_code")
_ORDER = ("service_date", "start", "claim_id", "claim_line", "cpt_code")


@dataclass(frozen=True)
class Moved:
    """Some lines on another day, each for itself, in the columns of claims.

    `counted`: by `line` and `e_line`, which lines of its series FRQ001 counts then; None where it counts every one.
    """

    lines: pl.DataFrame
    counted: pl.DataFrame | None


def of_ranges(all_lines: pl.DataFrame, records: PatientRecords) -> Iterator[Moved]:
    """The lines that have one on each of their other days. `all_lines`: in line order, with the columns of claims."""
    ranges = all_lines.filter(pl.col("service_date_last").is_not_null())
    if ranges.is_empty():
        return
    raw = records.billing.lines.join(ranges.select("line"), on="line", how="semi", maintain_order="left")
    near = all_lines.join(ranges.select("patient_id").unique(), on="patient_id", how="semi", maintain_order="left")
    for days in range(1, MOST_DAYS):
        raw = raw.filter(pl.col("service_date").dt.offset_by(f"{days}d") <= pl.col("service_date_last"))
        if raw.is_empty():
            return
        day = pl.col("service_date").dt.offset_by(f"{days}d")
        own_days = {name: pl.when("has_call").then(name).otherwise(day) for name in ("start_date", "end_date")}
        moved = lines.with_coverage(records, raw.with_columns(service_date=day, **own_days))
        yield _sequenced(_placed(moved, near), near, records)


def _placed(moved: pl.DataFrame, near: pl.DataFrame) -> pl.DataFrame:
    """The lines with their `place` among the others: half a line before the next."""
    order = [*_ORDER, "is_moved"]
    both = pl.concat([some.select("line", *_ORDER, is_moved=pl.lit(is_moved)) for some, is_moved in
                      ((near, False), (moved, True))]).sort(order, nulls_last=True)  # fmt: skip
    before = pl.when(~pl.col("is_moved")).then(pl.col("line").cast(pl.Float64) + 0.5).forward_fill().fill_null(-0.5)
    places = both.with_columns(place=before).filter("is_moved").select("line", "place")
    return moved.drop("place").join(places, on="line", how="left", maintain_order="left")


def _sequenced(moved: pl.DataFrame, near: pl.DataFrame, records: PatientRecords) -> Moved:
    """The lines as FRQ001 sees them, each in a copy of its series."""
    if records.context.policy.frequency.anchor == "reported":
        return Moved(
            lines.as_counted(moved.with_columns(counted=True, depends_on_unknown=False), records.context.policy), None
        )
    facts = (*lines.SEQUENCED, "place")
    own = moved.filter(pl.col("cpt_code").is_in(records.context.codes))
    others = near.select(*_SERIES, *facts).join(own.select(*_SERIES, series="line"), on=_SERIES)
    others = others.filter(pl.col("line") != pl.col("series")).select("series", *facts)
    series = pl.concat([others, own.select(pl.col("line").alias("series"), *facts)]).sort("series", "place")
    marks = lines.sequenced(series.drop("place"), records)
    its_own = marks.filter(pl.col("line") == pl.col("series")).drop("series")
    moved = moved.join(its_own, on="line", how="left", maintain_order="left")
    moved = moved.with_columns(pl.col("counted", "depends_on_unknown").fill_null(False))
    return Moved(moved, marks.select("counted", line="series", e_line="line"))
