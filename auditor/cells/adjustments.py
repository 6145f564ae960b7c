"""Rows that replace, void or reverse others: which they are, and which of them are calls. Source: SPEC.md section 2."""

import polars as pl

AMOUNTS = ("billed_amount", "paid_amount")


def is_adjustment() -> pl.Expr:
    """Whether a row replaces or voids others, or takes an amount back: a record of its own, whatever its id."""
    negative = pl.any_horizontal((pl.col(amount) < 0).fill_null(False) for amount in AMOUNTS)
    return pl.col("frequency_code").is_in(["replacement", "void"]).fill_null(False) | negative


def that_are_calls(calls: pl.DataFrame) -> pl.DataFrame:
    """The rows that are calls: a void or reversal is none, nor a replacement of a row with the same call."""
    if not calls.select(is_adjustment().any()).item():
        return calls
    plain = calls.filter(~is_adjustment())["call_id"]
    replaces = (pl.col("frequency_code") == "replacement").fill_null(False) & ~pl.col("call_id").is_in(plain.implode())
    first = replaces & (pl.int_range(pl.len()).min().over("call_id", replaces) == pl.int_range(pl.len()))
    return calls.filter(~is_adjustment() | first)
