"""`init`: what it writes is a valid policy, maps odd exports, says how sure it is, and quotes no patient's value."""

from __future__ import annotations

import tomllib
from pathlib import Path

import polars as pl
import pytest

from auditor import pipeline
from auditor import policy as policies
from auditor.engines.local import Local
from auditor.errors import InputRefused, UsageError
from auditor.inputs import Inputs
from auditor.mapping import suggest
from auditor.mapping import values as suggest_values
from auditor.parsing import instants
from auditor.parsing.typed_chunk import type_table
from auditor.rules import select
from auditor.settings import Settings
from tests.support import reading
from tests.support.parsing import POLICY
from tests.support.program import audit98968

CALLS = """Call No,MRN,Clinician,Call Date,Picked Up,Hung Up,Direction,Billed CPT,Charge
C-CANARY1,PAT-CANARY1,DR1,2026-03-02,09:00:00,09:25:10,Inbound,98968,75.25
C-CANARY2,PAT-CANARY2,DR2,2026-03-03,14:10:05,14:20:00,Outbound,,
C-CANARY3,PAT-CANARY1,DR1,2026-03-09,08:00:00,08:22:00,Smoke signal,98968,75.25
"""
VISITS = """appointment_id,who,dr_code,appointment_date,appointment_time,check_in_time,Outcome,scheduling_date,notes
V-1,PAT-CANARY1,DR1,2026-03-01,11:00:00,10:55:00,attended,2026-02-01,CANARY-NOTE
V-2,PAT-CANARY2,DR2,2026-03-04,12:00:00,,did not attend,2026-02-01,
V-3,PAT-CANARY1,DR2,2026-03-05,12:30:00,12:20:00,Left early,2026-02-20,
V-4,PAT-CANARY2,DR1,2026-03-06,13:00:00,12:50:00,attended,2026-02-20,
"""


def written(folder: Path, **tables: str) -> dict[str, tuple[str, ...]]:
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return {name: (str(folder / f"{name}.csv"),) for name in tables}


def settled(folder: Path, paths: dict[str, tuple[str, ...]]) -> tuple[str, Inputs]:
    """The suggestion, and the tables as the auditor reads them under it."""
    text = suggest.suggest(paths).text
    suggest.save(text, folder / "suggested.toml")
    policy = policies.load(str(folder / "suggested.toml"), select)
    return text, pipeline.read(Settings(paths=paths, policy=policy), Local())


def line_of(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(start))


def test_an_odd_export_runs_at_once(tmp_path: Path) -> None:
    text, inputs = settled(tmp_path, written(tmp_path, calls=CALLS, visits=VISITS))
    calls, visits = inputs.files["calls"][0].mapping, inputs.files["visits"][0].mapping
    assert calls["call_start"] == ("Call Date", "Picked Up")
    assert calls["call_end"] == ("Call Date", "Hung Up")
    assert visits["visit_start"] == ("appointment_date", "appointment_time")
    assert visits["status"] == ("Outcome",)
    assert [table.rejects.height for table in inputs.tables.values()] == [0, 0]
    assert inputs.tables["visits"].unrecognised["value"].to_list() == ["Left early"]
    assert "certain" in line_of(text, "patient_id = ")
    assert "likely" in line_of(text, "call_start = ")
    assert visits["provider_id"] == ("dr_code",)
    assert "# unused columns: check_in_time, notes" in text


def test_values_outside_a_vocabulary_are_to_be_filled_in(tmp_path: Path) -> None:
    paths = written(tmp_path, calls=CALLS, visits=VISITS)
    assert "Left early" not in (hidden := suggest.suggest(paths).text)
    assert "# rare values and values with digits: 1; init --show-ids shows them" in hidden
    text = suggest.suggest(paths, show_ids=True).text
    block = text[text.index("# [values.visits.status]") :]
    assert '# "Left early" = ""' in block
    assert '# "Smoke signal" = ""' in text[text.index("# [values.calls.initiated_by]") :]
    filled = block.replace('# "Left early" = ""', '"Left early" = "completed"').replace("# [values", "[values", 1)
    assert tomllib.loads(filled)["values"]["visits"]["status"] == {"Left early": "completed"}


def test_no_patient_value_is_quoted(tmp_path: Path) -> None:
    text = suggest.suggest(written(tmp_path, calls=CALLS, visits=VISITS)).text
    assert "CANARY" not in text
    assert "2026-03" not in text


