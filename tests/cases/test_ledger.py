"""The ledger: marks night after night, decisions, the clock, the chain, and files that are no ledger."""

import json
import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from auditor import pipeline
from auditor import policy as policies
from auditor.cases import chain, ledger_update, proof, queries, replay, states, store
from auditor.cases.decide import Decision, decide
from auditor.cases.ledger_update import LedgerUpdate
from auditor.cases.states import State
from auditor.engines.local import Local
from auditor.errors import AuditError, FolderLocked, InputRefused, LedgerDamaged, UsageError
from auditor.reports import summary
from auditor.rules import select
from auditor.settings import Settings

CALLS = "call_id,patient_id,provider_id,call_start,call_minutes,cpt_code,claim_status,paid_amount\n"
SHORT = "K1,P1,D1,2026-03-09 09:00,12,98968,,30\n"
LONG = "K2,P2,D1,2026-03-10 09:00,45,98968,,30\n"
GOOD = "K3,P3,D1,2026-03-11 09:00,25,98968,,30\n"
VISITS = "visit_id,patient_id,visit_start,status\nV1,P9,2026-01-02 09:00,completed\nV2,P9,2026-05-02 09:00,completed\n"
SELECTED = ("DUR001", "DUR002", "LBK001")


class LedgerRuns:
    """Run after run on one ledger."""

    def __init__(self, folder: Path):
        self.folder, self.path = folder, folder / store.NAME

    def run(self, *rows: str, visits: str = VISITS, day: str = "2026-05-03", selected: tuple[str, ...] = SELECTED,
            as_of: str | None = None, since: str | None = None, claims: bool = False, digest: str = "") -> dict[str, str]:  # fmt: skip
        """Audit these calls; case key → mark, as `K1 DUR001: new`."""
        (self.folder / "calls.csv").write_text(CALLS + "".join(rows))
        (self.folder / "visits.csv").write_text(visits)
        paths = {name: (str(self.folder / f"{name}.csv"),) for name in ("calls", "visits", *["claims"] * claims)}
        policy = policies.load("default", select, "UTC")
        few_visits = policy.coverage.model_copy(update={"holes": "warn"})
        policy = policy.model_copy(update={"coverage": few_visits})
        with store.opened(self.path, create=True) as ledger, store.writing(ledger):
            settings = Settings(paths=paths, policy=policy, selected=selected, required=(), as_of=as_of,
                                service_from=since, undecided=ledger_update.undecided(ledger), related=ledger_update.related(ledger))  # fmt: skip
            inputs = pipeline.read(settings, engine := Local())
            self.result = pipeline.audit(inputs, settings, engine)
            started = datetime.fromisoformat(f"{day}T02:00:00+00:00").astimezone(UTC)
            number = ledger.execute("SELECT count(*) FROM runs").fetchone()[0]
            reported = summary.of_result(self.result, settings, summary.Run(f"run{number + 1}{digest}", started))
            self.ledger_run: LedgerUpdate = ledger_update.enter_run(ledger, self.result, reported, policy)
        return {
            f"{claim} {rule}": mark
            for claim, rule, mark in self.ledger_run.cases.select("claim_id", "rule", "mark").rows()
        }

    def decide(self, case: str, state: str, on: str = "2026-05-04", **more: date | Decimal) -> State:
        with store.opened(self.path) as ledger, store.writing(ledger):
            made = Decision(state, "Ann", "read the record", date.fromisoformat(on), **more)  # type: ignore[arg-type]
            return decide(ledger, queries.find(ledger, case), made)

    def state(self, case: str) -> str:
        with store.opened(self.path) as ledger:
            found = queries.list_cases(ledger, number=queries.find(ledger, case))
            return str(found["state"].item())

    def faults(self) -> list[str]:
        with store.opened(self.path, any_schema=True) as ledger:
            return list(proof.faults(ledger, self.folder))


@pytest.fixture
def ledger_runs(tmp_path: Path) -> Iterator[LedgerRuns]:
    made = LedgerRuns(tmp_path)
    yield made
    if made.path.is_file():
        assert made.faults() == []


