"""`compare`: two runs of small worlds, each change with its why and its cause."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from auditor import pipeline
from auditor import policy as policies
from auditor.errors import AuditError, InputRefused, UsageError
from auditor.identity import Identity
from auditor.judging.findings import CASE
from auditor.reports import folder, summary
from auditor.reports.summary import Run
from auditor.rules import CODES, select
from auditor.runs.compare import Comparison, compare
from auditor.runs.compare_causes import CAUSES, FileChange
from auditor.runs.compare_findings import FACTS, RECORD
from auditor.settings import Settings
from auditor.synthetic import sample
from cli.compare_command import compare as command
from tests.support.engines import audited_here

CALLS = """call_id,patient_id,provider_id,call_start,call_minutes,claim_id,cpt_code,initiated_by,paid_amount
k1,p1,a,2026-03-09 09:00,25,SHORTLY,98968,patient,10
k2,p2,a,2026-03-10 09:00,15,SHORT,98968,patient,20
k3,p3,a,2026-03-11 09:00,25,UNRELATED,98968,patient,40
k4,p4,a,2026-03-12 09:00,25,STAFF,98968,provider,80
k5,p5,b,2026-03-20 09:00,25,LATE,98968,patient,160
k6,p6,b,2026-03-12 09:00,25,PLAIN,98968,patient,320
k7,p7,b,2026-03-12 09:00,25,OPEN,98968,patient,640
"""
VISITS = """visit_id,patient_id,provider_id,visit_start,status,originating_call_id
v0,p9,b,2026-01-05 09:00,completed,
v1,p3,c,2026-03-10 09:00,completed,
v2,p7,b,2026-03-11 09:00,,k7
v9,p9,b,2026-04-15 09:00,completed,
"""
NEW_VISIT = "v3,p1,a,2026-03-08 09:00,completed,\n"

Make = Callable[..., Path]


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[pipeline.Result, Settings]]:
    """An audit of the world, once for each: `policy` is TOML or a shipped name, options are those of Settings."""

    @functools.cache
    def run(calls: str, visits: str, policy: str, key: bytes, **options: Any) -> tuple[pipeline.Result, Settings]:
        home = tmp_path_factory.mktemp("world")
        (home / "calls.csv").write_text(calls, encoding="utf-8")
        (home / "visits.csv").write_text(visits, encoding="utf-8")
        if policy not in policies.shipped():
            (home / "own.toml").write_text(policy, encoding="utf-8")
            policy = str(home / "own.toml")
        settings = Settings(
            paths={name: (str(home / f"{name}.csv"),) for name in ("calls", "visits")},
            policy=policies.load(policy, select),
            identity=Identity(key),
            max_rejects="100%",
            **options,
        )
        return audited_here(settings), settings

    return run


@pytest.fixture
def make(tmp_path: Path, audited: Callable[..., tuple[pipeline.Result, Settings]]) -> Make:
    """The folder of a run of the world, r1, r2 and so on, as `audited` makes it."""
    made = 0

    def run(
        calls: str = CALLS, visits: str = VISITS, policy: str = "default", key: bytes = b"", **options: Any
    ) -> Path:
        nonlocal made
        made += 1
        result, settings = audited(calls, visits, policy, key, **options)
        where = tmp_path / str(made) / f"r{made}"
        publish(where, result, settings)
        (where.parent / "latest").symlink_to(where.name)
        return where

    return run


def publish(where: Path, result: pipeline.Result, settings: Settings) -> None:
    """The files of a run folder that a comparison reads; the reports would take most of a test's time."""
    where.mkdir(parents=True)
    for name, frame in (("claims", result.claims.drop("line")), ("findings", result.findings)):
        frame.write_parquet(where / f"{name}.parquet")
    (where / "evidence.parquet").touch()
    reported = summary.of_result(result, settings, Run(where.name, datetime(2026, 4, 20, tzinfo=UTC)))
    folder.write_json(reported, where / "summary.json")


def rows(reported: Comparison) -> list[tuple[Any, ...]]:
    return reported.findings.select("claim_id", "rule", "change", "before", "after", "why", "cause").rows()


