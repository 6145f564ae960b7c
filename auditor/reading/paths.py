"""How paths are shown. Source: docs/specification.md#files."""

import os
from pathlib import Path

from auditor.schema.names import without_credentials


def shown(path: str | Path) -> str:
    """The path as text, whatever bytes its name holds; a URL without its user and password."""
    return without_credentials(os.fsencode(path).decode("utf-8", "backslashreplace"))
