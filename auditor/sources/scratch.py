"""Private folders for what a run needs only while it lasts."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from auditor.errors import OutputFailed


def made(parent: Path | None, prefix: str = "") -> Path:
    """A new folder that only its owner may open, inside `parent` (None: the system's). Raises OutputFailed."""
    try:
        return Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    except OSError as error:
        raise OutputFailed(f"{parent or tempfile.gettempdir()}: cannot be written ({error.strerror})") from None


@contextmanager
def scratch(parent: Path | None, prefix: str) -> Iterator[Path]:
    """The same until the block is left. Raises OutputFailed."""
    folder = made(parent, prefix)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
