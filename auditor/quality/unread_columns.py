"""The audit reads every column that says which rows count.

What it checks: columns with two different values or more that nothing reads, and whose headers speak of deleted,
canceled, rescheduled, void, inactive, or adjusted rows, of types of transactions or records, or of time zones.

Why it matters: a deleted row counts as a record, a canceled visit as kept, a payment as a charge, and a time is read in
the wrong zone.

What to do: choose the rows by the column, or map it, in the policy.

Source: docs/specification.md#files.
"""

from collections.abc import Iterator

from auditor.quality.issue import Check, Exports, Issue
from auditor.reading.file_facts import FileFacts
from auditor.reading.headers import like_data
from auditor.schema.tables import TABLES, fold


def judge(exports: Exports) -> Iterator[Issue]:
    """The unread columns of each table, in the order of its files."""
    for table, files in exports.files.items():
        facts = sum((file.facts for file in files), FileFacts())
        for header, values in facts.unread.items():
            if len(values) > 1:
                shown = "whose header looks like data" if like_data([header]) else repr(header)
                yield CHECK.warn(f"{table}: nothing reads the column {shown}", _remedy(table, header), table=table)


def _remedy(table: str, header: str) -> str:
    """What would read it."""
    name = fold(header)
    if "zone" in name:
        if "timezone" in TABLES[table].columns:
            return f'if it is the zone of each row, map it: [columns.{table}] timezone = "{header}"'
        return "if it is the zone of the times, say so under [timezones]"
    if any(part in name for part in ("cancel", "resched")) and "status" in TABLES[table].columns:
        return f'if it says what became of the visit, map it: [columns.{table}] status = "{header}"'
    return f'if it tells which rows count, choose them: [rows.{table}] drop = {{ "{header}" = ["WORD"] }}'


CHECK = Check("Q24", __name__, __doc__, judge, by_table=True)
