"""Which files a table is made of, and how one is opened and named. Source: docs/specification.md#files."""

import contextlib
import glob
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import BinaryIO

from auditor.errors import InputRefused, OutputFailed
from auditor.reading import kinds, table_formats
from auditor.reading.kinds import Location
from auditor.reading.paths import shown as shown

_SUFFIXES = (".csv", ".tsv", ".psv", ".parquet", ".pq")
_COMPRESSED = (".gz", ".zst")
_HIDDEN = (".", "_", "~$")
"""How the names begin that folders keep for their programs; `~$` is Excel's, for a workbook that is open."""
_KERNEL = ("/proc/", "/sys/")
"""Where Linux shows itself as regular files, of which some have no end."""
_NAMED = 5
"""Most paths that a warning names."""

Signature = tuple[int, int, int, int]
"""Values that change when a file is changed."""


@dataclass
class Found:
    """The files of a table, its sources of other kinds, the other entries of its folders, and folders of unfinished jobs."""

    paths: list[Path] = field(default_factory=list)
    located: list[Location] = field(default_factory=list)
    strays: list[Path] = field(default_factory=list)
    unfinished: list[Path] = field(default_factory=list)

    def add(self, name: str, path: Path) -> None:
        """A file as it is, or the data files below a folder; links to folders and hidden entries stay out."""
        if f"{os.path.realpath(path)}/".startswith(_KERNEL) and not path.is_fifo():
            problem = "a file of the kernel, which may have no end; name a file, a folder or a pipe"
            raise InputRefused(f"{name}: {shown(path)}: {problem}")
        if not os.path.isdir(path):  # noqa: PTH112 (a closed folder on the way raises nothing)
            table_formats.refuse_files_of(name, path)
            self._add_file(path)
            return
        data, strays, unfinished = _inside(name, path)
        self.strays += strays
        self.unfinished += unfinished
        if not data:
            problem = "this folder has no CSV or Parquet file; name the files themselves"
            raise InputRefused(f"{name}: {shown(path)}: {problem}")
        for file in data:
            self._add_file(file)

    def add_parts(self, name: str, pattern: Path, mark: str, within: str) -> bool:
        """A part of each source of a glob, as a sheet of each workbook; whether there is such a source.

        Raises InputRefused for a glob that matches sources without such parts too.
        """
        paths = list(map(Path, _expanded(str(pattern))))
        located = [
            Location(kind, path, shown(f"{path}{mark}{within}"), within)
            for path in paths
            if (kind := kinds.of_path(path)) and kind.mark == mark
        ]
        if located and len(located) < len(paths):
            other = min(set(paths) - {one.path for one in located})
            named = " or ".join(kind.name for kind in kinds.KINDS if kind.mark == mark)
            problem = f"matches a path with {mark}{within}, but is not of the kind {named}; narrow the path"
            raise InputRefused(f"{name}: {shown(other)}: {problem}")
        self.located += located
        return bool(located)

    def _add_file(self, path: Path) -> None:
        if kind := kinds.of_path(path):
            self.located.append(Location(kind, path, shown(path)))
        else:
            self.paths.append(path)

    def warnings(self, name: str) -> tuple[str, ...]:
        """What a person should know of the folders."""
        texts = []
        if self.strays:
            texts.append(f"{name}: skipped in the folder: {_named(self.strays)}; to audit one, give its path")
        if self.unfinished:
            texts.append(
                f"{name}: the job that writes {_named(self.unfinished)} has not finished (_temporary is there, or _SUCCESS "
                "is missing); run again when it has"
            )
        return tuple(texts)


def _named(paths: Sequence[Path]) -> str:
    more = len(paths) - _NAMED
    return ", ".join(map(shown, sorted(paths)[:_NAMED])) + (f" and {more:,} more" if more > 0 else "")


def _inside(name: str, folder: Path) -> tuple[list[Path], list[Path], list[Path]]:
    """The data files below a folder and the folders that are tables, sorted, other entries, and those of unfinished jobs.

    Raises InputRefused if one is unreadable, or belongs to a Hudi table.
    """

    def refuse(error: OSError) -> None:
        where = shown(Path(error.filename or folder))
        raise InputRefused(f"{name}: {where}: cannot be read ({error.strerror}); check the permissions and links")

    data: list[Path] = []
    strays: list[Path] = []
    unfinished: list[Path] = []
    written: dict[Path, bool] = {}
    for at, folders, files in os.walk(folder, onerror=refuse):
        here = Path(at)
        if kinds.of_folder(here):
            data.append(here)
            folders.clear()
            continue
        table_formats.refuse(name, here)
        if "_temporary" in folders:
            unfinished.append(here)
        strays += [here / entry for entry in folders if (here / entry).is_symlink() or _holds_data(here / entry)]
        folders[:] = sorted(entry for entry in folders if not entry.startswith(_HIDDEN))
        found: list[Path] = []
        for entry in (here / file for file in files):
            if entry.name.startswith(_HIDDEN):
                strays += [entry] * _is_data(entry)
                continue
            try:
                regular = _is_data(entry) and stat.S_ISREG(entry.stat().st_mode)
            except OSError as error:
                refuse(error)
            (found if regular else strays).append(entry)
        data += found
        if found:
            written[here] = "_SUCCESS" in files
    finished = {at.parent for at, success in written.items() if success and at != folder}
    unfinished += [
        at for at, success in written.items() if not success and at.parent in finished and at not in unfinished
    ]
    return sorted(data), strays, unfinished


