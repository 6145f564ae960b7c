"""A workbook's cells mean what they mean by their own kind."""

import csv
import zipfile
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from xml.sax.saxutils import escape

import pytest
import xlsxwriter
import xlwt
from polars.testing import assert_frame_equal

from auditor import pipeline
from auditor import policy as policies
from auditor.engines.local import Local
from auditor.errors import InputRefused
from auditor.parsing.typed_chunk import type_table
from auditor.policy import load
from auditor.reading import ingest
from auditor.reading.chunks import read_parts
from auditor.reading.files import expand
from auditor.rules import select
from auditor.schema.tables import TABLES, Kind
from auditor.settings import Settings
from auditor.sources import staging
from tests.synthetic.test_sample_answer import SAMPLE

HEADER = ("call_id", "patient_id", "provider_id", "call_start", "call_minutes")
START = datetime(2026, 3, 2, 9, 30)


class Styled:
    """A value and the format of its cell."""

    def __init__(self, value: object, form: str) -> None:
        self.value, self.form = value, form


def write(path: Path, *sheets: list, name: str = "Calls", **options: object) -> str:
    """Write sheets as lists of rows, with xlsxwriter."""
    with xlsxwriter.Workbook(path, options) as book:
        forms = cache(lambda form: book.add_format({"num_format": form}))
        for number, rows in enumerate(sheets):
            sheet = book.add_worksheet(name if not number else f"{name} {number + 1}")
            for row, cells in enumerate(rows):
                for column, cell in enumerate(cells):
                    styled = cell if isinstance(cell, Styled) else Styled(cell, _FORMS.get(type(cell), "General"))
                    if styled.value is not None:
                        sheet.write(row, column, styled.value, forms(styled.form))
    return str(path)


_FORMS = {
    date: "yyyy-mm-dd",
    datetime: "yyyy-mm-dd hh:mm:ss",
    time: "hh:mm",
    timedelta: "[h]:mm:ss",
}


def read(path: str, table: str = "calls", policy=None) -> ingest.Extract:
    policy = policy or load("default", lambda _, words: words)
    with staging.staged({table: expand(table, [path])}, policy) as found:
        return read_parts(table, found[table], policy)


def typed(path: str, table: str = "calls", policy=None):
    policy = policy or load("default", lambda _, words: words)
    return type_table(read(path, table, policy), policy)


def calls(*starts_and_lengths: tuple[object, object]) -> list:
    return [HEADER, *((f"c{n}", "p", "v", *cells) for n, cells in enumerate(starts_and_lengths, 1))]


def minutes(table) -> list[float]:
    return [length / 60e6 for length in table.rows.sort("call_id")["call_minutes"]]


@pytest.mark.parametrize("since_1904", [False, True])
def test_a_length_may_be_a_number_a_length_a_clock_time_or_text_in_one_column(tmp_path, since_1904):
    lengths = [
        21,
        21.5,
        timedelta(minutes=22),
        Styled(timedelta(minutes=23, seconds=30), "mm:ss"),
        time(0, 24),
        "0:25:00",
        "26 min",
        Styled(timedelta(hours=1, minutes=30), "h:mm"),
        Styled(timedelta(hours=24), "h:mm"),
        timedelta(hours=24),
    ]
    path = write(tmp_path / "c.xlsx", calls(*((START, length) for length in lengths)), date_1904=since_1904)
    assert sorted(minutes(typed(path))) == [21, 21.5, 22, 23.5, 24, 25, 26, 90, 1440, 1440]


@pytest.mark.parametrize("since_1904", [False, True])
def test_a_length_beyond_a_day_is_too_long_whatever_its_format(tmp_path, since_1904):
    lengths = [timedelta(hours=25, minutes=30), Styled(timedelta(hours=25, minutes=30), "h:mm")]
    path = write(tmp_path / "c.xlsx", calls(*((START, length) for length in lengths)), date_1904=since_1904)
    assert typed(path).rejects["reason"].to_list() == ["call_minutes is over 24 h"] * 2


