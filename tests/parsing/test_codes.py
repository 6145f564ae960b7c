"""Which codes a cell holds, whatever is written around them."""

from pathlib import Path

import pytest

from auditor.policy import Policy
from tests.support.parsing import typed
from tests.support.reading import CALL, one


@pytest.mark.parametrize(
    "written",
    ["98968", "98968-25", "CPT 98968", "CPT:98968", "cpt-98968", "CPT98968", "HCPCS: 98968", "hcpc 98968", "'98968", "[98968]", '"98968"'],
)  # fmt: skip
def test_a_code_is_found_whatever_stands_around_it(written: str) -> None:
    assert typed("calls", "cpt_code", written)[1] == ["98968"]


@pytest.mark.parametrize("written", ["CPT", "HCPCS:", "??", "--"])
def test_no_code(written: str) -> None:
    assert typed("calls", "cpt_code", written)[1] == [None]


@pytest.mark.parametrize(
    ("written", "codes"),
    [
        ("CPT:99213;CPT 97110", ["97110", "99213"]),
        ("{99213}", ["99213"]),
        ('["99213", "97110-59"]', ["97110", "99213"]),
        ("99213|g0402", ["99213", "G0402"]),
    ],
)
def test_lists_of_codes(written: str, codes: list[str]) -> None:
    assert typed("visits", "cpt_codes", written)[1] == [codes]


@pytest.mark.parametrize("written", ["99213\n99214", '="99213;99214"', "99213\t\u200b99214"])
def test_in_lists_line_ends_divide(written: str) -> None:
    assert typed("visits", "cpt_codes", written)[1] == [["99213", "99214"]]


def test_a_code_column_without_a_code_is_warned_about(tmp_path: Path, policy: Policy):
    table = one(tmp_path, policy, f"{CALL},cpt_code\n1,P1,D,2026-03-02 09:00,CPT\n".encode(), "calls")
    assert table.warnings == ("calls.cpt_code: values without a code (rows: 1); those calls count as not billed",)
