"""Every engine hands over the same parcels and lets the same errors through."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from auditor.errors import InputRefused, UsageError
from auditor.scale import Engine
from auditor.scale.local import Local
from auditor.scale.spark import Spark, SparkFailed
from tests.slow.cluster import toy

ROOT = str(Path(__file__).parents[3])
SPARK = importlib.util.find_spec("pyspark") is not None
HERE = {"spark.executorEnv.PYTHONPATH": ROOT}


@pytest.fixture(
    scope="module",
    params=[
        "memory",
        "disk",
        pytest.param("spark", marks=pytest.mark.skipif(not SPARK, reason="without the spark extra")),
    ],
)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    made = {
        "memory": Local,
        "disk": lambda: Local(4, tmp_path_factory.mktemp("spilled")),
        "spark": lambda: Spark("local[2]", settings=HERE),
    }
    with made[request.param]() as held:
        held.divide(5)
        yield held


def test_the_driver_is_told_the_same(engine: Engine) -> None:
    with Local() as plain:
        plain.buckets = engine.buckets
        want = toy.run(plain)
    assert sorted(toy.run(engine), key=repr) == sorted(want, key=repr)


def test_the_first_refusal_is_heard_as_it_was_said(engine: Engine) -> None:
    with pytest.raises(InputRefused, match=r"^calls: file 3 is not readable$"):
        list(engine.fetch(engine.spread(toy.refused, range(8), "refusing")))


def test_nothing_to_do(engine: Engine) -> None:
    nothing = engine.spread(toy.refused, [], "nothing")
    assert list(engine.fetch(nothing)) == []
    assert list(engine.fetch(engine.each(toy.told, [nothing], "keys-", "nothing"))) == []


def test_large_bodies_come_whole(engine: Engine) -> None:
    posted = engine.spread(partial(toy.large, 10_000_000), range(2), "large")
    sizes, body = sorted(engine.fetch(engine.each(toy.measured, [posted], "bucket-", "measuring")),
                         key=lambda parcel: parcel.kind, reverse=True)  # fmt: skip
    large, small = (
        [("large", (task, 0), 10_000_000) for task in range(2)],
        [("small", (task, 0), 0) for task in range(2)],
    )
    assert sizes.body == large + small
    assert len(body.body) == 10_000_000


def test_kept_parcels_are_handed_over_again(engine: Engine) -> None:
    posted = engine.spread(partial(toy.numbered, engine.buckets, 0, None), range(3), "numbering")
    first = list(engine.fetch(engine.each(toy.told, [posted], "keys-", "telling", keep=True)))
    again = list(engine.fetch(engine.each(toy.told, [posted], "keys-", "telling")))
    assert first == again != []


@pytest.mark.skipif(not SPARK, reason="without the spark extra")
@pytest.mark.parametrize("engine", ["spark"], indirect=True)
def test_an_error_in_a_worker_quotes_no_data(engine: Engine, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SparkFailed, match=r"^internal error \(ValueError, toy.py:\d+\) in a worker of Spark$"):
        engine.spread(toy.broken, range(2), "breaking")
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(SPARK, reason="with the spark extra")
def test_without_pyspark() -> None:
    with pytest.raises(UsageError, match=r"pip install 'audit98968\[spark\]'"), Spark("local[1]"):
        pass


@pytest.mark.skipif(not SPARK, reason="without the spark extra")
@pytest.mark.parametrize("master", ["spark://127.0.0.1:1", "spark://127.0.0.1", "spark://127.0.0.1:1,127.0.0.1:2"])
def test_a_master_that_does_not_answer(master: str) -> None:
    with pytest.raises(SparkFailed, match="nobody answers there"), Spark(master):
        pass
