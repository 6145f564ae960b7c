"""Reading: forms of files, forms of values, rejects with reasons, and the count that always adds up."""

import gzip
import hashlib
import os
import threading
import time
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from auditor import policy as policies
from auditor.cells.normalise import Table, normalise
from auditor.errors import InputRefused
from auditor.policy import Policy
from auditor.reading import csv as csvfile
from auditor.reading import ingest
from auditor.rules import select

HEADER = "visit_id,patient_id,visit_start,status"
ROWS = "007,P1,2026-03-02 09:00,completed"


@pytest.fixture
def policy() -> Policy:
    return policies.load("default", select, "America/New_York")


def own_policy(tmp_path: Path, text: str) -> Policy:
    (tmp_path / "policy.toml").write_text('timezone = "America/New_York"\n' + text)
    return policies.load(str(tmp_path / "policy.toml"), select)


def read(path: Path, policy: Policy, table: str = "visits") -> Table:
    extract = ingest.read_table(table, (str(path),), policy)
    made = normalise(extract, policy)
    merged = extract.frame.height + extract.rejects.height - made.rejects.height - made.rows.height
    assert merged >= 0
    assert sum(file.rows for file in extract.files) == made.rows.height + merged + made.rejects.height
    return made


def one(tmp_path: Path, policy: Policy, data: bytes, table: str = "visits") -> Table:
    (tmp_path / "file.csv").write_bytes(data)
    return read(tmp_path / "file.csv", policy, table)


def zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


TEXT = f"{HEADER}\n{ROWS}\n"


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        b"\xef\xbb\xbf" + TEXT.encode(),
        TEXT.encode("utf-16"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        TEXT.replace(",", "\t").encode(),
        TEXT.replace(",", "|").encode(),
        TEXT.replace(",", ";").encode(),
        TEXT.replace("P1", '"P1"').encode(),
        ("\n\n" + TEXT + "\n\n").encode(),
        TEXT.rstrip("\n").encode(),
        gzip.compress(TEXT.encode()),
        zstd(TEXT.encode()),
        TEXT.replace("visit_id", "Visit.ID").replace("patient_id", "MRN").replace("visit_start", "Visit - Start").encode(),
        (HEADER + "\n" + ROWS + ",,,\n").encode(),
    ],
    ids=["plain", "bom", "utf-16-le", "utf-16-be", "crlf", "cr", "tab", "pipe", "semicolon", "quoted", "blank-lines", "no-end",
         "gzip", "zstd", "headers", "trailing-empty"],
)  # fmt: skip
def test_every_form_of_csv_gives_the_same_row(tmp_path: Path, policy: Policy, data: bytes):
    table = one(tmp_path, policy, data)
    row = table.rows.select(
        "visit_id", "patient_id", pl.col("visit_start").dt.to_string("%FT%R"), "status", "source_record"
    )
    assert row.rows() == [("007", "P1", "2026-03-02T14:00", "completed", 1)]
    assert table.rejects.is_empty()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty"),
        (gzip.compress(TEXT.encode(), mtime=0)[:-9], "damaged or cut short"),
        (zstd(TEXT.encode())[:-4], "damaged or cut short"),
        (TEXT.replace("P1", "Jos\xe9").encode("latin-1"), "line 2: not UTF-8 text"),
        (TEXT.replace("P1", "P\0").encode(), "line 2: a NUL byte"),
        (TEXT.replace("P1", '"P1').encode(), "record 1: a quote is opened and never closed"),
        (b"PAR1" + TEXT.encode(), "not readable as Parquet"),
        (TEXT.replace("status", "visit_status,status").replace(ROWS, ROWS + ",x").encode(), "'visit_status' and 'status'"),
        (TEXT.replace("visit_start", "when").encode(), "no column for visits.visit_start"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_read_are_refused(tmp_path: Path, policy: Policy, data: bytes, says: str):
    with pytest.raises(InputRefused) as refusal:
        one(tmp_path, policy, data)
    assert says in str(refusal.value)
    assert "file.csv" in str(refusal.value)
    assert "Jos" not in str(refusal.value)


def test_ragged_records_are_rejected_one_by_one(tmp_path: Path, policy: Policy):
    table = one(
        tmp_path,
        policy,
        f'{HEADER}\n{ROWS}\n8,P2\n9,P3,2026-03-02,completed,more\n10,"P"4,x,y\n11,P5,2026-03-02,seen\n'.encode(),
    )
    assert table.rows["visit_id"].to_list() == ["007", "11"]
    assert table.rejects.select("source_record", "reason").rows() == [
        (2, "2 fields where the header has 4"),
        (3, "5 fields where the header has 4"),
        (4, "text after a closing quote"),
    ]


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2026-03-02", "2026-03-02T05:00:00"),
        ("2026-03-02T09:00", "2026-03-02T14:00:00"),
        ("2026-03-02 09:00:30.5", "2026-03-02T14:00:30.500"),
        ("2026-03-02T09:00:00Z", "2026-03-02T09:00:00"),
        ("2026-03-02 09:00:00+05:30", "2026-03-02T03:30:00"),
        ("2026-03-02T09:00:00-0500", "2026-03-02T14:00:00"),
        ("3/2/2026", "2026-03-02T05:00:00"),
        ("3/2/2026 9:05", "2026-03-02T14:05:00"),
        ("03/02/2026 12:05 AM", "2026-03-02T05:05:00"),
        ("3/2/2026 12:05:09PM", "2026-03-02T17:05:09"),
    ],
)
def test_instants(tmp_path: Path, policy: Policy, written: str, utc: str):
    table = one(tmp_path, policy, f"{HEADER}\n1,P1,{written},seen\n".encode())
    assert table.rows["visit_start"].dt.to_string("%FT%T%.f").to_list() == [utc]


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "visit_start is blank"),
        ("soon", "visit_start is no date or time that can be read"),
        ("2026-02-30", "visit_start is no date or time that can be read"),
        ("13/13/2026", "visit_start is no date or time that can be read"),
        ("2026-03-02 25:00", "visit_start is no date or time that can be read"),
        ("2026-03-08 02:30", "visit_start is a local time that the DST change in America/New_York skips"),
        ("2026-11-01 01:30", "visit_start is a local time that the DST change in America/New_York repeats"),
    ],
)
def test_instants_that_reject_their_row(tmp_path: Path, policy: Policy, written: str, reason: str):
    table = one(tmp_path, policy, f"{HEADER}\n1,P1,{written},seen\n".encode())
    assert table.rejects.select("column", "reason", "patient_id").rows() == [("visit_start", reason, "P1")]
    assert table.tainted.to_list() == ["P1"]