@pytest.mark.parametrize(
    ("when", "form"),
    [
        (("30-May-2025 09:05", "02-JUN-2025 10:00"), "%d-%b-%Y %H:%M"),
        (("13/02/2026 09:05:00", "14/02/2026 10:00:00"), "%d/%m/%Y %H:%M:%S"),
        (("Feb 13, 2026 9:05 AM", "Feb 14, 2026 1:00 PM"), "%b %d, %Y %I:%M%p"),
        (("02/13/26 09:05", "02/14/26 10:00"), "%m/%d/%y %H:%M"),
        (("13-FEB-26 09.05.00.000000 AM", "14-FEB-26 10.00.00.000000 PM"), "%d-%b-%y %I.%M.%S%.f%p"),
        (("13FEB26:09:05:00", "14FEB26:10:00:00"), "%d%b%y:%H:%M:%S"),
        (("20260213T090500Z", "20260214T100000Z"), "%Y%m%dT%H%M%S%#z"),
        (("Feb 13, 2026, 9:05:00 AM", "Feb 14, 2026, 1:00:00 PM"), "%b %d, %Y, %I:%M:%S%p"),
        (("2026-02-13T09:05:00Z", "2026-02-14T09:05:00Z"), None),
        (("2/13/2026 9:05 AM", "2/14/2026 9:05 AM"), None),
    ],
)
def test_formats_that_the_auditor_lacks_are_named(tmp_path: Path, when: tuple[str, str], form: str | None) -> None:
    calls = "call_id,patient,provider,start\n" + "".join(f'c{i},p{i},a,"{at}"\n' for i, at in enumerate(when))
    visits = "visit_id,patient,provider,visit_start\nv1,p1,a,2026-02-01 09:00\n"
    text, inputs = settled(tmp_path, written(tmp_path, calls=calls, visits=visits))
    assert tomllib.loads(text).get("instant_formats", []) == ([form] if form else [])
    assert inputs.tables["calls"].rejects.height == 0


def test_required_columns_without_a_candidate_are_stated(tmp_path: Path) -> None:
    text = suggest.suggest(written(tmp_path, calls="colour,call size\nred,1.5\nblue,2.5\n")).text
    assert "REQUIRED, not found" in line_of(text, '# call_start = ""')
    assert "REQUIRED, not found" in line_of(text, '# patient_id = ""')
    tomllib.loads(text)


@pytest.mark.parametrize(
    "rows",
    [
        "KAY,Jane CANARY,DR JONES,completed\nKAA,Berta Miller,DR JONES,no show\n",
        "KAY,Jane CANARY,office visit,yes\nKAA,Berta Miller,office visit,no\n",
        "KAY,Jane CANARY,Anna\nKAA,Berta Miller,Bert\n",
        "4711,Jane CANARY,visit,2026-03-02 09:00\n4712,Berta Miller,call,2026-03-02 10:00\n",
    ],
)
def test_a_first_line_that_may_be_a_row_is_not_quoted(tmp_path: Path, rows: str) -> None:
    files = written(tmp_path, calls=rows)
    with pytest.raises(InputRefused, match="is the header line missing") as refusal:
        suggest.suggest(files)
    assert "CANARY" not in str(refusal.value)
    assert "CANARY" in suggest.suggest(files, show_ids=True).text


def test_header_lines_may_be_repeated(tmp_path: Path) -> None:
    head = "call_id,patient,provider,start\n"
    text = suggest.suggest(
        written(tmp_path, calls=f"{head}c1,p1,a,2026-03-02 09:00\n{head}c2,p2,a,2026-03-02 09:30\n")
    ).text
    assert "call_id" in text


def test_names_in_a_vocabulary_column_are_not_quoted(tmp_path: Path) -> None:
    calls = "call_id,patient,provider,start,caller\n" + "".join(
        f"c{i},p{i},a,2026-03-02 09:0{i},CANARY Smith{i}\n" for i in range(5)
    )
    assert "CANARY" not in suggest.suggest(written(tmp_path, calls=calls)).text


def test_a_header_is_enough(tmp_path: Path) -> None:
    text = suggest.suggest(written(tmp_path, calls="call_id;MRN;clinician;start;Dx1;Direction\n")).text
    assert tomllib.loads(text)["columns"]["calls"] == {
        "call_id": "call_id",
        "patient_id": "MRN",
        "provider_id": "clinician",
        "call_start": "start",
        "initiated_by": "Direction",
    }


def test_two_headers_for_one_column_become_a_choice(tmp_path: Path) -> None:
    calls = "call_id,patient,MRN,provider,start_time\nc1,p1,m1,a,2026-03-02 09:00\n"
    visits = "visit_id,patient,visit_start\nv1,p1,2026-03-01 09:00\n"
    _, inputs = settled(tmp_path, written(tmp_path, calls=calls, visits=visits))
    assert inputs.files["calls"][0].mapping["patient_id"] == ("patient",)
    assert inputs.files["calls"][0].unused == ("MRN",)


