"""Zones whose rules changed after polars was compiled."""

import re
from datetime import date, timedelta
from pathlib import Path

import pytest

from auditor import policy, zones
from auditor.quality import zone_rules
from auditor.rules import select
from auditor.settings import Settings
from tests.support.engines import audited_here

_NOVEMBER = [date(2026, 11, 1) + timedelta(days=day) for day in range(30)]


def _warnings(folder: Path, zone: str) -> list[str]:
    (folder / "calls.csv").write_text(
        "call_id,patient_id,provider_id,call_start,call_minutes,cpt_code\n"
        "C1,P1,A1,2026-11-20T07:30:00Z,25,98968\nC2,P2,A1,2026-10-20T16:30:00Z,25,98968\n"
    )
    (folder / "visits.csv").write_text("visit_id,patient_id,visit_start\nV1,P1,2026-11-28T18:00:00Z\n")
    paths = {name: (str(folder / f"{name}.csv"),) for name in ("calls", "visits")}
    result = audited_here(Settings(paths=paths, policy=policy.load("default", select, zone), max_rejects="100%"))
    return [warning for warning in result.warnings if "tzdata" in warning]


def test_rules_that_changed_are_warned_about_with_dates_and_offsets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Los Angeles as if it had kept summer time in November."""
    monkeypatch.setattr(zone_rules, "zone", lambda _: zones.zone("Etc/GMT+7"))
    (warning,) = _warnings(tmp_path, "America/Los_Angeles")
    assert "America/Los_Angeles" in warning
    assert "from 2026-11-19 00:00 to 2026-11-29 00:00 UTC" in warning
    assert "with UTC-08:00 and tzdata has UTC-07:00" in warning


@pytest.mark.parametrize("zone", ["America/New_York", "Etc/GMT+7", "UTC"])
def test_rules_that_agree_are_not(tmp_path: Path, zone: str) -> None:
    assert _warnings(tmp_path, zone) == []


def test_the_first_hour_of_a_change_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zone_rules, "zone", lambda _: zones.zone("Etc/GMT+7"))
    found = zone_rules.difference("America/Los_Angeles", _NOVEMBER)
    assert found is not None
    assert (found.first.day, found.first.hour) == (1, 9)


def test_no_zone_is_asked_of_the_system() -> None:
    assert "localtime" not in zones.names()
    product = [*Path("auditor").rglob("*.py"), *Path("cli").rglob("*.py")]
    assert [path for path in product if re.search(r"ZoneInfo\(|available_timezones", path.read_text())] == []
