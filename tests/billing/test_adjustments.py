"""Replacements, voids and reversals: which line is left."""

from pathlib import Path

import pytest

from tests.reference import Table, World
from tests.support import compare
from tests.support.claims import COVERED, rows

HEAD = ("claim_id", "claim_line", "paid_amount", "frequency_code", "original_claim_id", "claim_status")
ORIGINAL = "c1 | 1 | 30 | | |"


def world(*rows: str, head: tuple[str, ...] = HEAD) -> World:
    """A call of each claim's day, and these lines."""
    lines = [dict(zip(head, (cell.strip() for cell in row.split("|")), strict=True)) for row in rows]
    shared = {"patient_id": "p", "provider_id": "a", "service_date": "2026-03-02", "cpt_code": "98968"}
    claims = Table((*head, *shared), tuple(line | shared for line in lines))
    call = {
        "call_id": "k",
        "patient_id": "p",
        "provider_id": "a",
        "call_start": "2026-03-02 09:00",
        "call_minutes": "25",
    }
    visit = {"visit_id": "v", "patient_id": "p", "visit_start": "2026-01-02 09:00"}
    return World(
        calls=Table(tuple(call), (call,)),
        visits=compare.reaching(Table(tuple(visit), (visit,)), "2026-04-30"),
        claims=claims,
        settings={"as_of": "2026-04-30", "claims_since": "2026-01-01"},
    )


@pytest.mark.parametrize(
    ("rows", "left", "void", "unmatched"),
    [
        ((ORIGINAL, "c1 | 1 | -30 | | |"), set(), 2, 0),
        ((ORIGINAL, "c1 | 2 | (30) | | |"), set(), 2, 0),
        ((ORIGINAL, "c9 | 1 | -30.00 | | |"), set(), 2, 0),
        ((ORIGINAL, "c1 | 1 | -31 | | |"), {"c1"}, 1, 1),
        ((ORIGINAL, "c1 | 1 | 0 | 8 | |"), set(), 2, 0),
        ((ORIGINAL, "c2 | 1 | 0 | void | c1 |"), set(), 2, 0),
        ((ORIGINAL, "c2 | 1 | 0 | 8 | c9 |"), {"c1"}, 1, 1),
        ((ORIGINAL, "c2 | 1 | 0 | 8 | c1 | denied"), {"c1"}, 0, 0),
        ((ORIGINAL, "c2 | 1 | 35 | 7 | c1 |"), {"c2"}, 1, 0),
        ((ORIGINAL, "c1 | 1 | 35 | 7 | |"), {"c1"}, 1, 0),
        ((ORIGINAL, "c1 | 1 | 35 | 7 | |", "c1 | 1 | 36 | replacement | |"), {"c1"}, 2, 0),
        ((ORIGINAL, "c2 | 1 | 35 | 7 | c9 |"), {"c1", "c2"}, 0, 1),
        ((ORIGINAL, "c1 | 1 | 35 | 7 | |", "c1 | 1 | 0 | 8 | |"), {"c1"}, 2, 0),
        ((ORIGINAL, "c1 | 1 | 35 | 7 | |", "c2 | 1 | 0 | 8 | c1 |"), set(), 3, 0),
        (("c1 | 1 | 35 | 7 | c9 |", "c1 | 1 | 0 | 8 | |"), {"c1"}, 1, 2),
        (("c1 | 1 | 30 | | | void", "c1 | 1 | -30 | | |", "c2 | 1 | 30 | | |"), {"c2"}, 2, 0),
        (("c1 | 1 | 30 | | | denied", "c1 | 1 | -30 | | |", "c2 | 1 | 30 | | |"), set(), 2, 0),
        (("c1 | 1 | 31 | | | void", "c1 | 1 | -30 | | |", "c2 | 1 | 30 | | |"), set(), 3, 0),
        ((ORIGINAL, "c1 | 1 | 35 | 1 | |"), set(), 0, 0),
    ],
)
def test_the_line_that_is_left(tmp_path: Path, rows: tuple[str, ...], left: set[str], void: int, unmatched: int):
    made = world(*rows)
    result = compare.run(made, tmp_path)
    assert compare.differences(made, result) == []
    assert set(result.claims["claim_id"]) == left
    assert (result.inactive["void"], result.unmatched) == (void, unmatched)
    assert any("refer to lines that are not in" in text for text in result.warnings) is bool(unmatched)


