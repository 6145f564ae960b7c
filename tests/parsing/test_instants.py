"""Written dates and times → instants: the spellings of exports, numbers, names of zones, zones of columns, dates
among midnights.
"""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from auditor import policy as policies
from auditor.errors import UsageError
from auditor.parsing import instants
from auditor.parsing.instants import MidnightCounts
from auditor.parsing.normalise import normalise
from auditor.policy import Policy
from auditor.reading.ingest import REJECT_SCHEMA, Extract
from auditor.rules import select
from auditor.schema.tables import TABLES
from tests.support.reading import HEADER, one, own_policy

AT = datetime(2026, 3, 2, 14, 5, 9, tzinfo=UTC)
"""09:05:09 in New York."""


def policy_of(tmp_path: Path, text: str = "") -> Policy:
    (tmp_path / "p.toml").write_text(text)
    return policies.load(str(tmp_path / "p.toml"), select, "America/New_York")


def read(policy: Policy, *texts: str | None, zone: str | None = None) -> list[datetime | None]:
    return instants.read(pl.Series(texts, dtype=pl.String), policy, zone=zone).utc.to_list()


@pytest.mark.parametrize(
    "written",
    ["3/2/2026, 9:05:09 AM", "3/2/2026 9:05:09 a.m.", "3/2/2026 9:05:09 a", "03/02/2026 09:05:09\u202fAM", "3/2/2026 9:05:09\u00a0am", "20260302090509",
     "Mon, 02 Mar 2026 09:05:09 -0500", "2 Mar 2026 14:05:09 GMT", "Mon, 2 Mar 2026 14:05:09 +0000", "2026-03-02, 09:05:09",
     "2026-03-02 14:05:09 UTC", "2026-03-02T14:05:09Z", "2026-03-02 09:05:09-05:00"],
)  # fmt: skip
def test_spellings(tmp_path: Path, written: str) -> None:
    policy = policy_of(tmp_path)
    assert read(policy, written) == [AT]
    assert read(policy, "2026-03-02 09:05:09", written, None, "soon") == [AT, AT, None, None]


@pytest.mark.parametrize(
    "written", ["2026-03-02 09:05:09 EST", "Mon, 02 Mar 2026 09:05:09 EST", "2026030209050", "9:05 a.m."]
)
def test_what_nobody_can_be_sure_of_is_unreadable(tmp_path: Path, written: str) -> None:
    assert read(policy_of(tmp_path), written) == [None]


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
    (found,) = read(policy_of(tmp_path, f'instant_formats = ["{form}"]'), written)
    assert found is not None and abs((found - AT).total_seconds()) < 0.001
    assert read(policy_of(tmp_path), written) == [None]


def test_0_is_no_instant_and_a_whole_day_is_a_date(tmp_path: Path) -> None:
    assert read(policy_of(tmp_path, 'instant_formats = ["epoch"]'), "0", "-5") == [None, None]
    found = instants.read(pl.Series(["46083", "46083.5"]), policy_of(tmp_path, 'instant_formats = ["excel"]'))
    assert found.date_only.to_list() == [True, False]
    assert found.utc[0] == datetime(2026, 3, 2, 5, tzinfo=UTC)


def test_names_of_zones_are_never_thrown_away(tmp_path: Path) -> None:
    form = 'instant_formats = ["%Y-%m-%d %H:%M:%S %Z"]\n'
    with pytest.raises(UsageError, match=r"%Z needs the names and their offsets"):
        policy_of(tmp_path, form)
    policy = policy_of(tmp_path, f'{form}[zone_names]\nEST = "-05:00"\nGMT = "+00:00"\n')
    assert read(policy, "2026-03-02 09:05:09 EST", "2026-03-02 14:05:09 GMT", "2026-03-02 09:05:09 CET") == [
        AT,
        AT,
        None,
    ]


