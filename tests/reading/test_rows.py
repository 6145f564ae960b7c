"""Rows that are no records: what the policy's [rows] leaves out, repeated headers, and files that are cut off."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from auditor.errors import InputRefused
from auditor.policy import Policy
from auditor.reading import ingest
from tests.support import reading
from tests.support.reading import HEADER, ROWS, own_policy, read_table

EXPORT = """visit_id,patient_id,visit_start,status,Is Deleted,kind
1,P1,2026-03-02 09:00,completed,0,Visit
2,P2,2026-03-02 09:00,completed,TRUE,Visit
3,,2026-03-02 09:00,completed,no,Lunch
4,P4,2026-03-02 09:00,completed,,Re-Check
5,P5,2026-03-02 09:00,completed, - ,visit
6,P6,2026-03-02 09:00,no_show,="1",Visit
"""

WRITERS: dict[str, Callable[[Path, pl.DataFrame], None]] = {
    "csv": lambda path, frame: frame.write_csv(path),
    "parquet": lambda path, frame: frame.write_parquet(path, row_group_size=2),
}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize(
    ("rows", "used"),
    [
        ('drop = { "is_deleted" = ["true", "1"] }', "145"),
        ('drop = { "Is Deleted" = [""] }', "126"),
        ('drop = { patient_id = [""] }', "12456"),
        ('keep = { kind = ["VISIT", "recheck"] }', "12456"),
        ('keep = { kind = ["visit"], status = ["no-show"] }', "6"),
        ('keep = { kind = ["visit"] }\ndrop = { status = ["no show"], "Is Deleted" = ["true"] }', "15"),
        ("keep = { kind = [] }", ""),
    ],
)
def test_rows_are_chosen_by_any_column(tmp_path: Path, kind: str, rows: str, used: str):
    (tmp_path / "in.csv").write_text(EXPORT)
    WRITERS[kind](tmp_path / f"v.{kind}", pl.read_csv(tmp_path / "in.csv", infer_schema=False))
    policy = own_policy(tmp_path, f"[rows.visits]\n{rows}\n")
    extract = reading.extract("visits", (str(tmp_path / f"v.{kind}"),), policy)
    (file,) = extract.files
    table = read_table(tmp_path / f"v.{kind}", policy)
    assert "".join(sorted(table.rows["visit_id"])) == used
    assert extract.frame["source_record"].to_list() == sorted(
        int(text) for text in (*used, *(["3"] * table.rejects.height))
    )
    assert (file.rows, file.facts.left_out) == (6, 6 - len(used) - table.rejects.height)


def test_numbers_and_flags_of_parquet_are_chosen_as_their_text(tmp_path: Path):
    frame = pl.DataFrame({"visit_id": ["1", "2"], "patient_id": ["P", "Q"], "visit_start": ["2026-03-02 09:00"] * 2,
                          "gone": [True, None], "level": [0, 7]})  # fmt: skip
    frame.write_parquet(tmp_path / "v.parquet")
    for rows, used in (('drop = { gone = ["True"] }', ["2"]), ('keep = { level = ["0"] }', ["1"])):
        policy = own_policy(tmp_path, f"[rows.visits]\n{rows}\n")
        assert read_table(tmp_path / "v.parquet", policy).rows["visit_id"].to_list() == used


def test_words_are_known_that_some_row_has(tmp_path: Path):
    (tmp_path / "v.csv").write_text(EXPORT)
    policy = own_policy(
        tmp_path, '[rows.visits]\nkeep = { kind = ["Visit", "Vacation"] }\ndrop = { kind = ["lunch", ""] }\n'
    )
    (file,) = reading.extract("visits", (str(tmp_path / "v.csv"),), policy).files
    assert file.facts.words == {("keep", "kind", "Visit"), ("drop", "kind", "lunch")}


@pytest.mark.parametrize("header", ["Kind of row", "kind"])
def test_a_file_without_the_column_or_with_two_is_refused(tmp_path: Path, header: str):
    (tmp_path / "v.csv").write_text(EXPORT.replace("Is Deleted", "KIND"))
    policy = own_policy(tmp_path, f'[rows.visits]\nkeep = {{ "{header.replace("kind", "Kind")}" = ["Visit"] }}\n')
    with pytest.raises(InputRefused, match="the policy chooses rows by"):
        read_table(tmp_path / "v.csv", policy)


@pytest.mark.parametrize("chunk", [64, 1 << 20])
@pytest.mark.parametrize("again", [HEADER, f"\ufeff{HEADER}"])
def test_a_record_that_is_the_header_again_is_left_out(tmp_path: Path, policy: Policy, chunk: int, again: str):
    rows = [ROWS.replace("007", str(number)) for number in range(5)]
    (tmp_path / "v.csv").write_text("\n".join([HEADER, *rows[:2], again, *rows[2:], again, ""]), encoding="utf-8")
    (part,) = reading.parts("visits", (str(tmp_path / "v.csv"),))[0]
    *chunks, file = ingest.read_part(part, policy, chunk_bytes=chunk)
    assert isinstance(file, ingest.SourceFile)
    assert (file.rows, file.facts.left_out, file.facts.headers) == (7, 2, 2)
    assert [r for c in chunks for r in c.frame["source_record"]] == [1, 2, 4, 5, 6]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("record", "refused"),
    [
        ("patient_id,visit_id,visit_start,status", True),
        ("VisitID,MRN,Visit Start,state", True),
        ("visit,patient_id,2026-03-02 09:00,status", False),
    ],
)
def test_the_header_of_another_file_is_refused(tmp_path: Path, policy: Policy, record: str, refused: bool):
    (tmp_path / "v.csv").write_text(f"{HEADER}\n{ROWS}\n{record}\n")
    if not refused:
        assert read_table(tmp_path / "v.csv", policy).rows.height == 2
        return
    with pytest.raises(InputRefused, match="record 2: this is the header of another file"):
        read_table(tmp_path / "v.csv", policy)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("rows", [1, 3_000])
@pytest.mark.parametrize(("last", "cut"), [("8,P2,2026", True), ("8", True), ("8,P2,2026-03-02,seen", False)])
def test_a_file_that_is_cut_off_is_refused(
    tmp_path: Path, policy: Policy, encoding: str, rows: int, last: str, cut: bool
):
    text = "\n".join([HEADER, *[ROWS] * rows, last])
    (tmp_path / "v.csv").write_bytes(text.encode(encoding))
    if cut:
        with pytest.raises(InputRefused, match=rf"cut off: its last record has {last.count(',') + 1} of 4 fields"):
            read_table(tmp_path / "v.csv", policy)
    else:
        assert read_table(tmp_path / "v.csv", policy).rows.height == 2
    (tmp_path / "v.csv").write_bytes(f"{text}\n".encode(encoding))
    assert read_table(tmp_path / "v.csv", policy).faulty["count"].sum() == cut
