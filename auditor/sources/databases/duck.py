"""A DuckDB file, through DuckDB's own Arrow reader. Source: docs/specification.md#databases."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self

import pyarrow as pa

from auditor.sources.databases.address import existing_file, not_opened
from auditor.sources.databases.query import Query, ResultColumn, finite
from auditor.sources.source import require_extra

_ROWS = 100_000
_PLAIN = re.compile(r"VARCHAR|BOOLEAN|U?(TINY|SMALL|BIG)?INT(EGER)?|FLOAT|DOUBLE")
_TIMES = {
    "DATE": "{}",
    "TIMESTAMP": "{}",
    "TIMESTAMP WITH TIME ZONE": "{}",
    "TIMESTAMP_S": "{}::timestamp",
    "TIMESTAMP_MS": "{}::timestamp",
    "TIMESTAMP_NS": "{}::timestamp",
}
_REFUSED = {
    "INTERVAL": "epoch(NAME) / 60",
    "TIME WITH TIME ZONE": "NAME::time",
    "STRUCT": "NAME.FIELD",
    "MAP": "NAME['KEY']",
    "UNION": "NAME::varchar",
    "VARIANT": "NAME::varchar",
    "BLOB": "hex(NAME)",
    "GEOMETRY": "ST_AsText(NAME)",
}
"""Types that cannot be read, and what to write."""
_PROBLEMS = {
    "ParserException": "the query has a syntax error; try it with duckdb",
    "CatalogException": "the query names a table or a function that the database does not have",
    "BinderException": "the query names a column that its tables do not have, or mixes types",
    "ConversionException": "a value does not fit a cast of the query; use try_cast",
    "OutOfRangeException": "a value of the query is too large for its type; cast it to a larger one",
    "PermissionException": "the query reads or writes other files; give such files to the option of the table",
    "OutOfMemoryException": "DuckDB has not enough memory for the query; make it simpler, or export the table",
}


class Connection:
    """One transaction, which sees one snapshot."""

    def __init__(self, url: str, zone: str) -> None:
        """Open the file of a URL, read-only. Raises InputRefused, UsageError."""
        require_extra("databases", "duckdb")
        import duckdb

        path, self.zone = existing_file(url), zone
        try:
            self._connection = duckdb.connect(str(path), read_only=True)
        except duckdb.Error:
            raise not_opened(path) from None
        with _explained(Query("--database", "")):
            self._connection.execute("set enable_external_access = false")
            self._connection.execute(f"set TimeZone = '{zone}'")
            self._connection.execute("begin transaction")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()

    def columns(self, query: Query) -> list[ResultColumn]:
        """By their headers, some of which may be equal."""
        with _explained(query):
            types = [row[1] for row in self._connection.execute(f"describe {query.select('*')}").fetchall()]
            names = self._connection.sql(query.text).columns
        return [_column(name, str(kind)) for name, kind in zip(names, types, strict=True)]

    def count(self, query: Query, wanted: Sequence[tuple[int, ResultColumn]]) -> int:
        """Rows."""
        with _explained(query):
            (rows,) = self._connection.execute(query.select("count(*)")).fetchall()[0]
        return int(rows)

    def batches(self, query: Query, select: str, rows: int | None) -> Iterator[pa.RecordBatch]:
        """Text, numbers, dates and times."""
        with _explained(query):
            reader = self._connection.sql(query.select(select, rows)).to_arrow_reader(_ROWS)
            yield pa.RecordBatch.from_pylist([], reader.schema)
            yield from reader


def _column(name: str, kind: str) -> ResultColumn:
    for refused, remedy in _REFUSED.items():
        if kind.startswith(refused):
            return ResultColumn(name, refusal=f"has the type {refused}; cast it in the query: {remedy}")
    if kind in _TIMES:
        cast = _TIMES[kind].format("{0}")
        type_of = "date" if kind == "DATE" else kind.lower() if "ZONE" in kind else "timestamp"
        return ResultColumn(name, finite(type_of).replace("{0}", cast))
    if kind.endswith("]"):
        return ResultColumn(name, "array_to_string({0}::varchar[], ';')")
    return ResultColumn(name, "{0}" if _PLAIN.fullmatch(kind) else "{0}::varchar")


@contextmanager
def _explained(query: Query) -> Iterator[None]:
    """Errors in our own words, as DuckDB's may quote values."""
    import duckdb

    try:
        yield
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        name, at = type(error).__name__, re.search(r"^LINE (\d+):", str(error), re.MULTILINE)
        problem = _PROBLEMS.get(name, "DuckDB could not run the query; try it with duckdb")
        if re.search("read-only|at the top level", str(error)):
            problem = "the query writes; give one that only reads"
        raise query.refused(problem, line=int(at[1]) if at else None) from error
