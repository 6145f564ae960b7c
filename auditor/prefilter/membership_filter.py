"""Filters that a text may pass: a one-hash Bloom filter, and a date range per key.

There are no false negatives, and few false positives. Every process of one version gives the same answers.
"""

from copy import copy

import polars as pl

_MOST_BITS, _SPARE_BITS, _SPARE_BITS_OF_RANGES = 24, 7, 4
"""Bits of a slot: a hundred slots for a member, up to 16 million; fewer where days decide too."""


class MembershipFilter:
    """A one-hash Bloom filter of texts, or of hashes."""

    def __init__(self, members: pl.Series, room: int = 0) -> None:
        """Nulls are no members. `room`: how many there may be once it is united with others."""
        present = members.drop_nulls()
        self._bits = _bits(max(room, len(present)), _SPARE_BITS)
        blank = pl.repeat(False, 1 << self._bits, dtype=pl.Boolean, eager=True)
        self._marks = blank.scatter(_slots(present, self._bits).unique(), True)
        self._is_empty = present.is_empty()

    def __or__(self, other: "MembershipFilter") -> "MembershipFilter":
        """The members of both, which have the same room."""
        united = copy(self)
        united._marks, united._is_empty = self._marks | other._marks, self._is_empty and other._is_empty
        return united

    def may_contain(self, values: pl.Series) -> pl.Series:
        """A mask of the values that may be members; null is none."""
        if self._is_empty:
            return pl.repeat(False, len(values), dtype=pl.Boolean, eager=True)
        return self._marks.gather(_slots(values, self._bits)) & values.is_not_null()


class DateRangeFilter:
    """A date range for each text."""

    def __init__(self, spans: pl.DataFrame) -> None:
        """`spans`: a text, its first day and its last."""
        self._spans = spans
        text, first, last = spans.columns
        present = spans.drop_nulls()
        self._bits = _bits(present[text].n_unique(), _SPARE_BITS_OF_RANGES)
        ranges = present.select(slot=_slots(present[text], self._bits), first=first, last=last)
        ranges = ranges.group_by("slot").agg(pl.col("first").min(), pl.col("last").max())
        never = pl.repeat(0, 1 << self._bits, dtype=pl.Int32, eager=True)
        self._first = (never + (1 << 30)).scatter(ranges["slot"], ranges["first"].to_physical()).cast(pl.Int32)
        self._last = (never - (1 << 30)).scatter(ranges["slot"], ranges["last"].to_physical()).cast(pl.Int32)

    def __reduce__(self) -> tuple[type["DateRangeFilter"], tuple[pl.DataFrame]]:
        """Made anew in another process."""
        return DateRangeFilter, (self._spans,)

    def may_contain(self, texts: pl.Series, days: pl.Series) -> pl.Series:
        """A mask of the pairs that may lie in the span of their text."""
        slots, day = _slots(texts, self._bits), days.to_physical()
        return ((day >= self._first.gather(slots)) & (day <= self._last.gather(slots))).fill_null(False)


def _bits(members: int, spare: int) -> int:
    return min(_MOST_BITS, members.bit_length() + spare)


def _slots(values: pl.Series, bits: int) -> pl.Series:
    hashes = values if values.dtype == pl.UInt64 else values.hash()
    return (hashes // (1 << (64 - bits))).cast(pl.UInt32)
