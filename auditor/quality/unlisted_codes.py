"""The policy's lists name the codes of the visits.

What it checks: codes of visits that no list of the policy contains.

Why it matters: nobody knows whether such a code is a visit. A visit without other codes counts for review at most.

What to do: say what the codes are in the policy: `[lists] visit_codes.add` or `no_visit.add`.

Source: docs/specification.md#warnings.
"""

from collections.abc import Iterator

from auditor.quality.issue import Check, Exports, Issue


def judge(exports: Exports) -> Iterator[Issue]:
    """All such codes in one issue."""
    if codes := exports.profiles["visits"].unlisted_codes:
        yield CHECK.undecidable(
            f"visits.cpt_codes: {len(codes):,} codes, {sum(codes.values()):,} times, are in no list of the policy; a visit "
            "without others counts for review at most",
            "say what they are: [lists] visit_codes.add or no_visit.add",
            ("LBK001", "LBK002", "LAH001", "LAH002"),
            table="visits",
            column="cpt_codes",
        )


CHECK = Check("Q05", __name__, __doc__, judge)
