"""`frame`: a sample that anybody can draw again, from a population that is told in full."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import re
import stat
import zipfile
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import fastexcel
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor import policy as policies
from auditor.errors import AuditError, InputRefused, OutputFailed, UsageError
from auditor.reports import folder, summary
from auditor.reports.summary import Run
from auditor.reports.workbook import sample_book
from auditor.rules import select
from auditor.sampling import frame as framing
from auditor.sampling.frame import Design, chosen, draw, rank, unit_id, write
from auditor.sampling.strata import allocate, cuts
from auditor.settings import Settings
from cli import frame_command
from tests.runs.test_explain import CALLS, VISITS
from tests.support.engines import audited_here

SCHEMA = {
    "claim_id": pl.String,
    "claim_line": pl.String,
    "cpt_code": pl.String,
    "patient_id": pl.String,
    "provider_id": pl.String,
    "service_date": pl.Date,
    "call_ids": pl.List(pl.String),
    "disposition": pl.String,
    "violations": pl.List(pl.String),
    "reviews": pl.List(pl.String),
    "billed_amount": pl.Decimal(18, 2),
    "paid_amount": pl.Decimal(18, 2),
}
WORST = ("violation", "review", "incomplete", "clear", "not applicable")


def claim(number: int, **more: Any) -> dict[str, Any]:
    row = {
        "claim_id": f"c{number:04}",
        "claim_line": "1",
        "cpt_code": "98968",
        "patient_id": f"p{number:04}",
        "provider_id": "a",
        "service_date": date(2026, 3, 1),
        "call_ids": [f"k{number:04}"],
        "disposition": "clear",
        "violations": [],
        "reviews": [],
        "billed_amount": Decimal("48.00"),
        "paid_amount": Decimal("31.25"),
    }
    return row | more


def a_run(to: Path, claims: list[dict[str, Any]]) -> Path:
    """A run's folder as far as a sample needs one."""
    to.mkdir()
    pl.DataFrame(claims, schema=SCHEMA, orient="row").write_parquet(to / "claims.parquet")
    for name in ("findings.parquet", "evidence.parquet"):
        (to / name).touch()
    summary = {"run_id": "r1", "started": datetime(2026, 4, 1, tzinfo=UTC).isoformat()}
    (to / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    return to


@pytest.fixture
def run(tmp_path: Path) -> Path:
    claims = [
        claim(number, disposition=WORST[number % 5], provider_id="abc"[number % 3], patient_id=f"p{number // 2:04}")
        for number in range(200)
    ]
    return a_run(tmp_path / "run", claims)


def strata(run: Path, **design: Any) -> dict[str, tuple[int, int]]:
    return {each["name"]: (each["units"], each["drawn"]) for each in draw(run, Design(**design)).manifest["strata"]}


def test_the_draw_can_be_repeated_from_the_folder_alone(run: Path, tmp_path: Path):
    """A second program, written from the words in frame.json, without the tool's own code."""
    write(tmp_path / "out", draw(run, Design(strata="disposition", size=37, spares=2)))
    reported = json.loads((tmp_path / "out/frame.json").read_text())
    assert hashlib.sha256((tmp_path / "out/frame.csv").read_bytes()).hexdigest() == reported["frame_sha256"]
    frame = list(csv.DictReader((tmp_path / "out/frame.csv").read_text().splitlines()))
    sample = list(csv.DictReader((tmp_path / "out/sample.csv").read_text().splitlines()))
    assert len(sample) == 37 + 2 * 4
    for stratum in reported["strata"]:
        units = [row["unit_id"] for row in frame if row["stratum"] == stratum["name"]]
        units.sort(key=lambda unit: hashlib.sha256(f"{reported['seed']}:{unit}".encode()).hexdigest())
        assert len(units) == stratum["units"]
        mine = [row for row in sample if row["stratum"] == stratum["name"]]
        assert [row["unit_id"] for row in mine if row["kind"] == "sample"] == units[: stratum["drawn"]]
        assert [row["unit_id"] for row in mine if row["kind"] == "spare"] == units[stratum["drawn"] :][:2]
    orders = [rank(reported["seed"], row["unit_id"]) for row in sample if row["kind"] == "sample"]
    assert orders == sorted(orders), "the strata are reviewed in one random order"


def test_the_place_of_a_unit_never_changes():
    # printf '%s' '7:claim:A:1:98968' | sha256sum
    assert rank(7, "claim:A:1:98968") == "38053be6701a63e2ad67bd1a743c83b697bd0ef9b2ecf662f02553994c7044b6"
    assert unit_id("claim", "A:1", "=é", "98968") == "claim:A%3A1:%3D%C3%A9:98968"


def test_every_pair_of_units_is_equally_likely():
    """Simple random sampling: 3,000 seeds, 15 pairs, chi-square with 14 degrees of freedom below its 99.9% point."""
    frame = pl.DataFrame({"unit_id": [f"u{number}" for number in range(6)], "stratum": "all"})
    drawn: Counter[frozenset[str]] = Counter()
    for seed in range(3_000):
        drawn[frozenset(unit for _, _, unit in chosen(seed, frame, {"all": 2}, {"all": 0}))] += 1
    counts = [drawn[frozenset(pair)] for pair in combinations(frame["unit_id"], 2)]
    assert sum((count - 200) ** 2 / 200 for count in counts) < 36.1


@given(st.lists(st.text(), min_size=1, max_size=3), st.lists(st.text(), min_size=1, max_size=3))
def test_different_units_have_different_ids(first: list[str], second: list[str]):
    one, other = unit_id("claim", *first), unit_id("claim", *second)
    assert (one == other) == (first == second)
    assert [unquote(part) for part in one.split(":")[1:]] == first
    assert re.fullmatch(r"claim:[\w.~%:-]*", one, re.ASCII)


def test_boundaries_of_a_published_example():
    """Cochran (1977), section 5A.7: 13,435 banks by the percentage of their loans that is industrial, in 20 classes."""
    banks = (3464, 2516, 2157, 1581, 1142, 746, 512, 376, 265, 207, 126, 107, 82, 50, 39, 25, 16, 19, 2, 3)
    assert sum(banks) == 13_435
    assert [5 * (at + 1) for at in cuts(banks, 5)] == [5, 15, 25, 45]


@pytest.mark.parametrize(
    ("sizes", "size", "expected"),
    [
        ({"a": 100}, 7, {"a": 7}),
        ({"a": 50, "b": 30, "c": 20}, 10, {"a": 5, "b": 3, "c": 2}),
        ({"a": 55, "b": 28, "c": 17}, 10, {"a": 5, "b": 3, "c": 2}),  # shares 5.5, 2.8, 1.7: the larger remainders
        ({"a": 5, "b": 5, "c": 5}, 10, {"a": 4, "b": 3, "c": 3}),  # a tie goes to the first name
        (
            {"a": 970, "b": 29, "c": 1},
            100,
            {"a": 96, "b": 3, "c": 1},
        ),  # shares 97, 2.9 and 0.1; a has one to spare for c
        ({"a": 990, "b": 10}, 50, {"a": 48, "b": 2}),
        ({"a": 3, "b": 2}, 5, {"a": 3, "b": 2}),
    ],
)
def test_allocation(sizes: dict[str, int], size: int, expected: dict[str, int]):
    assert allocate(sizes, size) == expected


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 500), min_size=1, max_size=9), st.integers(0, 600))
def test_allocation_is_whole_and_never_too_much(sizes: dict[str, int], more: int):
    least = {name: min(2, units) for name, units in sizes.items()}
    size = min(sum(least.values()) + more, sum(sizes.values()))
    made = allocate(sizes, size)
    assert sum(made.values()) == size
    assert all(least[name] <= made[name] <= units for name, units in sizes.items())


