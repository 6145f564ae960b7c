"""Rows of one claim line that follow one another: a payment, its reversal, a correction, a denial.

Source: docs/specification.md#several-rows-of-one-line.
"""

from collections import defaultdict
from decimal import Decimal
from typing import Any

import polars as pl

from auditor.parsing.adjustment_rows import AMOUNTS, is_adjustment, takes_back
from auditor.schema.tables import TableSpec

MAY_CHANGE = ("claim_status", "claim_status_sure", *AMOUNTS, "units", "modifiers", "processed_date")
"""The columns in which rows of one line may differ."""
_Row = dict[str, Any]
_ACTIVE, _REVERSAL, _OF_CLAIM = 1, 2, 3
"""An active row; one that takes an amount back; one that voids or replaces all rows of its own claim."""


def is_own_record(spec: TableSpec, columns: list[str]) -> pl.Expr:
    """Whether a row conflicts with no row of its id: an adjustment, or a void or denied row of the claims."""
    if "frequency_code" not in columns:
        return pl.lit(False)
    if spec.name != "claims":
        return is_adjustment()
    return is_adjustment() | pl.col("claim_status").is_in(["void", "denied"])


def links(spec: TableSpec, rows: pl.DataFrame) -> dict[str, Any]:
    """What tells whether rows of one line follow one another: `role`, amounts, date, and a hash of the rest (`core`)."""
    if spec.name != "claims":
        return {}
    acts = pl.col("frequency_code").is_in(["replacement", "void"]).fill_null(False)
    status = pl.col("claim_status")
    of_claim = (
        acts & (status != "denied") & (pl.col("original_claim_id").fill_null(pl.col("claim_id")) == pl.col("claim_id"))
    )
    role = (
        pl.when(~is_own_record(spec, rows.columns)).then(_ACTIVE)
        .when(of_claim).then(_OF_CLAIM)
        .when(~acts & status.is_in(["active", "reversed"])).then(_REVERSAL)
        .otherwise(0).cast(pl.UInt8)
    )  # fmt: skip
    return {"role": role, "core": core(rows), "processed": pl.col("processed_date")} | {
        f"amount {name}": pl.col(name).cast(pl.Decimal(18, 2)) for name in AMOUNTS
    }


def core(rows: pl.DataFrame) -> pl.Series:
    """A hash of what rows of one line have in common, however they are paid."""
    kept = rows.drop(*MAY_CHANGE, "source_file", "source_record", strict=False)
    lists = [name for name, dtype in kept.schema.items() if isinstance(dtype, pl.List)]
    return kept.with_columns(pl.col(name).list.join(";") for name in lists).hash_rows()


def following(spec: TableSpec, rows: pl.DataFrame, doubtful: pl.Series) -> pl.Series:
    """The hashes (`proof`) of the ids among `doubtful` whose active rows follow one another: they are no conflict.

    `rows`: rows of `duplicate_keys`.
    """
    if spec.name != "claims":
        return pl.Series(dtype=pl.UInt64)
    of_id = defaultdict(list)
    for row in rows.filter(pl.col("proof").is_in(doubtful.implode()) & (pl.col("role") > 0)).to_dicts():
        of_id[row["proof"]].append(row)
    return pl.Series([proof for proof, group in of_id.items() if _is_chain(group)], dtype=pl.UInt64)


def _is_chain(rows: list[_Row]) -> bool:
    active = sorted(
        (row for row in rows if row["role"] == _ACTIVE),
        key=lambda row: (row["processed"] is not None, row["processed"]),
    )
    if any(row["role"] == _OF_CLAIM for row in rows):
        return True
    if len({row["core"] for row in active}) > 1:
        return False
    for reversal in (row for row in rows if row["role"] == _REVERSAL):
        if undone := [row for row in active if takes_back(_amounts(reversal), _amounts(row))]:
            active.remove(undone[-1])
    dates = [row["processed"] for row in active]
    return len({row["plain"] for row in active}) <= 1 or (None not in dates and len(set(dates)) == len(dates))


def _amounts(row: _Row) -> list[Decimal | None]:
    return [row[f"amount {name}"] for name in AMOUNTS]