@pytest.mark.parametrize(
    ("dst", "skipped", "repeated"),
    [("first", "2026-03-08T07:30", "2026-11-01T05:30"), ("second", "2026-03-08T06:30", "2026-11-01T06:30")],
)
def test_the_policy_decides_skipped_and_repeated_times(tmp_path: Path, dst: str, skipped: str, repeated: str):
    policy = own_policy(tmp_path, f'dst = "{dst}"\n')
    table = one(tmp_path, policy, f"{HEADER}\n1,P1,2026-03-08 02:30,seen\n2,P1,2026-11-01 01:30,seen\n".encode())
    assert table.rows["visit_start"].dt.to_string("%FT%R").to_list() == [skipped, repeated]


def test_the_policys_formats_come_first_and_day_first_never_becomes_month_first(tmp_path: Path):
    policy = own_policy(tmp_path, 'instant_formats = ["%d/%m/%Y", "%d-%b-%Y %H:%M"]\n')
    rows = "1,P1,03/04/2026,seen\n2,P1,27-OCT-1999 13:00,seen\n3,P1,12/31/2026,seen\n"
    table = one(tmp_path, policy, f"{HEADER}\n{rows}".encode())
    assert table.rows["visit_start_date"].cast(str).to_list() == ["2026-04-03", "1999-10-27"]
    assert table.rejects["source_record"].to_list() == [3]


@pytest.mark.parametrize(("count", "date_only"), [(19, False), (20, True)])
def test_a_whole_column_of_midnights_holds_dates(tmp_path: Path, policy: Policy, count: int, date_only: bool):
    rows = "".join(f"{number},P1,2026-03-{number % 28 + 1:02} 00:00:00,seen\n" for number in range(count))
    table = one(tmp_path, policy, f"{HEADER}\n{rows}".encode())
    assert table.rows["visit_start_date_only"].unique().to_list() == [date_only]


CALL = "call_id,patient_id,provider_id,call_start"


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
        ("claim_status", "Reversed", "void"),
        ("claim_status", "paid", "active"),
    ],
)
def test_values(tmp_path: Path, policy: Policy, column: str, written: str, value: object):
    table = one(tmp_path, policy, f"{CALL},{column}\n1,P1,D,2026-03-02 09:00,{written}\n".encode(), "calls")
    assert table.rows[column].to_list() == [value]


@pytest.mark.parametrize(
    ("written", "amount"),
    [('"$1,234.50"', "1234.50"), ("(5.25)", "-5.25"), ("-3", "-3.00"), (".5", "0.50"), ("7", "7.00")],
)
def test_money(tmp_path: Path, policy: Policy, written: str, amount: str):
    table = one(tmp_path, policy, f"{CALL},paid_amount\n1,P1,D,2026-03-02 09:00,{written}\n".encode(), "calls")
    assert str(table.rows["paid_amount"][0]) == amount


@pytest.mark.parametrize(
    ("cells", "column", "reason"),
    [
        ("call_minutes|-1", "call_minutes", "call_minutes is negative"),
        ("call_minutes|1441", "call_minutes", "call_minutes is over 24 h"),
        ("call_minutes|a while", "call_minutes", "call_minutes is no length such as 21 or 21:30 or PT21M30S"),
        ("call_end|2026-03-02 08:59", "call_end", "call_end is before call_start"),
        ("call_end|2026-03-03 09:01", "call_end", "the call is over 24 h"),
        ("paid_amount|five", "paid_amount", "paid_amount is no amount of money"),
        ("units|few", "units", "units is no number"),
    ],
)
def test_values_that_reject_their_row(tmp_path: Path, policy: Policy, cells: str, column: str, reason: str):
    name, written = cells.split("|")
    table = one(tmp_path, policy, f"{CALL},{name}\n1,P1,D,2026-03-02 09:00,{written}\n".encode(), "calls")
    assert table.rejects.select("column", "reason").rows() == [(column, reason)]


