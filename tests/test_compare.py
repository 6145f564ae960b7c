"""`compare`: two runs of small worlds, each change with its why and its cause."""

from __future__ import annotations

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

from auditor import audit as auditing
from auditor import compare as comparing
from auditor import policy as policies
from auditor import sample
from auditor.audit import Settings
from auditor.compare import Comparison, FileChange, compare
from auditor.errors import AuditError, InputRefused, UsageError
from auditor.findings import KEYS
from auditor.identity import Identity
from auditor.policy import Policy
from auditor.report import folder, summary
from auditor.report.summary import Run
from auditor.rules import CODES, select
from cli.compare_command import compare as command

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


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A run of the world: `policy` is TOML or a shipped name, options are those of Settings. Returns its folder."""
    made = 0

    def run(
        calls: str = CALLS, visits: str = VISITS, policy: str = "default", key: bytes = b"", **options: Any
    ) -> Path:
        nonlocal made
        made += 1
        home = tmp_path / str(made)
        home.mkdir()
        (home / "calls.csv").write_text(calls, encoding="utf-8")
        (home / "visits.csv").write_text(visits, encoding="utf-8")
        if policy not in policies.shipped():
            (home / "own.toml").write_text(policy, encoding="utf-8")
            policy = str(home / "own.toml")
        options.setdefault("max_rejects", "100%")
        settings = Settings(
            paths={name: (str(home / f"{name}.csv"),) for name in ("calls", "visits")},
            policy=policies.load(policy, select, options.pop("timezone", None)),
            identity=Identity(key),
            **options,
        )
        result = auditing.audit(auditing.read(settings, lambda _: None), settings, lambda _: None)
        told = summary.of_result(result, settings, Run(f"r{made}", datetime(2026, 4, 20, tzinfo=UTC)))
        write(home / "out" / f"r{made}", result.claims, result.findings, result.evidence, told)
        (home / "out" / "latest").symlink_to(f"r{made}")
        return home / "out" / f"r{made}"

    return run


def write(where: Path, claims: pl.DataFrame, findings: pl.DataFrame, evidence: pl.DataFrame, told: Any) -> None:
    """The files of a run folder that a comparison reads; the reports would take most of a test's time."""
    where.mkdir(parents=True)
    for name, frame in (("claims", claims.drop("line")), ("findings", findings), ("evidence", evidence)):
        frame.write_parquet(where / f"{name}.parquet")
    folder.write_json(told, where / "summary.json")


def rows(told: Comparison) -> list[tuple[Any, ...]]:
    return told.findings.select("claim_id", "rule", "change", "before", "after", "why", "cause").rows()


def causes(told: Comparison) -> dict[tuple[str, str], str]:
    return {(claim, rule): cause for claim, rule, *_, cause in rows(told)}


