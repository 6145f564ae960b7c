"""`explain`: from a run's files alone, a claim's windows, its neighbours in true order, and a reason for every rule."""

from __future__ import annotations

import io
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from auditor import policy as policies
from auditor.errors import InputRefused, UsageError
from auditor.reports import folder, summary
from auditor.reports.page import explanation
from auditor.reports.summary import Run
from auditor.reports.text import harmless
from auditor.rules import CODES, select
from auditor.runs.explain import ClaimExplanation, _claim_of, _nearest, explain
from auditor.settings import Settings
from tests.support.engines import audited_here

CALLS = """call_id,patient_id,provider_id,call_start,call_minutes,claim_id,cpt_code,initiated_by,units,problem_id
k1,p1,a,2026-03-09 09:00,25,F1,98968,patient,1,
k2,p2,a,2026-03-10 09:00,25,OK1,98968,patient,1,back
k3,p3,a,2026-03-11 09:00,,U1,98968,,,
k4,p4,a,2026-03-12 09:00,10,M1,98968,patient,1,
k5,p4,a,2026-03-12 13:00,12,M1,98968,patient,1,
k6,p5,a,2026-03-13 09:00,25,T1,98968,patient,1,
k7,p6,a,2026-02-20 09:00,25,E1,98968,patient,1,
k8,p7,a,2026-03-14 09:00,25,L1,98968,patient,1,
k9,p7,a,2026-03-14 15:00,25,L1,98967,patient,1,
k10,p9,a,2026-03-07 09:00,25,D1,98968,patient,1,
"""
VISITS = """visit_id,patient_id,provider_id,visit_start,status,problem_id
v2,p1,a,2026-03-10 08:00,completed,
v1,p1,a,2026-03-03 09:00,completed,
w1,p2,a,2026-03-08 09:00,completed,knee
w2,p2,a,2026-03-09 09:00,completed,knee
w3,p2,a,2026-03-10 08:00,completed,knee
x1,p5,a,not a date,completed,
x2,p8,a,2026-02-18 09:00,completed,
x3,p8,a,2026-03-31 09:00,completed,
"""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("explain")
    (made / "calls.csv").write_text(CALLS, encoding="utf-8")
    (made / "visits.csv").write_text(VISITS, encoding="utf-8")
    settings = Settings(
        paths={name: (str(made / f"{name}.csv"),) for name in ("calls", "visits")},
        policy=policies.load("default", select, "America/New_York"),
        max_rejects="100%",
    )
    result = audited_here(settings)
    with folder.locked(made / "out"):
        reported = summary.of_result(result, settings, Run("r1", datetime(2026, 4, 1, tzinfo=UTC)))
        folder.publish(made / "out", result, reported)
    return made / "out"


def of(out: Path, claim: str) -> ClaimExplanation:
    (only,) = explain(out, claim)
    return only


def message_text(reported: ClaimExplanation, rule: str) -> tuple[str, str]:
    (verdict,) = (verdict for verdict in reported.verdicts if verdict.code == rule)
    return verdict.outcome, verdict.reason


def test_every_rule_has_an_outcome_and_a_reason(out: Path) -> None:
    for claim in pl.read_parquet(out / "latest" / "claims.parquet")["claim_id"]:
        for reported in explain(out, claim):
            assert tuple(verdict.code for verdict in reported.verdicts) == CODES
            assert all(verdict.reason for verdict in reported.verdicts)


def test_a_violation_names_its_record(out: Path) -> None:
    reported = of(out, "F1")
    assert message_text(reported, "LBK001") == (
        "violation",
        "visit v1 by provider a on 2026-03-03 (completed) started 6 days before the call; neither record has a diagnosis or "
        "a problem, but both have the same provider, so they are taken as related",
    )
    assert message_text(reported, "LAH001")[0] == "violation"
    assert message_text(reported, "EXC001") == ("not evaluated", "no visits.cpt_codes in the inputs")


def test_records_come_in_true_order(out: Path) -> None:
    assert [event.id for event in of(out, "F1").events] == ["v1", "k1", "v2"]


def test_clear_says_what_was_weighed(out: Path) -> None:
    reported = of(out, "OK1")
    assert message_text(reported, "LBK001") == ("clear", "3 visits considered, none counts: unrelated")
    assert message_text(reported, "DUR001") == (
        "clear",
        "the call time is 25 min (stated); 98968 needs at least 21 min",
    )
    assert message_text(reported, "LAH001") == (
        "clear",
        "no visit of the patient from the start of the call to 24 hours after its end",
    )


def test_unknown_says_why(out: Path) -> None:
    reported = of(out, "U1")
    assert message_text(reported, "DUR001") == (
        "unknown",
        "the minutes are unknown because a call has neither minutes nor an end",
    )
    assert message_text(reported, "LAH001") == (
        "unknown",
        "the end of the call is unknown, so it cannot be told which visits are after it",
    )
    assert (
        message_text(reported, "ELG001")[1] == "who started the call is blank or not recognized for a call of the claim"
    )
    assert message_text(reported, "FRQ003") == ("unknown", "the units are blank")
    assert "was rejected" in message_text(of(out, "T1"), "LBK001")[1]
    early = of(out, "E1")
    assert message_text(early, "LBK001")[1] == (
        "the window begins on 2026-02-13, but the visits export begins on 2026-02-18"
    )
    assert message_text(early, "FRQ001")[1] == (
        "the period begins on 2026-02-14, but the export of lines begins on 2026-02-20"
    )


