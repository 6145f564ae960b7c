"""Parquet: types that are read as their text would be, and files that cannot be read."""

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from auditor.errors import InputRefused
from auditor.mapping import values
from auditor.policy import Policy
from auditor.reading import parquet
from tests.support.reading import own_policy, read_table


def test_parquet_types_give_the_rows_of_their_text(tmp_path: Path, policy: Policy):
    frame = pl.DataFrame({"visit_id": [7, 8], "patient_id": [1.0, None], "visit_start": ["2026-03-02 09:00", "2026-03-02 00:00"],
                          "cpt_codes": [["99213", "G0438"], None], "global_days": [90.0, None]})  # fmt: skip
    frame = frame.with_columns(pl.col("visit_start").str.to_datetime("%Y-%m-%d %H:%M"))
    frame.write_parquet(tmp_path / "visits.parquet")
    table = read_table(tmp_path / "visits.parquet", policy)
    row = table.rows.select("visit_id", "patient_id", "cpt_codes", "global_days", "visit_start_date_only").rows()
    assert row == [("7", "1", ["99213", "G0438"], 90, False)]
    assert table.rejects["reason"].to_list() == ["patient_id is blank"]


def test_parquet_of_unusual_types(tmp_path: Path, policy: Policy):
    day = pl.Series([datetime(2026, 3, 2, 9), datetime(2026, 3, 2, 10)], dtype=pl.Datetime("ms"))
    frame = pl.DataFrame({"call_id": ["1", "2"], "patient_id": [float("nan"), 7.0], "provider_id": ["1.00", "2.00"],
                          "call_seconds": [1_500_000, 1_500_500], "call_start": day})  # fmt: skip
    frame = frame.with_columns(
        pl.col("call_seconds").cast(pl.Duration("ms")), pl.col("provider_id").cast(pl.Decimal(10, 2)),
        diagnosis_codes=pl.Series([["E11.9", "I10"], ["F32", "F33"]], dtype=pl.Array(pl.String, 2)),
    )  # fmt: skip
    frame.write_parquet(tmp_path / "calls.parquet")
    table = read_table(tmp_path / "calls.parquet", policy, "calls")
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
        read_table(tmp_path / "visits.parquet", policy)


@pytest.mark.parametrize("far", [2**62, -(2**62), 2**63 - 1])
@pytest.mark.parametrize("column", ["visit_id", "patient_id", "visit_start"])
@pytest.mark.parametrize(
    "dtype", [pl.Datetime("ms"), pl.Datetime("us"), pl.Datetime("us", "America/New_York"), pl.Date()], ids=str
)
def test_dates_of_no_calendar_are_text(tmp_path: Path, policy: Policy, far: int, column: str, dtype: pl.DataType):
    """Where they are ids they are as good as any; where a date is wanted they are rejected, and their neighbours are not."""
    near = pl.Series([date(2026, 3, 2), date(2026, 3, 4)]).cast(dtype).to_physical()
    values = [max(-(2**31), min(2**31 - 1, far)) if dtype == pl.Date else far, *near]
    frame = pl.DataFrame(
        {"visit_id": ["1", "2", "3"], "patient_id": ["a", "b", "c"], "visit_start": ["2026-03-02"] * 3}
    )
    if dtype == pl.Date:
        odd = pl.Series(column, values, dtype=pl.Int32).cast(pl.Date)
    else:
        odd = pl.Series(column, values).cast(dtype)
    frame.with_columns(odd).write_parquet(tmp_path / "visits.parquet")
    table = read_table(tmp_path / "visits.parquet", policy)
    assert table.rows.height == (2 if column == "visit_start" else 3)
    assert table.rejects.height == 3 - table.rows.height
    if column != "visit_start":
        assert str(values[0]) in table.rows[column].to_list()


def test_a_small_file_of_many_equal_rows_is_refused(tmp_path: Path, policy: Policy):
    rows = pa.table(
        {"visit_id": ["1"] * 1_000_000, "patient_id": ["p"] * 1_000_000, "visit_start": ["2026-01-01"] * 1_000_000}
    )
    with pq.ParquetWriter(tmp_path / "visits.parquet", rows.schema) as file:
        for _ in range(8):
            file.write_table(rows)
    with pytest.raises(InputRefused, match=r"decompress to more than 500 times that size"):
        read_table(tmp_path / "visits.parquet", policy)


