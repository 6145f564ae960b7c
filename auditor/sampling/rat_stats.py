"""What RAT-STATS, the statistical software of the HHS Office of Inspector General (OIG), computes from a reviewed sample.

Source: RAT-STATS Companion Manual and User Guide, revision 5/2010.
"""

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist

CONFIDENCE = 0.90
"""Of the two-sided intervals."""
TAIL = (1 - CONFIDENCE) / 2
NORMAL = NormalDist().inv_cdf(1 - TAIL)
"""The quantile for the total of a stratified sample: 1.644853626951."""
PRECISIONS = (0.25, 0.15, 0.10, 0.05, 0.02, 0.01)
"""Half the width of the interval as a share of the total, for which the manual sizes a sample."""


def limits_of_wrong(strata: Sequence[tuple[int, int, int]]) -> tuple[int, int]:
    """The limits of the number of units in error in a frame, from the (units, reviewed, wrong) of its strata.

    For several strata they come from the normal distribution: Companion Manual, pages 2-6 to 2-10.
    """
    if len(strata) == 1:
        return _exact_limits(*strata[0])
    point = sum(units * wrong / reviewed for units, reviewed, wrong in strata)
    half = NORMAL * math.sqrt(
        sum(units * (units - n) * wrong * (n - wrong) / (n * n * (n - 1)) for units, n, wrong in strata if units > n)
    )
    return max(0, round(point - half)), min(sum(units for units, _, _ in strata), round(point + half))


def _exact_limits(units: int, reviewed: int, wrong: int) -> tuple[int, int]:
    """The limits for a simple random sample, exact by the hypergeometric distribution: pages 2-2 to 2-5.

    The least number of units in error with which a sample has `wrong` or more of them with a probability above 5%, and the
    greatest with which it has `wrong` or fewer.
    """
    from scipy.stats import hypergeom

    most = units - reviewed + wrong
    lower = _first(wrong, most, lambda count: hypergeom.sf(wrong - 1, units, count, reviewed) > TAIL)
    return lower, _first(wrong, most + 1, lambda count: hypergeom.cdf(wrong, units, count, reviewed) <= TAIL) - 1


def full_sample(total: float, strata: Sequence[tuple[int, float]]) -> dict[float, int]:
    """Units of a full sample by precision at 90% confidence, from a probe's total and the (units, variance) of its strata.

    Units are allocated to strata in proportion to their size, as `frame` does; the formula for one stratum is that of the
    Companion Manual, page 4-6. Empty where the probe estimates no overpayment or no variance.
    """
    units, spread = sum(size for size, _ in strata), sum(size * variance for size, variance in strata)
    if total <= 0 or not spread:
        return {}
    goals = {precision: (precision * total / NORMAL) ** 2 for precision in PRECISIONS}
    return {precision: math.floor(units * spread / (goal + spread) + 0.5) for precision, goal in goals.items()}


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The first number from which a condition holds, `high` where it holds for none below."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
