"""What stands once people have decided: the headline, the money and the exit code leave out what was dismissed."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from auditor.run_summary import Summary
from auditor.sampling.frame import Design, draw
from tests.support.catalogue import command

CALLS = """call_id,patient_id,provider_id,call_start,call_minutes,cpt_code,paid_amount,initiated_by
K1,P1,D1,2026-03-02 09:00,12,98968,40,provider
K2,P2,D1,2026-03-03 09:00,35,98968,30,patient
K3,P3,D1,2026-03-04 09:00,25,98968,20,patient
"""
VISITS = "visit_id,patient_id,visit_start,status\nV1,P9,2026-01-01 09:00,completed\nV2,P9,2026-06-20 09:00,completed\n"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """K1 has two violations (DUR001, ELG001), K2 one (DUR002); K3 is clear."""
    (tmp_path / "calls.csv").write_text(CALLS)
    (tmp_path / "visits.csv").write_text(VISITS)
    assert ledger_run(tmp_path / "out") == 1
    return tmp_path / "out"


def ledger_run(out: Path, *more: str) -> int:
    paths = ["--calls", str(out.parent / "calls.csv"), "--visits", str(out.parent / "visits.csv")]
    fixed = ["--timezone", "UTC", "--select", "DUR,ELG001", "--require", "DUR001", "--max-rejects", "100%"]
    return command(["run", *paths, *fixed, "--format", "none", "--quiet", "--out", str(out), *more])


def summary(out: Path) -> dict[str, Any]:
    return json.loads((out / "latest" / "summary.json").read_text())


def dismiss(out: Path, *cases: str) -> None:
    assert command(["cases", "decide", str(out), "dismissed", *cases, "--by", "A", "--reason", "r"]) == 0


def of(out: Path, rule: str) -> str:
    cases = pl.read_parquet(out / "latest" / "cases.parquet")
    return str(cases.filter(rule=rule)["number"].item())


def test_a_dismissed_finding_leaves_headline_money_and_exit_code(out: Path) -> None:
    assert summary(out)["money"]["at_risk"] == 70
    dismiss(out, of(out, "DUR002"))
    assert ledger_run(out) == 1
    reported = summary(out)
    assert reported["claims"]["violation"] == 2  # the verdicts stay what they are
    assert reported["after_decisions"] == {"violation": 1, "review": 0, "incomplete": reported["after_decisions"]["incomplete"], "dismissed": 1,
                                "dismissed_findings": 1, "dismissed_amount": 30, "settled": 1,
                                "settled_findings": 1}  # fmt: skip
    assert reported["money"]["at_risk"] == 40
    assert {rule["code"]: rule["dismissed"] for rule in reported["rules"]}["DUR002"] == 1
    page = (out / "latest" / "report.html").read_text()
    assert "1 of 3 claims in violation" in page
    assert "These amounts and the headline do not include 1 finding that is corrected, refunded or dismissed" in page
    findings = pl.read_parquet(out / "latest" / "findings.parquet")
    assert findings["at_risk_amount"].sum() == 40
    dismiss(out, of(out, "DUR001"), of(out, "ELG001"))
    assert ledger_run(out) == 0
    assert summary(out)["money"]["at_risk"] == 0
    assert "No action needed: the findings on 2 of 3 claims" in (out / "latest" / "report.html").read_text()


def test_a_claim_stands_by_its_other_finding_and_its_amount_with_it(out: Path) -> None:
    """The dismissed one held the amount; the case of the other shows it, and it counts once."""
    dismiss(out, of(out, "DUR001"))
    assert ledger_run(out) == 1
    assert summary(out)["money"]["at_risk"] == 70
    findings = pl.read_parquet(out / "latest" / "findings.parquet").filter(claim_id="K1")
    assert dict(findings.select("rule", "at_risk_amount").iter_rows()) == {"DUR001": None, "ELG001": 40}
    cases = pl.read_parquet(out / "latest" / "cases.parquet").filter(claim_id="K1")
    assert cases["amount"].to_list() == [40, 40]


def test_what_was_new_and_is_dismissed_is_not_this_run_s(out: Path) -> None:
    """A rerun repeats the marks, but that of what was dismissed since."""
    dismiss(out, of(out, "DUR002"))
    assert ledger_run(out) == 1
    reported = summary(out)["ledger"]
    assert (reported["marks"]["new"], reported["marks"]["persisting"]) == (2, 1)
    assert reported["this_run"]["new"] == {"findings": 2, "claims": 1, "amount": 40}
    assert "2 new on 1 claim, $40.00" in (out / "latest" / "report.html").read_text()


def test_this_run_and_open_work_are_counted(out: Path) -> None:
    assert (
        command(
            [
                "cases",
                "decide",
                str(out),
                "confirmed",
                of(out, "DUR002"),
                "--by",
                "A",
                "--reason",
                "r",
                "--on",
                "2026-07-01",
            ]
        )
        == 0
    )
    (out.parent / "calls.csv").write_text(CALLS + "K4,P4,D1,2026-03-05 09:00,10,98968,15,provider\n")
    assert ledger_run(out, "--fail-on", "new") == 1
    ledger = summary(out)["ledger"]
    assert ledger["this_run"]["new"] == {"findings": 2, "claims": 1, "amount": 15}
    assert ledger["work"]["open"] | {"oldest": ""} == {"findings": 4, "claims": 2, "amount": 55, "oldest": ""}
    assert ledger["work"]["confirmed"] == {"findings": 1, "claims": 1, "amount": 30, "next_due": "2026-08-30"}
    page = (out / "latest" / "report.html").read_text()
    assert '<h1 id="h-this-run" class="violation">2 new on 1 claim, $15.00</h1>' in page
    assert "next deadline <b>2026-08-30</b>" in page


def settle(out: Path, state: str, *words: str) -> int:
    """Decide cases that were identified on the day of the decision."""
    identified = ["--identified-on", "2026-07-01"] if state in ("corrected", "refunded") else []
    more = ["--by", "Ann", "--reason", "read the record", "--on", "2026-07-01", *identified]
    return command(["cases", "decide", str(out), state, *words, *more])


def sheet(out: Path, name: str) -> pl.DataFrame:
    import fastexcel

    return fastexcel.read_excel(out / "latest" / "report.xlsx").load_sheet(name, header_row=None).to_polars()


@pytest.mark.parametrize("state", ["corrected", "refunded", "dismissed"])
def test_a_run_whose_findings_are_all_settled_is_over(out: Path, state: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert settle(out, state, "1", "2", "3") == 0
    capfd.readouterr()
    assert ledger_run(out, "--format", "text") == 0
    message_text = capfd.readouterr().out
    assert "No action needed: the findings on 2 of 3 claims are corrected, refunded or dismissed" in message_text
    assert "Potential overpayment 0.00" in message_text
    returned = "; returned 70.00" if state == "refunded" else ""
    assert f"  {state}: 3 cases on 2 claims, 70.00{returned}\n" in message_text
    assert "  open: none\n" in message_text
    reported = summary(out)
    assert reported["claims"]["violation"] == 2
    assert (
        reported["after_decisions"]["violation"],
        reported["after_decisions"]["settled"],
        reported["after_decisions"]["settled_findings"],
    ) == (
        0,
        2,
        3,
    )
    money = {name: reported["money"][name] for name in ("at_risk", "this_run", "returned")}
    assert money == {"at_risk": 0, "this_run": 70, "returned": 70 if state == "refunded" else 0}
    assert reported["ledger"]["work"][state] == {"findings": 3, "claims": 2, "amount": 70}
    assert reported["ledger"]["work"]["open"]["findings"] == 0
    assert reported["ledger"]["marks"]["new"] == 0
    assert pl.read_csv(out / "latest" / "findings.csv")["state"].to_list() == [state] * 3
    for name in ("findings", "claims"):
        assert pl.read_parquet(out / "latest" / f"{name}.parquet")["at_risk_amount"].sum() == 0
    page = (out / "latest" / "report.html").read_text()
    assert f'data-state="{state}">{state}</a></th><td class="n">3</td><td class="n">2</td><td class="n">$70.00' in page
    first = dict(sheet(out, "Summary").select(pl.nth(0), pl.nth(1)).iter_rows())
    assert (first[f"Cases: {state}"], first["Cases: open"]) == ("3 on 2 claims, $70.00", "none")
    assert float(first["claims in violation"]) == 0
    for level in ("violation", "review", "new"):
        assert ledger_run(out, "--fail-on", level) == 0


def test_a_confirmed_finding_stays_at_risk(out: Path) -> None:
    assert settle(out, "confirmed", "1", "2", "3") == 0
    assert ledger_run(out) == 1
    assert summary(out)["money"]["at_risk"] == 70


def test_what_a_smaller_refund_leaves_stays_at_risk(out: Path) -> None:
    """The finding is settled, what is left of its claim's amount is at risk, and the columns add up to it."""
    case = of(out, "DUR002")
    assert settle(out, "refunded", case, "--amount", "12.50") == 0
    assert ledger_run(out) == 1
    reported = summary(out)
    money = reported["money"]
    assert (money["at_risk"], money["returned"], money["not_returned"]) == (57.5, 12.5, 17.5)
    assert reported["after_decisions"]["violation"] == 1
    assert reported["ledger"]["work"]["refunded"] == {"findings": 1, "claims": 1, "amount": 30}
    findings = pl.read_parquet(out / "latest" / "findings.parquet")
    assert (
        findings["at_risk_amount"].sum() == pl.read_parquet(out / "latest" / "claims.parquet")["at_risk_amount"].sum()
    )
    assert float(findings["at_risk_amount"].sum()) == 57.5
    assert "including $17.50 not yet refunded" in (out / "latest" / "report.html").read_text()
    assert settle(out, "refunded", case) == 0
    assert ledger_run(out) == 1
    assert summary(out)["money"]["at_risk"] == 40
    assert summary(out)["money"]["returned"] == 30