@pytest.mark.slow
def test_damaged_parquet_is_refused_or_read_and_never_ends_the_process(tmp_path: Path, policy: Policy):
    pl.DataFrame({"visit_id": ["1"] * 50, "patient_id": ["p"] * 50, "visit_start": ["2026-01-01"] * 50,
                  "cpt_codes": [["99213"]] * 50}).write_parquet(tmp_path / "a.parquet")  # fmt: skip
    whole = (tmp_path / "a.parquet").read_bytes()
    outcomes = []
    for at in range(4, len(whole), 7):
        (tmp_path / "a.parquet").write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            outcomes.append(read_table(tmp_path / "a.parquet", policy).rows.height)
        except InputRefused:
            outcomes.append(-1)
    assert -1 in outcomes


@pytest.mark.parametrize("repeats", [1, 100])
def test_parquet_text_that_is_not_utf_8_is_refused(tmp_path: Path, policy: Policy, repeats: int):
    size = 5 * repeats
    bad = pa.array([b"seen"] * (size - 1) + [b"\xff\xfe"], pa.binary())
    text = pa.Array.from_buffers(pa.string(), size, bad.buffers())
    keys = pa.array([str(number) for number in range(size)])
    start = pa.array(["2026-03-02"] * size)
    names = ["visit_id", "patient_id", "visit_start", "status"]
    pq.write_table(pa.table([keys, keys, start, text], names), tmp_path / "a.parquet")
    with pytest.raises(InputRefused, match="cannot be read as Parquet"):
        read_table(tmp_path / "a.parquet", policy)


def calls(tmp_path: Path, policy: Policy, **columns: pa.Array) -> dict[str, object]:
    """The typed row of a call with these columns."""
    start = pa.array([datetime(2026, 3, 9, 14)], pa.timestamp("us"))
    plain = {"call_id": ["K"], "patient_id": ["P"], "provider_id": ["D"], "call_start": start}
    pq.write_table(pa.table({**plain, **columns}), tmp_path / "calls.parquet")
    return read_table(tmp_path / "calls.parquet", policy, "calls").rows.row(0, named=True)


UUID = uuid.UUID("12345678-1234-5678-9abc-000000000001")


def test_uuids_are_text_in_the_usual_form(tmp_path: Path, policy: Policy):
    row = calls(tmp_path, policy, patient_id=pa.array([UUID.bytes], pa.uuid()))
    assert row["patient_id"] == str(UUID)


def test_extension_types_are_read_by_their_storage(tmp_path: Path, policy: Policy):
    stored = pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1], pa.int8()))
    assert calls(tmp_path, policy, established=stored)["established"] is True


def test_numbers_of_many_digits_that_fit_are_read(tmp_path: Path, policy: Policy):
    row = calls(tmp_path, policy, paid_amount=pa.array([Decimal("31.10")], pa.decimal256(50, 2)))
    assert str(row["paid_amount"]) == "31.10"


def test_bytes_that_are_text_are_read(tmp_path: Path, policy: Policy):
    assert calls(tmp_path, policy, claim_id=pa.array([b"C1"], pa.binary()))["claim_id"] == "C1"


