"""Rows of one id: duplicates collapse, rows that differ only in lists unite, contradictions are rejected."""

from collections.abc import Sequence

import polars as pl

from auditor.cells.adjustments import is_adjustment
from auditor.schema.tables import TableSpec

DUPLICATE = "duplicate row"
CONFLICT = "conflicting rows for one id"


def hashed(key: Sequence[pl.Series]) -> pl.Series:
    """64 bits of each row's id, whose parts these are; null where one of them is. The same in processes of one version."""
    made = key[0].hash() if len(key) == 1 else pl.DataFrame(list(key)).hash_rows()
    for part in key:
        if part.null_count():
            made = made.set(part.is_null(), None)
    return made.alias("id")


def one_per_id(spec: TableSpec, singles: pl.DataFrame, repeats: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Collapse duplicates, unite rows that differ only in lists, reject rows that contradict each other.

    `singles` are the rows whose id no other row has, and `repeats` the others.
    """
    if repeats.is_empty():
        return singles, _as_rejects(repeats, "")
    key = list(spec.key)
    lists = [column.name for column in spec.columns.values() if column.is_list]
    plain = [name for name in repeats.columns if name not in (*lists, "source_file", "source_record")]
    texts = repeats.with_columns(pl.col(name).list.join(";") for name in lists)
    first = texts.select(pl.struct(*plain, *lists).is_first_distinct()).to_series()
    distinct = repeats.filter(first).with_columns(own=pl.lit(0, pl.Int64))
    if "frequency_code" in distinct.columns:  # a record of its own, whatever its id
        distinct = distinct.with_columns(own=pl.when(is_adjustment()).then(pl.int_range(pl.len()) + 1).otherwise("own"))
    key, plain = [*key, "own"], [*plain, "own"]
    variants = distinct.select(plain).unique().group_by(key).len("variants")
    distinct = distinct.join(variants, on=key, how="left", maintain_order="left")
    conflict = distinct.filter(pl.col("variants") > 1)
    kept = distinct.filter(pl.col("variants") == 1).drop("variants")
    united = kept.group_by(key, maintain_order=True).agg(
        pl.exclude(*lists, *key).first(), *(pl.col(name).explode().drop_nulls().unique().sort() for name in lists)
    )
    rejects = pl.concat([_as_rejects(conflict, CONFLICT), _as_rejects(repeats.filter(~first), DUPLICATE)])
    return pl.concat([singles, united.select(repeats.columns)]), rejects


def _as_rejects(rows: pl.DataFrame, reason: str) -> pl.DataFrame:
    patient = pl.col("patient_id") if "patient_id" in rows.columns else pl.lit(None, pl.String)
    return rows.select(
        "source_file", "source_record", column=pl.lit(""), reason=pl.lit(reason), patient_id=patient.cast(pl.String)
    )
