"""A fortnight of nightly runs against the independent replay; `make ledger-check` has the quarter, the kills and the
rest.
"""

from pathlib import Path

import pytest

from tests.slow.ledger.quarter import SHORT, Quarter


@pytest.mark.slow
def test_every_mark_of_a_fortnight_is_that_of_the_replay(tmp_path: Path):
    ledger_runs = Quarter(tmp_path, SHORT, seed=5)
    ledger_runs.whole()
    assert ledger_runs.differences == []
    happened = ("new", "changed", "reopened", "resolved", "claim not audited", "rule not evaluated", "rule could not be decided", "decisions imported",
                "decisions refused", "refunds", "nights refused", "nights run again", "undecided claims settled", "claims that came back")  # fmt: skip
    assert [what for what in happened if not ledger_runs.tally[what]] == []
