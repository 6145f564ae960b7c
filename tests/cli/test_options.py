"""Every declared option: flag, then variable, then policy file, then default; in the help and in the manual page."""

import os
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from auditor.errors import UsageError
from auditor.rules import CODES
from auditor.run_options import RUN_OPTIONS, WRITABLE, RunOption
from cli import options
from cli.app import app
from docs import man

TABLES = {"calls": ["calls.csv"], "visits": ["visits.csv"]}
VALUES = {
    "ledger": ("a.sqlite", "b.sqlite", "c.sqlite"),
    "codes": ("98966", "98967", "98966,98967"),
    "max_rejects": ("1", "2", "3"),
    "max_shrink": ("1%", "2%", "3%"),
    "memory": ("1GB", "2GB", "3GB"),
    "pseudonymize": ("key", "key", "key"),
    "timezone": ("America/Chicago", "America/Denver", "America/Phoenix"),
    "database": ("duckdb:///a.duckdb", "sqlite:///b.db", "postgresql:///c"),
    "source": ("claims=tuva", "visits=omop", "phone_log=twilio"),
    "policy": ("strict", "bcbs-ma", None),
}


def values_of(option: RunOption) -> tuple[str, str, str | None]:
    """Three values that the option may have."""
    if option.name in VALUES:
        return VALUES[option.name]
    kinds = {"paths": ("a.csv", "b.csv", "c.csv"), "day": ("2026-01-01", "2026-01-02", "2026-01-03"),
             "rules": ("DUR", "LBK", "LAH"), "switch": ("yes", "no", "yes")}  # fmt: skip
    words = [word for word in option.choices if word not in ("new", "none")]
    return kinds.get(option.kind) or ((words[0], words[-1], words[0]) if words else ("a", "b", "c"))


@pytest.mark.parametrize("option", RUN_OPTIONS, ids=lambda option: option.name)
def test_flag_variable_file_default(option: RunOption, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "key").write_text("0123456789abcdef0123456789abcdef")
    (tmp_path / "key").chmod(0o600)
    by_flag, by_variable, by_file = values_of(option)
    flag: Any = [by_flag] if option.kind == "paths" else by_flag == "yes" or by_flag
    given = TABLES | ({"engine": "spark"} if option.name == "master" else {})
    file = f'timezone = "{by_file}"' if option.kind == "timezone" else f'[run]\n{option.name} = "{by_file}"'
    if option.kind == "switch":
        file = f"[run]\n{option.name} = true"
    (tmp_path / "p.toml").write_text(file if by_file else "")
    policy = {} if option.kind == "policy" else {"policy": "p.toml"}

    def origin(**flags: Any) -> str:
        return options.resolve(given | policy | flags).origins[option.name]

    if option.kind != "paths" or option.name not in TABLES:
        assert options.resolve(given).origins[option.name] == "default"
        if by_file:
            assert origin() == "policy file"
        monkeypatch.setenv(option.variable, by_variable)
        assert origin() == option.variable
    assert origin(**{option.name: flag}) == option.flag


@pytest.mark.parametrize("option", RUN_OPTIONS, ids=lambda option: option.name)
def test_help_and_manual_tell_of_it(option: RunOption):
    commands = get_command(app).commands  # type: ignore[attr-defined]
    for name in ("run", *(("check",) if option.check else ())):
        (declared,) = (one for one in commands[name].params if one.name == option.name)
        assert (declared.opts, declared.help) == ([option.flag], option.help_text)
    page = man.page().replace("\\-", "-")
    assert option.flag in page
    assert f"\\fB{option.variable}\\fR" in page


def test_paths_of_run_are_relative_to_the_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As those of [payers] and [lists] are; a flag and a variable are relative to the working directory."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "p.toml").write_text(
        '[run]\ncalls = "calls.csv"\nvisits = ["s3://bucket/v/", "/abs/v.csv", "-"]\nout = "out"\n'
        'ledger = "new:cases.sqlite"\nlog_file = "log"\n'
    )
    found = options.resolve({"policy": "../p.toml"}).values
    assert found["calls"] == ("../calls.csv",)
    assert found["visits"] == ("s3://bucket/v/", "/abs/v.csv", "-")
    assert (found["out"], found["ledger"], found["log_file"]) == ("../out", "new:../cases.sqlite", "../log")
    assert options.resolve({"policy": "../p.toml", "out": "mine"}).values["out"] == "mine"
    monkeypatch.chdir(tmp_path)
    assert options.resolve({"policy": str(tmp_path / "p.toml")}).values["calls"] == ("calls.csv",)


