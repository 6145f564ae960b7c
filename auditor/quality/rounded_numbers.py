"""Ids keep all of their digits.

What it checks: id columns with at least 3 different ids above 9,007,199,254,740,992, if all of these are numbers that a
double-precision float represents exactly, and the chance of that is below 1 in 1,000.

Why it matters: a program that reads ids as numbers rounds those of 17 digits or more. Two records may then have one id.
Ids that match in such a column support review at most.

What to do: export the ids as text. If they end in zero bits by design, name the column in the policy (`[ids] exact`).

Source: docs/specification.md#rounded-numbers.
"""

import math
from collections.abc import Iterator

import polars as pl

from auditor.parsing.identifiers import MEANS
from auditor.policy import Policy
from auditor.quality.issue import Check, Exports, Issue
from auditor.quality.measure import large_ids_in
from auditor.quality.profile import LargeIds, Profiles
from auditor.schema.tables import TABLES

_FEWEST, _CHANCE = 3, 1_000


def look_rounded(ids: LargeIds) -> bool:
    """Whether the large ids of a column are all exact doubles, and by no chance."""
    spread = math.prod(math.ulp(float(number)) for number in ids.exact)
    return not ids.inexact and len(ids.exact) >= _FEWEST and spread > _CHANCE


def rounded(profiles: Profiles, providers: pl.DataFrame, policy: Policy) -> frozenset[str]:
    """The columns, as `table.column`, whose ids look like rounded numbers and that the policy does not name."""
    of_providers = {name: large_ids_in(providers[name]) for name in ("provider_id", "group_id")}
    found = {table: profile.large_ids for table, profile in profiles.items()}
    found["providers"] = {name: ids for name, ids in of_providers.items() if ids}
    return frozenset(
        f"{table}.{column}"
        for table, large_ids in found.items()
        for column, ids in large_ids.items()
        if look_rounded(ids) and not {column, MEANS.get(column, column)} & set(policy.ids.exact)
    )


def judge(exports: Exports) -> Iterator[Issue]:
    """Each such column."""
    for table, spec in TABLES.items():
        for column in spec.columns:
            if f"{table}.{column}" in exports.report.rounded:
                yield CHECK.warn(
                    f"{table}.{column}: ids of 16 digits or more look like rounded numbers, so what joins by them gives "
                    "review at most",
                    f'export them as text, or name the column in the policy: [ids] exact = ["{column}"]',
                    table=table,
                    column=column,
                )


CHECK = Check("Q27", __name__, __doc__, judge)
