"""In which unit stated lengths are, and hours that a spreadsheet has dropped."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from auditor.billing.lines import with_end_and_time
from auditor.parsing.microseconds import MINUTE
from auditor.quality.duration_units import COUNTS, suspected_unit
from auditor.quality.measure import counted

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
INSTANT = pl.Datetime("us", "UTC")


def calls(stated: list[float | None], clock: list[float | None], column: str = "call_minutes") -> pl.DataFrame:
    """Calls with stated lengths and ends, both in minutes."""
    columns = dict.fromkeys(("call_minutes", "call_seconds", "discussion_minutes"), pl.lit(None, pl.Int64))
    ends = [None if one is None else START + timedelta(minutes=one) for one in clock]
    lengths = [None if one is None else round(one * MINUTE) for one in stated]
    frame = pl.DataFrame({"call_end": pl.Series(ends, dtype=INSTANT), "stated": pl.Series(lengths, dtype=pl.Int64)})
    frame = frame.with_columns(call_start=pl.lit(START, INSTANT), **columns)
    return frame.with_columns(pl.col("stated").alias(column)).drop("stated")


@pytest.mark.parametrize(
    ("stated", "clock", "unit"),
    [
        ([1260, 1380], [21, 23], "seconds"),
        ([0.35, 0.4], [21, 24], "hours"),
        ([21 / 1440, 23 / 1440], [21, 23], "days"),
        ([1260, 1380], [None, None], "seconds"),
        ([0.4] * 10, [None] * 10, "hours"),
        ([1260], [21], None),
        ([0.4] * 9, [None] * 9, None),
        ([21, 23, 1.9], [22, 25, 24], None),
        ([21, 200], [None, None], None),
        ([5, 6, 7], [25, 28, 30], None),
    ],
)
def test_another_unit(stated: list[float | None], clock: list[float | None], unit: str | None) -> None:
    found = suspected_unit(counted(calls(stated, clock), [*COUNTS.values()]), {})
    assert (found and found[2]) == unit
    assert suspected_unit(counted(calls(stated, clock), [*COUNTS.values()]), {"call_minutes": "minutes"}) is None


@pytest.mark.parametrize(
    ("stated", "clock", "lost"),
    [
        (25.5, 85.5, True),
        (25, 147, False),
        (25, 145.5, True),
        (25, 84, True),
        (25, 83, False),
        (25, 30, False),
        (25, None, False),
    ],
)
def test_dropped_hours(stated: float, clock: float | None, lost: bool) -> None:
    (call,) = with_end_and_time(calls([stated], [clock])).to_dicts()
    assert (call["lost_hours"], call["time"] is None) == (lost, lost)