def test_patients_are_known_by_the_values_that_tables_share(tmp_path: Path) -> None:
    calls = "call_id,patient,provider,call_start\n" + "".join(f"c{i},x{i},a,2026-03-02 09:{i}\n" for i in range(10, 40))
    visits = "visit_id,ref,other,visit_start\n" + "".join(f"v{i},x{i},y{i},2026-03-01 09:{i}\n" for i in range(10, 40))
    text, inputs = settled(tmp_path, written(tmp_path, calls=calls, visits=visits))
    assert inputs.files["visits"][0].mapping["patient_id"] == ("ref",)
    assert "likely: 100% of its values" in line_of(text[text.index("[columns.visits]") :], "patient_id")


def test_disjoint_patients_are_pointed_out(tmp_path: Path) -> None:
    paths = written(tmp_path, calls=CALLS, visits=VISITS.replace("PAT-", "OTHER-").replace("who", "patient_id"))
    assert "NONE of its values in the rows read is in another table" in line_of(
        suggest.suggest(paths).text, "patient_id = "
    )


def test_files_of_several_layouts_are_never_laid_side_by_side(tmp_path: Path) -> None:
    """The start times of one file and the dates of another are of other rows."""
    folder = tmp_path / "calls"
    folder.mkdir()
    head = "call_id,patient_id,provider_id,Call Date"
    for name, more, cells in (("a", ",Start Time", ",09:{}"), ("b", "", "")):
        lines = [f"{name}{n},p{n},d,2026-03-02{cells.format(n)}" for n in range(10, 40)]
        (folder / f"{name}.csv").write_text("\n".join([head + more, *lines]), encoding="utf-8")
    paths = {**written(tmp_path, visits=VISITS), "calls": (str(folder),)}
    line = line_of(suggest.suggest(paths).text, "call_start = ")
    assert line.startswith('call_start = ["Call Date", "Start Time"]')
    assert "blank in 50% of the rows" in line


def test_a_length_is_not_compared_with_the_clock_of_another_file(tmp_path: Path) -> None:
    folder = tmp_path / "calls"
    folder.mkdir()
    head, more = "call_id,patient_id,provider_id", {"a": "call_minutes", "b": "call_start,call_end"}
    cells = {"a": "25", "b": "2026-03-02 09:00,2026-03-02 09:25"}
    for name in more:
        lines = [f"{name}{n},p{n},d,{cells[name]}" for n in range(10, 40)]
        (folder / f"{name}.csv").write_text("\n".join([f"{head},{more[name]}", *lines]), encoding="utf-8")
    paths = {**written(tmp_path, visits=VISITS), "calls": (str(folder),)}
    assert "as start and end say" not in line_of(suggest.suggest(paths).text, "call_minutes = ")


def test_numbered_columns_are_one_list(tmp_path: Path) -> None:
    head = "claim,patient,provider,dos,hcpcs,Dx1,Dx2"
    claims = f"{head}\nb1,p1,a,2026-03-02,98968,J20.9,M54.5\nb2,p2,a,2026-03-02,98968,E11.9,\n"
    text = suggest.suggest(written(tmp_path, claims=claims)).text
    assert tomllib.loads(text)["columns"]["claims"]["diagnosis_codes"] == ["Dx1", "Dx2"]


def test_a_claims_table_takes_the_billing_columns(tmp_path: Path) -> None:
    claims = "claim_id,patient_id,provider_id,dos,cpt\nb1,PAT-CANARY1,DR1,2026-03-02,98968\n"
    text, _ = settled(tmp_path, written(tmp_path, calls=CALLS, visits=VISITS, claims=claims))
    columns = tomllib.loads(text)["columns"]
    assert "cpt_code" not in columns["calls"]
    assert columns["claims"]["cpt_code"] == "cpt"


def test_parquet_says_the_same_as_csv(tmp_path: Path) -> None:
    paths = written(tmp_path, calls=CALLS, visits=VISITS)
    pl.read_csv(tmp_path / "visits.csv", try_parse_dates=True).write_parquet(tmp_path / "visits.parquet")
    parquet = suggest.suggest(paths | {"visits": (str(tmp_path / "visits.parquet"),)}).text
    assert suggest.suggest(paths).text == parquet.replace("visits.parquet", "visits.csv")


def test_ends_past_midnight_are_times_of_day(tmp_path: Path) -> None:
    calls = CALLS.replace("08:00:00,08:22:00", "23:50:00,00:15:00")
    text, inputs = settled(tmp_path, written(tmp_path, calls=calls, visits=VISITS))
    assert "1 of 3 are after midnight" in line_of(text, 'call_end_time = "Hung Up"')
    assert inputs.tables["calls"].rejects.height == 0