CHAIN = ("claim_id", "claim_line", "paid_amount", "claim_status", "processed_date", "frequency_code")


@pytest.mark.parametrize(
    ("rows", "left", "inactive"),
    [
        # a correction: paid, taken back, paid again
        (("c1 | 1 | 31 | | 2026-03-14 |", "c1 | 1 | -31 | 22 | 2026-03-20 |", "c1 | 1 | 28 | | 2026-03-20 |"), [28], (2, 0)),
        (("c1 | 1 | 31 | | |", "c1 | 1 | -31 | reversed | |", "c1 | 1 | 28 | | |"), [28], (2, 0)),
        # the latest stands
        (("c1 | 1 | 31 | | 2026-03-14 |", "c1 | 1 | 28 | | 2026-03-20 |"), [28], (0, 0)),
        (("c1 | 1 | 0 | denied | 2026-03-14 |", "c1 | 1 | 28 | | 2026-03-20 |"), [28], (0, 0)),
        (("c1 | 1 | 31 | | 2026-03-14 |", "c1 | 1 | 0 | denied | 2026-03-20 |"), [], (0, 1)),
        (("c1 | 1 | 31 | | |", "c1 | 1 | 0 | denied | 2026-03-20 |"), [31], (0, 0)),
        (("c1 | 1 | 31 | | 2026-03-20 |", "c1 | 1 | 0 | denied | 2026-03-20 |"), [31], (0, 0)),
        # a void that came last voids the others; one of an earlier day, or without one, does not
        (("c1 | 1 | 31 | | 2026-03-14 |", "c1 | 1 | 31 | void | 2026-03-20 |"), [], (2, 0)),
        (("c1 | 1 | 31 | | 2026-03-20 |", "c1 | 1 | 31 | void | 2026-03-14 |"), [31], (1, 0)),
        (("c1 | 1 | 31 | | |", "c1 | 1 | 31 | void | |"), [31], (1, 0)),
        # a void (8) of the same claim voids the replacements that came before it
        (("c1 | 1 | 31 | | 2026-03-01 |", "c1 | 1 | 28 | | 2026-03-14 | 7", "c1 | 1 | 0 | | 2026-03-16 | 8"), [], (3, 0)),
        (("c1 | 1 | 31 | | 2026-03-01 |", "c1 | 1 | 28 | | 2026-03-16 | 7", "c1 | 1 | 0 | | 2026-03-14 | 8"), [28], (2, 0)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("backwards", [False, True])
def test_rows_of_one_line(
    tmp_path: Path, rows: tuple[str, ...], left: list[int], inactive: tuple[int, int], backwards: bool
):
    made = world(*(rows[::-1] if backwards else rows), head=CHAIN)
    result = compare.run(made, tmp_path)
    assert compare.differences(made, result) == []
    assert result.claims["paid_amount"].to_list() == left
    assert (result.inactive["void"], result.inactive["denied"]) == inactive
    assert result.inputs.tables["claims"].rejects.is_empty()


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        (("c1 | 1 | 31 | | |", "c1 | 1 | 28 | | |"), "paid_amount"),
        (("c1 | 1 | 31 | | 2026-03-14 |", "c1 | 1 | 28 | | |"), "paid_amount, processed_date"),
        (("c1 | 1 | 31 | | 2026-03-14 |", "c1 | 1 | 28 | other | 2026-03-14 |"), "paid_amount, claim_status"),
    ],
)
def test_active_rows_of_one_line_without_an_order_conflict(tmp_path: Path, rows: tuple[str, ...], columns: str):
    made = world(*rows, "c2 | 1 | 31 | | |", head=CHAIN)
    result = compare.run(made, tmp_path)
    assert compare.differences(made, result) == []
    assert set(result.inputs.tables["claims"].rejects["reason"]) == {f"conflicting rows for one id: {columns} differ"}


def test_a_replacement_that_found_nothing_asks_for_review(tmp_path: Path):
    result = compare.run(world(ORIGINAL, "c2 | 1 | 35 | 7 | c9 |"), tmp_path)
    assert compare.verdicts(result)["c2", "1", "98968"]["FRQ001"][:3] == ("review", "claim", "c1")


CALLS = "call_id | patient_id | provider_id | call_start | call_end | cpt_code | claim_id | frequency_code | original_claim_id"
K1 = "K1 | P1 | D1 | 2026-03-20 09:00 | 2026-03-20 09:25 | 98968 | C1 | |"
K2 = "K2 | P1 | D1 | 2026-03-20 12:00 | 2026-03-20 12:12 | 98968 | C2 | 7 | C1"
K3 = "K3 | P2 | D1 | 2026-03-01 15:00 | 2026-03-01 15:25 | | | |"
VISITS = """visit_id | patient_id | provider_id | visit_start | status
V1 | P1 | D1 | 2026-03-18 10:00 | completed"""


@pytest.mark.parametrize("order", [(K1, K2, K3), (K2, K1, K3), (K3, K1, K2)], ids=("second", "first", "last"))
def test_a_replacement_with_a_call_of_its_own_keeps_it(tmp_path: Path, order: tuple[str, ...]):
    made = World(
        calls=rows("\n".join((CALLS, *order))), visits=compare.reaching(rows(VISITS), "2026-12-31"), settings=COVERED
    )
    result = compare.run(made, tmp_path)
    assert compare.differences(made, result) == []
    reported = compare.verdicts(result)
    assert list(reported) == [("C2", "1", "98968")]
    claim = reported["C2", "1", "98968"]
    assert (claim["call_ids"], claim["minutes"]) == (("K2",), 12)
    assert claim["LBK001"][:3] == ("violation", "visit", "V1")
    assert claim["DUR001"][0] == "review"  # the call of the line that was replaced supports no line any more


@pytest.mark.parametrize("reverse", [False, True])
def test_of_several_replacements_with_one_call_id_one_is_the_call(tmp_path: Path, reverse: bool):
    """The same one in any order of the rows."""
    again = "K2 | P1 | D1 | 2026-03-20 12:00 | 2026-03-20 12:22 | 98968 | C3 | 7 | C2"
    order = [K1, K2, again]
    text = "\n".join((CALLS, *(reversed(order) if reverse else order)))
    made = World(calls=rows(text), visits=compare.reaching(rows(VISITS), "2026-12-31"), settings=COVERED)
    result = compare.run(made, tmp_path)
    assert compare.differences(made, result) == []
    assert result.claims.select("claim_id", "minutes").rows() == [("C3", 12)]


@pytest.mark.parametrize(
    ("statuses", "left", "warned"),
    [
        (("1", "4", "22", "23"), {"c0"}, 3),
        (("1", "4", "22", "paid"), {"c0", "c3"}, 2),
        (("1", "4", "22", "99"), {"c0", "c1", "c2", "c3"}, 0),  # a list of its own: none of its numbers is an 835's
        (("1", "denied", "22", "99"), {"c0", "c2", "c3"}, 0),
    ],
)
def test_numbers_of_a_status_are_those_of_an_835(
    tmp_path: Path, statuses: tuple[str, ...], left: set[str], warned: int
):
    made = world(*(f"c{number} | 1 | 30 | | | {status}" for number, status in enumerate(statuses)))
    result = compare.run(made, tmp_path)
    assert compare.differences(made, result) == []
    assert set(result.claims["claim_id"]) == left
    tallies = result.inputs.tables["claims"].tallies
    assert [count for text, count in tallies.items() if "mean void or denied in an 835" in text] == [warned] * bool(
        warned
    )
