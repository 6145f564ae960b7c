"""Replacements, voids, and reversals name a line of the exports.

What it checks: adjustments of billed lines whose original line is not in the exports.

Why it matters: a claim that was voided or replaced may still be audited, and an old version may be missing.

What to do: export the claims with all their versions, from the date of the first one.

Source: docs/specification.md#warnings.
"""

from collections.abc import Iterator

from auditor.quality.issue import Check, Exports, Issue


def judge(exports: Exports) -> Iterator[Issue]:
    """All such adjustments in one issue."""
    if count := exports.unmatched_adjustments:
        yield CHECK.warn(
            f"replacements, voids, or reversals that refer to lines that are not in the exports: {count:,}",
            "export the claims from the date of the first version",
        )


CHECK = Check("Q11", __name__, __doc__, judge)