def test_ends_before_they_begin_are_counted(tmp_path: Path) -> None:
    calls = "call_id,patient,provider,start,end\nc1,p1,a,2026-03-02 09:00,2026-03-02 08:30\n"
    text = suggest.suggest(written(tmp_path, calls=calls)).text
    assert "1 of 1 end before they start" in line_of(text, "call_end = ")


def test_an_existing_file_is_kept(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="this file exists"):
        suggest.save("new", tmp_path / "mine.toml")
    assert (tmp_path / "mine.toml").read_text(encoding="utf-8") == "mine"


def test_wrong_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="no such file"):
        suggest.suggest({"calls": (str(tmp_path / "nowhere.csv"),)})
    with pytest.raises(UsageError, match="--calls"):
        suggest.suggest({})
    with pytest.raises(UsageError, match="only one table"):
        suggest.suggest({"calls": ("-",), "visits": ("-",)})


def test_an_export_that_is_not_utf_8_gets_its_encoding(tmp_path: Path) -> None:
    paths = written(tmp_path, calls=CALLS, visits=VISITS)
    assert "encoding" not in suggest.suggest(paths).text
    (tmp_path / "calls.csv").write_bytes(CALLS.encode() + "K9,M\xfcller".encode("latin-1"))
    text = suggest.suggest(paths).text
    assert line_of(text, "encoding = ").startswith('encoding = "cp1252"')
    (tmp_path / "policy.toml").write_text(text, encoding="utf-8")
    assert policies.load(str(tmp_path / "policy.toml")).encoding == "cp1252"


def lengths(folder: Path, header: str, *rows: str) -> dict[str, str]:
    """The calls' mapping that is suggested, without what is only a guess."""
    (folder / "calls.csv").write_text("\n".join([header, *rows]) + "\n")
    text = suggest.suggest({"calls": (str(folder / "calls.csv"),)}).text
    return tomllib.loads(text)["columns"]["calls"] | {"formats": tomllib.loads(text).get("instant_formats", [])}


def test_seconds_are_known_by_their_size(tmp_path: Path):
    head = "Call ID,patient_id,provider_id,calldate,duration,cpt_code"
    days = [f"2026-03-{day} 10:00:00" for day in (10, 11, 12)]
    long = lengths(tmp_path, head, *(f"K{n},A{n},N,{day},{1290 + n},98968" for n, day in enumerate(days)))
    assert (long["call_start"], long["call_seconds"], "call_minutes" in long) == ("calldate", "duration", False)
    short = lengths(tmp_path, head, *(f"K{n},A{n},N,{day},{21 + n},98968" for n, day in enumerate(days)))
    assert (short["call_minutes"], "call_seconds" in short) == ("duration", False)
    middling = lengths(tmp_path, head, *(f"K{n},A{n},N,{day},{100 + n},98968" for n, day in enumerate(days)))
    assert not {"call_minutes", "call_seconds"} & middling.keys()


def test_talk_goes_before_ringing_and_is_no_money(tmp_path: Path):
    head = "uniqueid,patient_id,provider_id,start,end,duration_sec,billsec,cpt_code"
    rows = [
        f"K{n},A{n},N,2026-03-1{n} 10:00:00,2026-03-1{n} 10:21:20,1280,{1230 + n},98968" for n in range(3)
    ]  # fmt: skip
    found = lengths(tmp_path, head, *rows)
    assert (found["call_id"], found["call_seconds"]) == ("uniqueid", "billsec")
    assert "billed_amount" not in found


def test_seconds_since_1970_are_offered(tmp_path: Path):
    head = "callId,patient_id,provider_id,dateTimeConnect,dateTimeDisconnect,duration,cpt_code"
    rows = [f"50{n},A{n},N,177315{n}200,177315{n + 1}700,1500,98968" for n in range(5)]
    found = lengths(tmp_path, head, "INTEGER,V,V,INTEGER,INTEGER,INTEGER,V", *rows, "509,A9,N,0,1773158420,0,")
    assert (found["call_start"], found["call_end"]) == ("dateTimeConnect", "dateTimeDisconnect")
    assert found["formats"] == ["epoch"]
    assert "call_minutes" not in found


def of_calls(folder: Path, text: str, visits: str = "") -> tuple[dict[str, object], str]:
    """The policy for such calls, read, and its text."""
    tables = {"calls": text} | ({"visits": visits} if visits else {})
    written_policy = suggest.suggest(written(folder, **tables)).text
    return tomllib.loads(written_policy), written_policy


HEAD = "call_id,patient_id,provider_id,call_start,call_end,Duration\n"