def test_new_then_persisting_then_changed(ledger_runs: LedgerRuns):
    assert ledger_runs.run(SHORT, LONG, GOOD) == {"K1 DUR001": "new", "K2 DUR002": "new"}
    assert ledger_runs.run(SHORT, LONG, GOOD) == {"K1 DUR001": "persisting", "K2 DUR002": "persisting"}
    assert ledger_runs.run(SHORT.replace(",30", ",29"), LONG, GOOD) == {
        "K1 DUR001": "changed",
        "K2 DUR002": "persisting",
    }
    first = ledger_runs.ledger_run.cases.select("first_run", "last_run").rows()
    assert first == [("run1", "run3"), ("run1", "run3")]


def test_a_run_that_repeats_another_repeats_its_marks(ledger_runs: LedgerRuns):
    ledger_runs.run(SHORT, LONG, digest="-a")
    ledger_run = [SHORT.replace(",30", ",29"), LONG.replace(",45,", ",25,"), GOOD.replace(",25,", ",10,")]
    marks = {"K1 DUR001": "changed", "K2 DUR002": "resolved", "K3 DUR001": "new"}
    assert ledger_runs.run(*ledger_run, digest="-b") == marks
    assert ledger_runs.run(*ledger_run, digest="-b") == marks
    assert ledger_runs.ledger_run.in_summary["announced"] == 0
    ledger_runs.decide("DUR001:K3:1", "dismissed")
    for _ in range(2):
        assert ledger_runs.run(*ledger_run, digest="-b") == marks | {"K3 DUR001": "persisting"}
        with store.opened(ledger_runs.path) as ledger:
            assert queries.list_cases(ledger, mark="new").height == 0
        assert ledger_runs.ledger_run.in_summary["repeats"] == "run2-b"
    assert ledger_runs.state("DUR001:K3:1") == "dismissed"
    assert ledger_runs.run(*ledger_run, digest="-c") == {"K1 DUR001": "persisting", "K3 DUR001": "persisting"}
    assert ledger_runs.ledger_run.in_summary["repeats"] is None


def test_a_stronger_outcome_or_a_larger_amount_is_worse(ledger_runs: LedgerRuns):
    ledger_runs.run(SHORT)
    assert ledger_runs.run(SHORT.replace(",30", ",31")) == {"K1 DUR001": "worse"}
    assert ledger_runs.run(SHORT.replace(",30", ",31")) == {"K1 DUR001": "persisting"}
    assert ledger_runs.run(SHORT.replace(",30", ",")) == {"K1 DUR001": "changed"}


@pytest.mark.parametrize(
    ("was", "now", "worse"),
    [
        ({"outcome": "review"}, {"outcome": "violation"}, True),
        ({"outcome": "violation"}, {"outcome": "review"}, False),
        ({"outcome": "review", "paid_amount": "9.00"}, {"outcome": "review", "paid_amount": "10.00"}, True),
        ({"outcome": "review", "paid_amount": "10.00"}, {"outcome": "review", "paid_amount": "9.00"}, False),
        ({"outcome": "review", "billed_amount": "9.00"}, {"outcome": "review", "billed_amount": "9.50"}, True),
        ({"outcome": "review", "paid_amount": "5.00"}, {"outcome": "review", "billed_amount": "9.50"}, True),
        ({"outcome": "review"}, {"outcome": "review", "paid_amount": "5.00"}, False),
    ],
)
def test_what_is_worse(was: dict[str, str], now: dict[str, str], worse: bool):
    blank = {"outcome": None, "paid_amount": None, "billed_amount": None}
    facts = pl.DataFrame({"was": [json.dumps(blank | was)], "facts": [json.dumps(blank | now)]})
    assert facts.select(
        states.worse(states.fact_in("outcome", "was"), states.amount_in("was"))
    ).to_series().to_list() == [worse]


def test_resolved_only_where_the_rule_was_clear_for_the_claim(ledger_runs: LedgerRuns):
    ledger_runs.run(SHORT, LONG)
    reported = ledger_runs.run(SHORT.replace(",12,", ",22,"))
    assert reported == {"K1 DUR001": "resolved", "K2 DUR002": "not_seen"}
    assert ledger_runs.ledger_run.cases.filter(rule="DUR002")["why"].item() == "claim not audited"
    assert ledger_runs.run(SHORT, LONG) == {"K1 DUR001": "reopened", "K2 DUR002": "persisting"}


