"""What PostgreSQL and SQLite have in common: connections, results and errors of ADBC."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Self

import pyarrow as pa

from auditor.errors import InputRefused
from auditor.sources.databases.query import Query


class AdbcConnection:
    """One transaction, which sees one snapshot."""

    zone = ""
    OPTIONS: ClassVar[Mapping[str, str]] = {}
    """Of the statements that read rows."""

    def __init__(self, connection: Any) -> None:
        """`connection`: of the driver, not in its autocommit mode."""
        self._connection, self._reading = connection, None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Close what was read midway, too."""
        if self._reading:
            self._reading.close()
        self._connection.close()

    def batches(self, query: Query, select: str, rows: int | None) -> Iterator[pa.RecordBatch]:
        """Some expressions of a query's columns, at least one batch, at most so many rows."""
        with self.explained(query), self._connection.cursor() as cursor:
            self._reading = cursor
            cursor.adbc_statement.set_options(**self.OPTIONS)
            cursor.execute(query.select(select, rows))
            reader = cursor.fetch_record_batch()
            yield pa.RecordBatch.from_pylist([], reader.schema)
            yield from reader

    def table(self, query: Query, sql: str) -> pa.Table:
        """All rows of a statement about a query."""
        with self.explained(query), self._connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetch_arrow_table()

    @contextmanager
    def explained(self, query: Query) -> Iterator[None]:
        """Errors in our own words, as the database's may quote values."""
        import adbc_driver_manager

        try:
            yield
        except (adbc_driver_manager.Error, pa.ArrowException, OSError) as error:
            raise self.refusal(query, error) from error

    def refusal(self, query: Query, error: Exception) -> InputRefused:
        """What to do about an error."""
        raise NotImplementedError
