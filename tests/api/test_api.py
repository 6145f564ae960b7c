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