@pytest.mark.parametrize(
    ("row", "selected", "why"),
    [
        (SHORT.replace(",12,", ",,"), SELECTED, "rule could not be decided"),
        (SHORT, ("DUR002", "LBK001"), "rule not evaluated: not selected"),
        (SHORT.replace("98968,,", "98968,void,"), SELECTED, "claim not audited"),
        (GOOD, SELECTED, "claim not audited"),
    ],
)
def test_not_found_says_why(ledger_runs: LedgerRuns, row: str, selected: tuple[str, ...], why: str):
    ledger_runs.run(SHORT)
    assert ledger_runs.run(row, selected=selected)["K1 DUR001"] == "not_seen"
    assert ledger_runs.ledger_run.cases.filter(claim_id="K1")["why"].item() == why
    assert ledger_runs.run(SHORT)["K1 DUR001"] == "persisting"


WITHOUT_DUR001 = ("DUR002", "LBK001")
FORGED = "UPDATE cases SET why = 'forged' WHERE number = 1"


def test_the_history_has_every_reason_of_a_case_that_is_not_seen(ledger_runs: LedgerRuns):
    ledger_runs.run(SHORT)
    ledger_runs.run(GOOD)
    ledger_runs.run(SHORT, selected=WITHOUT_DUR001)
    ledger_runs.run(SHORT, selected=WITHOUT_DUR001)
    with store.opened(ledger_runs.path) as ledger:
        query = "SELECT json_extract(details, '$.why') FROM history WHERE what = 'not_seen'"
        assert ledger.execute(query).fetchall() == [("claim not audited",), ("rule not evaluated: not selected",)]
        row = ledger.execute("SELECT marked_run, why FROM cases").fetchall()
        ledger.execute(FORGED)
    assert (ledger_runs.faults(), row[0][0]) == (["case 1 does not stand where its history leaves it"], 2)
    with store.opened(ledger_runs.path) as ledger:
        replay.repair(ledger, ledger_runs.folder)
        assert ledger.execute("SELECT marked_run, why FROM cases").fetchall() == row


def without_seal(entry: tuple[str, str, str, str]) -> chain.Entry:
    return chain.Entry(*entry[:3], re.sub(', "undecided": "[0-9a-f]+"', "", entry[3]))


def test_a_ledger_of_an_earlier_version_holds_and_gets_its_reasons(
    ledger_runs: LedgerRuns, monkeypatch: pytest.MonkeyPatch
):
    ledger_runs.run(SHORT)
    append = chain.append
    with monkeypatch.context() as earlier:
        earlier.setattr(chain, "append", lambda ledger, entries: append(ledger, map(without_seal, entries)))
        ledger_runs.run(GOOD)
    with store.opened(ledger_runs.path) as ledger:
        ledger.execute(FORGED)
    assert ledger_runs.faults() == []
    ledger_runs.run(GOOD)
    assert ledger_runs.faults() == []
    with store.opened(ledger_runs.path) as ledger:
        ledger.execute(FORGED)
    assert ledger_runs.faults() == ["case 1 does not stand where its history leaves it"]
    ledger_runs.run(GOOD)


MARKED_ABSENT = VISITS + "V3,P3,2026-03-08 09:00,completed\n"
"""P3 is seen the day before the call, for nobody knows what."""


@pytest.mark.parametrize(
    ("visits", "mark", "why"),
    [
        (VISITS, "not_seen", "its related record is no longer in the export"),
        (MARKED_ABSENT.replace("03-08", "01-20"), "resolved", None),
        (
            MARKED_ABSENT.replace("V3,P3,2026-03-08 09:00,completed", "V3,P3,2026-03-08 09:00,cancelled"),
            "resolved",
            None,
        ),
        (MARKED_ABSENT.replace("V3,P3", "V3,P7"), "resolved", None),
    ],
)
def test_a_finding_whose_record_left_the_export_is_not_resolved(
    ledger_runs: LedgerRuns, visits: str, mark: str, why: str | None
):
    assert ledger_runs.run(GOOD, visits=MARKED_ABSENT) == {"K3 LBK001": "new"}
    assert ledger_runs.run(GOOD, visits=visits) == {"K3 LBK001": mark}
    assert ledger_runs.ledger_run.cases["why"].item() == why


