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
from auditor.rules import SHIPPED, local, pages, select
from auditor.rules.rule import Rule
from auditor.windows import LISTED
from cli import cases

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
        ({"page": "One.\n\n{no_such_number}"}, "{no_such_number} in its page"),
        ({"nothing": "{minuts} minutes"}, "{minuts} in its page or in `nothing` is no column of claims.csv"),
        ({"page": "One.\n\n{}"}, "IndexError: "),
        ({"page": 3}, "AttributeError: "),
        ({"detail": pl.col("units")}, "detail gives Float64; it must give String"),
        ({"cites": ()}, "it lacks its page, its sources (cites) or its examples"),
        ({"review": pl.col("service_date")}, "review gives Date; it must give Boolean"),
        ({"review": pl.col("service_date") > pl.col("units").str.len_chars()}, "SchemaError"),
        ({"message": pl.col("units")}, "message gives Float64; it must give String"),
        ({"review": pl.col("minutes") > pl.col("minutes").mean()}, "review looks across rows"),
        ({"doubt": pl.col("minutes").shift() == 21}, "doubt looks across rows"),
    ],
)
def test_a_bad_rule_is_refused_by_name(rule, changes, reason):
    with pytest.raises(UsageError, match=re.escape(reason)) as refused:
        _loaded(replace(rule, **changes))
    assert str(refused.value).startswith("local rules 'p0' of pkg 1.0: ")
    assert str(refused.value).endswith("; correct the rule, or uninstall its package")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"review": pl.col("minuts") > 3}, "LOC001 names 'minuts', which is no column of claim; did you mean minutes?"),
        ({"review": True}, "LOC001: review must be a polars expression"),
        ({"message": "a call"}, "LOC001: message must be a polars expression"),
        ({"over": "claims"}, "LOC001: over is 'claims'; choose from claim, visit_before"),
        ({"window": "look"}, "LOC001: window is 'look'; choose from lookback, postoperative"),
        ({"errs": "both"}, "LOC001: errs is 'both'; choose from over, under, neither"),
        ({"needs": ("visits",)}, "LOC001: needs must hold a tuple of alternatives for each need"),
        (
            {"needs": (("visit",),)},
            "LOC001 reads 'visit', which is no table or column of the inputs; did you mean visits?",
        ),
        ({"cites": "A plan"}, "LOC001: cites must be a tuple of texts"),
    ],
)
def test_a_wrong_field_is_named_when_the_rule_is_made(rule, changes, reason):
    with pytest.raises(ValueError, match=re.escape(reason)):
        replace(rule, **changes)


def test_a_module_that_exits_is_refused(tmp_path, monkeypatch):
    (tmp_path / "leaving_rules.py").write_text("raise SystemExit(3)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match=re.escape("cannot be imported (SystemExit: 3)")):
        local.load([EntryPoint("clinic", "leaving_rules:RULE", local.GROUP)])


def test_the_page_names_the_package(rule):
    assert "A local rule, of the package pkg 1.0." in pages.page(_loaded(rule)[0])


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


def test_a_local_rule_whose_package_is_gone_is_reported_as_gone():
    with pytest.raises(UsageError, match="severity: no rule 'LOC001'; its package is not installed"):
        select("severity", ["LOC001"])


def test_the_page_has_every_record_set_and_its_second_rule_is_one():
    assert not [name for name in LISTED if f"| `{name}` |" not in PAGE]
    code = re.search(r"```python\n(Rule\(.*?)```", PAGE, re.S)[1]
    second = eval(code, {"Rule": Rule, "pl": pl, "PAGE": "One.\n\nTwo.", "EXAMPLES": "x"})
    assert [each.code for each in _loaded(second)] == ["LOC002"]


def test_the_product_has_no_code_of_local_rules():
    assert not [rule.code for rule in SHIPPED if rule.code.startswith("LOC") or rule.origin]


def test_the_example_runs_as_printed(rule, tmp_path):
    """Installed by hand: what pip would lay down, so that no build tool is needed. The module is imported on its own, too."""
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
    alone_first = "import clinic_rules, cli.__main__ as program; program.main()"
    command = [sys.executable, "-c", alone_first, "run", "--calls", str(calls), "--select", "LOC001", "--require", "LOC001",
               "--visits", str(visits), "--timezone", "UTC", "--format", "json", "--show-ids"]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert done.returncode == 1, done.stderr
    (found,) = (row for row in json.loads(done.stdout)["rules"] if row["code"] == "LOC001")
    assert (found["review"], found["applicable"], found["local"]) == (1, 2, "clinic-rules 1.0")


def test_cases_of_a_local_rule_are_listed_without_its_package():
    assert cases._rules(["loc001", "DUR001"], {"LOC001", "DUR001"}) == ("LOC001", "DUR001")
    with pytest.raises(UsageError, match="no rule 'LOC002'; its package is not installed"):
        cases._rules(["LOC002"], {"LOC001"})
