"""A finding's message is one sentence: which record, how far from the claim, and why it is taken for the same matter."""

from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import product
from typing import Any

import polars as pl
import pytest

from auditor.judging.findings import _found
from auditor.reports.tables import without_ids
from auditor.rules import ALL
from auditor.rules.rule import Outcome
from auditor.rules.sentences import RELATION, duration

RULES = {rule.code: rule for rule in ALL}
ABOUT = ("related_kind", "related_id", "related_at", "related_count", "gap_days", "elapsed", "basis")
HOUR, MINUTE = 3_600_000_000, 60_000_000
RECORD = {"related_id": "x1", "day": date(2026, 3, 8), "provider": "d1", "gap_days": 1, "detail": None}
VISIT = RECORD | {
    "related_kind": "visit",
    "status": "completed",
    "reason": "BECAUSE",
    "date_only": False,
    "end": datetime(2026, 3, 9, tzinfo=UTC),
    "elapsed": 2 * HOUR + 5 * MINUTE,
    "has_call": True,
    "doc_statement": False,
}
WITHOUT_CALL = VISIT | {"has_call": False, "end": None, "elapsed": 0, "doc_statement": None}
BY_DAYS = "the service date (the inputs have no call of the claim)"
CLAIM = RECORD | {"related_kind": "claim"}
CALL = RECORD | {"related_kind": "call", "provider": None}
LOG = RECORD | {"related_kind": "record", "provider": None}
WHICH = "visit x1 by provider d1 on 2026-03-08 (completed)"
TYPES = {"detail": pl.String, "provider": pl.String, "status": pl.String, "doc_statement": pl.Boolean,
         "license_start": pl.Date, "license_end": pl.Date}  # fmt: skip


def message(code: str, **row: Any) -> str:
    frame = pl.DataFrame([row], schema_overrides={name: type_ for name, type_ in TYPES.items() if name in row})
    text: str = frame.select(RULES[code].message).item()
    return text


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"elapsed": 23 * HOUR + 10 * MINUTE}, "starts 23 h 10 min after the call ended"),
        ({"elapsed": 35 * MINUTE}, "starts 35 min after the call ended"),
        ({"elapsed": 0}, "starts during the call"),
        ({"elapsed": HOUR, "end": None}, "starts 1 h 0 min after the call started"),
        ({"elapsed": 0, "date_only": True}, "is 1 day after the call, at an unknown time"),
        ({"date_only": True, "gap_days": 0}, "is on the day of the call, at an unknown time"),
        ({"elapsed": 0, "detail": "before"}, "starts during the call, and was booked before the call"),
        ({"elapsed": 0, "detail": "since"}, "starts during the call, and was booked after the call began"),
    ],
)
def test_a_visit_after_the_call_is_placed_in_hours_and_minutes(row: dict[str, Any], words: str) -> None:
    assert message("LAH001", **VISIT | row) == f"{WHICH} {words}; BECAUSE"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"gap_days": 1}, "started 1 day before the call"),
        ({"gap_days": 3}, "started 3 days before the call"),
        ({"gap_days": 0}, "started 2 h 5 min before the call"),
        ({"gap_days": 0, "elapsed": MINUTE - 1}, "started less than 1 min before the call"),
        ({"gap_days": 0, "date_only": True}, "was on the day of the call, at an unknown time"),
        (
            {"gap_days": 2, "doc_statement": True},
            "started 2 days before the call, although the statement that no related visit took place is documented",
        ),
    ],
)
def test_a_visit_before_the_call_is_placed_in_days(row: dict[str, Any], words: str) -> None:
    assert message("LBK001", **VISIT | row) == f"{WHICH} {words}; BECAUSE"


@pytest.mark.parametrize(
    ("row", "which"),
    [
        ({"status": None}, "visit x1 by provider d1 on 2026-03-08 (status unknown)"),
        ({"status": "no_show"}, "visit x1 by provider d1 on 2026-03-08 (no-show)"),
        ({"status": "scheduled", "provider": None}, "visit x1 without a provider on 2026-03-08 (scheduled)"),
        ({"related_kind": "line"}, "visit billed on claim x1 by provider d1 on 2026-03-08"),
    ],
)
def test_a_visit_is_named_by_id_provider_date_and_status(row: dict[str, Any], which: str) -> None:
    assert message("LBK001", **VISIT | row) == f"{which} started 1 day before the call; BECAUSE"


