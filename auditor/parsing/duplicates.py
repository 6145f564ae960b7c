"""Which rows with one id are one record: copies collapse, rows that differ only in lists merge, conflicts are rejected.

Rows are compared by hashes, so that overlapping exports need not be kept in memory: 128 bits for the id, and 64 bits for the
values of rows with one id.

Source: docs/specification.md#duplicates-and-conflicts.
"""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from auditor.parsing import chains
from auditor.parsing.table_parser import ROW_SOURCE
from auditor.schema.tables import TableSpec

DUPLICATE = "duplicate row"
CONFLICT = "conflicting rows for one id"
_ID = ("id", "proof")
_OF = "of "
"""Begins the names of the columns with 16 bits of each column."""


class Resolution(NamedTuple):
    """Which rows are used. The first three are rows of `duplicate_keys`.

    `kept`: the rows that are used; those with one id differ in lists. `representatives`: the first kept row of each id.
    `conflicts`: rows that contradict each other, without copies. `rejects`: the rejects of conflicts and copies.
    """

    kept: pl.DataFrame
    representatives: pl.DataFrame
    conflicts: pl.DataFrame
    rejects: pl.DataFrame


def hashed(key: Sequence[pl.Series]) -> pl.Series:
    """Hash the parts of each row's id to 64 bits (UInt64 `id`); null where a part is. Only polars of one version agree."""
    hashes = key[0].hash() if len(key) == 1 else pl.DataFrame(list(key)).hash_rows()
    for part in key:
        if part.null_count():
            hashes = hashes.set(part.is_null(), None)
    return hashes.alias("id")


def duplicate_keys(spec: TableSpec, rows: pl.DataFrame, *names: str) -> pl.DataFrame:
    """The keys by which duplicates of typed rows are found.

    Result: ROW_SOURCE, the columns `names`, `patient_id`, and hashes (UInt64): `id` and `proof`, together 128 bits of the
    id; `plain`, all columns that must agree; `whole`, all columns; those of `chains.links`; and 16 bits of each column that
    must agree. An adjustment is a record of its own: its `id` is that of all its columns, which only exact copies share.
    """
    lists, united = _lists(spec), _united(spec)
    plain = rows.drop(*ROW_SOURCE, *united)
    whole = rows.select(
        *plain.columns, *set(united) - set(lists), *(pl.col(name).list.join(";") for name in lists)
    ).hash_rows()
    own_record = chains.is_own_record(spec, rows.columns)
    key = rows.select(spec.key)
    patient = pl.col("patient_id") if "patient_id" in rows.columns else pl.lit(None, pl.String)
    return rows.select(
        *ROW_SOURCE,
        *names,
        patient_id=patient,
        id=pl.when(own_record).then(whole).otherwise(key.hash_rows()),
        proof=key.hash_rows(1),
        plain=plain.hash_rows(),
        whole=whole,
        **chains.links(spec, rows),
        **{f"{_OF}{name}": rows.select(typed).hash_rows() % 2**16 for name, typed in _columns(spec, plain).items()},
    ).with_columns(pl.col(f"^{_OF}.*$").cast(pl.UInt16))


def _lists(spec: TableSpec) -> list[str]:
    return [column.name for column in spec.columns.values() if column.is_list]


def _united(spec: TableSpec) -> list[str]:
    """The columns that rows of one record may differ in: lists are united, and of global periods the longest counts."""
    return [*_lists(spec), *(["global_days"] if spec.name == "visits" else [])]


def _columns(spec: TableSpec, plain: pl.DataFrame) -> dict[str, list[str]]:
    """Each column of the table and its typed columns, such as `booked_at` and `booked_at_date_only`."""
    found: dict[str, list[str]] = {}
    for typed in plain.columns:
        name = max((name for name in spec.columns if f"{typed}_".startswith(f"{name}_")), key=len, default=typed)
        found.setdefault(name, []).append(typed)
    return {name: typed for name, typed in found.items() if name not in spec.key}


