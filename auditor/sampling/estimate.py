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

CONFIDENCE = 0.90
"""Of the two-sided interval."""
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

    `rate` estimates the share of units in error. `degrees` is None where nothing is left to vary; then the interval has no
    width. Amounts are in the currency of the export, positive where too much was paid.
    """

    units: int
    reviewed: int
    wrong: int
    rate: float
    total: float
    standard_error: float
    degrees: float | None
    lower: float
    upper: float
    cautions: tuple[str, ...]

    @property
    def precision(self) -> float:
        """Half the interval's width, in money."""
        return (self.upper - self.lower) / 2


def estimate(strata: Sequence[Stratum]) -> Estimate:
    """Estimate from simple random samples drawn independently in each stratum; a single one is a simple random sample.

    Total: sum(N_h * mean_h), Cochran sections 2.4 and 5.3. Its variance: sum(N_h * (N_h - n_h) * s_h^2 / n_h), 2.6, 2.7 and
    5.4; a stratum reviewed as a whole adds none. Limits: Student's t, 2.8, with Satterthwaite's degrees of freedom, 5.4;
    n - 1 for one stratum. Rate: 3.2 and 5.10. Raises InputRefused where a stratum has no reviewed unit, or one of several.
    """
    total = wrong = Fraction(0)
    variances: list[tuple[Fraction, int]] = []
    for rank, stratum in enumerate(strata, 1):
        values = [Fraction(error) for error in stratum.errors]
        n = len(values)
        if n == 0 or (n == 1 and stratum.units > 1):
            raise InputRefused(
                f"stratum {rank}: {n} of {stratum.units} units reviewed; review at least 2, which a variance needs"
            )
        found = sum(values, Fraction(0))
        total += stratum.units * found / n
        wrong += Fraction(stratum.units * stratum.wrong, n)
        if stratum.units > n:
            spread = (sum((value * value for value in values), Fraction(0)) - found**2 / n) / (n - 1)
            variances.append((Fraction(stratum.units * (stratum.units - n), n) * spread, n - 1))
    variance = sum((part for part, _ in variances), Fraction(0))
    degrees = float(variance**2 / sum(part**2 / free for part, free in variances)) if variance else None
    half = _student(degrees) * math.sqrt(variance) if degrees else 0.0
    units = sum(stratum.units for stratum in strata)
    return Estimate(
        units=units,
        reviewed=sum(len(stratum.errors) for stratum in strata),
        wrong=sum(stratum.wrong for stratum in strata),
        rate=float(wrong / units),
        total=float(total),
        standard_error=math.sqrt(variance),
        degrees=degrees,
        lower=float(total) - half,
        upper=float(total) + half,
        cautions=tuple(_cautions(strata, [part for part, _ in variances])),
    )


@functools.cache
def _student(degrees: float) -> float:
    from scipy import stats

    return float(stats.t.ppf((1 + CONFIDENCE) / 2, degrees))


def _cautions(strata: Sequence[Stratum], variances: Sequence[Fraction]) -> Iterator[str]:
    if not variances:
        return
    reviewed, wrong = sum(len(stratum.errors) for stratum in strata), sum(stratum.wrong for stratum in strata)
    if reviewed < FEW_UNITS:
        yield f"Units reviewed: {reviewed}, fewer than {FEW_UNITS}; do not rely on the interval."
    if wrong < FEW_ERRORS:
        yield f"Reviewed units in error: {wrong}, fewer than {FEW_ERRORS}; do not rely on the interval."
    if not any(variances):
        yield "All reviewed units have the same error amount, so the interval has no width; do not rely on it."
    elif flat := sum(not part for part in variances):
        yield f"Strata whose reviewed units all have the same error amount: {flat}; they do not add to the standard error."
