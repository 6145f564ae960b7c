"""Tokens instead of identifiers: in every output, stable, and without any effect on the verdicts."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from auditor.errors import UsageError
from auditor.identity import Identity, read_key
from auditor.reports import folder, summary, tables
from auditor.schema.outputs import TABLES
from tests.support.engines import audited_here
from tests.synthetic.test_sample_answer import FOLDERS, audit_folder

TOKEN = re.compile(r"(pt|pr|cl|ca|vi)-[0-9a-f]{20}")


def quiet(stage: str) -> None:
    pass


@pytest.mark.slow
@pytest.mark.parametrize("source", FOLDERS, ids=lambda source: source.name)
def test_no_output_holds_an_identifier_and_no_verdict_changes(source: Path, tmp_path: Path):
    plain, settings = audit_folder(source, "csv")
    settings = replace(settings, identity=Identity(b"0123456789abcdef"))
    result = audited_here(settings)
    reported = summary.of_result(result, settings, summary.Run("r", datetime.now(UTC)))
    with folder.locked(tmp_path / "out"):
        published = folder.publish(tmp_path / "out", result, reported)
    names = ["patient_id", "provider_id", "claim_id"]
    ids = {one for name in names for one in plain.claims[name]} | set(plain.claims["call_ids"].explode())
    ids |= set(plain.evidence.collect()["id"])
    text = "".join(
        (published / name).read_text()
        for name in ("findings.csv", "claims.csv", "report.html", "summary.json", "rejects.csv")
    )
    text += tables.to_csv(pl.read_parquet(published / "evidence.parquet"))
    for table in ("findings", "claims", "evidence"):
        frame = pl.read_parquet(published / f"{table}.parquet")
        identifiers = [column for column in TABLES[table].values() if column.identifies]
        assert len(identifiers) >= 2
        for column in identifiers:
            values = frame[column.name].explode() if column.type == "list of text" else frame[column.name]
            assert all(TOKEN.fullmatch(value) for value in values.drop_nulls()), column.name
    words = set(re.findall(r"[\w.]+", text))  # a picture's coordinates may hold the same digits
    assert sorted(ids & words) == []
    facts = ("service_date", "disposition", "minutes", "violations", "reviews", "unknowns", "source_record")
    assert result.claims.sort("line").select(facts).equals(plain.claims.sort("line").select(facts))
    assert result.findings.height == plain.findings.height
    assert reported.pseudonym_key_id == Identity(b"0123456789abcdef").key_id


def test_tokens_are_stable_and_differ_by_key_and_kind():
    ids = pl.DataFrame({"id": ["007", None, "007", "8"]})
    one = ids.select(Identity(b"k" * 16).shown("id", "patient")).to_series().to_list()
    assert one[0] == one[2] != one[3]
    assert one[1] is None
    assert one[0] != ids.select(Identity(b"k" * 16).shown("id", "visit")).to_series()[0]
    assert one[0] != ids.select(Identity(b"l" * 16).shown("id", "patient")).to_series()[0]
    assert "k" * 16 not in repr(Identity(b"k" * 16))


@pytest.mark.parametrize(
    ("key", "mode", "says"),
    [(b"0123456789abcdef", 0o640, "chmod 600"), (b"short", 0o600, "too few"), (None, 0, "cannot be read")],
)
def test_a_key_file_must_be_private_and_long_enough(tmp_path: Path, key: bytes | None, mode: int, says: str):
    path = tmp_path / "key"
    if key is not None:
        path.write_bytes(key)
        path.chmod(mode)
    with pytest.raises(UsageError, match=says):
        read_key(path)
