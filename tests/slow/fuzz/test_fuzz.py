"""A few cases of `make fuzz`, so that the suite notices when it no longer runs, and that its checks can fail."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.slow.fuzz.exports import Table
from tests.slow.fuzz.verify import Ran, Touched, terminal
from tests.support.program import HANG

HERE = Path(__file__).resolve().parent


@pytest.mark.slow
def test_some_cases_hold(tmp_path: Path):
    words = [sys.executable, str(HERE / "check.py"), "--cases", "6", "--keep", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=HANG)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "        6  cases" in done.stdout


@pytest.mark.parametrize(
    ("ran", "fault"),
    [
        (Ran(4, "", "audit98968: error: internal error (ValueError)\n", None), "exit 4"),
        (Ran(0, "patient ZQX000000004\n", "", None), "identifier"),
        (Ran(0, "", "Traceback (most recent call last):\n", None), "words of others"),
        (Ran(3, "", "", None), "refusal"),
    ],
)
def test_what_the_terminal_must_not_show_is_found(ran: Ran, fault: str):
    assert any(fault in found for found in terminal(ran, "text"))


def test_whoever_shares_an_id_is_touched():
    headers = ["call_id", "patient_id", "provider_id", "claim_id"]
    before = [["k1", "p1", "a", "c1"], ["k2", "p2", "b", "c2"], ["k3", "p3", "b", "c3"]]
    after = [["k1", "p1", "a", "c2"], *before[1:]]
    touched = Touched({"calls": Table(headers, before).facts("calls")}, {"calls": Table(headers, after).facts("calls")})
    assert touched.patients == {"p1", "p2"}
    assert touched.providers == {"a", "b"}