@pytest.mark.parametrize(
    ("length", "column", "units"),
    [
        ("24", "call_minutes", None),
        ("1440", "call_seconds", None),
        ("1440000", "call_minutes", {"call_minutes": "milliseconds"}),
        ("0.4", "call_minutes", {"call_minutes": "hours"}),
        ("0.016667", "call_minutes", {"call_minutes": "days"}),
        ("24:00", "call_minutes", None),
        ("00:24", "call_minutes", {"call_minutes": "h:mm"}),
        ("00:24:00", "call_minutes", None),
    ],
)
def test_start_and_end_decide_the_unit(tmp_path: Path, length: str, column: str, units: dict[str, str] | None) -> None:
    rows = "".join(f"K{n},A{n},N,2026-03-1{n} 10:00:00,2026-03-1{n} 10:24:00,{length}\n" for n in range(5))
    policy, _ = of_calls(tmp_path, HEAD + rows)
    columns = policy["columns"]["calls"]  # type: ignore[index]
    assert (columns.get(column), policy.get("units")) == ("Duration", units)


def test_lengths_that_nothing_settles_are_asked_about(tmp_path: Path) -> None:
    rows = "".join(f"K{n},A{n},N,2026-03-1{n} 10:00:00,,00:2{n}\n" for n in range(5))
    policy, text = of_calls(tmp_path, HEAD + rows)
    assert not {"call_minutes", "call_seconds"} & policy["columns"]["calls"].keys()  # type: ignore[index]
    assert "M:SS OR H:MM?" in text


def test_rows_above_the_header_are_counted(tmp_path: Path) -> None:
    title = 'Call report\n"Clinic, River",March\n\n'
    policy, _ = of_calls(tmp_path, title + CALLS)
    assert policy["skip_rows"] == {"calls": 3}
    assert policy["columns"]["calls"]["call_id"] == "Call No"  # type: ignore[index]
    _, inputs = settled(tmp_path, written(tmp_path, calls=title + CALLS, visits=VISITS))
    assert inputs.tables["calls"].rejects.height == 0


def test_a_line_that_names_the_delimiter_is_no_title(tmp_path: Path) -> None:
    assert "skip_rows" not in of_calls(tmp_path, "sep=,\n" + CALLS)[0]


def test_decimal_commas_are_reported(tmp_path: Path) -> None:
    policy, _ = of_calls(tmp_path, CALLS.replace("75.25", '"75,25"'))
    assert policy["decimal"] == ","
    assert "decimal" not in of_calls(tmp_path, CALLS.replace("75.25", '"1,075.25"'))[0]


def test_names_of_zones_get_their_offsets(tmp_path: Path) -> None:
    rows = "".join(f"K{n},A{n},N,3/1{n}/2026 10:00 AM {'EDT' if n else 'EST'},,\n" for n in range(5))
    text, inputs = settled(tmp_path, written(tmp_path, calls=HEAD + rows, visits=VISITS.replace("who", "mrn")))
    policy = tomllib.loads(text)
    assert policy["instant_formats"] == ["%m/%d/%Y %I:%M %p %Z"]
    assert policy["zone_names"] == {"EDT": "-04:00", "EST": "-05:00"}
    assert inputs.tables["calls"].rejects.height == 0


def test_a_header_says_utc(tmp_path: Path) -> None:
    rows = "".join(f"K{n},A{n},N,2026-03-1{n} 10:00:00\n" for n in range(5))
    policy, _ = of_calls(tmp_path, "call_id,patient_id,provider_id,Start Time (UTC)\n" + rows)
    assert policy["timezones"] == {"calls.call_start": "UTC"}


def test_visits_at_other_hours_ask_for_a_zone(tmp_path: Path) -> None:
    calls = "call_id,patient_id,provider_id,call_start\n"
    calls += "".join(f"K{n},A{n},N,2026-03-{n:02} {8 + n % 8:02}:10:00\n" for n in range(1, 29))
    visits = "visit_id,patient_id,visit_start\n"
    visits += "".join(f"V{n},A{n},2026-03-{n:02} {13 + n % 8:02}:10:00\n" for n in range(1, 29))
    policy, text = of_calls(tmp_path, calls, visits)
    assert "timezones" not in policy
    assert "ARE THE CALLS OR THE VISITS IN ANOTHER ZONE? 9 of 10 calls start between 08:00 and 15:59" in line_of(
        text, '# visits = "UTC"'
    )
    assert "ANOTHER ZONE" not in of_calls(tmp_path, calls, visits.replace(" 2", " 1").replace(" 19", " 12"))[1]


def test_days_of_a_spreadsheet_are_known_by_their_header(tmp_path: Path) -> None:
    visits = "visit_id,patient_id,Visit Date\n" + "".join(f"V{n},A{n},4609{n}\n" for n in range(5))
    text = suggest.suggest(written(tmp_path, visits=visits)).text
    assert tomllib.loads(text)["instant_formats"] == ["excel"]
    assert tomllib.loads(text)["columns"]["visits"]["visit_start"] == "Visit Date"