def _holds_data(folder: Path) -> bool:
    """Whether a folder that is left out for its name holds data; that of a job's parts never does."""
    if not folder.name.startswith("_") or folder.name == "_temporary":
        return False
    return any(_is_data(path) for path in folder.rglob("*"))


def expand(name: str, paths: Sequence[str]) -> Found:
    """Files, globs and directories → files, sorted, each once."""
    found = Found()
    for text in paths:
        if text == "-":
            found.paths.append(Path(text))
            continue
        matches = _expanded(text)
        if not matches and any(found.add_parts(name, *split) for split in kinds.splits(text)):
            continue
        if not matches:
            raise InputRefused(f"{name}: {shown(text)}: no such file; check the path and its permissions")
        for path in map(Path, matches):
            found.add(name, path)
    unique = {os.path.realpath(path): path for path in reversed(found.paths)}
    found.paths = list(reversed(unique.values()))
    located = {(os.path.realpath(one.path), one.within): one for one in reversed(found.located)}
    found.located = list(reversed(located.values()))
    return found


def _expanded(text: str) -> list[str]:
    """What has this name, else the files of the glob, sorted."""
    return [text] if os.path.lexists(text) else sorted(_matches(text))


def _matches(pattern: str) -> list[str]:
    """The files of a glob. `**` follows no links to folders, which could form a circle."""
    root, given = Path(Path(pattern).anchor), Path(pattern).parts
    if "**" not in pattern:
        found = [Path(path) for path in glob.glob(pattern)]  # noqa: PTH207 (absolute)
    else:
        found = [path for path in root.glob(str(Path(pattern).relative_to(root))) if not path.is_dir()]
    hidden = [part for part in given if part.startswith(_HIDDEN)]
    return [
        str(path)
        for path in found
        if not any(part.startswith(_HIDDEN) and not any(map(partial(fnmatch, part), hidden)) for part in path.parts)
    ]


def _is_data(path: Path) -> bool:
    name = path.name.lower()
    for suffix in _COMPRESSED:
        name = name.removesuffix(suffix)
    return name.endswith(_SUFFIXES) or kinds.is_in_folder(path)


@contextlib.contextmanager
def opened(where: str, path: Path) -> Iterator[tuple[BinaryIO, Signature | None]]:
    """A file to read from, and its signature from before it was read; None for what can be read only once.

    `-` is standard input, read as pipes are. Raises InputRefused for what cannot be opened and for devices, which may
    have no end.
    """
    if str(path) == "-":
        if sys.stdin is None:
            raise InputRefused(f"{where}: standard input is closed; pipe the CSV into the command")
        yield sys.stdin.buffer, None
        return
    try:
        found = path.stat()
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISFIFO(found.st_mode)):
            raise InputRefused(f"{where}: a device or socket, not a file; name a file, a folder or a pipe")
        with path.open("rb") as stream:
            yield stream, signature(found) if stat.S_ISREG(found.st_mode) else None
    except OSError as error:
        raise InputRefused(f"{where}: cannot be read ({error.strerror}); check the path and its permissions") from None


def buffered(where: str, path: Path) -> BinaryIO | None:
    """All of standard input or a pipe, in an unnamed temporary file; None if the path is a regular file.

    Raises InputRefused where it cannot be read, OutputFailed where there is no room for it.
    """
    if str(path) != "-" and not path.is_fifo():
        return None
    with opened(where, path) as (stream, _), contextlib.ExitStack() as unless_kept:
        try:
            copy = unless_kept.enter_context(tempfile.TemporaryFile())
            shutil.copyfileobj(stream, copy)
            unless_kept.pop_all()
        except OSError as error:
            raise OutputFailed(
                f"{where}: cannot be copied to {tempfile.gettempdir()} ({error.strerror}); free space there, set TMPDIR, "
                "or name a file instead"
            ) from None
    return copy


def signature(found: os.stat_result) -> Signature:
    """Changes whenever a file is written to or replaced."""
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def require_unchanged(where: str, path: Path, before: Signature | None) -> None:
    """Raises InputRefused for a file that is not what it was; None: a pipe, or no file."""
    if before and signature(path.stat()) != before:
        raise InputRefused(f"{where}: the file changed while it was read; run again when it is finished")


def where(name: str, path: Path) -> str:
    """How messages about a file begin: its table and path."""
    return f"{name}: {'standard input' if str(path) == '-' else shown(path)}"
