"""The policy file of a folder: the audit98968.toml there, or above it in a git work tree.

Source: docs/specification.md#policy-files-that-are-found.
"""

import os
from pathlib import Path

from auditor.errors import UsageError

NAME = "audit98968.toml"


def find(folder: Path) -> Path | None:
    """The policy file of a folder, if there is one. Raises UsageError where others may have written it."""
    for place in (folder, *_above(folder)):
        if os.path.lexists(place / NAME):
            return _trusted(place / NAME)
    return None


def _above(folder: Path) -> list[Path]:
    """The folders above, up to the root of the git work tree; none outside of one."""
    for depth, place in enumerate((folder, *folder.parents)):
        if os.path.lexists(place / ".git"):
            return list(folder.parents[:depth])
    return []


def _trusted(path: Path) -> Path:
    try:
        found = [path.lstat(), path.stat()]
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); correct it, or give --policy") from None
    if any(one.st_uid not in (os.geteuid(), 0) for one in found):
        raise UsageError(f"{path}: was found without --policy and belongs to another user; name it with --policy")
    if found[1].st_mode & 0o022:
        raise UsageError(
            f"{path}: was found without --policy and others may write to it; chmod go-w it, or name it with --policy"
        )
    return path