def test_tables_and_columns_may_have_zones_of_their_own(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, '[timezones]\nvisits = "UTC"\n"calls.call_start" = "America/Chicago"\n')
    assert policy.zone_of("visits", "booked_at") == "UTC" and policy.zone_of("calls", "call_end") == "America/New_York"
    assert read(policy, "2026-03-02 14:05:09", zone="UTC") == [AT]
    found = instants.read(pl.Series(["2026-03-02"]), policy, zone="UTC")
    assert (found.utc[0], found.date_only[0]) == (datetime(2026, 3, 2, 5, tzinfo=UTC), True)
    for key in ("vists", "visits.status", "visits.booked"):
        with pytest.raises(UsageError, match="timezones"):
            policy_of(tmp_path, f'[timezones]\n"{key}" = "UTC"\n')


def test_a_few_times_between_midnights_stay_times(tmp_path: Path) -> None:
    policy = policy_of(tmp_path)
    days = [f"2026-{month:02}-{day:02} 00:00:00" for month in range(1, 8) for day in range(1, 29)]
    found = instants.read(pl.Series([*days, "2026-03-02 09:05:09"]), policy)
    assert found.midnights == MidnightCounts(196, 197, 0)
    assert found.date_only.sum() == 196 and found.utc[-1] == AT
    some = instants.read(pl.Series([*days, *["2026-03-02 09:05:09"] * 2]), policy)
    assert not some.date_only.any()


CALL = "call_id,patient_id,provider_id,call_start"
CLAIMS = "claim_id,patient_id,provider_id,cpt_code,service_date"


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


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "visit_start is blank"),
        (
            "soon",
            "visit_start is no date or time that can be read: no digit in it (name its form in instant_formats, or in nulls if it means blank)",
        ),
        (
            "2026-02-30",
            "visit_start is no date or time that can be read: 9999-99-99 (name its form in instant_formats)",
        ),
        (
            "Mon 3.2.2026 klo 9:05",
            "visit_start is no date or time that can be read: aaa 9.9.9999 aaa 9:99 (name its form in instant_formats)",
        ),
        ("Ünal 7²€", "visit_start is no date or time that can be read: aaaa 99? (name its form in instant_formats)"),
        (
            "9" * 41,
            "visit_start is no date or time that can be read: longer than 40 characters (name its form in instant_formats)",
        ),
        (
            "13/13/2026",
            "visit_start is no date or time that can be read: 99/99/9999 (name its form in instant_formats)",
        ),
        (
            "2026-03-02 25:00",
            "visit_start is no date or time that can be read: 9999-99-99 99:99 (name its form in instant_formats)",
        ),
        ("2026-03-08 02:30", "visit_start is a local time that the DST change in America/New_York skips"),
        ("2026-11-01 01:30", "visit_start is a local time that the DST change in America/New_York repeats"),
    ],
)
def test_instants_that_reject_their_row(tmp_path: Path, policy: Policy, written: str, reason: str):
    table = one(tmp_path, policy, f"{HEADER}\n1,P1,{written},seen\n".encode())
    assert table.rejects.select("column", "reason", "patient_id").rows() == [("visit_start", reason, "P1")]
    assert table.patients_with_rejects.to_list() == ["P1"]


@pytest.mark.parametrize(
    ("dst", "skipped", "repeated"),
    [("first", "2026-03-08T07:30", "2026-11-01T05:30"), ("second", "2026-03-08T06:30", "2026-11-01T06:30")],
)
def test_the_policy_decides_skipped_and_repeated_times(tmp_path: Path, dst: str, skipped: str, repeated: str):
    policy = own_policy(tmp_path, f'dst = "{dst}"\n')
    table = one(tmp_path, policy, f"{HEADER}\n1,P1,2026-03-08 02:30,seen\n2,P1,2026-11-01 01:30,seen\n".encode())
    assert table.rows["visit_start"].dt.to_string("%FT%R").to_list() == [skipped, repeated]


