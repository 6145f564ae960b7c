"""Stated lengths of calls have the expected unit.

What it checks: stated lengths against the end of the same call, against each other, and by their size: whether 9 of 10
differ by a factor of 60 or 1,440. It also counts stated times that are short by whole hours.

Why it matters: 1,260 seconds that are read as minutes make every call long enough, and hours make every call too short.

What to do: name the unit in the policy (`[units]`), or export times of over an hour as text.

Source: docs/specification.md#units-of-length.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from auditor.parsing.microseconds import MINUTE
from auditor.quality.issue import Check, Exports, Issue, Stage
from auditor.quality.profile import Count

STATED = ("call_minutes", "call_seconds", "discussion_minutes")
_FACTORS = {"seconds": 60.0, "hours": 1 / 60, "days": 1 / 1440}
"""How many times too long a length in minutes is where it is read in this unit's numbers."""
_ENOUGH, _SHORT = 2, 10
"""Lengths that tell: by a factor or by being long, and by being short."""


def _expressions() -> dict[str, pl.Expr]:
    """How many lengths of each column there are, and how many are what they would be in another unit.

    Rows have the STATED columns in microseconds, `call_start` and `call_end`.
    """
    clock = (pl.col("call_end") - pl.col("call_start")).dt.total_microseconds()
    minutes, seconds = pl.col("call_minutes"), pl.col("call_seconds")
    exprs = {"both": ((minutes > 0) & (seconds > 0)).sum()}
    for unit, factor in _FACTORS.items():
        exprs[f"both {unit}"] = _near(minutes, seconds, factor).sum()
    for name in STATED:
        length = pl.col(name)
        exprs[f"{name} timed"] = ((length > 0) & (clock > 0)).sum()
        exprs[f"{name} agrees"] = _near(length, clock, 1.0).sum()
        for unit, factor in _FACTORS.items():
            exprs[f"{name} timed {unit}"] = _near(length, clock, factor).sum()
        exprs[f"{name} alone"] = ((length > 0) & clock.is_null()).sum()
        exprs[f"{name} long"] = ((length > 180 * MINUTE) & clock.is_null()).sum()
        exprs[f"{name} short"] = ((length > 0) & (length < 2 * MINUTE) & clock.is_null()).sum()
    return exprs


def _near(length: pl.Expr, reference: pl.Expr, factor: float) -> pl.Expr:
    return ((reference > 0) & ((length / (reference * factor) - 1).abs() <= 0.1)).fill_null(False)


COUNTS = {name: Count("calls", name, expression, of_records=True) for name, expression in _expressions().items()}
_LOST_HOURS = Count("calls", "lost hours", pl.col("lost_hours").sum(), of_records=True)


def suspected_unit(counts: Mapping[str, int], declared_units: Mapping[Any, str]) -> tuple[str, str, str] | None:
    """The first column in another unit, how its values differ, and the unit that it looks like.

    `declared_units`: the policy's units.
    """
    for name in STATED:
        if name in declared_units:
            continue
        for unit in _FACTORS:
            if _most(counts[f"{name} timed {unit}"], counts[f"{name} timed"], _ENOUGH):
                return (
                    name,
                    "differ from end - start by the same factor",
                    unit if name != "call_seconds" else "minutes",
                )
        if counts[f"{name} timed"] == 0:
            alone = counts[f"{name} alone"]
            if _most(counts[f"{name} long"], alone, _ENOUGH):
                return name, "are over 180 minutes", "seconds"
            if _most(counts[f"{name} short"], alone, _SHORT):
                return name, "are under 2 minutes", "hours"
    if not {"call_minutes", "call_seconds"} & declared_units.keys():
        for unit in _FACTORS:
            if _most(counts[f"both {unit}"], counts["both"], _ENOUGH):
                return "call_minutes", "differ from call_seconds by the same factor", unit
    return None


def _most(matching: int, total: int, enough: int) -> bool:
    return total >= enough and matching * 10 >= total * 9


def judge(exports: Exports) -> Iterator[Issue]:
    """A column in another unit, and times that lost their hours."""
    calls = exports.profiles["calls"]
    counts = {name: calls.count(count) for name, count in COUNTS.items()}
    if found := suspected_unit(counts, exports.policy.units):
        column, symptom, unit = found
        yield CHECK.refuse(
            f"calls.{column}: at least 9 of 10 values {symptom}, so they may be {unit}",
            f'set the unit in the policy: [units] {column} = "{unit}"',
            table="calls",
            column=column,
        )
    if count := calls.count(_LOST_HOURS):
        yield CHECK.warn(
            f"calls.call_minutes: {count} stated times are whole hours shorter than the time between start and end, perhaps "
            "because a spreadsheet dropped the hours; the audit does not use these times",
            "export times of over an hour as text",
            table="calls",
            column="call_minutes",
        )


CHECK = Check("Q13", __name__, __doc__, judge, Stage.READ, by_table=True, counts=(*COUNTS.values(), _LOST_HOURS))
