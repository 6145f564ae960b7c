"""Each column with a vocabulary has a word of it.

What it checks: columns with a vocabulary in which no word is recognized.

Why it matters: such a column counts as blank. Every visit then supports review at most, or a rule is unknown for every
claim.

What to do: map the words under `[values.TABLE.COLUMN]` in the policy. `audit98968 init` suggests how.

Source: docs/specification.md#vocabularies.
"""

from collections.abc import Iterator

from auditor.quality.issue import Check, Exports, Issue
from auditor.schema.names import counted

CONSEQUENCES = {
    "status": "every visit supports review at most",
    "modality": "no visit is known to be by phone",
    "soonest_available": "no visit is known to be the soonest available one",
    "initiated_by": "ELG001 is unknown for every claim",
    "established": "ELG002 is unknown for every claim",
    "caller": "ELG005 is unknown for every claim",
    "purpose": "ELG006 is unknown for every claim",
    "claim_status": "every line counts as active, and as an earlier line supports review at most",
    "frequency_code": "every line counts as an original",
    "direction": "ELG008 is unknown for every claim",
    "remittance_only": "every line counts as one that was billed",
}
"""Column → what follows if no word of it is recognized."""


def judge(exports: Exports) -> Iterator[Issue]:
    """Each column without a recognized word."""
    for name, table in exports.tables.items():
        words = table.unrecognised["column"].value_counts().rows()
        for column, number in sorted(words):
            if column not in table.recognized:
                yield CHECK.warn(
                    f"{name}.{column}: {counted(number, 'different word')}, none in the vocabulary, so "
                    f"{CONSEQUENCES[column]}",
                    f"map the words under [values.{name}.{column}] in the policy",
                    table=name,
                    column=column,
                )


CHECK = Check("Q30", __name__, __doc__, judge, by_table=True)
