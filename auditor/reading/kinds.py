"""The kinds of sources beside CSV and Parquet, and how each is recognized. Source: docs/specification.md#sources."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Kind:
    """A kind of source.

    `name`: as reports show it. `module`: has its reader, `read` (`auditor.sources.source.Reader`). `suffixes`: how its
    files end, in lower case, `head`: how they begin, whatever they are called. `mark`: what stands between a path and the
    part of it that is meant, such as a sheet.
    """

    name: str
    module: str
    suffixes: tuple[str, ...] = ()
    head: bytes = b""
    mark: str = ""


@dataclass(frozen=True)
class Location:
    """Where a source is. `within`: the part of it that the user named, such as a sheet. `shown`: how users call it."""

    kind: Kind
    path: Path
    shown: str
    within: str = ""


KINDS: tuple[Kind, ...] = (
    Kind(
        "json lines",
        "auditor.sources.json_lines",
        tuple(f".{name}{packed}" for name in ("jsonl", "ndjson") for packed in ("", ".gz", ".zst")),
    ),
)


def of_name(path: Path) -> Kind | None:
    """The kind of a file by its name."""
    name = path.name.lower()
    return next((kind for kind in KINDS if kind.suffixes and name.endswith(kind.suffixes)), None)


def of_file(path: Path) -> Kind | None:
    """The kind of a file by its name, else by how it begins; None for CSV, Parquet and what cannot be opened."""
    if found := of_name(path):
        return found
    heads = [kind for kind in KINDS if kind.head]
    if not heads or not path.is_file():
        return None
    try:
        with path.open("rb") as stream:
            head = stream.read(max(len(kind.head) for kind in heads))
    except OSError:
        return None
    return next((kind for kind in heads if head.startswith(kind.head)), None)


def splits(text: str) -> Iterator[tuple[Path, str, str]]:
    """The ways to read a text as a path, a mark and a part of what is there."""
    for mark in sorted({kind.mark for kind in KINDS} - {""}):
        path, _, within = text.rpartition(mark)
        if path and within:
            yield Path(path), mark, within
