"""Dictionary encoding of columns that repeat a few texts, byte ranges of texts, and texts that share memory."""

from collections.abc import Collection, Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from polars import selectors as cs

_MOST_VALUES = 1 << 16
"""Most distinct numbers of a column that is dictionary-encoded."""
_INLINE = 12
"""Length in bytes of a text that polars stores in the column itself."""


class ByteRange(NamedTuple):
    """The smallest and the greatest byte of some texts; the smallest with which one begins; bytes of the shortest."""

    least: int
    greatest: int
    first: int = 0
    shortest: int = 0

    @property
    def is_plain(self) -> bool:
        """Whether all characters are printable and none is a blank or a quote, so that nothing is stripped."""
        return self.least > ord("'") and self.greatest <= ord("~")

    @property
    def is_number(self) -> bool:
        """Whether all characters are digits or signs."""
        return self.is_plain and self.greatest <= ord("9")

    @property
    def has_signs(self) -> bool:
        """Whether a text may be more than digits and signs, and hold a sign or blank that is less than the digits."""
        return self.least < ord("0") and not self.is_number

    @property
    def is_digits(self) -> bool:
        """Whether all characters are digits."""
        return self.least >= ord("0") and self.greatest <= ord("9")

    @property
    def begins_with_capital(self) -> bool:
        """Whether each text begins with a capital letter, and nothing is stripped."""
        return self.is_plain and self.first >= ord("A") and self.greatest <= ord("Z")

    @property
    def has_alphanumerics(self) -> bool:
        """Whether each text is known to hold a letter or a digit, and nothing is stripped."""
        return self.is_digits or self.begins_with_capital

    @property
    def is_bare(self) -> bool:
        """Whether all texts are numbers without leading zeros, or capitals and digits behind a capital."""
        if self.is_digits:
            return self.first >= ord("1")
        return self.least >= ord("0") and self.begins_with_capital

    def may_be(self, word: str) -> bool:
        """Whether one of the texts may be a word, in capitals or not."""
        signs = (word.casefold(), word.casefold().upper())
        within = (any(self.least <= ord(sign) <= self.greatest for sign in both) for both in zip(*signs, strict=False))
        return len(word.casefold()) >= self.shortest and all(within)

    def __or__(self, other: "ByteRange") -> "ByteRange":
        """The range of both texts."""
        least, greatest, first, shortest = zip(self, other, strict=True)
        return ByteRange(min(least), max(greatest), min(first), min(shortest))


ANY_BYTES, NO_BYTES, NUMBERS = ByteRange(0, 255), ByteRange(255, 0, 255, 1 << 62), ByteRange(ord("-"), ord("9"))
"""The range of texts that were not examined, of no text, and of whole numbers."""


class ColumnHints(NamedTuple):
    """Hints about columns. `texts`: of those that are dictionary-encoded, and so hold codes, the distinct texts.

    `byte_ranges`: of others, where they were looked at.
    """

    texts: Mapping[str, pl.Series] = {}
    byte_ranges: Mapping[str, ByteRange] = {}

    def byte_range(self, name: str) -> ByteRange:
        """The byte range of a column's texts as they were read."""
        if name in self.texts:
            return byte_range_of(self.texts[name])
        return self.byte_ranges.get(name, ANY_BYTES)

    def renamed(self, names: Mapping[str, str]) -> "ColumnHints":
        """The same of columns that have new names: new → old."""
        texts, byte_ranges = self
        return ColumnHints(
            {new: texts[old] for new, old in names.items() if old in texts},
            {new: byte_ranges[old] for new, old in names.items() if old in byte_ranges},
        )


NO_HINTS = ColumnHints()


def from_arrow(table: pa.Table, encoded: Collection[str]) -> tuple[pl.DataFrame, ColumnHints]:
    """Arrow's columns as polars', with hints; those of `encoded` stay dictionary-encoded where their texts are distinct."""
    texts, byte_ranges, columns = {}, {}, []
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_dictionary(column.type):
            unified = column.unify_dictionaries()
            distinct = _as_series(unified.chunk(0).dictionary) if unified.num_chunks else pl.Series(dtype=pl.String)
            if name in encoded and distinct.is_unique().all():
                texts[name] = distinct
                column = pa.chunked_array([part.indices.view(pa.uint32()) for part in unified.chunks], pa.uint32())
            else:
                column = column.cast(column.type.value_type)
        elif is_text(column.type):
            byte_ranges[name] = byte_range(column)
        columns.append(column)
    frame = pl.from_arrow(pa.table(columns, table.column_names))
    assert isinstance(frame, pl.DataFrame)
    return frame.rechunk(), ColumnHints(texts, byte_ranges)


