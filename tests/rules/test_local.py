"""Local rules: the example of docs/local_rules.md as printed, and what is refused by name."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from auditor.errors import UsageError
from auditor.rules import SHIPPED, local
from auditor.rules.rule import Rule

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "local_rules.md").read_text(encoding="utf-8")


def _block(language: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", PAGE, re.S)[1]


@pytest.fixture
def rule() -> Rule:
    scope = {"__name__": "clinic_rules"}
    exec(compile(_block("python"), "clinic_rules.py", "exec"), scope)
    return scope["RULE"]


def _loaded(*values: object) -> tuple[Rule, ...]:
    """What installed packages give whose entry points lead to these values."""
    points = []
    for number, value in enumerate(values):
        point = SimpleNamespace(name=f"p{number}", value="m:RULE", dist=SimpleNamespace(name="pkg", version="1.0"))
        point.load = lambda value=value: value
        points.append(point)
    return local.load(points)


def test_rules_are_sorted_and_name_their_package(rule):
    found = _loaded(replace(rule, code="LOC002", name="local-b"), [rule])
    assert [(each.code, each.origin) for each in found] == [("LOC001", "pkg 1.0"), ("LOC002", "pkg 1.0")]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"code": "DUR001"}, "DUR001: the code of a local rule is LOC and three digits"),
        ({"name": "weekend-call"}, "the name of a local rule is local- and words"),
        ({"page": None}, "it lacks its page"),
        ({"page": "One.\n\n{no_such_number}"}, "KeyError: 'no_such_number'"),
        ({"page": "One.\n\n{}"}, "IndexError: "),
        ({"page": 3}, "AttributeError: "),
        ({"nothing": "on {no_such_column}"}, "KeyError: 'no_such_column'"),
        ({"detail": pl.col("units")}, "detail gives Float64; it must give String"),
        ({"cites": ()}, "it lacks its page, its sources (cites) or its examples"),
        ({"review": pl.col("service_date")}, "review gives Date; it must give Boolean"),
        ({"review": pl.col("service_date") > pl.col("units").str.len_chars()}, "SchemaError"),
        ({"message": pl.col("units")}, "message gives Float64; it must give String"),
    ],
)
def test_a_bad_rule_is_refused_by_name(rule, changes, reason):
    with pytest.raises(UsageError, match=re.escape(reason)) as refused:
        _loaded(replace(rule, **changes))
    assert str(refused.value).startswith("local rules 'p0' of pkg 1.0: ")
    assert str(refused.value).endswith("; correct the rule, or uninstall its package")


def test_two_rules_of_one_code_and_what_is_no_rule_are_refused(rule):
    for other in (replace(rule, name="local-other"), replace(rule, code="LOC002")):
        with pytest.raises(UsageError, match="two rules have this code or name"):
            _loaded(rule, other)
    with pytest.raises(UsageError, match="is no Rule and no list of them"):
        _loaded([rule, "LOC002"])
    with pytest.raises(
        UsageError, match=r"cannot be imported \(ModuleNotFoundError: No module named 'no_such_module'\)"
    ):
        local.load([EntryPoint("clinic", "no_such_module:RULE", local.GROUP)])


def test_the_product_has_no_code_of_local_rules():
    assert not [rule.code for rule in SHIPPED if rule.code.startswith("LOC") or rule.origin]


def test_the_example_runs_as_printed(rule, tmp_path):
    """Installed by hand: what pip would lay down, so that no build tool is needed."""
    (tmp_path / "clinic_rules.py").write_text(_block("python"), encoding="utf-8")
    laid = tmp_path / "clinic_rules-1.0.dist-info"
    laid.mkdir()
    (laid / "METADATA").write_text("Metadata-Version: 2.1\nName: clinic-rules\nVersion: 1.0\n", encoding="utf-8")
    points = re.search(r'\[project.entry-points."(.*?)"\]\n(.*?)\n', _block("toml"))
    (laid / "entry_points.txt").write_text(f"[{points[1]}]\n{points[2].replace(chr(34), '')}\n", encoding="utf-8")
    calls = tmp_path / "calls.csv"
    calls.write_text(
        "claim_id,call_id,patient_id,provider_id,call_start,call_minutes,cpt_code\n"
        "b1,k1,p1,r1,2026-03-07 09:00,25,98968\nb2,k2,p2,r1,2026-03-09 09:00,25,98968\n"
    )
    visits = tmp_path / "visits.csv"
    visits.write_text(
        "visit_id,patient_id,provider_id,visit_start\nv1,p1,r1,2026-03-20 09:00\nv2,p2,r1,2026-03-20 10:00\n"
    )
    command = [sys.executable, "-m", "cli", "run", "--calls", str(calls), "--select", "LOC001", "--require", "LOC001",
               "--visits", str(visits), "--timezone", "UTC", "--format", "json", "--show-ids"]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert done.returncode == 1, done.stderr
    (found,) = (row for row in json.loads(done.stdout)["rules"] if row["code"] == "LOC001")
    assert (found["review"], found["applicable"], found["local"]) == (1, 2, "clinic-rules 1.0")