def test_what_was_resolved_has_no_mark_until_it_is_back(ledger_runs: LedgerRuns):
    ledger_runs.run(SHORT)
    ledger_runs.run(SHORT.replace(",12,", ",22,"))
    assert ledger_runs.run(SHORT.replace(",12,", ",22,")) == {}
    assert ledger_runs.run(SHORT) == {"K1 DUR001": "reopened"}


def test_what_was_resolved_is_repeated_with_its_related_record(ledger_runs: LedgerRuns):
    ledger_runs.run(GOOD, visits=MARKED_ABSENT, digest="-a")
    for _ in range(2):
        reported = ledger_runs.run(GOOD, visits=MARKED_ABSENT.replace("V3,P3", "V3,P7"), digest="-b")
        assert reported == {"K3 LBK001": "resolved"}


def test_what_was_resolved_and_is_decided_is_not_repeated(ledger_runs: LedgerRuns):
    ledger_runs.run(SHORT, GOOD, digest="-a")
    better = SHORT.replace(",12,", ",22,")
    assert ledger_runs.run(better, GOOD, digest="-b") == {"K1 DUR001": "resolved"}
    assert ledger_runs.run(better, GOOD, digest="-b") == {"K1 DUR001": "resolved"}
    ledger_runs.decide("1", "dismissed")
    assert ledger_runs.run(better, GOOD, digest="-b") == {}


@pytest.mark.slow
@pytest.mark.parametrize("state", ["confirmed", "corrected", "refunded", "dismissed"])
def test_a_decision_holds_for_what_was_decided(ledger_runs: LedgerRuns, state: str):
    """What differs otherwise, or is worse only than it was last night, is decided still."""
    ledger_runs.run(SHORT)
    more = {"identified_on": date(2026, 5, 4)} if state in ("corrected", "refunded") else {}
    ledger_runs.decide("1", state, **more)
    for row in (SHORT.replace(",12,", ",13,"), SHORT.replace(",30", ",20"), SHORT):
        assert ledger_runs.run(row) == {"K1 DUR001": "changed"}
        assert ledger_runs.state("1") == state
    assert ledger_runs.run(SHORT.replace(",30", ",31")) == {"K1 DUR001": "reopened"}
    case = ledger_runs.ledger_run.cases.row(0, named=True)
    reported = ("state", "reopened_from", "reviewer", "reason", "decided_on", "decided_amount")
    assert [case[name] for name in reported] == ["open", state, "Ann", "read the record", date(2026, 5, 4), Decimal(30)]
    assert ledger_runs.faults() == []
    assert ledger_runs.run(SHORT.replace(",30", ",31")) == {"K1 DUR001": "persisting"}
    assert ledger_runs.state("1") == "open"
    ledger_runs.decide("1", "dismissed")
    assert ledger_runs.run(SHORT.replace(",30", ",31")) == {"K1 DUR001": "persisting"}
    assert ledger_runs.ledger_run.cases["reopened_from"].item() is None


def test_the_clock_of_a_confirmed_case_that_is_reopened_runs_on(ledger_runs: LedgerRuns):
    ledger_runs.run(SHORT)
    ledger_runs.decide("1", "confirmed", on="2026-05-04")
    ledger_runs.run(SHORT.replace(",30", ",31"))
    with store.opened(ledger_runs.path) as ledger:
        assert queries.list_cases(ledger)["due"].to_list() == [date(2026, 7, 3)]
    assert ledger_runs.decide("1", "open").due() is None


def test_another_related_record_reopens_a_case(ledger_runs: LedgerRuns):
    ledger_runs.run(GOOD, visits=MARKED_ABSENT)
    ledger_runs.decide("1", "dismissed")
    assert ledger_runs.run(GOOD, visits=MARKED_ABSENT.replace("V3", "V4")) == {"K3 LBK001": "reopened"}
    assert ledger_runs.ledger_run.cases["decided_record"].item() == "visit:V3"
    assert ledger_runs.state("1") == "open"


