"""Rows that were read from transactions, as frames of text. Source: docs/x12.md."""

from collections.abc import Sequence
from typing import Any

import polars as pl

_NUMBERS = {name: pl.UInt32() for name in ("record", "file", "transaction")}


def schema(columns: Sequence[str]) -> dict[str, pl.DataType]:
    """The types of columns: text, but for numbers of records and files."""
    return {name: _NUMBERS.get(name, pl.String()) for name in columns}


def of_rows(rows: list[tuple[Any, ...]], columns: Sequence[str]) -> pl.DataFrame:
    """Rows as a frame: texts are trimmed, blank ones null."""
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    frame = pl.DataFrame(
        {
            name: pl.Series(name, column, dtype)
            for (name, dtype), column in zip(schema(columns).items(), values, strict=True)
        }
    )
    text = pl.selectors.string().str.strip_chars()
    return frame.with_columns(pl.when(text != "").then(text))


def money(column: str) -> pl.Expr:
    """A column of amounts as decimals."""
    return pl.col(column).cast(pl.Decimal(18, 2), strict=False)
