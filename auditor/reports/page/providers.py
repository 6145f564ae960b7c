"""Providers ranked so that three claims do not look like a pattern. Shared by the HTML, XLSX and terminal reports."""

from statistics import NormalDist

import polars as pl

Z_95 = 1.959964
"""The normal quantile of a 95% interval."""
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


def ranking(claims: pl.DataFrame) -> pl.DataFrame:
    """One row per provider of the audited claims (`Result.claims`), the surest high rate first.

    Columns: provider_id, claims, violation, review, incomplete, clear (claims by disposition), rate (violation / claims),
    low and high (its 95% Wilson interval), at_risk (sum of amounts; null where violations carry none), above. Ordered by
    `low`, so that a rate resting on few claims stands below a sure one; those with fewer than `FEW` claims come last.

    `above`: the rate exceeds that of all claims by more than chance gives the luckiest of so many providers: the low end
    of the interval, widened for their number (Bonferroni), lies above it.
    """
    at, n = pl.col("disposition"), pl.col("claims")
    amounts = pl.col("at_risk_amount")
    counted = claims.filter(at != "not applicable").group_by("provider_id").agg(
        pl.len().cast(pl.Int64).alias("claims"),
        *((at == name).sum().cast(pl.Int64).alias(name) for name in ("violation", "review", "incomplete", "clear")),
        pl.when((amounts.count() > 0) | ~(at == "violation").any()).then(amounts.sum()).alias("at_risk"),
    )  # fmt: skip
    hits = pl.col("violation")
    low, high = wilson(hits, n)
    strict, _ = wilson(hits, n, NormalDist().inv_cdf(1 - 0.025 / max(1, counted.height)))
    rated = counted.with_columns(rate=hits / n, low=low, high=high)
    rated = rated.with_columns(above=(n >= FEW) & (strict > hits.sum() / n.sum()))
    order = (n < FEW, pl.col("low"), hits, n, pl.col("provider_id"))
    return rated.sort(*order, descending=[False, True, True, True, False])


def overall_rate(claims: pl.DataFrame) -> float | None:
    """The share of all audited claims whose disposition is violation; None without claims."""
    audited = claims.filter(pl.col("disposition") != "not applicable")
    return int((audited["disposition"] == "violation").sum()) / audited.height if audited.height else None
