"""The kinds of sources beside CSV and Parquet, and how each is recognized. Source: docs/specification.md#sources."""

import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Kind:
    """A kind of source.

    `name`: as reports show it. `module`: has its reader, `read` (`auditor.sources.source.Reader`). `suffixes`: how its
    files end, in lower case, `head`, or the pattern `opening`: how they begin, whatever they are called. `in_folders`: how
    files end that a folder has for data if they begin so. `folder`: a pattern of what its folder has, where a source is a
    folder. `mark`: what stands between a path and the part of it that is meant, such as a sheet.
    """

    name: str
    module: str
    suffixes: tuple[str, ...] = ()
    head: bytes = b""
    opening: re.Pattern[bytes] | None = None
    in_folders: tuple[str, ...] = ()
    folder: str = ""
    mark: str = ""

    def begins(self, data: bytes) -> bool:
        """Whether a file that begins with this data is of the kind."""
        return bool(self.head and data.startswith(self.head)) or bool(self.opening and self.opening.match(data))


@dataclass(frozen=True)
class Location:
    """Where a source is. `within`: the part of it that the user named, such as a sheet. `shown`: how users call it."""

    kind: Kind
    path: Path
    shown: str
    within: str = ""


_OPENING = 1024
"""Bytes that show how a file begins, a compressed one too."""
_GZIP = b"\x1f\x8b"
KINDS: tuple[Kind, ...] = (
    Kind("xlsx", "auditor.sources.workbooks", (".xlsx", ".xlsm"), b"PK\x03\x04", mark="#"),
    Kind("ods", "auditor.sources.workbooks", (".ods",), b"PK\x03\x04", mark="#"),
    Kind("xls", "auditor.sources.workbooks", (".xls",), b"\xd0\xcf\x11\xe0", mark="#"),
    Kind(
        "x12",
        "auditor.sources.x12",
        opening=re.compile(rb"(?:\xef\xbb\xbf)?\s*ISA([^\w\s-])..\1"),
        in_folders=(".x12", ".edi", ".837", ".835", ".clm", ".txt"),
    ),
    Kind(
        "json lines",
        "auditor.sources.json_lines",
        tuple(f".{name}{packed}" for name in ("jsonl", "ndjson") for packed in ("", ".gz", ".zst")),
    ),
    Kind("delta", "auditor.sources.delta", folder="_delta_log", mark="@"),
    Kind("iceberg", "auditor.sources.iceberg", folder="metadata/*.metadata.json", mark="@"),
    Kind("query", "auditor.sources.databases", (".sql",)),
)


def of_name(path: Path) -> Kind | None:
    """The kind of a file by its name."""
    name = path.name.lower()
    return next((kind for kind in KINDS if kind.suffixes and name.endswith(kind.suffixes)), None)


def of_folder(path: Path) -> Kind | None:
    """The kind of which a whole folder is one source."""
    try:
        return next((kind for kind in KINDS if kind.folder and any(path.glob(kind.folder))), None)
    except OSError:
        return None


def of_path(path: Path) -> Kind | None:
    """The kind of a folder, or of a file by how it begins, else by its name; None: CSV, Parquet, what cannot be opened."""
    if os.path.isdir(path):  # noqa: PTH112 (a closed folder on the way raises nothing)
        return of_folder(path)
    named = of_name(path)
    if (named and not named.head and not named.opening) or not path.is_file():
        return named
    try:
        with path.open("rb") as stream:
            data = stream.read(_OPENING)
    except OSError:
        return named
    if data.startswith(_GZIP):
        return next((kind for kind in KINDS if kind.opening and kind.opening.match(_unpacked(data))), None)
    if named and (named.begins(data) or not data):
        return named
    return next((kind for kind in KINDS if kind.begins(data)), None)


def _unpacked(data: bytes) -> bytes:
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(data)
    except zlib.error:
        return b""


def is_in_folder(path: Path) -> bool:
    """Whether a file of a folder is data of a kind: by its name, else by its name and how it begins."""
    name = path.name.lower().removesuffix(".gz")
    may_be = of_name(path) is not None or any(name.endswith(kind.in_folders) for kind in KINDS if kind.in_folders)
    return may_be and of_path(path) is not None


def splits(text: str) -> Iterator[tuple[Path, str, str]]:
    """The ways to read a text as a path, a mark and a part of what is there."""
    for mark in sorted({kind.mark for kind in KINDS} - {""}):
        parts = text.split(mark)
        for at in range(len(parts) - 1, 0, -1):
            path, within = mark.join(parts[:at]), mark.join(parts[at:])
            if path and within:
                yield Path(path), mark, within
