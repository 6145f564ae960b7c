"""Columns of few texts or numbers, in two: places, and what these are places among."""

from decimal import Decimal

import polars as pl
import pyarrow as pa
import pytest

from auditor.reading.dictionary import byte_range, byte_range_of, detached, factorize, from_arrow


def dictionary(places: list[int | None], texts: list[str]) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(places, pa.int32()), pa.array(texts, pa.string()))


def test_chunks_with_dictionaries_of_their_own_have_one() -> None:
    column = pa.chunked_array([dictionary([0, None, 1], ["a", "b"]), dictionary([1, 0], ["c", "b"])])
    frame, (texts, _) = from_arrow(pa.table({"x": column, "y": column}), ["x"])
    assert texts["x"].gather(frame["x"]).to_list() == frame["y"].to_list() == ["a", None, "b", "b", "c"]
    assert (frame["x"].dtype, list(texts)) == (pl.UInt32, ["x"])


def test_a_dictionary_that_repeats_a_text_is_none() -> None:
    frame, (texts, _) = from_arrow(pa.table({"x": dictionary([0, 1], ["a", "a"])}), ["x"])
    assert (frame["x"].to_list(), texts) == (["a", "a"], {})


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
@pytest.mark.parametrize(
    ("texts", "plain", "number", "digits"),
    [
        (["12", None, "3"], True, True, True),
        (["", "7"], True, True, True),
        ([], True, True, True),
        (["-1", "+2", "3.5"], True, True, False),
        (["A-1", "z~"], True, False, False),
        (["1", "2 "], False, False, False),
        (["1\t"], False, False, False),
        (["'1"], False, False, False),
        (['="1"'], False, False, False),
        (["1\x7f"], False, False, False),
        (["1\u200b"], False, False, False),
    ],
)
def test_the_extent_tells_what_texts_cannot_hold(
    texts: list[str | None], plain: bool, number: bool, digits: bool, kind: pa.DataType
) -> None:
    parts = [pa.array(["~ x", *texts], kind).slice(1), pa.array([], kind)]
    one = byte_range(pa.chunked_array(parts))
    assert (one.is_plain, one.is_number, one.is_digits) == (plain, number, digits)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
@pytest.mark.parametrize(
    ("texts", "bare", "alphanumeric", "shortest"),
    [
        (["P01", "Q1"], True, True, 2),
        (["P01", "1"], False, False, 1),
        (["P-1"], False, True, 3),
        (["p1"], False, False, 2),
        (["10", "2"], True, True, 1),
        (["10", "02"], False, True, 2),
        (["", "P1"], True, True, 0),
        (["", ""], True, True, 0),
    ],
)
def test_the_extent_tells_how_texts_begin_and_how_long_they_are(
    texts: list[str], bare: bool, alphanumeric: bool, shortest: int, kind: pa.DataType
) -> None:
    one = byte_range(pa.chunked_array([pa.array(["~", *texts], kind).slice(1), pa.array([], kind)]))
    assert (one.is_bare, one.has_alphanumerics, one.shortest) == (bare, alphanumeric, shortest)


@pytest.mark.parametrize(
    ("word", "may"),
    [("UNK", True), ("unk", True), ("NA", False), ("#N/A", False), ("*Unspecified", False), ("999", True)],
)
def test_the_extent_tells_which_words_a_text_cannot_be(word: str, may: bool) -> None:
    assert byte_range_of(pl.Series(["UNK", "Z99"])).may_be(word) is may
    assert byte_range_of(pl.Series(["na"])).may_be(word) is (word == "NA")


@pytest.mark.parametrize(
    "numbers",
    [
        pl.Series([5, None, 3, 5, -2]),
        pl.Series([True, None, False]),
        pl.Series([Decimal("1.50"), None, Decimal("-3.00"), Decimal("1.50")]),
    ],
)
def test_numbers_are_places_of_first_rows(numbers: pl.Series) -> None:
    packed = factorize(numbers)
    assert packed is not None
    places, rows = packed
    assert numbers.gather(rows).gather(places).to_list() == numbers.to_list()
    assert len(rows) == numbers.n_unique()


@pytest.mark.parametrize("numbers", [[], [None, None], [0, 1 << 16], [-(2**63), 2**63 - 1]])
def test_numbers_that_span_too_many_values_are_not_packed(numbers: list[int | None]) -> None:
    assert factorize(pl.Series(numbers, dtype=pl.Int64)) is None


def test_rows_that_are_kept_let_the_texts_of_the_others_go() -> None:
    long = [f"{number:032d}" for number in range(10_000)]
    frame = pl.DataFrame({"long": long, "short": "a", "none": pl.Series([None] * 10_000, dtype=pl.String)})
    some = frame.filter(pl.int_range(10_000) % 100 == 0)

    def held(rows: pl.DataFrame) -> int:
        column = rows["long"].to_arrow(compat_level=pl.CompatLevel.newest())
        return sum(buffer.size for buffer in column.buffers() if buffer)

    assert held(some) > 320_000
    assert held(detached(some)) < 10_000
    assert detached(some).equals(some)