def test_populations(run: Path):
    sizes = {of: draw(run, Design(of=of, size=2)).manifest["units"] for of in framing.POPULATIONS}
    assert sizes == {"audited": 160, "flagged": 80, "violation": 40, "review": 40}


def test_strata(run: Path, tmp_path: Path):
    assert strata(run, size=20) == {"all": (160, 20)}
    assert strata(run, strata="disposition", size=20, of="flagged") == {
        "disposition review": (40, 10),
        "disposition violation": (40, 10),
    }
    days = [date(2026, 1, 1)] * 30 + [date(2026, 2, 1)] * 28 + [date(2026, 3, 1)] + [date(2026, 4, 1)]
    months = a_run(tmp_path / "months", [claim(number, service_date=day) for number, day in enumerate(days)])
    assert strata(months, strata="month", size=10) == {
        "month 2026-01": (30, 4),
        "month 2026-02": (28, 4),
        "other months": (2, 2),
    }
    for numbers, expected in (
        ((36, 36, 36), [("10.00 to 10.00", 36), ("20.00 to 20.00", 36), ("500.00 to 500.00", 36)]),
        # roots add up to 6.3, 10.8 and 12.5: the nearest to a third, 4.2, and to two, 8.4, is the first both times
        ((40, 20, 3), [("10.00 to 10.00", 40), ("20.00 to 500.00", 23)]),
        ((9, 0, 0), [("10.00 to 10.00", 9)]),
    ):
        paid = [Decimal(amount) for amount, number in zip((10, 20, 500), numbers, strict=True) for _ in range(number)]
        made = a_run(tmp_path / str(numbers), [claim(number, paid_amount=amount) for number, amount in enumerate(paid)])
        found = strata(made, strata="amount", size=9)
        assert [(name, units) for name, (units, _) in found.items()] == [
            (f"amount {at}: {name}", units) for at, (name, units) in enumerate(expected, 1)
        ]


