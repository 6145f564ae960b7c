"""Folders of Delta, Iceberg and Hudi tables, whose files alone do not say which rows are in the table.

Source: docs/specification.md#files.
"""

import os
from pathlib import Path

from auditor.errors import InputRefused
from auditor.reading.paths import shown


def refuse(name: str, folder: Path) -> None:
    """Raises InputRefused for the folder of such a table."""
    if kind := _kind(folder):
        raise InputRefused(
            f"{name}: {shown(folder)}: this folder is {kind} table: its files also hold deleted and replaced rows, and only "
            "its log says which rows count; export the table as it stands to CSV or Parquet (in Spark: "
            "spark.table(NAME).write.parquet(FOLDER)) and name that"
        )


def refuse_files_of(name: str, file: Path) -> None:
    """Raises InputRefused for a file of such a table: in its folder, or in the folders of its partitions."""
    folder = file.parent
    while "=" in folder.name:
        refuse(name, folder)
        folder = folder.parent
    refuse(name, folder)
    if folder.name == "data":
        refuse(name, folder.parent)


def _kind(folder: Path) -> str | None:
    if os.path.isdir(folder / "_delta_log"):  # noqa: PTH112 (a closed folder on the way raises nothing)
        return "a Delta"
    if os.path.isdir(folder / ".hoodie"):  # noqa: PTH112
        return "a Hudi"
    try:
        iceberg = any((folder / "metadata").glob("*.metadata.json"))
    except OSError:
        return None
    return "an Iceberg" if iceberg else None
