"""docs/formats.md: every behavior of a source has a test, which exists."""

import ast
import re
from pathlib import Path

import pytest

from docs.site import PAGES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "formats.md"
HEADER = ["source", "version", "what it writes", "what the audit does", "test"]
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("| ")
]


def test_the_page_is_in_the_navigation():
    assert "formats.md" in PAGES.values()


@pytest.mark.parametrize("row", [row for row in ROWS if row != HEADER], ids=lambda row: f"{row[0]}: {row[2]}")
def test_every_row_names_a_test_that_exists(row: list[str]):
    assert len(row) == len(HEADER)
    assert all(row)
    path, name = re.fullmatch(r"`(tests/.+\.py)::(test_\w+)`", row[-1]).groups()  # type: ignore[union-attr]
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
