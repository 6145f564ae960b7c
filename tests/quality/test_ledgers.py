"""Payments of a ledger are told from reversals."""

from dataclasses import replace
from pathlib import Path

import pytest

from auditor import pipeline
from auditor.engines.local import Local
from auditor.errors import InputRefused
from auditor.quality import checks, ledgers
from auditor.quality.issue import Stage
from tests.reference import Table, World
from tests.support import compare
from tests.support.claims import COVERED

HEADER = ("claim_id", "paid_amount", "frequency_code", "claim_status")
CALL = {"call_id": "k", "patient_id": "p", "provider_id": "a", "call_start": "2026-03-02 09:00", "call_minutes": "25"}
VISITS = Table(("visit_id", "patient_id", "visit_start"), ())


def warned(
    tmp_path: Path, lines: int, negative: int, *, how: tuple[str, str] = ("", ""), real: bool = False
) -> list[str]:
    """Warnings of a ledger with so many lines, of which the last are negative."""
    shared = {"patient_id": "p", "provider_id": "a", "service_date": "2026-03-02", "cpt_code": "98968"}
    rows = []
    for number in range(lines):
        taken_back = number >= lines - negative
        marks = how if taken_back else ("", "")
        cells = (f"c{number}", f"-{number}.50" if taken_back else "45", *marks)
        rows.append(dict(zip(HEADER, cells, strict=True)) | shared)
    claims = Table((*HEADER, *shared), tuple(rows))
    visits = compare.reaching(VISITS, COVERED["as_of"])
    world = World(calls=Table(tuple(CALL), (CALL,)), visits=visits, claims=claims, settings=COVERED)
    settings = compare.settings_of(world, compare.written(world, tmp_path))
    policy = settings.policy.model_copy(update={"reversals": "real" if real else "ask"})
    settings = replace(settings, policy=policy)
    exports = pipeline.exports_of(pipeline.read(settings, Local()), settings)
    checks.refuse(exports, Stage.READ)
    return [issue.text for issue in ledgers.judge(exports)]


def test_many_negative_lines_are_refused(tmp_path: Path):
    with pytest.raises(
        InputRefused, match=r'4 of 20 lines have a negative amount.*\[rows\.claims\].*reversals = "real"'
    ):
        warned(tmp_path, 20, 4)
    assert warned(tmp_path, 20, 3) == []
    assert warned(tmp_path, 20, 4, real=True) == []


def test_a_few_lines_are_warned_about(tmp_path: Path):
    assert len(warned(tmp_path, 19, 4)) == 1
    assert warned(tmp_path, 19, 3) == []
    assert warned(tmp_path, 5, 3, real=True) == []


@pytest.mark.parametrize("how", [("8", ""), ("", "void"), ("", "denied")])
def test_lines_that_say_what_they_are_do_not_count(tmp_path: Path, how: tuple[str, str]):
    assert warned(tmp_path, 20, 10, how=how) == []
