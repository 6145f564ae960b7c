"""What a reader of sources makes. Source: docs/specification.md#sources."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import polars as pl
import pyarrow as pa

from auditor.errors import UsageError
from auditor.policy import Policy
from auditor.reading.ingest import RECORD as RECORD
from auditor.reading.kinds import Location


@dataclass
class Source:
    """The rows of one source, read once.

    `frames`: at least one, of polars or Arrow, all with the same columns and types that Parquet has; the columns by their
    headers, as the source calls them, or canonical names; lists are lists of text. A column RECORD (UInt32) numbers the
    records as the source does; without it they are numbered from 1.
    `warnings`: sentences for the user, and `understood`: how the source is read, for `check` and the summary; both are
    complete once the frames are read.
    """

    location: Location
    frames: Iterator[pl.DataFrame | pa.Table]
    warnings: list[str] = field(default_factory=list)
    understood: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Context:
    """What readers need to know of the run. `folder`: for files that are removed at the end of the run.

    `tables`: the tables of the run. `sample`: rows of a table that are enough, whatever its columns (None: all rows of the
    columns that the run reads). `database`: the URL of the database. `kept`: what a reader keeps from table to table;
    they are read in the order calls, visits, claims, providers. `stack` is closed when all tables are read. `located`: all
    sources of other kinds, by table.
    """

    policy: Policy
    folder: Path
    tables: frozenset[str]
    database: str | None = field(default=None, repr=False)
    sample: int | None = None
    kept: dict[str, Any] = field(default_factory=dict)
    stack: ExitStack = field(default_factory=ExitStack)
    located: Mapping[str, Sequence[Location]] = field(default_factory=dict)


class Reader(Protocol):
    """The function `read` of a kind's module."""

    def __call__(self, table: str, locations: Sequence[Location], context: Context) -> Iterator[Source]:
        """The sources of one table, those of this kind, in order; each is read to its end before the next is asked for.

        Raises InputRefused for what cannot be read whole, naming the table and the source.
        """


def require_extra(extra: str, *modules: str) -> None:
    """Raise UsageError where a module that an extra installs is missing."""
    for module in modules:
        if find_spec(module) is None:
            raise UsageError(f"{module} is not installed; install it with: pip install 'audit98968[{extra}]'")
