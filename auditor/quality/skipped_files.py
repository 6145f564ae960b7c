"""Every file of a folder is read.

What it checks: files in a given folder that the program does not read, because they are hidden or not CSV or Parquet.

Why it matters: an export under an unusual name is not audited.

What to do: give the path of the file, or rename it.

Source: docs/specification.md#tables-and-values.
"""

from collections.abc import Iterator

from auditor.quality.issue import Check, Exports, Issue


def judge(exports: Exports) -> Iterator[Issue]:
    """What reading left alone, table by table."""
    for name, table in exports.tables.items():
        for note in table.notes:
            yield CHECK.warn(note, table=name)


CHECK = Check("Q12", __name__, __doc__, judge, by_table=True)
