"""Delta and Iceberg tables, the parts of which that no Python library writes put together by hand."""

import base64
import json
import os
import struct
import uuid
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.io.pyarrow import PyArrowFileIO
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestWriterV2,
    write_manifest_list,
)
from pyiceberg.table import Table
from pyiceberg.typedef import Record
from pyroaring import BitMap

SNAPSHOT = 4711


def field(name: str, kind: Any, **metadata: Any) -> dict[str, Any]:
    """A column of a Delta table."""
    return {"name": name, "type": kind, "nullable": True, "metadata": metadata}


def delta(
    folder: Path,
    fields: Sequence[dict[str, Any]],
    files: Sequence[tuple[str, pa.Table, dict[str, str | None]]],
    *features: str,
    deleted: Sequence[int] = (),
    configuration: dict[str, str] | None = None,
    **how: Any,
) -> Path:
    """A Delta table of one version, of files by path, rows and partition values.

    `features`: of the protocol. `deleted`: rows that a deletion vector takes from the first file. `how`: of pq.write_table.
    """
    (folder / "_delta_log").mkdir(parents=True)
    versions = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features, "writerFeatures": features}
    schema = json.dumps({"type": "struct", "fields": list(fields)})
    partitions = sorted({name for *_, values in files for name in values})
    logical = {one["metadata"].get("delta.columnMapping.physicalName", one["name"]): one["name"] for one in fields}
    about = {"id": "t", "format": {"provider": "parquet", "options": {}}, "schemaString": schema, "createdTime": 1}
    about |= {"partitionColumns": [logical[name] for name in partitions], "configuration": configuration or {}}
    actions: list[Any] = [
        {"protocol": versions if features else {"minReaderVersion": 1, "minWriterVersion": 2}},
        {"metaData": about},
    ]
    for path, rows, values in files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(rows, folder / path, **how)
        size = (folder / path).stat().st_size
        add = {"path": path, "partitionValues": values, "size": size, "modificationTime": 1, "dataChange": True}
        actions.append({"add": add})
    if deleted:
        actions[2]["add"]["deletionVector"] = _deletion_vector(folder, deleted)
    (folder / "_delta_log" / f"{0:020}.json").write_text("\n".join(map(json.dumps, actions)))
    return folder


def _deletion_vector(folder: Path, rows: Sequence[int]) -> dict[str, Any]:
    name, data = uuid.UUID(int=7), struct.pack("<IqI", 1681511377, 1, 0) + BitMap(rows).serialize()
    file = b"\x01" + struct.pack(">I", len(data)) + data + struct.pack(">I", zlib.crc32(data))
    (folder / f"deletion_vector_{name}.bin").write_bytes(file)
    path = _z85(name.bytes)
    return {"storageType": "u", "pathOrInlineDv": path, "offset": 1, "sizeInBytes": len(data), "cardinality": len(rows)}


def _z85(data: bytes) -> str:
    """Source: https://rfc.zeromq.org/spec/32/."""
    ours = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
    z85 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
    return base64.b85encode(data).decode().translate(str.maketrans(ours, z85))


def iceberg(folder: Path, name: str, rows: pa.Table) -> Table:
    """An Iceberg table `folder`/n/`name`."""
    folder.mkdir(exist_ok=True)
    catalog = SqlCatalog("c", uri="sqlite:///:memory:", warehouse=f"file://{folder}")
    catalog.create_namespace("n")
    table = catalog.create_table(f"n.{name}", rows.schema)
    table.append(rows)
    return table


class _Deletes(ManifestWriterV2):
    """A manifest of delete files."""

    def content(self) -> ManifestContent:
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, str]:
        return super()._meta | {"content": "deletes"}


def delete(table: Table, rows: Sequence[int], kind: DataFileContent, file_format: FileFormat) -> Path:
    """Delete rows of the table's only data file by a delete file; the new metadata file."""
    folder = Path(table.location().removeprefix("file://"))
    current = table.current_snapshot()
    assert current
    (task,) = table.scan().plan_files()
    target, io = task.file.file_path, PyArrowFileIO()
    at = folder / "data" / f"deletes.{file_format.value.lower()}"
    if file_format == FileFormat.PUFFIN:
        at.write_bytes(_puffin(target, rows))
    else:
        pq.write_table(pa.table({"file_path": [target] * len(rows), "pos": rows}), at)
    entry = DataFile.from_args(
        content=kind, file_path=f"file://{at}", file_format=file_format, partition=Record(), record_count=len(rows),
        file_size_in_bytes=at.stat().st_size, equality_ids=[1] if kind == DataFileContent.EQUALITY_DELETES else None,
    )  # fmt: skip
    where = f"file://{folder}/metadata"
    with _Deletes(table.spec(), table.schema(), io.new_output(f"{where}/d.avro"), SNAPSHOT, "deflate") as writer:
        writer.add_entry(
            ManifestEntry.from_args(status=ManifestEntryStatus.ADDED, snapshot_id=SNAPSHOT, data_file=entry)
        )
    with write_manifest_list(2, io.new_output(f"{where}/l.avro"), SNAPSHOT, current.snapshot_id, 2, "deflate") as every:
        every.add_manifests([*current.manifests(io), writer.to_manifest_file()])
    return _with_snapshot(table, f"{where}/l.avro")


def _with_snapshot(table: Table, manifests: str) -> Path:
    before = Path(table.metadata_location.removeprefix("file://"))
    text = json.loads(before.read_text())
    new = text["snapshots"][-1] | {"snapshot-id": SNAPSHOT, "manifest-list": manifests, "sequence-number": 2}
    text |= {"snapshots": [*text["snapshots"], new], "current-snapshot-id": SNAPSHOT, "last-sequence-number": 2}
    text["refs"]["main"]["snapshot-id"] = SNAPSHOT
    after = before.with_name("00009-new.metadata.json")
    after.write_text(json.dumps(text))
    os.utime(after, (1, 1))  # the time of a file says nothing: copies have their own
    return after


def _puffin(target: str, rows: Sequence[int]) -> bytes:
    bitmap = b"\xd1\xd3\x39\x64" + struct.pack("<qI", 1, 0) + BitMap(rows).serialize()
    blob = struct.pack(">I", len(bitmap)) + bitmap + struct.pack(">I", zlib.crc32(bitmap))
    about = {"type": "deletion-vector-v1", "fields": [], "snapshot-id": -1, "sequence-number": -1, "offset": 4}
    about |= {"length": len(blob), "properties": {"referenced-data-file": target, "cardinality": str(len(rows))}}
    footer = json.dumps({"blobs": [about], "properties": {}}).encode()
    return b"PFA1" + blob + b"PFA1" + footer + struct.pack("<I", len(footer)) + b"\0\0\0\0PFA1"
