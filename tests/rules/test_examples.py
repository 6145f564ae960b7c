"""Every rule's page holds: its examples are run through the whole audit."""

import polars as pl
import pytest

from auditor.reports.tables import without_ids
from auditor.rules import ALL, pages
from auditor.rules.rule import Rule
from tests.support import compare
from tests.support.examples import Example, examples

EXAMPLES = [(rule, example) for rule in ALL for example in examples(rule)]
_each = pytest.mark.parametrize(
    ("rule", "example"),
    EXAMPLES,
    ids=[f"{rule.code}{'-policy' * bool(example.settings)}" for rule, example in EXAMPLES],
)


@_each
def test_examples_hold(rule: Rule, example: Example, tmp_path):
    result = compare.run(example.world, tmp_path)
    for row in result.findings.iter_rows(named=True):
        assert row["message"] and str(row["related_id"] or "") in row["message"]
    assert not result.findings.select(without_ids().is_null().any()).item()
    verdicts = {key[0]: reported[rule.code] for key, reported in compare.verdicts(result).items()}
    reported = {}
    for record in example.expected:
        outcome, _, related, *_ = verdicts[record]
        reported[record] = f"{outcome} {related}" if related else outcome
    assert reported == example.expected


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.code)
def test_examples_show_every_outcome(rule: Rule):
    shown = {expected.split(" ")[0] for example in examples(rule) for expected in example.expected.values()}
    possible = {
        "violation": rule.violation,
        "review": rule.review if str(rule.violation) == "false" else None,
        "unknown": pl.lit(True) if rule.window else rule.unknown if str(rule.unknown) != "false" else rule.doubt,
    }
    wanted = {outcome for outcome, when in possible.items() if when is not None and str(when) != "false"}
    assert wanted | {"clear"} <= shown


@_each
def test_examples_agree_with_the_reference(rule: Rule, example: Example, tmp_path):
    assert compare.differences(example.world, compare.run(example.world, tmp_path)) == []


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.code)
def test_pages_have_every_heading(rule: Rule):
    page = pages.page(rule)
    headings = (
        "What it checks:",
        "Why it matters:",
        "How to resolve:",
        "What it cannot see:",
        "If the export lacks data:",
        "Sources:",
    )
    assert [heading for heading in headings if heading not in page] == []