def causes(reported: Comparison) -> dict[tuple[str, str], str]:
    return {(claim, rule): cause for claim, rule, *_, cause in rows(reported)}


def edit(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    reported = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    change(reported)
    (run / "summary.json").write_text(json.dumps(reported), encoding="utf-8")


def edit_table(run: Path, name: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    frame = change(pl.read_parquet(run / f"{name}.parquet"))
    frame.write_parquet(run / f"{name}.parquet")


# ----- what differs -----


def test_the_same_data_twice_is_no_difference(make: Make, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    one, other = make(), make()
    edit(other, lambda reported: reported["inputs"][1].update(path="elsewhere.csv"))  # equal bytes
    reported = compare(one, other)
    assert not reported.causes
    assert reported.same_results
    assert reported.causes.roots == ()
    assert reported.claims == {"both": 7, "first only": 0, "second only": 0}
    assert reported.totals[0] == reported.totals[1] > 0
    assert command(one, other, "text", show_ids=True) == 0
    assert b"No difference: equal inputs" in capsysbinary.readouterr().out


def test_files_are_reported_by_bytes_not_by_name(make: Make, tmp_path: Path) -> None:
    one, other = make(), make(visits=VISITS + NEW_VISIT)
    paths = [json.loads((run / "summary.json").read_text())["inputs"][1]["path"] for run in (one, other)]
    assert compare(one, other).causes.inputs == (
        FileChange("visits", paths[0], "vanished", (4, None)),
        FileChange("visits", paths[1], "appeared", (None, 5)),
    )
    edit(other, lambda reported: reported["inputs"][1].update(path=paths[0]))
    assert compare(one, other).causes.inputs == (FileChange("visits", paths[0], "changed", (4, 5)),)


def test_policy_differences_are_named_by_key(make: Make) -> None:
    reported = compare(make(), make(policy="strict"))
    assert reported.causes.policy == {"relatedness": ("evidence", "any"), "frequency.anchor": ("unflagged", "reported")}
    assert reported.causes.policy_file["name"] == ("default", "strict")
    assert reported.causes.roots == ("policy",)


def test_a_comment_in_the_policy_is_no_cause(make: Make, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    one, other = make(policy="horizon_days = 14\n"), make(policy="# reviewed\nhorizon_days = 14\n")
    reported = compare(one, other)
    assert set(reported.causes.policy_file) == {"sha256"}
    assert reported.causes.roots == ()
    command(one, other, "text", show_ids=False)
    shown = capsysbinary.readouterr().out
    assert b"policy: its file changed, but nothing that is in force" in shown
    assert b"No difference in the results" in shown


# ----- one cause -----


def test_a_policy_change_alone_is_the_cause(make: Make) -> None:
    reported = compare(make(), make(policy="strict"))
    assert rows(reported) == [
        ("UNRELATED", "LBK001", "changed", "review", "violation", "in both runs", "policy"),
    ]  # fmt: skip
    assert reported.findings["what"].to_list() == [["outcome", "basis"]]
    assert reported.moves.rows() == [("review", "violation", 1)]
    assert reported.money == {
        "at_risk": (Decimal("740.00"), Decimal("780.00")),
        "review": (Decimal("360.00"), Decimal("320.00")),
    }


def test_a_visit_added_is_data(make: Make) -> None:
    one, other = make(), make(visits=VISITS + NEW_VISIT)
    assert rows(compare(one, other)) == [
        ("SHORTLY", "LBK001", "new", "clear", "violation", "clear in the first run", "data"),
    ]  # fmt: skip
    assert rows(compare(other, one)) == [
        ("SHORTLY", "LBK001", "gone", "violation", "clear", "clear in the second run", "data"),
    ]  # fmt: skip


def test_a_call_changed_is_data(make: Make) -> None:
    reported = compare(make(), make(calls=CALLS.replace("09:00,25,SHORTLY", "09:00,12,SHORTLY")))
    assert rows(reported) == [("SHORTLY", "DUR001", "new", "clear", "violation", "clear in the first run", "data")]
    assert reported.findings["what"].to_list() == [["minutes", "supportable_code"]]
    reported = compare(make(), make(calls=CALLS.replace("09:00,15,SHORT,", "09:00,14,SHORT,")))
    assert rows(reported) == [("SHORT", "DUR001", "changed", "violation", "violation", "in both runs", "data")]
    assert reported.findings["what"].to_list() == [["minutes"]]
    assert reported.moves.is_empty()


def test_a_column_removed_leaves_the_rule_not_evaluated(make: Make) -> None:
    reported = compare(make(), make(calls=CALLS.replace("initiated_by", "was")))
    why = "rule not evaluated in the second run: no calls.initiated_by in the inputs"
    assert rows(reported) == [("STAFF", "ELG001", "gone", "violation", "not evaluated", why, "data")]
    assert reported.causes.rules["ELG001"] == (None, "no calls.initiated_by in the inputs")


def test_a_claim_that_vanished(make: Make) -> None:
    without = "".join(line for line in CALLS.splitlines(keepends=True) if "STAFF" not in line)
    one, other = make(), make(calls=without)
    reported = compare(one, other)
    assert rows(reported) == [
        ("STAFF", "ELG001", "gone", "violation", "not audited", "claim not in the second run", "data"),
    ]  # fmt: skip
    assert reported.claims == {"both": 6, "first only": 1, "second only": 0}
    assert compare(other, one).claims == {"both": 6, "first only": 0, "second only": 1}


def test_a_blank_fact_makes_it_unknown(make: Make) -> None:
    reported = compare(make(), make(calls=CALLS.replace(",provider,80", ",,80")))
    assert rows(reported) == [("STAFF", "ELG001", "gone", "violation", "unknown", "unknown in the second run", "data")]


def test_a_date_outside_the_policy_is_not_applicable(make: Make) -> None:
    reported = compare(make(), make(policy="effective_from = 2026-03-11\n"))
    assert ("SHORT", "DUR001", "gone", "violation", "not applicable",
            "not applicable in the second run", "policy") in rows(reported)  # fmt: skip


def test_another_version_alone_is_the_cause(make: Make) -> None:
    one, other = make(), make()
    edit(other, lambda reported: reported.update(version="9.9.9"))
    edit_table(other, "findings", lambda frame: frame.filter(pl.col("rule") != "DUR001"))
    reported = compare(one, other)
    assert reported.causes.version is not None
    assert reported.causes.version[1] == "9.9.9"
    assert [row[0:3] + row[-1:] for row in rows(reported)] == [("SHORT", "DUR001", "gone", "version")]


def test_a_rule_that_the_other_version_has_not(make: Make) -> None:
    one, other = make(), make(visits=VISITS + NEW_VISIT)
    edit(
        one,
        lambda reported: reported.update(
            version="0.0.9", rules=[r for r in reported["rules"] if r["code"] != "DUR001"]
        ),
    )
    edit_table(one, "findings", lambda frame: frame.filter(pl.col("rule") != "DUR001"))
    reported = compare(one, other)
    why = "rule not evaluated in the first run: version 0.0.9 has no such rule"
    assert ("SHORT", "DUR001", "new", "not evaluated", "violation", why, "version") in rows(reported)
    assert causes(reported)["SHORTLY", "LBK001"] == "data or version"


def test_a_local_rule_whose_package_is_gone_or_another(make: Make) -> None:
    """Its package is recorded, and causes what a version of the program causes."""
    one, other = make(), make()

    def of_package(version: str) -> Any:
        def change(reported: Any) -> None:
            next(r for r in reported["rules"] if r["code"] == "DUR001")["local"] = f"my-rules {version}"

        return change

    edit(one, of_package("1.0"))
    edit(other, of_package("1.1"))
    assert compare(one, other).causes.settings == {"package of DUR001": ("my-rules 1.0", "my-rules 1.1")}
    edit(other, lambda reported: reported.update(rules=[r for r in reported["rules"] if r["code"] != "DUR001"]))
    edit_table(other, "findings", lambda frame: frame.filter(pl.col("rule") != "DUR001"))
    why = "rule not evaluated in the second run: its packages have no such rule"
    assert ("SHORT", "DUR001", "gone", "violation", "not evaluated", why, "version") in rows(compare(one, other))


def test_settings_alone_are_the_cause(make: Make) -> None:
    reported = compare(make(), make(selected=tuple(code for code in CODES if code != "DUR001"), ignored=("ELG001",)))
    assert {(claim, why, cause) for claim, *_, why, cause in rows(reported)} == {
        ("SHORT", "rule not evaluated in the second run: not selected", "settings"),
        ("STAFF", "rule not evaluated in the second run: ignored", "settings"),
    }


def test_coverage_alone_is_the_cause(make: Make) -> None:
    """A visit without a status before the call counts once it is in the past."""
    reported = compare(make(as_of="2026-03-10"), make())
    assert reported.causes.roots == ("coverage",)
    assert causes(reported) == {("OPEN", "LBK001"): "coverage"}
    assert reported.findings["before"].to_list() == ["unknown"]


def test_coverage_that_follows_from_the_data_is_data(make: Make) -> None:
    one, other = make(), make(visits=VISITS + "v8,p9,b,2026-04-19 09:00,completed,\n" + NEW_VISIT)
    reported = compare(one, other)
    assert set(reported.causes.coverage) == {"as_of"}
    assert reported.causes.roots == ("data",)
    assert set(causes(reported).values()) == {"data"}


def test_an_edited_run_is_unexplained(make: Make) -> None:
    one, other = make(), make()
    edit_table(other, "findings", lambda frame: frame.filter(pl.col("rule") != "DUR001"))
    assert causes(compare(one, other)) == {("SHORT", "DUR001"): "unexplained"}


# ----- several causes -----


def test_what_the_files_cannot_tell_apart_stays_together(make: Make) -> None:
    calls = (
        CALLS.replace("09:00,25,SHORTLY", "09:00,12,SHORTLY") + "k8,p8,b,2026-03-13 09:00,12,ADDED,98968,patient,5\n"
    )
    one, other = make(), make(calls=calls, visits=VISITS + NEW_VISIT, policy="strict")
    assert set(causes(compare(one, other)).values()) == {"data or policy"}
    reported = compare(make(as_of="2026-03-10"), make(calls=calls, visits=VISITS + NEW_VISIT))
    assert causes(reported) == {
        ("ADDED", "DUR001"): "data",  # no coverage makes a claim
        ("OPEN", "LBK001"): "data or coverage",
        ("SHORTLY", "DUR001"): "data or coverage",
        ("SHORTLY", "LBK001"): "data or coverage",
    }


def test_a_severity_reaches_no_other_rule(make: Make) -> None:
    reported = compare(make(), make(visits=VISITS + NEW_VISIT, policy='[severity]\nELG001 = "review"\n'))
    assert causes(reported) == {("STAFF", "ELG001"): "data or policy", ("SHORTLY", "LBK001"): "data"}
    reported = compare(make(), make(visits=VISITS + NEW_VISIT, policy='[severity]\nELG001 = "off"\n'))
    assert causes(reported) == {("STAFF", "ELG001"): "policy", ("SHORTLY", "LBK001"): "data"}


def test_a_claim_outside_the_dates_asked_for_is_settings(make: Make) -> None:
    without = "".join(line for line in CALLS.splitlines(keepends=True) if "STAFF" not in line)
    reported = compare(make(), make(calls=without, service_from="2026-03-11"))
    assert causes(reported)["SHORT", "DUR001"] == "settings"
    assert causes(reported)["STAFF", "ELG001"] == "data"
    why = "claim not in the second run, which was not asked for its date or code"
    assert reported.findings.filter(claim_id="SHORT")["why"].to_list() == [why]
    reported = compare(make(), make(calls=without, service_from="3/11/2026"))
    assert causes(reported)["SHORT", "DUR001"] == "data or settings"
    reported = compare(make(), make(calls=CALLS.replace("SHORT,98968", "SHORT,98967"), codes=("98968", "98967")))
    assert causes(reported)["SHORT", "DUR001"] == "data"


def test_rules_that_a_later_version_adds_are_no_setting(make: Make) -> None:
    """All rules are selected in both runs, though the lists of rules differ."""
    one, other = make(), make()
    edit(one, lambda reported: (reported.update(version="0.0.9"), reported["settings"]["selected"].remove("DUR001")))
    assert compare(one, other).causes.roots == ("version",)


@pytest.mark.slow
@pytest.mark.parametrize("root", ["policy", "settings", "coverage"])
def test_a_cause_named_alone_suffices(root: str, tmp_path: Path) -> None:
    """Every change of a sample: the run with the finding, audited with the other's data (or settings) alone, has it
    no more.
    """
    sample.write(tmp_path / "exports", 125, 3)
    calls, visits = (tmp_path / "exports" / f"{name}.csv" for name in ("calls", "visits"))
    paths = {"calls": (str(calls),), "visits": (str(visits),), "providers": (str(calls.with_name("providers.csv")),)}
    settings = Settings(paths=paths, policy=policies.load(str(calls.with_name("policy.toml")), select))
    policy = settings.policy.model_copy(update={"severity": {"LBK001": "review", "DUR002": "off", "ELG004": "review"}})
    asked = {
        "policy": replace(settings, policy=policy),
        "settings": replace(settings, service_from="2025-12-01", ignored=("FRQ001",)),
        "coverage": replace(settings, as_of="2025-11-01", visits_since="2026-01-01"),
    }[root]
    found = {}
    for data in ("old", "new"):
        if data == "new":
            number = pl.int_range(pl.len())
            pl.read_csv(visits, infer_schema=False).filter(number % 3 > 0).write_csv(visits)
            minutes = pl.when(number % 7 == 0).then(pl.lit("22")).otherwise("discussion_minutes")
            rows = pl.read_csv(calls, infer_schema=False).with_columns(discussion_minutes=minutes)
            rows.filter(number % 11 > 0).write_csv(calls)
        for how, used in (("old", settings), ("new", asked)):
            result = audited_here(used)
            publish(tmp_path / (data + how), result, used)
            whole = result.findings.select(*CASE, "outcome", *FACTS, *RECORD)
            found[data, how] = {row[:4]: row for row in whole.iter_rows()}
    reported = compare(tmp_path / "oldold", tmp_path / "newnew")
    assert reported.causes.roots == tuple(sorted(("data", root), key=CAUSES.index))
    assert "data" in set(reported.findings["cause"])
    columns = (*CASE, "change", "before", "after", "cause")
    for *case, change, before, after, cause in reported.findings.select(columns).iter_rows():
        first = change == "gone" or (before, after) == ("violation", "review")
        own, other = ("old", "new") if first else ("new", "old")
        swapped = {"data": (other, own), root: (own, other)}.get(cause)
        if swapped:
            assert found[swapped].get(tuple(case)) != found[own, own][tuple(case)], (case, cause)


# ----- refusals -----


def test_tokens_of_two_keys_are_not_compared(make: Make) -> None:
    one, other, plain = make(key=b"a" * 16), make(key=b"b" * 16), make()
    assert not compare(one, make(key=b"a" * 16)).findings.height
    for second in (other, plain):
        with pytest.raises(InputRefused, match="different pseudonym keys"):
            compare(one, second)


def refusals() -> Iterator[Any]:
    """What spoils a run, the error and its words."""

    def drop(table: str, column: str) -> Callable[[Path], None]:
        return lambda run: edit_table(run, table, lambda frame: frame.drop(column))

    def text(name: str, content: str) -> Callable[[Path], object]:
        return lambda run: (run / name).write_text(content, encoding="utf-8")

    yield pytest.param(
        drop("claims", "unknowns"), InputRefused, r"claims.parquet: no column unknowns; version", id="claims"
    )
    yield pytest.param(drop("findings", "basis"), InputRefused, r"findings.parquet: no column basis", id="findings")
    yield pytest.param(text("claims.parquet", "x"), InputRefused, "tables cannot be read", id="not parquet")
    yield pytest.param(
        text("summary.json", "{"), InputRefused, r"not the summary of a run .* \(ValidationError\)", id="not json"
    )
    yield pytest.param(text("summary.json", "[]"), InputRefused, "not the summary of a run", id="a list")
    yield pytest.param(lambda run: edit(run, lambda reported: reported.pop("pseudonym_key_id")), InputRefused,
                       r"not the summary of a run .* \(ValueError\)", id="older summary")  # fmt: skip
    yield pytest.param(lambda run: edit_table(run, "claims", lambda frame: pl.concat([frame, frame])), InputRefused,
                       r"tables cannot be read \(ComputeError\)", id="a claim twice")  # fmt: skip
    yield pytest.param(lambda run: (run / "findings.parquet").unlink(), UsageError, "no finished run", id="unfinished")
    yield pytest.param(shutil.rmtree, UsageError, "no such folder", id="no folder")


@pytest.mark.parametrize("spoil, error, words", list(refusals()))
def test_what_cannot_be_compared_is_refused(
    spoil: Callable[[Path], object], error: type[AuditError], words: str, make: Make
) -> None:
    one, other = make(), make()
    spoil(other)
    for pair in ((one, other), (other, one)):
        with pytest.raises(error, match=words):
            compare(*pair)


def test_a_refused_run_is_refused(make: Make, tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text(json.dumps({"refused": "x"}), encoding="utf-8")
    (tmp_path / "rejects.csv").write_text("table", encoding="utf-8")
    with pytest.raises(UsageError, match="was refused"):
        compare(make(), tmp_path)


# ----- the command -----


def test_an_output_folder_stands_for_its_latest_run(make: Make) -> None:
    one, other = make(), make(policy="strict")
    assert compare(one.parent, other.parent).runs == compare(one, other).runs == ("r1", "r2")


def test_text_tells_causes_and_tallies_without_identifiers(
    make: Make, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    one, other = make(), make(visits=VISITS + NEW_VISIT, policy="strict")
    assert command(one, other, "text", show_ids=False) == 0
    shown = capsysbinary.readouterr().out.decode()
    for words in (
        "policy relatedness: evidence -> any",
        "7 in both runs",
        "review -> violation: 1",
        "Potential overpayment 740.00 -> 790.00 (+50.00); under review 360.00 -> 320.00 (-40.00)",
        "Findings: 6 -> 7; 1 new, 0 gone, 1 changed",
    ):
        assert words in shown
    lines = [line.split() for line in shown.splitlines()]
    assert ["LBK001", "1", "0", "1"] in lines
    assert ["data", "or", "policy", "1", "0", "1"] in lines
    assert not any(name in shown for name in ("SHORTLY", "UNRELATED", "p1", "p3", "v3"))
    command(one, other, "text", show_ids=True)
    listed = capsysbinary.readouterr().out.decode()
    assert listed.startswith(shown)
    assert (
        "changed LBK001 claim UNRELATED line 1 98968: review -> violation (outcome, basis); in both runs [data or policy]"
        in listed
    )


def test_csv_and_json_lines_carry_the_findings(make: Make, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    one, other = make(), make(visits=VISITS + NEW_VISIT, policy="strict")
    command(one, other, "jsonl", show_ids=False)
    reported = [json.loads(line) for line in capsysbinary.readouterr().out.decode().splitlines()]
    assert [(row["claim_id"], row["rule"], row["what"]) for row in reported] == [
        ("SHORTLY", "LBK001", []), ("UNRELATED", "LBK001", ["outcome", "basis"]),
    ]  # fmt: skip
    command(one, other, "csv", show_ids=False)
    head, first, second = capsysbinary.readouterr().out.decode().splitlines()
    assert head == "claim_id,claim_line,cpt_code,rule,change,before,after,what,why,cause"
    assert second == "UNRELATED,1,98968,LBK001,changed,review,violation,outcome;basis,in both runs,data or policy"
    assert first.startswith('SHORTLY,1,98968,LBK001,new,clear,violation,"",clear in the first run,data or policy')
    with pytest.raises(UsageError, match="--format"):
        command(one, other, "xml", show_ids=False)


def test_hostile_identifiers_reach_no_terminal(make: Make, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    one, other = make(), make(calls=CALLS.replace("SHORT,", "\x1b[2J=SHORT,"))
    command(one, other, "text", show_ids=True)
    assert b"\x1b" not in capsysbinary.readouterr().out
