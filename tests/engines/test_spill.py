"""Rows on disk come back as they were given, few at a time."""

from pathlib import Path

import polars as pl
import pytest

from auditor.engines.spill import Spill
from auditor.prefilter.key_scan import repeated


@pytest.mark.parametrize("limit", [None, 0])
def test_rows_come_back_in_order(limit: int | None, tmp_path: Path) -> None:
    """A partition is written more than ten times, so that names in the order of letters would be in another order."""
    with Spill(limit, tmp_path, "key", 3) as spill:
        for number in range(40):
            spill.add("rows", pl.DataFrame({"key": [1, 2, 3, 4], "number": [number] * 4}))
        found = [rows for (rows,) in spill.partitions("rows")]
        assert all(rows["number"].is_sorted() for rows in found)
        assert pl.concat(found).group_by("key").len().sort("key").rows() == [(key, 40) for key in (1, 2, 3, 4)]
        assert not any(path.is_file() for path in tmp_path.rglob("*"))
    assert not [*tmp_path.iterdir()]


def test_ids_repeat_within_a_partition_or_another() -> None:
    first, second = pl.Series([5, 9, 5, None], dtype=pl.UInt64) * 2**60, pl.Series([7, 8, 8], dtype=pl.UInt64) * 2**60
    several = repeated(first, 7) | repeated(second, 7)
    assert several.may_contain(first).to_list() == [True, False, True, False]
    assert several.may_contain(second).to_list() == [False, True, True]
