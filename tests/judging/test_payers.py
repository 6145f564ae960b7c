"""Claims of several payers: each is judged by the policy of its payer on its service date, among the claims of all."""

import os
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as profile

from auditor import policy as policies
from auditor.rules import select
from tests.reference import World
from tests.support import claims, compare
from tests.support.engines import audited_here
from tests.support.worlds import worlds_of_payers

_WANTED = int(os.environ.get("WORLDS", "0"))


def _profile(examples: int) -> profile:
    return profile(
        max_examples=examples,
        derandomize=not _WANTED,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.slow
@_profile(_WANTED or 8)
@given(worlds_of_payers())
def test_worlds_of_payers_equal_the_reference(world: World):
    with TemporaryDirectory() as folder:
        assert compare.differences(world, compare.run(world, Path(folder))) == []


@pytest.mark.slow
@_profile(_WANTED // 4 or 3)
@given(worlds_of_payers())
def test_payers_together_equal_each_payer_alone(world: World):
    """FRQ001 too, but for patients of whom it flags, or cannot decide, a line that only the other payers' policies judge.

    Alone, no policy judges such a line, so it was never flagged and counts; together it does not count, or not surely.
    The disposition and the amounts of a claim follow its rules.
    """
    together, judged = verdicts(world)
    for payer, periods in world.settings["payers"].items():
        if payer == "otherwise":
            continue
        alone = {payer: periods, "otherwise": [("none", None, None)]}
        own, judged_alone = verdicts(replace(world, settings=world.settings | {"payers": alone}))
        others = (together[key] for key in judged - judged_alone)
        flagged = {facts["patient_id"] for facts in others if facts.get("FRQ001", ("clear",))[0] != "clear"}
        for key in judged_alone:
            both = (together[key], own[key])
            if together[key]["patient_id"] in flagged:
                both = tuple({name: fact for name, fact in facts.items() if name not in _OF_FRQ001} for facts in both)
            assert both[0] == both[1], key
        assert judged_alone <= judged


_OF_FRQ001 = ("FRQ001", "disposition", "at_risk_amount", "review_amount")


def verdicts(world: World) -> tuple[compare.Verdicts, set[tuple[str, str, str]]]:
    """What the run makes of each claim, and the claims that a policy judges."""
    with TemporaryDirectory() as folder:
        result = compare.run(world, Path(folder))
    judged = result.claims.filter(result.claims["policy"].is_not_null())
    return _without_off(compare.verdicts(result)), set(judged.select("claim_id", "claim_line", "cpt_code").iter_rows())


def _without_off(reported: compare.Verdicts) -> compare.Verdicts:
    """Without the rules that do not apply: a rule that is off in every policy of a run has no outcome at all."""
    gone = "not applicable"
    return {
        key: {name: value for name, value in facts.items() if not (isinstance(value, tuple) and value[:1] == (gone,))}
        for key, facts in reported.items()
    }


CALL = "call_id | patient_id | provider_id | call_start | call_minutes | cpt_code | payer\n"


@pytest.mark.parametrize(
    ("payers", "expected"),
    [
        ("A A A", "clear violation clear"),
        ("A C A", "clear not_applicable violation"),  # that nobody judges was never flagged
        ("A B A", "clear clear violation"),  # its own period is 5 days: not flagged, so it counts
        ("A R R", "clear violation violation"),  # every claim counts for the third, the flagged second too
        ("R R A", "clear violation clear"),  # the second is flagged by its own policy
        ("A O A", "clear not_applicable violation"),  # off in the policy of the second
        ("A A L", "clear violation violation"),  # 14 days: back to the first
    ],
)
def test_earlier_claims_are_flagged_by_their_own_policies(payers: str, expected: str, tmp_path: Path):
    """Days 1, 6 and 11."""
    days = zip((10, 15, 20), payers.split(), strict=True)
    rows = [f"k{day} | p | a | 2026-03-{day} 09:00 | 25 | 98968 | {payer}" for day, payer in days]
    own = {
        "A": "",
        "B": "[frequency]\nperiod_days = 5\n",
        "R": '[frequency]\nanchor = "reported"\n',
        "O": '[severity]\nFRQ001 = "off"\n',
        "L": "[frequency]\nperiod_days = 14\n",
    }
    for name, text in own.items():
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    named = "\n".join(f'{name} = "{name}.toml"' for name in own)
    (tmp_path / "clinic.toml").write_text(
        f'timezone = "UTC"\n[coverage]\nholes = "warn"\n[payers]\n{named}\notherwise = "none"\n', encoding="utf-8"
    )
    policy = policies.load(str(tmp_path / "clinic.toml"), select)
    world = World(calls=claims.rows(CALL + "\n".join(rows)), visits=claims.NO_VISITS, settings=claims.COVERED)
    settings = replace(compare.settings_of(world, compare.written(world, tmp_path)), policy=policy)
    result = audited_here(settings)
    outcomes = [facts["FRQ001"][0].replace(" ", "_") for _, facts in sorted(compare.verdicts(result).items())]
    assert " ".join(outcomes) == expected
