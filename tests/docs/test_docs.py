"""The documentation says what the program does."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from auditor.schema.tables import TABLES, fold
from docs.generate import FOLDER, PAGES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", PAGES)
def test_generated_pages_are_current(name: str):
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name](), "run `make docs`"


def test_the_readme_names_commands_that_exist():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^    make (\w+)", readme, re.M) == ["audit", "test"]
    for command in set(re.findall(r"audit98968 ([a-z]+) ", readme)):
        done = subprocess.run([sys.executable, "-m", "cli", command, "--help"], capture_output=True, cwd=ROOT)
        assert done.returncode == 0, command


def test_no_alias_means_two_columns():
    for table in TABLES.values():
        names = [fold(name) for column in table.columns.values() for name in {column.name, *column.aliases}]
        assert sorted(names) == sorted(set(names)), table.name