def test_a_small_stratum_alone_keeps_its_name(tmp_path: Path):
    claims = [claim(number, provider_id="b" if number else "a") for number in range(50)]
    made = a_run(tmp_path / "run", claims)
    assert strata(made, strata="provider", size=10) == {"provider a": (1, 1), "provider b": (49, 9)}


def test_units_without_an_amount_are_drawn_too(tmp_path: Path):
    none = {"billed_amount": None, "paid_amount": None}
    claims = [claim(1), claim(2, paid_amount=None), claim(3, **none), claim(4, paid_amount=Decimal(0))]
    claims += [claim(5, patient_id="p0001", **none)]
    made = a_run(tmp_path / "run", claims)
    drawn = draw(made, Design(size=5))
    assert dict(drawn.frame.select("unit_id", "amount").iter_rows()) == {
        "claim:c0001:1:98968": Decimal("31.25"),
        "claim:c0002:1:98968": Decimal("48.00"),
        "claim:c0003:1:98968": None,
        "claim:c0004:1:98968": Decimal(0),
        "claim:c0005:1:98968": None,
    }
    assert (drawn.manifest["without_amount"], drawn.manifest["amount"]) == (2, "79.25")
    assert strata(made, strata="amount", size=5)["amount unknown"] == (2, 2)
    patients = draw(made, Design(unit="patient", size=5))
    assert patients.frame.filter(pl.col("unit_id") == "patient:p0001").rows() == [
        ("patient:p0001", "all", 2, Decimal("31.25"))
    ]
    assert patients.manifest["without_amount"] == 1


def test_an_export_without_any_amount_is_sampled(tmp_path: Path):
    claims = [claim(number, billed_amount=None, paid_amount=None) for number in range(9)]
    made = a_run(tmp_path / "run", claims)
    assert strata(made, strata="amount", size=3) == {"amount unknown": (9, 3)}


def test_a_patient_is_reported_with_all_claims_side_by_side(tmp_path: Path):
    claims = [
        claim(
            1, patient_id="p", service_date=date(2026, 3, 9), disposition="violation", violations=["DUR001", "LBK001"]
        ),
        claim(2, patient_id="p", service_date=date(2026, 3, 2), paid_amount=None, call_ids=["x", "y"]),
        claim(3, patient_id="q"),
    ]
    made = draw(a_run(tmp_path / "run", claims), Design(unit="patient", strata="disposition", size=3))
    reported = made.sample.filter(pl.col("patient_ids") == "p").row(0, named=True)
    assert reported["stratum"] == "disposition violation"
    assert (reported["claims"], reported["amount"], reported["billed_amount"]) == (
        2,
        Decimal("79.25"),
        Decimal("96.00"),
    )
    assert reported["claim_ids"] == "c0002; c0001"
    assert reported["service_dates"] == "2026-03-02; 2026-03-09"
    assert reported["violations"] == "; DUR001 LBK001"
    assert reported["call_ids"] == "x y; k0001"


