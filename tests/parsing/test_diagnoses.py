"""Which categories of diagnoses a cell holds."""

import pytest

from tests.support.parsing import POLICY, call, typed


@pytest.mark.parametrize(("written", "categories"), [('["F33.1"]', ["F33"]), ("M17.11, {M25.5}", ["M17", "M25"])])
def test_lists_of_diagnoses(written: str, categories: list[str]) -> None:
    assert typed("visits", "diagnosis_codes", written)[1] == [categories]


def test_what_is_no_icd_10_code_is_no_diagnosis():
    found = call(POLICY, call_start="2026-03-02 09:00", diagnosis_codes='["F33.1"];73211009;low mood')
    assert found.column("diagnosis_codes").to_list() == [["F33"]]
    assert sum(count for text, count in found.parser.tallies.items() if "not ICD-10 codes" in text) == 1
