"""What stands once people have decided: the headline, the money and the exit code leave out what was dismissed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

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
    assert night(tmp_path / "out") == 1
    return tmp_path / "out"


def night(out: Path, *more: str) -> int:
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
    assert night(out) == 1
    told = summary(out)
    assert told["claims"]["violation"] == 2  # the verdicts stay what they are
    assert told["standing"] == {"violation": 1, "review": 0, "incomplete": told["standing"]["incomplete"], "dismissed": 1,
                                "dismissed_findings": 1, "dismissed_amount": 30}  # fmt: skip
    assert told["money"]["at_risk"] == 40
    assert {rule["code"]: rule["dismissed"] for rule in told["rules"]}["DUR002"] == 1
    page = (out / "latest" / "report.html").read_text()
    assert "1 of 3 claims in violation" in page
    assert "dismissed by reviewers are left out" in page
    findings = pl.read_parquet(out / "latest" / "findings.parquet")
    assert findings["at_risk_amount"].sum() == 40
    dismiss(out, of(out, "DUR001"), of(out, "ELG001"))
    assert night(out) == 0
    assert summary(out)["money"]["at_risk"] == 0
    assert "Nothing stands" in (out / "latest" / "report.html").read_text()


def test_a_claim_stands_by_its_other_finding_and_its_amount_with_it(out: Path) -> None:
    """The dismissed one held the amount; the case of the other shows it, and it counts once."""
    dismiss(out, of(out, "DUR001"))
    assert night(out) == 1
    assert summary(out)["money"]["at_risk"] == 70
    findings = pl.read_parquet(out / "latest" / "findings.parquet").filter(claim_id="K1")
    assert dict(findings.select("rule", "at_risk_amount").iter_rows()) == {"DUR001": None, "ELG001": 40}
    cases = pl.read_parquet(out / "latest" / "cases.parquet").filter(claim_id="K1")
    assert cases["amount"].to_list() == [40, 40]


def test_what_was_new_and_is_dismissed_is_not_tonight_s(out: Path) -> None:
    """A rerun repeats the mark, and leaves out of its headline what was dismissed since."""
    dismiss(out, of(out, "DUR002"))
    assert night(out) == 1
    told = summary(out)["ledger"]
    assert told["marks"]["new"] == 3
    assert told["tonight"]["new"] == {"findings": 2, "claims": 1, "amount": 40}
    assert "2 new on 1 claim, $40.00" in (out / "latest" / "report.html").read_text()


def test_tonight_and_open_work_are_counted(out: Path) -> None:
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
    assert night(out, "--fail-on", "new") == 1
    ledger = summary(out)["ledger"]
    assert ledger["tonight"]["new"] == {"findings": 2, "claims": 1, "amount": 15}
    assert ledger["work"]["open"] == {"findings": 4, "claims": 2, "amount": 55}
    assert ledger["work"]["confirmed"] == {"findings": 1, "claims": 1, "amount": 30, "next_due": "2026-08-30"}
    page = (out / "latest" / "report.html").read_text()
    assert '<h1 id="h-night" class="violation">2 new on 1 claim, $15.00</h1>' in page
    assert "the next due on <b>2026-08-30</b>" in page