@pytest.mark.parametrize(
    ("code", "row", "words"),
    [
        (
            "LBK002",
            VISIT | {"detail": "a procedure with a global period of 90 days"},
            f"{WHICH} was 1 day before the call, a procedure with a global period of 90 days; BECAUSE",
        ),
        (
            "LAH002",
            VISIT | {"gap_days": 11, "detail": "may have been the soonest available appointment"},
            f"{WHICH} starts 11 days after the call and may have been the soonest available appointment; BECAUSE",
        ),
        ("LBK001", WITHOUT_CALL, f"{WHICH} started 1 day before {BY_DAYS}; BECAUSE"),
        ("LBK001", WITHOUT_CALL | {"gap_days": 0}, f"{WHICH} was on {BY_DAYS}; BECAUSE"),
        ("LAH001", WITHOUT_CALL, f"{WHICH} is 1 day after {BY_DAYS}; BECAUSE"),
        ("LAH001", WITHOUT_CALL | {"gap_days": 0}, f"{WHICH} is on {BY_DAYS}; BECAUSE"),
        (
            "EXC001",
            VISIT | {"cpt_code": "98968"},
            f"{WHICH} is on the service date and has a code that is bundled with 98968",
        ),
        (
            "INT002",
            CALL | {"detail": "patient"},
            "call x1 on 2026-03-08 has another patient than the claim",
        ),
        (
            "FRQ001",
            CLAIM,
            "claim x1 by provider d1 on 2026-03-08 bills the same patient, provider and code 1 day before this claim",
        ),
        (
            "FRQ001",
            CLAIM | {"gap_days": 0},
            "claim x1 by provider d1 on 2026-03-08 bills the same patient, provider and code for the same day",
        ),
        (
            "FRQ004",
            CLAIM | {"detail": "payer"},
            "claim x1 by provider d1 on 2026-03-08 bills a call of this claim, too, but to another payer",
        ),
        (
            "DUR004",
            LOG | {"detail": "3 min"},
            "phone log record x1 on 2026-03-08 shows 3 min less of talk than the call's minutes",
        ),
        (
            "ELG008",
            LOG | {"detail": "outbound"},
            "phone log record x1 on 2026-03-08 is outbound, but by the calls export the patient started the call",
        ),
        ("ELG001", {"detail": "provider"}, "the provider, not the patient, started a call of the claim"),
        ("ELG001", {"detail": "callback"}, "a call of the claim was a callback: the provider called the patient back"),
        (
            "ELG004",
            {"service_date": date(2026, 3, 1), "license_start": date(2026, 3, 2), "license_end": None},
            "the service date is 1 day before the provider's license begins",
        ),
        ("FRQ003", {"units": 2.0, "max_units": 1}, "the line bills 2 units; the policy allows at most 1"),
        (
            "DUR001",
            {"minutes": 1, "period_minutes": 1, "period_plain": None, "cpt_code": "98968", "low": 21},
            "the call time is 1 min; 98968 needs at least 21 min",
        ),
        (
            "DUR001",
            {"minutes": 1, "period_minutes": 22, "period_plain": None, "cpt_code": "98968", "low": 21},
            "the call time is 1 min, and 22 min with the unbilled calls of the same period; 98968 needs at least 21 min",
        ),
    ],
)
def test_other_messages_have_right_plurals_and_need_no_key(code: str, row: dict[str, Any], words: str) -> None:
    assert message(code, **row) == words


def reason(basis: str, *has: str) -> str:
    names = [f"{of}_has_{what}" for of, what in product(("claim", "visit"), ("problem", "diagnosis"))]
    row: dict[str, Any] = {"basis": basis, **{name: name in has for name in names}}
    text: str = pl.DataFrame([row]).select(RELATION).item()
    return text


