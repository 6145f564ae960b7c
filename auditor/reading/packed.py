"""Columns that repeat a few texts: each row's place among the different texts, and these once. Texts that share memory."""

from collections.abc import Collection, Mapping

import numpy as np
import polars as pl
import pyarrow as pa

Texts = Mapping[str, pl.Series]
"""The packed columns, which hold places, and the different texts that these are places among."""
_MOST = 1 << 16
"""Of different numbers, that are packed."""
_INLINE = 12
"""Bytes of a text that polars keeps in the column itself."""


def with_texts(table: pa.Table, packed: Collection[str]) -> tuple[pl.DataFrame, dict[str, pl.Series]]:
    """Arrow's columns as polars', those of `packed` that are dictionaries of different texts in two."""
    texts, columns = {}, []
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_dictionary(column.type):
            one = column.unify_dictionaries()
            different = pl.Series(one.chunk(0).dictionary if one.num_chunks else [], dtype=pl.String)
            if name in packed and different.is_unique().all():
                texts[name] = different
                column = pa.chunked_array([part.indices.view(pa.uint32()) for part in one.chunks], pa.uint32())
            else:
                column = column.cast(column.type.value_type)
        columns.append(column)
    frame = pl.from_arrow(pa.table(columns, table.column_names))
    assert isinstance(frame, pl.DataFrame)
    return frame, texts


def owned(frame: pl.DataFrame) -> pl.DataFrame:
    """The same rows with texts of their own: a filtered column holds on to all texts of the one that it came from."""
    long = [name for name, dtype in frame.schema.items()
            if dtype == pl.String and (frame[name].str.len_bytes().max() or 0) > _INLINE]  # type: ignore[operator]  # fmt: skip
    if not long:
        return frame
    return frame.with_columns(pl.DataFrame(frame.select(long).to_arrow(compat_level=pl.CompatLevel.oldest())))


def firsts(numbers: pl.Series) -> tuple[pl.Series, pl.Series] | None:
    """The place of each row's number among the different ones, and a row that has each; None where there are too many."""
    whole = numbers.to_physical().cast(pl.Int64, strict=False)
    low, high = whole.to_frame("n").select(pl.min("n"), high=pl.max("n")).row(0)
    if low is None or high - low >= _MOST or whole.null_count() > numbers.null_count():
        return None
    places = (whole - low).fill_null(high - low + 1).to_numpy()
    rows = np.full(high - low + 2, -1)
    rows[places] = np.arange(len(places))
    there = rows >= 0
    return pl.Series(there.cumsum(dtype=np.uint32)[places] - 1), pl.Series(rows[there])
