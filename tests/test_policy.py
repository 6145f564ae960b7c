"""Policies: what a mistake is told, what the shipped ones do, and what a severity changes."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditor import evaluated
from auditor import policy as policies
from auditor.errors import UsageError
from auditor.reports import summary
from auditor.result import Result
from auditor.rules import ALL, CODES, select
from auditor.settings import Settings
from tests.reference import Table, World
from tests.support import compare
from tests.support.engines import audited_here

MISTAKES = {
    'relatednes = "any"': "line 1: relatednes: unknown key; did you mean relatedness?",
    'relatedness = "some"': "line 1: relatedness: Input should be 'evidence' or 'any'",
    '\n[frequency]\nanchr = "reported"': "line 3: frequency.anchr: unknown key; did you mean anchor?",
    "\n[required]\nconset = true": "line 3: required.conset: unknown key; did you mean consent?",
    '[credentials]\n"PT" = "OT"\nmay_report_me = "review"': "line 3: credentials.may_report_me: unknown key; "
    "did you mean may_report_em?",
    '[credentials]\nmay_report_em = "reveiw"': "line 2: credentials.may_report_em: Input should be 'clear' or 'review'",
    'sources = [{ titel = "x" }]': "line 1: sources.0.titel: unknown key",
    '[required]\nconsent = "yes"': "line 2: required.consent: Input should be a valid boolean",
    '[required]\nmodifiers = ["093"]': "line 2: required.modifiers.0: must be two letters or digits, such as 93",
    "[bands]\n98968 = { low = 30, high = 21 }": "line 2: bands.98968: low is above high",
    "[bands]\n98969 = { low = 1, high = 2 }": "line 2: bands.98969",
    '[severity]\nLBK01 = "off"': "line 2: severity.LBK01: no rule 'LBK01'; did you mean LBK001?",
    '[severity]\nLBK001 = "loud"': "line 2: severity.LBK001: Input should be 'violation', 'review' or 'off'",
    '[columns.call]\ncall_id = "No"': "line 1: columns.call: unknown name; did you mean calls?",
    '[columns.calls]\ncallid = "No"': "line 2: columns.calls.callid: unknown name; did you mean call_id?",
    '[values.visits.status]\n"done" = "complete"': "values.visits.status: neither side is a known term",
    'timezone = "Mars/Olympus"': "line 1: timezone: not an IANA time zone",
    "[lookback]\ndays = -1": "line 2: lookback.days: Input should be greater than or equal to 0",
    "[lookback\n": "not valid TOML",
    '[run]\nfail_on = "sometimes"': "line 2: run.fail_on",
}


@pytest.mark.parametrize(("text", "says"), MISTAKES.items())
def test_a_mistake_names_file_line_key_and_the_nearest(tmp_path: Path, text: str, says: str):
    path = tmp_path / "own.toml"
    path.write_text(text + "\n")
    with pytest.raises(UsageError) as error:
        policies.load(str(path), select)
    assert str(error.value).startswith(str(path))
    assert says in str(error.value)


def test_the_shipped_policies_cite_their_sources():
    generic, known = (
        ("cpt-assistant-group", "default", "strict"),
        ("bcbs-ma", "bcbsm-pdcm", "medicare", "priority-health"),
    )
    assert set(policies.shipped()) == {*generic, *known, "tricare", "va-home-telehealth"}
    for name in policies.shipped():
        policy = policies.load(name, select)
        assert policy.name == name
        assert policy.sources
        assert policy.description
        if name not in generic:
            assert all(source.address for source in policy.sources)
            assert policy.unverified
            assert policy.verified_on or name == "va-home-telehealth"  # whose sources were hardly seen


def test_every_shipped_policy_may_be_that_of_a_payer(tmp_path: Path):
    others = [name for name in policies.shipped() if name != "default"]
    payers = "\n".join(f"'{name} plan' = '{name}'" for name in others)
    (tmp_path / "own.toml").write_text(f"[payers]\n{payers}\n")
    policy = policies.load(str(tmp_path / "own.toml"), select)
    assert sorted(policy.policies) == others
    off = {name: {rule.code for rule in ALL if not rule.is_on(some)} for name, some in policy.policies.items()}
    assert off["medicare"] == {"ELG007"}
    assert off["va-home-telehealth"] == {"FRQ001", "LBK001", "ELG001", "DOC006", "ELG007"}
    assert [name for name, some in policy.policies.items() if some.overpayment_clock] == ["medicare"]


def call(number: int, day: str, **cells: str) -> dict[str, str]:
    row = {
        "call_id": f"k{number}",
        "patient_id": "p",
        "provider_id": "a",
        "call_start": f"{day} 09:00",
        "call_minutes": "25",
    }
    return row | {"cpt_code": "98968", "paid_amount": "10"} | cells


def visit(number: int, start: str, **cells: str) -> dict[str, str]:
    return {
        "visit_id": f"v{number}",
        "patient_id": "p",
        "provider_id": "a",
        "visit_start": start,
        "status": "completed",
    } | cells


def table(rows: list[dict[str, str]]) -> Table:
    return Table(tuple(dict.fromkeys(name for row in rows for name in row)), tuple(rows))


def audit(
    tmp_path: Path, policy: str, calls: list[dict[str, str]], visits: list[dict[str, str]], **given: str
) -> Result:
    world = World(calls=table(calls), visits=compare.reaching(table(visits), "2026-12-31"))
    paths = {}
    for name, rows in compare.tables_of(world).items():
        compare.write_csv(rows, tmp_path / f"{name}.csv")
        paths[name] = (str(tmp_path / f"{name}.csv"),)
    coverage = {"as_of": "2026-12-31", "visits_since": "2020-01-01", "claims_since": "2020-01-01"}
    loaded = policies.load(policy, select, "UTC")
    loaded = loaded.model_copy(update={"coverage": loaded.coverage.model_copy(update={"holes": "warn"})})
    settings = Settings(paths=paths, policy=loaded, **(coverage | given))
    return audited_here(settings)


def outcomes(result: Result, rule: str) -> dict[str, str]:
    return {key[0]: reported[rule][0] for key, reported in compare.verdicts(result).items()}


VISITS = [visit(0, "2020-01-01 09:00"), visit(1, "2021-05-10 10:00", problem_id="other", booked_at="2021-05-10 09:20")]


def test_bcbs_ma_dates_and_unrelated_visits(tmp_path: Path):
    calls = [call(1, "2021-03-31"), call(2, "2021-05-10", problem_id="own")]
    result = audit(tmp_path, "bcbs-ma", calls, VISITS)
    assert outcomes(result, "LAH001") == {"k1": "not applicable", "k2": "clear"}
    assert result.not_evaluated["LAH002"] == "off in the policy"
    assert result.claims["disposition"].to_list() == ["not applicable", "clear"]
    assert outcomes(audit(tmp_path, "default", calls, VISITS), "LAH001")["k2"] == "review"


def test_claims_outside_the_policys_dates_are_counted_apart(tmp_path: Path):
    result = audit(tmp_path, "bcbs-ma", [call(1, "2021-03-31"), call(2, "2021-05-03")], VISITS)
    settings = Settings(paths={}, policy=policies.load("bcbs-ma", select))
    reported = summary.of_result(result, settings, summary.Run("test", datetime.now(UTC))).claims
    assert (reported.audited, reported.not_applicable) == (1, 1)


def test_strict_relates_every_visit_and_counts_every_claim(tmp_path: Path):
    calls = [call(1, "2026-03-01"), call(2, "2026-03-06"), call(3, "2026-03-10")]
    visits = [visit(1, "2026-02-27 09:00", provider_id="b", problem_id="x")]
    assert outcomes(audit(tmp_path, "default", calls, visits), "FRQ001") == {
        "k1": "clear",
        "k2": "violation",
        "k3": "clear",
    }
    strict = audit(tmp_path, "strict", calls, visits)
    assert outcomes(strict, "FRQ001") == {"k1": "clear", "k2": "violation", "k3": "violation"}
    assert outcomes(strict, "LBK001")["k1"] == "violation"


def test_cpt_assistant_group_makes_group_repeats_violations(tmp_path: Path):
    group = {"group_id": "g", "specialty": "PT"}
    calls = [call(1, "2026-03-01", **group), call(2, "2026-03-03", provider_id="b", **group)]
    visits = [visit(1, "2020-02-27 09:00")]
    assert outcomes(audit(tmp_path, "default", calls, visits), "FRQ005")["k2"] == "review"
    assert outcomes(audit(tmp_path, "cpt-assistant-group", calls, visits), "FRQ005")["k2"] == "violation"


@pytest.mark.parametrize(
    ("severity", "expected"), [("violation", ("violation", 2)), ("review", ("review", 2)), ("off", None)]
)
def test_a_severity_applies_to_every_record(tmp_path: Path, severity: str, expected: tuple[str, int] | None):
    """One visit supports a violation and one a review; the override makes them equal, and the nearer one is named."""
    (tmp_path / "own.toml").write_text(f'[severity]\nLBK001 = "{severity}"\n')
    visits = [visit(1, "2026-03-02 09:00"), visit(2, "2026-03-07 09:00", provider_id="b"), visit(3, "2020-01-01 09:00")]
    result = audit(tmp_path, str(tmp_path / "own.toml"), [call(1, "2026-03-09")], visits)
    if expected is None:
        assert result.not_evaluated["LBK001"] == "off in the policy"
    else:
        reported = compare.verdicts(result)[("k1", "1", "98968")]["LBK001"]
        assert (reported[0], reported[2], reported[3]) == (expected[0], "v2", expected[1])


def test_the_other_codes_have_their_own_bands(tmp_path: Path):
    calls = [
        call(1, "2026-03-01", cpt_code="98966", call_minutes="11"),
        call(2, "2026-04-01", cpt_code="98967", call_minutes="11"),
    ]
    result = audit(tmp_path, "default", calls, [visit(1, "2020-02-27 09:00")], codes=("98966", "98967"))
    assert outcomes(result, "DUR002") == {"k1": "violation", "k2": "clear"}
    assert result.claims["supportable_code"].to_list() == ["98967", "98967"]


def test_thresholds_of_the_policy_are_the_ones_used(tmp_path: Path):
    (tmp_path / "own.toml").write_text(
        "horizon_days = 3\n[bands]\n98968 = { low = 10 }\n[lookback]\ndays = 2\n[lookahead]\nhours = 48\n"
    )
    visits = [visit(1, "2026-03-06 09:00"), visit(2, "2026-03-10 10:00"), visit(3, "2020-01-01 09:00")]
    calls = [call(1, "2026-03-09", call_minutes="12")]
    changed = audit(tmp_path, str(tmp_path / "own.toml"), calls, visits)
    assert {rule: outcomes(changed, rule)["k1"] for rule in ("DUR001", "LBK001", "LAH001")} == {
        "DUR001": "clear", "LBK001": "clear", "LAH001": "violation"
    }  # fmt: skip
    usual = audit(tmp_path, "default", calls, visits)
    assert {rule: outcomes(usual, rule)["k1"] for rule in ("DUR001", "LBK001", "LAH001")} == {
        "DUR001": "violation", "LBK001": "violation", "LAH001": "clear"
    }  # fmt: skip


def test_severities_take_codes_prefixes_and_names_and_the_longest_wins(tmp_path: Path):
    (tmp_path / "own.toml").write_text('[severity]\nDOC = "off"\nDOC003 = "violation"\nnew-patient = "review"\n')
    severity = policies.load(str(tmp_path / "own.toml"), select).severity
    assert severity == {
        "DOC001": "off",
        "DOC002": "off",
        "DOC003": "violation",
        "DOC004": "off",
        "DOC005": "off",
        "DOC006": "off",
        "ELG002": "review",
    }


def test_rules_that_no_policy_asks_for_are_left_out_of_the_count(tmp_path: Path):
    calls, visits = [call(1, "2026-03-09", modifiers="95", doc_consent="")], [visit(1, "2026-02-01 09:00")]
    usual = audit(tmp_path, "default", calls, visits)
    unasked = {"DOC006", "ELG007"}
    assert {usual.not_evaluated[code] for code in unasked} == {"the policy does not ask for it"}
    assert evaluated.number_asked(usual.not_evaluated) == len(CODES) - len(unasked) - 3
    (tmp_path / "own.toml").write_text("[required]\nconsent = true\nmodifiers = ['93']\n")
    asked = audit(tmp_path, str(tmp_path / "own.toml"), calls, visits)
    assert asked.not_evaluated["DOC006"] == "no calls.doc_consent in the inputs"  # blank in every row
    assert outcomes(asked, "ELG007") == {"k1": "review"}
    (tmp_path / "own.toml").write_text("[required]\nplace_of_service = ['10']\n")
    lacking = audit(tmp_path, str(tmp_path / "own.toml"), calls, visits)
    assert lacking.not_evaluated["ELG007"] == "no claims.place_of_service in the inputs"
    assert evaluated.number_asked(lacking.not_evaluated) == len(CODES) - 1 - 3


@pytest.mark.parametrize(("since", "expected"), [("2026-03-09", "clear"), ("2026-03-10", "unknown")])
def test_a_policy_without_global_periods_looks_no_day_back(tmp_path: Path, since: str, expected: str):
    (tmp_path / "own.toml").write_text("[lookback]\npostoperative_days = []\n")
    visits = [visit(1, "2026-03-08 09:00", global_days="90")]
    result = audit(tmp_path, str(tmp_path / "own.toml"), [call(1, "2026-03-09")], visits, visits_since=since)
    assert outcomes(result, "LBK002") == {"k1": expected}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[lists]\nvisit_codes = ["99215-99211"]', "must begin with its lower code"),
        ('[lists]\nvisit_codes = ["9921"]', "a code of five characters"),
        ('[lists]\nncci_0 = ["G0402-99204"]', "a code of five characters"),
        ('[values.visits.status]\n"completed" = "cancelled"', "cannot mean another term"),
        ('[values.visits.status]\ncompleted = ["cancelled"]', "cannot mean another term"),
    ],
)
def test_policies_that_would_clear_claims_by_mistake(tmp_path: Path, text: str, says: str):
    (tmp_path / "p.toml").write_text(text)
    with pytest.raises(UsageError, match=says):
        policies.load(str(tmp_path / "p.toml"), select)


def test_a_payer_may_ask_for_review_of_professionals_who_report_em_but_has_no_words(tmp_path: Path):
    (tmp_path / "own.toml").write_text('[credentials]\n"Movement Coach" = "PT"\n[payers]\nAcme = "acme.toml"\n')
    (tmp_path / "acme.toml").write_text('[credentials]\nmay_report_em = "review"\n')
    policy = policies.load(str(tmp_path / "own.toml"), select)
    (acme,) = policy.policies.values()
    assert (policy.credentials.may_report_em, acme.credentials.may_report_em) == ("clear", "review")
    assert policy.credentials.words == acme.credentials.words
    (tmp_path / "acme.toml").write_text('[credentials]\nmay_report_em = "review"\n"Movement Coach" = "PT"\n')
    with pytest.raises(
        UsageError, match=r"acme\.toml, line 3: credentials\.Movement Coach: only the policy of the run"
    ):
        policies.load(str(tmp_path / "own.toml"), select)
