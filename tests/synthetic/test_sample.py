"""The synthetic exports: deterministic, exactly as many claims as asked, every rule and outcome planted.

That the planted answers are the auditor's answers is compared elsewhere.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from auditor import policy as policies
from auditor.rules import ALL
from auditor.rules.phone_log import NEEDS as OF_PHONE_LOG
from auditor.synthetic import sample
from auditor.synthetic import scenarios as sample_scenarios

# What docs/specification.md lets each rule say, less what the exports cannot show: FRQ004 needs a claims table.
OUTCOMES = {
    rule: set(outcomes.split())
    for rules, outcomes in {
        "DUR001 DUR002 FRQ003 ELG002 ELG004 ELG005 ELG006": "violation unknown",
        "DUR003 DOC001 DOC002 DOC003 DOC004 DOC005": "review",
        "LBK001 LBK002 LAH001 LAH002 FRQ001 ELG001 ELG003 EXC001": "violation review unknown",
        "FRQ002 FRQ005 INT003": "review unknown",
        "FRQ004": "",
        "INT002": "violation",
    }.items()
    for rule in rules.split()
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("sample")
    sample.write(made, 300, 7)
    return made


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def records(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def sizes(folder: Path, tables: tuple[str, ...]) -> dict[str, int]:
    return {table: len(records(folder / f"{table}.csv")) for table in tables}


def test_equal_arguments_give_equal_bytes(folder: Path, tmp_path: Path) -> None:
    sample.write(tmp_path, 300, 7)
    assert contents(tmp_path) == contents(folder)


def test_another_seed_gives_other_rows(folder: Path, tmp_path: Path) -> None:
    sample.write(tmp_path, 300, 8)
    for name in ("calls.csv", "visits.csv", "calls.parquet"):
        assert (tmp_path / name).read_bytes() != (folder / name).read_bytes()


@pytest.mark.parametrize("claims", [1, 2, 17, 300])
def test_as_many_claims_as_asked(tmp_path: Path, claims: int) -> None:
    tally = sample.write(tmp_path, claims, 1, formats=("csv",))
    assert tally["claims"]["audited"] == claims == len(records(tmp_path / "expected_claims.csv"))
    lines = {(r["claim_id"], r["claim_line"]) for r in records(tmp_path / "calls.csv") if r["cpt_code"] == "98968"}
    assert len(lines) == claims + tally["claims"]["void"] + tally["claims"]["denied"]
    assert tally["rows"] == sizes(tmp_path, ("calls", "visits", "providers"))


def test_expected_files_agree_with_the_tally(folder: Path) -> None:
    for place in (folder, folder / "with_claims"):
        tally = json.loads((place / "expected.json").read_text(encoding="utf-8"))
        claims, findings = records(place / "expected_claims.csv"), records(place / "expected_findings.csv")
        counted = Counter(claim["disposition"] for claim in claims)
        assert counted == Counter({state: tally["claims"][state] for state in counted})
        assert sum(counted.values()) == tally["claims"]["audited"]
        rules = Counter((finding["rule"], finding["outcome"]) for finding in findings)
        rules.update((rule, "unknown") for claim in claims for rule in claim["unknowns"].split(";") if rule)
        assert rules == Counter({(r, o): n for r, outcomes in tally["rules"].items() for o, n in outcomes.items() if n})
        for rows, key in ((claims, ("claim_id", "claim_line")), (findings, ("claim_id", "claim_line", "rule"))):
            keys = [tuple(row[k] for k in key) for row in rows]
            assert keys == sorted(set(keys))


@pytest.mark.parametrize(("table", "key"), [("calls", "call_id"), ("visits", "visit_id"), ("providers", "provider_id")])
def test_csv_and_parquet_agree(folder: Path, table: str, key: str) -> None:
    parquet = pl.read_parquet(folder / f"{table}.parquet")
    text = pl.read_csv(folder / f"{table}.csv", infer_schema=False)
    instants = [name for name, kind in parquet.schema.items() if kind == pl.Datetime]
    written = parquet.with_columns(pl.col(instants).dt.to_string("%Y-%m-%dT%H:%M:%S")).cast(pl.String)
    assert written.equals(text)
    assert parquet.schema[key] == pl.String
    assert all(value.startswith("0") for value in text[key])
    typed = {"calls": "call_start", "visits": "booked_at", "providers": "license_end"}[table]
    assert parquet.schema[typed] == (pl.Date if table == "providers" else pl.Datetime("us"))


def test_every_rule_and_outcome_is_planted(folder: Path) -> None:
    tally = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    assert {rule: {o for o, n in counts.items() if n} for rule, counts in tally["rules"].items()} == OUTCOMES
    assert all(tally["claims"].values())
    with_claims = json.loads((folder / "with_claims" / "expected.json").read_text(encoding="utf-8"))
    assert set(with_claims["rules"]) == {"INT001", *OUTCOMES}
    assert set(with_claims["rules"]) == {
        rule.code for rule in ALL if rule.is_on(policies.load()) and rule.needs != OF_PHONE_LOG
    }
    for rule in ("FRQ004", "INT001", "INT002"):
        assert with_claims["rules"][rule]["violation"]


def test_catalogue_is_whole_and_mostly_clear() -> None:
    cases = sample_scenarios.load("scenario").scenarios
    assert sum(case.claims for case in cases) <= 125
    assert len({case.name for case in cases}) == len(cases)
    share = sum(case.weight * case.tally["claims", "clear"] for case in cases)
    assert 0.78 < share / sum(case.weight * case.claims for case in cases) < 0.83


def test_rows_are_made_a_chunk_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest frame does not grow with the size, and where chunks end changes the order of rows only."""
    largest: list[int] = []
    append: Callable[..., None] = sample.generated.Files.append

    def watched(self: Any, name: str, chunk: pl.DataFrame) -> None:
        largest.append(len(chunk))
        append(self, name, chunk)

    monkeypatch.setattr(sample.generated.Files, "append", watched)
    sample.write(tmp_path / "whole", 1_200, 3)
    whole = max(largest)
    monkeypatch.setattr(sample, "CHUNK", 50)
    largest.clear()
    sample.write(tmp_path / "parts", 1_200, 3)
    assert max(largest) < 50 * 45 < whole
    for path in (tmp_path / "whole").rglob("*.csv"):
        other = tmp_path / "parts" / path.relative_to(tmp_path / "whole")
        assert sorted(other.read_bytes().splitlines()) == sorted(path.read_bytes().splitlines())
        if path.name.startswith("expected"):
            assert other.read_bytes() == path.read_bytes()


