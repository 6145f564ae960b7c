"""Whether an export lost rows since the run before: months that both cover are compared.

Source: docs/specification.md#shrinkage.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from auditor.run_summary import Summary, TableExtent

_COMPARABLE_ROWS = 20
"""Rows of a month below which it is not compared."""
_NOTABLE_IDS = 3
"""Ids that do not come up by chance."""
_NOTABLE_ROWS = 5
"""Rows of a month, or ids, that do not vanish by chance."""


def shrunken_table(earlier: Summary, reaches: Mapping[str, TableExtent], allowed: float) -> str | None:
    """The first table that lost more than the allowed share of a month that the earlier run had, and its months; or None."""
    for table, extent in reaches.items():
        previous = earlier.reaches.get(table)
        if previous is None:
            continue
        shrunken_months = [
            f"{month} ({extent.months.get(month, 0):,} of {rows:,})"
            for month, rows in _shared(previous, extent).items()
            if rows >= _COMPARABLE_ROWS and extent.months.get(month, 0) < rows * (1 - allowed)
        ]
        if shrunken_months:
            return f"{table}: rows of {', '.join(shrunken_months)} that the run {earlier.run_id} had are gone"
    return None


def losses(earlier: Summary, now: Summary, allowed: float) -> Iterator[str]:
    """What else there was in the earlier run and is no more: columns, rows of months too small to tell alone, joins."""
    previous_joins = {(join.of, join.column): join for join in earlier.joins}
    for join in now.joins:
        previous = previous_joins.get((join.of, join.column))
        if (
            previous
            and join.values >= _COMPARABLE_ROWS
            and join.found * previous.values < previous.found * join.values * (1 - allowed)
        ):
            yield (
                f"{join.column}: of {join.values:,} {join.of} {join.found:,} are found there; the run {earlier.run_id} "
                f"found {previous.found:,} of {previous.values:,}"
            )
    for table, extent in now.reaches.items():
        yield from _row_losses(table, earlier, extent, allowed)


def _row_losses(table: str, earlier: Summary, extent: TableExtent, allowed: float) -> Iterator[str]:
    previous = earlier.reaches.get(table, TableExtent())
    for column in sorted({*previous.columns} - {*extent.columns}):
        yield f"{table}.{column}: the run {earlier.run_id} had this column, and this one has it not, or blank"
    for column in sorted(({*previous.timed} - {*extent.timed}) & {*extent.columns}):
        yield f"{table}.{column}: the run {earlier.run_id} had times in it, and this one has dates only"
    previous_rows, rows = sum(previous.months.values()), sum(extent.months.values())
    for column, ids in extent.different.items():
        previous_count = previous.different.get(column, 0)
        if (
            previous_count
            and ids >= previous_count + _NOTABLE_IDS
            and ids * previous_rows > previous_count * rows * (1 + allowed)
        ):
            yield (
                f"{table}.{column}: {ids:,} different ones in {rows:,} rows; the run {earlier.run_id} had "
                f"{previous_count:,} in "
                f"{previous_rows:,}; are some written otherwise than before?"
            )
    shared = _shared(previous, extent)
    then, now = sum(shared.values()), sum(extent.months.get(month, 0) for month in shared)
    empty = [month for month, rows in shared.items() if rows >= _NOTABLE_ROWS and not extent.months.get(month)]
    if empty:
        yield f"{table}: no row of {', '.join(empty)}, which the run {earlier.run_id} had"
    elif then >= _COMPARABLE_ROWS and now < then * (1 - allowed):
        yield f"{table}: {now:,} rows of months of which the run {earlier.run_id} had {then:,}; is the export cut short?"


def _shared(previous: TableExtent, extent: TableExtent) -> dict[str, int]:
    """The months that both cover wholly, in order, with the rows that there were before."""
    return {
        month: rows
        for month, rows in sorted(previous.months.items())
        if _covers_month(month, previous) and _covers_month(month, extent)
    }


def _covers_month(month: str, extent: TableExtent) -> bool:
    """Whether the table covers a month (2026-03) from its first date to its last."""
    first = date.fromisoformat(f"{month}-01")
    after = (first + timedelta(days=32)).replace(day=1)
    if extent.first is None or extent.last is None:
        return False
    return extent.first <= first and extent.last >= after - timedelta(days=1)
