"""What tests of many rooms need."""

import pytest
from hypothesis import HealthCheck, settings

from auditor import policy as policies
from auditor.policy import Policy
from auditor.rules import select

settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # no seconds
settings.load_profile("suite")


@pytest.fixture
def policy() -> Policy:
    return policies.load("default", select, "America/New_York")
