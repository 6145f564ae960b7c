"""The policy's [rows] and repeated headers leave out what they should.

What it checks: words of the policy's own `[rows.TABLE]` that no row has, and records that repeat the header, as in files
that were concatenated.

Why it matters: with a word that is written differently in the export, the wrong rows are audited. Rows that are left out
count for nothing.

What to do: correct the word in the policy.

Source: docs/specification.md#files.
"""

from collections.abc import Iterator

from auditor.quality.issue import Check, Exports, Issue
from auditor.reading.file_facts import FileFacts
from auditor.sources import known


def judge(exports: Exports) -> Iterator[Issue]:
    """What the files of each table say."""
    for table, files in exports.files.items():
        facts = sum((file.facts for file in files), FileFacts())
        if facts.headers:
            lines = "1 record is the header again and is" if facts.headers == 1 else (
                f"{facts.headers:,} records are the header again and are")  # fmt: skip
            yield CHECK.warn(f"{table}: {lines} left out; files were put together", table=table)
        choice, system = exports.policy.rows.get(table), exports.policy.systems.get(table)
        shipped = known.content(system)[table].get("rows", {}) if system else {}
        for mode, columns in (("keep", choice.keep), ("drop", choice.drop)) if choice else ():
            for header, words in columns.items():
                for word in words:
                    if (mode, header, word) not in facts.words and word not in shipped.get(mode, {}).get(header, ()):
                        shown = repr(word) if word else "a blank cell"
                        yield CHECK.warn(
                            f"{table}: no row has {shown} in {header!r}",
                            f"correct [rows.{table}] {mode} in the policy",
                            table=table,
                        )


CHECK = Check("Q23", __name__, __doc__, judge, by_table=True)