def test_a_claim_s_money_is_in_the_line_of_its_first_state(out: Path) -> None:
    """Of K1's two findings one is dismissed and one corrected; what was refunded for a claim is not at risk again."""
    settle(out, "dismissed", of(out, "DUR001"))
    settle(out, "corrected", of(out, "ELG001"))
    settle(out, "refunded", of(out, "DUR002"))
    assert ledger_run(out) == 0
    work = summary(out)["ledger"]["work"]
    assert {state: (work[state]["findings"], work[state]["claims"], work[state]["amount"]) for state in work} == {
        "open": (0, 0, 0), "confirmed": (0, 0, 0), "corrected": (1, 1, 40), "refunded": (1, 1, 30), "dismissed": (1, 1, 0),
    }  # fmt: skip
    assert settle(out, "open", of(out, "DUR001")) == 0
    assert ledger_run(out) == 1
    work = summary(out)["ledger"]["work"]
    assert (work["open"]["amount"], work["corrected"]["amount"]) == (40, 0)


def test_a_refund_for_one_finding_counts_for_the_claim(out: Path) -> None:
    settle(out, "refunded", of(out, "DUR001"), "--amount", "30")
    assert ledger_run(out) == 1
    assert summary(out)["money"]["at_risk"] == 40  # 10 of K1, 30 of K2
    assert settle(out, "refunded", of(out, "ELG001"), "--amount", "10.01") == 2
    settle(out, "refunded", of(out, "ELG001"))
    assert ledger_run(out) == 1
    assert summary(out)["money"]["at_risk"] == 30
    assert summary(out)["money"]["returned"] == 40


