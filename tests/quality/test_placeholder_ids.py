"""Patient ids that identify nobody: what a cheap search may leave out of the exact one."""

import polars as pl

from auditor.quality.placeholder_ids import looks_like_placeholder, may_look_like_placeholder
from auditor.reading.dictionary import ANY_BYTES, byte_range_of
from tests.support.parsing import POLICY

_IDS = ["0", "-1", "999", "99", "Unknown", "TEST", "1.2E+11", "1.23456E5", "NOBODY", "ß", "SS", "İ", "P000012345"]


def test_the_search_of_all_ids_misses_no_placeholder() -> None:
    policy = POLICY.model_copy(update={"ids": POLICY.ids.model_copy(update={"placeholders": ("Nobody", "ß", "i̇")})})
    ids = pl.Series("id", _IDS)
    looks = ids.filter(ids.to_frame().select(looks_like_placeholder(pl.col("id"), policy)).to_series())
    assert looks.to_list() == ["0", "-1", "999", "Unknown", "TEST", "1.2E+11", "NOBODY", "SS", "İ"]
    for extent in (ANY_BYTES, byte_range_of(ids)):
        assert set(looks) <= set(ids.filter(may_look_like_placeholder(ids, extent, policy)))
    for one in looks:
        alone = pl.Series([one])
        assert may_look_like_placeholder(alone, byte_range_of(alone), policy).all()


def test_long_ids_that_begin_with_a_capital_are_not_searched() -> None:
    ids = pl.Series(["P000012345", "P000012346"])
    assert not may_look_like_placeholder(ids, byte_range_of(ids), POLICY).any()
