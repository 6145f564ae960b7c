"""Cells hold values of their column's kind.

What it checks: cells with values that the column should not have, such as null words, rounded identifiers, and texts
without a code.

Why it matters: the audit treats such a cell as blank, or gives it a meaning that the clinic may not intend.

What to do: correct the export, or list the words in the policy.

Source: docs/specification.md#warnings.
"""

from collections.abc import Iterator

from auditor.quality.issue import Check, Exports, Issue
from auditor.schema.tables import Kind


def judge(exports: Exports) -> Iterator[Issue]:
    """What typing counted, in the order of the columns."""
    for name, table in exports.tables.items():
        for text in table.tallied:
            column = text.partition(":")[0].partition(".")[2]
            if table.spec.columns[column].kind is not Kind.DOCUMENTED:  # where "none" is an answer
                yield CHECK.warn(text, table=name, column=column)


CHECK = Check("Q15", __name__, __doc__, judge, by_table=True)
