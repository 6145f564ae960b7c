"""JSON Lines: a record a line, columns by dotted path, numbers as written, no column missed."""

import csv
import gzip
import json
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from auditor.errors import InputRefused
from auditor.reading import ingest
from auditor.reading.chunks import read_parts
from auditor.reading.files import expand
from auditor.settings import Settings
from auditor.sources import json_text, staging
from tests.support.engines import audited_here
from tests.support.reading import own_policy

SAMPLE = Path(__file__).parents[2] / "sample_data"


def read(folder: Path, *lines: str, policy: str = "", data: bytes | None = None, name="visits.jsonl") -> ingest.Extract:
    """Lines of visits as the run reads them."""
    (folder / name).write_bytes("\n".join(lines).encode() if data is None else data)
    rules = own_policy(folder, policy)
    with staging.staged({"visits": expand("visits", [str(folder / name)])}, rules, folder) as found:
        return read_parts("visits", found["visits"], rules)


def visit(**columns: object) -> str:
    return json.dumps({"visit_id": "V", "patient_id": "P", "visit_start": "2026-03-02", **columns})


def test_paths_lists_and_texts_of_numbers(tmp_path: Path):
    lines = (
        '{"visit": {"id": 12345678901234567890}, "patient.id": "007", "period": {"start": "2026-03-02"}, "dx": 250.10}',
        "",
        '{"visit_id": -0, "patient_id": 1e1, "period": {"start": null}, "dx": ["F33.1", null, 250.10], "next_available": true}',
        '{"visit_id": "c", "patient_id": "", "codes": [{"cpt": "90834"}, {"cpt": 98968, "n": 1}, {}]}',
    )
    policy = '[columns.visits]\nvisit_start = "period.start"\ncpt_codes = "codes.cpt"\n'
    with pytest.raises(InputRefused, match=r"two columns for visit_id: 'visit\.id' and 'visit_id'"):
        read(tmp_path, *lines, policy=policy)
    same_names = (line.replace("visit_id", "visit.id").replace("patient_id", "patient.id") for line in lines)
    extract = read(tmp_path, *same_names, policy=policy)
    assert extract.frame.drop("source_file").rows(named=True) == [
        {"visit_id": "12345678901234567890", "patient_id": "007", "visit_start": "2026-03-02", "soonest_available": None,
         "cpt_codes": None, "diagnosis_codes": "250.10", "source_record": 1},
        {"visit_id": "-0", "patient_id": "1e1", "visit_start": None, "soonest_available": "true",
         "cpt_codes": None, "diagnosis_codes": "F33.1;250.10", "source_record": 3},
        {"visit_id": "c", "patient_id": "", "visit_start": None, "soonest_available": None,
         "cpt_codes": "90834;98968", "diagnosis_codes": None, "source_record": 4},
    ]  # fmt: skip
    assert (extract.files[0].kind, extract.files[0].rows, extract.files[0].unused) == ("json lines", 3, ("codes.n",))


def test_a_column_of_the_last_line_counts_however_the_lines_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    lines = [visit(visit_id=str(n)) for n in range(200)] + [visit(visit_id="last", status="cancelled")]
    whole = read(tmp_path, *lines).frame
    monkeypatch.setattr(json_text, "_BLOCK", 1000)
    assert_frame_equal(read(tmp_path, *lines).frame, whole)
    assert whole["status"].drop_nulls().to_list() == ["cancelled"] and whole.height == 201
    assert not list(tmp_path.glob(".unfinished*"))


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + visit().encode() + b"\r\n\r\n",
        gzip.compress(visit().encode()),
        (visit() + "\n").encode("utf-16"),
    ],
    ids=["byte-order mark", "gzip", "utf-16"],
)
def test_texts_are_decoded_as_those_of_csv(tmp_path: Path, data: bytes):
    assert read(tmp_path, data=data, name="visits.ndjson.gz").frame["visit_id"].to_list() == ["V"]


def test_a_compressed_file_that_expands_too_far_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("auditor.reading.decoding._HARMLESS", 1000)
    with pytest.raises(InputRefused, match="decompress to more than 500 times"):
        read(tmp_path, data=gzip.compress(b"\n" * 2_000_000), name="visits.jsonl.gz")


@pytest.mark.parametrize(
    "bad",
    ['{"a": NaN}', '{"a": "\\ud800"}', "[" * 100_000, '{"a": 01}', "{} {}", "{", "7", "null"],
    ids=lambda bad: bad[:9],
)
def test_a_line_that_is_not_one_object_is_named(tmp_path: Path, bad: str):
    with pytest.raises(InputRefused, match=r"visits.jsonl, line 3: not "):
        read(tmp_path, visit(), "", bad, visit())


def test_a_file_without_lines_is_a_table_without_rows(tmp_path: Path):
    assert read(tmp_path, "").frame.height == 0


def test_the_sample_gives_the_findings_of_csv(tmp_path: Path):
    for name in ("calls", "visits", "providers"):
        with (SAMPLE / f"{name}.csv").open() as rows, (tmp_path / f"{name}.jsonl").open("w") as lines:
            for row in csv.DictReader(rows):
                lines.write(json.dumps({key: value for key, value in row.items() if value}) + "\n")
    as_csv, as_json = (
        audited_here(
            Settings(
                policy=own_policy(tmp_path, ""),
                paths={name: (f"{folder}/{name}.{kind}",) for name in ("calls", "visits", "providers")},
            )
        )
        for folder, kind in ((SAMPLE, "csv"), (tmp_path, "jsonl"))
    )
    assert as_csv.findings.height > 50
    for one, other in ((as_csv.findings, as_json.findings), (as_csv.claims, as_json.claims)):
        assert_frame_equal(one.drop("source_file", strict=False), other.drop("source_file", strict=False))
