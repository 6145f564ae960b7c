"""Amounts of money, and texts that could state two."""

from pathlib import Path

import pytest

from auditor.policy import Policy
from tests.support.reading import CALL, one


@pytest.mark.parametrize(
    ("written", "amount"),
    [('"$1,234.50"', "1234.50"), ("(5.25)", "-5.25"), ("-3", "-3.00"), (".5", "0.50"), ("7", "7.00")],
)
def test_money(tmp_path: Path, policy: Policy, written: str, amount: str):
    table = one(tmp_path, policy, f"{CALL},paid_amount\n1,P1,D,2026-03-02 09:00,{written}\n".encode(), "calls")
    assert str(table.rows["paid_amount"][0]) == amount


@pytest.mark.parametrize("written", ['"40,00"', '"1,2,3"', "(5", "5)", "--5", '"1,5"'])
def test_amounts_that_could_mean_two_things_are_rejected(tmp_path: Path, policy: Policy, written: str):
    table = one(tmp_path, policy, f"{CALL},paid_amount\n1,P1,D,2026-03-02 09:00,{written}\n".encode(), "calls")
    assert table.rejects["reason"].to_list() == ["paid_amount is not a valid amount of money"]
