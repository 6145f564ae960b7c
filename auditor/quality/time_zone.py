"""The time zone of the exports is known.

What it checks: whether times without an offset are read although neither the policy nor `--timezone` names a zone.

Why it matters: they are taken as UTC, so that an evening visit falls on the next local date.

What to do: give `--timezone`, or set it in the policy.

Source: docs/specification.md#instants.
"""

from collections.abc import Iterator

from auditor.quality.issue import Check, Exports, Issue


def judge(exports: Exports) -> Iterator[Issue]:
    """One issue for all tables."""
    if exports.policy.timezone_defaulted and any(table.has_local_times for table in exports.tables.values()):
        yield CHECK.warn(
            "no time zone given: times without an offset are taken as UTC",
            "give --timezone or set it in the policy",
        )


CHECK = Check("Q16", __name__, __doc__, judge)
