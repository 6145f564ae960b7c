"""The phone log: which record is which call, and what the rules make of it."""

import random
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from auditor import policy as policies
from auditor.engines.local import Local
from auditor.identity import Identity
from auditor.phone_log import matches, records, users
from auditor.phone_log.records import PhoneRecords
from auditor.rules import CODES
from tests.reference import Table, World
from tests.reference.phone import Record
from tests.reference.phone import merged as merged_by_reference
from tests.support import compare
from tests.support.compare import reaching
from tests.support.engines import Divided, Spilled, audited

PHONE = ["DUR004", "ELG008", "INT004"]
SETTINGS = {"as_of": "2026-12-31", "visits_since": "2025-01-01", "claims_since": "2025-01-01", "holes": "warn"}
VISITS = reaching(Table(("visit_id", "patient_id", "visit_start"), ()), "2026-12-31")


def time(minute: float) -> str:
    return f"2026-03-02 {9 + int(minute) // 60:02}:{int(minute) % 60:02}:{round(minute % 1 * 60):02}"


def table(rows: list[dict[str, str]]) -> Table:
    return Table(tuple(dict.fromkeys(column for row in rows for column in row)), tuple(rows))


def world(seed: int) -> World:
    """A day of two providers who share an extension, with records near their calls, far from them, and doubled."""
    chance = random.Random(seed)
    calls, log = [], []
    for number in range(30):
        minute = chance.randrange(0, 180) + chance.choice([0, 0.5])
        calls.append({
            "call_id": f"k{number:02}", "patient_id": f"p{number}", "provider_id": chance.choice("abc"),
            "call_start": time(minute), "call_minutes": chance.choice(["21", "22", "25", ""]), "cpt_code": "98968",
            "call_end": time(minute + 24) if chance.random() < 0.3 else "",
            "discussion_minutes": chance.choice(["", "", "23"]),
            "initiated_by": chance.choice(["patient", "provider", "callback", ""]),
            "purpose": chance.choice(["clinical", "clinical", "clinical", "administrative", ""]),
        })  # fmt: skip
        if chance.random() < 0.95:
            begun = minute + chance.choice([0, 0, 0.5, -0.5, 1, 2, 2.5, -2])
            log.append({
                "record_id": f"r{number}" if chance.random() < 0.8 else "", "call_start": time(max(begun, 0)),
                "call_end": time(max(begun, 0) + 22) if chance.random() < 0.5 else "",
                "talk_seconds": chance.choice(["1200", "1260", "1320", ""]),
                "direction": chance.choice(["inbound", "outbound", "internal", ""]),
                "extension": chance.choice(["1", "2", "12", "9"]),
            })  # fmt: skip
    return World(
        calls=table(calls), visits=VISITS, phone_log=table(log),
        settings=SETTINGS | {"phone_users": {"a": ["1", "12"], "b": ["2", "12"], "c": ["7"]}},
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_calls_and_rules_agree_with_the_reference(seed: int, tmp_path: Path):
    made = world(seed)
    assert compare.differences(made, compare.run(made, tmp_path)) == []


def test_most_calls_with_a_record_leave_the_rule_evaluated(tmp_path: Path):
    calls = [{"call_id": f"k{n}", "patient_id": f"p{n}", "provider_id": "a", "call_start": time(30 * n), "cpt_code": "98968"}
             for n in range(10)]  # fmt: skip
    log = [{"call_start": time(30 * n), "extension": "1", "direction": "inbound"} for n in (*range(8), 9)]
    made = World(table(calls), VISITS, settings=SETTINGS | {"phone_users": {"a": ["1"]}}, phone_log=table(log))
    result = compare.run(made, tmp_path)
    assert compare.differences(made, result) == []
    assert result.findings.filter(rule="INT004").select("claim_id", "related_kind", "related_id").rows() == [
        ("k8", "call", "k8")
    ]
    fewer = replace(made, phone_log=table(log[1:]))
    result = compare.run(fewer, tmp_path)
    assert compare.differences(fewer, result) == []
    assert "INT004" in result.not_evaluated
    assert [text for text in result.warnings if "8 of 9 calls" in text]


def test_without_a_log_nothing_changes(tmp_path: Path):
    made = replace(world(1), phone_log=None)
    result = compare.run(made, tmp_path)
    assert {code: result.not_evaluated[code] for code in PHONE} == dict.fromkeys(PHONE, "no phone_log in the inputs")
    whole = compare.verdicts(compare.run(world(1), tmp_path))
    alone = compare.verdicts(result)
    rules = [code for code in CODES if code not in (*PHONE, *result.not_evaluated)]
    assert [[row[code] for code in rules] for row in whole.values()] == [
        [row[code] for code in rules] for row in alone.values()
    ]


def test_rows_are_used_or_rejected(tmp_path: Path):
    rows = [
        {"call_start": time(0), "extension": "1", "talk_seconds": "60"},
        {"call_start": "soon", "extension": "1", "talk_seconds": "60"},
        {"call_start": time(1), "extension": "1", "talk_seconds": "-1"},
        {"call_start": "", "extension": "1", "talk_seconds": ""},
    ]
    made = replace(world(1), phone_log=table(rows))
    found = compare.run(made, tmp_path).inputs
    assert found.tables["phone_log"].rejects["source_record"].to_list() == [2, 3, 4]
    assert found.files["phone_log"][0].rows == 4
    assert found.phone is not None and found.phone.rows.height == 1


@pytest.mark.parametrize(
    ("text", "user"),
    [
        (" Ext101 ", "ext101"),
        ("(212) 555-0100", "+12125550100"),
        ("+1 212 555 0100", "+12125550100"),
        ("12125550100", "+12125550100"),
        ("101", "101"),
        ("Dr. Exeter", "dr. exeter"),
    ],
)
def test_numbers_and_users_have_one_form(text: str, user: str):
    assert users.normalized(text, "US") == user
    assert users.Users([user], "US").found_in(pl.Series([text, "102", "+1 212 555 0101", None])).to_list() == [
        user, None, None, None,
    ]  # fmt: skip


def test_numbers_of_a_provider_find_records_and_their_direction(tmp_path: Path):
    calls = [{"call_id": f"k{n}", "patient_id": f"p{n}", "provider_id": "7", "call_start": time(60 * n), "cpt_code": "98968",
              "initiated_by": "patient", "call_minutes": "21"} for n in range(2)]  # fmt: skip
    numbers = ("+1 917 555 0123", "(212) 555-0100")
    log = [
        {"call_start": time(0), "from_number": numbers[0], "to_number": numbers[1], "talk_seconds": "1200"},
        {"call_start": time(60), "from_number": numbers[1], "to_number": numbers[0], "talk_seconds": "1200"},
    ]
    users_by_provider = {"phone_users": {"7": ["+1 212 555 0100"]}}
    made = World(table(calls), VISITS, settings=SETTINGS | users_by_provider, phone_log=table(log))
    result = compare.run(made, tmp_path)
    found = result.findings.filter(pl.col("rule").is_in(PHONE))
    assert found.select("claim_id", "rule", "related_id").rows() == [("k1", "ELG008", "phone_log.csv, record 2")]
    assert not [text for text in (*found["message"], *result.warnings) if "555" in text]


def test_records_of_one_user_are_merged_as_the_reference_does():
    rows = world(3).phone_log
    assert rows is not None
    frame = pl.DataFrame(
        [(one.user, one.id, one.start, one.end, *(one.stretches or ((None, None),))[0], one.direction) for one in of(rows)],
        schema=["user", "record", "at", "until", "talk_from", "talk_to", "direction"], orient="row",
    )  # fmt: skip
    expected = [
        (one.user, one.id, one.start, one.direction, None if one.talk is None else one.talk.total_seconds() * 1e6)
        for one in merged_by_reference(of(rows))
    ]
    assert records.merged(frame).select("user", "record", "at", "direction", "talk").rows() == expected


def of(log: Table) -> list[Record]:
    from tests.reference.phone import records_of

    return records_of(log)


def test_pairs_are_taken_nearest_first_each_once():
    start = pl.datetime(2026, 3, 2, 9, 0, 0, time_unit="us", time_zone="UTC")
    seconds = {"k1": 0, "k2": 60, "k3": 110}
    calls = pl.DataFrame({"provider_id": "a", "call_id": list(seconds), "s": list(seconds.values())}).select(
        "provider_id", "call_id", call_start=start + pl.duration(seconds="s")
    )
    rows = pl.DataFrame({"user": "1", "record": ["r1", "r2"], "s": [50, 120]}).select(
        "user", "record", at=start + pl.duration(seconds="s"), talk=pl.lit(0), direction=pl.lit(None, pl.String)
    )
    log = PhoneRecords(rows, pl.DataFrame({"provider_id": ["a"], "user": ["1"]}), calls["call_start"][0], rows["at"][1])
    found = matches.matched(calls, log, 2)
    assert dict(found.select("call_id", "record").iter_rows()) == {"k1": None, "k2": "r1", "k3": "r2"}


def test_the_policy_has_users_and_refuses_other_keys(tmp_path: Path):
    path = tmp_path / "p.toml"
    path.write_text('[phone_log]\nmatch_minutes = 3\n[phone_log.users]\n"7" = ["101", "102"]\n"8" = "103"\n', "utf-8")
    policy = policies.load(str(path))
    assert policy.phone_log.match_minutes == 3
    assert sorted(users.users_of(policy).rows()) == [("7", "101"), ("7", "102"), ("8", "103")]


@pytest.mark.slow
def test_partitions_on_disk_change_nothing(tmp_path: Path):
    made = world(2)
    settings = compare.settings_of(made, compare.written(made, tmp_path))
    whole, evidence = audited(settings, Local())
    for place in (Spilled(tmp_path), Divided()):
        with place:
            other, of_other = audited(settings, place)
            assert compare.verdicts(other) == compare.verdicts(whole)
            assert_frame_equal(of_other, evidence)


def test_a_log_without_users_in_the_policy_leaves_the_rules_unknown(tmp_path: Path):
    made = replace(world(2), settings=SETTINGS)
    result = compare.run(made, tmp_path)
    assert compare.differences(made, result) == []
    assert [text for text in result.warnings if "[phone_log.users]" in text]


def test_records_have_tokens_under_a_key():
    rows = pl.DataFrame({"id": ["+12125550100", "k1"], "kind": ["record", "call"]})
    shown = rows.select(Identity(b"a" * 32).shown_record("id", "kind"))["id"].to_list()
    assert shown[0].startswith("re-") and "555" not in shown[0] and shown[1].startswith("ca-")