def edit(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    told = json.loads((run / "summary.json").read_text(encoding="utf-8"))
    change(told)
    (run / "summary.json").write_text(json.dumps(told), encoding="utf-8")


def edit_table(run: Path, name: str, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    frame = change(pl.read_parquet(run / f"{name}.parquet"))
    frame.write_parquet(run / f"{name}.parquet")


# ----- what differs -----


def test_the_same_data_twice_is_no_difference(make: Make, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    one, other = make(), make()  # other paths, equal bytes
    told = compare(one, other)
    assert not told.causes
    assert told.same_results
    assert told.causes.roots == ()
    assert told.claims == {"both": 7, "first only": 0, "second only": 0}
    assert told.totals[0] == told.totals[1] > 0
    assert command(one, other, "text", show_ids=True) == 0
    assert b"No difference: equal inputs" in capsysbinary.readouterr().out


def test_files_are_told_by_bytes_not_by_name(make: Make, tmp_path: Path) -> None:
    one, other = make(), make(visits=VISITS + NEW_VISIT)
    paths = [json.loads((run / "summary.json").read_text())["inputs"][1]["path"] for run in (one, other)]
    assert compare(one, other).causes.inputs == (
        FileChange("visits", paths[0], "vanished", (4, None)),
        FileChange("visits", paths[1], "appeared", (None, 5)),
    )
    edit(other, lambda told: told["inputs"][1].update(path=paths[0]))
    assert compare(one, other).causes.inputs == (FileChange("visits", paths[0], "changed", (4, 5)),)
    edit(other, lambda told: told["inputs"].append(dict(told["inputs"][0], path="copy")))
    assert [(file.table, file.change) for file in compare(one, other).causes.inputs] == [
        ("calls", "appeared"), ("visits", "changed"),
    ]  # fmt: skip


def test_policy_differences_are_named_by_key(make: Make) -> None:
    told = compare(make(), make(policy="strict"))
    assert told.causes.policy == {"relatedness": ("evidence", "any"), "frequency.anchor": ("unflagged", "reported")}
    assert told.causes.policy_file["name"] == ("default", "strict")
    assert told.causes.roots == ("policy",)


def test_a_comment_in_the_policy_is_no_cause(make: Make, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    one, other = make(policy="horizon_days = 14\n"), make(policy="# reviewed\nhorizon_days = 14\n")
    told = compare(one, other)
    assert set(told.causes.policy_file) == {"sha256"}
    assert told.causes.roots == ()
    command(one, other, "text", show_ids=False)
    shown = capsysbinary.readouterr().out
    assert b"policy: its file changed, but nothing that is in force" in shown
    assert b"No difference in the results" in shown


def test_the_same_instant_in_another_zone_is_the_same_coverage(make: Make) -> None:
    one, other = make(), make()
    edit(other, lambda told: told["coverage"].update(as_of="2026-04-15T05:00:00-04:00"))
    assert not compare(one, other).causes.coverage
    edit(other, lambda told: told["coverage"].update(as_of=None))
    assert compare(one, other).causes.coverage == {"as_of": ("2026-04-15T09:00:00+00:00", None)}


# ----- one cause -----


def test_a_policy_change_alone_is_the_cause(make: Make) -> None:
    told = compare(make(), make(policy="strict"))
    assert rows(told) == [
        ("UNRELATED", "LBK001", "changed", "review", "violation", "in both runs", "policy"),
    ]  # fmt: skip
    assert told.findings["what"].to_list() == [["outcome", "basis"]]
    assert told.moves.rows() == [("review", "violation", 1)]
    assert told.money == {
        "at_risk": (Decimal("740.00"), Decimal("780.00")),
        "review": (Decimal("360.00"), Decimal("320.00")),
    }


def test_a_visit_added_is_data(make: Make) -> None:
    one, other = make(), make(visits=VISITS + NEW_VISIT)
    why = "clear in the first run; it rests on records that the other run did not weigh"
    assert rows(compare(one, other)) == [("SHORTLY", "LBK001", "new", "clear", "violation", why, "data")]
    why = why.replace("first", "second")
    assert rows(compare(other, one)) == [("SHORTLY", "LBK001", "gone", "violation", "clear", why, "data")]


def test_a_call_changed_is_data(make: Make) -> None:
    told = compare(make(), make(calls=CALLS.replace("09:00,25,SHORTLY", "09:00,12,SHORTLY")))
    why = "clear in the first run; the claim's end, minutes differ"
    assert rows(told) == [("SHORTLY", "DUR001", "new", "clear", "violation", why, "data")]
    told = compare(make(), make(calls=CALLS.replace("09:00,15,SHORT,", "09:00,14,SHORT,")))
    why = "in both runs; the claim's end, minutes differ"
    assert rows(told) == [("SHORT", "DUR001", "changed", "violation", "violation", why, "data")]
    assert told.findings["what"].to_list() == [["minutes"]]
    assert told.moves.is_empty()


def test_a_column_removed_leaves_the_rule_not_evaluated(make: Make) -> None:
    told = compare(make(), make(calls=CALLS.replace("initiated_by", "was")))
    why = "rule not evaluated in the second run: no calls.initiated_by in the inputs"
    assert rows(told) == [("STAFF", "ELG001", "gone", "violation", "not evaluated", why, "data")]
    assert told.causes.rules["ELG001"] == (None, "no calls.initiated_by in the inputs")


def test_a_claim_that_vanished(make: Make) -> None:
    without = "".join(line for line in CALLS.splitlines(keepends=True) if "STAFF" not in line)
    one, other = make(), make(calls=without)
    told = compare(one, other)
    assert rows(told) == [
        ("STAFF", "ELG001", "gone", "violation", "not audited", "claim not in the second run", "data"),
    ]  # fmt: skip
    assert told.claims == {"both": 6, "first only": 1, "second only": 0}
    assert compare(other, one).claims == {"both": 6, "first only": 0, "second only": 1}


def test_a_blank_fact_makes_it_unknown(make: Make) -> None:
    told = compare(make(), make(calls=CALLS.replace(",provider,80", ",,80")))
    assert rows(told) == [("STAFF", "ELG001", "gone", "violation", "unknown", "unknown in the second run", "data")]


def test_a_date_outside_the_policy_is_not_applicable(make: Make) -> None:
    told = compare(make(), make(policy="effective_from = 2026-03-11\n"))
    assert ("SHORT", "DUR001", "gone", "violation", "not applicable",
            "not applicable in the second run", "policy") in rows(told)  # fmt: skip


def test_another_version_alone_is_the_cause(make: Make) -> None:
    one, other = make(), make()
    edit(other, lambda told: told.update(version="9.9.9"))
    edit_table(other, "findings", lambda frame: frame.filter(pl.col("rule") != "DUR001"))
    told = compare(one, other)
    assert told.causes.version is not None
    assert told.causes.version[1] == "9.9.9"
    assert [row[0:3] + row[-1:] for row in rows(told)] == [("SHORT", "DUR001", "gone", "version")]


def test_a_rule_that_the_other_version_has_not(make: Make) -> None:
    one, other = make(), make(visits=VISITS + NEW_VISIT)
    edit(one, lambda told: told.update(version="0.0.9", rules=[r for r in told["rules"] if r["code"] != "DUR001"]))
    edit_table(one, "findings", lambda frame: frame.filter(pl.col("rule") != "DUR001"))
    told = compare(one, other)
    why = "rule not evaluated in the first run: version 0.0.9 has no such rule"
    assert ("SHORT", "DUR001", "new", "not evaluated", "violation", why, "version") in rows(told)
    assert causes(told)["SHORTLY", "LBK001"] == "data or version"


def test_settings_alone_are_the_cause(make: Make) -> None:
    told = compare(make(), make(selected=tuple(code for code in CODES if code != "DUR001"), ignored=("ELG001",)))
    assert {(claim, why, cause) for claim, *_, why, cause in rows(told)} == {
        ("SHORT", "rule not evaluated in the second run: not selected", "settings"),
        ("STAFF", "rule not evaluated in the second run: ignored", "settings"),
    }


def test_coverage_alone_is_the_cause(make: Make) -> None:
    """A visit without a status before the call counts once it is in the past."""
    told = compare(make(as_of="2026-03-10"), make())
    assert told.causes.roots == ("coverage",)
    assert causes(told) == {("OPEN", "LBK001"): "coverage"}
    assert told.findings["before"].to_list() == ["unknown"]


def test_coverage_that_follows_from_the_data_is_data(make: Make) -> None:
    one, other = make(), make(visits=VISITS + "v8,p9,b,2026-04-19 09:00,completed,\n" + NEW_VISIT)
    told = compare(one, other)
    assert set(told.causes.coverage) == {"as_of"}
    assert told.causes.roots == ("data",)
    assert set(causes(told).values()) == {"data"}


def test_an_edited_run_is_unexplained(make: Make) -> None:
    one, other = make(), make()
    edit_table(other, "findings", lambda frame: frame.filter(pl.col("rule") != "DUR001"))
    assert causes(compare(one, other)) == {("SHORT", "DUR001"): "unexplained"}


# ----- several causes -----


def test_what_the_other_change_cannot_reach_is_told_apart(make: Make) -> None:
    calls = CALLS.replace("09:00,25,SHORTLY", "09:00,12,SHORTLY")
    told = compare(make(), make(calls=calls, visits=VISITS + NEW_VISIT, policy="strict"))
    assert causes(told) == {
        ("SHORTLY", "DUR001"): "data",  # strict changes nothing that DUR001 reads
        ("SHORTLY", "LBK001"): "data",  # rests on a visit that was not there
        ("UNRELATED", "LBK001"): "data or policy",  # the visit was there, but perhaps not its facts
    }


def test_the_basis_any_comes_from_the_policy(make: Make) -> None:
    visits = VISITS.replace("v1,p3,c", "v1,p3,a")
    told = compare(make(visits=visits), make(visits=visits + NEW_VISIT, policy="strict"))
    assert causes(told) == {("SHORTLY", "LBK001"): "data", ("UNRELATED", "LBK001"): "policy"}
    assert told.findings["what"].to_list() == [[], ["basis"]]


def test_minutes_that_did_not_change_leave_the_policy(make: Make) -> None:
    bands = "[bands]\n98968 = { low = 15, high = 30 }\n"
    told = compare(make(), make(visits=VISITS + NEW_VISIT, policy=bands))
    assert causes(told)["SHORT", "DUR001"] == "policy"
    calls = CALLS.replace("09:00,25,PLAIN", "09:00,24,PLAIN")
    assert causes(compare(make(), make(calls=calls, policy=bands)))["SHORT", "DUR001"] == "policy"
    calls = CALLS.replace("09:00,15,SHORT,", "09:00,16,SHORT,")
    assert causes(compare(make(), make(calls=calls, policy=bands)))["SHORT", "DUR001"] == "data or policy"


def test_a_wider_window_may_show_records_that_were_there(make: Make) -> None:
    told = compare(make(policy="[lookback]\ndays = 0\n"), make(visits=VISITS + NEW_VISIT))
    assert causes(told)["SHORTLY", "LBK001"] == "data or policy"


def test_visits_cannot_reach_rules_that_do_not_read_them(make: Make) -> None:
    told = compare(make(), make(visits=VISITS + NEW_VISIT, policy='[severity]\nELG001 = "review"\n'))
    assert causes(told) == {("STAFF", "ELG001"): "policy", ("SHORTLY", "LBK001"): "data"}
    told = compare(make(), make(visits=VISITS + NEW_VISIT, policy='[severity]\nELG001 = "off"\n'))
    assert causes(told) == {("STAFF", "ELG001"): "policy", ("SHORTLY", "LBK001"): "data"}


def test_another_way_of_reading_reaches_everything(make: Make) -> None:
    calls = CALLS.replace("09:00,25,SHORTLY", "09:00,12,SHORTLY")
    told = compare(make(), make(calls=calls, timezone="America/New_York"))
    assert causes(told)["SHORTLY", "DUR001"] == "data or policy"


def test_a_claim_outside_the_dates_asked_for_is_settings(make: Make) -> None:
    without = "".join(line for line in CALLS.splitlines(keepends=True) if "STAFF" not in line)
    told = compare(make(), make(calls=without, service_from="2026-03-11"))
    assert causes(told)["SHORT", "DUR001"] == "settings"
    assert causes(told)["STAFF", "ELG001"] == "data"
    why = "claim not in the second run, which was not asked for its date or code"
    assert told.findings.filter(claim_id="SHORT")["why"].to_list() == [why]
    told = compare(make(), make(calls=without, service_from="3/11/2026"))
    assert causes(told)["SHORT", "DUR001"] == "data or settings"
    told = compare(make(), make(calls=CALLS.replace("SHORT,98968", "SHORT,98967"), codes=("98968", "98967")))
    assert causes(told)["SHORT", "DUR001"] == "data"


POLICIES = {
    "bands": "[bands]\n98968 = { low = 26, high = 27 }\n",
    "relatedness": 'relatedness = "any"\n',
    "lookahead.unrelated_supports": "[lookahead]\nunrelated_supports = false\n",
    "frequency.anchor": '[frequency]\nanchor = "reported"\n',
    "frequency.max_units": "[frequency]\nmax_units = 9\n",
    "lists.visit_codes": "[lists]\nvisit_codes = []\n",
    "lists.procedures": "[lists]\nprocedures = ['00001-99999']\n",
    "lists.not_procedures": "[lists]\nnot_procedures = ['10004-69990']\n",
    "lists.physicians": "[lists]\nphysicians = []\n",
    "lists.qualified": "[lists]\nqualified = []\n",
    "lookback.days": "[lookback]\ndays = 2\n",
    "lookback.postoperative_days": "[lookback]\npostoperative_days = []\n",
    "lookahead.hours": "[lookahead]\nhours = 2\n",
    "horizon_days": "horizon_days = 3\n",
    "frequency.period_days": "[frequency]\nperiod_days = 3\n",
    "lists.ncci_0": "[lists]\nncci_0 = []\n",
    "lists.ncci_1": "[lists]\nncci_1 = []\n",
}


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, auditing.Inputs]:
    home = tmp_path_factory.mktemp("exports")
    sample.write(home, 125, 3)
    paths = {name: (str(home / f"{name}.csv"),) for name in ("calls", "visits", "providers")}
    settings = Settings(paths=paths, policy=policies.load(str(home / "policy.toml"), select))
    return settings, auditing.read(settings, lambda _: None)


def judged(settings: Settings, inputs: auditing.Inputs) -> tuple[pl.DataFrame, pl.DataFrame]:
    result = auditing.audit(inputs, settings, lambda _: None)
    records = ["claim_id", "rule", "kind", "id", "at"]
    return result.findings.select(*KEYS, "rule", "outcome"), result.evidence.filter(pl.col("rule") != "").select(
        records
    )


@pytest.fixture(scope="module")
def base(exports: tuple[Settings, auditing.Inputs]) -> tuple[pl.DataFrame, pl.DataFrame]:
    return judged(*exports)


def rules_apart(one: pl.DataFrame, other: pl.DataFrame) -> set[str]:
    apart = pl.concat([one.join(other, on=one.columns, how="anti", nulls_equal=True),
                       other.join(one, on=one.columns, how="anti", nulls_equal=True)])  # fmt: skip
    return set(apart["rule"])


def test_the_keys_tried_are_the_keys_claimed() -> None:
    severities = {f"severity.{code}" for code in CODES}
    assert set(POLICIES) == {*comparing._MEANING, *comparing._SIGHT} - severities
    leaves = {key for key, *_ in policies.settings(policies.load())}
    unknown = {key for key in POLICIES if not any(leaf == key or leaf.startswith(f"{key}.") for leaf in leaves)}
    assert not unknown


@pytest.mark.parametrize("key", POLICIES)
def test_a_policy_key_reaches_no_other_rule(
    key: str, exports: tuple[Settings, auditing.Inputs], base: tuple[pl.DataFrame, pl.DataFrame], tmp_path: Path
) -> None:
    """Whole audits of a sample of every scenario: a key changes findings of its rules only, and records only by sight."""
    (tmp_path / "own.toml").write_text(POLICIES[key], encoding="utf-8")
    policy: Policy = policies.load(str(tmp_path / "own.toml"), select, exports[0].policy.timezone)
    findings, records = judged(replace(exports[0], policy=policy), exports[1])
    reach = {**comparing._MEANING, **comparing._SIGHT}[key]
    reached = rules_apart(base[0], findings)
    assert reached <= set(reach)
    assert reached or key == "lists.not_procedures", "the change had no effect"  # the sample bills none of these
    assert rules_apart(base[1], records) <= set(comparing._SIGHT.get(key, ()))


@pytest.mark.parametrize(
    "option, value", [("as_of", "2025-11-01"), ("visits_since", "2026-01-01"), ("claims_since", "2026-01-01")]
)
def test_coverage_reaches_no_other_rule(
    option: str, value: str, exports: tuple[Settings, auditing.Inputs], base: tuple[pl.DataFrame, pl.DataFrame]
) -> None:
    findings, records = judged(replace(exports[0], **{option: value}), exports[1])
    assert rules_apart(base[0], findings) <= set(comparing._COVERED[option])
    assert not rules_apart(base[1], records)


@pytest.mark.parametrize("table", ["visits", "providers"])
def test_a_table_reaches_no_other_rule(
    table: str, exports: tuple[Settings, auditing.Inputs], base: tuple[pl.DataFrame, pl.DataFrame]
) -> None:
    settings, inputs = exports
    halved = replace(inputs.tables[table], rows=inputs.tables[table].rows[::2])
    findings, _ = judged(settings, replace(inputs, tables={**inputs.tables, table: halved}))
    reached = rules_apart(base[0], findings)
    assert reached
    assert reached <= set(comparing._READ_BY[table])


@pytest.mark.parametrize("key", ["strict", "bands", "lookback.days", "lists.visit_codes"])
def test_a_cause_named_alone_suffices(key: str, exports: tuple[Settings, auditing.Inputs], tmp_path: Path) -> None:
    """Every change of a sample: the run with the finding, audited with the other's data or policy alone, has it no more."""
    settings, inputs = exports
    (tmp_path / "own.toml").write_text(POLICIES.get(key, ""), encoding="utf-8")
    name = key if key in policies.shipped() else str(tmp_path / "own.toml")
    policy = policies.load(name, select, settings.policy.timezone)
    calls, visits = inputs.tables["calls"], inputs.tables["visits"]
    fewer = {
        "visits": replace(visits, rows=visits.rows.filter(pl.int_range(pl.len()) % 3 > 0)),
        "calls": replace(calls, rows=calls.rows.with_columns(
            discussion_minutes=pl.when(pl.int_range(pl.len()) % 7 == 0).then(22 * 60_000_000).otherwise("discussion_minutes")
        ).filter(pl.int_range(pl.len()) % 11 > 0)),
    }  # fmt: skip
    corners = {}
    for data, tables in (("old", inputs.tables), ("new", {**inputs.tables, **fewer})):
        for rules, used in (("old", settings.policy), ("new", policy)):
            asked = replace(settings, policy=used)
            result = auditing.audit(replace(inputs, tables=tables), asked, lambda _: None)
            corners[data, rules] = result.findings.select(*KEYS, "rule", *comparing._COMPARED)
            told = summary.of_result(result, asked, Run(data + rules, datetime(2026, 4, 20, tzinfo=UTC)))
            for file in told["inputs"]:
                file["sha256"] += data if file["table"] in fewer else ""
            write(tmp_path / (data + rules), result.claims, result.findings, result.evidence, told)
    found = compare(tmp_path / "oldold", tmp_path / "newnew").findings
    assert {"data", "data or policy"} <= set(found["cause"])
    by_case = {corner: {row[:4]: row for row in frame.iter_rows()} for corner, frame in corners.items()}
    for *case, change, before, after, cause in found.select(
        *KEYS, "rule", "change", "before", "after", "cause"
    ).iter_rows():
        first = change == "gone" or (before, after) == ("violation", "review")
        own, other = ("old", "new") if first else ("new", "old")
        swapped = {"data": (other, own), "policy": (own, other)}.get(cause)
        if swapped:
            assert by_case[swapped].get(tuple(case)) != by_case[own, own][tuple(case)], (case, cause)


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
    yield pytest.param(drop("evidence", "at"), InputRefused, r"evidence.parquet: no column at", id="evidence")
    yield pytest.param(text("claims.parquet", "x"), InputRefused, "tables cannot be read", id="not parquet")
    yield pytest.param(text("summary.json", "{"), InputRefused, "summary.json: cannot be read", id="not json")
    yield pytest.param(text("summary.json", "[]"), InputRefused, "not the summary of a run", id="a list")
    yield pytest.param(lambda run: edit(run, lambda told: told.pop("pseudonym_key_id")), InputRefused,
                       "no 'pseudonym_key_id'; run that audit again", id="older summary")  # fmt: skip
    yield pytest.param(lambda run: edit_table(run, "claims", lambda frame: pl.concat([frame, frame])), InputRefused,
                       "a claim stands twice", id="a claim twice")  # fmt: skip
    yield pytest.param(lambda run: (run / "evidence.parquet").unlink(), UsageError, "no finished run", id="unfinished")
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
    assert ["data", "1", "0", "0"] in lines
    assert ["data", "or", "policy", "0", "0", "1"] in lines
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
    told = [json.loads(line) for line in capsysbinary.readouterr().out.decode().splitlines()]
    assert [(row["claim_id"], row["rule"], row["what"]) for row in told] == [
        ("SHORTLY", "LBK001", []), ("UNRELATED", "LBK001", ["outcome", "basis"]),
    ]  # fmt: skip
    command(one, other, "csv", show_ids=False)
    head, first, second = capsysbinary.readouterr().out.decode().splitlines()
    assert head == "claim_id,claim_line,cpt_code,rule,change,before,after,what,why,cause"
    assert second == "UNRELATED,1,98968,LBK001,changed,review,violation,outcome;basis,in both runs,data or policy"
    assert first.startswith('SHORTLY,1,98968,LBK001,new,clear,violation,"",clear in the first run; it rests on')
    with pytest.raises(UsageError, match="--format"):
        command(one, other, "xml", show_ids=False)


def test_hostile_identifiers_reach_no_terminal(make: Make, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    one, other = make(), make(calls=CALLS.replace("SHORT,", "\x1b[2J=SHORT,"))
    command(one, other, "text", show_ids=True)
    assert b"\x1b" not in capsysbinary.readouterr().out
