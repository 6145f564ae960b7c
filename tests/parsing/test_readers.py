"""Every kind of value through a whole table: typed values and reasons for rejection."""

from pathlib import Path

import pytest

from auditor.parsing.readers import READERS
from auditor.policy import Policy
from auditor.schema.tables import Kind
from tests.support.reading import CALL, one


@pytest.mark.parametrize(
    ("column", "written", "value"),
    [
        ("call_minutes", "25", 1_500_000_000),
        ("call_minutes", "25.5", 1_530_000_000),
        ("call_minutes", "25:30", 1_530_000_000),
        ("call_minutes", "1:00:05", 3_605_000_000),
        ("call_seconds", "90", 90_000_000),
        ("units", "1.0", 1.0),
        ("established", "Y", True),
        ("established", "perhaps", None),
        ("initiated_by", "In-Bound", "patient"),
        ("caller", "Legal Guardian", "guardian"),
        ("purpose", "FOLLOW UP", "follow_up"),
        ("doc_reason", "N/A", False),
        ("doc_reason", "no", False),
        ("doc_reason", "see note", True),
        ("cpt_code", "98968-95", "98968"),
        ("cpt_code", "g0250", "G0250"),
        ("claim_status", "Reversed", "reversed"),
        ("claim_status", "paid", "active"),
    ],
)
def test_values(tmp_path: Path, policy: Policy, column: str, written: str, value: object):
    table = one(tmp_path, policy, f"{CALL},{column}\n1,P1,D,2026-03-02 09:00,{written}\n".encode(), "calls")
    assert table.rows[column].to_list() == [value]


@pytest.mark.parametrize(
    ("cells", "column", "reason"),
    [
        ("call_minutes|-1", "call_minutes", "call_minutes is negative"),
        ("call_minutes|1441", "call_minutes", "call_minutes is over 24 h"),
        ("call_minutes|a while", "call_minutes", "call_minutes is not a valid duration, such as 21, 21:30 or PT21M30S"),
        ("call_end|2026-03-02 08:59", "call_end", "call_end is before call_start"),
        ("call_end|2026-03-03 09:01", "call_end", "the call is over 24 h"),
        ("paid_amount|five", "paid_amount", "paid_amount is not a valid amount of money"),
        ("units|few", "units", "units is not a number"),
    ],
)
def test_values_that_reject_their_row(tmp_path: Path, policy: Policy, cells: str, column: str, reason: str):
    name, written = cells.split("|")
    table = one(tmp_path, policy, f"{CALL},{name}\n1,P1,D,2026-03-02 09:00,{written}\n".encode(), "calls")
    assert table.rejects.select("column", "reason").rows() == [(column, reason)]


def test_every_kind_of_value_has_a_reader():
    assert set(READERS) == set(Kind)
