"""PostgreSQL through ADBC. Source: docs/specification.md#databases."""

import re
from collections.abc import Sequence

import pyarrow as pa

from auditor.errors import InputRefused
from auditor.schema.names import without_credentials
from auditor.sources.databases.adbc import AdbcConnection
from auditor.sources.databases.query import Query, ResultColumn, finite
from auditor.sources.source import require_extra

_SETTINGS = (
    "set transaction isolation level repeatable read, read only",
    "set local client_encoding = 'UTF8'",
    "set local client_min_messages = error",
)
"""Of the transaction. Notices may hold values, and libpq writes them to standard error."""
_PLAIN = frozenset({"text", "varchar", "bpchar", "name", "bool", "int2", "int4", "int8", "float4", "float8"})
_TIMES = {"date": "date", "timestamp": "timestamp", "timestamptz": "timestamp with time zone"}
_REFUSED = {
    "money": "NAME::numeric",
    "interval": "extract(epoch from NAME) / 60",
    "timetz": "NAME::time",
    "bytea": "encode(NAME, 'hex')",
    "record": "(NAME).FIELD",
}
"""Types that cannot be read, and what to write; a composite type counts as `record`."""
_PROBLEMS = {
    "42601": "the query has a syntax error; try it with psql",
    "42P01": "the query names a table that the database does not have, or that no schema of the search path has",
    "42703": "the query names a column that its tables do not have",
    "42883": "the query names a function that the database does not have, or with other types; add casts",
    "42501": "the user may not read a table of the query; grant select on it",
    "42P02": "the query has parameters; write their values in it",
    "0A000": "the query writes, or is of no kind that PostgreSQL has; give one that only reads",
    "25006": "the query writes; give one that only reads",
    "57014": "the server stopped the query, as after its statement_timeout; raise that, or make the query faster",
    "40001": "a standby server had to change rows that were being read; run again, or set hot_standby_feedback there",
    "22": "a value does not fit a cast or a function of the query, or the server stopped it; try it with psql",
    "42": "the query is not valid; try it with psql",
    "53": "the server has no memory, disk or connection left; run again when it has",
    "57": "the server ended the connection; nothing was read; run again when it is up",
    "08": "the connection was lost; nothing was read; run again",
}
"""SQLSTATEs or their classes, and what to do."""
_OTHER = "the server could not run the query; try it with psql"
_LOST = "the server went away in the middle; nothing was read; run again when it is up"
_CANNOT_CONNECT = {
    "password|authentication|no pg_hba": "the server refused the user or the password; set PGPASSWORD, PGSERVICE or a "
    "pass file, and check pg_hba.conf",
    "does not exist": "the server has no such database or user",
    "translate host name": "the host's name is not known; correct it",
    "definition of service|service file": "the service is not in the service file; check PGSERVICEFILE",
    "invalid URI|missing|invalid": "the URL is not valid; give postgresql://USER@HOST:PORT/NAME, special characters as %XX",
    "too many|remaining connection": "the server has no connection left; run again later",
    "SSL|certificate": "the encrypted connection failed; check sslmode and the certificates",
}


class Connection(AdbcConnection):
    """One read-only transaction, which sees one snapshot."""

    def __init__(self, url: str, zone: str) -> None:
        """Connect to a URL. Raises InputRefused, UsageError."""
        require_extra("databases", "adbc_driver_postgresql", "adbc_driver_manager")
        from adbc_driver_postgresql import dbapi

        server = Query(f"--database: {without_credentials(url)}", "")
        try:
            super().__init__(dbapi.connect(url))
        except dbapi.Error as error:
            known = (problem for pattern, problem in _CANNOT_CONNECT.items() if re.search(pattern, str(error)))
            problem = next(known, "no server answers; check the host and the port, and that it runs")
            raise server.refused(problem) from None
        self.zone = zone
        with self.explained(server), self._connection.cursor() as cursor:
            for setting in (*_SETTINGS, f"set local time zone '{zone}'"):
                cursor.execute(setting)

    def columns(self, query: Query) -> list[ResultColumn]:
        """By their headers, some of which may be equal."""
        schema = self.table(query, query.select("*", 0)).schema
        kinds = [field.metadata[b"POSTGRESQL:type"].decode() for field in schema]
        composite = self._composite(query, [oid for kind in kinds for oid in re.findall(r"oid:(\d+)", kind)])
        return [
            _column(field.name, "record" if kind in composite or _is_composite(field.type) else kind)
            for field, kind in zip(schema, kinds, strict=True)
        ]

    def count(self, query: Query, wanted: Sequence[tuple[int, ResultColumn]]) -> int:
        """Rows."""
        return int(self.table(query, query.select("count(*)"))[0][0].as_py())

    def _composite(self, query: Query, oids: Sequence[str]) -> set[str]:
        """The composite types, and lists of them, among those that ADBC has no name for, as it calls them."""
        if not oids:
            return set()
        found = self.table(
            query,
            "select t.oid::int8 from pg_type as t left join pg_type as e on e.oid = t.typelem "
            f"where t.oid in ({', '.join(oids)}) and 'c' in (t.typtype, e.typtype)",
        )
        return {f"unnamed<oid:{oid}>" for oid in found[0].to_pylist()}

    def refusal(self, query: Query, error: Exception) -> InputRefused:
        """By the SQLSTATE, which errors amid the rows do not have; then the server may be gone."""
        state = getattr(error, "sqlstate", None) or next(iter(re.findall(r"SQLSTATE: (\w{5})", str(error))), "")
        problem = _PROBLEMS.get(state) or _PROBLEMS.get(state[:2])
        if problem is None:
            problem = _PROBLEMS["22"] if not state and self._answers() else _OTHER if state else _LOST
        line = re.search(r"^LINE (\d+):", str(error), re.MULTILINE)
        return query.refused(problem, line=int(line[1]) if line else None, code=f"SQLSTATE {state}" if state else "")

    def _answers(self) -> bool:
        """Whether the server is still there."""
        import adbc_driver_manager

        try:
            self._connection.rollback()
        except adbc_driver_manager.Error:
            return False
        return True


def _is_composite(kind: pa.DataType) -> bool:
    return bool(pa.types.is_struct(kind.value_type if pa.types.is_list(kind) else kind))


def _column(name: str, kind: str) -> ResultColumn:
    if remedy := _REFUSED.get(kind.removeprefix("_")):
        type_name = "a composite type" if kind == "record" else f"the type {kind.removeprefix('_')}"
        return ResultColumn(name, refusal=f"has {type_name}; cast it in the query: {remedy}")
    if kind in _TIMES:
        return ResultColumn(name, finite(_TIMES[kind]))
    if kind.startswith("_"):
        return ResultColumn(name, "array_to_string({0}, ';')")
    return ResultColumn(name, "{0}" if kind in _PLAIN else "{0}::text")