@pytest.mark.parametrize("since_1904", [False, True])
def test_dates_are_dates_whatever_the_epoch(tmp_path, since_1904):
    rows = [
        ("visit_id", "patient_id", "visit_start", "booked_at"),
        ("a", "p", date(2026, 3, 2), START),
        ("b", "p", datetime(2026, 3, 2), "2/20/2026 8:00 AM"),
        ("c", "p", START, Styled(0, "m/d/yyyy")),
        ("d", "p", Styled(44621 if since_1904 else 46083, "General"), time(13, 5)),
        ("e", "p", "2026-03-02", None),
    ]
    path = write(tmp_path / "v.xlsx", [*rows], date_1904=since_1904)
    policy = load("default", lambda _, words: words).model_copy(update={"instant_formats": ("excel",)})
    cells = read(path, "visits", policy).frame
    assert cells["visit_start"].to_list() == [
        "2026-03-02", "2026-03-02 00:00:00", "2026-03-02 09:30:00", "2026-03-02", "2026-03-02",
    ]  # fmt: skip
    assert cells["booked_at"].to_list()[0] == "2026-03-02 09:30:00" and cells["booked_at"].to_list()[3:] == [
        "13:05:00",
        None,
    ]
    table = typed(path, "visits", policy)
    assert table.rows.sort("visit_id")["visit_start_date_only"].to_list() == [True, False, False, True]
    assert table.rows.filter(visit_id="c")["booked_at"].to_list() == [None]  # a date of 0
    assert table.rejects.select("source_record", "column").rows() == [(5, "booked_at")]  # a time of day is no instant


def test_a_clock_time_is_joined_with_a_date(tmp_path):
    rows = [
        ("call_id", "patient_id", "provider_id", "Date", "Time"),
        ("a", "p", "v", date(2026, 3, 2), time(13, 5)),
        ("b", "p", "v", Styled(datetime(2026, 3, 2), "m/d/yyyy h:mm"), Styled(datetime(1900, 1, 1, 13, 5), "h:mm")),
        ("c", "p", "v", "2026-03-02", timedelta(hours=13, minutes=5)),
        ("d", "p", "v", date(2026, 3, 2), "1:05 PM"),
    ]
    policy = load("default", lambda _, words: words).model_copy(
        update={"columns": {"calls": {"call_start": ("Date", "Time")}}}
    )
    starts = typed(write(tmp_path / "c.xlsx", rows), "calls", policy).rows["call_start"]
    assert len(starts) == 4 and starts.unique().dt.to_string("%F %R").to_list() == ["2026-03-02 13:05"]


@pytest.mark.parametrize("since_1904", [False, True])
def test_days_and_times_that_are_numbers_are_joined_where_the_policy_reads_them(tmp_path, since_1904):
    day = 44621 if since_1904 else 46083
    rows = [
        ("call_id", "patient_id", "provider_id", "Date", "Time"),
        ("a", "p", "v", day, time(13, 5)),
        ("b", "p", "v", date(2026, 3, 2), (13 * 60 + 5) / 1440),
        ("c", "p", "v", str(day), "1:05 PM"),
        ("d", "p", "v", day + (13 * 60 + 5) / 1440, None),
    ]
    policy = load("default", lambda _, words: words).model_copy(
        update={"columns": {"calls": {"call_start": ("Date", "Time")}}, "instant_formats": ("excel",)}
    )
    starts = typed(write(tmp_path / "c.xlsx", rows, date_1904=since_1904), "calls", policy).rows["call_start"]
    assert len(starts) == 4 and starts.unique().dt.to_string("%F %R").to_list() == ["2026-03-02 13:05"]


def test_ids_are_their_digits(tmp_path):
    """A number of 16 digits rejects its row; a format that shows other digits is warned about."""
    rows = [
        HEADER,
        ("00123", 123, "v", START, 21),
        (1234567890123456789, "p", "v", START, 21),
        ("1234567890123456789", "p", "v", START, 21),
        ("x", 12345678901234567, "v", START, 21),
        ("y", 123456789012345, Styled(45, "00000"), START, 21),
    ]
    path = write(tmp_path / "c.xlsx", rows)
    table = typed(path)
    assert table.rows.select("call_id", "patient_id", "provider_id").sort("call_id").rows() == [
        ("00123", "123", "v"), ("1234567890123456789", "p", "v"), ("y", "123456789012345", "45")
    ]  # fmt: skip
    assert table.rejects.select("source_record", "column", "reason", "patient_id").rows() == [
        (3, "call_id", "digits lost in the sheet", "p"), (5, "patient_id", "digits lost in the sheet", None)
    ]  # fmt: skip
    assert [note for note in table.notes if "provider_id: the number format shows other digits" in note]
    assert not [note for note in table.notes if "patient_id: the number format" in note]


