"""Sources that ship: what the exports of widespread systems look like, a TOML file each.

A file has the `system`, the `documentation` that it rests on (address, and the date on which it was read), whether the
maker's description of the fields was read (`verified`), what no description confirms (`unverified`), what a user has to
know (`notes`), and for each table its columns, units, zones, formats, words and rows, as a policy has them.

Source: docs/specification.md#sources-that-ship.
"""

import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from auditor.errors import UsageError
from auditor.schema.names import nearest
from auditor.schema.tables import TABLES, fold

_FOLDER = resources.files(__name__)


def names() -> tuple[str, ...]:
    """The names of all sources."""
    return tuple(sorted(Path(entry.name).stem for entry in _FOLDER.iterdir() if entry.name.endswith(".toml")))


def content(name: str) -> dict[str, Any]:
    """The content of one source's file."""
    return tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


def chosen(origin: str, pairs: tuple[str, ...]) -> dict[str, str]:
    """Table → source, of texts such as `calls=twilio`. Raises UsageError, which names `origin`."""
    found: dict[str, str] = {}
    for pair in pairs:
        table, _, name = pair.partition("=")
        if table not in TABLES or not name:
            raise UsageError(f"{origin}: {pair!r} is no TABLE=NAME, such as phone_log=twilio{nearest(table, TABLES)}")
        if table in found:
            raise UsageError(f"{origin}: {table} has two sources; name one")
        if name not in names():
            listed = ", ".join(names())
            raise UsageError(f"{origin}: no source {name!r}{nearest(name, names())}; the included sources are {listed}")
        if table not in content(name):
            having = ", ".join(table for table in TABLES if table in content(name))
            raise UsageError(f"{origin}: {name} has no {table}; it has {having}")
        found[table] = name
    return found


def recognized(table: str, headers: Iterable[str]) -> list[str]:
    """The sources whose table has these headers: its id, those that choose rows, and 3 in 4 of all or more."""
    written, found = set(map(fold, headers)), list[str]()
    for name in names():
        description = content(name).get(table, {})
        columns = [{*map(fold, [of] if isinstance(of, str) else of)} for of in description.get("columns", {}).values()]
        chosen_by = {fold(header) for words in description.get("rows", {}).values() for header in words}
        every = set[str]().union(*columns)
        if columns and columns[0] | chosen_by <= written and len(every & written) * 4 >= len(every) * 3:
            found.append(name)
    return found


def policy_of(sources: Mapping[str, str]) -> dict[str, Any]:
    """What the tables' sources say, as a policy says it."""
    merged: dict[str, Any] = {
        "columns": {},
        "values": {},
        "rows": {},
        "units": {},
        "timezones": {},
        "instant_formats": [],
    }
    for table, name in sources.items():
        description = content(name)[table]
        merged["columns"][table] = description["columns"]
        merged["units"] |= description.get("units", {})
        merged["instant_formats"] += description.get("instant_formats", [])
        merged["timezones"] |= {table: description["timezone"]} if "timezone" in description else {}
        merged["timezones"] |= {f"{table}.{column}": zone for column, zone in description.get("timezones", {}).items()}
        for key in ("values", "rows"):
            merged[key] |= {table: description[key]} if key in description else {}
    return merged
