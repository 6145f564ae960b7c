"""The spellings of dates and times in exports, numbers, names of zones."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from auditor.errors import UsageError
from auditor.parsing import instants
from auditor.policy import Policy
from tests.support.parsing import AT, policy_of, read_instants
from tests.support.reading import HEADER, one, own_policy


@pytest.mark.parametrize(
    "written",
    ["3/2/2026, 9:05:09 AM", "3/2/2026 9:05:09 a.m.", "3/2/2026 9:05:09 a", "03/02/2026 09:05:09\u202fAM", "3/2/2026 9:05:09\u00a0am", "20260302090509",
     "Mon, 02 Mar 2026 09:05:09 -0500", "2 Mar 2026 14:05:09 GMT", "Mon, 2 Mar 2026 14:05:09 +0000", "2026-03-02, 09:05:09",
     "2026-03-02 14:05:09 UTC", "2026-03-02T14:05:09Z", "2026-03-02 09:05:09-05:00"],
)  # fmt: skip
def test_spellings(tmp_path: Path, written: str) -> None:
    policy = policy_of(tmp_path)
    assert read_instants(policy, written) == [AT]
    assert read_instants(policy, "2026-03-02 09:05:09", written, None, "soon") == [AT, AT, None, None]


@pytest.mark.parametrize(
    "written", ["2026-03-02 09:05:09 EST", "Mon, 02 Mar 2026 09:05:09 EST", "2026030209050", "9:05 a.m."]
)
def test_what_nobody_can_be_sure_of_is_unreadable(tmp_path: Path, written: str) -> None:
    assert read_instants(policy_of(tmp_path), written) == [None]


@pytest.mark.parametrize(
    ("form", "written"),
    [
        ("epoch", "1772460309"),
        ("epoch", "1772460309.0"),
        ("epoch_ms", "1772460309000"),
        ("excel", "46083.3785763888889"),
    ],
)
def test_numbers_only_where_the_policy_says_so(tmp_path: Path, form: str, written: str) -> None:
    (found,) = read_instants(policy_of(tmp_path, f'instant_formats = ["{form}"]'), written)
    assert found is not None and abs((found - AT).total_seconds()) < 0.001
    assert read_instants(policy_of(tmp_path), written) == [None]


def test_0_is_a_placeholder_and_a_whole_day_is_a_date(tmp_path: Path) -> None:
    assert read_instants(policy_of(tmp_path, 'instant_formats = ["epoch"]'), "0", "-5") == [None, None]
    found = instants.read(pl.Series(["46083", "46083.5"]), policy_of(tmp_path, 'instant_formats = ["excel"]'))
    assert found.date_only.to_list() == [True, False]
    assert found.utc[0] == datetime(2026, 3, 2, 5, tzinfo=UTC)


def test_names_of_zones_are_never_thrown_away(tmp_path: Path) -> None:
    form = 'instant_formats = ["%Y-%m-%d %H:%M:%S %Z"]\n'
    with pytest.raises(UsageError, match=r"%Z needs the zone names and their offsets"):
        policy_of(tmp_path, form)
    policy = policy_of(tmp_path, f'{form}[zone_names]\nEST = "-05:00"\nGMT = "+00:00"\n')
    assert read_instants(policy, "2026-03-02 09:05:09 EST", "2026-03-02 14:05:09 GMT", "2026-03-02 09:05:09 CET") == [
        AT,
        AT,
        None,
    ]


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2026-03-02", "2026-03-02T05:00:00"),
        ("2026-03-02T09:00", "2026-03-02T14:00:00"),
        ("2026-03-02 09:00:30.5", "2026-03-02T14:00:30.500"),
        ("2026-03-02T09:00:00Z", "2026-03-02T09:00:00"),
        ("2026-03-02 09:00:00+05:30", "2026-03-02T03:30:00"),
        ("2026-03-02T09:00:00-0500", "2026-03-02T14:00:00"),
        ("3/2/2026", "2026-03-02T05:00:00"),
        ("3/2/2026 9:05", "2026-03-02T14:05:00"),
        ("03/02/2026 12:05 AM", "2026-03-02T05:05:00"),
        ("3/2/2026 12:05:09PM", "2026-03-02T17:05:09"),
    ],
)
def test_instants(tmp_path: Path, policy: Policy, written: str, utc: str):
    table = one(tmp_path, policy, f"{HEADER}\n1,P1,{written},seen\n".encode())
    assert table.rows["visit_start"].dt.to_string("%FT%T%.f").to_list() == [utc]


def test_the_policys_formats_come_first_and_day_first_never_becomes_month_first(tmp_path: Path):
    policy = own_policy(tmp_path, 'instant_formats = ["%d/%m/%Y", "%d-%b-%Y %H:%M"]\n')
    rows = "1,P1,03/04/2026,seen\n2,P1,27-OCT-1999 13:00,seen\n3,P1,12/31/2026,seen\n"
    table = one(tmp_path, policy, f"{HEADER}\n{rows}".encode())
    assert table.rows["visit_start_date"].cast(str).to_list() == ["2026-04-03", "1999-10-27"]
    assert table.rejects["source_record"].to_list() == [3]


@pytest.mark.parametrize(
    ("form", "written", "utc"),
    [
        ("%-m/%-d/%Y %-I:%M %p", "3/5/2026 4:30 PM", "2026-03-05T21:30"),
        ("%d-%b-%Y %k:%M", "05-Mar-2026 9:30", "2026-03-05T14:30"),
        ("%d.%m.%Y zu %H:%M", "05.03.2026 zu 09:30", "2026-03-05T14:30"),
        ("%d.%m.%Y %H:%M%z", "05.03.2026 09:30+0000", "2026-03-05T09:30"),
        ("%-d/%-m/%Y %H:%M", "6/3/2026", None),
    ],
)
def test_own_formats_keep_their_time_and_offset(tmp_path: Path, form: str, written: str, utc: str | None):
    policy = own_policy(tmp_path, f"instant_formats = ['{form}']\n")
    table = one(tmp_path, policy, f"{HEADER}\n1,P1,{written},seen\n".encode())
    assert table.rows.select("visit_start_date_only", pl.col("visit_start").dt.to_string("%FT%R")).rows() == (
        [(False, utc)] if utc else []
    )


@pytest.mark.parametrize(
    "written",
    ["2026-03-09 09:00+05:75", "2026-03-09 09:00+99:99"],
)
def test_impossible_offsets_are_rejected(tmp_path: Path, policy: Policy, written: str):
    table = one(tmp_path, policy, f"{HEADER}\n1,P1,{written},seen\n".encode())
    (reason,) = table.rejects["reason"]
    assert reason.startswith("visit_start is not a valid date or time: 9999-")


def test_dates_in_five_forms_in_one_column(tmp_path: Path):
    policy = own_policy(tmp_path, 'instant_formats = ["%d-%b-%Y %H:%M"]\n')
    forms = (
        "2026-03-02 09:00",
        "2026-03-02T09:00:00-05:00",
        "3/2/2026 9:00 AM",
        "03/02/2026 09:00",
        "02-Mar-2026 09:00",
    )
    table = one(
        tmp_path,
        policy,
        f"{HEADER}\n{''.join(f'{n},P1,{form},seen{chr(10)}' for n, form in enumerate(forms))}".encode(),
    )
    assert table.rows["visit_start"].dt.to_string("%FT%R").unique().to_list() == ["2026-03-02T14:00"]


def test_forms_may_be_mixed_in_a_column(policy: Policy):
    written = [
        "2026-03-02T09:00:00",
        "2026-03-02T14:00:00Z",
        "2026-03-02 09:00",
        "3/2/2026 9:00 AM",
        "nine",
        None,
        "2026-03-02T14:00:00z",
    ]
    read = instants.read(pl.Series(written), policy)
    utc = datetime(2026, 3, 2, 14)
    assert read.utc.dt.replace_time_zone(None).to_list() == [utc, utc, utc, utc, None, None, utc]
    assert read.problem.to_list() == [0, 0, 0, 0, instants.UNREADABLE, 0, 0]


@pytest.mark.parametrize("sep", ["T", " "])
@pytest.mark.parametrize("rest", [".250", ".250Z", ".250000", ".250000Z"])
def test_the_decimals_of_the_first_time_hold_for_no_other(policy: Policy, sep: str, rest: str) -> None:
    first = f"2026-03-02{sep}14:05:09{rest}"
    others = [
        f"{day}{between}{time}{end}"
        for day in ("2026-03-02", "2026-02-30", "٢٠٢٦-03-02")
        for between in "T "
        for time in ("14:05:09", "4:05:09", "24:00:00", "14:05:60")
        for end in (
            "",
            ".250",
            ".250000",
            ",250",
            ".2500001",
            ".25",
            ".250z",
            ".250000Z",
            ".250 Z",
            ".250000+00:00",
            ".",
        )
    ]
    found = read_instants(policy, first, *others)
    assert found[1:] == read_instants(policy, "3/2/2026", *others)[1:]
    assert found[0] is not None and found[0].microsecond == 250_000 and len(found) - found.count(None) > 40