def test_a_call_needs_a_time(tmp_path: Path, policy: Policy):
    table = one(tmp_path, policy, f"{CALL}\n1,P1,D,2026-03-02\n".encode(), "calls")
    assert table.rejects["reason"].to_list() == ["call_start has a date but no time"]


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
        (4, "conflicting rows for one id"),
        (5, "conflicting rows for one id"),
        (7, "duplicate row"),
    ]
    assert table.tainted.to_list() == ["P2"]


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


def test_parquet_types_give_the_rows_of_their_text(tmp_path: Path, policy: Policy):
    frame = pl.DataFrame({"visit_id": [7, 8], "patient_id": [1.0, None], "visit_start": ["2026-03-02 09:00", "2026-03-02 00:00"],
                          "cpt_codes": [["99213", "G0438"], None], "global_days": [90.0, None]})  # fmt: skip
    frame = frame.with_columns(pl.col("visit_start").str.to_datetime("%Y-%m-%d %H:%M"))
    frame.write_parquet(tmp_path / "visits.parquet")
    table = read(tmp_path / "visits.parquet", policy)
    row = table.rows.select("visit_id", "patient_id", "cpt_codes", "global_days", "visit_start_date_only").rows()
    assert row == [("7", "1", ["99213", "G0438"], 90, False)]
    assert table.rejects["reason"].to_list() == ["patient_id is blank"]


def test_a_directory_is_read_with_strays_named(tmp_path: Path, policy: Policy):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text(TEXT)
    (tmp_path / "data" / "b.CSV.gz").write_bytes(gzip.compress(TEXT.replace("007", "008").encode()))
    (tmp_path / "data" / "readme.txt").write_text("no data")
    table = read(tmp_path / "data", policy)
    assert sorted(table.rows["visit_id"]) == ["007", "008"]
    assert table.warnings == ("visits: 1 files of other kinds in the folder were left alone",)
    assert read(tmp_path / "data" / "*.csv", policy).rows.height == 1


def test_identifiers_that_a_spreadsheet_rounded_are_warned_about(tmp_path: Path, policy: Policy):
    table = one(tmp_path, policy, TEXT.replace("007", "2.98725E+13").encode())
    assert "visits.visit_id: 1 identifiers look like rounded numbers" in table.warnings[0]
    assert table.rows["visit_id"].to_list() == ["2.98725E+13"]


SWALLOWED = "call_id,patient_id,provider_id,call_start,call_minutes,doc_summary\n"
for number, note in enumerate(["ok", '"said ok', "x", "y", '"fine too', "z"], start=1):
    SWALLOWED += f"K{number},P{number},D,2026-03-0{number} 09:00,25,{note}\n"


def test_a_quote_that_swallows_records_is_refused(tmp_path: Path, policy: Policy):
    """Two stray quotes make one field of four records; no reader can tell them apart."""
    with pytest.raises(InputRefused, match="record 2: a quoted field runs over several lines"):
        one(tmp_path, policy, SWALLOWED.encode(), "calls")


def test_text_after_a_closing_quote_rejects_its_record_whatever_the_other_rows(tmp_path: Path, policy: Policy):
    for other in ("2,P2,2026-03-02,seen", "2,P2"):
        table = one(tmp_path, policy, f'{HEADER}\n"1"x,P1,2026-03-02,seen\n{other}\n'.encode())
        assert (1, "text after a closing quote") in table.rejects.select("source_record", "reason").rows()


def test_quoted_newlines_and_doubled_quotes_are_read(tmp_path: Path, policy: Policy):
    data = f'{HEADER},problem_id\n1,P1,2026-03-02,seen,"a\n""b"", c"\n2,P2,2026-03-02,seen,""\n'.encode()
    assert one(tmp_path, policy, data).rows["problem_id"].to_list() == ['a"b", c', None]


def test_a_mapping_leaves_the_names_of_other_files_alone(tmp_path: Path):
    policy = own_policy(tmp_path, '[columns.visits]\nstatus = "Appt Status"\nvisit_start = ["Day", "Time"]\n')
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text("visit_id,patient_id,Day,Time,Appt Status\n1,P1,2026-03-02,9:00 AM,seen\n")
    (tmp_path / "data" / "b.csv").write_text(f"{HEADER}\n2,P2,2026-03-02 09:00,cancelled\n")
    table = read(tmp_path / "data", policy)
    assert table.rows.sort("visit_id")["status"].to_list() == ["completed", "cancelled"]
    (tmp_path / "data" / "c.csv").write_text("visit_id,patient_id,Day,status\n3,P3,2026-03-02,seen\n")
    with pytest.raises(InputRefused, match="has no 'Time'"):
        read(tmp_path / "data", policy)


