"""Which amount of money a text states. Source: docs/specification.md#money-and-numbers."""

import polars as pl

from auditor.parsing.numbers import with_decimal_point
from auditor.parsing.table_parser import TableParser
from auditor.schema.tables import Column

_AMOUNT = r"(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+)"
_MONEY = rf"^(?:[-+]?\$?{_AMOUNT}|\$[-+]{_AMOUNT}|\(\$?{_AMOUNT}\))$"
LOOKS_LIKE = r"^\(?-?\$?[\d,]+(\.\d+)?\)?$"


def read(parser: TableParser, column: Column, values: pl.Series) -> None:
    """Amounts as Decimal(18, 2), rounded to cents; parentheses or a minus are negative.

    A text that states no amount, or could state two (`40,00`, `1,2,3`), rejects its row: a decimal comma that is read as a
    thousands separator would be a hundredfold error.
    """
    text = pl.col("v").str.replace_all(" ", "", literal=True)
    text = pl.when(text.str.contains(_MONEY)).then(text)
    minus = text.str.contains(r"[(-]")
    plain = text.str.replace_all(r"[^\d.]", "").cast(pl.Decimal(18, 2), strict=False)
    amount = pl.when(minus).then(-plain).otherwise(plain).alias("v")
    amounts = with_decimal_point(parser, values).to_frame("v").select(amount)["v"]
    parser.reject(
        column.name, f"{column.name} is not a valid amount of money", values.is_not_null() & amounts.is_null()
    )
    parser.add(column.name, amounts)