def test_a_stronger_outcome_reopens_a_case(ledger_runs: LedgerRuns):
    linked = "visit_id,patient_id,visit_start,status,originating_call_id\n"
    linked += "".join(f"{line},\n" for line in VISITS.splitlines()[1:])
    ledger_runs.run(GOOD, visits=linked + "V3,P3,2026-03-08 09:00,completed,\n")
    assert ledger_runs.ledger_run.cases["outcome"].item() == "review"
    ledger_runs.decide("1", "dismissed")
    problem = CALLS.replace("\n", ",diagnosis_codes\n") + GOOD.replace("\n", ",J45.20\n")
    observed = VISITS.replace("status\n", "status,diagnosis_codes\n").replace("completed\n", "completed,\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{__name__}.CALLS", problem.partition("\n")[0] + "\n")
        reported = ledger_runs.run(
            GOOD.replace("\n", ",J45.20\n"), visits=observed + "V3,P3,2026-03-08 09:00,completed,J45.20\n"
        )
    assert reported == {"K3 LBK001": "reopened"}
    assert ledger_runs.ledger_run.cases.select("outcome", "decided_outcome").row(0) == ("violation", "review")


def test_a_dismissal_holds_up_to_its_last_day(ledger_runs: LedgerRuns):
    ledger_runs.run(SHORT, LONG)
    ledger_runs.decide("1", "dismissed", until=date(2026, 6, 1))
    ledger_runs.decide("DUR002:K2:1", "dismissed")
    assert ledger_runs.run(SHORT, LONG, day="2026-06-01") == {"K1 DUR001": "persisting", "K2 DUR002": "persisting"}
    assert ledger_runs.state("1") == "dismissed"
    assert ledger_runs.run(SHORT, LONG, day="2026-06-02") == {"K1 DUR001": "reopened", "K2 DUR002": "persisting"}
    assert (ledger_runs.state("1"), ledger_runs.state("2")) == ("open", "dismissed")


def test_a_confirmed_case_stays_confirmed_whatever_the_runs_bring(ledger_runs: LedgerRuns):
    ledger_runs.run(SHORT)
    ledger_runs.decide("1", "confirmed")
    for row, mark in ((SHORT.replace(",12,", ",22,"), "resolved"), (SHORT, "reopened"), (GOOD, "not_seen")):
        assert ledger_runs.run(row)["K1 DUR001"] == mark
        assert ledger_runs.state("1") == "confirmed"


def test_a_refunded_case_that_was_clear_and_is_back_is_open_again(ledger_runs: LedgerRuns):
    ledger_runs.run(SHORT)
    ledger_runs.decide("1", "refunded", identified_on=date(2026, 5, 4))
    ledger_runs.run(SHORT.replace(",12,", ",22,"))
    assert ledger_runs.state("1") == "refunded"
    ledger_runs.run(SHORT)
    assert ledger_runs.state("1") == "open"
    assert ledger_runs.ledger_run.cases["refunded_amount"].to_list() == [Decimal(30)]


def test_refunds_of_a_claim_add_up_to_its_amount(ledger_runs: LedgerRuns):
    ledger_runs.run(SHORT)
    ledger_runs.decide("1", "confirmed")
    assert ledger_runs.decide("1", "refunded", amount=Decimal("10.5")).refunded_amount == "10.5"
    with pytest.raises(UsageError, match="more than the rest"):
        ledger_runs.decide("1", "refunded", amount=Decimal("19.51"))
    assert ledger_runs.decide("1", "refunded").refunded_amount == "30.00"
    assert ledger_runs.decide("1", "refunded").refunded_amount == "30.00"
    ledger_runs.run(SHORT.replace(",30", ",45"))
    assert ledger_runs.state("1") == "open"
    assert ledger_runs.decide("1", "refunded", identified_on=date(2026, 5, 4)).refunded_amount == "45.00"
    assert ledger_runs.decide("1", "open").refunded_amount is None


def test_a_claim_without_an_amount_needs_one_for_its_refund(ledger_runs: LedgerRuns):
    ledger_runs.run(SHORT.replace(",30", ","))
    ledger_runs.decide("1", "confirmed")
    with pytest.raises(UsageError, match="with --amount"):
        ledger_runs.decide("1", "refunded")
    assert ledger_runs.decide("1", "refunded", amount=Decimal(5)).refunded_amount == "5"


