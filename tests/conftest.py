"""What tests of many rooms need."""

import pytest

from auditor import policy as policies
from auditor.policy import Policy
from auditor.rules import select


@pytest.fixture
def policy() -> Policy:
    return policies.load("default", select, "America/New_York")
