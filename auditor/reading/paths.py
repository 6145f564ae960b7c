"""How paths are shown. Source: docs/specification.md#files."""

import os
from collections.abc import Mapping
from pathlib import Path

from auditor.schema.names import without_credentials

_ADDRESSES: dict[str, str] = {}
"""Private folders with copies, and whose they are."""


def place(folder: Path, address: str) -> None:
    """Show what is in a folder by the address that it was copied from."""
    _ADDRESSES[f"{folder}{os.sep}"] = f"{address}/"


def placed() -> dict[str, str]:
    """What was placed, for `also_placed` in another process."""
    return dict(_ADDRESSES)


def also_placed(elsewhere: Mapping[str, str]) -> None:
    """Show what another process placed as that process does."""
    _ADDRESSES.update(elsewhere)


def forget(parent: Path) -> None:
    """Undo `place` for the folders inside a folder."""
    for folder in [folder for folder in _ADDRESSES if folder.startswith(f"{parent}{os.sep}")]:
        del _ADDRESSES[folder]


def shown(path: str | Path) -> str:
    """The path as text, whatever bytes its name holds, or the address; a URL without its user and password."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    for folder, address in _ADDRESSES.items():
        if text.startswith(folder):
            text = address + text.removeprefix(folder)
    return without_credentials(text)
