"""Columns of times hold times.

What it checks: how many times in a column are midnight, which suggests that the export dropped the times, and how many
values have no time.

Why it matters: at midnight a visit seems to be before a call of the same day. A column in which 99 of 100 values are
midnight counts as dates, and gaps of hours are then unknown.

What to do: export the times; if there are none, export dates.

Source: docs/specification.md#instants.
"""

from collections.abc import Iterator

from auditor.parsing import instants
from auditor.parsing.instants import DateCounts
from auditor.quality.issue import Check, Exports, Issue
from auditor.schema.names import counted

_NOT_JUDGED = "visit_end"
"""No rule reads its time."""


def judge(exports: Exports) -> Iterator[Issue]:
    """Each column whose times seem lost."""
    for table, profile in exports.profiles.items():
        for name, counts in profile.date_counts.items():
            if name != _NOT_JUDGED and (found := lost_times(name, counts)):
                yield CHECK.warn(f"{table}.{name}: {found[0]}", found[1], table=table, column=name)


def lost_times(name: str, counts: DateCounts) -> tuple[str, str] | None:
    """What a column whose times seem lost holds, and as what it counts: all are midnight, or too many for real ones."""
    in_zone = counts.instants > 0 and counts.local_midnights > counts.midnights
    midnights = counts.local_midnights if in_zone else counts.midnights
    clock, where = midnights - counts.dates, " in the audit's time zone" if in_zone else ""
    holds_dates = counts.kind.date_only or counts.kind.in_zone
    if holds_dates and clock:
        count_as = "times" if name == "call_start" else "dates without a time"
        return (
            f"the time of {counted(clock, 'value')} is midnight{where}, so the export may lack times",
            f"the audit treats them as {count_as}",
        )
    if holds_dates or counts.values < instants.MIDNIGHT_COLUMN or midnights * 10 < counts.values:
        return None
    if clock * 10 >= counts.values:
        remedy = "the audit treats them as times; if they are only dates, export dates"
        return f"{clock} of {counts.values} values are midnight{where}", remedy
    return f"{counts.dates} of {counts.values} values have no time", "the audit treats them as dates"


CHECK = Check("Q14", __name__, __doc__, judge, by_table=True)
