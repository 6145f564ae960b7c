"""Every message of the program, with the least input that triggers it. UPDATE=1 writes the messages again."""

import ast
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditor import __version__
from auditor.quality import checks
from tests.support.catalogue import CANARY, FOLDER, PREPARED, Case, cases

ROOT = Path(__file__).parents[2]
ELSEWHERE = {ROOT / "auditor" / "sources": "sources", ROOT / "auditor" / "rules" / "local.py": "rules",
             ROOT / "auditor" / "api.py": "api"}  # fmt: skip
"""Whose messages are in another room's tests: their inputs cannot all be a folder of texts."""
STOPS = ("InputRefused", "UsageError", "OutputFailed", "FolderHeld")


RUN_BEFORE = {"shrunk", "ledger-of-other-exports"}
"""Cases whose folder has a run already."""


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_the_message(case: Case, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    code = case.run(tmp_path)
    out, err = capfd.readouterr()
    err = re.sub(r"\d{8}T\d{9}Z-[0-9a-f]{8}", "RUN_ID", err.replace(f"{tmp_path}/", ""))
    err = err.replace(f"version {__version__} ", "version VERSION ")
    rejects = case.folder / "rejects.csv"
    written = [*tmp_path.glob("out/latest/rejects.csv"), *tmp_path.glob("out/refused/*/rejects.csv")]
    if os.environ.get("UPDATE"):
        (case.folder / "message.txt").write_text(f"exit {code}\n{err}", encoding="utf-8")
        if rejects.exists():
            rejects.write_bytes(written[0].read_bytes())
    assert f"exit {code}\n{err}" == case.golden
    if rejects.exists():
        assert written[0].read_text(encoding="utf-8") == rejects.read_text(encoding="utf-8")
    assert CANARY not in out + err
    assert "Traceback" not in err
    if code == 3 and "--out" in case.arguments(tmp_path) and case.arguments(tmp_path)[0] == "run":
        (refused,) = (tmp_path / "out" / "refused").iterdir()
        assert sorted(entry.name for entry in refused.iterdir()) == ["rejects.csv", "summary.json"]
        assert case.name in RUN_BEFORE or not (tmp_path / "out" / "latest").exists()
    for summary in tmp_path.glob("out/**/summary.json"):
        if text := summary.read_text(encoding="utf-8"):
            reported = json.loads(text)
            assert all(
                entry["rows"] == entry["used"] + entry["rejected"] + entry["left_out"] for entry in reported["inputs"]
            )
            assert "refused" not in reported or CANARY not in text
    for path in written:
        assert CANARY not in path.read_text(encoding="utf-8")


def test_every_preparation_has_its_case():
    assert set(PREPARED) <= {case.name for case in cases()}


def test_every_message_of_the_program_is_in_the_catalogue():
    reported = "\n".join(path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*/[mr]e*.*")))
    missing = {
        f"{path.relative_to(ROOT)}:{line}"
        for package in ("auditor", "cli")
        for path in sorted((ROOT / package).rglob("*.py"))
        if not any(path.is_relative_to(place) for place in ELSEWHERE)
        for line, pattern in (*_messages(path), *_refusals(path))
        if not re.search(pattern, reported)
    }
    assert not missing


@pytest.mark.parametrize(("place", "room"), ELSEWHERE.items(), ids=ELSEWHERE.values())
def test_every_other_message_is_in_the_tests_of_its_room(place: Path, room: str):
    """Three words of it in a row stand there, or it is in the catalogue."""
    reported = "\n".join(path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*/[mr]e*.*")))
    tests = " ".join(
        word
        for path in sorted((ROOT / "tests" / room).rglob("*.py"))
        for word in _words(path.read_text(encoding="utf-8"))
    )
    missing = {
        f"{path.relative_to(ROOT)}:{line}: {pattern}"
        for path in sorted(place.rglob("*.py")) or [place]
        for line, pattern in _messages(path)
        if not re.search(pattern, reported) and not any(" ".join(words) in tests for words in _threes(pattern))
    }
    assert not missing


def _words(text: str) -> list[str]:
    return re.findall(r"[\w'-]+", text)


def _threes(pattern: str) -> Iterator[list[str]]:
    """Three words that follow each other in a message."""
    for part in pattern.replace("\\", "").split(".*"):
        words = _words(part)
        yield from (words[at : at + 3] for at in range(len(words) - 2))


def test_every_check_that_can_refuse_has_its_least_input():
    refusals = [case.golden for case in cases() if case.golden.startswith("exit 3")]
    refusing = set()
    for check in checks.ALL:
        path = ROOT / "auditor" / "quality" / f"{check.name}.py"
        for line, pattern in _refusals(path):
            refusing.add(check.name)
            assert any(re.search(pattern, text) for text in refusals), f"{path.name}:{line}"
    assert {"rejects", "id_matching", "shrinkage", "ambiguous_dates", "duration_units", "missing_columns"} <= refusing


def _refusals(path: Path) -> Iterator[tuple[int, str]]:
    """Line and pattern of every issue that refuses the exports: its message and its remedy."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "CHECK.refuse":
            yield node.lineno, f"{_pattern(node.args[0], {})}; {_pattern(node.args[1], {})}"


def _messages(path: Path) -> Iterator[tuple[int, str]]:
    """Line and pattern of every message that stops the program or rejects a row."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    constants = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    policy = path.parent.name == "policy"
    for node in ast.walk(tree):
        message: ast.expr | None = None
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in STOPS or (policy and name == "ValueError"):
                message = node.args[0]
            elif name in ("reject", "_as_rejects", "fault"):
                message = node.args[1]
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
            message = node.value if getattr(node.targets[0].value, "id", "") == "lost" else None
        if message is not None and (pattern := _pattern(message, constants)).strip(".*"):
            yield node.lineno, pattern


def _pattern(message: ast.expr, constants: dict[str, ast.expr]) -> str:
    """The fixed parts of a message in their order, with anything between them."""
    if isinstance(message, ast.Constant):
        return re.escape(str(message.value))
    if isinstance(message, ast.JoinedStr):
        return "".join(_pattern(part, constants) for part in message.values)
    if isinstance(message, ast.BinOp):
        return _pattern(message.left, constants) + _pattern(message.right, constants)
    if isinstance(message, ast.Name) and message.id in constants:
        return _pattern(constants[message.id], constants)
    return ".*"
