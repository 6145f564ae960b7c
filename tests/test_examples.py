"""Every rule's page holds: its examples are run through the whole audit."""

import compare
import examples
import pytest

from auditor.rules import ALL, pages
from auditor.rules.rule import Rule


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.code)
def test_examples_hold(rule: Rule, tmp_path):
    verdicts = {
        key[0]: told[rule.code] for key, told in compare.verdicts(compare.run(examples.world(rule), tmp_path)).items()
    }
    told = {}
    for row in examples.rows(rule):
        if row["expect"]:
            outcome, _, related, *_ = verdicts[row["record"]]
            told[row["record"]] = f"{outcome} {related}" if related else outcome
    assert told == {row["record"]: row["expect"] for row in examples.rows(rule) if row["expect"]}


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.code)
def test_examples_show_every_outcome(rule: Rule):
    shown = {row["expect"].split(" ")[0] for row in examples.rows(rule)}
    possible = {
        "violation": rule.violation,
        "review": rule.review if str(rule.violation) == "false" else None,
        "unknown": rule.unknown if str(rule.unknown) != "false" else rule.doubt,
    }
    wanted = {outcome for outcome, when in possible.items() if when is not None and str(when) != "false"}
    assert wanted | {"clear"} <= shown


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.code)
def test_examples_agree_with_the_reference(rule: Rule, tmp_path):
    world = examples.world(rule)
    assert compare.differences(world, compare.run(world, tmp_path)) == []


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.code)
def test_pages_have_every_heading(rule: Rule):
    page = pages.page(rule)
    headings = (
        "What it checks:",
        "Why it matters:",
        "How to resolve:",
        "What it cannot see:",
        "Which way it errs:",
        "Sources:",
    )
    assert [heading for heading in headings if heading not in page] == []