def test_words_that_are_often_there_are_shown(tmp_path: Path) -> None:
    head, *rows = VISITS.splitlines()
    words = ["Roomed"] * 10 + ["attended"] * 20
    many = [f"W-{n},PAT-CANARY1,DR1,2026-03-05,12:30:00,,{word},2026-02-20," for n, word in enumerate(words)]
    text = suggest.suggest(written(tmp_path, visits="\n".join([head, *rows, *many]) + "\n")).text
    assert '# "Roomed" = ""' in text
    assert "Left early" not in text


def test_words_get_their_likely_meaning(tmp_path: Path) -> None:
    paths = written(tmp_path, visits=VISITS.replace("Left early", "Canceled by phone"))
    text = suggest.suggest(paths, show_ids=True).text
    assert '# "Canceled by phone" = "cancelled"' in text


def test_an_id_that_repeats_is_not_certain(tmp_path: Path) -> None:
    text = suggest.suggest(written(tmp_path, calls=CALLS.replace("CANARY3", "CANARY1"))).text
    assert "likely: known header; 1 row REPEATS AN ID" in line_of(text, "call_id = ")


def test_a_list_is_as_full_as_its_fullest_column(tmp_path: Path) -> None:
    rows = "".join(f"b{n},p{n},a,2026-03-02,98968,J20.9,\n" for n in range(4))
    text = suggest.suggest(written(tmp_path, claims=f"claim,patient,provider,dos,hcpcs,Dx1,Dx2\n{rows}")).text
    assert "blank" not in line_of(text, "diagnosis_codes = ")


X12 = """ISA*00*          *00*          *ZZ*SENDER         *ZZ*RECEIVER       *260302*0905*^*00501*000000001*0*P*:~
NM1*IL*1*CANARY*PATIENT****MI*M123456789~
DMG*D8*19800101*F~
"""
FOREIGN = {
    "an X12 interchange": [X12, X12.replace("\n", ""), X12.replace("*", "|"), X12.replace("*", ","), f"\ufeff \r\n{X12}"],
    "a file of HL7 messages": ["MSH|^~\\&|A|B|C|D|20260302||ADT^A04|1|P|2.5\rPID|1||M123||CANARY^PATIENT\r", "\x0bMSH|^~\\&|CANARY|patient\r"],
    "a JSON document": ['{"resourceType": "Patient", "patient": "CANARY", "start": "1"}\n', '\n[\n {"patient": "CANARY"}]\n'],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in FOREIGN.items() for text in texts])
def test_a_file_of_another_kind_is_named_and_quoted_by_no_command(tmp_path: Path, kind: str, text: str) -> None:
    files = written(tmp_path, calls=text, visits="visit_id,patient_id,visit_start\nV1,P1,2026-03-01\n")
    tables = [word for table, (path,) in files.items() for word in (f"--{table}", path)]
    for arguments in (["init", "--out", "new.toml"], ["init", "--show-ids"], ["check"], ["run", "--out", "out"]):
        done = audit98968(*arguments, *tables, folder=tmp_path)
        assert (done.returncode, done.stdout) == (3, "")
        assert f"this is {kind}" in done.stderr and "CANARY" not in done.stderr
    assert not (tmp_path / "new.toml").exists()


@pytest.mark.parametrize(
    "rows",
    [
        "M12345678 CANARY PATIENT    19800101 phone\nM12345679 CANARY PATIENT    19810101 phone\n",
        "CANARY PATIENT PHONE\nOTHER PATIENT PHONE\n",
        "ST*837*0001~NM1*IL*1*CANARY*PATIENT~\n",
        "CANARY Jane,patient,phone,completed\n",
        "CANARY Jane,patient,provider,03/02/1980,98968\n",
    ],
)
def test_a_first_line_that_is_no_plausible_header_is_quoted_by_no_command(tmp_path: Path, rows: str) -> None:
    files = written(tmp_path, calls=rows, visits="visit_id,patient_id,visit_start\nV1,P1,2026-03-01\n")
    tables = [word for table, (path,) in files.items() for word in (f"--{table}", path)]
    for command in ("init", "check", "run"):
        done = audit98968(command, *tables, folder=tmp_path)
        assert (done.returncode, done.stdout) == (3, "")
        assert "CANARY" not in done.stderr