def test_errors_are_their_text_and_yes_and_no_are_words(tmp_path):
    path = tmp_path / "c.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, [*HEADER, "established"])
        for row, (formula, value) in enumerate([("=NA()", "#N/A"), ("=1/0", "#DIV/0!"), ("=20+2", 22)], 1):
            sheet.write_row(row, 0, [f"c{row}", "p", "v", "2026-03-02 09:30"])
            sheet.write_formula(row, 4, formula, None, value)
            sheet.write_boolean(row, 5, row == 3)
    assert read(str(path)).frame["call_minutes"].to_list() == ["#N/A", "#DIV/0!", "22"]
    table = typed(str(path))
    assert table.rows.sort("call_id")["established"].to_list() == [False, True]
    assert table.rejects["column"].to_list() == ["call_minutes"]


def test_records_are_the_rows_of_the_sheet(tmp_path):
    """Blank rows and rows above the header count, and a header that is repeated is left out."""
    rows = [[], HEADER, [], ("a", "p", "v", START, 21), [None, None], HEADER, ("b", "p", "v", START, 21)]
    extract = read(write(tmp_path / "c.xlsx", rows))
    assert extract.frame["source_record"].to_list() == [4, 7]
    assert extract.files[0].rows == 3 and extract.files[0].facts.headers == 1


def test_the_header_is_below_as_many_rows_as_the_policy_skips(tmp_path):
    path = write(tmp_path / "c.xlsx", [["Calls of March"], [], *calls((START, 21))])
    with pytest.raises(InputRefused, match=r"the header is in row 3.*\[skip_rows\] calls = 2"):
        read(path)
    policy = load("default", lambda _, words: words).model_copy(update={"skip_rows": {"calls": 2}})
    assert read(path, policy=policy).frame["source_record"].to_list() == [4]


def test_a_header_that_two_columns_have_is_refused_where_it_is_read(tmp_path):
    rows = [(*HEADER, "note", "note", "call_id_1"), ("a", "p", "v", START, 21, "x", "y", "z")]
    assert read(write(tmp_path / "c.xlsx", rows)).frame["call_id"].to_list() == ["a"]
    rows = [(*HEADER, "Call ID"), ("a", "p", "v", START, 21, "b")]
    with pytest.raises(InputRefused, match="two columns for call_id: 'call_id' and 'Call ID'"):
        read(write(tmp_path / "c.xlsx", rows))
    rows = [(*HEADER, "call_id"), ("a", "p", "v", START, 21, "b")]
    with pytest.raises(InputRefused, match="two columns for call_id: 'call_id' in A and in F"):
        read(write(tmp_path / "c.xlsx", rows))


def test_a_sheet_is_named_or_the_only_visible_one_with_rows(tmp_path):
    path = write(tmp_path / "c.xlsx", calls((START, 21)), [], name="May #1")
    assert read(path).frame.height == 1
    both = write(tmp_path / "d.xlsx", calls((START, 21)), calls((START, 21), (START, 22)), name="May #1")
    with pytest.raises(InputRefused, match=r"2 sheets have rows.*'May #1', 'May #1 2'"):
        read(both)
    extract = read(f"{both}#May #1 2")
    assert extract.frame.height == 2 and extract.files[0].path.endswith("d.xlsx#May #1 2")
    with pytest.raises(InputRefused, match="the sheet has no header row; name another, as in FILE#SHEET"):
        read(f"{path}#May #1 2")
    with pytest.raises(InputRefused, match="no sheet of this name; the sheets are 'May #1', 'May #1 2'"):
        read(f"{both}#June")
    Path(f"{both}#June.csv").write_text("call_id,patient_id,provider_id,call_start\na,p,v,2026-03-02 09:30\n")
    assert read(f"{both}#June.csv").files[0].kind == "csv"


