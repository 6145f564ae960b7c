"""Small work for an engine: words counted by bucket, then told to the driver, with every kind of end."""

import os
import time
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import polars as pl

from auditor.errors import InputRefused
from auditor.scale import DRIVER, Engine, Parcel

WORDS = 50


def numbered(buckets: int, pause: float, marks: Path | None, task: int) -> Iterator[Parcel]:
    """Rows to buckets, and a word to the driver. Each time that it is done leaves a mark."""
    time.sleep(pause)
    if marks:
        (marks / str(uuid.uuid4())).touch()
    rows = pl.DataFrame({"word": [(task * 7 + k * k) % WORDS for k in range(200)], "weight": [task] * 200})
    for bucket, part in rows.group_by(pl.col("word") % buckets):
        yield Parcel(f"bucket-{bucket[0]:04d}", "rows", (task, 0), part)
    yield Parcel(DRIVER, "read", (task, 0), rows.height)
    yield Parcel("keys-003", "seen", (task, 1), {task})
    yield Parcel("keys-003", "seen", (task, 0), {-task})


def counted(pause: float, address: str, parcels: list[Parcel]) -> Iterator[Parcel]:
    """The rows of a bucket, in order, to one line a word."""
    time.sleep(pause)
    assert [parcel.order for parcel in parcels] == sorted(parcel.order for parcel in parcels)
    rows = pl.concat([parcel.body for parcel in parcels])
    yield Parcel(
        DRIVER, "count", (int(address[-4:]), 0), rows.group_by("word").agg(pl.len(), pl.col("weight")).sort("word")
    )
    yield Parcel("keys-003", "words", (int(address[-4:]), 0), set(rows["word"]))


def told(address: str, parcels: list[Parcel]) -> Iterator[Parcel]:
    """What has come to the keys, as it came."""
    yield Parcel(DRIVER, address, (0, 0), [(parcel.kind, parcel.order, sorted(parcel.body)) for parcel in parcels])


def refused(task: int) -> Iterator[Parcel]:
    """Some tasks refuse: the first of them is to be heard."""
    yield Parcel(DRIVER, "read", (task, 0), task)
    if task % 4 == 3:
        raise InputRefused(f"calls: file {task} is not readable")


def broken(task: int) -> Iterator[Parcel]:
    """An error that quotes data."""
    yield Parcel(DRIVER, "read", (task, 0), task)
    raise ValueError("CANARY-MARY")


def large(size: int, task: int) -> Iterator[Parcel]:
    """A body of many pieces and an empty one."""
    yield Parcel("bucket-0000", "large", (task, 0), os.urandom(size) if size > 1000 else bytes(range(256)) * size)
    yield Parcel("bucket-0000", "small", (task, 0), b"")


def measured(address: str, parcels: list[Parcel]) -> Iterator[Parcel]:
    """The sizes of what came, and the first of it back again."""
    yield Parcel(DRIVER, "sizes", (0, 0), [(parcel.kind, parcel.order, len(parcel.body)) for parcel in parcels])
    yield Parcel(DRIVER, "body", (0, 0), parcels[0].body)


def run(
    engine: Engine, tasks: int = 9, pause: float = 0, marks: Path | None = None
) -> list[tuple[str, tuple[int, int], object]]:
    """Two rounds of work; what the driver was told, in order."""
    posted = engine.spread(partial(numbered, engine.buckets, pause, marks), range(tasks), "numbering")
    heard = list(engine.fetch(posted))
    words = engine.each(partial(counted, pause), [posted], "bucket-", "counting")
    keys = engine.each(told, [posted, words], "keys-", "telling")
    heard += [*engine.fetch(words), *engine.fetch(keys)]
    return [(parcel.kind, parcel.order, _plain(parcel.body)) for parcel in heard]


def _plain(body: object) -> object:
    return body.to_dicts() if isinstance(body, pl.DataFrame) else body
