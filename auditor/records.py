"""Rows of one id: duplicates collapse, rows that differ only in lists unite, contradictions are rejected."""

import polars as pl

from auditor.tables import TableSpec

DUPLICATE = "duplicate row"
CONFLICT = "conflicting rows for one id"


def one_per_id(spec: TableSpec, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Collapse duplicates, unite rows that differ only in lists, reject rows that contradict each other."""
    key = list(spec.key)
    repeated = rows.select(
        pl.struct(key).is_duplicated() if len(key) > 1 else pl.col(key[0]).is_duplicated()
    ).to_series()
    lists = [column.name for column in spec.columns.values() if column.is_list]
    plain = [name for name in rows.columns if name not in (*lists, "source_file", "source_record")]
    some = rows.filter(repeated).with_row_index("row")
    if some.is_empty():
        return rows, _as_rejects(some, "")
    texts = some.with_columns(pl.col(name).list.join(";") for name in lists)
    first = texts.select(pl.struct(*plain, *lists).is_first_distinct()).to_series()
    distinct = some.filter(first)
    variants = distinct.select(plain).unique().group_by(key).len("variants")
    distinct = distinct.join(variants, on=key, how="left", maintain_order="left")
    conflict = distinct.filter(pl.col("variants") > 1)
    kept = distinct.filter(pl.col("variants") == 1).drop("row", "variants")
    united = kept.group_by(key, maintain_order=True).agg(
        pl.exclude(*lists, *key).first(), *(pl.col(name).explode().drop_nulls().unique().sort() for name in lists)
    )
    rejects = pl.concat([_as_rejects(conflict, CONFLICT), _as_rejects(some.filter(~first), DUPLICATE)])
    return pl.concat([rows.filter(~repeated), united.select(rows.columns)]), rejects


def _as_rejects(rows: pl.DataFrame, reason: str) -> pl.DataFrame:
    patient = pl.col("patient_id") if "patient_id" in rows.columns else pl.lit(None, pl.String)
    return rows.select(
        "source_file", "source_record", column=pl.lit(""), reason=pl.lit(reason), patient_id=patient.cast(pl.String)
    )
