"""Claims of several payers: each is judged by the policy of its payer on its service date, among the claims of all."""

import os
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings

from tests.reference import World
from tests.support import compare
from tests.support.worlds import worlds_of_payers

_WANTED = int(os.environ.get("WORLDS", "0"))


def _profile(examples: int) -> settings:
    return settings(
        max_examples=examples,
        derandomize=not _WANTED,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@_profile(_WANTED or 16)
@given(worlds_of_payers())
def test_worlds_of_payers_equal_the_reference(world: World):
    with TemporaryDirectory() as folder:
        assert compare.differences(world, compare.run(world, Path(folder))) == []


@_profile(_WANTED // 4 or 5)
@given(worlds_of_payers())
def test_payers_together_equal_each_payer_alone(world: World):
    """But for which earlier claims count in FRQ001: alone, those of the other payers are never flagged."""
    off = {name: own | {"severity": own.get("severity", {}) | {"FRQ001": "off"}}
           for name, own in world.settings["policies"].items()}  # fmt: skip
    changed = {"policies": off, "severity": world.settings.get("severity", {}) | {"FRQ001": "off"}}
    world = replace(world, settings=world.settings | changed)
    together, judged = verdicts(world)
    for payer, periods in world.settings["payers"].items():
        if payer == "otherwise":
            continue
        alone = {payer: periods, "otherwise": [("none", None, None)]}
        own, judged_alone = verdicts(replace(world, settings=world.settings | {"payers": alone}))
        assert {key: together[key] for key in judged_alone} == {key: own[key] for key in judged_alone}
        assert judged_alone <= judged


def verdicts(world: World) -> tuple[compare.Verdicts, set[tuple[str, str, str]]]:
    """What the run makes of each claim, and the claims that a policy judges."""
    with TemporaryDirectory() as folder:
        result = compare.run(world, Path(folder))
    claims = result.claims.filter(result.claims["policy"].is_not_null())
    return _without_off(compare.verdicts(result)), set(claims.select("claim_id", "claim_line", "cpt_code").iter_rows())


def _without_off(reported: compare.Verdicts) -> compare.Verdicts:
    """Without the rules that do not apply: a rule that is off in every policy of a run has no outcome at all."""
    gone = "not applicable"
    return {
        key: {name: value for name, value in facts.items() if not (isinstance(value, tuple) and value[:1] == (gone,))}
        for key, facts in reported.items()
    }
