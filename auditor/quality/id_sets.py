"""Ids that are looked for among others: exactly by hash, and once both are normalized.

Source: docs/specification.md#nearly-equal-ids.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import combinations

import polars as pl

from auditor.parsing.duplicates import hashed
from auditor.parsing.identifiers import DIFFERENCES, REFERENCE, are_digits, folded
from auditor.parsing.numbers import SCIENTIFIC
from auditor.prefilter.membership_filter import MembershipFilter
from auditor.reading.dictionary import ANY_BYTES, ByteRange, byte_range_of

_ROUNDING = "rounding"


class IdSet:
    """Ids that others are compared with."""

    def __init__(self, values: pl.Series) -> None:
        """The different ones are kept; nulls are none."""
        different = values.drop_nulls().unique().alias("value")
        self._values = pl.DataFrame([different, hashed([different]).alias("hash")])
        self._filter, self._digits = MembershipFilter(self._values["hash"]), _digits(different)

    def exact_matches(self, hashes: pl.Series) -> pl.Series:
        """The different ones of some texts' hashes that are those of ids; a few others may be among them."""
        return hashes.filter(self._filter.may_contain(hashes)).unique()

    def of(self, hashes: pl.Series) -> pl.DataFrame:
        """The ids that have these hashes (`value`)."""
        return self._values.filter(pl.col("hash").is_in(hashes.implode())).select("value")

    def normalized_matches(self, texts: pl.Series, byte_range: ByteRange = ANY_BYTES) -> pl.DataFrame:
        """Which of the ids (`value`) are among the texts of an extent nearly, and `how` they differ."""
        return self.pairs(texts, byte_range).select("value", "how").unique()

    def pairs(self, texts: pl.Series, extent: ByteRange = ANY_BYTES) -> pl.DataFrame:
        """The ids (`value`) with each `text` of an extent that they nearly equal, and `how` they differ."""
        nothing = pl.DataFrame(schema={"value": pl.String, "text": pl.String, "how": pl.String})
        if self._values.is_empty() or texts.null_count() == len(texts):
            return nothing
        if extent.is_bare and self._is_bare:  # folding changes no text, and none is a rounded number
            return nothing
        if self._digits and _digits(texts, extent) == self._digits:
            return nothing
        values, alike = self._folded
        others = _folded(texts.drop_nulls().alias("text"))
        near = others.filter(alike.may_contain(others["folded"]))
        pairs = values.join(near, on="folded").filter(pl.col("value") != pl.col("text"))
        pairs = pairs.select("value", "text", how=_difference()) if pairs.height else nothing
        return pl.concat([pairs, _rounded(self._values["value"], others["text"])])

    @cached_property
    def _is_bare(self) -> bool:
        return byte_range_of(self._values["value"]).is_bare

    @cached_property
    def _folded(self) -> tuple[pl.DataFrame, MembershipFilter]:
        values = _folded(self._values["value"])
        return values, MembershipFilter(values["folded"])

    def matches(self, texts: pl.Series) -> pl.DataFrame:
        """Which of the ids (`value`) are among the texts, and `how` they differ: blank where they do not."""
        exact = self.of(self.exact_matches(hashed([texts])))
        return pl.concat([exact.with_columns(how=pl.lit("")), self.normalized_matches(texts, byte_range_of(texts))])


def _digits(texts: pl.Series, byte_range: ByteRange = ANY_BYTES) -> int:
    """How many digits each of the texts is, where all are as many and nothing else: such texts are equal, or not near."""
    sizes = texts.str.len_bytes()
    least: int = sizes.min() or 0  # type: ignore[assignment]
    return least if least == sizes.max() and (byte_range.is_digits or are_digits(texts)) else 0


def _folded(texts: pl.Series) -> pl.DataFrame:
    """Texts under their name, and `folded`."""
    ids, text = texts.cast(pl.String).to_frame(), pl.col(texts.name)
    if are_digits(ids[texts.name]):  # numbers differ in zeros only
        return ids.with_columns(folded=folded(text, ["zeros"]))
    signs = pl.any_horizontal(text.str.contains(sign, literal=True).any() for sign in "- ,")
    refers = text.str.contains(REFERENCE).any()
    split = signs | refers
    asked = {  # what none of them has need not be taken off
        "reference": refers,
        "punctuation": signs,
        "zeros": split | text.str.starts_with("0").any(),
        "decimal": split | text.str.ends_with(".0").any(),
        "case": text.str.contains("[A-Z]").any() | (text.str.len_bytes() != text.str.len_chars()).any(),
    }
    needed = [name for name, occurs in ids.select(**asked).row(0, named=True).items() if occurs]
    return ids.with_columns(folded=folded(text, needed))


def _difference() -> pl.Expr:
    """The least that two texts differ in, in words."""
    value, text = pl.col("value"), pl.col("text")
    several = [
        differences for count in range(1, len(DIFFERENCES) + 1) for differences in combinations(DIFFERENCES, count)
    ]
    ways = (
        pl.when(folded(value, differences) == folded(text, differences)).then(pl.lit(" and ".join(differences)))
        for differences in several
    )
    return pl.coalesce(*ways, pl.lit(" and ".join(DIFFERENCES)))


def _rounded(values: pl.Series, texts: pl.Series) -> pl.DataFrame:
    """Pairs of which one is the other as a spreadsheet shows it."""
    digits = {
        1 + len(match[2] or "")
        for ids in (values, texts)
        for match in map(re.compile(SCIENTIFIC).match, ids.filter(ids.str.contains(SCIENTIFIC)))
        if match
    }
    if not digits:
        return pl.DataFrame(schema=dict.fromkeys(("value", "text", "how"), pl.String))
    keyed = [
        pl.DataFrame(
            [(text, key) for text in ids for key in _keys(text, digits)],
            schema=dict.fromkeys((name, "key"), pl.String),
            orient="row",
        )
        for name, ids in (("value", values), ("text", texts))
    ]
    pairs = keyed[0].join(keyed[1], on="key").filter(pl.col("value") != pl.col("text"))
    scientific = pl.col("value").str.contains(SCIENTIFIC) | pl.col("text").str.contains(SCIENTIFIC)
    return pairs.filter(scientific).select("value", "text", how=pl.lit(_ROUNDING))


def _keys(text: str, digits: Iterable[int]) -> Iterator[str]:
    if match := re.match(SCIENTIFIC, text):
        yield f"{float(f'{match[1]}.{match[2] or 0}e{match[3]}'):.{len(match[2] or '')}e}"
    elif text.isdecimal() and len(text) < 16:
        yield from (f"{int(text):.{count - 1}e}" for count in digits)