def _as_series(texts: pa.Array) -> pl.Series:
    """As `pl.Series`, which imports all of Arrow's functions first."""
    frame = pl.from_arrow(pa.table([texts], [""]))
    assert isinstance(frame, pl.DataFrame)
    return frame.to_series().cast(pl.String)


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds texts, one after another."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def byte_range(column: pa.ChunkedArray) -> ByteRange:
    """The extent of a column of texts, of which all are ASCII where it ends below 128."""
    extent = NO_BYTES
    size = np.int64 if pa.types.is_large_string(column.type) else np.int32
    for part in filter(len, column.chunks):
        _, offsets, texts = part.buffers()
        bounds = np.frombuffer(offsets, size, len(part) + 1, part.offset * size().itemsize)
        sizes, starts = np.diff(bounds), bounds[:-1] - bounds[0]
        used = np.frombuffer(texts or b"", np.uint8)[bounds[0] : bounds[-1]]
        first = used[starts if sizes.all() else starts[sizes > 0]]
        least, greatest = used.min(initial=255), used.max(initial=0)
        extent |= ByteRange(*map(int, (least, greatest, first.min(initial=255), sizes.min())))
    return extent


def byte_range_of(texts: pl.Series) -> ByteRange:
    """The extent of texts."""
    return byte_range(pa.chunked_array([texts.to_arrow(compat_level=pl.CompatLevel.oldest())]))


def concat(parts: Sequence[tuple[pl.DataFrame, ColumnHints]]) -> tuple[pl.DataFrame, ColumnHints]:
    """Concatenate rows of the same columns. A column stays dictionary-encoded where it is so in all parts."""
    texts, byte_ranges, columns = {}, {}, []
    for name in parts[0][0].columns:
        columns_of_parts = [(frame[name], hints.texts.get(name)) for frame, hints in parts]
        if all(distinct is not None for _, distinct in columns_of_parts):
            codes: dict[str | None, int] = {}
            columns_of_parts = [(_recoded(values, distinct, codes), None) for values, distinct in columns_of_parts]  # type: ignore[arg-type]
            texts[name] = pl.Series(list(codes), dtype=pl.String)
        elif all(name in hints.byte_ranges for _, hints in parts):
            byte_ranges[name] = reduce(or_, (hints.byte_ranges[name] for _, hints in parts))
        decoded = [values if distinct is None else distinct.gather(values) for values, distinct in columns_of_parts]
        columns.append(pl.concat(decoded, rechunk=True).alias(name))
    return pl.DataFrame(columns), ColumnHints(texts, byte_ranges)


def _recoded(values: pl.Series, texts: pl.Series, codes: dict[str | None, int]) -> pl.Series:
    """Places among some texts as places among more, to which these are added."""
    recoded = [codes.setdefault(text, len(codes)) for text in texts]
    return values if recoded == list(range(len(recoded))) else pl.Series(recoded, dtype=pl.UInt32).gather(values)


def detached(frame: pl.DataFrame) -> pl.DataFrame:
    """The same rows with texts of their own: a filtered column holds on to all texts of the one that it came from.

    All rows share the one text of `source_file`, which would take room in each.
    """
    sizes = frame.select(cs.string().str.len_bytes().max()).row(0, named=True)
    long = [name for name, size in sizes.items() if (size or 0) > _INLINE and name != "source_file"]
    if not long:
        return frame
    return frame.with_columns(pl.DataFrame(frame.select(long).to_arrow(compat_level=pl.CompatLevel.oldest())))


def factorize(numbers: pl.Series) -> tuple[pl.Series, pl.Series] | None:
    """The place of each row's number among the different ones, and a row that has each; None where there are too many."""
    whole = numbers.to_physical().cast(pl.Int64, strict=False)
    low: Any = whole.min()
    high: Any = whole.max()
    if low is None or high - low >= _MOST_VALUES or whole.null_count() > numbers.null_count():
        return None
    codes = (whole - low).fill_null(high - low + 1).to_numpy()
    rows = np.full(high - low + 2, -1)
    rows[codes] = np.arange(len(codes))
    occurs = rows >= 0
    return pl.Series(occurs.cumsum(dtype=np.uint32)[codes] - 1), pl.Series(rows[occurs])
