"""Whether an export lost rows since the run before: months that both cover are compared. Source: SPEC.md section 11."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from auditor.runs.past import Past, Reach

_FEWEST = 20
"""Rows of a month below which nothing is said of it."""
_MORE = 3
"""Ids that do not come up by chance."""
_SOME = 5
"""Rows of a month, or ids, that do not vanish by chance."""


def shrunk(earlier: Past, reaches: Mapping[str, Reach], allowed: float) -> str | None:
    """The first table that lost more than the allowed share of a month that the earlier run had, and its months; or None."""
    for table, tonight in reaches.items():
        before = earlier.reaches.get(table)
        if before is None:
            continue
        lost = [
            f"{month} ({tonight.months.get(month, 0):,} of {rows:,})"
            for month, rows in _shared(before, tonight).items()
            if rows >= _FEWEST and tonight.months.get(month, 0) < rows * (1 - allowed)
        ]
        if lost:
            return f"{table}: rows of {', '.join(lost)} that the run {earlier.run_id} had are gone"
    return None


def fewer(earlier: Past, now: Past, allowed: float) -> Iterator[str]:
    """What else there was in the earlier run and is no more: columns, rows of months too small to tell alone, joins."""
    known = {(join.of, join.column): join for join in earlier.joins}
    for join in now.joins:
        before = known.get((join.of, join.column))
        if (
            before
            and join.values >= _FEWEST
            and join.found * before.values < before.found * join.values * (1 - allowed)
        ):
            yield (
                f"{join.column}: of {join.values:,} {join.of} {join.found:,} are found there; the run {earlier.run_id} "
                f"found {before.found:,} of {before.values:,}"
            )
    for table, tonight in now.reaches.items():
        yield from _fewer_rows(table, earlier, tonight, allowed)


def _fewer_rows(table: str, earlier: Past, tonight: Reach, allowed: float) -> Iterator[str]:
    before = earlier.reaches.get(table, Reach())
    for column in sorted(before.columns - tonight.columns):
        yield f"{table}.{column}: the run {earlier.run_id} had this column, and this one has it not, or blank"
    for column in sorted((before.timed - tonight.timed) & tonight.columns):
        yield f"{table}.{column}: the run {earlier.run_id} had times in it, and this one has dates only"
    rows_before, rows = sum(before.months.values()), sum(tonight.months.values())
    for column, ids in tonight.different.items():
        known = before.different.get(column, 0)
        if known and ids >= known + _MORE and ids * rows_before > known * rows * (1 + allowed):
            yield (
                f"{table}.{column}: {ids:,} different ones in {rows:,} rows; the run {earlier.run_id} had {known:,} in "
                f"{rows_before:,}; are some written otherwise than before?"
            )
    shared = _shared(before, tonight)
    had, has = sum(shared.values()), sum(tonight.months.get(month, 0) for month in shared)
    empty = [month for month, rows in shared.items() if rows >= _SOME and not tonight.months.get(month)]
    if empty:
        yield f"{table}: no row of {', '.join(empty)}, which the run {earlier.run_id} had"
    elif had >= _FEWEST and has < had * (1 - allowed):
        yield f"{table}: {has:,} rows of months of which the run {earlier.run_id} had {had:,}; is the export cut short?"


def _shared(before: Reach, tonight: Reach) -> dict[str, int]:
    """The months that both cover wholly, in order, with the rows that there were before."""
    return {
        month: rows for month, rows in sorted(before.months.items()) if _whole(month, before) and _whole(month, tonight)
    }


def _whole(month: str, reach: Reach) -> bool:
    """Whether the table covers a month (2026-03) from its first date to its last."""
    first = date.fromisoformat(f"{month}-01")
    after = (first + timedelta(days=32)).replace(day=1)
    if reach.first is None or reach.last is None:
        return False
    return reach.first <= first and reach.last >= after - timedelta(days=1)
