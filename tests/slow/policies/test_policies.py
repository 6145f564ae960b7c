"""Odd policies, a short selection: `make policies` tries every key with every value."""

from pathlib import Path

import pytest

from auditor import policy as policies
from auditor.errors import UsageError
from auditor.rules import select
from tests.slow.policies.check import ODD, OPEN, audits, keys, loads
from tests.support.catalogue import command


def test_every_key_with_an_odd_value_is_accepted_or_named(tmp_path: Path) -> None:
    for number, key in enumerate((*keys(), *OPEN)):
        for step in (0, 16):
            loads(f"{key} = {ODD[(number + step) % len(ODD)]}\n", tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('coverage.closed = ["9999-12-25"]', "coverage.closed"),
        ("lookback.postoperative_days = [-1]", "lookback.postoperative_days"),
        ("lists = 5", "lists"),
        ("lists.procedures.add = 5", "lists.procedures.add: must be a list of codes"),
        ('lists.procedures = {file = "x.csv", column = 5}', "lists.procedures.column: must be a text"),
        ("bands.98968.high = 99999999999999999999", "bands.98968.high"),
        (f"horizon_days = {'9' * 5000}", "not valid TOML"),
        (f"{'.'.join(['lists', *'a' * 2000])} = 1", "lists: nested too deeply"),
        ('timezone = "Factory"', "timezone: not an IANA time zone"),
    ],
)
def test_a_bad_policy_is_refused_with_its_key(text: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(UsageError, match=f"bad.toml(, line 1)?: .*{says}|bad.toml: {says}"):
        policies.load(str(tmp_path / "bad.toml"), select)


def test_several_unknown_keys_are_named_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text('zz = 1\nsha256 = ""\nhorizon_day = 3\n[lists.procedures]\nadded = []\n[frequency]\nperiod = 7\n')
    with pytest.raises(UsageError) as refused:
        policies.load(str(path), select)
    named = [part.split(": ")[-2] for part in str(refused.value).split("; ") if ": unknown key" in part]
    assert named == ["zz", "sha256", "horizon_day", "lists.procedures.added", "frequency.period"]
    path.write_text('[columns.calls]\ncal_id = "x"\npatient = "y"\n[rows.call]\n')
    with pytest.raises(
        UsageError, match=r"line 2: columns.calls.cal_id: .*line 3: columns.calls.patient: .*line 4: rows.call:"
    ):
        policies.load(str(path), select)


def test_a_policy_that_is_accepted_audits(tmp_path: Path) -> None:
    audits("frequency.max_units = 1000000\nlookback.postoperative_days = [366]\nmax_expansion = 1000000\n", tmp_path)


@pytest.mark.parametrize("key", ["out", "log_file", "pseudonymize"])
def test_an_option_of_the_policy_that_is_wrong_is_named_with_its_key(
    key: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.toml").write_text(f'run.{key} = "a\\u0000b"\n')
    words = ["--calls", "calls.csv", "--visits", "visits.csv", "--policy", str(tmp_path / "bad.toml")]
    assert command(["check", *words]) == 2
    assert f"bad.toml: run.{key}: has a null character" in capfd.readouterr().err
