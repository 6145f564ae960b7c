"""How long a text says that a call was."""

from pathlib import Path

import pytest

from tests.support.parsing import call, policy_of, typed


@pytest.mark.parametrize(
    ("written", "minutes"),
    [("25 min", 25), ("25min.", 25), ("1 minute", 1), ("PT21M30S", 21.5), ("pt1h2m", 62), ("PT90S", 1.5), ("21:30", 21.5),
     ("1:02:00", 62), ("25", 25)],
)  # fmt: skip
def test_lengths(written: str, minutes: float) -> None:
    assert typed("calls", "call_minutes", written)[1] == [int(minutes * 60_000_000)]


@pytest.mark.parametrize("written", ["PT", "25 hours", "min", "P1D", "25 m in"])
def test_lengths_that_are_none(written: str) -> None:
    work, values = typed("calls", "call_minutes", written)
    assert values == [None]
    assert work.problems == [("call_minutes", "call_minutes is not a valid duration, such as 21, 21:30 or PT21M30S")]


def test_milliseconds(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, '[units]\ncall_minutes = "milliseconds"')
    read = call(policy, call_start="2026-03-02 09:00", call_minutes="1260500")
    assert read.column("call_minutes").to_list() == [1_260_500_000]
