"""Iceberg tables → the rows of one snapshot, without a catalog. Source: docs/lakes.md.

Paths in the metadata are absolute; the files of a table that was copied are found below its folder all the same.
"""

import re
from collections.abc import Iterator, Sequence
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from auditor.errors import InputRefused
from auditor.reading.kinds import Location
from auditor.sources.source import Context, Source, require_extra
from auditor.sources.unordered import frames

if TYPE_CHECKING:
    from pyiceberg.table import DataScan, Table

_NUMBER = re.compile(r"v?(\d+)")


def read(table: str, locations: Sequence[Location], context: Context) -> Iterator[Source]:
    """Each table as it is now, or the snapshot that is named; the interface is `auditor.sources.source.Reader`."""
    require_extra("iceberg", "pyiceberg")
    for location in locations:
        where = f"{table}: {location.shown}"
        metadata, how, warnings = _metadata(where, location.path / "metadata")
        try:
            opened = _opened(location.path, metadata)
        except Exception as error:  # what the library raises has no common base
            raise _refusal(where, f"metadata/{metadata.name}", error) from None
        scan = _scan(where, opened, location.within)
        schema = _schema(scan)
        snapshot = scan.snapshot()
        version = f"snapshot {snapshot.snapshot_id}" if snapshot else "no snapshot yet"
        understood = [f"Iceberg table, {version} of metadata/{metadata.name} ({how})"]
        yield Source(location, frames(schema, _batches(where, scan, schema)), warnings, understood)


def _metadata(where: str, folder: Path) -> tuple[Path, str, list[str]]:
    """The metadata file that holds, why, and warnings."""
    files = sorted(folder.glob("*.metadata.json"), key=lambda path: (_number(path), path.name))
    newest = files[-1]
    hint = folder / "version-hint.text"
    if not hint.is_file():
        rivals = [path.name for path in files if _number(path) == _number(newest)]
        if len(rivals) > 1:
            raise InputRefused(
                f"{where}: {' and '.join(rivals)} are both the newest metadata file; write the name of the one that holds "
                "into metadata/version-hint.text"
            )
        return newest, "the newest; there is no version-hint.text", []
    text = hint.read_text(encoding="utf-8", errors="replace").strip()
    named = {text, f"{text}.metadata.json", f"v{text}.metadata.json", f"v{text}.gz.metadata.json"}
    found = next((path for path in files if path.name in named), None)
    if not found:
        raise InputRefused(
            f"{where}: version-hint.text names a metadata file that is not in metadata/; copy the whole table, or remove "
            "the hint"
        )
    newer = [f"metadata/{newest.name} is newer than the file that version-hint.text names"] * (
        _number(newest) > _number(found)
    )
    return found, "as version-hint.text says", newer


def _number(path: Path) -> int:
    found = _NUMBER.match(path.name)
    return int(found[1]) if found else -1


def _opened(folder: Path, metadata: Path) -> "Table":
    from pyarrow.fs import LocalFileSystem
    from pyiceberg.catalog.noop import NoopCatalog
    from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO
    from pyiceberg.serializers import FromInputFile
    from pyiceberg.table import Table

    def local(path: Path) -> PyArrowFile:
        return PyArrowFile(str(path), str(path.absolute()), LocalFileSystem())

    class Here(PyArrowFileIO):
        """The files below the folder, wherever the metadata says that the table is."""

        def new_input(self, location: str) -> PyArrowFile:
            below = _path(location).removeprefix(root)
            if below == _path(location) or ".." in Path(below).parts:
                raise _Elsewhere
            return local(folder / below)

    described = FromInputFile.table_metadata(local(metadata))
    root = _path(described.location).rstrip("/") + "/"
    return Table((folder.name,), described, str(metadata), Here(), NoopCatalog("none"))


def _path(location: str) -> str:
    return re.sub(r"^\w+:(//)?", "", location)


class _Elsewhere(Exception):
    """A file of the table is in another place than the table."""


def _scan(where: str, table: "Table", version: str) -> "DataScan":
    if not version:
        return table.scan()
    snapshot = table.snapshot_by_name(version)
    if not snapshot and version.isascii() and version.isdecimal():
        snapshot = table.snapshot_by_id(int(version))
    if not snapshot:
        ids = ", ".join(str(one.snapshot_id) for one in table.snapshots())
        raise InputRefused(
            f"{where}: the table has no such snapshot, tag or branch; it has the snapshots {ids or 'none'}"
        )
    return table.scan(snapshot_id=snapshot.snapshot_id)


def _batches(where: str, scan: "DataScan", schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """One data file after another, by path: the library holds what it reads at once."""
    from pyiceberg.io.pyarrow import ArrowScan

    try:
        reader = ArrowScan(scan.table_metadata, scan.io, scan.projection(), scan.row_filter)
        for task in sorted(scan.plan_files(), key=lambda task: task.file.file_path):
            for batch in reader.to_record_batches([task]):
                columns = [_plain(column) for column in batch.columns]
                yield from pa.table(columns, batch.schema.names).cast(schema).to_batches()
    except Exception as error:
        raise _refusal(where, "a file of this version", error) from None


def _schema(scan: "DataScan") -> pa.Schema:
    from pyiceberg.io.pyarrow import schema_to_pyarrow

    found = schema_to_pyarrow(scan.projection(), include_field_ids=False)
    return pa.schema([pa.field(field.name, _plain(pa.nulls(0, field.type)).type) for field in found])


def _plain(column: pa.Array) -> pa.Array:
    """A UUID as its text."""
    if column.type != pa.uuid():
        return column
    return pa.array([None if one is None else str(one) for one in column.to_pylist()], pa.large_string())


def _refusal(where: str, what: str, error: Exception) -> InputRefused:
    """The library's own words may hold values."""
    if isinstance(error, _Elsewhere):
        return InputRefused(f"{where}: the table has files outside of its folder; export it to CSV or Parquet")
    if "equality delete" in str(error).lower():
        needs, do = "it needs equality deletes", "rewrite its data files (rewrite_data_files)"
    else:
        needs, do = type(error).__name__, "check that all of its files are there"
    return InputRefused(
        f"{where}: {what} cannot be read by pyiceberg {installed('pyiceberg')} ({needs}); {do}, or export the table to CSV "
        "or Parquet"
    )