def test_a_sheet_of_each_workbook_of_a_glob(tmp_path):
    write(tmp_path / "a.xlsx", calls((START, 21)), calls(*[(START, 21)] * 2))
    write(tmp_path / "b.xlsx", calls(*[(START, 21)] * 3), [], name="Calls 2")
    extract = read(f"{tmp_path}/*.xlsx#Calls 2")
    assert [(file.path, file.rows) for file in extract.files] == [
        (f"{tmp_path}/a.xlsx#Calls 2", 2), (f"{tmp_path}/b.xlsx#Calls 2", 3)
    ]  # fmt: skip
    with pytest.raises(
        InputRefused, match=r"b\.xlsx#Calls: no sheet of this name; the sheets are 'Calls 2', 'Calls 2 2'"
    ):
        read(f"{tmp_path}/*.xlsx#Calls")
    (tmp_path / "c.xlsx").write_text("call_id\n")
    with pytest.raises(
        InputRefused, match=r"c\.xlsx: matches a path with #Calls, but is not of the kind xlsx or ods or xls"
    ):
        read(f"{tmp_path}/*.xlsx#Calls")
    with pytest.raises(InputRefused, match="no such file"):
        read(f"{tmp_path}/*.ods#Calls")


def test_a_workbook_of_a_folder_may_be_open_in_excel(tmp_path):
    write(tmp_path / "c.xlsx", calls((START, 21)))
    (tmp_path / "~$c.xlsx").write_bytes(b"\x05owner" + b"\x00" * 159)
    for path in (tmp_path, tmp_path / "*.xlsx"):
        assert [file.path for file in read(str(path)).files] == [str(tmp_path / "c.xlsx")]


def test_hidden_sheets_are_read_only_by_name(tmp_path):
    path = tmp_path / "c.xlsx"
    with xlsxwriter.Workbook(path) as book:
        for name, id_ in (("Old", "a"), ("New", "b")):
            sheet = book.add_worksheet(name)
            sheet.write_row(0, 0, HEADER)
            sheet.write_row(1, 0, (id_, "p", "v", "2026-03-02 09:30", 21))
        book.get_worksheet_by_name("New").activate()
        book.get_worksheet_by_name("Old").hide()
    assert read(str(path)).frame["call_id"].to_list() == ["b"]
    assert read(f"{path}#Old").frame["call_id"].to_list() == ["a"]


def test_an_ods_file_gives_the_same_cells(tmp_path):
    """A midnight that the sheet shows as a time is one, although LibreOffice stores a date."""
    cells = [
        ("date", {"date-value": "2026-03-02T09:30:00"}, "2026-03-02 09:30", "float", {"value": "21"}, "21"),
        ("date", {"date-value": "2026-03-02"}, "2026-03-02 00:00", "time", {"time-value": "PT00H22M30S"}, "22:30"),
        ("date", {"date-value": "2026-03-02"}, "2026-03-02", "time", {"time-value": "PT25H30M00S"}, "25:30"),
        ("string", {}, "2026-03-02T09:30", "time", {"time-value": "PT23M30S"}, "23:30"),
    ]
    rows = [[_text(name) for name in HEADER]]
    for number, (kind, value, text, other, length, shown) in enumerate(cells):
        ids = [_text(f"c{number}"), _cell("float", {"value": "123"}, "00123"), _text("v")]
        rows.append([*ids, _cell(kind, value, text), _cell(other, length, shown)])
    path = _ods(tmp_path / "c.ods", rows)
    extract = read(path)
    assert extract.frame["call_start"].to_list() == [
        "2026-03-02 09:30:00", "2026-03-02 00:00:00", "2026-03-02", "2026-03-02T09:30"
    ]  # fmt: skip
    assert extract.frame["call_minutes"].to_list() == ["21", "00:22:30", "PT25H30M00S", "PT23M30S"]
    assert extract.frame["patient_id"].to_list() == ["123"] * 4
    assert [note for note in extract.warnings if "patient_id: the number format shows other digits" in note]
    assert minutes(typed(path)) == [21, 22.5, 23.5]


def _text(text: str) -> str:
    return _cell("string", {}, text)


def _cell(kind: str, value: dict, text: str) -> str:
    values = "".join(f' office:{name}="{text}"' for name, text in value.items())
    return f'<table:table-cell office:value-type="{kind}"{values}><text:p>{escape(text)}</text:p></table:table-cell>'