@pytest.mark.parametrize(
    ("form", "written", "utc"),
    [
        ("%-m/%-d/%Y %-I:%M %p", "3/5/2026 4:30 PM", "2026-03-05T21:30"),
        ("%d-%b-%Y %k:%M", "05-Mar-2026 9:30", "2026-03-05T14:30"),
        ("%d.%m.%Y zu %H:%M", "05.03.2026 zu 09:30", "2026-03-05T14:30"),
        ("%d.%m.%Y %H:%M%z", "05.03.2026 09:30+0000", "2026-03-05T09:30"),
        ("%-d/%-m/%Y %H:%M", "6/3/2026", None),
    ],
)
def test_own_formats_keep_their_time_and_offset(tmp_path: Path, form: str, written: str, utc: str | None):
    policy = own_policy(tmp_path, f"instant_formats = ['{form}']\n")
    table = one(tmp_path, policy, f"{HEADER}\n1,P1,{written},seen\n".encode())
    assert table.rows.select("visit_start_date_only", pl.col("visit_start").dt.to_string("%FT%R")).rows() == (
        [(False, utc)] if utc else []
    )


@pytest.mark.parametrize(
    "written",
    ["2026-03-09 09:00+05:75", "2026-03-09 09:00+99:99", "0000-01-01 01:00", "0001-01-01T00:10:00+05:00", "9999-12-31"],
)
def test_impossible_offsets_and_years_are_rejected(tmp_path: Path, policy: Policy, written: str):
    table = one(tmp_path, policy, f"{HEADER}\n1,P1,{written},seen\n".encode())
    assert table.rejects["reason"].to_list() == ["visit_start is no date or time that can be read"]


@pytest.mark.parametrize("written", ['"40,00"', '"1,2,3"', "(5", "5)", "--5", '"1,5"'])
def test_amounts_that_could_mean_two_things_are_rejected(tmp_path: Path, policy: Policy, written: str):
    table = one(tmp_path, policy, f"{CALL},paid_amount\n1,P1,D,2026-03-02 09:00,{written}\n".encode(), "calls")
    assert table.rejects["reason"].to_list() == ["paid_amount is no amount of money"]


def test_a_code_column_without_a_code_is_warned_about(tmp_path: Path, policy: Policy):
    table = one(tmp_path, policy, f"{CALL},cpt_code\n1,P1,D,2026-03-02 09:00,??\n".encode(), "calls")
    assert table.warnings == ("calls.cpt_code: 1 values hold no code; those calls count as not billed",)


def test_a_file_without_a_header_line_shows_no_value(tmp_path: Path, policy: Policy):
    with pytest.raises(InputRefused) as refusal:
        one(tmp_path, policy, b"K1,Jane CANARY,D1,2026-03-09 09:00\n")
    assert "4 columns whose headers look like data; is the header line missing?" in str(refusal.value)
    assert "CANARY" not in str(refusal.value)


def test_parquet_of_unusual_types(tmp_path: Path, policy: Policy):
    day = pl.Series([0, 1]).cast(pl.Datetime("ms"))
    frame = pl.DataFrame({"call_id": ["1", "2"], "patient_id": [float("nan"), 7.0], "provider_id": ["1.00", "2.00"],
                          "call_seconds": [1_500_000, 1_500_500], "call_start": day})  # fmt: skip
    frame = frame.with_columns(
        pl.col("call_seconds").cast(pl.Duration("ms")), pl.col("provider_id").cast(pl.Decimal(10, 2)),
        diagnosis_codes=pl.Series([["E11.9", "I10"], ["F32", "F33"]], dtype=pl.Array(pl.String, 2)),
    )  # fmt: skip
    frame.write_parquet(tmp_path / "calls.parquet")
    table = read(tmp_path / "calls.parquet", policy, "calls")
    assert table.rejects["reason"].to_list() == ["patient_id is blank"]
    row = table.rows.select("patient_id", "provider_id", "call_seconds", "diagnosis_codes").rows()
    assert row == [("7", "2", 1_500_500_000, ["F32", "F33"])]


@pytest.mark.parametrize(
    "frame",
    [
        pl.DataFrame({"visit_id": [[["a"]]], "patient_id": ["p"], "visit_start": ["2026-01-01"]}),
        pl.DataFrame({"visit_id": [{"a": 1}], "patient_id": ["p"], "visit_start": ["2026-01-01"]}),
        pl.DataFrame({"visit_id": [b"\xff\xfe"], "patient_id": ["p"], "visit_start": ["2026-01-01"]}),
    ],
    ids=["list-of-lists", "struct", "binary"],
)
def test_parquet_that_cannot_be_text_is_refused(tmp_path: Path, policy: Policy, frame: pl.DataFrame):
    frame.write_parquet(tmp_path / "visits.parquet")
    with pytest.raises(InputRefused, match=r"visits\.parquet"):
        read(tmp_path / "visits.parquet", policy)