def test_windows_count_elapsed_hours_and_calendar_days(out: Path) -> None:
    frequency, back, hours, soonest = of(out, "D1").windows  # the clocks go forward on the night after this call
    assert hours.end.astimezone(UTC) - hours.start.astimezone(UTC) == timedelta(hours=24, minutes=25)
    assert (hours.end.hour, hours.end.minute) == (10, 25)
    assert back.start.isoformat() == "2026-02-28T00:00:00-05:00"
    assert frequency.start.isoformat() == "2026-03-01T00:00:00-05:00"
    assert soonest.end.astimezone(UTC) - soonest.start.astimezone(UTC) == timedelta(days=13)


def test_a_run_folder_does_as_well(out: Path) -> None:
    assert explain(out / "r1", "F1") == explain(out, "F1")


def test_an_unknown_claim_is_answered_with_the_nearest(out: Path) -> None:
    with pytest.raises(UsageError, match=r"no claim with that id.*; did you mean F1\?") as raised:
        explain(out, "f1")
    assert raised.value.exit_code == 2
    with pytest.raises(UsageError, match=r"upper and lower case$"):
        explain(out, "another")


def test_a_folder_without_a_run_is_stated(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        explain(tmp_path / "nowhere", "F1")
    with pytest.raises(UsageError, match="no finished run"):
        explain(tmp_path, "F1")
    (tmp_path / "summary.json").write_text(json.dumps({"refused": "x"}), encoding="utf-8")
    (tmp_path / "rejects.csv").write_text("table", encoding="utf-8")
    with pytest.raises(UsageError, match="was refused"):
        explain(tmp_path, "F1")


def test_published_calls_are_drawn_one_by_one(out: Path, tmp_path: Path) -> None:
    """Rows of no rule in evidence.parquet are the claim's own calls, with `until` as their end."""
    for file in (out / "r1").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    evidence = pl.read_parquet(tmp_path / "evidence.parquet")
    (claim,) = pl.read_parquet(tmp_path / "claims.parquet").filter(claim_id="M1").to_dicts()
    key = {name: claim[name] for name in ("claim_id", "claim_line", "cpt_code")}
    calls = [
        key
        | {
            "rule": "",
            "kind": "call",
            "id": "k4",
            "record_at": claim["call_start"],
            "until": claim["call_start"] + timedelta(minutes=10),
        },
        key
        | {
            "rule": "",
            "kind": "call",
            "id": "k5",
            "record_at": claim["call_start"] + timedelta(hours=4),
            "until": claim["call_end"],
        },
    ]
    extra = pl.DataFrame(calls).cast(
        {name: evidence.schema[name] for name in ("record_at",)} | {"until": evidence.schema["record_at"]}
    )
    pl.concat([evidence.filter(pl.col("rule") != ""), extra], how="diagonal").write_parquet(
        tmp_path / "evidence.parquet"
    )
    events = of(tmp_path, "M1").events
    assert [(event.id, f"{event.at:%H:%M}", f"{event.until:%H:%M}") for event in events] == [
        ("k4", "09:00", "09:10"),
        ("k5", "13:00", "13:12"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("claim", ["F1", "OK1", "U1", "M1", "L1"])
def test_a_pipe_gets_one_line_a_rule_without_colour(out: Path, claim: str, encoding: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    explanation.write(stream, explain(out, claim))
    stream.seek(0)
    lines = stream.read().split("\n")
    assert [sum(line.startswith(f"{code}  ") for line in lines) for code in CODES] == [1] * len(CODES)
    assert not any("\x1b" in line for line in lines)
    assert lines[0].startswith(f"claim {claim} line 1")


def test_the_time_line_is_to_scale(out: Path) -> None:
    stream = io.StringIO()
    explanation.write(stream, [of(out, "F1")])
    rows = {
        line.split("  ")[-1].split(" visit ")[-1][:2]: line for line in stream.getvalue().splitlines() if "●" in line
    }
    lookback = next(line for line in stream.getvalue().splitlines() if "lookback, 7 days" in line)
    hours = next(line for line in stream.getvalue().splitlines() if "24 hours" in line)
    assert lookback.index("█") <= rows["v1"].index("●") <= lookback.rindex("█")
    assert hours.index("█") <= rows["v2"].index("●") <= hours.rindex("█")


def test_hostile_characters_reach_no_terminal() -> None:
    hostile = "\x1b[2Jcl\u202eaim\r\n=HYPERLINK(1)<script>"
    shown = harmless(hostile)
    assert len(shown) == len(hostile)
    assert shown.isprintable()
    assert "=HYPERLINK(1)<script>" in shown


def test_numbers_in_words_are_the_policy_s(tmp_path: Path) -> None:
    """A policy of 48 hours, 10 days back and 3 days of a period is told as that, never as the specification's numbers."""
    (tmp_path / "calls.csv").write_text(CALLS, encoding="utf-8")
    (tmp_path / "visits.csv").write_text(VISITS, encoding="utf-8")
    policy = policies.load("default", select, "America/New_York")
    policy = policy.model_copy(update={
        "lookahead": policy.lookahead.model_copy(update={"hours": 48}),
        "lookback": policy.lookback.model_copy(update={"days": 10}),
        "frequency": policy.frequency.model_copy(update={"period_days": 3}),
    })  # fmt: skip
    paths = {name: (str(tmp_path / f"{name}.csv"),) for name in ("calls", "visits")}
    settings = Settings(paths=paths, policy=policy, max_rejects="100%")
    result = audited_here(settings)
    with folder.locked(tmp_path / "out"):
        reported = summary.of_result(result, settings, Run("r1", datetime(2026, 4, 1, tzinfo=UTC)))
        folder.publish(tmp_path / "out", result, reported)
    assert message_text(of(tmp_path / "out", "OK1"), "LAH001")[1].endswith("to 48 hours after its end")
    assert "the period begins on 2026-02-18" in message_text(of(tmp_path / "out", "E1"), "FRQ001")[1]
    assert "lookback, 10 days" in [window.name for window in of(tmp_path / "out", "F1").windows]
    html = (tmp_path / "out" / "latest" / "report.html").read_text(encoding="utf-8")
    assert "48 elapsed hours" in html and "24 elapsed hours" not in html


def test_a_procedure_that_supports_nothing_is_not_stated_not_to_count(tmp_path: Path) -> None:
    (tmp_path / "calls.csv").write_text(
        "call_id,patient_id,provider_id,call_start,call_minutes,cpt_code\nk1,p1,a,2026-03-09 09:00,25,98968\n", "utf-8"
    )
    (tmp_path / "visits.csv").write_text(
        "visit_id,patient_id,provider_id,visit_start,status,global_days,modality\n"
        "v1,p1,b,2026-03-03 09:00,completed,10,phone\nv2,p9,b,2025-11-01 09:00,completed,,\nv3,p9,b,2026-04-01 09:00,completed,,\n",
        "utf-8",
    )
    settings = Settings(
        paths={name: (str(tmp_path / f"{name}.csv"),) for name in ("calls", "visits")},
        policy=policies.load("default", select, "UTC"),
    )
    result = audited_here(settings)
    with folder.locked(tmp_path / "out"):
        reported = summary.of_result(result, settings, Run("r1", datetime(2026, 4, 1, tzinfo=UTC)))
        folder.publish(tmp_path / "out", result, reported)
    words = message_text(of(tmp_path / "out", "k1"), "LBK002")[1]
    assert words == "1 visit considered, none counts: has another provider and group"


@pytest.mark.parametrize("lost", ["lookahead", "horizon_days", "frequency", "lookback", "bands"])
def test_a_run_whose_policy_lacks_a_key_is_reported_with_the_default(out: Path, lost: str, tmp_path: Path) -> None:
    """A run of an older version, or from before a key had its name."""
    old = tmp_path / "old"
    shutil.copytree(out / "latest", old)
    reported = json.loads((old / "summary.json").read_text(encoding="utf-8"))
    reported["settings"]["policy"][f"{lost}_as_it_was"] = reported["settings"]["policy"].pop(lost)
    (old / "summary.json").write_text(json.dumps(reported), encoding="utf-8")
    assert message_text(of(old, "OK1"), "LAH001")[1].endswith("to 24 hours after its end")
    assert [window.name for window in of(old, "OK1").windows] == [window.name for window in of(out, "OK1").windows]


def test_a_damaged_summary_is_refused_in_words(out: Path, tmp_path: Path) -> None:
    shutil.copytree(out / "latest", tmp_path / "old")
    (tmp_path / "old" / "summary.json").write_text('{"rules": 3}', encoding="utf-8")
    with pytest.raises(InputRefused, match="the run's files cannot be read"):
        explain(tmp_path / "old", "OK1")


def test_a_finding_id_names_its_claim(out: Path) -> None:
    findings = pl.read_parquet(out / "r1" / "findings.parquet")
    finding_id, claim_id = findings.select("finding_id", "claim_id").row(0)
    assert explain(out, finding_id) == explain(out, claim_id)


def test_a_case_number_names_its_claim_and_digits_the_claim_that_ends_with_them(tmp_path: Path) -> None:
    claims = pl.DataFrame({"claim_id": ["000004711", "000004712"]})
    findings = pl.DataFrame({"finding_id": ["DUR001:000004712:1"], "case_number": [17], "claim_id": ["000004712"]})
    claims.write_parquet(tmp_path / "claims.parquet")
    findings.write_parquet(tmp_path / "findings.parquet")
    assert [_claim_of(tmp_path, text) for text in ("17", "#17", "000004711", "x")] == ["000004712"] * 2 + [
        "000004711",
        "x",
    ]
    assert _nearest("4711", claims["claim_id"]) == "; did you mean 000004711?"
    assert _nearest("471", claims["claim_id"]) == ""