@pytest.mark.parametrize("state", ["corrected", "refunded"])
def test_only_a_confirmed_case_is_corrected_or_refunded(ledger_runs: LedgerRuns, state: str):
    ledger_runs.run(SHORT)
    with pytest.raises(UsageError, match="only a confirmed case"):
        ledger_runs.decide("1", state)
    assert ledger_runs.decide("1", state, identified_on=date(2026, 4, 1)).confirmed_on == "2026-04-01"
    ledger_runs.decide("1", "dismissed")
    with pytest.raises(UsageError, match="only a confirmed case"):
        ledger_runs.decide("1", state)
    ledger_runs.decide("1", "confirmed")
    assert ledger_runs.decide("1", state).confirmed_on == "2026-05-04"


def test_incomplete_claims_come_back_once_their_window_has_closed(ledger_runs: LedgerRuns):
    rules = (*SELECTED, "LAH001")
    ledger_runs.run(GOOD, as_of="2026-03-11T12:00:00", selected=rules)
    assert ledger_runs.ledger_run.in_summary["undecided"] == {"waiting": 1, "settled": 0}
    later = "K4,P4,D1,2026-03-12 09:00,12,98968,,30\n"
    ledger_runs.run(GOOD, later, as_of="2026-03-11T23:00:00", since="2026-03-12", selected=rules)
    assert ledger_runs.result.claims["claim_id"].to_list() == ["K4"]
    ledger_runs.run(GOOD, later, as_of="2026-03-20", since="2026-03-12", selected=rules)
    assert ledger_runs.result.claims["claim_id"].to_list() == ["K3", "K4"]
    assert ledger_runs.ledger_run.in_summary["undecided"] == {"waiting": 0, "settled": 2}
    ledger_runs.run(GOOD, later, as_of="2026-03-20", since="2026-03-12", selected=rules)
    assert ledger_runs.result.claims["claim_id"].to_list() == ["K4"]


@pytest.mark.parametrize(
    "damage",
    ["DELETE FROM undecided", "UPDATE undecided SET closes = '2036' || substr(closes, 5)",
     "UPDATE undecided SET claim_id = x'00'"],
)  # fmt: skip
def test_claims_that_wait_are_proved(damage: str, tmp_path: Path):
    ledger_runs = LedgerRuns(tmp_path)
    ledger_runs.run(GOOD, as_of="2026-03-11T12:00:00", selected=(*SELECTED, "LAH001"))
    assert ledger_runs.faults() == []
    with store.opened(ledger_runs.path) as ledger:
        ledger.execute(damage)
        with pytest.raises(LedgerDamaged, match="the claims that wait for their windows were changed"):
            replay.repair(ledger, tmp_path)
    assert ledger_runs.faults() == ["the claims that wait for their windows are not those of the last run"]


def test_facts_that_say_two_things_are_damage(tmp_path: Path):
    ledger_runs = LedgerRuns(tmp_path)
    ledger_runs.run(SHORT)
    ledger_runs.run(SHORT.replace(",30", ",29"))
    with store.opened(ledger_runs.path) as ledger:
        ledger.execute("""UPDATE cases SET facts = '{"outcome":"review",' || substr(facts, 2)""")
    assert "case 1 does not stand where its history leaves it" in ledger_runs.faults()


@pytest.mark.parametrize(
    ("investigated", "due"),
    [
        ({}, "2026-03-02"),
        ({"investigated_from": date(2026, 1, 1), "investigated_to": date(2026, 1, 31)}, "2026-04-01"),
        ({"investigated_from": date(2026, 1, 11), "investigated_to": date(2026, 1, 31)}, "2026-03-22"),
        ({"investigated_from": date(2026, 1, 1)}, "2026-08-29"),
        ({"investigated_from": date(2026, 1, 1), "investigated_to": date(2026, 12, 31)}, "2026-08-29"),
        ({"investigated_from": date(2025, 12, 1), "investigated_to": date(2026, 1, 11)}, "2026-03-12"),
    ],
)
def test_the_clock_starts_when_confirmed_and_stands_still_for_180_days_at_most(
    ledger_runs: LedgerRuns, investigated: dict[str, date], due: str
):
    ledger_runs.run(SHORT)
    assert ledger_runs.decide("1", "open").due() is None
    assert str(ledger_runs.decide("1", "confirmed", on="2026-01-01", **investigated).due()) == due
    assert ledger_runs.decide("1", "refunded", on="2026-02-01").due() is None


