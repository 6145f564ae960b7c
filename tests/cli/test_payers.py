"""One run for several payers: the reports by payer, the reasons that `explain` gives, and the clock of cases."""

import csv
import io
import json
import re
from pathlib import Path

import fastexcel
import polars as pl
import pytest

from tests.support.program import audit98968

POLICY = """timezone = "UTC"

[payers]
"BCBS MA" = "bcbs-ma"
Medicare = [{ policy = "medicare.toml", from = 2026-03-02 }]
otherwise = "none"
"""
MEDICARE = 'overpayment_clock = 60\n\n[bands]\n98968 = { low = 26, high = 30 }\n\n[severity]\nELG001 = "off"\n'
CALLS = """call_id,patient_id,provider_id,call_start,call_minutes,initiated_by,cpt_code,paid_amount,payer
k1,p1,a,2026-03-09 09:00,12,patient,98968,30,bcbs_ma
k2,p2,a,2026-03-10 09:00,25,provider,98968,40,MEDICARE
k3,p3,a,2026-03-01 09:00,12,patient,98968,50,Medicare
k4,p4,a,2026-03-11 09:00,12,patient,98968,60,Somebody Else
k5,p5,a,2026-03-11 12:00,12,provider,98968,70,BCBS MA
"""
VISITS = "visit_id,patient_id,visit_start,status\nv1,p9,2025-11-01 09:00,completed\nv2,p9,2026-06-01 09:00,completed\n"


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("payers")
    texts = {"clinic.toml": POLICY, "medicare.toml": MEDICARE, "calls.csv": CALLS, "visits.csv": VISITS}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    assert audited(folder).returncode == 0
    return folder


def audited(folder: Path, *more: str):
    words = ("--calls", "calls.csv", "--visits", "visits.csv", "--policy", "clinic.toml", "--select", "DUR001,ELG001")
    return audit98968(
        "run", *words, "--require", "DUR001", "--fail-on", "never", *(more or ("--out", "out")), folder=folder
    )


def test_each_claim_has_the_policy_of_its_payer_on_its_date(export: Path):
    claims = pl.read_parquet(export / "out/latest/claims.parquet").sort("claim_id")
    columns = ("claim_id", "policy", "disposition", "violations", "not_applicable")
    assert claims.select(columns).rows() == [
        ("k1", "bcbs-ma", "violation", ["DUR001"], []),
        ("k2", "medicare", "violation", ["DUR001"], ["ELG001"]),
        ("k3", None, "not applicable", [], ["DUR001", "ELG001"]),
        ("k4", None, "not applicable", [], ["DUR001", "ELG001"]),
        ("k5", "bcbs-ma", "violation", ["DUR001", "ELG001"], []),
    ]
    for table in ("findings", "cases"):
        found = pl.read_parquet(export / f"out/latest/{table}.parquet").filter(rule="DUR001").sort("claim_id")
        assert found["policy"].to_list() == ["bcbs-ma", "medicare", "bcbs-ma"]
        assert found["payer"].to_list() == ["bcbs_ma", "MEDICARE", "BCBS MA"]


def test_the_reports_show_claims_findings_and_money_by_payer(export: Path):
    summary = json.loads((export / "out/latest/summary.json").read_text(encoding="utf-8"))
    by_payer = {
        (row["payer"], row["policy"]): (row["claims"], row["findings"], row["at_risk"]) for row in summary["payers"]
    }
    assert by_payer == {
        ("BCBS MA", "bcbs-ma"): (1, 2, 70.0),
        ("bcbs_ma", "bcbs-ma"): (1, 1, 30.0),
        ("MEDICARE", "medicare"): (1, 1, 40.0),
        ("Medicare", None): (1, 0, 0.0),
        ("Somebody Else", None): (1, 0, 0.0),
    }
    assert summary["claims"]["not_applicable"] == 2
    assert [policy["name"] for policy in summary["settings"]["payer_policies"]] == ["bcbs-ma", "medicare"]
    page = (export / "out/latest/report.html").read_text(encoding="utf-8")
    assert '<section id="payers"' in page
    shown = re.search(r'<select id="f-payer">(.*?)</select>', page).group(1)
    assert re.findall(r"<option.*?>(.*?)</option>", shown) == ["all", "BCBS MA", "MEDICARE", "bcbs_ma"]
    assert re.findall(r"data-payer>(.*?)<", page).count("BCBS MA") == 2
    assert len(re.findall(r'<a href="#findings" data-payer="(.*?)">', page)) == 3  # as many payers have findings
    by_payer = page.partition("<summary>Providers by payer</summary>")[2].partition("</table>")[0]
    assert len(re.findall("<tr>", by_payer)) == 1 + 3
    book = fastexcel.read_excel(export / "out/latest/report.xlsx")
    rows = book.load_sheet("Providers by payer", header_row=1).to_polars()
    assert dict(rows.select("Payer", "Potential overpayment").iter_rows()) == {
        "BCBS MA": 70.0, "MEDICARE": 40.0, "bcbs_ma": 30.0,
    }  # fmt: skip


