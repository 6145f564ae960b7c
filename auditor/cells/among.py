"""Whether a text may be one of very many: one look into a table of marks, however many there are.

A text that is one of them is always found; of the others a few are too. Every process of one version agrees.
"""

import polars as pl

_MOST_BITS, _SPARE_BITS, _SPARE_AROUND = 24, 7, 4
"""Of a place in the table: a hundred places for a member, up to 16 million places; fewer where days decide too."""


class Among:
    """The texts, or hashes, that others are compared with."""

    def __init__(self, members: pl.Series) -> None:
        """Nulls are no members."""
        self._members = members
        known = members.drop_nulls()
        self._bits = _bits(len(known), _SPARE_BITS)
        blank = pl.repeat(False, 1 << self._bits, dtype=pl.Boolean, eager=True)
        self._marks = blank.scatter(_places(known, self._bits).unique(), True)
        self._none = known.is_empty()

    def __len__(self) -> int:
        """How many were given."""
        return len(self._members)

    def __reduce__(self) -> tuple[type["Among"], tuple[pl.Series]]:
        """Made anew in another process: the members are smaller than the marks."""
        return Among, (self._members,)

    def has(self, values: pl.Series) -> pl.Series:
        """A mask of the values that may be members; null is none."""
        if self._none:
            return pl.repeat(False, len(values), dtype=pl.Boolean, eager=True)
        return self._marks.gather(_places(values, self._bits)) & values.is_not_null()


class Around:
    """Texts with a span of days each."""

    def __init__(self, spans: pl.DataFrame) -> None:
        """`spans`: a text, its first day and its last."""
        self._spans = spans
        text, first, last = spans.columns
        known = spans.drop_nulls()
        self._bits = _bits(known[text].n_unique(), _SPARE_AROUND)
        near = known.select(place=_places(known[text], self._bits), first=first, last=last)
        near = near.group_by("place").agg(pl.col("first").min(), pl.col("last").max())
        never = pl.repeat(0, 1 << self._bits, dtype=pl.Int32, eager=True)
        self._first = (never + (1 << 30)).scatter(near["place"], near["first"].to_physical()).cast(pl.Int32)
        self._last = (never - (1 << 30)).scatter(near["place"], near["last"].to_physical()).cast(pl.Int32)

    def __reduce__(self) -> tuple[type["Around"], tuple[pl.DataFrame]]:
        """Made anew in another process."""
        return Around, (self._spans,)

    def has(self, texts: pl.Series, days: pl.Series) -> pl.Series:
        """A mask of the pairs that may lie in the span of their text."""
        places, day = _places(texts, self._bits), days.to_physical()
        return ((day >= self._first.gather(places)) & (day <= self._last.gather(places))).fill_null(False)


def _bits(members: int, spare: int) -> int:
    return min(_MOST_BITS, members.bit_length() + spare)


def _places(values: pl.Series, bits: int) -> pl.Series:
    hashes = values if values.dtype == pl.UInt64 else values.hash()
    return (hashes // (1 << (64 - bits))).cast(pl.UInt32)
