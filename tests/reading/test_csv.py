"""CSV: its forms, its quotes, its chunks, and the records that are lost."""

import gzip
import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from auditor.errors import InputRefused
from auditor.policy import Policy
from auditor.reading import csv as csvfile
from auditor.reading import decoding, ingest
from tests.support import reading
from tests.support.effort import cpu_limit, cpu_seconds
from tests.support.reading import HEADER, ROWS, TEXT, one, own_policy, zstd

NOTES = ("ok", '"said ok', "x", "y", '"fine too', "z")
SWALLOWED = "call_id,patient_id,provider_id,call_start,call_minutes,doc_summary\n" + "".join(
    f"K{number},P{number},D,2026-03-0{number} 09:00,25,{note}\n" for number, note in enumerate(NOTES, start=1)
)


NAMED = TEXT.replace("P1", "P\xe9\u20ac")


def chunks(path: Path, policy: Policy, size: int) -> tuple[list[ingest.Chunk], ingest.SourceFile]:
    """A CSV file of visits, read in chunks of about so many bytes."""
    ((part,), _) = reading.parts("visits", (str(path),))
    *made, file = ingest.read_part(part, policy, chunk_bytes=size)
    assert isinstance(file, ingest.SourceFile)
    assert all(isinstance(chunk, ingest.Chunk) for chunk in made)
    return made, file  # type: ignore[return-value]


def as_rows(made: list[ingest.Chunk]) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """The records of all chunks as text, and those that were lost."""
    frame = ingest.stack([chunk.written() for chunk in made])
    return frame.rows(), pl.concat(chunk.malformed for chunk in made).rows()


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


def test_ragged_records_are_rejected_one_by_one(tmp_path: Path, policy: Policy):
    table = one(
        tmp_path,
        policy,
        f'{HEADER}\n{ROWS}\n8,P2\n9,P3,2026-03-02,completed,more\n10,"P"4,x,y\n11,P5,2026-03-02,seen\n'.encode(),
    )
    assert table.rows["visit_id"].to_list() == ["007", "11"]
    assert table.rejects.select("source_record", "reason").rows() == [
        (2, "the record has 2 fields, but the header has 4"),
        (3, "the record has 5 fields, but the header has 4"),
        (4, "text after a closing quotation mark"),
    ]


def test_a_quote_that_swallows_records_is_refused(tmp_path: Path, policy: Policy):
    """Two stray quotes make one field of four records; no reader can tell them apart."""
    with pytest.raises(InputRefused, match="record 2: a quoted field over several lines"):
        one(tmp_path, policy, SWALLOWED.encode(), "calls")


def test_text_after_a_closing_quote_rejects_its_record_whatever_the_other_rows(tmp_path: Path, policy: Policy):
    for other in ("2,P2,2026-03-02,seen", "2,P2"):
        table = one(tmp_path, policy, f'{HEADER}\n"1"x,P1,2026-03-02,seen\n{other}\n'.encode())
        assert (1, "text after a closing quotation mark") in table.rejects.select("source_record", "reason").rows()


def test_quoted_newlines_and_doubled_quotes_are_read(tmp_path: Path, policy: Policy):
    data = f'{HEADER},problem_id\n1,P1,2026-03-02,seen,"a\n""b"", c"\n2,P2,2026-03-02,seen,""\n'.encode()
    assert one(tmp_path, policy, data).rows["problem_id"].to_list() == ['a"b", c', None]


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


@pytest.mark.parametrize(
    "cell",
    [b"x" * 3_000_000, *(b'"' + inner * (3_000_000 // len(inner)) + b'"' for inner in (b'""', b"\n", b'""\n'))],
    ids=["plain", "quotes", "lines", "quotes-and-lines"],
)
def test_a_huge_cell_costs_little_more_than_many_small_ones(tmp_path: Path, policy: Policy, cell: bytes):
    rows = "".join(f"{number},P{number},2026-03-02 09:00,completed\n" for number in range(75_000))
    usual = cpu_seconds(lambda: one(tmp_path, policy, f"{HEADER}\n{rows}".encode()))
    with cpu_limit(100 * usual):
        assert one(tmp_path, policy, f"{HEADER},unused\n{ROWS},".encode() + cell + b"\n").rows.height == 1
        with pytest.raises(InputRefused, match="record 1: visit_id is longer"):
            one(tmp_path, policy, f"{HEADER}\n".encode() + cell + ROWS.removeprefix("007").encode())
        with pytest.raises(InputRefused, match=r"header|no column"):
            one(tmp_path, policy, cell)


@pytest.mark.parametrize("compressed", [gzip.compress, zstd])
def test_a_small_file_that_holds_too_much_is_refused(
    tmp_path: Path, policy: Policy, compressed: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
):
    data = compressed(f"{HEADER}\n{ROWS}\n".encode() + b"\n" * 6_000_000 + ROWS.encode())
    assert one(tmp_path, policy, data).rows.height == 1  # blank lines are no records
    monkeypatch.setattr(decoding, "_HARMLESS", 1 << 20)
    with pytest.raises(InputRefused, match="500 times that size"):
        one(tmp_path, policy, data)
    assert one(tmp_path, own_policy(tmp_path, "max_expansion = 100000\n"), data).rows.height == 1


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
    assert sum(chunk.frame.height + chunk.malformed.height for chunk in whole) == file.records


@pytest.mark.parametrize(
    ("spoilt", "says"),
    [
        (b"8,P\0", "line 5: a NUL byte"),
        (b"8,P\xff", "line 5: not UTF-8 text"),
        (b"8,P\xc3", "line 5: not UTF-8 text"),
        (b'8,P2,"x', "record 4: a quotation mark is not closed"),
        (b'8,P2,"x\r\ny"z\r\n', "record 4: a quoted field over several lines"),
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
    extract = reading.extract("visits", (str(tmp_path / "pipe.csv"),), own_policy(tmp_path, 'encoding = "cp1252"\n'))
    writer.join()
    assert extract.frame["patient_id"].to_list() == ["P\xe9\u20ac"]
    assert extract.files[0].sha256 == hashlib.sha256(NAMED.encode("cp1252")).hexdigest()


@pytest.mark.parametrize("first", ["sep=;", "SEP=;", '"sep=;"', "sep=;;;;"])
def test_a_first_line_that_names_the_delimiter_is_no_row(tmp_path: Path, policy: Policy, first: str):
    table = one(tmp_path, policy, f"{first}\nvisit_id;patient_id;visit_start;status\n7;P,1;2026-03-02;seen\n".encode())
    assert table.rows.select("visit_id", "patient_id", "source_record").rows() == [("7", "P,1", 1)]


def test_a_file_that_only_names_its_delimiter_is_empty(tmp_path: Path, policy: Policy):
    with pytest.raises(InputRefused, match="the file is empty"):
        one(tmp_path, policy, b"sep=;\n")
