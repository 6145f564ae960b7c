"""A finding's message is one sentence: which record, how far from the claim, and why it counts."""

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from auditor.rules import ALL

RULES = {rule.code: rule for rule in ALL}
HOUR, MINUTE = 3_600_000_000, 60_000_000
VISIT = {
    "related_id": "v1",
    "basis": "linked",
    "gap_days": 1,
    "date_only": False,
    "end": datetime(2026, 3, 9, tzinfo=UTC),
    "related_kind": "visit",
    "has_call": True,
    "doc_statement": False,
    "detail": "completed",
}
WITHOUT_CALL = VISIT | {"has_call": False, "end": None, "elapsed": 0, "doc_statement": None}
BY_DAYS = "the service date (the inputs have no call of the claim)"
CLAIM = {"related_id": "k1", "gap_days": 1, "detail": None}


def message(code: str, **row: Any) -> str:
    text: str = (
        pl.DataFrame([row], schema_overrides={"detail": pl.String, "doc_statement": pl.Boolean})
        .select(RULES[code].message)
        .item()
    )
    return text


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (
            {"elapsed": 23 * HOUR + 10 * MINUTE},
            "visit v1 (completed; linked to the call) starts 23 h 10 min after the call ended",
        ),
        ({"elapsed": 35 * MINUTE}, "visit v1 (completed; linked to the call) starts 35 min after the call ended"),
        ({"elapsed": 0}, "visit v1 (completed; linked to the call) starts during the call"),
        (
            {"elapsed": HOUR, "end": None},
            "visit v1 (completed; linked to the call) starts 1 h 0 min after the call started",
        ),
        (
            {"elapsed": 0, "date_only": True},
            "visit v1 (completed; linked to the call) is 1 day after the call, at an unknown time",
        ),
        (
            {"elapsed": 0, "date_only": True, "gap_days": 0},
            "visit v1 (completed; linked to the call) is on the day of the call, at an unknown time",
        ),
    ],
)
def test_a_visit_after_the_call_is_placed_in_hours_and_minutes(row: dict[str, Any], words: str) -> None:
    assert message("LAH001", **VISIT | row) == words


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"gap_days": 1}, "visit v1 (completed; linked to the call) started 1 day before the call"),
        ({"gap_days": 3}, "visit v1 (completed; linked to the call) started 3 days before the call"),
        ({"gap_days": 0}, "visit v1 (completed; linked to the call) started 2 h 5 min before the call"),
        (
            {"gap_days": 0, "date_only": True},
            "visit v1 (completed; linked to the call) was on the day of the call, at an unknown time",
        ),
        (
            {"gap_days": 2, "basis": "unknown"},
            "visit v1 (completed; no problem or diagnosis shows whether they are related) started 2 days before the call",
        ),
        (
            {"gap_days": 2, "doc_statement": True},
            "visit v1 (completed; linked to the call) started 2 days before the call, although the statement that no related visit "
            "took place is documented",
        ),
    ],
)
def test_a_visit_before_the_call_is_placed_in_days(row: dict[str, Any], words: str) -> None:
    assert message("LBK001", **VISIT | {"elapsed": 2 * HOUR + 5 * MINUTE} | row) == words


@pytest.mark.parametrize(
    ("code", "row", "words"),
    [
        ("LBK002", VISIT, "the call is 1 day after procedure visit v1 (linked to the call), within its global period"),
        (
            "LAH002",
            VISIT | {"gap_days": 11, "elapsed": 0, "detail": "may have been the soonest available appointment"},
            "visit v1 (linked to the call) starts 11 days after the call and may have been the soonest available appointment",
        ),
        (
            "LBK001",
            VISIT
            | {"related_kind": "line", "related_id": "c1", "basis": "same provider", "date_only": True, "elapsed": 0},
            "visit billed on claim c1 (completed; same provider) started 1 day before the call",
        ),
        ("INT002", {"related_id": "k1", "detail": "patient"}, "the patient of call k1 differs from the claim's"),
        (
            "INT002",
            {"related_id": "k1", "detail": "provider and date"},
            "the provider and date of call k1 differ from the claim's",
        ),
        ("LBK001", WITHOUT_CALL, f"visit v1 (completed; linked to the call) started 1 day before {BY_DAYS}"),
        ("LBK001", WITHOUT_CALL | {"gap_days": 0}, f"visit v1 (completed; linked to the call) was on {BY_DAYS}"),
        ("LAH001", WITHOUT_CALL, f"visit v1 (completed; linked to the call) is 1 day after {BY_DAYS}"),
        ("LAH001", WITHOUT_CALL | {"gap_days": 0}, f"visit v1 (completed; linked to the call) is on {BY_DAYS}"),
        ("FRQ001", CLAIM, "billed 1 day after claim k1 of the same patient, provider and code"),
        (
            "FRQ001",
            CLAIM | {"gap_days": 0},
            "billed for the same day as claim k1 of the same patient, provider and code",
        ),
        ("FRQ003", {"units": 2.0, "max_units": 1}, "the line bills 2 units; the policy allows at most 1"),
        (
            "DUR001",
            {"minutes": 1, "cpt_code": "98968", "low": 21},
            "the calls add up to 1 min; 98968 needs at least 21 min",
        ),
    ],
)
def test_other_messages_have_right_plurals_and_need_no_key(code: str, row: dict[str, Any], words: str) -> None:
    assert message(code, **row) == words
