"""Rows of one id: duplicates collapse, rows that differ only in lists unite, contradictions are rejected.

Rows are told apart by hashes: their ids by 128 bits, and what they say, within an id, by 64. So exports that overlap are not
held in memory for it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from auditor.cells.adjustments import is_adjustment
from auditor.cells.values import PLACE
from auditor.schema.tables import TableSpec

DUPLICATE = "duplicate row"
CONFLICT = "conflicting rows for one id"
_ID = ("id", "proof")


class Twins(NamedTuple):
    """What becomes of rows that may share their ids.

    `kept`: those that are used, together where they differ in lists; `heads`: one of each id. `conflicts`: those that
    contradict each other, each once. `rejects`: these, and all copies.
    """

    kept: pl.DataFrame
    heads: pl.DataFrame
    conflicts: pl.DataFrame
    rejects: pl.DataFrame


def hashed(key: Sequence[pl.Series]) -> pl.Series:
    """64 bits of each row's id, whose parts these are; null where one of them is. The same in processes of one version."""
    made = key[0].hash() if len(key) == 1 else pl.DataFrame(list(key)).hash_rows()
    for part in key:
        if part.null_count():
            made = made.set(part.is_null(), None)
    return made.alias("id")


def twins(spec: TableSpec, rows: pl.DataFrame, *names: str) -> pl.DataFrame:
    """What tells rows of one id apart: where they stand, patient_id, hashes, and some columns.

    `id` and `proof` of the id, `plain` of all columns but lists, `whole` of all. An adjustment is a record of its own.
    """
    lists = [column.name for column in spec.columns.values() if column.is_list]
    plain = rows.drop(*PLACE, *lists)
    whole = rows.select(*plain.columns, *(pl.col(name).list.join(";") for name in lists)).hash_rows()
    adjusts = is_adjustment() if "frequency_code" in rows.columns else pl.lit(False)
    key = rows.select(spec.key)
    patient = pl.col("patient_id") if "patient_id" in rows.columns else pl.lit(None, pl.String)
    return rows.select(
        *PLACE,
        *names,
        patient_id=patient,
        id=pl.when(adjusts).then(whole).otherwise(key.hash_rows()),
        proof=key.hash_rows(1),
        plain=plain.hash_rows(),
        whole=whole,
    )


def once(twins: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The first of each row, in order, and the rejects that its copies are."""
    first = twins.select(_is_first("id", "whole")).to_series()
    return twins.filter(first), _as_rejects(twins.filter(~first), DUPLICATE)


def decided(twins: pl.DataFrame) -> Twins:
    """What becomes of rows of one id, given in order."""
    distinct, copies = once(twins)
    first = distinct.select(_is_first(*_ID)).to_series()
    several = distinct.with_row_index("row").filter(pl.col("id").is_in(distinct.filter(~first)["id"].implode()))
    contrary = several.filter(pl.col("plain").n_unique().over(_ID) > 1)["row"]
    sound = pl.repeat(True, distinct.height, dtype=pl.Boolean, eager=True).scatter(contrary, False)
    conflicts, kept = distinct[contrary], distinct if contrary.is_empty() else distinct.filter(sound)
    heads = kept if first.all() else distinct.filter(first & sound)
    return Twins(kept, heads, conflicts, pl.concat([_as_rejects(conflicts, CONFLICT), copies]))


def united(spec: TableSpec, rows: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    """The rows that are kept, in the order given; those that differ in lists as one, with the lists united."""
    lists = [column.name for column in spec.columns.values() if column.is_list]
    some = rows.join(kept.select(*PLACE, *_ID), on=PLACE, maintain_order="left")
    together = some.group_by(_ID, maintain_order=True).agg(
        pl.exclude(*lists, *_ID).first(), *(pl.col(name).explode().drop_nulls().unique().sort() for name in lists)
    )
    return together.select(rows.columns)


def one_per_id(spec: TableSpec, singles: pl.DataFrame, repeats: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """All rows that are used, and rejects. `singles` are the rows whose id no other row has, and `repeats` the others."""
    found = decided(twins(spec, repeats))
    return pl.concat([singles, united(spec, repeats, found.kept)]), found.rejects


def _is_first(*hashes: str) -> pl.Expr:
    """Whether no row before has these hashes. They are looked at one by one: in pairs they take ten times the memory."""
    return pl.any_horizontal(pl.col(hashes).is_first_distinct())


def _as_rejects(twins: pl.DataFrame, reason: str) -> pl.DataFrame:
    return twins.select(*PLACE, column=pl.lit(""), reason=pl.lit(reason), patient_id="patient_id")
