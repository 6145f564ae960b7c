"""Generated worlds, dense in boundaries: whole verdicts with their evidence equal the slow reference's.

`make worlds` runs ten thousand of them; the default suite runs a fixed few, so that it is quick and never flaky.
"""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings

from tests.reference import World
from tests.support import compare
from tests.support.worlds import worlds

_WANTED = int(os.environ.get("WORLDS", "0"))
_SHARES = range(4 if _WANTED else 2)
_profile = settings(
    max_examples=_WANTED // len(_SHARES) if _WANTED else 8,
    derandomize=not _WANTED,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.slow
@pytest.mark.parametrize("share", _SHARES)
def test_worlds_equal_the_reference(share: int):
    @_profile
    @given(worlds())
    def holds(world: World) -> None:
        with TemporaryDirectory() as folder:
            suffix = "parquet" if share % 2 else "csv"
            assert compare.differences(world, compare.run(world, Path(folder), suffix)) == []

    holds()
