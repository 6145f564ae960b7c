"""One query of a file, and its columns. Source: docs/specification.md#databases."""

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from auditor.errors import InputRefused
from auditor.reading import files
from auditor.reading.kinds import Location

_TOKENS = re.compile(
    r"""(?P<comment>--[^\n]*|/\*.*?\*/)|\b[eE]'(?:\\.|''|[^'\\])*'|'(?:''|[^'])*'|"(?:""|[^"])*"|(\$\w*\$).*?\2|(?P<end>;)""",
    re.DOTALL,
)
"""What may hold a semicolon, and the semicolon that ends a statement."""
_WRITES = re.compile(r"(?:insert|update|delete|merge|replace|create|alter|drop|truncate|copy|vacuum)\b", re.IGNORECASE)
"""How statements begin that write; as part of another one they have a syntax error."""


@dataclass(frozen=True)
class Query:
    """A statement; `where`: how messages about it begin. `names`: of its columns where it runs."""

    where: str
    text: str
    names: str = ""

    def of_columns(self, number: int) -> "Query":
        """The same, its columns named c0, c1 and so on."""
        return replace(self, names=f"({', '.join(f'c{at}' for at in range(number))})")

    def select(self, what: str, rows: int | None = None) -> str:
        """A statement that selects from the query; the query begins in its second line."""
        limit = "" if rows is None else f" limit {rows}"
        return f"with q{self.names} as not materialized (\n{self.text}\n) select {what} from q{limit}"

    def refused(self, problem: str, *, line: int | None = None, code: str = "") -> InputRefused:
        """The query's refusal. `line`: of what `select` made."""
        facts = ", ".join([*([f"line {line - 1}"] if line and line > 1 else []), *([code] if code else [])])
        text = f"{self.where}: {problem}{f' ({facts})' if facts else ''}"
        return InputRefused(text)

    def unreadable(self, columns: "Sequence[ResultColumn]") -> InputRefused:
        """The refusal of columns that are read and cannot be."""
        problems = (f"column {column.name!r} {column.refusal.replace('NAME', column.name)}" for column in columns)
        return self.refused("; ".join(problems))


@dataclass(frozen=True)
class ResultColumn:
    """A column of a query.

    `cast`: SQL that reads it, of the name that it has there. `refusal`: why it cannot be read, and what to write; NAME is
    its name.
    """

    name: str
    cast: str = "{}"
    refusal: str = ""

    def expression(self, name: str) -> str:
        """The SQL that reads it."""
        return self.cast.format(name)


def finite(kind: str) -> str:
    """SQL for a date or an instant of a type; what is not in the years 1 to 9999 becomes a placeholder date of the type."""
    suffix = " 00:00:00+00" if "zone" in kind else ""
    least, greatest = (f"{kind} '{day}{suffix}'" for day in ("0001-01-02", "9999-12-31"))
    return f"case when {{0}} > {greatest} then {greatest} when {{0}} < {least} then {least} else {{0}} end"


def read_query(table: str, location: Location) -> Query:
    """The one statement of a file. Raises InputRefused."""
    where = f"{table}: {location.shown}"
    try:
        with files.opened(where, location.path) as (stream, _):
            text = io.TextIOWrapper(io.BytesIO(stream.read()), "utf-8-sig").read()
    except UnicodeError:
        raise InputRefused(f"{where}: the query is not UTF-8; save it as UTF-8") from None
    statement, rest = _first(text)
    if _without_comments(rest):
        raise InputRefused(f"{where}: the file holds more than one statement; keep the query alone")
    bare = _without_comments(statement)
    if not bare:
        raise InputRefused(f"{where}: the file holds no query; write one statement that selects the rows")
    if _WRITES.match(bare):
        raise InputRefused(f"{where}: the query writes; give one that only reads")
    return Query(where, statement)


def _first(text: str) -> tuple[str, str]:
    """The first statement, and what follows its semicolon."""
    for token in _TOKENS.finditer(text):
        if token["end"]:
            return text[: token.start()], text[token.end() :]
    return text, ""


def _without_comments(text: str) -> str:
    kept: Callable[[re.Match[str]], str] = lambda token: " " if token["comment"] else token[0]  # noqa: E731
    return _TOKENS.sub(kept, text).strip().strip(";").strip()
