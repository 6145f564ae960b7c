"""The glossary holds the nouns of the code: every class is named by one, and none is left over."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = [path for folder in ("auditor", "cli") for path in sorted((ROOT / folder).rglob("*.py"))]
ROWS = re.findall(r"^\| ([^|]+) \| ([^|]+)\|$", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
ENTRIES = [entry.strip() for words, _ in ROWS if words not in ("word ", "word") and "---" not in words
           for entry in words.split(",")]  # fmt: skip
NOUNS = {word for entry in ENTRIES for word in entry.split()} | {
    name.lower() for _, meaning in ROWS for name in re.findall(r"`([A-Z]\w+)`", meaning)
}


def classes() -> Iterator[str]:
    """The names of the public classes."""
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        yield from (node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name[0] != "_")


def one(word: str) -> set[str]:
    """A word and what may be its singular or plural."""
    return {word, word.removesuffix("s"), f"{word}s", re.sub("ies$", "y", word)}


def test_every_class_is_named_by_a_noun_of_the_glossary() -> None:
    heads = {name: re.findall(r"[A-Z][a-z]*", name)[-1].lower() for name in classes()}
    assert {name for name, head in heads.items() if not one(head) & NOUNS} == set()


def test_no_word_of_the_glossary_is_left_over() -> None:
    code = "\n".join(path.read_text().lower() for path in SOURCES)
    assert [entry for entry in ENTRIES if not any(word in code for word in one(entry.split()[-1]))] == []


def test_no_word_is_there_twice() -> None:
    assert sorted(ENTRIES) == sorted(set(ENTRIES))
