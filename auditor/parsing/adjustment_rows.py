"""Rows that replace, void or reverse others: which they are, and which of them are calls.

Source: docs/specification.md#replacements-and-reversals.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

import polars as pl
import polars.selectors as cs

AMOUNTS = ("billed_amount", "paid_amount")
_TIMES = ("call_start", "call_end", "call_minutes", "call_seconds", "discussion_minutes")
"""Sorted by first: also where only some columns of the calls are known, the same row is chosen."""


def is_adjustment() -> pl.Expr:
    """Whether a row replaces or voids others, or takes an amount back: a record of its own, whatever its id."""
    by_code = pl.col("frequency_code").is_in(["replacement", "void"]).fill_null(False)
    return by_code | has_negative_amount() | (pl.col("claim_status") == "reversed").fill_null(False)


def has_negative_amount() -> pl.Expr:
    """Whether a row takes an amount back."""
    return pl.any_horizontal((pl.col(amount) < 0).fill_null(False) for amount in AMOUNTS)


def takes_back(reversal: Iterable[Decimal | None], amounts: Iterable[Decimal | None]) -> bool:
    """Whether amounts are the opposite of a reversal's wherever its own are negative. Both are in the order of AMOUNTS."""
    return all(
        (other or 0) == -own for own, other in zip(reversal, amounts, strict=True) if own is not None and own < 0
    )


def may_be_audited(codes: Sequence[str]) -> pl.Expr:
    """Whether a row has one of the codes and is neither denied nor void by itself. Another row may still void it."""
    voids = (pl.col("frequency_code") == "void").fill_null(False) | has_negative_amount()
    return pl.col("cpt_code").is_in(codes) & (pl.col("claim_status") == "active") & ~voids


def that_are_calls(calls: pl.DataFrame) -> pl.DataFrame:
    """The rows that are calls: no void or reversal, and a replacement only if it repeats no call_id.

    Of several replacements with one call_id of their own, one is the call, whatever the order of the rows.
    """
    adjusts = calls.select(is_adjustment()).to_series()
    if not adjusts.any():
        return calls
    plain = calls.filter(~adjusts)
    replacing = calls.filter(adjusts & (calls["frequency_code"] == "replacement").fill_null(False))
    others = sorted(set(calls.select(~cs.nested()).columns) - set(_TIMES))
    own = replacing.join(plain, on="call_id", how="anti").sort(*_TIMES, *others)
    return pl.concat([plain, own.unique("call_id", keep="first", maintain_order=True)])