def test_paths_that_lead_nowhere_are_refused(tmp_path: Path, policy: Policy):
    (tmp_path / "link.csv").symlink_to(tmp_path / "nowhere.csv")
    (tmp_path / "xdir").mkdir()
    for pattern, says in (
        ("link.csv", r"cannot be read \(No such file"),
        ("x*", "no CSV or Parquet file"),
        ("*.parquet", "no such file"),
    ):
        with pytest.raises(InputRefused, match=says):
            read(tmp_path / pattern, policy)


NAMED = TEXT.replace("P1", "P\xe9\u20ac")


@pytest.mark.parametrize(
    ("declared", "data"),
    [
        ("cp1252", NAMED.encode("cp1252")),
        ("Windows-1252", NAMED.encode("cp1252")),
        ("latin-1", NAMED.replace("\u20ac", "").encode("latin-1")),
        ("ISO-8859-1", NAMED.replace("\u20ac", "").encode("latin-1")),
        ("cp1252", NAMED.encode()),
        ("latin-1", b"\xef\xbb\xbf" + NAMED.encode()),
        ("latin-1", NAMED.encode("utf-16")),
        ("utf-8", NAMED.encode()),
    ],
)
def test_text_that_is_not_utf_8_is_read_as_the_policy_declares(tmp_path: Path, declared: str, data: bytes):
    table = one(tmp_path, own_policy(tmp_path, f'encoding = "{declared}"\n'), data)
    assert table.rows["patient_id"].to_list() in (["P\xe9\u20ac"], ["P\xe9"])


def test_a_pipe_is_read_by_name_and_left_alone_in_a_folder(tmp_path: Path, policy: Policy):
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "a.csv").write_text(TEXT)
    table = read(tmp_path, policy)
    assert (table.rows["source_file"].to_list(), len(table.warnings)) == ([str(tmp_path / "a.csv")], 1)
    writer = threading.Thread(target=(tmp_path / "pipe.csv").write_text, args=[TEXT])
    writer.start()
    assert read(tmp_path / "pipe.csv", policy).rows.height == 1
    writer.join()


def test_hidden_entries_are_passed_over_and_links_to_folders_are_strays(tmp_path: Path, policy: Policy):
    for name in (".hidden/a.csv", ".a.csv", "march/a.csv"):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_text(TEXT)
    (tmp_path / "data" / "circle").symlink_to(tmp_path / "data", target_is_directory=True)
    table = read(tmp_path / "data", policy)
    assert table.rows["source_file"].to_list() == [str(tmp_path / "data" / "march" / "a.csv")]
    assert table.warnings == ("visits: 1 files of other kinds in the folder were left alone",)


def test_files_of_one_table_may_have_different_columns_and_types(tmp_path: Path, policy: Policy):
    (tmp_path / "a.csv").write_text(TEXT)
    (tmp_path / "b.csv").write_text("Visit ID|MRN|visit_start\n8|P2|3/2/2026 9:00 AM\n")
    pl.DataFrame({"visit_id": [9], "patient_id": ["P3"], "visit_start": [None], "status": [None]},
                 schema_overrides={"visit_start": pl.Datetime("ns"), "status": pl.Null}).write_parquet(tmp_path / "c.parquet")  # fmt: skip
    table = read(tmp_path, policy)
    assert sorted(table.rows.select("visit_id", "status").rows()) == [("007", "completed"), ("8", None)]
    assert table.rejects.select("source_file", "reason").rows() == [
        (str(tmp_path / "c.parquet"), "visit_start is blank")
    ]


def test_dates_in_five_forms_in_one_column(tmp_path: Path):
    policy = own_policy(tmp_path, 'instant_formats = ["%d-%b-%Y %H:%M"]\n')
    forms = (
        "2026-03-02 09:00",
        "2026-03-02T09:00:00-05:00",
        "3/2/2026 9:00 AM",
        "03/02/2026 09:00",
        "02-Mar-2026 09:00",
    )
    table = one(
        tmp_path,
        policy,
        f"{HEADER}\n{''.join(f'{n},P1,{form},seen{chr(10)}' for n, form in enumerate(forms))}".encode(),
    )
    assert table.rows["visit_start"].dt.to_string("%FT%R").unique().to_list() == ["2026-03-02T14:00"]


def test_a_column_of_blanks_counts_as_absent(tmp_path: Path, policy: Policy):
    table = one(tmp_path, policy, f"{HEADER},booked_at,cpt_codes\n{ROWS}, ,\n".encode())
    assert table.rows.select("booked_at", "cpt_codes").rows() == [(None, [])]
    assert not {"booked_at", "cpt_codes"} & table.columns
    assert "visit_start" in table.columns


def test_ten_thousand_columns(tmp_path: Path, policy: Policy):
    names, cells = ",".join(f"c{n}" for n in range(10_000)), "," * 9_999
    assert one(tmp_path, policy, f"{HEADER},{names}\n{ROWS},{cells}\n".encode()).rows.height == 1
    with pytest.raises(InputRefused, match="and 9,954 more") as refusal:
        one(tmp_path, policy, f"{','.join('c' * (n % 9 + 1) for n in range(10_004))}\n".encode())
    assert len(str(refusal.value)) < 2_000


