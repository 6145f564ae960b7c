"""The exports still contain what the previous run had.

What it checks: months that both runs cover. It refuses a month of 20 rows or more that lost more than `--max-shrink` of
them, and warns about missing columns, times, and matches, about small months, and about a jump in the number of ids.

Why it matters: an export that is cut short has fewer visits, so more claims look clean than in the previous run.

What to do: export the table again. If the rows were removed on purpose, give `--max-shrink 100%`.

Source: docs/specification.md#shrinkage.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from auditor.quality.issue import Check, Exports, Issue, Stage
from auditor.run_summary import Summary, TableExtent
from auditor.schema.names import counted, found_of

_COMPARABLE_ROWS = 20
"""Rows of a month below which it is not compared."""
_NOTABLE_IDS = 3
"""Ids that do not come up by chance."""
_NOTABLE_ROWS = 5
"""Rows of a month, or ids, that do not vanish by chance."""


def judge(exports: Exports) -> Iterator[Issue]:
    """Tables that shrank, and what else is gone."""
    earlier, now = exports.earlier, exports.now
    if earlier and now:
        allowed = float(exports.settings.max_shrink[:-1]) / 100
        yield from shrunken_tables(earlier, now.reaches, allowed)
        yield from losses(earlier, now, allowed)


def shrunken_tables(earlier: Summary, reaches: Mapping[str, TableExtent], allowed: float) -> Iterator[Issue]:
    """Tables that lost more than the allowed share of a month that the earlier run had, with these months."""
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
            yield CHECK.refuse(
                f"{table}: this export has fewer rows than the run {earlier.run_id} for {', '.join(shrunken_months)}",
                "export the table again; if the rows were removed on purpose, give --max-shrink 100%",
                table=table,
            )


def losses(earlier: Summary, now: Summary, allowed: float) -> Iterator[Issue]:
    """What else there was in the earlier run and is no more: columns, rows of months too small to tell alone, joins."""
    previous_joins = {(join.of, join.column): join for join in earlier.joins}
    for join in now.joins:
        previous = previous_joins.get((join.of, join.column))
        if (
            previous
            and join.values >= _COMPARABLE_ROWS
            and join.found * previous.values < previous.found * join.values * (1 - allowed)
        ):
            yield CHECK.warn(
                f"{join.column}: this column contains {found_of(join.found, join.values, join.of)}; in the run "
                f"{earlier.run_id} it had {previous.found:,} of {previous.values:,}",
                "check that the exports use the same ids",
            )
    for table, extent in now.reaches.items():
        yield from _row_losses(table, earlier, extent, allowed)


def _row_losses(table: str, earlier: Summary, extent: TableExtent, allowed: float) -> Iterator[Issue]:
    previous = earlier.reaches.get(table, TableExtent())
    for column in sorted({*previous.columns} - {*extent.columns}):
        gone = f"{table}.{column}: this column is missing or blank; the run {earlier.run_id} had values in it"
        yield CHECK.warn(gone, "check the export", table=table, column=column)
    for column in sorted(({*previous.timed} - {*extent.timed}) & {*extent.columns}):
        dates = f"{table}.{column}: this column has only dates; the run {earlier.run_id} had times in it"
        yield CHECK.warn(dates, "export the times", table=table, column=column)
    previous_rows, rows = sum(previous.months.values()), sum(extent.months.values())
    for column, ids in extent.different.items():
        previous_count = previous.different.get(column, 0)
        if (
            previous_count
            and ids >= previous_count + _NOTABLE_IDS
            and ids * previous_rows > previous_count * rows * (1 + allowed)
        ):
            yield CHECK.warn(
                f"{table}.{column}: {counted(ids, 'different value')} in {counted(rows, 'row')}; the run "
                f"{earlier.run_id} had {previous_count:,} in {previous_rows:,}",
                "check whether the export writes some of them differently than before",
                table=table,
                column=column,
            )
    shared = _shared(previous, extent)
    then, now = sum(shared.values()), sum(extent.months.get(month, 0) for month in shared)
    empty = [month for month, rows in shared.items() if rows >= _NOTABLE_ROWS and not extent.months.get(month)]
    if empty:
        none = f"{table}: this export has no rows for {', '.join(empty)}; the run {earlier.run_id} had rows for them"
        yield CHECK.warn(none, "check whether the export is cut short", table=table)
    elif then >= _COMPARABLE_ROWS and now < then * (1 - allowed):
        fewer = (
            f"{table}: this export has {counted(now, 'row')} for months for which the run {earlier.run_id} had {then:,}"
        )
        yield CHECK.warn(fewer, "check whether the export is cut short", table=table)


def _shared(previous: TableExtent, extent: TableExtent) -> dict[str, int]:
    """The months that both cover wholly, in order, with the rows that there were before."""
    return {
        month: rows
        for month, rows in sorted(previous.months.items())
        if covers_month(month, previous) and covers_month(month, extent)
    }


def covers_month(month: str, extent: TableExtent) -> bool:
    """Whether the table covers a month (2026-03) from its first date to its last."""
    first = date.fromisoformat(f"{month}-01")
    after = (first + timedelta(days=32)).replace(day=1)
    if extent.first is None or extent.last is None:
        return False
    return extent.first <= first and extent.last >= after - timedelta(days=1)


CHECK = Check("Q18", __name__, __doc__, judge, Stage.COMPARED)
