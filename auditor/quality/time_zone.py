"""The time zone of the exports is known.

What it checks: whether the exports have times without an offset while neither the policy nor `--timezone` names a zone.

Why it matters: the audit reads such times as UTC, so an evening visit may have the wrong local date.

What to do: give `--timezone`, or set it in the policy.

Source: docs/specification.md#instants.
"""

from collections.abc import Iterator

from auditor.quality.issue import Check, Exports, Issue


def judge(exports: Exports) -> Iterator[Issue]:
    """One issue for all tables."""
    if exports.policy.timezone_defaulted and any(table.has_local_times for table in exports.tables.values()):
        yield CHECK.warn(
            "no time zone is given, so the audit reads times without an offset as UTC",
            "give --timezone or set it in the policy",
        )


CHECK = Check("Q16", __name__, __doc__, judge)
