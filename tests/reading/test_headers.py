"""Headers: which column is which, and what a message may show of them."""

from pathlib import Path

import pytest

from auditor.errors import InputRefused
from auditor.policy import Policy
from tests.support.reading import HEADER, ROWS, TEXT, one, own_policy, read_table


def test_joined_columns_and_own_values(tmp_path: Path):
    policy = own_policy(
        tmp_path,
        """
[columns.visits]
visit_start = ["Day", "Time"]
booked_at = "Asked"
[values.visits.status]
"gone home" = "completed"
no_show = ["absent", "not there"]
""",
    )
    data = b"visit_id,patient_id,Day,Time,Asked,status\n1,P1,3/2/2026,9:00 AM,2026-02-01,Gone-Home\n2,P2,3/2/2026,,,NOT THERE\n"
    table = one(tmp_path, policy, data)
    assert table.rows.select("visit_start_date_only", "status").rows() == [(False, "completed"), (True, "no_show")]


def test_a_mapped_column_that_no_file_has_is_refused(tmp_path: Path):
    policy = own_policy(tmp_path, '[columns.visits]\nbooked_at = "Asked"\n')
    with pytest.raises(InputRefused, match="booked_at = 'Asked'"):
        one(tmp_path, policy, TEXT.encode())


def test_a_mapping_leaves_the_names_of_other_files_alone(tmp_path: Path):
    policy = own_policy(tmp_path, '[columns.visits]\nstatus = "Appt Status"\nvisit_start = ["Day", "Time"]\n')
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text("visit_id,patient_id,Day,Time,Appt Status\n1,P1,2026-03-02,9:00 AM,seen\n")
    (tmp_path / "data" / "b.csv").write_text(f"{HEADER}\n2,P2,2026-03-02 09:00,cancelled\n")
    table = read_table(tmp_path / "data", policy)
    assert table.rows.sort("visit_id")["status"].to_list() == ["completed", "cancelled"]
    (tmp_path / "data" / "c.csv").write_text("visit_id,patient_id,Day,status\n3,P3,2026-03-02,seen\n")
    with pytest.raises(InputRefused, match="has no 'Time'"):
        read_table(tmp_path / "data", policy)


def test_a_file_without_a_header_line_shows_no_value(tmp_path: Path, policy: Policy):
    with pytest.raises(InputRefused) as refusal:
        one(tmp_path, policy, b"K1,Jane CANARY,D1,2026-03-09 09:00\n")
    assert "4 columns with headers that look like data; is the header line missing?" in str(refusal.value)
    assert "CANARY" not in str(refusal.value)


def test_a_first_line_without_a_known_header_is_not_quoted(tmp_path: Path, policy: Policy):
    """The words of a vocabulary are none: `patient` calls, `provider` calls."""
    with pytest.raises(InputRefused) as refusal:
        one(tmp_path, policy, b"KAY,Jane CANARY,patient,provider,seen\n")
    assert "5 columns without a known header; is the header line missing?" in str(refusal.value)
    assert "CANARY" not in str(refusal.value)


def test_ten_thousand_columns(tmp_path: Path, policy: Policy):
    names, cells = ",".join(f"c{n}" for n in range(10_000)), "," * 9_999
    assert one(tmp_path, policy, f"{HEADER},{names}\n{ROWS},{cells}\n".encode()).rows.height == 1
    with pytest.raises(InputRefused, match="and 9,954 more") as refusal:
        one(tmp_path, policy, f"visit_id,{','.join('c' * (n % 9 + 1) for n in range(10_003))}\n".encode())
    assert len(str(refusal.value)) < 2_000


def test_a_header_never_shows_what_a_stray_quote_swallowed(tmp_path: Path, policy: Policy):
    for data in ('visit_id,"patient_id\nJane CANARY,x",y\n', '"visit_id"x,y\nCANARY,"a"\n', 'visit "id\nCANARY",y\n'):
        with pytest.raises(InputRefused) as refusal:
            one(tmp_path, policy, data.encode())
        assert "CANARY" not in str(refusal.value)


def test_a_file_with_a_known_or_a_mapped_column_has_a_header_line(tmp_path: Path, policy: Policy):
    """Beside a header that looks like data, others are not named: they may be data too."""
    with pytest.raises(InputRefused) as refusal:
        one(tmp_path, policy, b"visit_id,CANARY,2025 total\n")
    assert "the file has: 'visit_id' and 2 more; accepted" in str(refusal.value)
    mapped = own_policy(tmp_path, '[columns.visits]\nvisit_id = "cid"\n')
    with pytest.raises(InputRefused, match="the file has: 'cid', 'Day'; accepted"):
        one(tmp_path, mapped, b"cid,Day\n")
    other_table = own_policy(tmp_path, '[columns.calls]\ncall_id = "cid"\n')
    with pytest.raises(InputRefused, match="the file has: 'cid', 'Day'; accepted"):
        one(tmp_path, other_table, b"cid,Day\n")
