"""Ids that are sought: as they stand by their hashes, nearly by text."""

import polars as pl
import pytest

from auditor.parsing.readers import blank_row
from auditor.parsing.typed_chunk import type_rows
from auditor.quality.id_sets import IdSet
from auditor.reading.dictionary import ColumnHints, byte_range_of
from auditor.reading.ingest import Chunk
from auditor.schema.tables import TABLES
from tests.support.parsing import POLICY


def found(ids: list[str | None], texts: list[str | None]) -> list[tuple[str, str]]:
    return sorted(IdSet(pl.Series(ids, dtype=pl.String)).matches(pl.Series(texts, dtype=pl.String)).rows())


def test_ids_are_found_as_they_stand() -> None:
    many = [f"{number:07}" for number in range(0, 9_000, 3)]
    others = [f"{number:07}" for number in range(0, 9_000, 2)]
    assert found([*many, None], [*others, None]) == [(one, "") for one in many if int(one) % 2 == 0]


@pytest.mark.parametrize(
    ("one", "text", "how"),
    [
        ("007", "7", "zeros"),
        ("12345", "012345", "zeros"),
        ("12345", "123.0", None),
        ("123", "123.0", "decimal"),
        ("ab1", "AB1", "case"),
        ("A-1", "A1", "punctuation"),
        ("1234", "1,234", "punctuation"),
        ("10001", "Patient/10001", "reference"),
        ("A-1", "https://example.org/fhir/Patient/A-1/_history/2", "reference"),
        ("0c3f-1", "urn:uuid:0c3f-1", "reference"),
        ("10001", "Patient/0010001", "zeros and reference"),
        ("10001", "a/10001", None),
        ("29872500000000", "2.98725E+13", "rounding"),
        ("29980000000000", "2998E13", None),
        ("123456", "123457", None),
        ("1234567", "+123456", None),
    ],
)
def test_ids_that_differ_in_little_are_near(one: str, text: str, how: str | None) -> None:
    assert found([one], [text]) == ([] if how is None else [(one, how)])


def test_an_id_may_be_there_and_near() -> None:
    assert found(["007", "008"], ["007", "7"]) == [("007", ""), ("007", "zeros")]


IDS = ["7", "07", "5000", "5E3", "5E03", "A1", "a1", "A01", "B1", "0A1", "A-1", "A1.0", "A,1", ":A", "Patient/7", ""]


def test_the_bytes_of_ids_tell_only_where_none_is_near() -> None:
    near = IdSet(pl.Series(IDS)).pairs(pl.Series(IDS)).rows()
    assert len(near) > 40
    for value, text, how in near:
        for more in ([], ["B9"], ["9"]):
            texts = [text, *more]
            found = IdSet(pl.Series([value, *more])).pairs(pl.Series(texts), byte_range_of(pl.Series(texts))).rows()
            assert (value, text, how) in found


def test_ids_without_near_ones_are_recognized_by_their_bytes() -> None:
    ids = IdSet(pl.Series(["A1", "A01", "B1"]))
    ids._folded = None  # type: ignore[assignment,misc]
    assert ids.pairs(pl.Series(["B01", "C7"]), byte_range_of(pl.Series(["B01", "C7"]))).is_empty()


def test_the_bytes_of_ids_that_a_policy_changes_are_not_known() -> None:
    folds = POLICY.model_copy(update={"ids": POLICY.ids.model_copy(update={"patient_id": ("case",)})})
    texts = pl.Series("patient_id", ["C1"])
    chunk = Chunk(texts.to_frame(), pl.DataFrame(), hints=ColumnHints({}, {"patient_id": byte_range_of(texts)}))
    for policy, bare in ((POLICY, True), (folds, False)):
        typed = type_rows(TABLES["visits"], chunk, policy, blank_row("visits", policy))
        assert typed.byte_range("patient_id").is_bare is bare