def test_confirming_again_does_not_move_the_clock(ledger_runs: LedgerRuns):
    ledger_runs.run(SHORT)
    ledger_runs.decide("1", "confirmed", on="2026-01-01")
    again = ledger_runs.decide(
        "1", "confirmed", on="2026-02-01", investigated_from=date(2026, 2, 1), investigated_to=date(2026, 2, 11)
    )
    assert str(again.due()) == "2026-03-12"
    with store.opened(ledger_runs.path) as ledger:
        assert queries.list_cases(ledger, due_by=date(2026, 3, 11)).height == 0
        assert queries.list_cases(ledger, due_by=date(2026, 3, 12))["number"].to_list() == [1]


@pytest.mark.parametrize(
    ("made", "says"),
    [
        ({"state": "confirm"}, "did you mean confirmed?"),
        ({"reviewer": " "}, "--by"),
        ({"reason": ""}, "--reason"),
        ({"until": date(2026, 6, 1)}, "--until"),
        ({"state": "dismissed", "until": date(2026, 5, 1)}, "--until"),
        ({"state": "dismissed", "investigated_from": date(2026, 5, 1)}, "go with confirmed"),
        ({"investigated_to": date(2026, 5, 1)}, "needs --investigated-from"),
        ({"investigated_from": date(2026, 5, 2), "investigated_to": date(2026, 5, 1)}, "is before"),
        ({"identified_on": date(2026, 5, 1)}, "--identified-on goes with corrected and refunded"),
        ({"state": "refunded", "identified_on": date(2026, 5, 5)}, "on or before the day"),
        ({"amount": Decimal(5)}, "--amount goes with refunded"),
    ],
)
def test_decisions_that_do_not_hold_together(made: dict[str, object], says: str):
    right = {"state": "confirmed", "reviewer": "Ann", "reason": "read", "on": date(2026, 5, 4)}
    with pytest.raises(UsageError, match=re.escape(says)):
        Decision(**(right | made))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("tampering", "fault"),
    [
        ("UPDATE history SET by = 'Eve' WHERE what = 'decided'", "entry 4 was changed"),
        ("DELETE FROM history WHERE number = 2", "entry 2 is missing"),
        ("UPDATE cases SET state = 'open' WHERE number = 1", "case 1 does not stand where its history leaves it"),
        ("DELETE FROM cases WHERE number = 2", "1 cases of the history are missing"),
        ("UPDATE cases SET reason = 'another' WHERE number = 1", "case 1 does not stand"),
        ("UPDATE cases SET facts = replace(facts, '12', '13') WHERE number = 1", "cases 1 to 2 are not those"),
        ("UPDATE cases SET claim_id = 'K9' WHERE number = 2", "cases 1 to 2 are not those"),
    ],
)
def test_tampering_is_found(tmp_path: Path, tampering: str, fault: str):
    ledger_runs = LedgerRuns(tmp_path)
    ledger_runs.run(SHORT, LONG)
    ledger_runs.decide("1", "dismissed")
    with sqlite3.connect(ledger_runs.path) as ledger:
        for trigger in ("history_is_kept", "history_is_fixed"):
            ledger.execute(f"DROP TRIGGER {trigger}")
        ledger.execute(tampering)
    ledger.close()
    assert any(fault in reported for reported in ledger_runs.faults())


def test_a_history_cut_short_or_written_anew_is_found_by_the_runs(tmp_path: Path):
    ledger_runs = LedgerRuns(tmp_path)
    ledger_runs.run(SHORT)
    head = ledger_runs.ledger_run.in_summary["head"]
    (tmp_path / "run1").mkdir()
    (tmp_path / "run1" / "summary.json").write_text(f'{{"ledger": {{"head": "{head}"}}}}')
    assert ledger_runs.faults() == []
    ledger_runs.path.unlink()
    ledger_runs.run(SHORT)
    (fault,) = ledger_runs.faults()
    assert fault.startswith("run run1 saw a history that is not this one")


