"""Sources that ship: each is a valid part of a policy, and reads what its system writes."""

import json
import shlex
import tomllib
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from auditor import policy as policies
from auditor.billing import adjustments
from auditor.errors import InputRefused, UsageError
from auditor.mapping import suggest, values
from auditor.parsing import typed_table
from auditor.parsing.typed_chunk import type_table
from auditor.quality import left_out_rows
from auditor.reading import ingest
from auditor.reading.chunks import read_parts
from auditor.reading.files import expand
from auditor.schema.tables import TABLES
from auditor.sources import known, staging
from tests.sources.known_exports import EXPORTS
from tests.support import reading
from tests.support.catalogue import command

PAIRS = [(name, table) for name in known.names() for table in TABLES if table in known.content(name)]


@pytest.mark.parametrize(("name", "table"), PAIRS, ids=[f"{name}-{table}" for name, table in PAIRS])
def test_a_source_is_part_of_a_policy_and_names_what_it_rests_on(name: str, table: str):
    policy = policies.load(systems={table: name})
    content = known.content(name)
    assert policy.columns[table] == {
        column: header if isinstance(header, str) else tuple(header)
        for column, header in content[table]["columns"].items()
    }
    assert content["system"] and isinstance(content["verified"], bool)
    assert all(page["address"].startswith("http") and page["read"].year >= 2026 for page in content["documentation"])
    assert content["verified"] or content["unverified"]


def test_the_readme_counts_the_sources():
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert f"[{len(known.names())} systems](docs/sources.md)" in readme


def test_calls_of_an_interface_are_read_by_their_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    record = {
        "sid": "CA1", "start_time": "Mon, 02 Mar 2026 14:00:00 +0000", "end_time": "Mon, 02 Mar 2026 14:21:00 +0000",
        "duration": "1230", "direction": "outbound-dial", "status": "completed", "from": "+12125550100", "to": "+19175550123",
    }  # fmt: skip
    log = tmp_path / "calls.csv"
    later = {"sid": "CA2", "start_time": "Tue, 03 Mar 2026 14:00:00 +0000", "end_time": "", "from": "+12125550199"}
    pl.DataFrame([record, record | later]).write_csv(log)
    policy = policies.load(systems={"phone_log": "twilio"})
    assert reading.extract("phone_log", (str(log),), policy).frame.columns[:2] == ["record_id", "call_start"]
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


