"""The code lists of a policy that extends the shipped ones: `X.add` has more codes, `X.file` a CSV file of them.

Source: docs/specification.md#policy.
"""

import csv
import hashlib
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from auditor import small_files
from auditor.policy.text import PolicyText, Problem
from auditor.schema.codes import form

_LARGEST = 64 << 20
"""Bytes of the file of a list."""
_KEYS = {"add": list, "file": str, "column": str}
"""The keys of a change, and their types."""
_HEADERS = ("hcpcs", "cpt", "code", "cpt_code", "hcpcs_code")


def with_whole_lists(
    own: Mapping[str, Any], shipped: Mapping[str, list[str]], file: PolicyText, folder: Path
) -> tuple[dict[str, Any], list[Problem]]:
    """The policy with its lists in full, and unknown keys of changes. `folder`: where files are. Raises UsageError."""
    changes = own.get("lists", {})
    if not isinstance(changes, dict):
        return dict(own), []
    unknown: list[Problem] = []
    lists, files = dict(changes), {}
    for name in (name for name, change in changes.items() if isinstance(change, dict) and name in shipped):
        change = changes[name]
        unknown += [(("lists", name, key), "unknown key; use add, file or column") for key in change.keys() - _KEYS]
        for key, kind in _KEYS.items():
            if not isinstance(change.get(key, kind()), kind):
                problem = "must be a list of codes" if key == "add" else "must be a text"
                raise file.fault(("lists", name, key), problem)
        lists[name] = [*shipped[name], *change.get("add", ())]
        if "file" in change:
            codes, files[name] = _of_file(name, change, file, folder)
            lists[name] += codes
    return {**own, **({"lists": lists} if lists else {}), **({"list_files": files} if files else {})}, unknown


def _of_file(name: str, change: Mapping[str, str], file: PolicyText, folder: Path) -> tuple[list[str], dict[str, str]]:
    """The codes of a list's file, and the file, its column and its digest. Raises UsageError."""
    try:
        content = small_files.read(folder / change["file"], _LARGEST)
        codes, column = _codes(content, change.get("column"))
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise file.fault(("lists", name, "file"), f"{change['file']}: {reason}") from None
    return codes, {"file": change["file"], "column": column, "sha256": hashlib.sha256(content).hexdigest()}


def _codes(content: bytes, column: str | None) -> tuple[list[str], str]:
    """The codes of a CSV file's column, and the column: the one named, or else the first with a known name for codes."""
    wanted = [column.strip().casefold()] if column else _HEADERS
    rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    for row in rows:  # rows above the header are skipped
        if found := [at for at, name in enumerate(row) if name.strip().casefold() in wanted]:
            cells = [cells[found[0]].strip().upper() for cells in rows if len(cells) > found[0]]
            return [code for code in cells if form(code)], row[found[0]].strip()
    raise ValueError('no column of codes was found; name it: column = "..."')
