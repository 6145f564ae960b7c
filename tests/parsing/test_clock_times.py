"""Ends of calls that are times of day."""

from datetime import datetime

import pytest

from auditor import policy as policies
from tests.support.parsing import call


@pytest.mark.parametrize(
    ("start", "written", "end"),
    [
        ("2026-03-02 23:50", "00:15", "2026-03-03 05:15"),
        ("2026-03-02 09:00:10", "9:25 AM", "2026-03-02 14:25"),
        ("2026-03-02 09:00:30", "09:00", "2026-03-02 14:00:30"),
        ("2026-03-07 23:50", "00:05", "2026-03-08 05:05"),
        ("2026-03-02 09:00", "2026-03-02 09:25", "2026-03-02 14:25"),
        ("2026-03-02 09:00", "08:50", None),
        ("2026-03-02 09:00", "soon", None),
    ],
)
def test_an_end_without_a_date_is_the_first_such_time(start: str, written: str, end: str | None):
    policy = policies.load(timezone="America/New_York")
    found = call(policy, call_start=start, call_end_time=written)
    assert found.is_valid.all() == (end is not None)
    if end:
        assert found.column("call_end")[0].replace(tzinfo=None) == datetime.fromisoformat(end)
