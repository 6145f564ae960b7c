"""The documentation says what the program does."""

import re
import subprocess
import sys
from pathlib import Path

from auditor.tables import TABLES, fold
from docs.generate import PATH, rules_page

ROOT = Path(__file__).parent.parent


def test_the_rules_page_is_current():
    assert PATH.read_text(encoding="utf-8") == rules_page(), "run `make docs`"


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