def test_the_folder_is_private_new_and_reproducible(run: Path, tmp_path: Path):
    for name in ("one", "two"):
        write(tmp_path / name, draw(run, Design(seed=5, size=12, spares=1)))
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["frame.csv", "frame.json", "sample.csv", "sample.xlsx"]
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
        assert stat.S_IMODE((tmp_path / "one" / name).stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "one").stat().st_mode) == 0o700
    with pytest.raises(UsageError, match="this folder exists"):
        write(tmp_path / "one", draw(run, Design()))


def test_a_failed_write_leaves_nothing(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """And until all is written, which a killed process never does, there is a hidden folder only."""
    before, during = set(tmp_path.iterdir()), []

    def full(*_: object) -> None:
        during.extend(set(tmp_path.iterdir()) - before)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sample_book, "write", full)
    with pytest.raises(OutputFailed, match="No space left"):
        write(tmp_path / "out", draw(run, Design()))
    assert [path.name.startswith(".unfinished-out-") for path in during] == [True]
    assert set(tmp_path.iterdir()) == before


def test_a_seed_of_the_system_is_recorded(run: Path):
    first, second = (draw(run, Design(size=10)) for _ in range(2))
    assert first.manifest["seed"] != second.manifest["seed"]
    assert first.manifest["seed_from"] == "system"
    again = draw(run, Design(size=10, seed=first.manifest["seed"]))
    assert again.sample.equals(first.sample)
    assert again.manifest["seed_from"] == "given"


def test_the_work_paper(tmp_path: Path):
    made = a_run(tmp_path / "run", [claim(1, claim_id="=1+1"), claim(2, claim_id="0042", provider_id="_x0041_")])
    write(tmp_path / "out", draw(made, Design(seed=1, size=2)))
    sheet = fastexcel.read_excel(tmp_path / "out/sample.xlsx").load_sheet("Sample", header_row=1, dtypes="string")
    rows = {row["unit_id"]: row for row in sheet.to_polars().iter_rows(named=True)}
    assert rows["claim:%3D1%2B1:1:98968"]["claim_ids"] == "=1+1"
    assert rows["claim:0042:1:98968"]["claim_ids"] == "0042"
    assert rows["claim:0042:1:98968"]["provider_ids"] == "_x0041_"
    assert {row["error_amount"] for row in rows.values()} == {None}
    text = (tmp_path / "out/sample.csv").read_text()
    assert ",'=1+1," in text
    with zipfile.ZipFile(tmp_path / "out/sample.xlsx") as book:
        xml, styles = (book.read(f"xl/{name}.xml").decode() for name in ("worksheets/sheet1", "styles"))
    assert "<sheetProtection " in xml
    assert "<f>" not in xml
    formats = re.findall(r"<xf [^>]*/>|<xf .*?</xf>", styles.partition("<cellXfs")[2])
    used = [int(at) for at in re.findall(r'<col [^>]*style="(\d+)"', xml)]
    assert ['locked="0"' in formats[at] for at in used] == [False] * (len(used) - 2) + [True, True]
    cells = {cell: formats[int(at)] for cell, at in re.findall(r'<c r="([A-Z]+)3" s="(\d+)"', xml)}
    assert cells and not any('locked="0"' in how for how in cells.values())
    assert 'type="decimal"' in xml


@pytest.mark.parametrize(
    ("design", "error", "reported"),
    [
        ({"unit": "visit"}, UsageError, "--unit: `visit` must be one of claim, patient"),
        ({"of": "all"}, UsageError, "--of: `all` must be one of audited, flagged"),
        ({"strata": "payer"}, UsageError, "--strata: `payer` must be one of none, disposition"),
        ({"size": 1}, UsageError, "--size: 1 must be from 2 to"),
        ({"spares": -1}, UsageError, "--spares: -1 must be from 0"),
        ({"seed": -1}, UsageError, "--seed: must be a whole number, 0 or more"),
        ({"unit": "patient", "strata": "month"}, UsageError, "--strata month: a patient may be in several strata"),
        ({"strata": "disposition", "size": 7}, UsageError, "--size: 7 units are too few for 4 strata, which need 8"),
    ],
)
def test_impossible_designs(run: Path, design: dict[str, Any], error: type[AuditError], reported: str):
    with pytest.raises(error, match=re.escape(reported)):
        draw(run, Design(**design))


