"""A ledger follows one set of exports: what grows, moves or gets new ids is the same, another clinic's is refused."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from auditor.cases import chain, known_claims, store
from auditor.cases.chain import Entry
from auditor.errors import InputRefused
from tests.cases.test_repair import CALLS, VISITS
from tests.support.catalogue import command

CODES = ("98968",)


def claims(numbers: Iterable[int], prefix: str = "C", patient: str = "P", code: str = "98968") -> pl.DataFrame:
    """Claims C0001 and so on, one for each day of 2026, each of its own patient."""
    rows = [(f"{prefix}{n:04}", "1", code, f"{patient}{n}", date(2026, 1, 1) + timedelta(n % 365)) for n in numbers]
    return pl.DataFrame(rows, ["claim_id", "claim_line", "cpt_code", "patient_id", "service_date"], orient="row")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A ledger that keeps claims of a run of C0000 to C0299."""
    with store.opened(tmp_path / "ledger.sqlite", create=True) as ledger:
        enter(ledger, claims(range(300)))
        yield ledger


def enter(ledger: sqlite3.Connection, audited: pl.DataFrame) -> None:
    kept = known_claims.to_keep(ledger, audited)
    chain.append(ledger, [Entry("audit", "run", details=json.dumps({"claims": kept} if kept else {}))])


SAME = {
    "the same": claims(range(300)),
    "grown": claims(range(3000)),
    "a later part": claims(range(100, 330)),
    "a month of it": claims(range(30)),
    "another year": claims(range(300)).with_columns(pl.col("service_date").dt.offset_by("1y"), claim_id="patient_id"),
    "other claim ids": claims(range(300), prefix="N"),
    "other patient ids": claims(range(300), patient="N"),
    "half of it voided": claims(range(0, 300, 2)),
    "other codes": claims(range(300), "X", "Y", "98967"),
    "none": claims([]),
}


@pytest.mark.parametrize("audited", SAME.values(), ids=SAME)
def test_the_exports_of_a_ledger_are_never_refused(audited: pl.DataFrame, ledger: sqlite3.Connection) -> None:
    codes = set(audited["cpt_code"]) or CODES
    known_claims.require_known_claims(ledger, audited, codes)


def test_exports_of_others_are_refused(ledger: sqlite3.Connection) -> None:
    with pytest.raises(InputRefused, match=r"of \d+ claims in these dates that earlier runs audited, 0 are here"):
        known_claims.require_known_claims(ledger, claims(range(300), "X", "Y"), CODES)


def test_a_run_keeps_claims_only_where_they_changed(ledger: sqlite3.Connection) -> None:
    assert known_claims.to_keep(ledger, claims(reversed(range(300)))) is None
    assert len(known_claims.to_keep(ledger, claims(range(301))) or ()) in (0, 64)
    assert known_claims.to_keep(ledger, claims([])) is None
    enter(ledger, claims([]))
    assert known_claims.to_keep(ledger, claims(range(300))) is None


def test_a_second_export_on_one_ledger_needs_a_word(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    first = CALLS + "K4,P4,D1,2026-03-05 09:00,25,98968,40\n"
    (tmp_path / "first.csv").write_text(first)
    (tmp_path / "second.csv").write_text(first.replace("K", "X").replace(",P", ",Y").replace("D1", "E1"))
    (tmp_path / "visits.csv").write_text(VISITS)

    def run(name: str, *more: str) -> int:
        paths = [
            "--calls",
            f"{tmp_path}/{name}.csv",
            "--visits",
            f"{tmp_path}/visits.csv",
            "--out",
            f"{tmp_path}/{name}",
        ]
        fixed = ["--timezone", "UTC", "--fail-on", "never", "--write", "none", "--format", "none", "--quiet"]
        return command(["run", *paths, *fixed, "--ledger", f"{tmp_path}/shared.sqlite", *more])

    assert run("first") == 0
    assert run("second") == 3
    assert "the ledger follows other exports" in capfd.readouterr().err
    assert len(list(tmp_path.glob("second/refused/2*"))) == 1
    with closing(sqlite3.connect(tmp_path / "shared.sqlite")) as kept:
        assert kept.execute("SELECT count(*) FROM runs").fetchone() == (1,)
    assert run("second", "--max-shrink", "100%") == 0
    assert command(["cases", "verify", f"{tmp_path}/shared.sqlite"]) == 0
