"""JSON Lines, a record a line → frames: a column for each dotted path, all as text.

Every line is looked at: a column may first appear in the last one. FHIR resources are read by `auditor.sources.fhir`.

Source: docs/specification.md#json-lines.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

import polars as pl

from auditor.errors import InputRefused
from auditor.reading.kinds import Location
from auditor.schema.tables import TABLES
from auditor.sources import json_text
from auditor.sources.fhir import TYPE, Resources
from auditor.sources.source import RECORD, Context, Source
from auditor.sources.spool import Spool

_COLUMNS = 5_000
"""Different paths of a file, at most: where there are more, ids are written as keys."""


def read(table: str, locations: Sequence[Location], context: Context) -> Iterator[Source]:
    """Each file's records. Raises InputRefused for a line that is not an object, and for files that change meanwhile."""
    resources = Resources(table, context)
    for location in locations:
        given = islice(json_text.blocks(table, location, context.policy), None if context.sample is None else 1)
        first, blocks = json_text.described(given)
        if isinstance(first.get(TYPE), str):
            resources.add(location, blocks)
        else:
            yield Source(location, _frames(f"{table}: {location.shown}", table, blocks, context.folder))
    yield from resources.sources()


def _frames(where: str, table: str, blocks: Iterator[json_text.Records], folder: Path) -> Iterator[pl.DataFrame]:
    """A frame for each block. All wait for the last one, which may bring a column."""
    spool, names = Spool(folder), dict[str, None]()
    for records in blocks:
        frame = _frame(where, records)
        names |= dict.fromkeys(frame.columns)
        if len(names) > _COLUMNS:
            raise InputRefused(
                f"{where}: more than {_COLUMNS:,} different keys, as where ids are keys; write each record as one object "
                "with the same keys"
            )
        spool.add(frame)
    required = [column.name for column in TABLES[table].columns.values() if column.required]
    schema = dict.fromkeys(names or required, pl.String()) | {RECORD: pl.UInt32()}
    yield pl.DataFrame(schema=schema)
    for frame in spool:
        missing = [pl.lit(None, dtype).alias(name) for name, dtype in schema.items() if name not in frame.columns]
        yield frame.with_columns(missing).select(*schema)


def _frame(where: str, records: json_text.Records) -> pl.DataFrame:
    lines, rows = list[int](), list[dict[str, str | None]]()
    for line, record in records:
        lines.append(line)
        rows.append(_row(where, line, record))
    names = dict.fromkeys(chain.from_iterable(rows))
    columns = [pl.Series(name, [row.get(name) for row in rows], pl.String) for name in names]
    return pl.DataFrame([*columns, pl.Series(RECORD, lines, pl.UInt32)])


def _row(where: str, line: int, record: json_text.Object) -> dict[str, str | None]:
    row: dict[str, str | None] = {}
    try:
        for key, value in record.items():
            if value.__class__ is str and key not in row:
                row[key] = value
            else:
                _add(row, key, value)
    except _TwoValues:
        raise InputRefused(
            f"{where}, line {line}: a key with a dot and an object have the same path; rename one of them"
        ) from None
    return row


class _TwoValues(Exception):
    """Two keys of a record have one dotted path."""


def _add(row: dict[str, str | None], path: str, value: Any) -> None:
    """Put a value into a row: of an object each key, of a list its texts, as one cell."""
    if isinstance(value, dict):
        for key, inner in value.items():
            _add(row, f"{path}.{key}", inner)
        return
    cells: dict[str, str | None] = {path: None}
    if isinstance(value, list):
        lists: dict[str, list[str]] = {}
        for item in value:
            one: dict[str, str | None] = {}
            _add(one, path, item)
            for name, text in one.items():
                lists.setdefault(name, []).extend([text] if text else [])
        cells = {name: ";".join(texts) for name, texts in lists.items()} or cells
    elif value is not None:
        cells = {path: value if isinstance(value, str) else str(value).lower()}
    if not row.keys().isdisjoint(cells):
        raise _TwoValues
    row |= cells
