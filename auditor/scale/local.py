"""The work done in this process: everything in memory, or in buckets that are spilled beside the output."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import polars as pl

from auditor.scale import DRIVER, Handling, Making, Parcel, Post, pack, unpack
from auditor.scale.spill import Spill

_BUCKET, _SHARE, _MOST = 512 << 20, 4, 4096
"""Bytes of a bucket (larger ones cost more for the memory they take than for the work), the part of a bounded memory that
it may be (what is read and published takes room too), and how many there may be (the smallest cost more than they save).
"""

_AT_ONCE = 2
"""Addresses that are worked on at once: polars uses all cores for a large frame, and one for much of what is small."""

_Held = tuple[str, Any]


class Local:
    """The engine of one process.

    What fits into `memory` (bytes, None for no bound) stays there. Otherwise parcels are spilled to the folder `beside`
    (None: the system's temporary folder).
    """

    split_rows: int | None = None

    def __init__(
        self,
        memory: int | None = None,
        beside: Path | None = None,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        """An engine that has not looked at any input yet."""
        self.buckets = 1
        self._memory = memory
        self._beside = beside
        self._progress = progress
        self._spill: Spill | None = None

    def __enter__(self) -> Self:
        """Nothing is held before it is known how much there is."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Remove what was spilled."""
        if self._spill:
            self._spill.remove()

    def divide(self, need: int) -> None:
        """Choose the number of buckets for inputs that would need so many bytes in memory."""
        size = _BUCKET if self._memory is None else min(_BUCKET, self._memory // _SHARE)
        self.buckets = min(1 + need // size, _MOST)
        if self._memory is not None and need > self._memory:
            self._spill = Spill(self._beside)

    def spread(self, work: Making, tasks: Sequence[Any], what: str) -> Post:
        """Work on each task, in order."""
        box = self._box()
        for number, task in enumerate(tasks, 1):
            self._tell(f"{what} {task}", number, len(tasks))
            for parcel in work(task):
                box.put(*box.held(parcel))
        return box

    def each(self, work: Handling, posts: Sequence[Post], prefix: str, what: str, *, keep: bool = False) -> Post:
        """Work on one address after another."""
        boxes = [post for post in posts if isinstance(post, _Box)]
        sent = self._box()
        addresses = sorted({to for box in boxes for to in box.addresses if to.startswith(prefix)})

        def handled(to: str) -> list[_Held]:
            parcels = [parcel for box in boxes for parcel in box.at(to, keep=keep)]
            parcels.sort(key=lambda parcel: (parcel.kind, parcel.order))
            return [sent.held(parcel) for parcel in work(to, parcels)]

        threads = ThreadPoolExecutor(_AT_ONCE)
        try:
            for number, made in enumerate(threads.map(handled, addresses), 1):
                self._tell(what, number, len(addresses))
                for held in made:
                    sent.put(*held)
        finally:
            threads.shutdown(cancel_futures=True)  # an interrupted run does not begin another address
        return sent

    def fetch(self, post: Post) -> Iterator[Parcel]:
        """What was told to the driver."""
        assert isinstance(post, _Box)
        return post.at(DRIVER, keep=False)

    def keep(self, frame: pl.DataFrame) -> pl.LazyFrame:
        """The frame, in memory or on disk."""
        return self._spill.keep(frame) if self._spill else frame.lazy()

    def _box(self) -> "_Box":
        return _Box(self._spill)

    def _tell(self, what: str, number: int, count: int) -> None:
        self._progress(f"{what} ({number} of {count})" if count > 1 else what)


class _Box:
    """Parcels by address, in memory or one file an address."""

    def __init__(self, spill: Spill | None) -> None:
        self._spill = spill
        self._folder = spill.part() if spill else None
        self.addresses: defaultdict[str, list[Any]] = defaultdict(list)

    def held(self, parcel: Parcel) -> _Held:
        """A parcel's address, and the parcel as it is kept: packed if it goes to disk."""
        return parcel.to, pack(parcel) if self._spill else parcel

    def put(self, to: str, held: Any) -> None:
        """Keep what `held` has made. On disk, its length stands for it."""
        if self._spill and self._folder:
            self._spill.append(self._folder / to, held)
            held = len(held)
        self.addresses[to].append(held)

    def at(self, to: str, *, keep: bool) -> Iterator[Parcel]:
        """The parcels of an address in the order in which they came, each let go of as it is handed over unless kept."""
        held = list(self.addresses.get(to, [])) if keep else self.addresses.pop(to, [])
        if self._folder is None:
            held.reverse()
            while held:
                yield held.pop()
        elif held:
            path = self._folder / to
            with path.open("rb") as file:
                for size in held:
                    yield unpack(file.read(size))
            if not keep:
                path.unlink()
