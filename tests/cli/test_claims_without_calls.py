"""A claim whose call is not found is weighed by days, and lines of a claims table that bill a visit are visits."""

import csv
import io
import json
from pathlib import Path

import polars as pl

from tests.support.program import audit98968

CALLS = (
    "call_id,patient_id,provider_id,call_start,call_minutes\nk1,p1,a,2026-03-09 09:00,25\nk2,p2,a,2026-03-09 09:00,25\n"
)
VISITS = """visit_id,patient_id,visit_start,status,provider_id
w1,p9,2025-11-01 09:00,completed,z
w2,p9,2026-06-01 09:00,completed,z
v5,p5,2026-03-09 15:00,completed,a
v6,p6,2026-03-06 09:00,completed,a
"""
CLAIMS = """claim_id,claim_line,patient_id,provider_id,service_date,cpt_code,call_id,claim_status,paid_amount
L1,1,p1,a,2026-03-09,98968,k1,,40
L1,2,p1,a,2026-03-06,99213,,,90
L2,1,p2,a,2026-03-09,98968,k2,,40
L2,2,p2,a,2026-03-06,99213,,void,90
L2,3,p2,a,2026-03-05,36415,,,9
L5,1,p5,a,2026-03-09,98968,lost,,40
L6,1,p6,a,2026-03-09,98968,lost too,,40
L6,2,p6,a,2026-03-06,99213,,,90
L9,1,p9,z,2025-11-01,99213,,,9
"""


def export(folder: Path) -> list[str]:
    for name, text in (("calls", CALLS), ("visits", VISITS), ("claims", CLAIMS)):
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return ["run", "--calls", "calls.csv", "--visits", "visits.csv", "--claims", "claims.csv", "--timezone", "UTC"]


def lookback(findings: str) -> dict[str, tuple[str, str, str]]:
    rows = [row for row in csv.DictReader(io.StringIO(findings)) if row["rule"] == "LBK001"]
    return {row["claim_id"]: (row["outcome"], row["related_kind"], row["related_id"]) for row in rows}


def test_a_visit_that_only_a_claims_line_shows_is_found(tmp_path: Path):
    done = audit98968(*export(tmp_path), "--format", "csv", folder=tmp_path)
    assert done.returncode == 1, done.stderr
    assert lookback(done.stdout) == {
        "L1": ("violation", "line", "L1"),  # its 99213 of three days before; of L2, the line is void
        "L5": ("review", "visit", "v5"),  # its call is lost: the day decides, though the visit is in the afternoon
        "L6": ("review", "visit", "v6"),  # the visits have what its 99213 bills
    }


def test_explain_says_what_a_claim_without_a_call_lacks(tmp_path: Path):
    audit98968(*export(tmp_path), "--as-of", "2026-03-10T12:00", "--out", "out", folder=tmp_path)
    explained = audit98968("explain", "out", "L6", folder=tmp_path).stdout
    assert "the visits export is complete only up to 2026-03-10 12:00, before the window ends" in explained
    assert "lookback, 7 days" in explained
    billed = audit98968("explain", "out", "L1", folder=tmp_path).stdout
    assert "visit billed on claim L1 by provider " in billed and " started 3 days before the call; " in billed
    assert "2026-03-06 visit billed on claim L1, 3 days before" in billed


def test_the_claim_of_a_billed_visit_has_the_token_of_claims(tmp_path: Path):
    (tmp_path / "key").write_text("a key of sixteen bytes and more", encoding="utf-8")
    (tmp_path / "key").chmod(0o600)
    done = audit98968(*export(tmp_path), "--pseudonymize", "key", "--out", "out", folder=tmp_path)
    assert done.returncode == 1, done.stderr
    findings = pl.read_parquet(tmp_path / "out" / "latest" / "findings.parquet")
    [row] = findings.filter(related_kind="line").to_dicts()
    assert row["related_id"] == row["claim_id"]
    assert "L1" not in json.dumps(findings.write_json())


def test_a_billed_visit_of_a_patient_who_is_nearly_the_claims_leaves_it_unknown(tmp_path: Path):
    arguments = export(tmp_path)
    (tmp_path / "claims.csv").write_text(CLAIMS + "L8,1,P2,a,2026-03-06,99213,,,90\n", encoding="utf-8")
    done = audit98968(*arguments, "--out", "out", folder=tmp_path)
    claims = pl.read_parquet(tmp_path / "out" / "latest" / "claims.parquet").filter(claim_id="L2")
    assert {"LBK001", "LAH001"} <= set(claims["unknowns"][0])
    assert "LBK001 and LAH001 are unknown for their claims" in done.stderr


ALONE = """claim_id,claim_line,patient_id,provider_id,service_date,cpt_code,call_id,units
L1,1,p1,a,2026-03-09,98968,k1,1
L1,2,p1,a,2026-03-06,99213,,1
L2,1,p2,a,2026-03-09,98968,k2,2
L3,1,p3,a,2026-03-09,98968,k2,1
L4,1,p4,a,2026-03-09,98968,,1
L9,1,p9,z,2026-03-01,99213,,1
"""


def alone(folder: Path, *arguments: str, visits: str = "") -> list[str]:
    (folder / "claims.csv").write_text(ALONE, encoding="utf-8")
    (folder / "visits.csv").write_text(visits, encoding="utf-8")
    tables = ["--claims", "claims.csv", *(("--visits", "visits.csv") if visits else ())]
    return [*arguments, *tables, "--timezone", "UTC"]


