"""Months do not change much more between runs than they usually do.

What it checks: calendar months that this run and the run before cover wholly, in each table and in its audited claims. It
warns about a month that lost or gained 10 rows or more, more than 5%, and more than four times the usual change. The usual
change is the median of the absolute changes in the last 20 runs on other inputs; with fewer than five such runs, only the
first two limits apply.

Why it matters: an export that lost a part of its rows below the limit of `--max-shrink` still hides visits and claims.

What to do: compare the export with the system that it comes from.

Source: docs/specification.md#drift.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import median

from auditor.quality import shrinkage
from auditor.quality.issue import Check, Exports, Issue, Stage
from auditor.run_summary import Summary, TableExtent

_ROWS, _SHARE, _TIMES, _FEWEST = 10, 0.05, 4, 5
RUNS = 20
"""Runs on other inputs that the usual change is taken from."""


def judge(exports: Exports) -> Iterator[Issue]:
    """Months of this run that changed more than usual since the last run on other inputs."""
    if not exports.now:
        return
    history = runs_on_other_inputs([*exports.history, exports.now])
    for table, extent in exports.now.reaches.items():
        for what, months in _counted(extent).items():
            yield from _changes(table, what, [(run, run.reaches.get(table)) for run in history], months, extent)


def runs_on_other_inputs(runs: Sequence[Summary]) -> list[Summary]:
    """The runs, oldest first, without those whose next run has equal inputs; the last one always."""
    followed = [run for run, later in pairwise(runs) if _inputs(run) != _inputs(later)]
    return [*followed, *runs[-1:]][-(RUNS + 1) :]


def _inputs(run: Summary) -> list[tuple[str, str]]:
    return sorted((file.table, file.sha256) for file in run.inputs)


def _counted(extent: TableExtent) -> dict[str, Mapping[str, int]]:
    return {"rows": extent.months, "audited claims": extent.audited}


def _changes(
    table: str,
    what: str,
    history: Sequence[tuple[Summary, TableExtent | None]],
    now: Mapping[str, int],
    extent: TableExtent,
) -> Iterator[Issue]:
    if len(history) < 2 or history[-2][1] is None:
        return
    before, previous = history[-2][0], history[-2][1]
    extents = [one for _, one in history[:-1]]
    changed = [
        f"{month} ({now.get(month, 0):,}, before {rows:,})"
        for month, rows in _shared(previous, extent, what).items()
        if _notable(rows, now.get(month, 0), _usual(extents, what, month))
    ]
    if changed:
        yield CHECK.warn(
            f"{table}: the {what} of {', '.join(changed)} changed more since the run {before.run_id} than usual",
            "compare the export with the system that it comes from",
            table=table,
        )


def _notable(before: int, now: int, usual: float | None) -> bool:
    change = abs(now - before)
    if change < _ROWS or change <= _SHARE * before:
        return False
    return usual is None or change > _TIMES * usual


def _usual(extents: Sequence[TableExtent | None], what: str, month: str) -> float | None:
    """The median change of a month from one run to the next; None where fewer than five changes are known."""
    changes = [
        abs(_counted(later)[what].get(month, 0) - shared[month])
        for earlier, later in pairwise(extents)
        if earlier and later and month in (shared := _shared(earlier, later, what))
    ]
    return median(changes) if len(changes) >= _FEWEST else None


def _shared(earlier: TableExtent, later: TableExtent, what: str) -> dict[str, int]:
    """The months that both cover wholly, with what the earlier one had; months in which neither has any are left out."""
    months = sorted({*_counted(earlier)[what], *_counted(later)[what]})
    return {
        month: _counted(earlier)[what].get(month, 0)
        for month in months
        if shrinkage.covers_month(month, earlier) and shrinkage.covers_month(month, later)
    }


CHECK = Check("Q31", __name__, __doc__, judge, Stage.COMPARED)
