"""Columns that repeat a few texts: each row's place among the different texts, and these once. Texts that share memory."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from polars import selectors as cs

_MOST = 1 << 16
"""Of different numbers, that are packed."""
_INLINE = 12
"""Bytes of a text that polars keeps in the column itself."""


class Extent(NamedTuple):
    """The least and the greatest byte of some texts."""

    least: int
    greatest: int

    @property
    def is_plain(self) -> bool:
        """Whether all is printed, and nothing a blank or a quote: there is nothing to trim or to take off."""
        return self.least > ord("'") and self.greatest <= ord("~")

    @property
    def is_number(self) -> bool:
        """Whether there are but digits and signs."""
        return self.is_plain and self.greatest <= ord("9")

    @property
    def is_digits(self) -> bool:
        """Whether there are but digits."""
        return self.least >= ord("0") and self.greatest <= ord("9")


ANYTHING, NUMBERS = Extent(0, 255), Extent(ord("-"), ord("9"))
"""Of texts that nobody looked at, and of whole numbers."""


class Known(NamedTuple):
    """What is known of columns. `texts`: of the packed ones, which hold places, the different texts that these are among.

    `extents`: of others, where they were looked at.
    """

    texts: Mapping[str, pl.Series] = {}
    extents: Mapping[str, Extent] = {}

    def extent(self, name: str) -> Extent:
        """What a column's texts, as they were read, are made of."""
        return self.extents.get(name, ANYTHING)

    def named(self, names: Mapping[str, str]) -> "Known":
        """The same of columns that have new names: new → old."""
        texts, extents = self
        return Known(
            {new: texts[old] for new, old in names.items() if old in texts},
            {new: extents[old] for new, old in names.items() if old in extents},
        )


NOTHING = Known()


def known(table: pa.Table, packed: Collection[str]) -> tuple[pl.DataFrame, Known]:
    """Arrow's columns as polars', those of `packed` that are dictionaries of different texts in two."""
    texts, extents, columns = {}, {}, []
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_dictionary(column.type):
            one = column.unify_dictionaries()
            different = pl.Series(one.chunk(0).dictionary if one.num_chunks else [], dtype=pl.String)
            if name in packed and different.is_unique().all():
                texts[name] = different
                column = pa.chunked_array([part.indices.view(pa.uint32()) for part in one.chunks], pa.uint32())
            else:
                column = column.cast(column.type.value_type)
        elif is_text(column.type):
            extents[name] = extent(column)
        columns.append(column)
    frame = pl.from_arrow(pa.table(columns, table.column_names))
    assert isinstance(frame, pl.DataFrame)
    return frame.rechunk(), Known(texts, extents)


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds texts, one after another."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def extent(column: pa.ChunkedArray) -> Extent:
    """The extent of a column of texts, of which all are ASCII where it ends below 128."""
    least, greatest = 255, 0
    size = np.int64 if pa.types.is_large_string(column.type) else np.int32
    for part in column.chunks:
        _, offsets, texts = part.buffers()
        if len(part) and texts:
            places = np.frombuffer(offsets, size, len(part) + 1, part.offset * size().itemsize)
            some = np.frombuffer(texts, np.uint8)[places[0] : places[-1]]
            least, greatest = some.min(initial=least), some.max(initial=greatest)
    return Extent(int(least), int(greatest))


def extent_of(texts: Iterable[str | None]) -> Extent:
    """The extent of a few texts."""
    whole = "".join(text for text in texts if text).encode()
    return Extent(min(whole, default=255), max(whole, default=0))


def together(parts: Sequence[tuple[pl.DataFrame, Known]]) -> tuple[pl.DataFrame, Known]:
    """Rows of the same columns under each other. A column stays packed where it is so in all parts."""
    texts, extents, columns = {}, {}, []
    for name in parts[0][0].columns:
        some = [(frame[name], about.texts.get(name)) for frame, about in parts]
        if all(different is not None for _, different in some):
            places: dict[str | None, int] = {}
            some = [(_moved(values, different, places), None) for values, different in some]  # type: ignore[arg-type]
            texts[name] = pl.Series(list(places), dtype=pl.String)
        elif all(name in about.extents for _, about in parts):
            least, greatest = zip(*(about.extents[name] for _, about in parts), strict=True)
            extents[name] = Extent(min(least), max(greatest))
        spread = [values if different is None else different.gather(values) for values, different in some]
        columns.append(pl.concat(spread, rechunk=True).alias(name))
    return pl.DataFrame(columns), Known(texts, extents)


def _moved(values: pl.Series, texts: pl.Series, places: dict[str | None, int]) -> pl.Series:
    """Places among some texts as places among more, to which these are added."""
    moved = [places.setdefault(text, len(places)) for text in texts]
    return values if moved == list(range(len(moved))) else pl.Series(moved, dtype=pl.UInt32).gather(values)


def owned(frame: pl.DataFrame) -> pl.DataFrame:
    """The same rows with texts of their own: a filtered column holds on to all texts of the one that it came from."""
    sizes = frame.select(cs.string().str.len_bytes().max()).row(0, named=True)
    long = [name for name, size in sizes.items() if (size or 0) > _INLINE]
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