def test_the_policys_formats_come_first_and_day_first_never_becomes_month_first(tmp_path: Path):
    policy = own_policy(tmp_path, 'instant_formats = ["%d/%m/%Y", "%d-%b-%Y %H:%M"]\n')
    rows = "1,P1,03/04/2026,seen\n2,P1,27-OCT-1999 13:00,seen\n3,P1,12/31/2026,seen\n"
    table = one(tmp_path, policy, f"{HEADER}\n{rows}".encode())
    assert table.rows["visit_start_date"].cast(str).to_list() == ["2026-04-03", "1999-10-27"]
    assert table.rejects["source_record"].to_list() == [3]


@pytest.mark.parametrize(("count", "date_only"), [(19, False), (20, True)])
def test_a_whole_column_of_midnights_holds_dates(tmp_path: Path, policy: Policy, count: int, date_only: bool):
    rows = "".join(f"{number},P1,2026-03-{number % 28 + 1:02} 00:00:00,seen\n" for number in range(count))
    table = one(tmp_path, policy, f"{HEADER}\n{rows}".encode())
    assert table.rows["visit_start_date_only"].unique().to_list() == [date_only]


def test_a_call_needs_a_time(tmp_path: Path, policy: Policy):
    table = one(tmp_path, policy, f"{CALL}\n1,P1,D,2026-03-02\n".encode(), "calls")
    assert table.rejects["reason"].to_list() == ["call_start has a date but no time"]


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
    ["2026-03-09 09:00+05:75", "2026-03-09 09:00+99:99", "0000-01-01 01:00", "0001-01-01T00:10:00+05:00", "9999-12-31"],
)
def test_impossible_offsets_and_years_are_rejected(tmp_path: Path, policy: Policy, written: str):
    table = one(tmp_path, policy, f"{HEADER}\n1,P1,{written},seen\n".encode())
    (reason,) = table.rejects["reason"]
    assert reason.startswith("visit_start is no date or time that can be read: 9999-")


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


@pytest.mark.parametrize("dst", ["reject", "first", "second"])
def test_a_date_is_the_day_as_written_also_where_a_clock_change_skips_its_midnight(tmp_path: Path, dst: str):
    (tmp_path / "policy.toml").write_text(f'timezone = "Africa/Cairo"\ndst = "{dst}"\n')
    there = policies.load(str(tmp_path / "policy.toml"), select)
    header = "claim_id,patient_id,provider_id,cpt_code,service_date"
    rows = "K1,P1,D1,98968,2024-04-26 00:00:00\nK2,P1,D1,98968,2024-04-26 00:30\nK3,P1,D1,98968,2024-04-25T22:30Z\n"
    table = one(tmp_path, there, f"{header}\n{rows}".encode(), "claims")
    assert [str(day) for day in table.rows["service_date"]] == ["2024-04-26"] * 3
    assert table.rejects.is_empty()


@pytest.mark.parametrize("count", [1, 19, 21])
@pytest.mark.parametrize("written", ["{}T00:00:00Z", "{} 00:00:00+05:30", "{}", "{} 00:00", "{}T09:00:00-05:00"])
def test_a_midnight_in_a_date_column_is_its_date_however_few_there_are(tmp_path: Path, count: int, written: str):
    days = [f"2026-03-{10 + number % 3}" for number in range(count)]
    rows = "".join(f"K{n},P1,D1,98968,{written.format(day)}\n" for n, day in enumerate(days))
    table = one(tmp_path, policy_of(tmp_path), f"{CLAIMS}\n{rows}".encode(), "claims")
    assert [str(day) for day in table.rows.sort("source_record")["service_date"]] == days
    assert table.warnings == ()


