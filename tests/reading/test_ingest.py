"""Files of a table become chunks of the same columns, and the count always adds up."""

import gzip
from dataclasses import replace
from functools import reduce
from operator import or_
from pathlib import Path

import polars as pl
import pytest

from auditor.errors import InputRefused
from auditor.policy import Policy
from auditor.reading import ingest
from auditor.reading.chunks import _HELD_PER_BYTE, Chunks
from tests.support import reading
from tests.support.reading import HEADER, ROWS, TEXT, one, read_table, zstd


def chunks(path: Path, policy: Policy, size: int) -> tuple[list[ingest.Chunk], ingest.SourceFile]:
    """A CSV file of visits, read in chunks of about so many bytes."""
    ((part,), _) = reading.parts("visits", (str(path),))
    *made, file = ingest.read_part(part, policy, chunk_bytes=size)
    assert isinstance(file, ingest.SourceFile)
    assert all(isinstance(chunk, ingest.Chunk) for chunk in made)
    return made, file  # type: ignore[return-value]


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


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty"),
        (gzip.compress(TEXT.encode(), mtime=0)[:-9], "damaged or cut short"),
        (zstd(TEXT.encode())[:-4], "damaged or cut short"),
        (TEXT.replace("P1", "Jos\xe9").encode("latin-1"), "line 2: not UTF-8 text"),
        (TEXT.replace("P1", "P\0").encode(), "line 2: a NUL byte"),
        (TEXT.replace("P1", '"P1').encode(), "record 1: a quotation mark is not closed"),
        (b"PAR1" + TEXT.encode(), "cannot be read as Parquet"),
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


def test_files_of_one_table_may_have_different_columns_and_types(tmp_path: Path, policy: Policy):
    (tmp_path / "a.csv").write_text(TEXT)
    (tmp_path / "b.csv").write_text("Visit ID|MRN|visit_start\n8|P2|3/2/2026 9:00 AM\n")
    pl.DataFrame({"visit_id": [9], "patient_id": ["P3"], "visit_start": [None], "status": [None]},
                 schema_overrides={"visit_start": pl.Datetime("ns"), "status": pl.Null}).write_parquet(tmp_path / "c.parquet")  # fmt: skip
    table = read_table(tmp_path, policy)
    assert sorted(table.rows.select("visit_id", "status").rows()) == [("007", "completed"), ("8", None)]
    assert table.rejects.select("source_file", "reason").rows() == [
        (str(tmp_path / "c.parquet"), "visit_start is blank")
    ]


def test_columns_of_few_values_are_packed_and_keys_never(tmp_path: Path, policy: Policy):
    frame = many_visits(16_000)
    frame.write_parquet(tmp_path / "a.parquet", row_group_size=6000)
    frame.write_csv(tmp_path / "b.csv")
    both = []
    for name in ("a.parquet", "b.csv"):
        made, _ = chunks(tmp_path / name, policy, 1 << 18)
        assert {tuple(chunk.frame.schema.items()) for chunk in made} == {tuple(made[0].frame.schema.items())}
        assert {tuple(chunk.hints.texts) for chunk in made} == {("status", "soonest_available")}
        both.append(ingest.stack([chunk.written() for chunk in made]).drop("visit_start", "source_file"))
    assert both[0].equals(both[1])
    (tmp_path / "c.csv").write_text(TEXT)
    mixed = reading.extract("visits", (str(tmp_path),), policy).frame
    assert (mixed.height, mixed.schema["status"]) == (32_001, pl.String)


def test_small_files_that_are_alike_are_one_chunk(tmp_path: Path, policy: Policy, monkeypatch: pytest.MonkeyPatch):
    """What is packed in one file may be packed in another order, or not at all; other types are chunks of their own."""
    monkeypatch.setattr("auditor.reading.chunks._HELD", 0)
    frame = many_visits(16_000)
    for number in range(8):
        some = frame.slice(2_000 * number, 2_000).sample(fraction=1, shuffle=True, seed=number)
        if number == 5:
            some = some.with_columns(status=pl.format("s{}", pl.int_range(2_000)))
        some.write_parquet(tmp_path / f"{number}.parquet", use_pyarrow=True)
    many_visits(10).with_columns(pl.col("visit_start").dt.date()).write_parquet(tmp_path / "8.parquet")
    parts, _ = reading.parts("visits", (str(tmp_path),))
    alone = [chunk for part in parts for chunk in ingest.read_part(part, policy) if isinstance(chunk, ingest.Chunk)]
    made = list(source := Chunks(parts, policy))
    assert [chunk.frame.height for chunk in made] == [16_000, 10]
    assert [file.rows for file in source.files] == [2_000] * 8 + [10]
    assert ("status" in alone[0].hints.texts, "status" in alone[5].hints.texts) == (True, False)
    assert set(made[0].hints.texts) == {"soonest_available"}
    for whole, some in ((made[0], alone[:8]), (made[1], alone[8:])):
        assert whole.written().equals(pl.concat([chunk.written() for chunk in some]))
        ids = [chunk.hints.byte_ranges["visit_id"] for chunk in some]
        assert whole.hints.byte_ranges["visit_id"] == reduce(or_, ids)
    monkeypatch.setattr("auditor.reading.chunks._SMALL_FILE", 4_800)
    assert [chunk.frame.height for chunk in Chunks(parts, policy)] == [4_000] * 4 + [10]


