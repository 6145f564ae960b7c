"""What counts as a number, and how it is read: plain numbers, whole days, money, and numbers that a spreadsheet rounded.

Source: docs/specification.md#money-and-numbers.
"""

import polars as pl

from auditor.parsing.table_parser import TableParser
from auditor.schema.tables import Column

NUMBER = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"
UNSIGNED = r"\d+(?:\.\d+)?"
"""A number within a longer pattern."""
SCIENTIFIC = r"^(\d)(?:[.,](\d*))?[eE]\+?(\d{1,2})$"
"""An integer as a spreadsheet rounds it, such as 2.98725E+13: first digit, decimals, exponent."""
ROUNDED_ID = r"^\d+(?:[.,]\d+[eE][+-]?|[eE][+-])\d{1,2}$"
"""An id that can only be a rounded or rewritten number. An id such as 1E5 can be what a system assigned."""
LOOKS_LIKE, DAYS_LOOK_LIKE = r"^\d{1,3}(\.\d+)?$", r"^\d{1,3}$"


def with_decimal_point(parser: TableParser, values: pl.Series) -> pl.Series:
    """Texts with a decimal point. If the policy says that numbers have a decimal comma, 1.234,50 becomes 1234.50."""
    if parser.policy.decimal == ".":
        return values
    written = pl.col("v").str.contains(r"\d")
    plain = pl.col("v").str.replace_all(r"[. ]", "").str.replace(",", ".", literal=True)
    return values.to_frame("v").select(pl.when(written).then(plain).otherwise("v").alias("v")).to_series()


def read(parser: TableParser, column: Column, values: pl.Series) -> None:
    """Numbers as Float64. A text that is not a number rejects its row."""
    numbers = _numbers(parser, values)
    parser.reject(column.name, f"{column.name} is not a number", values.is_not_null() & numbers.is_null())
    parser.add(column.name, numbers)


def read_days(parser: TableParser, column: Column, values: pl.Series) -> None:
    """Days as Int64. A text that is not a number is blank: global periods such as `XXX` have no length."""
    parser.add(column.name, _numbers(parser, values).cast(pl.Int64, strict=False))


def _numbers(parser: TableParser, values: pl.Series) -> pl.Series:
    number = pl.when(pl.col("v").str.contains(NUMBER)).then("v").cast(pl.Float64, strict=False)
    return with_decimal_point(parser, values).to_frame("v").select(number)["v"]


_AMOUNT = r"(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+)"
_MONEY = rf"^(?:[-+]?\$?{_AMOUNT}|\$[-+]{_AMOUNT}|\(\$?{_AMOUNT}\))$"
MONEY_LOOKS_LIKE = r"^\(?-?\$?[\d,]+(\.\d+)?\)?$"


def read_money(parser: TableParser, column: Column, values: pl.Series) -> None:
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
    invalid = values.is_not_null() & amounts.is_null()
    parser.reject(column.name, f"{column.name} is not a valid amount of money", invalid)
    parser.add(column.name, amounts)
