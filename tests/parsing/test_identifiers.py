"""Ids as written, and the differences that a policy allows."""

import polars as pl
import pytest

from auditor.parsing.identifiers import are_digits
from auditor.parsing.readers import read_column
from auditor.parsing.table_parser import TableParser
from auditor.reading.dictionary import NO_HINTS
from auditor.schema.tables import TABLES
from tests.support.parsing import POLICY, typed


@pytest.mark.parametrize(
    ("allowed", "expected"), [((), ["a-007.0"]), (("case",), ["a-007.0"]), (("decimal", "punctuation"), ["a007"])]
)
def test_ids_stay_as_written_but_for_what_the_policy_allows(allowed: tuple[str, ...], expected: list[str]) -> None:
    ids = POLICY.ids.model_copy(update={"call_id": allowed})
    parser = TableParser(POLICY.model_copy(update={"ids": ids}), "visits", 1)
    column = TABLES["visits"].columns["originating_call_id"]
    read_column(parser, column, pl.Series(["a-007.0"]), NO_HINTS)
    assert parser.columns["originating_call_id"].decode().to_list() == expected


def test_a_blank_line_of_a_claim_is_line_1() -> None:
    assert typed("claims", "claim_line", None, "2")[1] == ["1", "2"]
    assert typed("calls", "claim_line", None, "2")[1] == [None, "2"]


@pytest.mark.parametrize(
    ("ids", "digits"), [(["007", None], True), (["7", "+7"], False), (["9" * 25], False), (["7a"], False)]
)
def test_ids_of_digits(ids: list[str | None], digits: bool) -> None:
    assert are_digits(pl.Series(ids)) is digits
