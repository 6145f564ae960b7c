"""Delta tables → the rows of one version. Source: docs/lakes.md.

The library's `scan` is what applies deletion vectors and column mapping; it promises no order of rows.
"""

import re
from collections.abc import Iterator, Sequence
from importlib.metadata import version as installed
from typing import Any

import polars as pl
import pyarrow as pa

from auditor.errors import InputRefused
from auditor.reading.kinds import Location
from auditor.sources.source import Context, Source, require_extra
from auditor.sources.unordered import in_order

_FEATURE = re.compile(r"[Ff]eatures?\b[^\[']*[\['](\w[\w, ]*)")


def read(table: str, locations: Sequence[Location], context: Context) -> Iterator[Source]:
    """Each table as it is now, or at the version that is named; the interface is `auditor.sources.source.Reader`."""
    require_extra("delta", "deltalake")
    for location in locations:
        where = f"{table}: {location.shown}"
        delta = _opened(where, location)
        yield Source(location, _frames(where, delta, context), understood=[f"Delta table, version {delta.version()}"])


def _opened(where: str, location: Location) -> Any:
    from deltalake import DeltaTable

    version = location.within
    if version and not (version.isascii() and version.isdecimal()):
        raise InputRefused(f"{where}: versions of a Delta table are numbers; name one as in TABLE@12")
    try:
        return DeltaTable(location.path, version=int(version) if version else None)
    except Exception as error:  # what it raises has no common base
        raise _refusal(where, f"version {version}" if version else "its log", error) from None


def _frames(where: str, delta: Any, context: Context) -> Iterator[pl.DataFrame]:
    try:
        scan = pa.RecordBatchReader.from_stream(delta.scan())
    except Exception as error:
        raise _refusal(where, "this table", error) from None
    yield from in_order(scan.schema, _batches(where, scan), context.folder)


def _batches(where: str, scan: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    try:
        yield from scan
    except (pa.ArrowException, OSError) as error:
        raise _refusal(where, "a file of this version", error) from None


def _refusal(where: str, what: str, error: Exception) -> InputRefused:
    """The library's own words may hold values, so that only names of features are taken from them."""
    feature = _FEATURE.search(str(error))
    needs = f"it needs {feature[1]}" if feature else type(error).__name__
    return InputRefused(
        f"{where}: {what} cannot be read by deltalake {installed('deltalake')} ({needs}); check that the version exists and "
        "that no VACUUM has removed its files, or export the table to CSV or Parquet"
    )
