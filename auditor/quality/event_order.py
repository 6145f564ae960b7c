"""Visits are booked before they start, and start before they end.

What it checks: visits whose `booked_at` is after `visit_start`, or whose `visit_start` is after `visit_end`, where both
have a time.

Why it matters: if two columns are swapped, visits are looked for at the wrong time.

What to do: compare the columns with the mapping in the policy (`[columns.visits]`).

Source: docs/specification.md#warnings.
"""

from collections.abc import Iterator

import polars as pl

from auditor.quality.issue import Check, Exports, Issue


def judge(exports: Exports) -> Iterator[Issue]:
    """Pairs of columns that are in the wrong order in more than 1 in 5 rows."""
    orders = exports.profiles["visits"].filter(pl.col("what") == "order").group_by("name", maintain_order=True).agg(
        pl.sum("count"), wrong=pl.col("count").filter(pl.col("value") == "wrong").sum()
    ).sort("name")  # fmt: skip
    for name, count, wrong in orders.iter_rows():
        if wrong * 5 > count:
            first, second = name.split(" and ")
            message = f"visits.{first}: {wrong:,} of {count:,} are after {second}"
            yield CHECK.warn(message, "are two columns swapped?", table="visits", column=first)


CHECK = Check("Q07", __name__, __doc__, judge)
