"""Match a file's headers to the canonical columns. Source: docs/specification.md#headers."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from auditor.errors import InputRefused
from auditor.policy import Policy
from auditor.schema.names import counted
from auditor.schema.tables import TABLES, Column, Kind, TableSpec, fold

_SHOWN = 50
"""Most headers that a message lists."""
_COLUMNS = [column for spec in TABLES.values() for column in spec.columns.values()]
WORDS = {
    fold(word) for column in _COLUMNS for term, words in (column.vocabulary or {}).items() for word in (term, *words)
}
"""Words of vocabularies, folded: a cell may hold them."""
_ALIASES = {fold(name) for column in _COLUMNS for name in (column.name, *column.aliases)} - WORDS
"""Names of columns that no cell holds."""


@dataclass(frozen=True)
class HeaderMap:
    """Canonical column → positions of the headers that make it up, and the unused headers."""

    positions: Mapping[str, tuple[int, ...]]
    unused: tuple[str, ...]


def match(where: str, spec: TableSpec, headers: Sequence[str], policy: Policy, ignored: frozenset[str]) -> HeaderMap:
    """Match headers against the policy's mapping first, then names and aliases.

    Raises InputRefused where two headers mean one column, a mapped header is missing twice over, or a required column
    has no header.
    """
    names = [header.strip() for header in headers]
    folded = [fold(name) for name in names]
    found: dict[str, tuple[int, ...]] = {}
    for name, column in spec.columns.items():
        mapped = policy.sources_of(spec.name, name)
        present = [source for source in mapped if fold(source) in folded]
        may_lack = not policy.must_have(spec.name, name) and (column.is_list or column.kind is Kind.TEXT)
        if present and len(present) < len(mapped) and not may_lack:
            absent = ", ".join(repr(source) for source in mapped if source not in present)
            raise InputRefused(
                f"{where}: the policy joins {name} from {', '.join(mapped)}, but the file has no {absent}; "
                f"correct [columns.{spec.name}] in the policy"
            )
        if present and name not in ignored:
            found[name] = tuple(_position(where, name, source, names, folded) for source in present)
    taken = {position for positions in found.values() for position in positions}
    for column in spec.columns.values():
        if column.name in found or column.name in ignored:
            continue
        accepted = _folded(column.name, *column.aliases)
        hits = [index for index, header in enumerate(folded) if header in accepted and index not in taken]
        if len(hits) > 1:
            raise InputRefused(
                f"{where}: two columns for {column.name}: {names[hits[0]]!r} and {names[hits[1]]!r}; "
                f'choose one in the policy: [columns.{spec.name}] {column.name} = "{names[hits[0]]}"'
            )
        if hits:
            found[column.name] = (hits[0],)
    if missing := [column for column in spec.columns.values() if column.required and column.name not in found]:
        accepted_headers = ((*policy.sources_of(spec.name, one.name), one.name, *one.aliases) for one in missing)
        expected = map(", ".join, accepted_headers)
        raise InputRefused(
            f"{where}: no column for {', '.join(f'{spec.name}.{column.name}' for column in missing)}; the file has: "
            f"{shown(names, policy)}; accepted headers are: {'; or '.join(expected)}; rename a header or map it in the "
            f"policy under [columns.{spec.name}], which `audit98968 init` suggests{_fitting(spec, names, policy)}"
        )
    used = {position for positions in found.values() for position in positions}
    return HeaderMap(found, tuple(header for index, header in enumerate(names) if index not in used))


@cache
def _folded(*names: str) -> frozenset[str]:
    return frozenset(map(fold, names))


def fits(spec: TableSpec, headers: Sequence[str], policy: Policy) -> bool:
    """Whether each required column of a table has its header, known or mapped."""
    folded = {fold(header) for header in headers}

    def has(column: Column) -> bool:
        mapped = {fold(source) for source in policy.sources_of(spec.name, column.name)}
        return bool(mapped and mapped <= folded) or not folded.isdisjoint(_folded(column.name, *column.aliases))

    return all(has(column) for column in spec.columns.values() if column.required)


def _fitting(spec: TableSpec, headers: Sequence[str], policy: Policy) -> str:
    """The other table that the headers fit, if there is one."""
    for table in TABLES.values():
        telling = sum(column.required for column in table.columns.values()) > 1
        if table is not spec and telling and fits(table, headers, policy):
            return f"; the file fits --{table.name}, so two files may be swapped"
    return ""


def shown(names: Sequence[str], policy: Policy) -> str:
    """A file's headers for a message; only their number where none is known or mapped, as in a file without a header line.

    Where one looks like data, only the known and mapped ones are named.
    """
    mapped = {fold(source) for table, columns in policy.columns.items() for name in columns
              for source in policy.sources_of(table, name)}  # fmt: skip
    known = [name for name in names if fold(name) in _ALIASES | mapped]
    if not known:
        which = "with headers that look like data" if like_data(names) else "without a known header"
        return f"{counted(len(names), 'column')} {which}; is the header line missing?"
    return listed([name for name in known if not like_data([name])] if like_data(names) else names, len(names))


def listed(names: Sequence[str], number: int) -> str:
    """The first of the names, and how many more of this number there are."""
    more = number - len(names[:_SHOWN])
    return ", ".join(map(repr, names[:_SHOWN])) + (f" and {more:,} more" if more else "")


def like_data(names: Sequence[str]) -> bool:
    """Whether one of the headers is no header."""
    return any(re.search(r"\d{3}|^\W*\d|[\r\n]|.{61}", name) for name in names)


def _position(where: str, column: str, source: str, names: Sequence[str], folded: Sequence[str]) -> int:
    """The header that a policy names: letter for letter, else folded if only one folds to it."""
    exact = [index for index, name in enumerate(names) if name == source.strip()]
    hits = exact or [index for index, name in enumerate(folded) if name == fold(source)]
    if len(hits) > 1:
        raise InputRefused(
            f"{where}: the policy maps {column} to {source!r}, but the file has {len(hits)} such columns; "
            "rename all but one in the export"
        )
    return hits[0]