def test_patients_of_a_provider_never_meet(folder: Path) -> None:
    """Calls of one provider overlap only where a case plants it (INT003)."""
    calls = (
        pl.read_parquet(folder / "calls.parquet").drop_nulls("call_end").sort("provider_id", "call_start", "call_id")
    )
    before = pl.col("call_end").cum_max().shift().over("provider_id")
    billed = {row["claim_id"] for row in records(folder / "expected_findings.csv") if row["rule"] == "INT003"}
    overlapping = calls.filter(pl.col("call_start") < before, pl.col("call_start").dt.minute() < 40)
    assert len(overlapping) == len(billed) > 0


def test_small_rejects_stay_under_one_percent(folder: Path) -> None:
    visits = records(folder / "visits.csv")
    ids = Counter(row["visit_id"] for row in visits)
    bad = sum(not row["visit_start"] or ids[row["visit_id"]] > 1 for row in visits)
    assert 0 < bad < len(visits) / 100


def test_with_claims_shows_dates_and_offsets_and_large_samples_go_without(folder: Path, tmp_path: Path) -> None:
    starts = [row["visit_start"] for row in records(folder / "with_claims" / "visits.csv")]
    assert any(len(start) == 10 for start in starts)
    assert any(start.endswith("-04:00") for start in starts)
    assert pl.read_parquet(folder / "with_claims" / "visits.parquet")["visit_start"].to_list() == starts
    sample.write(tmp_path, 1_001, 1, formats=("parquet",))
    assert not (tmp_path / "with_claims").exists()
    assert not (tmp_path / "calls.csv").exists()


@pytest.mark.parametrize("asked", [{"claims": 0}, {"claims": 10_000_001}, {"formats": ("xlsx",)}])
def test_refused_arguments(tmp_path: Path, asked: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^(claims must be|formats are)"):
        sample.write(tmp_path / "x", **({"claims": 5, "seed": 1} | asked))
    assert not (tmp_path / "x").exists()


def test_committed_sample_is_current(tmp_path: Path) -> None:
    """Text only: Parquet's bytes name the version of the library that wrote them."""
    committed = Path(__file__).parents[2] / "sample_data"
    sample.write(tmp_path, 125, 98968)
    made = {name: content for name, content in contents(tmp_path).items() if not name.endswith(".parquet")}
    kept = contents(committed)
    assert made == {name: kept[name] for name in made}
    assert sum(map(len, kept.values())) < 1_000_000