@pytest.mark.parametrize(
    ("column", "says"),
    [
        (pa.array([UUID.bytes], pa.binary(16)), "holds bytes"),
        (pa.array([b"\xff\xfe"], pa.binary()), "holds bytes"),
        (pa.array(['{"a": 1}'], pa.json_()), "holds JSON"),
        (pa.array([Decimal(10) ** 45], pa.decimal256(50, 2)), "holds numbers of more than 38 digits"),
        (pa.array([["a"]], pa.list_view(pa.string())), "holds a view of lists"),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_columns_that_are_no_text_are_refused_with_the_cast(
    tmp_path: Path, policy: Policy, column: pa.Array, says: str
):
    with pytest.raises(InputRefused, match=f"column 'claim_id' {says}.*in the query of the export"):
        calls(tmp_path, policy, claim_id=column)
    assert calls(tmp_path, policy, **{"nobody reads": column})["call_id"] == "K"
    assert calls(tmp_path, policy, **{"void reason": column})["call_id"] == "K"


def test_fixed_offsets_are_instants(tmp_path: Path, policy: Policy):
    start = pa.array([datetime(2026, 3, 9, 14, tzinfo=UTC)], pa.timestamp("us", "-04:00"))
    assert calls(tmp_path, policy, call_start=start)["call_start"] == datetime(2026, 3, 9, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    ("footer", "zone", "hour"),
    [
        ({b"org.apache.spark.version": b"4.0.0"}, "", 14),
        ({b"org.apache.spark.version": b"4.0.0"}, '[timezones]\ncalls = "America/Chicago"', 14),
        ({}, '[timezones]\ncalls = "UTC"', 14),
        ({}, '[timezones]\n"calls.call_start" = "America/New_York"', 18),
        ({}, '[timezones]\nvisits = "UTC"', None),
        ({}, "", None),
    ],
)
def test_int96_is_in_utc_where_spark_wrote_it_else_where_the_policy_says(
    tmp_path: Path, footer: dict[bytes, bytes], zone: str, hour: int | None
):
    policy = own_policy(tmp_path, zone)
    start = pa.array([datetime(2026, 3, 9, 14)], pa.timestamp("us"))
    table = pa.table({"call_id": ["K"], "patient_id": ["P"], "provider_id": ["D"], "call_start": start})
    pq.write_table(table.replace_schema_metadata(footer), tmp_path / "c.parquet", use_deprecated_int96_timestamps=True)
    if hour is None:
        with pytest.raises(InputRefused, match=r"INT96.*\[timezones\] \"calls.call_start\" = \"UTC\""):
            read_table(tmp_path / "c.parquet", policy, "calls")
    else:
        found = read_table(tmp_path / "c.parquet", policy, "calls").rows["call_start"].to_list()
        assert found == [datetime(2026, 3, 9, hour, tzinfo=UTC)]


@pytest.mark.parametrize("magic", [b"PAR1", b"PARE"])
def test_encrypted_files_are_refused_before_any_column_is_looked_at(
    tmp_path: Path, policy: Policy, monkeypatch: pytest.MonkeyPatch, magic: bytes
):
    """The stand-in is a plain file with the longer footer of a signed one, or with the mark of an encrypted footer."""
    calls(tmp_path, policy)
    data = (tmp_path / "calls.parquet").read_bytes()
    size = int.from_bytes(data[-8:-4], "little") + 28
    signed = magic + data[4:-8] + bytes(28) + size.to_bytes(4, "little") + magic
    (tmp_path / "calls.parquet").write_bytes(signed)
    monkeypatch.setattr(parquet, "_low_cardinality", pytest.fail)
    for read in (read_table, lambda path, _, table: values.read(table, (str(path),), policy)):
        with pytest.raises(InputRefused, match="the Parquet file is encrypted"):
            read(tmp_path / "calls.parquet", policy, "calls")


def test_many_small_row_groups_are_read_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Each reading has its price: a file of a thousand groups is read at once, and a group that fills a chunk alone."""
    table = pa.table({"a": [str(number) for number in range(3_000)]})
    pq.write_table(table, tmp_path / "tiny.parquet", row_group_size=3)
    readings: list[list[int]] = []
    plain = pq.ParquetFile.iter_batches
    monkeypatch.setattr(pq.ParquetFile, "iter_batches",
                        lambda file, rows, groups, *given, **also: (readings.append(groups),
                                                                    plain(file, rows, groups, *given, **also))[1])  # fmt: skip
    for rows, wanted in ((100_000, 1), (1_000, 6)):
        readings.clear()
        with (tmp_path / "tiny.parquet").open("rb") as stream:
            frames = [frame for frame, _ in parquet.read_columns("tiny", stream, ["a"], rows=rows)]
        assert pl.concat(frames)["0"].to_list() == table["a"].to_pylist()
        assert len(readings) == wanted
        assert [group for groups in readings for group in groups] == list(range(1_000))
