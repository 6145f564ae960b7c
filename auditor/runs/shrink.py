"""Whether an export lost rows since the run before: months that both cover are compared. Source: SPEC.md section 11."""

from collections.abc import Mapping
from datetime import date, timedelta

from auditor.runs.past import Past, Reach

_FEWEST = 20
"""Rows of a month below which nothing is said of it."""


def shrunk(earlier: Past, reaches: Mapping[str, Reach], allowed: float) -> str | None:
    """The first table that lost more than the allowed share of a month that the earlier run had, and its months; or None."""
    for table, tonight in reaches.items():
        before = earlier.reaches.get(table)
        if before is None:
            continue
        lost = [
            f"{month} ({tonight.months.get(month, 0):,} of {rows:,})"
            for month, rows in sorted(before.months.items())
            if rows >= _FEWEST and _whole(month, before) and _whole(month, tonight)
            if tonight.months.get(month, 0) < rows * (1 - allowed)
        ]
        if lost:
            return f"{table}: rows of {', '.join(lost)} that the run {earlier.run_id} had are gone"
    return None


def _whole(month: str, reach: Reach) -> bool:
    """Whether the table covers a month (2026-03) from its first date to its last."""
    first = date.fromisoformat(f"{month}-01")
    after = (first + timedelta(days=32)).replace(day=1)
    if reach.first is None or reach.last is None:
        return False
    return reach.first <= first and reach.last >= after - timedelta(days=1)
