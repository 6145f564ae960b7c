"""Numbers, whole days, and numbers with a decimal comma."""

from decimal import Decimal

import polars as pl

from auditor import policy as policies
from auditor.parsing.readers import read_column
from auditor.parsing.table_parser import TableParser
from auditor.reading.dictionary import NO_HINTS
from auditor.schema.tables import TABLES
from tests.support.parsing import typed


def test_a_decimal_comma_is_read_where_the_policy_says_so():
    policy = policies.load("default").model_copy(update={"decimal": ","})
    for column, texts, expected in (
        (
            "paid_amount",
            ["1.234,50", "(7,00)", "-3,25", None],
            [Decimal("1234.50"), Decimal("-7"), Decimal("-3.25"), None],
        ),
        ("units", ["1,0", "x", "2", None], [1.0, None, 2.0, None]),
        ("call_minutes", ["21,5", "21:30", "PT21M30S", None], [1_290_000_000] * 3 + [None]),
    ):
        work = TableParser(policy, "calls", 4)
        read_column(work, TABLES["calls"].columns[column], pl.Series(texts), NO_HINTS)
        assert work.columns[column].decode().to_list() == expected


def test_days_that_are_no_number_are_blank_and_reject_nothing():
    parser, days = typed("visits", "global_days", "090", "XXX", None, "10")
    assert days == [90, None, None, 10] and not parser.problems
