"""Visits are booked before they start, and start before they end.

What it checks: visits whose `booked_at` is at or after `visit_start`, or on a later date where one has no time, and visits
whose `visit_start` is after `visit_end`, where both have a time.

Why it matters: if two columns are swapped, visits are looked for at the wrong time.

What to do: compare the columns with the mapping in the policy (`[columns.visits]`).

Source: docs/specification.md#warnings.
"""

from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

from auditor.quality.issue import Check, Exports, Issue
from auditor.quality.profile import Count


class _Order(NamedTuple):
    """Two times, of which the first should be before the second; rows that have both, and those in the wrong order."""

    first: str
    how: str
    rows: Count
    wrong: Count


def _order(first: str, how: str, second: str, wrong: pl.Expr) -> _Order:
    rows = Count("visits", f"{first} and {second}", wrong.count())
    return _Order(first, f"{how} {second}", rows, Count("visits", f"{first} {how} {second}", wrong.sum()))


def _timed(first: str, second: str) -> pl.Expr:
    return ~pl.col(f"{first}_date_only") & ~pl.col(f"{second}_date_only")


_BOOKED = (
    pl.when(_timed("booked_at", "visit_start"))
    .then(pl.col("booked_at") >= pl.col("visit_start"))
    .otherwise(pl.col("booked_at_date") > pl.col("visit_start_date"))
)
_ORDERS = (
    _order("booked_at", "at or after", "visit_start", _BOOKED),
    _order(
        "visit_start",
        "after",
        "visit_end",
        pl.when(_timed("visit_start", "visit_end")).then(pl.col("visit_start") > pl.col("visit_end")),
    ),
)


def judge(exports: Exports) -> Iterator[Issue]:
    """Pairs of columns that are in the wrong order in more than 1 in 5 rows."""
    visits = exports.profiles["visits"]
    for order in _ORDERS:
        rows, wrong = visits.count(order.rows), visits.count(order.wrong)
        if wrong * 5 > rows:
            message = f"visits.{order.first}: {wrong:,} of {rows:,} are {order.how}"
            yield CHECK.warn(message, "check whether two columns are swapped", table="visits", column=order.first)


CHECK = Check(
    "Q07", __name__, __doc__, judge, counts=tuple(count for order in _ORDERS for count in (order.rows, order.wrong))
)
