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
    told = audit98968("explain", "out", "L6", folder=tmp_path).stdout
    assert "the visits export is complete only up to 2026-03-10 12:00, before the window ends" in told
    assert "lookback, 7 days" in told
    billed = audit98968("explain", "out", "L1", folder=tmp_path).stdout
    assert "visit billed on claim L1 (same provider) started 3 days before the call" in billed
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