def _ods(path: Path, rows: list) -> str:
    """Write cells as LibreOffice does."""
    lines = "".join(f"<table:table-row>{''.join(cells)}</table:table-row>" for cells in rows)
    names = "".join(
        f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    table = f'<table:table table:name="Calls">{lines}</table:table>'
    content = f"<office:document-content{names}><office:body><office:spreadsheet>{table}</office:spreadsheet></office:body></office:document-content>"
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        package.writestr("META-INF/manifest.xml", "<manifest/>")
        package.writestr("content.xml", content)
    return str(path)


def test_an_xls_file_gives_the_same_cells(tmp_path):
    """Cents and lengths stay whole below whole ones, and a midnight by its format is a time or a date."""
    book = xlwt.Workbook()
    sheet = book.add_sheet("Calls")
    rows = [
        (START, "yyyy-mm-dd hh:mm", 21, "General"),
        (datetime(2026, 3, 2), "yyyy-mm-dd hh:mm", time(0, 22, 30), "mm:ss"),
        (datetime(2026, 3, 2), "yyyy-mm-dd", 25.5 / 24, "[h]:mm"),
        ("3/2/2026 9:30", "General", 23.5, "0"),
    ]
    for column, name in enumerate(HEADER):
        sheet.write(0, column, name)
    for number, (start, form, length, shown) in enumerate(rows, 1):
        sheet.write(number, 0, f"c{number}")
        sheet.write(number, 1, 123, xlwt.easyxf(num_format_str="00000"))
        sheet.write(number, 2, "v")
        sheet.write(number, 3, start, xlwt.easyxf(num_format_str=form))
        sheet.write(number, 4, length, xlwt.easyxf(num_format_str=shown))
    book.save(tmp_path / "c.xls")
    extract = read(str(tmp_path / "c.xls"))
    assert extract.frame["call_start"].to_list() == [
        "2026-03-02 09:30:00", "2026-03-02 00:00:00", "2026-03-02", "3/2/2026 9:30"
    ]  # fmt: skip
    assert extract.frame["call_minutes"].to_list() == ["21", "00:22:30", "25:30:00", "23.5"]
    assert extract.frame["patient_id"].to_list() == ["123"] * 4
    assert [note for note in extract.warnings if "patient_id: the number format shows other digits" in note]


@pytest.mark.slow
def test_findings_are_those_of_csv(tmp_path):
    """Ids are text, dates are date cells, lengths and amounts are numbers."""
    policy = policies.load(str(SAMPLE / "policy.toml"), select)
    results = []
    for suffix in ("csv", "xlsx", "ods"):
        paths = {name: tmp_path / f"{name}.{suffix}" for name in ("calls", "visits", "providers")}
        for name, path in paths.items():
            as_workbook(SAMPLE / f"{name}.csv", path, name)
        settings = Settings(paths={n: (str(path),) for n, path in paths.items()}, policy=policy, max_rejects="5%")
        with Local() as engine:
            results.append(pipeline.audit(pipeline.read(settings, engine), settings, engine))
    places = "source_file", "source_record"
    for result in results[1:]:
        assert_frame_equal(result.findings.drop(places), results[0].findings.drop(places))
        assert_frame_equal(result.claims.drop(places), results[0].claims.drop(places))
    assert results[0].findings.height == 65


def as_workbook(source: Path, target: Path, table: str) -> None:
    """Write a CSV file as a workbook whose cells have the kinds that people give them."""
    with source.open(newline="") as stream:
        rows = list(csv.reader(stream))
    kinds = [TABLES[table].columns[name].kind for name in rows[0]]
    cells = [rows[0], *([_of_kind(kind, text) for kind, text in zip(kinds, row, strict=True)] for row in rows[1:])]
    if target.suffix == ".csv":
        target.write_bytes(source.read_bytes())
    elif target.suffix == ".xlsx":
        write(target, cells)
    else:
        _ods(target, [[_ods_cell(cell) for cell in row] for row in cells])


def _of_kind(kind: Kind, text: str) -> object:
    if kind in (Kind.MINUTES, Kind.MONEY, Kind.NUMBER):
        return float(text) if text else None
    if kind in (Kind.INSTANT, Kind.DATE) and text:
        at = datetime.fromisoformat(text)
        return text if at.tzinfo else at if "T" in text else at.date()
    return text or None


def _ods_cell(cell: object) -> str:
    if isinstance(cell, date):
        return _cell("date", {"date-value": cell.isoformat()}, str(cell))
    if isinstance(cell, float):
        return _cell("float", {"value": str(cell)}, str(cell))
    return _text(cell) if cell else "<table:table-cell/>"
