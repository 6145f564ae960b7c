"""The schema that editors use agrees with what the program accepts."""

import tomllib
from pathlib import Path

import jsonschema
import pytest

from auditor import policy
from auditor.policy_schema import policy_schema

SCHEMA = policy_schema()
SAMPLE = Path(__file__).parent.parent / "sample_data" / "policy.toml"


def faults(text: str) -> list[str]:
    validator = jsonschema.Draft202012Validator(SCHEMA)
    values = tomllib.loads(text, parse_float=float)
    return [".".join(map(str, error.absolute_path)) for error in validator.iter_errors(_written(values))]


def _written(value):
    """Dates as editors see them."""
    if isinstance(value, dict):
        return {key: _written(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_written(each) for each in value]
    return value.isoformat() if hasattr(value, "isoformat") else value


@pytest.mark.parametrize("name", policy.shipped())
def test_shipped_policies_are_valid(name):
    assert faults(policy.source(name)) == []


def test_the_sample_policy_and_one_with_every_form_are_valid():
    assert faults(SAMPLE.read_text()) == []
    forms = """
        overpayment_clock = ""
        [payers]
        "BCBS MA" = "bcbs-ma"
        Other = [{ policy = "strict", from = 2021-04-01 }]
        [lists]
        procedures.file = "codes.csv"
        no_visit.add = ["99999"]
        [columns.calls]
        call_start = ["Call Date", "Start Time"]
        [rows.claims]
        keep = { "Transaction Type" = ["Charge"] }
        [values.visits.status]
        completed = ["CMP"]
        [run]
        fail_on = "new"
    """
    assert faults(forms) == []


@pytest.mark.parametrize(
    "text", ["horizon_day = 3", "horizon_days = 0", "[columns.calls]\nstart = 'x'", "[duration]\ncumulative = 'all'",
             "[payers]\nA = [{ from = 2021-04-01 }]", "sha256 = 'x'", "[run]\nfail_on = 'sometimes'"],
)  # fmt: skip
def test_what_the_program_refuses_is_invalid(text):
    assert faults(text)


def test_the_schema_is_valid_and_has_an_id_with_the_version():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$id"] == "urn:audit98968:schema:policy:2"
    assert SCHEMA["properties"]["horizon_days"]["default"] == 14