def test_an_empty_population_is_refused(tmp_path: Path):
    made = a_run(tmp_path / "run", [claim(1)])
    with pytest.raises(InputRefused, match="the population `violation` has no claims"):
        draw(made, Design(of="violation"))


def test_a_size_beyond_the_frame_is_a_full_review(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert frame_command.frame(run, tmp_path / "out", Design(size=1_000)) == 0
    reported = capsys.readouterr().out
    assert "160 of 160 claims drawn" in reported
    assert "Every unit is drawn" in reported


def test_no_identifier_on_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    claims = [
        claim(number, claim_id=f"CANARY{number}", patient_id=f"CANARY{number}", provider_id="CANARY")
        for number in range(9)
    ]
    made = a_run(tmp_path / "run", claims)
    frame_command.frame(made, tmp_path / "one", Design(strata="provider", size=4, seed=3))
    reported = capsys.readouterr().out
    assert "CANARY" not in reported
    assert "stratum 1: 4 of 9" in reported
    assert "Seed 3, as given" in reported
    frame_command.frame(made, tmp_path / "two", Design(strata="provider", size=4, seed=3), show_ids=True)
    assert "provider CANARY: 4 of 9" in capsys.readouterr().out


def test_row_order_of_the_run_changes_nothing(run: Path, tmp_path: Path):
    claims = pl.read_parquet(run / "claims.parquet")
    other = a_run(tmp_path / "other", claims.reverse().to_dicts())
    for unit in ("claim", "patient"):
        one, two = (draw(each, Design(unit=unit, seed=4, size=9)) for each in (run, other))
        assert one.frame.equals(two.frame)
        assert one.sample.equals(two.sample)


def test_frames_hold_text_as_it_is(tmp_path: Path):
    """A provider that looks like a formula or holds quotes leaves the hash and the strata intact."""
    names = ['=cmd"x', "-5", "a,b\nc"]
    made = a_run(tmp_path / "run", [claim(number, provider_id=names[number % 3]) for number in range(30)])
    write(tmp_path / "out", draw(made, Design(strata="provider", size=9)))
    raw = (tmp_path / "out/frame.csv").read_bytes()
    read = pl.read_csv(io.BytesIO(raw), infer_schema=False)
    reported = json.loads((tmp_path / "out/frame.json").read_text())
    assert dict(read.group_by("stratum").len().iter_rows()) == {
        each["name"]: each["units"] for each in reported["strata"]
    }
    assert math.fsum(map(float, read["amount"])) == float(reported["amount"])


def test_a_real_run_is_sampled_by_its_output_folder(tmp_path: Path):
    """What an audit publishes has what a sample needs."""
    for name, text in (("calls", CALLS), ("visits", VISITS)):
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    settings = Settings(
        paths={name: (str(tmp_path / f"{name}.csv"),) for name in ("calls", "visits")},
        policy=policies.load("default", select, "America/New_York"),
        max_rejects="100%",
    )
    calls = tmp_path / "calls.csv"
    header, *rows = calls.read_text().splitlines()
    calls.write_text("\n".join([f"{header},paid_amount", *(f"{row},31.25" for row in rows)]) + "\n")
    result = audited_here(settings)
    with folder.locked(tmp_path / "out"):
        reported = summary.of_result(result, settings, Run("r1", datetime(2026, 4, 1, tzinfo=UTC)))
        folder.publish(tmp_path / "out", result, reported)
    made = draw(tmp_path / "out", Design(size=4, strata="month"))
    assert made.manifest["run_id"] == "r1"
    assert made.manifest["units"] == reported.claims.audited
    assert made.sample.height == 4
    assert set(made.sample["dispositions"]) <= set(framing.POPULATIONS["audited"])
    write(tmp_path / "frame", made)
