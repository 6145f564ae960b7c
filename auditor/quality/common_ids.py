"""An id belongs to one record, and not to most rows.

What it checks: group ids that more than half of the filled rows of a column have, if the column has at least 20 filled
rows and 10 different values.

Why it matters: such an id may mean that nothing was entered. A relation by group then supports review at most.

What to do: correct the ids in the export, or leave the default value blank.

Source: docs/specification.md#common-ids.
"""

from collections.abc import Iterator

import polars as pl

from auditor.quality.issue import Check, Exports, Issue
from auditor.quality.profile import Profiles, TableProfile

_FILLED, _DIFFERENT = 20, 10


def dominating(rows: pl.DataFrame) -> pl.Series:
    """The hash of the id that most rows hold, if there is one. `rows`: each `id` and its `rows`."""
    filled = rows["rows"].sum()
    most = pl.lit(filled >= _FILLED and rows.height >= _DIFFERENT) & (2 * pl.col("rows") > filled)
    return rows.filter(most)["id"]


def blank_ids(profile: TableProfile) -> dict[str, pl.Series]:
    """By column the hashes of ids that mean nothing: problems that most rows hold, claims of several patients."""
    shared = profile.claimants.group_by("claim").agg(pl.col("patient").n_unique()).filter(pl.col("patient") > 1)
    rows = profile.rows_by_id.get("problem_id")
    found = {"claim_id": shared["claim"], "problem_id": pl.Series() if rows is None else dominating(rows)}
    return {name: ids for name, ids in found.items() if len(ids)}


def groups(profiles: Profiles, providers: pl.DataFrame) -> dict[str, pl.Series]:
    """By table the hash of the group that most rows hold, where there is one."""
    of_providers = providers["group_id"].drop_nulls().hash().alias("id").value_counts(name="rows")
    by_table = {"providers": of_providers} | {
        name: profile.rows_by_id["group_id"] for name, profile in profiles.items() if "group_id" in profile.rows_by_id
    }
    return {name: ids for name, rows in by_table.items() if len(ids := dominating(rows))}


def judge(exports: Exports) -> Iterator[Issue]:
    """Each table with such a group."""
    for table in exports.report.common_groups:
        yield CHECK.warn(
            f"{table}.group_id: more than half of the rows have one id, so what the group shows gives review at most",
            "leave the column blank where no group is known",
            table=table,
            column="group_id",
        )


CHECK = Check("Q26", __name__, __doc__, judge)