def test_a_header_that_looks_like_data_is_counted_only(tmp_path: Path) -> None:
    calls = "call_id,patient_id,provider_id,call_start,CANARY 19800101\nc1,p1,a,2026-03-02 09:00,x\n"
    files = written(tmp_path, calls=calls)
    text = suggest.suggest(files).text
    assert "CANARY" not in text and "# unused columns with headers that look like data: 1" in text
    assert "CANARY" in suggest.suggest(files, show_ids=True).text


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("2026-03-10-10.00.00.000000", "%Y-%m-%d-%H.%M.%S%.f"),
        ("20260310100000-0400", "%Y%m%d%H%M%S%z"),
        ("2026-03-10T10:00:00-04:00[America/New_York]", "%Y-%m-%dT%H:%M:%S%:z[America/New_York]"),
        ("Tue Mar 10 2026 10:00:00 GMT-0400 (Eastern Daylight Time)",
         "%a %b %d %Y %H:%M:%S GMT%z (Eastern Daylight Time)"),
        ("10-MAR-26 10.00.00.000000 AM -04:00", "%d-%b-%y %I.%M.%S%.f %p %:z"),
        ("03102026", "%m%d%Y"),
    ],
)  # fmt: skip
def test_forms_of_databases_are_proposed(written: str, form: str) -> None:
    formats = suggest_values.missing_formats(pl.Series([written] * 3), POLICY)
    assert formats == [form]
    day = instants.read(pl.Series([written]), POLICY.model_copy(update={"instant_formats": (form,)})).local.dt.date()[0]
    assert str(day) == "2026-03-10"


FLAGS = "appt_id,patient,provider,appt_date,begintime,appt_kept_ind,cancel_ind,no_show_ind,delete_ind\n"


def test_flags_of_states_are_joined_and_their_combinations_mapped(tmp_path: Path) -> None:
    rows = ("v1,p1,a,20260309,0900,Y,N,N,N", "v2,p1,a,20260310,1415,N,Y,N,N", "v3,p2,a,20260311,1415,N,N,Y,Y",
            "v4,p3,a,20260312,0905,N,N,N,N")  # fmt: skip
    calls = "call_id,patient,provider,start\nc1,p1,a,2026-03-12 09:00\n"
    paths = written(tmp_path, calls=calls, visits=FLAGS + "\n".join(rows) + "\n")
    text, _ = settled(tmp_path, paths)
    policy = policies.load(str(tmp_path / "suggested.toml"), select)
    visits = type_table(reading.extract("visits", paths["visits"], policy), policy).rows.sort("visit_id")
    assert visits["status"].to_list() == ["completed", "cancelled", "no_show", "unrecognised"]
    assert visits["visit_start"].dt.strftime("%m-%d %H:%M").to_list() == [
        "03-09 09:00", "03-10 14:15", "03-11 14:15", "03-12 09:05"
    ]  # fmt: skip
    assert "WHAT BECAME OF THESE VISITS?" in line_of(text, '# "N N N" = ""')
    assert "ARE THESE ROWS NO RECORDS?" in line_of(text, '# drop = { "delete_ind" = ["Y"] }')


@pytest.mark.parametrize(
    ("header", "rows", "line"),
    [
        ("cancel_ind", ("N", "Y"), '# status = "cancel_ind"'),
        ("cancel_ind,kept_ind", (",Y", "Y,"), ""),
        ("cancel_reason", ("moved", "N"), ""),
    ],
)
def test_flags_that_do_not_say_which_visits_were_kept_are_asked_about(
    tmp_path: Path, header: str, rows: tuple[str, ...], line: str
) -> None:
    """Joined, `Y` beside a blank cell reads the same whichever of the two is blank."""
    visits = f"visit_id,patient,provider,visit_start,{header}\n" + "".join(
        f"v{number},p1,a,2026-02-0{number + 1} 09:00,{row}\n" for number, row in enumerate(rows)
    )
    text = suggest.suggest(written(tmp_path, visits=visits)).text
    assert "status" not in tomllib.loads(text)["columns"]["visits"]
    assert not line or "WHICH WERE KEPT?" in line_of(text, line)


def ledger(folder: Path, header: str, *amounts: str) -> str:
    rows = (f"c{n},p1,a,2026-03-10,98968,{'Charge' if n else 'Payment'},{amount}\n" for n, amount in enumerate(amounts))
    text = f"claim_id,patient,provider,service_date,cpt_code,trans_type,{header}\n{''.join(rows)}"
    return suggest.suggest(written(folder, claims=text)).text


def test_the_amounts_of_a_ledger_are_asked_about(tmp_path: Path) -> None:
    text = ledger(tmp_path, "amount", "(31.00)", "45", "45", "45", "45")
    assert "A LEDGER? 20% OF THE AMOUNTS ARE NEGATIVE" in line_of(text, '# billed_amount = "amount"')
    assert "WHICH ROWS ARE CHARGES?" in line_of(text, '# keep = { "trans_type" = ["Charge"] }')
    assert line_of(ledger(tmp_path, "amount", "-31.00", "45", "45", "45", "45", "1"), "billed_amount")
    assert "A LEDGER?" in line_of(ledger(tmp_path, "billed_amount", "-31.00", "45"), "billed_amount")


