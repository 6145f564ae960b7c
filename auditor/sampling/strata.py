"""Strata of sampling units, and how many to draw in each. Source: Cochran (1977), Sampling Techniques, 3rd edition."""

import math
from collections.abc import Mapping, Sequence
from itertools import accumulate

import polars as pl

from auditor.errors import UsageError

LEAST = 2
"""Units of a stratum without which its variance cannot be estimated (Cochran, section 5.4)."""
_PARTS, _CLASSES = 3, 100


def stratify(units: pl.DataFrame, by: str, size: int) -> pl.DataFrame:
    """The units with their `stratum`; `units` have the column `by`.

    Providers and months whose proportional share of `size` is below 2 units are put together, where there are several.
    """
    if by == "none":
        return units.with_columns(stratum=pl.lit("all"))
    if by == "amount":
        return _by_amount(units)
    labels = units.with_columns(stratum=pl.format(f"{by} {{}}", by))
    if by == "disposition":
        return labels
    small = pl.len().over("stratum") * size < LEAST * units.height
    several = pl.col("stratum").filter(small).n_unique() > 1
    return labels.with_columns(stratum=pl.when(small & several).then(pl.lit(f"other {by}s")).otherwise("stratum"))


def allocate(sizes: Mapping[str, int], size: int) -> dict[str, int]:
    """Units to draw by stratum: in proportion to its size, by largest remainder, but at least 2 or all that it has.

    `sizes` are units by stratum and `size` the whole sample, at most all of them. What a stratum lacks comes from the ones
    with the most to spare; ties go to the first. Raises UsageError where `size` is too small. Source: Cochran, sections 5.3
    (proportional allocation) and 5.4 (why two).
    """
    least = {name: min(LEAST, units) for name, units in sizes.items()}
    if size < (needed := sum(least.values())):
        raise UsageError(
            f"--size: {size} units are too few for {len(sizes)} strata, which need {needed}; "
            "set at least that size, or choose other --strata"
        )
    shares = {name: divmod(size * units, sum(sizes.values())) for name, units in sizes.items()}
    drawn = {name: share for name, (share, _) in shares.items()}
    for name in sorted(sizes, key=lambda name: (-shares[name][1], name))[: size - sum(drawn.values())]:
        drawn[name] += 1
    for name in sizes:
        while drawn[name] < least[name]:
            drawn[max(sizes, key=lambda other: drawn[other] - least[other])] -= 1
            drawn[name] += 1
    return drawn


def cuts(frequencies: Sequence[int], strata: int) -> list[int]:
    """The classes after which to cut a histogram so that the strata have near-equal sums of the roots of its frequencies.

    Fewer cuts come back where classes coincide. Source: Dalenius and Hodges (1959), JASA 54:88-101; Cochran, section 5A.7.
    """
    roots = list(accumulate(map(math.sqrt, frequencies)))
    goals = (roots[-1] * number / strata for number in range(1, strata))
    nearest = {min(range(len(roots)), key=lambda at: abs(roots[at] - goal)) for goal in goals}
    return sorted(at for at in nearest if roots[at] < roots[-1])


def _by_amount(units: pl.DataFrame) -> pl.DataFrame:
    """Up to three ranges of the amount, cut by `cuts` over 100 classes of equal width; unknown amounts apart."""
    cents = (pl.col("amount") * 100).cast(pl.Int64)
    least, span = cents.min(), pl.max_horizontal(cents.max() - cents.min(), 1)
    classed = units.with_columns(at=((cents - least) * _CLASSES // span).clip(upper_bound=_CLASSES - 1))
    counts = dict(classed["at"].drop_nulls().value_counts().iter_rows())
    ends = cuts([counts.get(at, 0) for at in range(_CLASSES)], _PARTS)
    part = 1 + pl.sum_horizontal(pl.lit(0), *(pl.col("at") > end for end in ends))
    parted = classed.with_columns(part=pl.when(pl.col("at").is_not_null()).then(part))
    lowest, highest = (pl.col("amount").min().over("part"), pl.col("amount").max().over("part"))
    labels = pl.format("amount {}: {} to {}", "part", lowest, highest)
    return parted.with_columns(stratum=pl.coalesce(labels, pl.lit("amount unknown")))
