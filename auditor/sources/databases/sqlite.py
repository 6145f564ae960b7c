"""A SQLite file, through ADBC. Source: docs/specification.md#databases.

ADBC takes a column's type from the first cells and rounds numbers beside text, so each cell becomes text in SQLite.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar
from urllib.parse import quote

from auditor.errors import InputRefused
from auditor.sources.databases.adbc import AdbcConnection
from auditor.sources.databases.address import existing_file, not_opened
from auditor.sources.databases.query import Query, ResultColumn
from auditor.sources.source import require_extra

_TEXT = (
    "case typeof({0}) when 'null' then '' when 'blob' then '' when 'real' then case when {0} = cast({0} as integer) and "
    "abs({0}) < 9e15 then cast(cast({0} as integer) as text) else cast({0} as text) end else cast({0} as text) end"
)
"""A cell as the text that it has from other sources: a whole number without a point. A blank is a blank text, because
ADBC gives a column of nulls another type."""
_BYTES = "holds bytes; write it as text in the query: hex(NAME)"
_PROBLEMS = {
    "syntax error|incomplete input|unrecognized token": "the query has a syntax error; try it with sqlite3",
    "no such table": "the query names a table that the database does not have",
    "no such column": "the query names a column that its tables do not have",
    "no such function": "the query names a function that SQLite does not have",
    "readonly|read-only": "the query writes; give one that only reads",
    "locked|busy": "another program writes to the database; run again when it has finished",
    "not a database": "the database is not a SQLite file; correct --database",
    "malformed|disk image": "the database is damaged; restore it, or export the table",
    "bound|parameter": "the query has parameters; write their values in it",
}
"""What SQLite says, and what to do."""


class Connection(AdbcConnection):
    """One read transaction, which sees one snapshot."""

    OPTIONS: ClassVar = {"adbc.sqlite.query.batch_rows": "65536"}

    def __init__(self, url: str, _: str) -> None:
        """Open the file of a URL, read-only. Raises InputRefused, UsageError."""
        require_extra("databases", "adbc_driver_sqlite", "adbc_driver_manager")
        from adbc_driver_sqlite import dbapi

        path = existing_file(url)
        try:
            super().__init__(dbapi.connect(f"file:{quote(str(path.absolute()))}?mode=ro"))
        except dbapi.Error:
            raise not_opened(path) from None

    def columns(self, query: Query) -> list[ResultColumn]:
        """By the names that SQLite gives; it renames equal ones where a query is part of another."""
        self.table(query, query.select("count(*)", 0))  # only a query that reads can be part of another
        with self.explained(query), self._connection.cursor() as cursor:
            cursor.execute(query.text)
            return [ResultColumn(name, _TEXT) for name, *_ in cursor.description]

    def count(self, query: Query, wanted: Sequence[tuple[int, ResultColumn]]) -> int:
        """Rows; refuses bytes, which only the cells tell."""
        blobs = [f"max(typeof(c{at}) = 'blob')" for at, _ in wanted]
        count, *held = self.table(query, query.select(", ".join(["count(*)", *blobs]))).to_pylist()[0].values()
        if refused := [column for (_, column), found in zip(wanted, held, strict=True) if found]:
            raise query.unreadable([replace(column, refusal=_BYTES) for column in refused])
        return int(count)

    def refusal(self, query: Query, error: Exception) -> InputRefused:
        """By what SQLite says."""
        text = str(error).partition("\nquery:")[0]
        known = (problem for pattern, problem in _PROBLEMS.items() if re.search(pattern, text))
        return query.refused(next(known, "SQLite could not run the query; try it with sqlite3"))
