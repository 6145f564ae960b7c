"""Providers ranked so that three claims do not look like a pattern. Shared by the HTML, XLSX and terminal reports."""

from statistics import NormalDist

import polars as pl

from auditor.judging.findings import NOT_APPLICABLE

Z_95 = 1.959964
"""The normal quantile of a 95% interval."""
AUDITED = pl.col("disposition") != NOT_APPLICABLE
"""Whether a claim is among those whose rates are shown."""
FEW = 5
"""Providers with fewer claims are ranked last and never marked, whatever their rate."""


def wilson(hits: pl.Expr, trials: pl.Expr, z: float = Z_95) -> tuple[pl.Expr, pl.Expr]:
    """The Wilson score interval of a share, by default 95%: low and high, between 0 and 1; null without trials."""
    n = pl.when(trials > 0).then(trials.cast(pl.Float64))
    share = hits / n
    centre = share + z**2 / (2 * n)
    spread = z * (share * (1 - share) / n + z**2 / (4 * n**2)).sqrt()
    scale = 1 + z**2 / n
    low, high = (centre - spread) / scale, (centre + spread) / scale
    # At the ends the bound is exact; floating point would leave it a hair beside 0 or 1.
    return pl.when(hits == 0).then(0.0 * n).otherwise(low), pl.when(hits == trials).then(0.0 * n + 1).otherwise(high)


def violation_rates(claims: pl.DataFrame, by: list[pl.Expr], *more: pl.Expr) -> pl.DataFrame:
    """One row per group of audited claims: claims, violation, rate, `low` and `high` of its 95% interval, and `more`."""
    violation, n = pl.col("violation"), pl.col("claims")
    low, high = wilson(violation, n)
    counted = claims.filter(AUDITED).group_by(by).agg(
        *more,
        claims=pl.len().cast(pl.Int64),
        violation=(pl.col("disposition") == "violation").sum().cast(pl.Int64),
    )  # fmt: skip
    return counted.with_columns(rate=violation / n, low=low, high=high)


def has_payers(claims: pl.DataFrame) -> bool:
    """Whether the claims were billed to more than one payer."""
    return claims["payer"].n_unique() > 1


def ranking(claims: pl.DataFrame, *more: str) -> pl.DataFrame:
    """One row per provider of the audited claims (`Result.claims`), the surest high rate first.

    `more` columns split each provider's claims further.

    Columns: provider_id, claims, violation, review, incomplete, clear (claims by disposition), rate (violation / claims),
    low and high (its 95% Wilson interval), at_risk (sum of amounts; null where violations carry none), above. Ordered by
    `low`, so that a rate resting on few claims stands below a sure one; those with fewer than `FEW` claims come last.

    `above`: the rate exceeds that of all claims by more than chance gives the luckiest of so many providers: the low end
    of the interval, widened for their number (Bonferroni), lies above it.
    """
    at, n = pl.col("disposition"), pl.col("claims")
    amounts = pl.col("at_risk_amount")
    others = ((at == name).sum().cast(pl.Int64).alias(name) for name in ("review", "incomplete", "clear"))
    at_risk = pl.when((amounts.count() > 0) | ~(at == "violation").any()).then(amounts.sum()).alias("at_risk")
    rated = violation_rates(claims, [pl.col("provider_id", *more)], *others, at_risk)
    hits = pl.col("violation")
    strict, _ = wilson(hits, n, NormalDist().inv_cdf(1 - 0.025 / max(1, rated.height)))
    rated = rated.with_columns(above=(n >= FEW) & (strict > hits.sum() / n.sum()))
    order = (n < FEW, pl.col("low"), hits, n, pl.col("provider_id"), *map(pl.col, more))
    return rated.sort(*order, descending=[False, True, True, True, False, *(False for _ in more)])


def overall_rate(claims: pl.DataFrame) -> float | None:
    """The share of all audited claims whose disposition is violation; None without claims."""
    rate: float | None = claims.filter(AUDITED).select((pl.col("disposition") == "violation").mean()).item()
    return rate
