"""Sources that ship: each is a valid part of a policy, and reads what its system writes."""

import json
from pathlib import Path

import polars as pl
import pytest

from auditor import policy as policies
from auditor.errors import UsageError
from auditor.mapping import suggest
from auditor.reading import ingest
from auditor.schema.tables import TABLES
from auditor.sources import known
from tests.support.catalogue import command

SPECIFICATION = (Path(__file__).parents[2] / "docs" / "specification.md").read_text(encoding="utf-8")
PAIRS = [(name, table) for name in known.names() for table in TABLES if table in known.content(name)]


@pytest.mark.parametrize(("name", "table"), PAIRS, ids=[f"{name}-{table}" for name, table in PAIRS])
def test_a_source_is_part_of_a_policy_and_names_what_it_rests_on(name: str, table: str):
    policy = policies.load(systems={table: name})
    said = known.content(name)
    assert policy.columns[table] == {
        column: header if isinstance(header, str) else tuple(header)
        for column, header in said[table]["columns"].items()
    }
    assert said["system"] and isinstance(said["verified"], bool)
    assert all(page["address"].startswith("http") and page["read"].year >= 2026 for page in said["documentation"])
    assert all(page["address"] in SPECIFICATION for page in said["documentation"])


def test_calls_of_an_interface_are_read_by_their_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    record = {
        "sid": "CA1", "start_time": "Mon, 02 Mar 2026 14:00:00 +0000", "end_time": "Mon, 02 Mar 2026 14:21:00 +0000",
        "duration": "1230", "direction": "outbound-dial", "from": "+12125550100", "to": "+19175550123",
    }  # fmt: skip
    log = tmp_path / "calls.csv"
    later = {"sid": "CA2", "start_time": "Tue, 03 Mar 2026 14:00:00 +0000", "end_time": "", "from": "+12125550199"}
    pl.DataFrame([record, record | later]).write_csv(log)
    policy = policies.load(systems={"phone_log": "twilio"})
    assert ingest.read_table("phone_log", (str(log),), policy).frame.columns[:2] == ["record_id", "call_start"]
    calls, visits = tmp_path / "own.csv", tmp_path / "visits.csv"
    calls.write_text(
        "call_id,patient_id,provider_id,start,minutes,initiated_by,cpt\nk1,p1,7,2026-03-02T14:00:30Z,25,patient,98968\n"
    )
    visits.write_text("visit_id,patient_id,visit_start\nv1,p2,2026-04-01 09:00\n")
    own = tmp_path / "policy.toml"
    own.write_text('timezone = "UTC"\n[phone_log.users]\n7 = ["(212) 555-0100"]\n')
    tables = ["--calls", str(calls), "--visits", str(visits), "--phone-log", str(log), "--policy", str(own)]
    options = [
        "--source",
        "phone_log=twilio",
        "--format",
        "csv",
        "--select",
        "DUR004,ELG008,INT004",
        "--require",
        "INT004",
    ]
    assert command(["run", *tables, *options, "--show-ids"]) == 1
    found = pl.read_csv(capsys.readouterr().out.encode())
    assert found.select("rule", "related_kind", "related_id").rows() == [
        ("DUR004", "record", "CA1"), ("ELG008", "record", "CA1"),
    ]  # fmt: skip


def test_the_policy_of_the_user_comes_before_the_source(tmp_path: Path):
    own = tmp_path / "own.toml"
    own.write_text('instant_formats = ["%d.%m.%Y %H:%M"]\n[columns.phone_log]\ncall_start = "begun"\n')
    policy = policies.load(str(own), systems={"phone_log": "twilio"})
    assert policy.sources_of("phone_log", "call_start") == ("begun",)
    assert policy.sources_of("phone_log", "call_end") == ("end_time",)
    assert policy.instant_formats == ("%d.%m.%Y %H:%M", "%a, %d %b %Y %H:%M:%S %z")


def test_a_column_that_an_export_lacks_is_no_mistake_of_the_policy(tmp_path: Path):
    log = tmp_path / "log.csv"
    log.write_text("start_time,from\n2026-03-02T14:00:00Z,101\n")
    policy = policies.load(systems={"phone_log": "twilio"})
    assert ingest.read_table("phone_log", (str(log),), policy).files[0].mapping.keys() == {"call_start", "from_number"}


@pytest.mark.parametrize(
    ("pair", "says"),
    [
        ("phone_log=twillio", "did you mean twilio?"),
        ("phonelog=twilio", "did you mean phone_log?"),
        ("calls=tuva", "tuva has no calls; it has claims"),
        ("twilio", "is no TABLE=NAME"),
    ],
)
def test_a_source_that_is_not_there_is_refused(pair: str, says: str):
    with pytest.raises(UsageError, match=says.replace("?", r"\?")):
        known.chosen("--source", (pair,))


def test_init_proposes_the_headers_of_sources(tmp_path: Path):
    log = tmp_path / "log.jsonl"
    rows = [
        {"id": f"r{n}", "startTime": f"2026-03-{n:02}T14:00:00Z", "duration": 100 + n, "direction": "Inbound"}
        for n in range(1, 21)
    ]
    log.write_text("\n".join(map(json.dumps, rows)))
    text = suggest.suggest({"phone_log": (str(log),)}).text
    assert 'call_start = "startTime"' in text
