"""Columns that are written in the path of a file."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from auditor.errors import InputRefused
from auditor.policy import Policy
from tests.support import reading
from tests.support.reading import own_policy, read_table


def write(path: Path, columns: dict[str, list[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = pl.DataFrame(columns)
    frame.write_parquet(path) if path.suffix == ".parquet" else frame.write_csv(path)


VISIT = {"visit_id": ["1"], "visit_start": ["2026-03-02 09:00"]}


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_parts_of_the_path_are_text_columns(tmp_path: Path, policy: Policy, name: str):
    for folder, visit in (
        ("patient_id=00123/status=no%5Fshow", "1"),
        ("patient_id=A%2FB/status=__HIVE_DEFAULT_PARTITION__", "2"),
    ):
        write(tmp_path / "data" / folder / name, {**VISIT, "visit_id": [visit]})
    (tmp_path / "data" / "_SUCCESS").touch()
    for given in ("data", "data/*/*/*", "data/patient_id=*"):
        table = read_table(tmp_path / given, policy)
        rows = table.rows.select("visit_id", "patient_id", "status").sort("visit_id").rows()
        assert rows == [("1", "00123", "no_show"), ("2", "A/B", None)]


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_column_of_the_path_can_be_joined_mapped_and_chosen_by(tmp_path: Path, name: str):
    mapped = '[columns.visits]\nvisit_start = ["Day", "Time"]\n[rows.visits]\ndrop = { area = ["9"] }\n'
    policy = own_policy(tmp_path, mapped)
    for area in "19":
        rows = {"visit_id": [area], "patient_id": ["P"], "Time": ["09:30"]}
        write(tmp_path / "data" / f"area={area}" / "day=2026-03-02" / name, rows)
    extract = reading.extract("visits", (str(tmp_path / "data"),), policy)
    assert extract.frame["visit_start"].to_list() == ["2026-03-02 09:30"]
    assert [(file.rows, file.facts.left_out) for file in extract.files] == [(1, 0), (1, 1)]


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
@pytest.mark.parametrize(
    ("column", "cell", "path", "agrees"),
    [
        ("status", "Completed", "completed", True),
        ("status", "kept", "completed", True),
        ("status", "cancelled", "completed", False),
        ("status", "", "completed", False),
        ("status", "", "__HIVE_DEFAULT_PARTITION__", True),
        ("visit_start", "3/2/2026", "2026-03-02", True),
        ("visit_start", "3/2/2026", "2026-03-03", False),
        ("nobody_reads", "a", "b", False),
        ("nobody_reads", "3", "03", True),
        ("nobody_reads", "a", "a", True),
    ],
)
def test_a_file_that_contradicts_its_path_is_refused(
    tmp_path: Path, policy: Policy, name: str, column: str, cell: str, path: str, agrees: bool
):
    write(tmp_path / f"{column}={path}" / name, {**VISIT, "patient_id": ["P"], column: [cell]})
    if agrees:
        assert read_table(tmp_path / f"{column}={path}", policy).rows.height == 1
    else:
        with pytest.raises(InputRefused, match=f"'{column}' holds another value than the path says"):
            read_table(tmp_path / f"{column}={path}", policy)


@pytest.mark.parametrize(("path", "agrees"), [("2026-03-02", True), ("2026-03-03", False)])
def test_a_date_that_nobody_reads_is_compared_as_one(tmp_path: Path, policy: Policy, path: str, agrees: bool):
    folder = tmp_path / f"loaded={path}"
    folder.mkdir()
    pl.DataFrame({**VISIT, "patient_id": ["P"], "loaded": [date(2026, 3, 2)]}).write_parquet(folder / "a.parquet")
    if agrees:
        assert read_table(folder, policy).rows.height == 1
    else:
        with pytest.raises(InputRefused, match="'loaded' holds another value than the path says"):
            read_table(folder, policy)
