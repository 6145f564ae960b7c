"""`init` on exports with the headers of real systems: right, or asked; never wrong and active."""

from __future__ import annotations

import shlex
import tomllib
from pathlib import Path

import pytest

from auditor.mapping import suggest
from tests.mapping.exports import EXPORTS, write
from tests.support.catalogue import command


@pytest.mark.parametrize("name", EXPORTS)
def test_a_system_s_export(name: str, tmp_path: Path) -> None:
    export = EXPORTS[name]
    path = tmp_path / f"{export.table}.csv"
    write(export, path)
    found = suggest.suggest({export.table: (str(path),)}, show_ids=True)
    policy = tomllib.loads(found.text)
    assert policy["columns"][export.table] == export.right
    assert policy.get("instant_formats", []) == list(export.formats)
    assert not found.missing if export.complete else found.missing
    comments = "\n".join(line.partition("#")[2] for line in found.text.splitlines())
    assert [asked for asked in export.asked if asked not in comments] == []


def test_the_printed_command_works(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [tmp_path / "the visits.csv", tmp_path / "the calls.csv"]
    write(EXPORTS["kareo"], paths[0])
    write(EXPORTS["five9"], paths[1])
    policy = tmp_path / "a policy.toml"
    tables = ["--visits", str(paths[0]), "--calls", str(paths[1])]
    assert command(["init", *tables, "--out", str(policy)]) == 0
    printed = capsys.readouterr().out.splitlines()[-1]
    assert command(shlex.split(printed)[1:]) == 0
    assert "calls: 40 rows = 40 used + 0 rejected" in capsys.readouterr().out


def test_a_required_column_that_is_missing_is_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(EXPORTS["twilio"], tmp_path / "calls.csv")
    assert command(["init", "--calls", str(tmp_path / "calls.csv")]) == 2
    message_text = capsys.readouterr()
    assert "calls.patient_id, calls.provider_id: no column matches with certainty" in message_text.err
    assert message_text.out.count("REQUIRED, ") == 2


def answered(text: str) -> str:
    """A suggestion whose REQUIRED guesses are confirmed, as the person would who removes the #."""
    return "\n".join(line.removeprefix("# ") if "REQUIRED, guess" in line else line for line in text.splitlines())


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPORTS)
def test_a_suggestion_runs_once_its_questions_are_answered(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exports = {"calls": EXPORTS["five9"], "visits": EXPORTS["kareo"], EXPORTS[name].table: EXPORTS[name]}
    for table, export in exports.items():
        write(export, tmp_path / f"{table}.csv")
    tables = [part for table in exports for part in (f"--{table}", str(tmp_path / f"{table}.csv"))]
    policy = tmp_path / "policy.toml"
    assert command(["init", *tables, "--out", str(policy)]) in (0, 2)
    policy.write_text(answered(policy.read_text()))
    code = command(["check", "--policy", str(policy), *tables])
    shown = capsys.readouterr()
    if "REQUIRED, not found" in policy.read_text():
        assert (code, "no column for" in shown.err) == (3, True)
    else:
        assert code == 0
        assert f"{EXPORTS[name].table}: 40 rows = 40 used + 0 rejected" in shown.out