def test_what_is_left_out_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    sample = Path(__file__).parents[2] / "sample_data"
    tables = [word for name in ("calls", "visits") for word in (f"--{name}", str(sample / f"{name}.csv"))]
    files = {"html": {"report.html"}, "xlsx": {"report.xlsx"}, "csv": {"findings.csv", "claims.csv"},
             "evidence": {"evidence.parquet"}}  # fmt: skip
    assert files.keys() == set(WRITABLE)
    always = {"findings.parquet", "claims.parquet", "rejects.csv", "summary.json"}
    for wanted in ("none", "csv", "html,evidence"):
        out = tmp_path / wanted
        words = ["run", *tables, "--timezone", "UTC", "--ledger", "none", "--out", str(out), "--write", wanted]
        with pytest.raises(SystemExit):
            app([*words, "--format", "none", "--fail-on", "never"])
        some = set().union(*(files[word] for word in wanted.split(",") if word != "none"))
        assert {path.name for path in (out / "latest").iterdir()} == always | some


def test_a_word_that_is_none_is_named_with_what_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AUDIT98968_WRITE", "html,pdf")
    with pytest.raises(UsageError, match=r"^AUDIT98968_WRITE: 'pdf' is not one of html, xlsx, csv, evidence, none"):
        options.resolve(TABLES)
    assert options.resolve(TABLES | {"write": "html"}).settings.write == ("html",)
    assert options.resolve(TABLES | {"write": "none"}).settings.write == ()
    monkeypatch.delenv("AUDIT98968_WRITE")
    settings = options.resolve(TABLES).settings
    assert (settings.write, settings.selected) == (WRITABLE, CODES)


def test_a_policy_file_is_found_in_the_working_directory_and_above_it_in_a_work_tree(tmp_path, monkeypatch):
    inside = tmp_path / "work" / "data"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    above = tmp_path / "work" / "audit98968.toml"
    above.write_text('name = "clinic"\n')
    above.chmod(0o644)
    assert options.resolve(TABLES).settings.policy.name == "default"
    (tmp_path / "work" / ".git").mkdir()
    found = options.resolve(TABLES)
    assert (found.settings.policy.name, found.found_policy) == ("clinic", str(above))
    (inside / "audit98968.toml").write_text('name = "nearest"\n')
    (inside / "audit98968.toml").chmod(0o600)
    assert options.resolve(TABLES).settings.policy.name == "nearest"
    assert options.resolve(TABLES | {"policy": "default"}).found_policy is None
    monkeypatch.setenv("AUDIT98968_POLICY", "strict")
    assert options.resolve(TABLES).settings.policy.name == "strict"


def test_a_policy_file_above_the_work_tree_is_not_found(tmp_path, monkeypatch):
    (tmp_path / "tree" / ".git").mkdir(parents=True)
    (tmp_path / "audit98968.toml").write_text("")
    monkeypatch.chdir(tmp_path / "tree")
    assert options.resolve(TABLES).found_policy is None


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_a_found_policy_that_others_may_write_is_refused(mode, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "audit98968.toml").write_text("")
    (tmp_path / "audit98968.toml").chmod(mode)
    with pytest.raises(UsageError, match=r"audit98968\.toml: was found without --policy and others may write"):
        options.resolve(TABLES)


def test_a_found_policy_of_another_user_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "audit98968.toml").write_text("")
    monkeypatch.setattr("os.geteuid", lambda: (tmp_path / "audit98968.toml").stat().st_uid + 1)
    if (tmp_path / "audit98968.toml").stat().st_uid == 0:
        os.chown(tmp_path / "audit98968.toml", 1234, -1)
    with pytest.raises(UsageError, match="belongs to another user"):
        options.resolve(TABLES)
