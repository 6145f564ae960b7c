"""What tests of many rooms need."""

import os

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # one for each process of pytest; what threads change is tested apart

import pytest
from hypothesis import HealthCheck, settings

from auditor import policy as policies
from auditor.policy import Policy
from auditor.reports.page import charts
from auditor.rules import select

settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # no seconds
settings.load_profile("suite")


@pytest.fixture
def policy() -> Policy:
    return policies.load("default", select, "America/New_York")


@pytest.fixture(autouse=True)
def _few_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes a third of the time of a small run; what is tested of pictures is in the room of reports."""
    if "reports" not in request.path.parts:
        monkeypatch.setattr(charts, "_svg", lambda *_, **__: "<svg></svg>")