@pytest.mark.parametrize("count", [1, 19, 21])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo", None])
def test_so_it_is_in_parquet_whatever_the_column_is_marked_as(tmp_path: Path, count: int, zone: str | None):
    at = pl.Series([datetime(2026, 3, 10)] * count).dt.replace_time_zone(zone)
    frame = pl.DataFrame({"provider_id": [f"D{n}" for n in range(count)], "license_start": at, "license_end": at})
    frame.write_parquet(tmp_path / "providers.parquet")
    table = one(tmp_path, policy_of(tmp_path), (tmp_path / "providers.parquet").read_bytes(), "providers")
    assert {str(day) for day in (*table.rows["licence_start"], *table.rows["licence_end"])} == {"2026-03-10"}


def test_other_times_in_a_date_column_are_moved_to_the_zone_of_the_audit(tmp_path: Path):
    texts = ["2026-03-10T03:00:00Z", "2026-03-10 03:00", "2026-03-10T00:00:00Z", "2026-03-10 00:00", "3/10/2026"]
    rows = "".join(f"K{n},P1,D1,98968,{text}\n" for n, text in enumerate(texts))
    for own, second in (("", "10"), ('[timezones]\nclaims = "UTC"\n', "09")):
        table = one(tmp_path, policy_of(tmp_path, own), f"{CLAIMS}\n{rows}".encode(), "claims")
        days = [day.strftime("%d") for day in table.rows.sort("source_record")["service_date"]]
        assert days == ["09", second, "10", "10", "10"]


def test_a_date_whose_midnight_the_zone_of_the_audit_skips_is_itself_in_a_column_with_another_zone(tmp_path: Path):
    (tmp_path / "cairo.toml").write_text('timezone = "Africa/Cairo"\n[timezones]\nclaims = "UTC"\n')
    there = policies.load(str(tmp_path / "cairo.toml"), select)
    table = one(tmp_path, there, f"{CLAIMS}\nK1,P1,D1,98968,2024-04-26\n".encode(), "claims")
    assert [str(day) for day in table.rows["service_date"]] == ["2024-04-26"]


def test_the_last_years_that_there_are_stay_dates(tmp_path: Path):
    rows = "D1,9999-12-31\nD2,9999-12-31T00:00:00Z\nD3,9999-12-31 23:59:59\n"
    table = one(tmp_path, policy_of(tmp_path), f"provider_id,license_end\n{rows}".encode(), "providers")
    assert {str(day) for day in table.rows["licence_end"]} == {"9999-12-31"}


def test_each_shape_of_unreadable_dates_is_a_reason_of_its_own_in_text_as_in_categories(tmp_path: Path):
    texts = ["02/03/2026, 9:05 Uhr", "12/03/2026, 9:15 Uhr", "2026-W10", "CANARY", None, "2026-03-02"]
    values = pl.Series("visit_start", texts)
    for column in (values, values.cast(pl.Categorical)):
        frame = pl.DataFrame(
            {"visit_id": list("abcdef"), "patient_id": list("abcdef"), "visit_start": column}
        ).with_columns(source_file=pl.lit("visits.csv"), source_record=pl.int_range(1, 7, dtype=pl.UInt32))
        table = normalise(Extract(TABLES["visits"], (), frame, pl.DataFrame(schema=REJECT_SCHEMA)), policy_of(tmp_path))
        reasons = [reason.partition(": ")[2] or reason for reason in table.rejects["reason"]]
        assert reasons == [*["99/99/9999, 9:99 aaa (name its form in instant_formats)"] * 2,
                           "9999-a99 (name its form in instant_formats)",
                           "no digit in it (name its form in instant_formats, or in nulls if it means blank)", "visit_start is blank"]  # fmt: skip


def test_a_parquet_date_out_of_range_is_named_so(tmp_path: Path):
    frame = pl.DataFrame({"visit_id": "V1", "patient_id": "P1", "visit_start": datetime(9999, 12, 31, 9)})
    frame.write_parquet(tmp_path / "visits.parquet")
    table = one(tmp_path, policy_of(tmp_path), (tmp_path / "visits.parquet").read_bytes())
    assert table.rejects["reason"].to_list() == ["visit_start is no date or time that can be read: out of range"]