def test_rows_without_a_patient_may_be_left_out(tmp_path: Path) -> None:
    """The proposed lines are valid as soon as the # is removed."""
    visits = "visit_id,patient,provider,visit_start\nv1,p1,a,2026-02-01 09:00\nv2,,a,2026-02-02 12:00\n"
    paths = written(tmp_path, visits=visits)
    text = suggest.suggest(paths).text
    assert line_of(text, '# drop = { "patient" = [""] }')
    (tmp_path / "chosen.toml").write_text(text.replace("# [rows", "[rows").replace("# drop", "drop"))
    policy = policies.load(str(tmp_path / "chosen.toml"), select)
    table = type_table(reading.extract("visits", paths["visits"], policy), policy)
    assert (table.rows["visit_id"].to_list(), table.rejects.height) == (["v1"], 0)


def test_a_blank_column_of_lengths_does_not_take_the_place_of_the_other(tmp_path: Path) -> None:
    calls = "call_id,patient,provider,start,call_minutes,call_seconds\nc1,p1,a,2026-03-12 09:00,21,\n"
    columns = tomllib.loads(suggest.suggest(written(tmp_path, calls=calls)).text)["columns"]["calls"]
    assert (columns["call_minutes"], columns["call_seconds"]) == ("call_minutes", "call_seconds")


def test_minutes_that_are_hours_long_are_seconds(tmp_path: Path) -> None:
    rows = "".join(f"c{n},p1,a,2026-03-12 09:00,{1260 + n}\n" for n in range(3))
    text = suggest.suggest(written(tmp_path, calls=f"call_id,patient,provider,start,call_minutes\n{rows}")).text
    assert "seconds, according to the size" in line_of(text, 'call_seconds = "call_minutes"')


def test_four_digits_are_a_time_only_where_the_header_says_so(tmp_path: Path) -> None:
    visits = "visit_id,patient,provider,appt_date,{}\nv1,p1,a,20260201,0900\nv2,p2,a,20260202,1130\n"
    for header, mapped in (("begin_time", ["appt_date", "begin_time"]), ("room", "appt_date")):
        text = suggest.suggest(written(tmp_path, visits=visits.format(header))).text
        assert tomllib.loads(text)["columns"]["visits"]["visit_start"] == mapped


def test_words_for_a_blank_in_dates_and_numbers_are_proposed(tmp_path: Path) -> None:
    days = ["2026-02-01", "0000-00-00 00:00:00", "Not Recorded", "2026-02-03", "0000-00-00 00:00:00", "Not Recorded"]
    visits = "visit_id,patient_id,visit_start,booked_at,status\n"
    visits += "".join(f"v{n},p{n},2026-03-0{n} 09:00,{day},unknown\n" for n, day in enumerate(days, start=1))
    text, inputs = settled(tmp_path, written(tmp_path, visits=visits, calls=CALLS))
    assert tomllib.loads(text)["nulls"] == [*POLICY.nulls, "0000-00-00 00:00:00", "Not Recorded"]
    assert inputs.tables["visits"].rejects.is_empty()


def test_a_blank_that_a_patients_id_has_is_not_proposed(tmp_path: Path) -> None:
    visits = "visit_id,patient_id,visit_start,booked_at\n"
    visits += "".join(f"v{n},{n % 3 or 'unknown'},2026-03-0{n} 09:00,unknown\n" for n in range(1, 8))
    assert "nulls" not in tomllib.loads(suggest.suggest(written(tmp_path, visits=visits)).text)


@pytest.mark.parametrize(
    ("dates", "note"),
    [
        (["3/4/2026", "5/6/2026"], "it is read month first"),
        (["03.04.2026", "05.06.2026"], "it is read day first"),
        (["3/14/2026", "5/6/2026"], ""),
        (["3/3/2026", "5/5/2026"], ""),
    ],
)
def test_dates_that_read_both_ways_are_pointed_out(tmp_path: Path, dates: list[str], note: str) -> None:
    visits = "visit_id,patient_id,visit_start\n" + "".join(f"v{n},p{n},{day} 09:00\n" for n, day in enumerate(dates))
    line = line_of(suggest.suggest(written(tmp_path, visits=visits)).text, "visit_start")
    assert (note in line) and ("DAY FIRST" in line) is bool(note)


def test_days_of_a_spreadsheet_reach_beyond_this_century(tmp_path: Path) -> None:
    visits = "visit_id,patient_id,Visit Date\n" + "".join(f"V{n},A{n},{n}9051.375\n" for n in (3, 4, 5))
    assert tomllib.loads(suggest.suggest(written(tmp_path, visits=visits)).text)["instant_formats"] == ["excel"]
