"""Folders of Delta, Iceberg and Hudi tables, whose files alone do not say which rows are in the table.

Source: docs/specification.md#files.
"""

import os
from pathlib import Path

from auditor.errors import InputRefused
from auditor.reading import kinds
from auditor.reading.paths import shown


def refuse(name: str, folder: Path) -> None:
    """Raises InputRefused for the folder of a Hudi table."""
    if os.path.isdir(folder / ".hoodie"):  # noqa: PTH112 (a closed folder on the way raises nothing)
        raise InputRefused(
            f"{name}: {shown(folder)}: this folder is a Hudi table: its files also hold deleted and replaced rows, and only "
            "its log says which rows count; export the table as it stands to CSV or Parquet (in Spark: "
            "spark.table(NAME).write.parquet(FOLDER)) and name that"
        )


def refuse_files_of(name: str, file: Path) -> None:
    """Raises InputRefused for a file of such a table: in its folder, or in the folders of its partitions."""
    folder = file.parent
    while "=" in folder.name:
        _refuse_file(name, file, folder)
        folder = folder.parent
    _refuse_file(name, file, folder)
    if folder.name == "data":
        _refuse_file(name, file, folder.parent)


def _refuse_file(name: str, file: Path, folder: Path) -> None:
    refuse(name, folder)
    if kind := kinds.of_folder(folder):
        raise InputRefused(
            f"{name}: {shown(file)}: this file belongs to the {kind.name.title()} table {shown(folder)}, whose files also "
            "hold deleted and replaced rows; name that folder"
        )
