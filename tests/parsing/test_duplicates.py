"""Rows of one id."""

from pathlib import Path

from auditor.policy import Policy
from tests.support.reading import HEADER, ROWS, one


def test_rows_of_one_id(tmp_path: Path, policy: Policy):
    rows = """1,P1,2026-03-02 09:00,seen,E11.9;I10
1,P1,2026-03-02 09:00,completed,F32.1
1,P1,2026-03-02T09:00,seen,F32.1
2,P2,2026-03-02 09:00,seen,
2,P2,2026-03-02 10:00,seen,
3,P3,2026-03-02 09:00,seen,
3,P3,2026-03-02 09:00,seen,
"""
    table = one(tmp_path, policy, f"{HEADER},dx\n{rows}".encode())
    assert table.rows.sort("visit_id").select("visit_id", "diagnosis_codes").rows() == [
        ("1", ["E11", "F32", "I10"]),
        ("3", []),
    ]
    assert table.rejects.select("source_record", "reason").rows() == [
        (3, "duplicate row"),
        (4, "conflicting rows for one id: visit_start differ"),
        (5, "conflicting rows for one id: visit_start differ"),
        (7, "duplicate row"),
    ]
    assert table.patients_with_rejects.to_list() == ["P2"]


def test_copies_of_a_faulty_row_are_duplicates(tmp_path: Path, policy: Policy):
    faulty = "8,P2,yesterday,seen\n"
    table = one(tmp_path, policy, f"{HEADER}\n{ROWS}\n{faulty}{faulty}9,P2,yesterday,seen\n".encode())
    reasons = [
        (record, reason.partition(":")[0]) for record, reason in table.rejects.select("source_record", "reason").rows()
    ]
    assert reasons == [
        (2, "visit_start is not a valid date or time"),
        (3, "duplicate row"),
        (4, "visit_start is not a valid date or time"),
    ]
    assert (table.faulty["count"].sum(), table.patients_with_rejects.to_list()) == (2, ["P2"])
