"""The policy's lists name the codes of the visits.

What it checks: codes of visits that no list of the policy contains.

Why it matters: nobody knows whether such a code is a visit. A visit without other codes counts for review at most.

What to do: say what the codes are in the policy: `[lists] visit_codes.add` or `no_visit.add`.

Source: docs/specification.md#warnings.
"""

from collections.abc import Iterator

import polars as pl

from auditor.quality.issue import Check, Exports, Issue


def unlisted_codes(visits: pl.DataFrame) -> dict[str, int]:
    """Codes of visits that no list of the policy knows, with their counts."""
    rows = visits.filter(pl.col("what") == "code").sort("value").select("value", "count").iter_rows()
    return dict(rows)


def judge(exports: Exports) -> Iterator[Issue]:
    """All such codes in one issue."""
    if codes := unlisted_codes(exports.profiles["visits"]):
        yield CHECK.undecidable(
            f"visits.cpt_codes: {len(codes):,} codes, {sum(codes.values()):,} times, are in no list of the policy; a visit "
            "without others counts for review at most",
            "say what they are: [lists] visit_codes.add or no_visit.add",
            ("LBK001", "LBK002", "LAH001", "LAH002"),
            table="visits",
            column="cpt_codes",
        )


CHECK = Check("Q05", __name__, __doc__, judge)
