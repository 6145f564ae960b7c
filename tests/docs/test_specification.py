"""The specification names what the code has: sections that docstrings cite, rules, thresholds and exit codes."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from auditor import errors
from auditor.policy import leaves, shipped, source
from auditor.rules import ALL
from auditor.run_options import RUN_OPTIONS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "specification.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in PAGE.splitlines() if line[:1] == "|"]
HEADINGS = re.findall(r"^#+ (.+)$", PAGE, re.M)
ANCHORS = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in HEADINGS]

NO_THRESHOLD = ("name", "description", "sources", "lists.", "credentials.")
THRESHOLDS = [
    (key, value) for key, value in leaves(tomllib.loads(source("default"))) if not key.startswith(NO_THRESHOLD)
]


def cited() -> list[tuple[str, str]]:
    """File and anchor of each link to a section, in the code and in the documentation."""
    files = [*ROOT.glob("auditor/**/*.py"), *ROOT.glob("cli/**/*.py"), *ROOT.glob("docs/*.md"), *ROOT.glob("*.md")]
    found = [
        (str(file.relative_to(ROOT)), anchor)
        for file in files
        for anchor in re.findall(r"specification\.md#([\w-]+)", file.read_text(encoding="utf-8"))
    ]
    return found + [("docs/specification.md", anchor) for anchor in re.findall(r"\]\(#([\w-]+)\)", PAGE)]


def _codes(cell: str) -> set[str]:
    """The codes of rules that a cell names: `DOC001-005` names five."""
    named = re.findall(r"([A-Z]{3})(\d{3})(?:-(\d{3}))?", cell)
    return {f"{kind}{number:03}" for kind, first, last in named for number in range(int(first), int(last or first) + 1)}


def test_headings_differ():
    assert len(set(ANCHORS)) == len(ANCHORS) > 30


def test_every_section_that_is_cited_exists():
    links = cited()
    assert links
    assert [link for link in links if link[1] not in ANCHORS] == []


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.code)
def test_every_rule_is_in_the_table_with_its_strongest_outcome(rule):
    [row] = [row for row in ROWS if row[0].removesuffix("*") == rule.code and row[1] == rule.name]
    violation, review = (bool(cell) for cell in row[2:4])
    assert ("violation" if violation else "review") == rule.strongest
    assert violation or review


def test_rules_that_read_calls_are_not_applicable_without_one():
    [row] = [row for row in ROWS if row[1] == "the claim has no call"]
    assert _codes(row[0]) == {rule.code for rule in ALL if rule.reads_calls and not rule.without_call}


@pytest.mark.parametrize(
    ("codes", "windows"),
    [
        ("LBK001", {"lookback"}),
        ("LBK002", {"postoperative"}),
        ("LAH001, LAH002", {"ahead", "later"}),
        ("EXC001", {"same_day"}),
        ("FRQ001, FRQ002, FRQ005", {"lines", "group_lines"}),
    ],
)
def test_coverage_by_rule_is_what_rules_declare(codes: str, windows: set[str]):
    assert [row for row in ROWS if row[0] == codes and re.search("visits_since|claims_since|as_of", row[1])]
    assert {rule.code for rule in ALL if rule.window in windows} == set(codes.split(", "))


@pytest.mark.parametrize("rule", [rule for rule in ALL if rule.needs], ids=lambda rule: rule.code)
def test_needed_columns_are_in_the_specification(rule):
    heading = ROWS.index(["rules", "need"])
    named = {
        code: row[1]
        for row in ROWS[heading + 1 : ROWS.index(["rules", "not covered where"])]
        for code in _codes(row[0])
    }
    columns = [name.partition(".")[2] for alternatives in rule.needs for name in alternatives if "." in name]
    own = named[rule.code] == "a calls table, and their column of it" and rule.needs == (
        ("calls",),
        (f"calls.{columns[0]}",),
    )
    assert own or rule.code == "INT001" or all(column in named[rule.code] for column in columns)


@pytest.mark.parametrize(("key", "default"), THRESHOLDS, ids=[key for key, _ in THRESHOLDS])
def test_every_threshold_is_named_with_its_default(key: str, default: object):
    assert [f"`{key}`", f"`{json.dumps(default)}`"] in [row[:2] for row in ROWS]


def test_every_shipped_policy_is_named():
    assert {f"`{name}`" for name in shipped()} <= {row[0] for row in ROWS}


def test_every_option_of_run_is_named():
    missing = [option.flag for option in RUN_OPTIONS if not re.search(rf"`{option.flag}[` ]", PAGE)]
    assert missing == []


def test_every_exit_code_of_an_error_is_in_the_table():
    codes = {kind.exit_code for kind in vars(errors).values() if isinstance(kind, type)}
    assert codes <= {int(code) for row in ROWS for code in row[0].split(", ") if code.isdecimal()}