def test_one_payer_needs_no_filter(export: Path):
    (export / "one.csv").write_text(CALLS.replace("bcbs_ma", "BCBS MA").partition("k2")[0], encoding="utf-8")
    words = ("--calls", "one.csv", "--visits", "visits.csv", "--policy", "clinic.toml", "--select", "DUR001")
    audit98968("run", *words, "--out", "one", "--fail-on", "never", "--allow-unjoined", folder=export)
    page = (export / "one/latest/report.html").read_text(encoding="utf-8")
    assert "f-payer" not in page.partition("<script>")[0] and "Providers by payer" not in page
    assert "Providers by payer" not in fastexcel.read_excel(export / "one/latest/report.xlsx").sheet_names


def test_a_payer_that_the_policy_does_not_name_is_not_printed(export: Path):
    text = audited(export, "--format", "text").stdout
    assert "MEDICARE (policy medicare): 1 claim, 1 violation, 0 review; 1 finding; potential overpayment 40.00" in text
    assert "Other payers (no policy): 1 claim" in text
    assert "Somebody" not in text + audited(export, "--format", "json").stdout
    assert "Somebody Else" in audited(export, "--format", "text", "--show-ids").stdout


def test_explain_speaks_of_the_policy_of_the_payer(export: Path):
    explained = audit98968("explain", "out", "k2", folder=export).stdout
    assert "98968 needs at least 26 min" in explained
    assert "off in the policy of the claim's payer" in explained
    assert (
        "no policy is set for the claim's payer on its service date"
        in audit98968("explain", "out", "k4", folder=export).stdout
    )


def test_the_clock_runs_where_the_policy_of_the_payer_has_one(export: Path):
    words = ("cases", "decide", "out", "confirmed", "DUR001:k1:1", "DUR001:k2:1", "--by", "a", "--reason", "b")
    decided = audit98968(*words, "--on", "2025-07-01", folder=export)
    assert decided.returncode == 0, decided.stderr
    assert [line.partition("; ")[2] for line in decided.stdout.splitlines()] == ["", "report and return by 2025-08-30"]
    assert audited(export).returncode == 0
    cases = pl.read_parquet(export / "out/latest/cases.parquet").filter(rule="DUR001").sort("claim_id")
    assert [str(day) for day in cases["due"]] == ["None", "2025-08-30", "None"]
    assert cases["mark"].to_list() == ["persisting", "persisting", "new"]  # equal inputs: only decided cases change
    listed = list(csv.DictReader(io.StringIO(audit98968("cases", "export", "out", folder=export).stdout)))
    assert {row["claim_id"]: row["due"] for row in listed if row["state"] == "confirmed"} == {
        "k1": "",
        "k2": "2025-08-30",
    }


def test_another_policy_of_a_payer_makes_another_run(export: Path):
    run_of = lambda: (export / "out/latest").resolve().name.partition("-")[2]  # noqa: E731
    assert audited(export).returncode == 0
    before = run_of()
    (export / "medicare.toml").write_text(f"{MEDICARE}ELG002 = 'off'\n", encoding="utf-8")
    assert audited(export).returncode == 0
    assert run_of() != before


def test_the_clock_is_restored_from_the_run_folders(export: Path):
    assert audit98968("cases", "verify", "out", folder=export).returncode == 0
    (export / "out/ledger.sqlite").unlink()
    restored = audit98968("cases", "restore", "out", folder=export)
    assert restored.returncode == 0, restored.stderr
    listed = list(csv.DictReader(io.StringIO(audit98968("cases", "export", "out", folder=export).stdout)))
    assert {row["claim_id"]: row["due"] for row in listed if row["state"] == "confirmed"} == {
        "k1": "",
        "k2": "2025-08-30",
    }
