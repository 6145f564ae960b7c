"""Rows of one id: duplicates collapse, rows that differ only in lists unite, contradictions are rejected."""

import polars as pl

from auditor.tables import TableSpec

DUPLICATE = "duplicate row"
CONFLICT = "conflicting rows for one id"


def one_per_id(spec: TableSpec, rows: pl.DataFrame, sound: pl.Series) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Collapse duplicates, unite rows that differ only in lists, reject rows that contradict each other.

    Only `sound` rows take part; the others are left out. Wide frames are copied once: that is most of the time.
    """
    key = list(spec.key)
    id_ = pl.struct(key) if len(key) > 1 else pl.col(key[0])
    repeated = sound & rows.select(pl.when(sound).then(id_).is_duplicated()).to_series()
    alone = sound & ~repeated
    singles = rows if alone.all() else rows.filter(alone)
    if not repeated.any():
        return singles, _as_rejects(rows.clear(), "")
    lists = [column.name for column in spec.columns.values() if column.is_list]
    plain = [name for name in rows.columns if name not in (*lists, "source_file", "source_record")]
    some = rows.filter(repeated).with_row_index("row")
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
    return pl.concat([singles, united.select(rows.columns)]), rejects


def _as_rejects(rows: pl.DataFrame, reason: str) -> pl.DataFrame:
    patient = pl.col("patient_id") if "patient_id" in rows.columns else pl.lit(None, pl.String)
    return rows.select(
        "source_file", "source_record", column=pl.lit(""), reason=pl.lit(reason), patient_id=patient.cast(pl.String)
    )
