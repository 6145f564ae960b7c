"""The total error amount of a sampled population, from what reviewers found in the sample.

Sources: Cochran (1977), Sampling Techniques, 3rd edition; Satterthwaite (1946), Biometrics Bulletin 2:110-114. What comes
out is an estimate of the error amount that reviewers found, never an overpayment itself.
"""

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from auditor.errors import InputRefused
from auditor.sampling.rat_stats import CONFIDENCE, NORMAL, full_sample, limits_of_wrong

FEW_UNITS, FEW_ERRORS = 30, 5
"""Below these an interval that rests on the normal distribution should not be trusted."""


@dataclass(frozen=True)
class Stratum:
    """A stratum's name, its units in the frame, and the error amounts of those reviewed."""

    name: str
    units: int
    errors: Sequence[Decimal | float]

    @property
    def wrong(self) -> int:
        """Reviewed units whose error amount is not zero."""
        return sum(error != 0 for error in self.errors)


@dataclass(frozen=True)
class Estimate:
    """What a reviewed sample says: units reviewed and in error, and the total error amount with its 90% interval.

    `rate` estimates the share of units in error; `wrong_lower` and `wrong_upper` are limits of their number in the frame, as
    RAT-STATS computes them. `degrees` is None where nothing is left to vary; then the interval has no width. `rat_stats_`
    limits are those of RAT-STATS for the same total, which differ for strata. `underpaid` units have a negative error
    amount, `underpayments` their sum, which counts as 0 in the total unless `netted`. `full_sample` has the units of a full
    sample by its precision. Amounts are in the currency of the export, positive where too much was paid.
    """

    units: int
    reviewed: int
    wrong: int
    rate: float
    wrong_lower: int
    wrong_upper: int
    total: float
    standard_error: float
    degrees: float | None
    lower: float
    upper: float
    rat_stats_lower: float
    rat_stats_upper: float
    underpaid: int
    underpayments: float
    netted: bool
    full_sample: dict[float, int]
    cautions: tuple[str, ...]

    @property
    def precision(self) -> float:
        """Half the interval's width, in money."""
        return (self.upper - self.lower) / 2


def estimate(strata: Sequence[Stratum], *, net: bool = False) -> Estimate:
    """Estimate from simple random samples drawn independently in each stratum; a single one is a simple random sample.

    Total: sum(N_h * mean_h), Cochran sections 2.4 and 5.3. Its variance: sum(N_h * (N_h - n_h) * s_h^2 / n_h), 2.6, 2.7 and
    5.4; a stratum reviewed as a whole adds none. Limits: Student's t, 2.8, with Satterthwaite's degrees of freedom, 5.4;
    n - 1 for one stratum. Rate: 3.2 and 5.10. `net` subtracts underpayments. Raises InputRefused where a stratum has no
    reviewed unit, or one of several.
    """
    total = wrong = Fraction(0)
    variances: list[tuple[Fraction, int]] = []
    spreads: list[tuple[int, float]] = []
    for rank, stratum in enumerate(strata, 1):
        values = [Fraction(error) for error in _counted(stratum, net=net)]
        n = len(values)
        if n == 0 or (n == 1 and stratum.units > 1):
            raise InputRefused(
                f"stratum {rank}: {n} of {stratum.units} units reviewed; review at least 2, which a variance needs"
            )
        found = sum(values, Fraction(0))
        total += stratum.units * found / n
        wrong += Fraction(stratum.units * stratum.wrong, n)
        spread = (sum((value * value for value in values), Fraction(0)) - found**2 / n) / max(1, n - 1)
        spreads.append((stratum.units, float(spread)))
        if stratum.units > n:
            variances.append((Fraction(stratum.units * (stratum.units - n), n) * spread, n - 1))
    variance = sum((part for part, _ in variances), Fraction(0))
    degrees = float(variance**2 / sum(part**2 / free for part, free in variances)) if variance else None
    point, error = float(total), math.sqrt(variance)
    half = _student(degrees) * error if degrees else 0.0
    oig_half = NORMAL * error if len(strata) > 1 else half
    counts = [(stratum.units, len(stratum.errors), stratum.wrong) for stratum in strata]
    lower, upper = limits_of_wrong(counts)
    units = sum(stratum.units for stratum in strata)
    under = [amount for stratum in strata for amount in stratum.errors if amount < 0]
    return Estimate(
        units=units,
        reviewed=sum(len(stratum.errors) for stratum in strata),
        wrong=sum(stratum.wrong for stratum in strata),
        rate=float(wrong / units),
        wrong_lower=lower,
        wrong_upper=upper,
        total=point,
        standard_error=error,
        degrees=degrees,
        lower=point - half,
        upper=point + half,
        rat_stats_lower=point - oig_half,
        rat_stats_upper=point + oig_half,
        underpaid=len(under),
        underpayments=float(sum(under)),
        netted=net,
        full_sample=full_sample(point, spreads) if variances else {},
        cautions=tuple(_cautions(strata, [part for part, _ in variances], net=net)),
    )


def _counted(stratum: Stratum, *, net: bool) -> list[Decimal | float]:
    """The error amounts that make up the total: underpayments count as 0 unless they are netted."""
    return [error if net else max(error, 0) for error in stratum.errors]


@functools.cache
def _student(degrees: float) -> float:
    from scipy import stats

    return float(stats.t.ppf((1 + CONFIDENCE) / 2, degrees))


def _cautions(strata: Sequence[Stratum], variances: Sequence[Fraction], *, net: bool) -> Iterator[str]:
    if not variances:
        return
    reviewed = sum(len(stratum.errors) for stratum in strata)
    wrong = sum(error != 0 for stratum in strata for error in _counted(stratum, net=net))
    if reviewed < FEW_UNITS:
        yield f"Units reviewed: {reviewed}, fewer than {FEW_UNITS}; do not rely on the interval."
    if wrong < FEW_ERRORS:
        yield f"Reviewed units in error: {wrong}, fewer than {FEW_ERRORS}; do not rely on the interval."
    if not any(variances):
        yield "All reviewed units have the same error amount, so the interval has no width; do not rely on it."
    elif flat := sum(not part for part in variances):
        yield f"Strata whose reviewed units all have the same error amount: {flat}; they do not add to the standard error."
