"""Cells hold values of their column's kind.

What it checks: cells that are read in a way of their own: null words, rounded identifiers, texts that are no code, and
other forms that a column should not have.

Why it matters: such a cell counts as blank, or as something that the clinic may not mean.

What to do: correct the export, or the words in the policy.

Source: docs/specification.md#warnings.
"""

from collections.abc import Iterator

from auditor.quality.issue import Check, Exports, Issue


def judge(exports: Exports) -> Iterator[Issue]:
    """What typing counted, in the order of the columns."""
    for name, table in exports.tables.items():
        for text in table.tallied:
            yield CHECK.warn(text, table=name, column=text.partition(":")[0].partition(".")[2])


CHECK = Check("Q15", __name__, __doc__, judge, by_table=True)
