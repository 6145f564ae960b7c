"""Which term a word means, and words that no vocabulary has."""

import polars as pl
import pytest

from auditor.parsing.readers import read_column
from auditor.parsing.table_parser import TableParser
from auditor.reading.dictionary import ColumnHints
from auditor.schema.tables import TABLES
from tests.support.parsing import POLICY, typed


@pytest.mark.parametrize(
    ("written", "status"),
    [("4", "denied"), ("Paid", "active"), ("1", "active"), ("voided", "void"), ("rejected", "denied"), ("", "active")],
)
def test_statuses_of_a_line(written: str, status: str) -> None:
    work, values = typed("claims", "claim_status", written)
    assert values == [status] and work.unrecognised == []


def test_a_status_that_nobody_knows_is_active_and_listed() -> None:
    work, values = typed("claims", "claim_status", "Denied - CO 97", "Denied - CO 97")
    assert values == ["active", "active"]
    assert work.unrecognised == [("claims", "claim_status", "Denied - CO 97", 2)]


def test_a_status_that_is_no_known_word_is_active_but_not_sure() -> None:
    work, values = typed("claims", "claim_status", "Adjusted 97", "paid", None, "void", "4")
    assert values == ["active", "active", "active", "void", "denied"]
    assert work.columns["claim_status_sure"].decode().to_list() == [False, True, True, True, True]
    assert work.unrecognised == [("claims", "claim_status", "Adjusted 97", 1)]


def test_a_text_that_no_row_has_says_nothing() -> None:
    """A dictionary may be that of more rows."""
    work, known = TableParser(POLICY, "visits", 2), ColumnHints({"status": pl.Series(["completed", "strange", None])})
    read_column(work, TABLES["visits"].columns["status"], pl.Series([2, 2], dtype=pl.UInt32), known)
    assert (work.filled, work.unrecognised, work.columns["status"].decode().to_list()) == (set(), [], [None, None])


@pytest.mark.parametrize(
    ("column", "words", "term"),
    [
        ("status", ("finished", "Discharged", "in-progress", "triaged", "onleave"), "completed"),
        ("status", ("planned", "proposed", "waitlist"), "scheduled"),
        ("status", ("discontinued", "entered-in-error"), "cancelled"),
        ("modality", ("AMB", "EMER", "IMP", "HH", "acute", "NONAC", "OBSENC", "SS"), "in_person"),
        ("soonest_available", ("✓", "✔", "☑"), True),
        ("soonest_available", ("✗", "✘", "☐"), False),
    ],
)
def test_words_of_fhir_and_ticks(column: str, words: tuple[str, ...], term: object) -> None:
    work, values = typed("visits", column, *words)
    assert set(values) == {term} and work.unrecognised == []


def test_a_tentative_status_and_a_class_that_says_nothing() -> None:
    """VR is by phone or by video."""
    work, values = typed("visits", "status", "waitlist", "booked", "perhaps", None)
    assert values == ["scheduled", "scheduled", "unrecognised", None]
    assert work.columns["status_sure"].decode().to_list() == [False, True, False, True]
    work, values = typed("visits", "modality", "VR", "AMB")
    assert values == [None, "in_person"] and work.unrecognised == []