def test_check_says_which_system_a_table_is_read_as(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    log, visits, claims = written(EXPORTS["3cx"].text, tmp_path), tmp_path / "visits.csv", tmp_path / "claims.csv"
    visits.write_text("visit_id,patient_id,visit_start\nv1,p1,2026-04-01 09:00\n")
    claims.write_text("claim_id,patient_id,provider_id,service_date,cpt_code\nc1,p1,7,2026-03-02,98968\n")
    tables = {"claims": (str(claims),), "visits": (str(visits),), "phone_log": (str(log),)}
    proposed = shlex.split(suggest.command(tables, "default"))[1:]  # the command that `init` prints
    assert command([*proposed, "--source", "phone_log=3cx", "--timezone", "America/Chicago"]) == 0
    assert "  read as 3CX, which is not verified: check the columns\n" in capsys.readouterr().out


def test_the_policy_of_the_user_comes_before_the_source(tmp_path: Path):
    own = tmp_path / "own.toml"
    own.write_text('instant_formats = ["%d.%m.%Y %H:%M"]\n[columns.phone_log]\ncall_start = "begun"\n')
    policy = policies.load(str(own), systems={"phone_log": "twilio"})
    assert policy.sources_of("phone_log", "call_start") == ("begun",)
    assert policy.sources_of("phone_log", "call_end") == ("end_time",)
    assert policy.instant_formats == ("%d.%m.%Y %H:%M", "%a, %d %b %Y %H:%M:%S %z")


def test_a_column_that_an_export_lacks_is_no_mistake_of_the_policy(tmp_path: Path):
    log = tmp_path / "log.csv"
    log.write_text("start_time,from,status\n2026-03-02T14:00:00Z,101,completed\n")
    policy = policies.load(systems={"phone_log": "twilio"})
    assert reading.extract("phone_log", (str(log),), policy).files[0].mapping.keys() == {"call_start", "from_number"}


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


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_of_a_system_becomes_these_rows(name: str, tmp_path: Path):
    export = EXPORTS[name]
    found, file = typed(name, export.text, tmp_path)
    assert found.rejects.is_empty() and not found.notes and found.unrecognised.is_empty()
    assert not any("in an 835" in warning for warning in found.tallies)
    assert (found.rows.height, file.facts.left_out) == (len(export.rows), export.left_out)
    for row, expected in zip(found.rows.to_dicts(), export.rows, strict=True):
        assert {column: shown(column, row[column]) for column in expected} == expected


def typed(name: str, text: str, folder: Path) -> tuple[typed_table.Table, ingest.SourceFile]:
    """An export as a practice in Chicago reads it."""
    table, path = EXPORTS[name].table, written(text, folder)
    policy = policies.load(systems={table: name}, timezone="America/Chicago")
    with staging.staged({table: expand(table, [str(path)])}, policy, folder) as found:
        extract = read_parts(table, found[table], policy)
    return type_table(extract, policy), extract.files[0]


def written(text: str, folder: Path) -> Path:
    path = folder / ("export.jsonl" if text.startswith("{") else "export.csv")
    path.write_text(text, encoding="utf-8")
    return path


def shown(column: str, value: object) -> object:
    """A typed value as the expectations write it: instants in UTC, lengths in seconds."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S}".removesuffix(":00") + "Z"
    if isinstance(value, (date, Decimal)):
        return str(value)
    return value / 1_000_000 if column == "talk_seconds" and isinstance(value, int) else value


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_recognized_by_its_headers(name: str, tmp_path: Path):
    export = EXPORTS[name]
    read = values.read(export.table, [str(written(export.text, tmp_path))], policies.load())
    assert known.recognized(export.table, [source.name for source in read.sources]) == [name]
    assert name not in known.recognized(export.table, ["start_time", "end_time", "duration", "direction", "from", "to"])


@pytest.mark.parametrize("name", ["amazon-connect", "five9", "athenahealth"])
def test_init_names_the_source_and_proposes_its_headers(name: str, tmp_path: Path):
    export = EXPORTS[name]
    text = suggest.suggest({export.table: (str(written(export.text, tmp_path)),)}, show_ids=True).text
    assert f"--source {export.table}={name} " in text
    ours = known.content(name)[export.table]["columns"]
    proposed = tomllib.loads(text)["columns"][export.table]
    assert sum(proposed.get(column) == header for column, header in ours.items()) * 4 > len(ours) * 3


def test_a_column_that_chooses_rows_has_to_be_there(tmp_path: Path):
    earlier = EXPORTS["talkdesk"].text.replace("call_id,type,start_at", "interaction_id,call_type,start_time")
    with pytest.raises(InputRefused, match=r"the source talkdesk chooses rows by 'type', .* in place of --source"):
        typed("talkdesk", earlier, tmp_path)


def test_a_part_of_a_joined_text_may_be_missing_from_a_source(tmp_path: Path):
    inbound = (
        EXPORTS["zoom-phone"].text.splitlines()[2].replace('"answer_time":""', '"answer_time":"2026-03-02T17:00:20Z"')
    )
    found, file = typed("zoom-phone", inbound, tmp_path)
    assert (file.mapping["extension"], found.rows["extension"].item()) == (("callee_ext_number",), "101")


def test_words_of_a_source_that_no_row_has_are_not_warned_about(tmp_path: Path):
    some = "\n".join(EXPORTS["talkdesk"].text.splitlines()[:3])
    _, file = typed("talkdesk", some, tmp_path)
    policy = policies.load(systems={"phone_log": "talkdesk"})
    exports: Any = SimpleNamespace(files={"phone_log": (file,)}, policy=policy)
    assert not [*left_out_rows.judge(exports)]
    exports.policy = policy.model_copy(update={"systems": {}})
    assert "no row has 'voicemail' in 'type'" in " ".join(issue.message for issue in left_out_rows.judge(exports))


def test_of_a_claim_and_its_cancellation_the_adjustment_is_left(tmp_path: Path):
    found, _ = typed("cclf", EXPORTS["cclf"].text, tmp_path)
    lines = adjustments.settle(found.rows.with_row_index("row"))
    assert lines.select("cpt_code", "claim_status").sort("cpt_code", "claim_status").rows() == [
        ("98967", "active"), ("98968", "void"), ("98968", "void"),
    ]  # fmt: skip


def test_init_proposes_the_headers_of_sources(tmp_path: Path):
    log = tmp_path / "log.jsonl"
    rows = [
        {"id": f"r{n}", "startTime": f"2026-03-{n:02}T14:00:00Z", "duration": 100 + n, "direction": "Inbound"}
        for n in range(1, 21)
    ]
    log.write_text("\n".join(map(json.dumps, rows)))
    text = suggest.suggest({"phone_log": (str(log),)}).text
    assert 'call_start = "startTime"' in text
