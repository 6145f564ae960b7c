"""Sources on Spark: files that a worker opens, and addresses that Spark itself reads, such as hdfs://... and s3a://...

Source: docs/cluster.md#files.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from glob import has_magic
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote

from auditor.errors import InputRefused
from auditor.reading import kinds
from auditor.reading.ingest import Part
from auditor.reading.paths import shown
from auditor.sources import objects

_INSTEAD = "use --engine local, or export to CSV or Parquet"
_TABLES = "{_delta_log/*.json,_delta_log/*.parquet,metadata/*.metadata.json,.hoodie/*.properties}"
"""What the folders of tables have that are more than their files, as Hadoop's glob."""
_GLOB = re.compile(r"[\[\]{}*?\\]")
_PASSWORD = re.compile(r"[^/]+://[^/@]*:[^/]*@")
_MISSING = "PATH_NOT_FOUND"
_NO_FILE_SYSTEM = "No FileSystem for scheme", "FileSystem not found", "ClassNotFoundException"

Listed = tuple[tuple[str, int, Any], ...]
"""The files at an address, their sizes and when they were written."""


def is_own(path: str) -> bool:
    """Whether a path is an address for Spark, rather than a file of this machine or what is fetched to it."""
    return "://" in path and not objects.scheme(path)


def is_csv(path: str) -> bool:
    """Whether an address is that of CSV, by its name."""
    return path.lower().removesuffix(".gz").removesuffix(".zst").endswith((".csv", ".tsv", ".psv"))


@dataclass
class Addresses:
    """The addresses of a run, which have to hold the same files from its begin to its end."""

    session: Any
    _listed: dict[str, tuple[str, Listed]] = field(default_factory=dict)

    def add(self, table: str, address: str) -> None:
        """An address of a table. Raises InputRefused for what Spark would read in part, or as what it is not."""
        where = f"{table}: {shown(address)}"
        if _PASSWORD.match(address):
            raise InputRefused(
                f"{where}: Spark shows addresses in its logs; take the password out, and put it in its settings"
            )
        if table == "providers":
            raise InputRefused(
                f"{where}: Spark does not read providers; give a file, or an address that the program fetches"
            )
        found, below = self._list(where, address), self._list(where, address, recursiveFileLookup="true")
        files = [file for file, _, _ in below]
        if not files:
            raise InputRefused(f"{where}: no files there; check the address")
        if kind := next(filter(None, map(kinds.of_name, map(Path, files))), None):
            raise _refusal(where, f"sources of the kind {kind.name}")
        for folder in sorted(_folders(address, files)):
            if self._exists(where, _GLOB.sub(r"\\\g<0>", unquote(folder)) + f"/{_TABLES}"):
                raise _refusal(where, f"Delta, Iceberg and Hudi tables, such as {shown(folder)},")
        if len(found) != len(below):
            raise InputRefused(
                f"{where}: Spark leaves out the files of the folders in it; name them with a glob, such as "
                f"{shown(address).rstrip('/')}/*/*.parquet"
            )
        if len(set(map(is_csv, files))) > 1:
            raise InputRefused(
                f"{where}: CSV and Parquet files at one address; name the ones and the others with globs"
            )
        self._listed[address] = where, found

    def files(self, address: str) -> list[str]:
        """The files there."""
        return [file for file, _, _ in self._listed[address][1]]

    def is_csv(self, address: str) -> bool:
        """Whether its files are CSV."""
        return is_csv(self.files(address)[0])

    def require_unchanged(self) -> None:
        """Raises InputRefused where files came, went or were written since they were listed."""
        for address, (where, before) in self._listed.items():
            if self._list(where, address) != before:
                raise InputRefused(
                    f"{where}: files changed while they were read; run again when the export is finished"
                )

    def _list(self, where: str, address: str, **options: str) -> Listed:
        try:
            return self._read(address, **options)
        except Exception as error:
            message = str(error)
            if _MISSING in message:
                raise InputRefused(f"{where}: there is no such file or folder; check the address") from None
            if any(sign in message for sign in _NO_FILE_SYSTEM):
                raise InputRefused(
                    f"{where}: Spark has no file system for {address.partition('://')[0]}://; add its package to "
                    f"spark.jars.packages in spark-defaults.conf, or {_INSTEAD}"
                ) from None
            raise _unlisted(where) from None

    def _read(self, address: str, **options: str) -> Listed:
        columns = ("_metadata.file_path", "_metadata.file_size", "_metadata.file_modification_time")
        rows = self.session.read.format("binaryFile").options(**options).load(address).select(*columns).collect()
        return tuple(sorted(map(tuple, rows)))

    def _exists(self, where: str, pattern: str) -> bool:
        try:
            return bool(self._read(pattern))
        except Exception as error:
            if _MISSING in str(error):
                return False
            raise _unlisted(where) from None


def opened(part: Part, path: Path) -> BinaryIO:
    """A file of a part, on a worker. Raises InputRefused where the worker does not see it."""
    try:
        return path.open("rb")
    except OSError as error:
        raise InputRefused(
            f"{part.where}: a worker of Spark cannot open it in {path.parent} ({error.strerror}); put inputs and --out on "
            "storage that every worker sees under the same path, and run the workers as the same user"
        ) from None


def _folders(address: str, files: Iterable[str]) -> set[str]:
    """The folders of files up to that of the address, but for those of partitions; of files in `data`, the one above it."""
    fixed = _split(address)[1]
    fixed = fixed[: next((n for n, part in enumerate(fixed) if has_magic(part)), len(fixed))]
    found = set[str]()
    for file in files:
        scheme, parts = _split(file)
        for length in range(len(parts) - 1, 0, -1):
            if "=" not in parts[length - 1]:
                found.add(f"{scheme}://{'/'.join(parts[:length])}")
                if length <= len(fixed) and parts[length - 1] != "data":
                    break
    return found


def _split(address: str) -> tuple[str, list[str]]:
    """The scheme, and the parts of the rest; Spark leaves out the slashes before an empty host."""
    scheme, _, rest = address.partition(":")
    return scheme, rest.removeprefix("//").split("/")


def _unlisted(where: str) -> InputRefused:
    return InputRefused(
        f"{where}: Spark cannot list it; check the address, that its server answers, and that it lets you read"
    )


def _refusal(where: str, what: str) -> InputRefused:
    return InputRefused(f"{where}: --engine spark does not read {what} at such an address; {_INSTEAD}")
