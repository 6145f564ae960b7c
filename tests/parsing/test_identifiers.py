"""Ids as written, and the differences that a policy allows."""

import polars as pl
import pytest

from auditor.parsing.identifiers import LOST_DIGITS, are_digits
from auditor.parsing.readers import read_column
from auditor.parsing.table_parser import TableParser
from auditor.reading.dictionary import NO_HINTS, ColumnHints, byte_range_of
from auditor.schema.tables import TABLES
from tests.support.parsing import POLICY, typed


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        ((), ["a-007.0"]),
        (("case",), ["a-007.0"]),
        (("decimal", "punctuation"), ["a007"]),
        (("reference",), ["a-007.0"]),
    ],
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


@pytest.mark.parametrize("key", ["0", "-1", "-2", "-3"])
@pytest.mark.parametrize(
    ("table", "column"),
    [("calls", "claim_id"), ("calls", "problem_id"), ("calls", "group_id"), ("visits", "originating_call_id"),
     ("visits", "provider_id"), ("calls", "provider_id"), ("claims", "call_id"), ("claims", "provider_id")],
)  # fmt: skip
def test_keys_of_no_record_are_blank_and_counted(table: str, column: str, key: str) -> None:
    parser, values = typed(table, column, key, "n1", key)
    assert values == [None, "n1", None]
    assert parser.problem.to_list() == [0, 0, 0]
    (message,) = parser.tallies
    assert parser.tallies[message] == 2 and message.startswith(f"{table}.{column}: keys that point to no record")


@pytest.mark.parametrize("key", ["0", "-1"])
@pytest.mark.parametrize(("table", "column"), [("calls", "call_id"), ("visits", "visit_id"), ("claims", "claim_id")])
def test_a_record_without_a_key_is_rejected(table: str, column: str, key: str) -> None:
    assert typed(table, column, key, "n1")[0].problem.to_list() == [1, 0]


@pytest.mark.parametrize(
    ("table", "column", "text"),
    [
        ("claims", "claim_line", "0"),
        ("calls", "patient_id", "-1"),
        ("calls", "claim_id", "-4"),
        ("calls", "claim_id", "10"),
        ("calls", "problem_id", "00"),
        ("calls", "provider_id", "00000000"),
    ],
)
def test_other_ids_are_values(table: str, column: str, text: str) -> None:
    parser, values = typed(table, column, text)
    assert values == [text] and not parser.tallies


def test_ids_of_many_zeros_are_values_and_counted() -> None:
    parser, values = typed("calls", "claim_id", "00000000", "C1")
    assert values == ["00000000", "C1"]
    assert [message.split(" (")[0] for message in parser.tallies] == [
        "calls.claim_id: ids of only zeros are read as ids"
    ]


@pytest.mark.parametrize(
    ("ids", "digits"), [(["007", None], True), (["7", "+7"], False), (["9" * 25], False), (["7a"], False)]
)
def test_ids_of_digits(ids: list[str | None], digits: bool) -> None:
    assert are_digits(pl.Series(ids)) is digits


@pytest.mark.parametrize("odd", ["2.98725E+13", "1E+5", "12,5e3", f"{LOST_DIGITS}123", "A1", "A\uffff", "1E5"])
def test_the_bytes_of_ids_save_passes_but_change_nothing(odd: str) -> None:
    found = []
    texts = ["A7", odd, "70"]
    for hints in (NO_HINTS, ColumnHints({}, {"call_id": byte_range_of(pl.Series(texts))})):
        parser = TableParser(POLICY, "calls", 3)
        read_column(parser, TABLES["calls"].columns["call_id"], pl.Series(texts), hints)
        found.append((parser.tallies, parser.problems, parser.columns["call_id"].decode().to_list()))
    assert found[0] == found[1]
    assert bool(found[0][0] or found[0][1]) == (odd not in ("A1", "A\uffff", "1E5"))
