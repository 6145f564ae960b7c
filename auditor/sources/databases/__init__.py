"""Queries → their rows. All queries of a run see one snapshot of one database, which nothing here can change.

A query runs inside `with q(c0, c1, ...) as (QUERY) select ... from q`, so that it can only be one that reads, and that each
column can be cast to what the reader of tables takes. Source: docs/specification.md#databases.
"""

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Protocol

import pyarrow as pa

from auditor.errors import InputRefused
from auditor.reading.ingest import ignored
from auditor.reading.kinds import Location
from auditor.reading.layout import layout
from auditor.schema.names import counted, without_credentials
from auditor.sources.databases.address import ENGINES, scheme_of
from auditor.sources.databases.query import Query, ResultColumn, read_query
from auditor.sources.source import Context, Source


class Session(Protocol):
    """A connection that sees one snapshot. Every method raises InputRefused where the database refuses the query."""

    zone: str
    """How the session's zone is reported; blank where there is none."""

    def columns(self, query: Query) -> list[ResultColumn]:
        """The columns of a query."""

    def count(self, query: Query, wanted: Sequence[tuple[int, ResultColumn]]) -> int:
        """The rows of a query. Refuses columns that are wanted and cannot be read, where only their cells tell."""

    def batches(self, query: Query, select: str, rows: int | None) -> Iterator[pa.RecordBatch]:
        """Some expressions of a query's columns, at least one batch, at most so many rows."""


def read(table: str, locations: Sequence[Location], context: Context) -> Iterator[Source]:
    """The rows of queries. Raises UsageError without a URL, InputRefused for what cannot be read."""
    for location in locations:
        query = read_query(table, location)
        if "session" not in context.kept:
            context.kept["session"] = _opened(query, context)
        yield _source(table, query, location, context)


def _opened(query: Query, context: Context) -> Session:
    scheme = scheme_of(query.where, context.database)
    session = import_module(ENGINES[scheme]).Connection(context.database, context.policy.timezone)
    return context.stack.enter_context(session)  # type: ignore[no-any-return]


def _source(table: str, query: Query, location: Location, context: Context) -> Source:
    session: Session = context.kept["session"]
    columns = session.columns(query)
    places = range(len(columns)) if context.sample else _read(table, query, columns, context)
    query = query.of_columns(len(columns))
    if context.sample is None and (refused := [columns[at] for at in places if columns[at].refusal]):
        raise query.unreadable(refused)
    wanted = [(at, columns[at]) for at in places if not columns[at].refusal]
    rows = session.count(query, wanted) if context.sample is None else None
    address = without_credentials(str(context.database))
    understood = [f"a query of {address}", *([f"the session's time zone is {session.zone}"] if session.zone else [])]
    return Source(location, _frames(session, query, columns, wanted, rows, context.sample), understood=understood)


def _read(table: str, query: Query, columns: Sequence[ResultColumn], context: Context) -> list[int]:
    """The places of the columns that the run reads."""
    names = [column.name for column in columns]
    billed = ignored(table, table == "calls" and "claims" in context.tables)
    return layout(query.where, table, context.policy, names, {}, billed, None).read


def _frames(
    session: Session,
    query: Query,
    columns: Sequence[ResultColumn],
    wanted: Sequence[tuple[int, ResultColumn]],
    count: int | None,
    sample: int | None,
) -> Iterator[pa.Table]:
    """The rows in batches; columns that are not wanted are blank. Raises InputRefused if the rows are not `count`."""
    select = ", ".join(f"{column.expression(f'c{at}')} as c{at}" for at, column in wanted) or "null as c"
    names = list(dict.fromkeys(column.name for column in columns if not (sample and column.refusal)))
    rows = 0
    for batch in session.batches(query, select, sample):
        try:
            batch.validate(full=True)
        except pa.ArrowInvalid:
            raise InputRefused(
                f"{query.where}: a column of text holds bytes that are not UTF-8; correct the data, or convert it in the "
                "query"
            ) from None
        rows += batch.num_rows
        read = {column.name: batch[f"c{at}"] for at, column in wanted}
        blank = pa.nulls(batch.num_rows, pa.string())
        yield pa.table({name: read.get(name, blank) for name in names})
    if count is not None and rows != count:
        raise InputRefused(
            f"{query.where}: count(*) of the query is {count:,}, but {counted(rows, 'row')} came; use no random values in "
            "the query, and order the rows of a limit"
        )
