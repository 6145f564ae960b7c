"""Cells → texts: padding, armor, words for null."""

from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from auditor.parsing.readers import read_column
from auditor.parsing.table_parser import TableParser
from auditor.policy import Policy
from auditor.reading.dictionary import NO_HINTS, ColumnHints, byte_range
from auditor.schema.tables import TABLES
from tests.support.parsing import POLICY, policy_of, typed
from tests.support.reading import TEXT, one

WORDS = ["NULL", "\\N", "<null>", "(null)", "[null]", "nil", "nan", "NaT", "None", "NA", "N/A", "<NA>", "#N/A", "#NULL!",
         "(blank)", "*Unspecified", "UNK", "-", "?", ".", "--------------------", "—", "✓"]  # fmt: skip


@pytest.mark.parametrize("word", [*WORDS, *(f" {word.swapcase()} " for word in WORDS)])
@pytest.mark.parametrize(
    "column", ["claim_id", "problem_id", "call_end", "call_minutes", "paid_amount", "purpose", "units"]
)
def test_null_words_are_blank_in_every_column_and_counted(column: str, word: str) -> None:
    work, values = typed("calls", column, word, None)
    assert values == [None, None]
    assert work.problem.to_list() == [0, 0]
    assert work.unrecognised == []
    assert list(work.tallies.values()) == [1]
    assert f"calls.{column}: null words such as NULL or nan, and texts without a letter" in next(iter(work.tallies))


@pytest.mark.parametrize("word", [*WORDS[:-1], ""])
def test_a_null_word_documents_nothing(word: str) -> None:
    work, values = typed("calls", "doc_advice", word, "rest")
    assert values == [False, True] and list(work.tallies.values()) == [1] * bool(word)


@pytest.mark.parametrize("word", ["n/a", "NA", "none", "null", "-"])
def test_words_for_nothing_document_nothing_whatever_the_policy_says(word: str) -> None:
    work = TableParser(POLICY.model_copy(update={"nulls": ()}), "calls", 1)
    read_column(work, TABLES["calls"].columns["doc_advice"], pl.Series([word]), NO_HINTS)
    assert work.columns["doc_advice"].decode().to_list() == [False]


@pytest.mark.parametrize("mark", ["✓", "✔", "☑", "✗", "✘", "☐"])
@pytest.mark.parametrize("column", ["established", "doc_advice"])
def test_signs_that_say_yes_or_no_are_no_blanks(column: str, mark: str) -> None:
    work, _ = typed("calls", column, mark)
    assert column in work.filled and not work.tallies


def test_a_sign_that_the_policy_maps_is_a_word(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, '[values.visits.status]\n">" = "completed"\n')
    work = TableParser(policy, "visits", 2)
    read_column(work, TABLES["visits"].columns["status"], pl.Series([">", "<"]), NO_HINTS)
    assert work.columns["status"].decode().to_list() == ["completed", None]


def test_a_null_word_in_a_required_column_rejects_its_row() -> None:
    work, _ = typed("calls", "patient_id", "NULL", "P1")
    assert work.problem.to_list() == [1, 0]
    assert work.problems == [("patient_id", "patient_id is blank")]


@pytest.mark.parametrize(("word", "others"), [("0", ["12", "30"]), ("—", ["V1"]), ("Ä", ["V1"])])
def test_null_words_of_the_policy_are_found_whatever_else_the_column_holds(word: str, others: list[str]) -> None:
    column = pa.chunked_array([pa.array([word.lower(), *others])])
    work = TableParser(POLICY.model_copy(update={"nulls": (word,)}), "visits", 1 + len(others))
    read_column(
        work,
        TABLES["visits"].columns["originating_call_id"],
        pl.Series(column),
        ColumnHints({}, {"originating_call_id": byte_range(column)}),
    )
    assert work.columns["originating_call_id"].decode().to_list() == [None, *others]


@pytest.mark.parametrize("word", ["NULLA", "N", "1", "P-NULL", "NA-1", "UNKN", "Ä"])
def test_other_words_are_values(word: str) -> None:
    assert typed("calls", "claim_id", word)[1] == [word]


@pytest.mark.parametrize(
    "written",
    ['="00123"', "'00123", "00\u200b123", "\u200e00123", " 00123\u00a0", "00123\u00ad", "\x0000123", "00123\ufeff"],
)
@pytest.mark.parametrize("column", ["call_id", "patient_id", "claim_id", "problem_id"])
def test_armour_and_characters_that_print_nothing_are_taken_off_ids(column: str, written: str) -> None:
    work, values = typed("calls", column, written, "00123")
    assert values == ["00123", "00123"]
    changed = written.strip() != "00123"
    assert [text.split(":")[0] for text in work.tallies] == ([f"calls.{column}"] if changed else [])


def test_identifiers_that_a_spreadsheet_rounded_are_warned_about(tmp_path: Path, policy: Policy):
    table = one(tmp_path, policy, TEXT.replace("007", "2.98725E+13").encode())
    assert "visits.visit_id: identifiers look like rounded numbers, such as 2.98725E+13 (rows: 1)" in table.warnings[0]
    assert table.rows["visit_id"].to_list() == ["2.98725E+13"]