def resolve(spec: TableSpec, keys: pl.DataFrame) -> Resolution:
    """Resolve rows of `duplicate_keys`, given in order: the first of equal rows is kept."""
    is_copy = ~keys.select(_is_first("id", "whole")).to_series()
    distinct, copies = keys.filter(~is_copy), _as_rejects(keys.filter(is_copy), DUPLICATE)
    first = distinct.select(_is_first(*_ID)).to_series()
    several = distinct.with_row_index("row").filter(pl.col("id").is_in(distinct.filter(~first)["id"].implode()))
    contradictory = several.filter(pl.col("plain").n_unique().over(_ID) > 1)["row"]
    is_valid = pl.repeat(True, distinct.height, dtype=pl.Boolean, eager=True).scatter(contradictory, False)
    chained = chains.following(spec, distinct, distinct[contradictory]["proof"].unique())
    if len(chained):  # records of their own: billing settles which of them stands
        follows = pl.col("proof").is_in(chained.implode()) & (pl.col("role") == 1)
        distinct = distinct.with_columns(id=pl.when(follows).then("plain").otherwise("id"))
        first = distinct.select(_is_first(*_ID)).to_series()
        contradictory = contradictory.filter(~distinct[contradictory]["proof"].is_in(chained.implode()))
        is_valid = pl.repeat(True, distinct.height, dtype=pl.Boolean, eager=True).scatter(contradictory, False)
    conflicts, kept = distinct[contradictory], distinct if contradictory.is_empty() else distinct.filter(is_valid)
    representatives = kept if first.all() else distinct.filter(first & is_valid)
    return Resolution(kept, representatives, conflicts, pl.concat([_of_conflicts(spec, conflicts), copies]))


def with_proof(spec: TableSpec, rows: pl.DataFrame) -> pl.DataFrame:
    """Typed rows with the `proof` of `duplicate_keys`, which all rows of one id share."""
    return rows.with_columns(proof=rows.select(spec.key).hash_rows(1))


def merge_lists(spec: TableSpec, rows: pl.DataFrame, kept: pl.DataFrame) -> pl.DataFrame:
    """The typed rows that are kept, in order: one for each id, with the lists of all its rows united."""
    lists, united = _lists(spec), _united(spec)
    longest = [pl.col(name).max() for name in united if name not in lists]
    rows = with_proof(spec, rows)  # a record may give several rows
    duplicates = rows.join(kept.select(*ROW_SOURCE, *_ID), on=[*ROW_SOURCE, "proof"], maintain_order="left")
    merged = duplicates.group_by(_ID, maintain_order=True).agg(
        pl.exclude(*united, *_ID).first(),
        *longest,
        *(pl.col(name).explode().drop_nulls().unique().sort() for name in lists),
    )
    return merged.select(rows.drop("proof").columns)


def one_per_id(spec: TableSpec, singles: pl.DataFrame, repeats: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """All rows that are used, and rejects. `singles`: typed rows with an id of their own; `repeats`: the others."""
    resolution = resolve(spec, duplicate_keys(spec, repeats))
    return pl.concat([singles, merge_lists(spec, repeats, resolution.kept)]), resolution.rejects


def _is_first(*hashes: str) -> pl.Expr:
    """Whether no row before has these hashes, each looked at by itself: in pairs they take ten times the memory."""
    return pl.any_horizontal(pl.col(hashes).is_first_distinct())


def _of_conflicts(spec: TableSpec, conflicts: pl.DataFrame) -> pl.DataFrame:
    """The rejects of conflicts: a reason names the columns in which the rows of one id differ."""
    names = [name for name in spec.columns if f"{_OF}{name}" in conflicts.columns]
    different = [pl.when(pl.col(f"{_OF}{name}").n_unique().over(_ID) > 1).then(pl.lit(name)) for name in names]
    reasons = conflicts.select(
        pl.format(f"{CONFLICT}: {{}} differ", pl.concat_str(different, separator=", ", ignore_nulls=True)).alias(
            "reason"
        )
    )
    return _as_rejects(conflicts, CONFLICT).with_columns(reasons)


def _as_rejects(keys: pl.DataFrame, reason: str) -> pl.DataFrame:
    return keys.select(*ROW_SOURCE, column=pl.lit(""), reason=pl.lit(reason), patient_id="patient_id")