def test_the_history_takes_no_change_by_accident(ledger_runs: LedgerRuns):
    ledger_runs.run(SHORT)
    with store.opened(ledger_runs.path) as ledger:
        for statement in ("UPDATE history SET by = 'Eve'", "DELETE FROM history"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                ledger.execute(statement)


def test_a_failed_transaction_leaves_nothing(ledger_runs: LedgerRuns):
    ledger_runs.run(SHORT)
    with store.opened(ledger_runs.path) as ledger:
        before = chain.last(ledger)
        with pytest.raises(UsageError), store.writing(ledger):
            decide(ledger, 1, Decision("dismissed", "Ann", "x", date(2026, 5, 4)))
            queries.find(ledger, "17")
        assert chain.last(ledger) == before
    assert ledger_runs.state("1") == "open"


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        (b"not a database, but long enough to be looked at" * 20, LedgerDamaged, "no ledger, or a damaged one"),
        ("CREATE TABLE other (a)", InputRefused, "another program"),
        ("PRAGMA application_id = 98968; PRAGMA user_version = 99", InputRefused, "newer audit98968"),
        ("PRAGMA application_id = 98968; PRAGMA user_version = 4", InputRefused, "unreleased version"),
    ],
)
def test_files_that_are_no_ledger(tmp_path: Path, content: bytes | str, error: type[AuditError], says: str):
    path = tmp_path / store.NAME
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        other = sqlite3.connect(path)
        other.executescript(content)
        other.close()
    with pytest.raises(error, match=says), store.opened(path, create=True):
        pass


def test_a_damaged_page_is_found_on_opening(ledger_runs: LedgerRuns):
    ledger_runs.run(SHORT, LONG)
    with sqlite3.connect(ledger_runs.path) as ledger:
        ledger.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    ledger.close()
    whole = ledger_runs.path.read_bytes()
    ledger_runs.path.write_bytes(whole[: 1 << 14] + b"\xff" * (1 << 14) + whole[2 << 14 :])
    with pytest.raises(LedgerDamaged, match="damaged"), store.opened(ledger_runs.path):
        pass
    ledger_runs.path.write_bytes(whole)


def test_no_ledger(tmp_path: Path):
    with pytest.raises(InputRefused, match="no ledger here"), store.opened(tmp_path / store.NAME):
        pass


LOOK_ALIKES = (SHORT.replace("K1", "C1"), SHORT.replace("K1,P1", "C2,P2"))


def claims_that_look_alike(ledger_runs: LedgerRuns) -> None:
    (ledger_runs.folder / "claims.csv").write_text(
        "claim_id,claim_line,patient_id,provider_id,service_date,cpt_code,call_id\n"
        "A:1,2,P1,D1,2026-03-09,98968,C1\nA,1:2,P2,D1,2026-03-09,98968,C2\n"
    )


def test_ids_differ_though_only_the_colon_moves(ledger_runs: LedgerRuns):
    claims_that_look_alike(ledger_runs)
    ledger_runs.run(*LOOK_ALIKES, claims=True)
    assert ledger_runs.result.findings["finding_id"].to_list() == ["DUR001:A:1%3A2", "DUR001:A%3A1:2"]
    ledger_runs.decide("1", "dismissed")
    assert sorted(ledger_runs.state(word) for word in ("1", "2")) == ["dismissed", "open"]


def test_a_second_writer_waits_and_then_says_so(ledger_runs: LedgerRuns, monkeypatch: pytest.MonkeyPatch):
    ledger_runs.run(SHORT)
    monkeypatch.setattr(store, "_WAIT", 0.05)
    with (
        store.opened(ledger_runs.path) as one,
        store.writing(one),
        pytest.raises(FolderLocked, match="holds the ledger"),
    ):
        ledger_runs.decide("1", "dismissed")
    ledger_runs.decide("1", "dismissed")
    assert ledger_runs.state("1") == "dismissed"


def test_the_ledger_is_for_its_owner_only(ledger_runs: LedgerRuns):
    ledger_runs.run(SHORT)
    assert {path.stat().st_mode & 0o777 for path in ledger_runs.folder.glob(f"{store.NAME}*")} == {0o600}