def test_a_settled_finding_that_is_worse_is_announced_with_the_decision_beside_it(
    out: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settle(out, "refunded", "1", "2", "3")
    (out.parent / "calls.csv").write_text(CALLS.replace(",98968,30,", ",98968,45,"))
    capfd.readouterr()
    assert ledger_run(out, "--fail-on", "new", "--format", "text") == 1
    case = of(out, "DUR002")
    assert f"reopened: case {case}, DUR002 call-too-long, 45.00 (was refunded on 2026-07-01)" in capfd.readouterr().out
    reported = summary(out)
    assert (reported["ledger"]["marks"]["reopened"], reported["ledger"]["announced"]) == (1, 1)
    assert (reported["money"]["at_risk"], reported["money"]["returned"]) == (15, 70)
    assert (out / "latest" / "report.html").read_text().count("was refunded on 2026-07-01 by Ann: read the record") == 2
    heads, *rows = sheet(out, "Findings").rows()[1:]
    at = heads.index("Previous decision")
    assert [row[at] for row in rows if row[at]] == ["was refunded on 2026-07-01 by Ann: read the record"]
    assert ledger_run(out, "--fail-on", "new") == 0
    assert summary(out)["ledger"]["marks"]["reopened"] == 1


def test_the_deadline_of_a_confirmed_case_that_is_reopened_is_reported(out: Path) -> None:
    settle(out, "confirmed", of(out, "DUR002"))
    (out.parent / "calls.csv").write_text(CALLS.replace(",98968,30,", ",98968,45,"))
    ledger_run(out)
    work = summary(out)["ledger"]["work"]
    assert (work["open"]["next_due"], work["confirmed"]["next_due"]) == ("2026-08-30", None)
    assert "next deadline <b>2026-08-30</b>" in (out / "latest" / "report.html").read_text()


def test_the_ledger_s_proof_knows_refunds(out: Path) -> None:
    """verify, repair and restore hold a ledger to what was refunded, decided and reopened."""
    settle(out, "refunded", of(out, "DUR002"), "--amount", "12.50")
    settle(out, "dismissed", of(out, "DUR001"))
    (out.parent / "calls.csv").write_text(CALLS.replace(",98968,30,", ",98968,45,"))
    ledger_run(out)
    ledger = out / "ledger.sqlite"
    query = (
        "SELECT number, state, reopened_from, refunded_amount, decided_amount, decided_record, confirmed_on FROM cases"
    )
    with closing(sqlite3.connect(ledger)) as connection:
        before = connection.execute(query).fetchall()
        connection.execute("UPDATE cases SET refunded_amount = '30' WHERE refunded_amount IS NOT NULL")
        connection.commit()
    assert command(["cases", "verify", str(out)]) == 3
    assert command(["cases", "repair", str(out)]) == 0
    assert command(["cases", "verify", str(out)]) == 0
    ledger.rename(out.parent / "kept.sqlite")
    assert command(["cases", "restore", str(out)]) == 0
    assert command(["cases", "verify", str(out)]) == 0
    with closing(sqlite3.connect(ledger)) as connection:
        restored = connection.execute(query).fetchall()
    assert [[str(value).removesuffix("0").removesuffix(".0") for value in row] for row in restored] == [
        [str(value).removesuffix("0").removesuffix(".0") for value in row] for row in before
    ]
    assert ledger_run(out) == 1
    assert summary(out)["money"]["returned"] == 12.5


def on(day: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next runs start on this day, at noon and each a minute later."""
    minutes = count()

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Clock:
            return cls.fromisoformat(f"{day}T12:{next(minutes):02}:00+00:00")

    monkeypatch.setattr("cli.run.datetime", Clock)


def test_every_summary_says_how_old_the_oldest_open_case_is(
    out: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    out = out.parent / "old"
    sentence = "the oldest first found"
    on("2026-07-01", monkeypatch)
    ledger_run(out, "--format", "text")
    assert sentence not in capfd.readouterr().out
    assert summary(out)["ledger"]["work"]["open"]["oldest"] == "2026-07-01"
    on("2026-08-15", monkeypatch)
    ledger_run(out, "--format", "text")
    assert "  open: 3 cases on 2 claims, 70.00, the oldest first found 45 days ago" in capfd.readouterr().out
    assert "the oldest first found 45 days ago</td>" in (out / "latest/report.html").read_text()
    lines = dict(sheet(out, "Summary").select(pl.nth(0), pl.nth(1)).iter_rows())
    assert lines["Cases: open"] == "3 on 2 claims, $70.00, the oldest first found 45 days ago"
    every = [str(number) for number in pl.read_parquet(out / "latest/cases.parquet")["number"]]
    command(["cases", "list", str(out), "--sort", "found"])
    assert "days open" in capfd.readouterr().out
    assert command(["cases", "decide", str(out), "confirmed", *every, "--by", "A", "--reason", "r"]) == 0
    on("2026-09-15", monkeypatch)
    ledger_run(out, "--format", "text")
    assert sentence not in capfd.readouterr().out, "nothing is open"


def test_claims_before_the_lookback_period_are_counted(
    out: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Six years to the day are inside (42 CFR 401.305(f)): K1 and K2 are older, K3 is not."""
    assert "past_lookback" not in summary(out)
    on("2032-03-04", monkeypatch)
    ledger_run(out, "--format", "text")
    old = summary(out)["past_lookback"]
    assert old == {"before": "2026-03-04", "claims": 2, "violation": 2, "review": 0, "at_risk": 70, "under_review": 0}
    sentence = (
        "2 claims with service dates before 2026-03-04, more than six years before the run: 2 violation, 0 review"
    )
    assert sentence in capfd.readouterr().out
    assert sentence in (out / "latest/report.html").read_text()
    assert any(sentence in str(cell) for cell in sheet(out, "Summary").to_series(1))
    dismiss(out, of(out, "DUR002"))
    ledger_run(out)
    assert summary(out)["past_lookback"]["at_risk"] == 40
    drawn = draw(out, Design(size=2))
    assert (drawn.manifest["lookback_start"], drawn.manifest["claims_before_lookback"]) == ("2026-03-04", 2)


@pytest.mark.parametrize(("started", "first"), [("2026-11-29", "2020-11-29"), ("2028-02-29", "2022-03-01")])
def test_the_lookback_period_is_six_years(started: str, first: str) -> None:
    assert str(Summary(started=f"{started}T23:30:00-05:00").lookback_start) == first