def outcomes(folder: Path) -> dict[str, dict[str, list[str]]]:
    claims = pl.read_parquet(folder / "out" / "latest" / "claims.parquet").to_dicts()
    names = ("violations", "reviews", "unknowns", "not_applicable")
    return {claim["claim_id"]: {name: claim[name] for name in names} for claim in claims}


def test_claims_alone_say_first_what_is_not_evaluated(tmp_path: Path):
    done = audit98968(*alone(tmp_path, "run", "--out", "out"), folder=tmp_path)
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("6 of 27 rules evaluated; no calls in the inputs; no visits in the inputs\n")
    assert "DUR001 (no calls in the inputs)" in done.stdout
    assert "LBK002 (no visits in the inputs)" in done.stdout
    page = (tmp_path / "out" / "latest" / "report.html").read_text(encoding="utf-8")
    assert "6 of 27 rules evaluated; no calls in the inputs; no visits in the inputs" in page
    summary = json.loads((tmp_path / "out" / "latest" / "summary.json").read_text(encoding="utf-8"))
    reasons = {rule["code"]: rule["reason"] for rule in summary["rules"] if not rule["evaluated"]}
    assert reasons["INT001"] == reasons["DOC003"] == "no calls in the inputs"
    assert reasons["EXC001"] == "no visits in the inputs"
    assert [file["table"] for file in summary["inputs"]] == ["claims"]


def test_claims_alone_are_judged_by_what_lines_hold(tmp_path: Path):
    audit98968(*alone(tmp_path, "run", "--out", "out"), folder=tmp_path)
    found = outcomes(tmp_path)
    assert found["L1"]["reviews"] == ["LBK001"]  # of its own patient's 99213, by days
    assert {"LBK001", "LAH001"} <= set(found["L2"]["unknowns"])  # nothing covers the visits
    assert found["L2"]["violations"] == ["FRQ003"]
    assert found["L3"]["violations"] == ["FRQ004"]  # it names the call of L2
    assert found["L4"]["not_applicable"] == ["FRQ004"]  # it names none


def test_visits_beside_claims_cover_to_the_latest_service_date(tmp_path: Path):
    visits = "visit_id,patient_id,visit_start,status,originating_call_id,provider_id\n"
    visits += "v0,p9,2026-02-01 09:00,no_show,,a\nv1,p4,2026-03-08 09:00,,,b\nv2,p2,2026-03-10 09:00,scheduled,k2,b\n"
    done = audit98968(*alone(tmp_path, "run", "--out", "out", visits=visits), folder=tmp_path)
    assert done.stdout.startswith("7 of 27 rules evaluated; no calls in the inputs\n"), done.stderr
    summary = json.loads((tmp_path / "out" / "latest" / "summary.json").read_text(encoding="utf-8"))
    assert summary["coverage"]["as_of"] == "2026-03-08T09:00:00+00:00"
    assert outcomes(tmp_path)["L2"]["reviews"] == ["LAH001"]  # linked by the call that the line names
    findings = pl.read_parquet(tmp_path / "out" / "latest" / "findings.parquet").filter(claim_id="L2", rule="LAH001")
    assert findings["basis"].to_list() == ["linked"]


def test_a_required_rule_that_needs_calls_is_left_out(tmp_path: Path):
    assert audit98968(*alone(tmp_path, "run", "--require", "DUR001"), folder=tmp_path).returncode == 1
    refused = audit98968(*alone(tmp_path, "run", "--require", "ELG004"), folder=tmp_path)
    assert refused.returncode == 3
    assert "required rule ELG004 cannot be evaluated" in refused.stderr


def test_calls_and_visits_are_left_out_only_beside_claims(tmp_path: Path):
    (tmp_path / "calls.csv").write_text(CALLS, encoding="utf-8")
    done = audit98968("run", "--calls", "calls.csv", folder=tmp_path)
    assert done.returncode == 2
    assert "--visits is missing" in done.stderr
    assert audit98968("run", folder=tmp_path).returncode == 2


def test_a_policy_for_calls_does_not_stop_claims_alone(tmp_path: Path):
    policy = '[columns.calls]\ncall_id = "Call No"\n\n[skip_rows]\ncalls = 3\nvisits = 2\n'
    (tmp_path / "clinic.toml").write_text(policy, encoding="utf-8")
    assert audit98968(*alone(tmp_path, "run", "--policy", "clinic.toml"), folder=tmp_path).returncode == 1


def test_check_and_init_know_claims_alone(tmp_path: Path):
    checked = audit98968(*alone(tmp_path, "check"), folder=tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert "6 of 27 rules can be evaluated" in checked.stdout
    suggested = audit98968("init", "--claims", "claims.csv", folder=tmp_path)
    assert suggested.returncode == 0, suggested.stderr
    assert "# Without calls, the rules that read them are not evaluated" in suggested.stdout
    assert "audit98968 check --policy THIS_FILE --claims claims.csv" in suggested.stdout


def test_explain_says_that_there_are_no_visits(tmp_path: Path):
    audit98968(*alone(tmp_path, "run", "--out", "out"), folder=tmp_path)
    explained = audit98968("explain", "out", "L4", folder=tmp_path).stdout
    assert "the inputs have no visits; only lines that bill a visit were compared" in explained
    assert "call-billed-twice: the claim has no call" in explained