@pytest.mark.parametrize("cell", [b"x" * 20_000_000, b'"' + b'""' * 10_000_000 + b'"'], ids=["plain", "quotes"])
def test_a_huge_cell_takes_bounded_time(tmp_path: Path, policy: Policy, cell: bytes):
    began = time.perf_counter()
    assert one(tmp_path, policy, f"{HEADER},unused\n{ROWS},".encode() + cell + b"\n").rows.height == 1
    with pytest.raises(InputRefused, match="record 1: visit_id is longer"):
        one(tmp_path, policy, f"{HEADER}\n".encode() + cell + ROWS.removeprefix("007").encode())
    with pytest.raises(InputRefused, match="header"):
        one(tmp_path, policy, cell)
    assert time.perf_counter() - began < 20


def test_a_glob_follows_no_circle_of_links(tmp_path: Path, policy: Policy):
    for name in ("a", "b", ".hidden"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.csv").write_text(TEXT.replace("007", name))
        (tmp_path / name / "up").symlink_to("..", target_is_directory=True)
    began = time.perf_counter()
    assert sorted(read(tmp_path / "**" / "*.csv", policy).rows["visit_id"]) == ["a", "b"]
    assert time.perf_counter() - began < 5


def test_a_file_that_was_only_touched_is_confirmed(tmp_path: Path, policy: Policy):
    (tmp_path / "a.csv").write_text(TEXT)
    (file,) = ingest.read_table("visits", (str(tmp_path / "a.csv"),), policy).files
    os.utime(tmp_path / "a.csv", (1, 1))
    ingest.confirm("visits", file)
    (tmp_path / "a.csv").write_text(TEXT.replace("7", "8"))
    os.utime(tmp_path / "a.csv", ns=(0, file.signature[2]))  # as a copy that keeps the time would leave it
    with pytest.raises(InputRefused, match="changed since it was read"):
        ingest.confirm("visits", file)


def test_damaged_parquet_is_refused_or_read_and_never_ends_the_process(tmp_path: Path, policy: Policy):
    pl.DataFrame({"visit_id": ["1"] * 50, "patient_id": ["p"] * 50, "visit_start": ["2026-01-01"] * 50,
                  "cpt_codes": [["99213"]] * 50}).write_parquet(tmp_path / "a.parquet")  # fmt: skip
    whole = (tmp_path / "a.parquet").read_bytes()
    outcomes = []
    for at in range(4, len(whole), 7):
        (tmp_path / "a.parquet").write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            outcomes.append(read(tmp_path / "a.parquet", policy).rows.height)
        except InputRefused:
            outcomes.append(-1)
    assert -1 in outcomes


def test_a_header_never_shows_what_a_stray_quote_swallowed(tmp_path: Path, policy: Policy):
    for data in ('visit_id,"patient_id\nJane CANARY,x",y\n', '"visit_id"x,y\nCANARY,"a"\n', 'visit "id\nCANARY",y\n'):
        with pytest.raises(InputRefused) as refusal:
            one(tmp_path, policy, data.encode())
        assert "CANARY" not in str(refusal.value)


def test_copies_of_a_faulty_row_are_duplicates(tmp_path: Path, policy: Policy):
    faulty = "8,P2,yesterday,seen\n"
    table = one(tmp_path, policy, f"{HEADER}\n{ROWS}\n{faulty}{faulty}9,P2,yesterday,seen\n".encode())
    assert table.rejects.select("source_record", "reason").rows() == [
        (2, "visit_start is no date or time that can be read"),
        (3, "duplicate row"),
        (4, "visit_start is no date or time that can be read"),
    ]
    assert (table.faulty.height, table.tainted.to_list()) == (2, ["P2"])


@pytest.mark.parametrize("dst", ["reject", "first", "second"])
def test_a_date_is_the_day_as_written_also_where_a_clock_change_skips_its_midnight(tmp_path: Path, dst: str):
    (tmp_path / "policy.toml").write_text(f'timezone = "Africa/Cairo"\ndst = "{dst}"\n')
    there = policies.load(str(tmp_path / "policy.toml"), select)
    header = "claim_id,patient_id,provider_id,cpt_code,service_date"
    rows = "K1,P1,D1,98968,2024-04-26 00:00:00\nK2,P1,D1,98968,2024-04-26 00:30\nK3,P1,D1,98968,2024-04-25T22:30Z\n"
    table = one(tmp_path, there, f"{header}\n{rows}".encode(), "claims")
    assert [str(day) for day in table.rows["service_date"]] == ["2024-04-26"] * 3
    assert table.rejects.is_empty()


def chunks(path: Path, policy: Policy, size: int) -> tuple[list[ingest.Chunk], ingest.SourceFile]:
    """A CSV file of visits, read in chunks of about so many bytes."""
    ((part,), _) = ingest.parts("visits", (str(path),))
    *made, file = ingest.read_part(part, policy, chunk_bytes=size)
    assert isinstance(file, ingest.SourceFile)
    assert all(isinstance(chunk, ingest.Chunk) for chunk in made)
    return made, file  # type: ignore[return-value]


def as_rows(made: list[ingest.Chunk]) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """The records of all chunks as text, and those that were lost."""
    frame = ingest.stack([chunk.frame for chunk in made])
    return frame.cast({pl.Categorical: pl.String}).rows(), pl.concat(chunk.lost for chunk in made).rows()


ODD = f"""{HEADER},problem_id

1,P1,2026-03-02,seen,"a
b, ""c""
"
2,P\xe9\u20ac\U0001f4de,2026-03-02,"seen",\r3,P3

4,"P"4,x,y,z
5,P5,2026-03-02,seen,5" pipe
6,P6,2026-03-02,seen,"",,
"7",P7,2026-03-02,seen,"x
y"
"""


@pytest.mark.parametrize(
    "data",
    [
        ODD.encode(),
        ODD.replace("\n", "\r\n").encode(),
        ODD.replace("\n", "\r").encode("utf-16"),
        gzip.compress(ODD.encode()),
        zstd(ODD.replace('5"', "5").replace('"P"', "P").encode()),
        (HEADER + f"\n{ROWS}" * 500).encode(),
        f'{HEADER}\n{ROWS}\n"8\n9",P2,2026-03-02,"seen"\n'.encode() * 50,
        f"{HEADER}\n".encode(),
    ],
    ids=["lf", "crlf", "utf-16-cr", "gzip", "zstd", "plain", "quoted", "empty"],
)
def test_chunks_of_any_size_hold_the_same_records(tmp_path: Path, policy: Policy, data: bytes):
    (tmp_path / "a.csv").write_bytes(data)
    whole, file = chunks(tmp_path / "a.csv", policy, 1 << 20)
    for size in (1, 7, 64, 1000):
        made, again = chunks(tmp_path / "a.csv", policy, size)
        assert as_rows(made) == as_rows(whole)
        assert again == file
        assert size == 1000 or len(made) > 1 or not file.rows
    assert sum(chunk.frame.height + chunk.lost.height for chunk in whole) == file.rows


@pytest.mark.parametrize(
    ("spoilt", "says"),
    [
        (b"8,P\0", "line 5: a NUL byte"),
        (b"8,P\xff", "line 5: not UTF-8 text"),
        (b"8,P\xc3", "line 5: not UTF-8 text"),
        (b'8,P2,"x', "record 4: a quote is opened and never closed"),
        (b'8,P2,"x\r\ny"z\r\n', "record 4: a quoted field runs over several lines"),
        (b"8," + b"x" * 1_000_001 + b",2026-03-02,seen", "record 4: patient_id is longer"),
    ],
)
def test_lines_and_records_are_counted_over_the_whole_file(tmp_path: Path, policy: Policy, spoilt: bytes, says: str):
    (tmp_path / "a.csv").write_bytes("\r\n".join([HEADER, *[ROWS] * 3, ""]).encode() + spoilt)
    for size in (1, 13, 64, 1 << 20) if len(spoilt) < 1000 else (1 << 17, 1 << 21):
        with pytest.raises(InputRefused, match=says):
            chunks(tmp_path / "a.csv", policy, size)


def test_what_is_neither_utf_8_nor_declared_has_its_line(tmp_path: Path):
    policy = own_policy(tmp_path, 'encoding = "cp1252"\n')
    (tmp_path / "a.csv").write_bytes(TEXT.encode() + "8,P\xe9,2026-03-02,seen\n".encode("cp1252") + b"9,\x81,x,y\n")
    for size in (1, 1 << 20):
        with pytest.raises(InputRefused, match="line 4: neither UTF-8 nor cp1252"):
            chunks(tmp_path / "a.csv", policy, size)


@pytest.mark.parametrize("field", ['"x', "x", '5"'])
def test_a_record_without_an_end_is_refused_before_it_fills_the_memory(
    tmp_path: Path, policy: Policy, monkeypatch: pytest.MonkeyPatch, field: str
):
    monkeypatch.setattr(csvfile, "_LONGEST", 100_000)
    (tmp_path / "a.csv").write_text(f"{TEXT}8,P2,2026-03-02,{field}" + "x" * 300_000)
    with pytest.raises(InputRefused, match="record 2: longer than 100,000 bytes"):
        chunks(tmp_path / "a.csv", policy, 1000)
    (tmp_path / "a.csv").write_text(f'{TEXT}8,P2,2026-03-02,5" pipe\n' + f"{ROWS}\n" * 10_000)
    assert chunks(tmp_path / "a.csv", policy, 1000)[1].rows == 10_002


def test_a_pipe_in_the_declared_encoding_is_read(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.csv")
    writer = threading.Thread(target=(tmp_path / "pipe.csv").write_bytes, args=[NAMED.encode("cp1252")])
    writer.start()
    extract = ingest.read_table("visits", (str(tmp_path / "pipe.csv"),), own_policy(tmp_path, 'encoding = "cp1252"\n'))
    writer.join()
    assert extract.frame["patient_id"].to_list() == ["P\xe9\u20ac"]
    assert extract.files[0].sha256 == hashlib.sha256(NAMED.encode("cp1252")).hexdigest()


def many_visits(rows: int) -> pl.DataFrame:
    """Visits of a few patients; visit_start is at midnight in the first half, at nine in the second."""
    number = pl.int_range(rows)
    return pl.select(
        visit_id=number.cast(pl.String),
        patient_id=pl.format("P{}", number % 7),
        visit_start=pl.datetime(2026, 1, 1)
        + pl.duration(days=number % 300, hours=pl.when(number * 2 >= rows).then(9).otherwise(0)),
        status=pl.when(number % 3 == 0).then(pl.lit("seen")).otherwise(pl.lit("no-show")),
        soonest_available=number % 2 == 0,
        specialty=pl.format("S{}", number),
    )


def test_columns_of_few_values_are_categorical_and_keys_never(tmp_path: Path, policy: Policy):
    frame = many_visits(4000)
    frame.write_parquet(tmp_path / "a.parquet", row_group_size=1500)
    frame.write_csv(tmp_path / "b.csv")
    both = []
    for name in ("a.parquet", "b.csv"):
        made, _ = chunks(tmp_path / name, policy, 1 << 16)
        assert {tuple(chunk.frame.schema.items()) for chunk in made} == {tuple(made[0].frame.schema.items())}
        kinds = made[0].frame.schema
        assert [name for name, kind in kinds.items() if kind == pl.Categorical] == ["status", "soonest_available"]
        both.append(ingest.stack([chunk.frame for chunk in made]).drop("visit_start", "source_file"))
    assert both[0].cast({pl.Categorical: pl.String}).equals(both[1].cast({pl.Categorical: pl.String}))
    (tmp_path / "c.csv").write_text(TEXT)
    mixed = ingest.read_table("visits", (str(tmp_path),), policy).frame
    assert (mixed.height, mixed.schema["status"]) == (8001, pl.String)


def test_what_can_be_read_only_once_is_read_twice(tmp_path: Path, policy: Policy):
    os.mkfifo(tmp_path / "pipe.csv")
    writer = threading.Thread(target=(tmp_path / "pipe.csv").write_text, args=[TEXT])
    writer.start()
    (part,), _ = ingest.parts("visits", (str(tmp_path / "pipe.csv"),))
    first, second = (list(ingest.read_part(part, policy)) for _ in range(2))
    writer.join()
    assert isinstance(first[0], ingest.Chunk) and isinstance(second[0], ingest.Chunk)
    assert first[0].frame.height == 1 and first[0].frame.equals(second[0].frame)
    assert first[1] == second[1]


def test_only_the_columns_that_are_asked_for(tmp_path: Path, policy: Policy):
    many_visits(30).write_parquet(tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text(TEXT)
    for path in ("a.parquet", "b.csv"):
        ((part,), _) = ingest.parts("visits", (str(tmp_path / path),))
        chunk, file = ingest.read_part(part, policy, only=("visit_id",))
        assert isinstance(chunk, ingest.Chunk) and isinstance(file, ingest.SourceFile)
        assert chunk.frame.columns == ["visit_id", "source_record", "source_file"]
        assert {"visit_id", "patient_id", "visit_start"} <= file.mapping.keys()


@pytest.mark.parametrize("repeats", [1, 100])
def test_parquet_text_that_is_not_utf_8_is_refused(tmp_path: Path, policy: Policy, repeats: int):
    size = 5 * repeats
    bad = pa.array([b"seen"] * (size - 1) + [b"\xff\xfe"], pa.binary())
    text = pa.Array.from_buffers(pa.string(), size, bad.buffers())
    keys = pa.array([str(number) for number in range(size)])
    start = pa.array(["2026-03-02"] * size)
    names = ["visit_id", "patient_id", "visit_start", "status"]
    pq.write_table(pa.table([keys, keys, start, text], names), tmp_path / "a.parquet")
    with pytest.raises(InputRefused, match="not readable as Parquet"):
        read(tmp_path / "a.parquet", policy)


def test_a_long_cell_in_a_column_of_few_values_is_refused(tmp_path: Path, policy: Policy):
    frame = many_visits(2000).with_columns(
        status=pl.when(pl.int_range(pl.len()) == 1500).then(pl.lit("x" * 1_000_001)).otherwise("status")
    )
    frame.write_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputRefused, match="record 1501: status is longer"):
        read(tmp_path / "a.parquet", policy)


@pytest.mark.parametrize("first", ["sep=;", "SEP=;", '"sep=;"', "sep=;;;;"])
def test_a_first_line_that_names_the_delimiter_is_no_row(tmp_path: Path, policy: Policy, first: str):
    table = one(tmp_path, policy, f"{first}\nvisit_id;patient_id;visit_start;status\n7;P,1;2026-03-02;seen\n".encode())
    assert table.rows.select("visit_id", "patient_id", "source_record").rows() == [("7", "P,1", 1)]


def test_a_file_that_only_names_its_delimiter_is_empty(tmp_path: Path, policy: Policy):
    with pytest.raises(InputRefused, match="the file is empty"):
        one(tmp_path, policy, b"sep=;\n")