def test_only_the_columns_that_are_asked_for(tmp_path: Path, policy: Policy):
    many_visits(30).write_parquet(tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text(TEXT)
    for path in ("a.parquet", "b.csv"):
        ((part,), _) = reading.parts("visits", (str(tmp_path / path),))
        chunk, file = ingest.read_part(part, policy, only=("visit_id",))
        assert isinstance(chunk, ingest.Chunk) and isinstance(file, ingest.SourceFile)
        assert chunk.frame.columns == ["visit_id", "source_record", "source_file"]
        assert {"visit_id", "patient_id", "visit_start"} <= file.mapping.keys()


def test_a_long_cell_in_a_column_of_few_values_is_refused(tmp_path: Path, policy: Policy):
    frame = many_visits(2000).with_columns(
        status=pl.when(pl.int_range(pl.len()) == 1500).then(pl.lit("x" * 1_000_001)).otherwise("status")
    )
    frame.write_parquet(tmp_path / "a.parquet")
    with pytest.raises(InputRefused, match="record 1501: status is longer"):
        read_table(tmp_path / "a.parquet", policy)


def daily(folder: Path, suffix: str, *rows: int) -> list[ingest.Part]:
    """A file with so many visits for each day."""
    for day, height in enumerate(rows):
        frame = many_visits(60).slice(day, height)
        frame.write_csv(folder / f"{day}.csv") if suffix == "csv" else frame.write_parquet(folder / f"{day}.parquet")
    return reading.parts("visits", (str(folder),))[0]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize(
    ("other", "is_plain"),
    [
        ("", True),
        (f"{HEADER}\n", True),
        (f"{TEXT}{TEXT}", False),
        (f"{TEXT}8,P2\n", False),
        (f'{TEXT}"8",P2,2026-03-02,"seen"\n', True),
        (f'{TEXT}8,P"2,2026-03-02,seen\n', False),
        (f"{HEADER},deleted\n{ROWS},yes\n{ROWS},no\n", False),
        ("visit_id,MRN,visit_start\n8,P2,3/2/2026\n", True),
    ],
    ids=["none", "header-only", "header-twice", "short", "quoted", "odd-quote", "watched", "others-columns"],
)
def test_small_files_are_read_once_and_give_what_each_gives_alone(
    tmp_path: Path, policy: Policy, monkeypatch: pytest.MonkeyPatch, suffix: str, other: str, is_plain: bool
):
    if other:
        (tmp_path / "1a.csv").write_text(other)
    parts = daily(tmp_path, suffix, 30, 20, 0, 10)
    alone = [item for part in parts for item in ingest.read_part(part, policy)]
    expected = [item for item in alone if isinstance(item, ingest.Chunk)]
    scan = ingest.stack([chunk.written() for chunk in Chunks(parts, policy, only=("visit_id", "status"))])
    opened: list[str] = []
    real = ingest.Part.opened
    monkeypatch.setattr(ingest.Part, "opened", lambda part, name: opened.append(part.path.name) or real(part, name))
    made = list(source := Chunks(parts, policy))
    assert opened == ([] if not other or is_plain else ["1a.csv"])
    assert as_rows(made) == as_rows(expected)
    records = scan.filter(pl.col("visit_id") != "visit_id")  # a scan of keys does not mind repeated headers
    assert records.equals(ingest.stack([chunk.written() for chunk in made]).select(scan.columns))
    assert source.files == [item for item in alone if isinstance(item, ingest.SourceFile)]


def as_rows(made: list[ingest.Chunk]) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """The records of all chunks, and those that were lost."""
    frame = ingest.stack([chunk.written() for chunk in made])
    return frame.select(sorted(frame.columns)).rows(), pl.concat(chunk.malformed for chunk in made).rows()


def test_a_fault_of_a_small_file_is_reported_by_the_reading_that_meets_it(tmp_path: Path, policy: Policy):
    (tmp_path / "a.csv").write_text(TEXT + "Visit ID,MRN,Visit Start,Visit Status\n")
    parts, _ = reading.parts("visits", (str(tmp_path),))
    assert [chunk.frame.height for chunk in Chunks(parts, policy, only=("visit_id",))] == [2]
    with pytest.raises(InputRefused, match="header of another file"):
        list(Chunks(parts, policy))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_of_many_small_files_is_read_in_groups_of_them(
    tmp_path: Path, policy: Policy, monkeypatch: pytest.MonkeyPatch, suffix: str
):
    parts = daily(tmp_path, suffix, 15, 15, 15, 15)
    size = max(part.path.stat().st_size for part in parts)
    monkeypatch.setattr("auditor.reading.chunks._HELD", 2 * size * _HELD_PER_BYTE)
    alone = [item for part in parts for item in ingest.read_part(part, policy)]
    expected = ingest.stack([item.written() for item in alone if isinstance(item, ingest.Chunk)])
    monkeypatch.setattr("auditor.reading.chunks.read_part", None)
    ids = ingest.stack([chunk.frame for chunk in Chunks(parts, policy, only=("visit_id",))])
    source = Chunks(parts, policy)
    rows = ingest.stack([chunk.written() for chunk in source])
    assert rows.select(expected.columns).equals(expected)
    assert ids.equals(expected.select(ids.columns))
    assert source.files == [item for item in alone if isinstance(item, ingest.SourceFile)]
    assert [part.held for part in parts] == [None] * 4


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_small_files_that_hold_more_than_they_seem_to_are_read_one_by_one(
    tmp_path: Path, policy: Policy, monkeypatch: pytest.MonkeyPatch, suffix: str
):
    parts = daily(tmp_path, suffix, 15, 15, 15, 15)
    monkeypatch.setattr("auditor.reading.chunks._HELD_PER_BYTE", 0)
    for room, held in ((1 << 20, True), (2_000, False)):
        monkeypatch.setattr("auditor.reading.chunks._HELD", room)
        assert sum(chunk.frame.height for chunk in Chunks(parts, policy, only=("visit_id",))) == 60
        assert [part.held is not None for part in parts] == [held] * 4
        parts = [replace(part, held=None) for part in parts]
