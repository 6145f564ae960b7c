"""Frames that wait in files until all of a source is read."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import polars as pl

_NUMBERS = count()


class Spool:
    """Frames that wait in files."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.paths = folder, list[Path]()

    def add(self, frame: pl.DataFrame) -> None:
        """Write one."""
        path = self._folder / f".waiting-{next(_NUMBERS)}.arrow"
        frame.write_ipc(path, compression="lz4")
        self.paths.append(path)

    def __iter__(self) -> Iterator[pl.DataFrame]:
        """Each, once."""
        for path in self.paths:
            yield pl.read_ipc(path)
            path.unlink()
