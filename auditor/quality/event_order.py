"""Visits are booked before they start, and start before they end.

What it checks: visits whose `booked_at` is after `visit_start`, or whose `visit_start` is after `visit_end`, where both
have a time.

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
    """Two times, of which the first should not be after the second; rows that have both, and those in the wrong order."""

    first: str
    second: str
    rows: Count
    wrong: Count


def _order(first: str, second: str) -> _Order:
    timed = ~pl.col(f"{first}_date_only") & ~pl.col(f"{second}_date_only")
    after = pl.when(timed).then(pl.col(first) > pl.col(second))
    rows, wrong = f"{first} and {second}", f"{first} after {second}"
    return _Order(first, second, Count("visits", rows, after.count()), Count("visits", wrong, after.sum()))


_ORDERS = (_order("booked_at", "visit_start"), _order("visit_start", "visit_end"))


def judge(exports: Exports) -> Iterator[Issue]:
    """Pairs of columns that are in the wrong order in more than 1 in 5 rows."""
    visits = exports.profiles["visits"]
    for order in _ORDERS:
        rows, wrong = visits.count(order.rows), visits.count(order.wrong)
        if wrong * 5 > rows:
            message = f"visits.{order.first}: {wrong:,} of {rows:,} are after {order.second}"
            yield CHECK.warn(message, "check whether two columns are swapped", table="visits", column=order.first)


CHECK = Check(
    "Q07", __name__, __doc__, judge, counts=tuple(count for order in _ORDERS for count in (order.rows, order.wrong))
)
