"""Where the work is done: in memory, on disk, or on a cluster. The path of an audit is written once, over parcels.

A parcel goes to an address, and all that lies at one address is worked on together, wherever that is. Work must not depend
on anything but its parcels and what it was made with, so that it can be done again after a failure.
"""

import io
import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

import polars as pl

DRIVER = "driver"
"""The address of what is told to the process that conducts the audit."""


@dataclass(frozen=True)
class Parcel:
    """Something for an address. Parcels of an address are handed over in the order of `kind` and `order`."""

    to: str
    kind: str
    order: tuple[int, int]
    body: Any


class Post(Protocol):
    """The parcels that some work has sent, wherever they lie."""


Making = Callable[[Any], Iterable[Parcel]]
"""Work on one task."""

Handling = Callable[[str, list[Parcel]], Iterable[Parcel]]
"""Work on all the parcels of one address. It may empty the list to let go of them."""


class Engine(Protocol):
    """What an audit asks of the place where it runs.

    `buckets`: into how many the patients are divided, once `divide` has been called. `split_rows`: about how many rows of a
    file are a task, None for a whole file.
    """

    buckets: int
    split_rows: int | None

    def __enter__(self) -> Self:
        """Hold what the engine needs until the end of the block."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Let go of everything, spilled data included."""

    def divide(self, need: int) -> None:
        """Choose the number of buckets for inputs that would need so many bytes in memory."""

    def spread(self, work: Making, tasks: Sequence[Any], what: str) -> Post:
        """Work on each task and post what it makes. `what` and the task's `str` are for progress lines."""

    def each(self, work: Handling, posts: Sequence[Post], prefix: str, what: str, *, keep: bool = False) -> Post:
        """Work on every address that begins with the prefix. The parcels are gone afterwards unless they are kept."""

    def fetch(self, post: Post) -> Iterator[Parcel]:
        """The parcels for the driver, one after another; each is gone once it is fetched."""

    def keep(self, frame: pl.DataFrame) -> pl.LazyFrame:
        """A frame that the driver needs once more before the engine is left; on disk where there is more than one bucket."""


def pack(body: Any) -> bytes:
    """Bytes that `unpack` understands; frames are compressed."""
    stream = io.BytesIO()
    _Pickler(stream, protocol=5).dump(body)
    return stream.getvalue()


def unpack(data: bytes) -> Any:
    """What was packed. Only for what this run has packed itself."""
    return pickle.loads(data)


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, pl.DataFrame):
            stream = io.BytesIO()
            value.write_ipc(stream, compression="lz4")
            return _frame, (stream.getvalue(),)
        return NotImplemented


def _frame(data: bytes) -> pl.DataFrame:
    return pl.read_ipc(io.BytesIO(data))
