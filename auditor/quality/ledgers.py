"""Lines with a negative amount are reversals, not the payments of a ledger.

What it checks: lines with a negative amount that neither a frequency code nor a status calls a reversal. If they are 1 in 5
or more of the lines, and there are 20 lines or more, the run is refused; with fewer lines it is a warning.

Why it matters: in a practice's ledger, payments and adjustments are negative. Read as reversals, they make the charges void,
so that nothing is audited.

What to do: choose the rows that are charges with `[rows.claims]` in the policy. If the negative lines are reversals, set
`reversals = "real"`.

Source: docs/specification.md#replacements-and-reversals.
"""

from collections.abc import Iterator

import polars as pl

from auditor.parsing.adjustment_rows import has_negative_amount
from auditor.quality.issue import Check, Exports, Issue, Stage
from auditor.quality.profile import Count

_LEAST_LINES, _SHARE = 20, 5
_BY_SIGN = (
    has_negative_amount()
    & pl.col("cpt_code").is_not_null()
    & pl.col("frequency_code").is_null()
    & (pl.col("claim_status") == "active")
)
_COUNTS = {
    table: (
        Count(table, "lines", pl.col("cpt_code").count()),
        Count(table, "reversals by their sign alone", _BY_SIGN.sum()),
    )
    for table in ("calls", "claims")
}


def judge(exports: Exports) -> Iterator[Issue]:
    """The table with the lines, where its payments look like reversals."""
    table = "claims" if "claims" in exports.profiles else "calls"
    profile = exports.profiles.get(table)
    lines, negative = (profile.count(count) if profile else 0 for count in _COUNTS[table])
    if exports.policy.reversals == "real" or not negative or negative * _SHARE < lines:
        return
    report = CHECK.refuse if lines >= _LEAST_LINES else CHECK.warn
    yield report(
        f"{table}: {negative:,} of {lines:,} lines have a negative amount, but no frequency code or status says that they "
        "are reversals; in a ledger, payments are negative",
        f'choose the rows that are charges with [rows.{table}] in the policy, or set reversals = "real"',
        table=table,
    )


CHECK = Check(
    "Q20",
    __name__,
    __doc__,
    judge,
    stage=Stage.READ,
    counts=tuple(count for pair in _COUNTS.values() for count in pair),
)
