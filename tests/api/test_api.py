"""The audit as a function: the example of docs/python.md as printed, and the same findings as the command's."""

import contextlib
import io
import re
from datetime import date
from pathlib import Path

import polars as pl
import pytest

import auditor
from auditor.errors import InputRefused, UsageError
from cli.__main__ import repeat_table_flags
from cli.app import app

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "sample_data"
TABLES = ("calls", "visits", "providers")


def test_the_page_prints_what_it_says():
    code, printed = re.findall(r"```(?:python)?\n(.*?)```", (ROOT / "docs" / "python.md").read_text(), re.S)[:2]
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "python.md", "exec"), {})
    assert out.getvalue() == printed


def test_frames_give_the_findings_of_the_command(tmp_path: Path):
    frames = {name: pl.read_csv(SAMPLE / f"{name}.csv", infer_schema=False) for name in TABLES}
    frames["visits"] = frames["visits"].lazy()
    made = auditor.audit(**frames, policy=str(SAMPLE / "policy.toml"))
    flags = [text for name in TABLES for text in (f"--{name}", str(SAMPLE / f"{name}.csv"))]
    out = tmp_path / "out"
    with pytest.raises(SystemExit):
        app(args=repeat_table_flags(["run", *flags, "--policy", str(SAMPLE / "policy.toml"), "--out", str(out),
                                     "--write", "evidence", "--format", "none", "--ledger", "none"]))  # fmt: skip
    for name in ("findings", "claims", "evidence"):
        ours, written = getattr(made, name), pl.read_parquet(out / "latest" / f"{name}.parquet")
        assert ours.height
        assert ours.drop("source_file", strict=False).equals(written.drop("source_file", strict=False)), name
    assert set(made.claims["source_file"]) == {"calls"}
    assert [file.path for file in made.summary.inputs] == [*TABLES]
    assert made.rejects.columns[0] == "table_name"


def test_the_settings_name_each_file_of_a_table(tmp_path: Path):
    calls = pl.read_csv(SAMPLE / "calls.csv", infer_schema=False)
    parts = [tmp_path / "first.csv", tmp_path / "second.csv"]
    for part, rows in zip(parts, (calls.head(200), calls.tail(-200)), strict=True):
        rows.write_csv(part)
    visits = pl.read_csv(SAMPLE / "visits.csv", infer_schema=False)
    made = auditor.audit(calls=parts, visits=visits, policy=str(SAMPLE / "policy.toml"))
    assert made.summary.settings["paths"] == {"calls": [str(part) for part in parts], "visits": ["visits"]}


def test_options_are_those_of_the_command():
    paths = {name: SAMPLE / f"{name}.csv" for name in TABLES}
    made = auditor.audit(**paths, policy=str(SAMPLE / "policy.toml"), select=["DUR"], service_from=date(2026, 1, 1))
    assert set(made.findings["rule"].cast(pl.String)) == {"DUR001", "DUR002", "DUR003"}


def test_wrong_inputs_and_options_are_named():
    calls = pl.DataFrame({"call_id": ["k1"]})
    with pytest.raises(InputRefused, match="calls"):
        auditor.audit(calls=calls, visits=calls)
    with pytest.raises(UsageError, match="no rule 'DUR9'"):
        auditor.audit(calls=calls, visits=calls, select=["DUR9"])
    with pytest.raises(UsageError, match=r"selct: no option of auditor\.audit; did you mean select"):
        auditor.audit(calls=calls, visits=calls, selct=["DUR001"])
    with pytest.raises(UsageError, match="codes: '99213' is none of 98966, 98967, 98968"):
        auditor.audit(calls=calls, visits=calls, codes=["99213"])
    with pytest.raises(UsageError, match="max_rejects: must be a number of rows or a percentage"):
        auditor.audit(calls=calls, visits=calls, max_rejects="few")
    with pytest.raises(InputRefused, match="calls"):
        auditor.audit(calls=calls, visits=calls, max_rejects=5)
    with pytest.raises(UsageError, match="calls is missing: give its frame or path"):
        auditor.audit(visits=calls)
    with pytest.raises(UsageError, match="calls: must be a polars frame, a path or a list of paths"):
        auditor.audit(calls={"call_id": ["k1"]}, visits=calls)
    with pytest.raises(UsageError, match="max_rejects: must be a number of rows or a percentage"):
        auditor.audit(calls=calls, visits=calls, max_rejects=0.1)
    with pytest.raises(UsageError, match="allow_empty: must be True or False"):
        auditor.audit(calls=calls, visits=calls, allow_empty="no")
    with pytest.raises(UsageError, match="select: no rule 'DUR9'"):
        auditor.audit(calls=calls, visits=calls, select="DUR,DUR9")


ODD = {
    "objects": (pl.Series([object()], dtype=pl.Object), "calls: column 'patient_id' has objects of Python"),
    "records": (pl.Series([{"id": "p1"}]), "calls: column 'patient_id' has nested data"),
    "times": (pl.Series([None], dtype=pl.Time), None),
    "wide": (pl.Series([1], dtype=pl.Int128), None),
    "categories": (pl.Series(["1"], dtype=pl.Categorical), None),
    "bytes": (pl.Series([b"1"]), None),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_types_are_read_or_refused_in_words(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The message speaks of the frame, not of the file that it was written to, of which nothing is left."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    values, refused = ODD[name]
    calls = pl.DataFrame(
        {"call_id": ["k1"], "patient_id": values, "provider_id": ["r"], "call_start": ["2026-03-02 09:00"]}
    )
    visits = pl.DataFrame(
        {"visit_id": ["v1"], "patient_id": ["1"], "provider_id": ["r"], "visit_start": ["2026-03-01 09:00"]}
    )
    with pytest.raises(InputRefused) if refused or name == "times" else contextlib.nullcontext() as raised:
        auditor.audit(calls=calls, visits=visits, allow_unjoined=True, require=[])
    if raised:
        assert (refused or "calls: ") in str(raised.value)
        assert str(tmp_path) not in str(raised.value)
    assert not list(tmp_path.iterdir())