@pytest.mark.parametrize(
    ("basis", "has", "words"),
    [
        ("unknown", (), "neither record has a diagnosis or a problem, so it cannot be told whether they are related"),
        (
            "unknown",
            ("claim_has_diagnosis",),
            "the visit has neither a diagnosis nor a problem, so it cannot be told whether they are related",
        ),
        (
            "same provider",
            ("visit_has_problem",),
            "the claim has neither a diagnosis nor a problem, but both have the same provider, so they are taken as related",
        ),
        (
            "same group",
            ("claim_has_problem", "visit_has_diagnosis"),
            "the claim has only a problem and the visit only a diagnosis, and only their group and specialty are the same, so "
            "it cannot be told whether they are related",
        ),
        ("linked", (), "the export links it to the call"),
        ("different problem", (), "the problems are different, so they are not related"),
    ],
)
def test_the_reason_says_why_a_visit_is_or_is_not_the_same_matter(basis: str, has: tuple[str, ...], words: str) -> None:
    assert reason(basis, *has) == words


@pytest.mark.parametrize(
    ("text", "related_id", "shown"),
    [
        (
            f"{WHICH} started 1 day before the call; BECAUSE",
            "x1",
            "a visit (completed) started 1 day before the call; BECAUSE",
        ),
        (
            "visit billed on claim c by provider d on 2026-03-08 started 1 day before",
            "c",
            "a billed visit started 1 day before",
        ),
        ("call k on 2026-03-08 has no record in the phone log", "k", "a call has no record in the phone log"),
        ("visit v on 2026-01-01 by provider x\ny on 2026-03-08 (completed) was", "v", "a visit (completed) was"),
        (
            "the call time is 1 min; 98968 needs at least 21 min",
            None,
            "the call time is 1 min; 98968 needs at least 21 min",
        ),
        ("visit v1 (unknown) 3 days before the call", "v1", None),
        ("a call of this claim also supports claim c1", "c1", None),
    ],
)
def test_without_ids_nothing_of_the_record_is_left(text: str, related_id: str | None, shown: str | None) -> None:
    row = {"rule": "LBK001", "message": text, "related_id": related_id}
    rows = [row, row | {"rule": "LOC001"}]
    assert pl.DataFrame(rows, dict.fromkeys(row, pl.String)).select(without_ids())["message"].to_list() == [shown, None]


def test_every_message_about_a_record_begins_with_the_record() -> None:
    about = {rule.code for rule in ALL if {"related_id", "day"} & set(rule.message.meta.root_names())}
    assert {rule.code for rule in ALL if rule.over != "claim" and rule.shows_record} == about


def test_a_procedure_without_a_provider_is_not_reported_as_another_providers() -> None:
    procedure = pl.DataFrame({"same_provider": [False] * 2, "provider_blank": [True, False], "global_days": [90] * 2})
    assert procedure.select(RULES["LBK002"].detail).to_series().to_list() == [
        "a procedure with a global period of 90 days",
        "a procedure of another provider of the group with a global period of 90 days",
    ]


def test_a_sentence_that_lacks_a_value_is_the_name_of_the_rule() -> None:
    """As one of a local rule may, since a text with a blank is blank."""
    rule = replace(RULES["ELG001"], message=pl.format("{} min", "minutes"))
    judged = pl.DataFrame(
        {"line": [1], "at": [0], "minutes": [None], "ELG001": [Outcome.REVIEW]},
        schema_overrides={"minutes": pl.Float64, "ELG001": pl.UInt8},
    )
    best = pl.DataFrame(schema=dict.fromkeys((*ABOUT, "rule"), pl.String) | {"line": pl.Int64})
    assert _found(judged, best, rule, ())["message"].to_list() == ["not-patient-initiated"]


def test_lengths_are_hours_and_whole_minutes() -> None:
    lengths = pl.DataFrame({"length": [59_999_999, MINUTE, HOUR - 1, HOUR, 25 * HOUR + MINUTE]})
    words = ["less than 1 min", "1 min", "59 min", "1 h 0 min", "25 h 1 min"]
    assert lengths.select(duration(pl.col("length"))).to_series().to_list() == words
