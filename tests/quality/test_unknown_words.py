"""A column without a recognized word is a warning that says what follows."""

from pathlib import Path

import pytest

from auditor import pipeline
from auditor.engines.local import Local
from auditor.quality import unknown_words
from auditor.schema.tables import TABLES, Kind
from tests.reference import Table, World
from tests.support import compare
from tests.support.claims import COVERED

CALL = {"call_id": "k", "patient_id": "p", "provider_id": "a", "call_start": "2026-03-02 09:00", "cpt_code": "98968"}
VISIT = {"visit_id": "v", "patient_id": "p", "visit_start": "2026-03-01 09:00"}


def warned(tmp_path: Path, table: str, column: str, *words: str) -> list[str]:
    """Warnings of an export whose rows have these words in a column."""
    rows = {"calls": [CALL], "visits": [VISIT]}
    first = rows[table][0]
    key = TABLES[table].key[0]
    rows[table] = [first | {key: f"{first[key]}{number}", column: word} for number, word in enumerate(words)]
    calls, visits = (Table(tuple(rows[name][0]), tuple(rows[name])) for name in ("calls", "visits"))
    world = World(calls=calls, visits=visits, settings=COVERED)
    settings = compare.settings_of(world, compare.written(world, tmp_path))
    return [
        issue.text for issue in unknown_words.judge(pipeline.exports_of(pipeline.read(settings, Local()), settings))
    ]


@pytest.mark.parametrize(
    ("table", "column", "consequence"),
    [
        ("visits", "status", "every visit supports review at most"),
        ("visits", "modality", "no visit is known to be by phone"),
        ("calls", "initiated_by", "ELG001 is unknown for every claim"),
        ("calls", "claim_status", "every line counts as active"),
    ],
)
def test_a_column_without_a_known_word_says_what_follows(tmp_path: Path, table: str, column: str, consequence: str):
    (found,) = warned(tmp_path, table, column, "XQ-1", "", "XQ-2", "XQ-2")
    assert found.startswith(f"{table}.{column}: 2 different words, none in the vocabulary, so {consequence}")
    assert found.endswith(f"; map the words under [values.{table}.{column}] in the policy")


def test_one_known_word_is_enough(tmp_path: Path):
    assert warned(tmp_path, "visits", "status", "XQ-1", "", "cancelled") == []
    assert warned(tmp_path, "calls", "claim_status", "XQ-1", "paid") == []


def test_a_blank_column_and_a_word_that_says_nothing_are_no_unknown_words(tmp_path: Path):
    assert warned(tmp_path, "visits", "status", "", "") == []
    assert warned(tmp_path, "visits", "modality", "VR", "") == []


def test_every_column_with_a_vocabulary_has_a_consequence():
    kinds = (Kind.TERM, Kind.FLAG)
    assert unknown_words.CONSEQUENCES.keys() == {
        column.name for spec in TABLES.values() for column in spec.columns.values() if column.kind in kinds
    }
