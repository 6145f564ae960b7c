"""Sources that ship: what the exports of widespread systems look like, a TOML file each.

A file has the `system`, the `documentation` that it rests on (address, and the date on which it was read), whether that was
read (`verified`), and for each table its columns, units, zone, formats, words and rows, as a policy has them.

Source: docs/specification.md#sources-that-ship.
"""

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from auditor.errors import UsageError
from auditor.schema.names import nearest
from auditor.schema.tables import TABLES

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
        said = content(name)[table]
        merged["columns"][table] = said["columns"]
        merged["units"] |= said.get("units", {})
        merged["instant_formats"] += said.get("instant_formats", [])
        merged["timezones"] |= {table: said["timezone"]} if "timezone" in said else {}
        for key in ("values", "rows"):
            merged[key] |= {table: said[key]} if key in said else {}
    return merged
