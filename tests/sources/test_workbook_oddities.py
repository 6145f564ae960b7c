"""What cannot be read whole is refused, and what a person must know of a sheet is warned about."""

import zipfile
from pathlib import Path

import pytest
import xlsxwriter
import xlwt
from xlwt.CompoundDoc import XlsDoc

from auditor.errors import InputRefused
from auditor.sources.workbooks import book as books
from auditor.sources.workbooks import facts, xlsx
from tests.sources.test_workbooks import HEADER, START, calls, read, write

CLAIM = ("claim_id", "patient_id", "provider_id", "service_date", "cpt_code", "billed_amount", "paid_amount")


def warnings(path: Path, table: str = "calls") -> str:
    return "\n".join(read(str(path), table).warnings)


def test_a_plain_sheet_gives_no_warning(tmp_path):
    assert not read(write(tmp_path / "c.xlsx", calls((START, 21), (START, 22.5)))).warnings


def test_formulas_that_all_give_0_were_not_calculated(tmp_path):
    path = tmp_path / "c.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, CLAIM)
        for row in (1, 2):
            sheet.write_row(row, 0, ("c", "p", "v", "2026-03-02", "98968"))
            sheet.write_formula(row, 5, "=20+11.25")
            sheet.write_formula(row, 6, "=20-20", None, 31.25 if row == 2 else 0)
    assert "billed_amount: every formula gives exactly 0 (cells: 2)" in warnings(path, "claims")
    assert "paid_amount" not in warnings(path, "claims")


def test_a_formula_without_a_value_is_refused_where_it_is_read(tmp_path):
    path = tmp_path / "c.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, [*CLAIM, "note"])
        sheet.write_row(1, 0, ("c", "p", "v", "2026-03-02", "98968", 31.25))
        sheet.write_formula("G2", "=20+11.25", None, 31.25)
        sheet.write_formula("H2", "=1+1", None, 2)
    _edit(path, "xl/worksheets/sheet1.xml", b"</f><v>2</v>", b"</f><v></v>")  # as openpyxl writes it
    assert read(str(path), "claims").frame["paid_amount"].to_list() == ["31.25"]
    _edit(path, "xl/worksheets/sheet1.xml", b"</f><v>31.25</v>", b"</f><v />")
    with pytest.raises(InputRefused, match=r"the formula in G2 \(paid_amount\) has no value"):
        read(str(path), "claims")


def test_hidden_rows_merged_ids_and_a_second_table(tmp_path):
    path = tmp_path / "c.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for row, cells in enumerate(calls((START, 21), (START, 21), (START, 21))):
            sheet.write_row(row, 0, map(str, cells))
        sheet.merge_range("B3:B4", "p")
        sheet.set_row(2, None, None, {"hidden": True})
        sheet.write_row(5, 0, ("Provider", "Total"))
        sheet.write_row(6, 0, ("v", 3))
    found = warnings(path)
    assert "rows hidden: 1; the audit reads them" in found
    assert "patient_id: cells are merged (ranges: 1, first B3:B4)" in found
    assert "another table may begin in row 6" in found
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.add_table(
            "A1:E2", {"columns": [{"header": name} for name in HEADER], "data": [["a", "p", "v", "x", "y"]]}
        )
    assert not warnings(path)
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for row, cells in enumerate(calls((START, 21), (START, 22))):
            sheet.write_row(row, 0, map(str, cells))
        sheet.autofilter("A1:E3")
        sheet.filter_column("E", "x == 22")
        sheet.set_row(1, None, None, {"hidden": True})
    assert "rows hidden by a filter: 1;" in warnings(path)


def test_a_sheet_that_is_full_to_its_last_row(tmp_path, monkeypatch):
    path = write(tmp_path / "c.xlsx", calls((START, 21), (START, 21)))
    monkeypatch.setattr(xlsx, "_CAPACITY", 3)
    assert "the sheet is full to its last row, 3" in warnings(path)


def test_a_cell_that_the_library_loses_refuses_the_sheet(tmp_path, monkeypatch):
    path = write(tmp_path / "c.xlsx", calls((START, 21), (START, 22), (START, 23)))
    rows = books.Sheet.rows

    def losing(sheet):
        return (["" if cell == 22 else cell for cell in row] for row in rows(sheet))

    monkeypatch.setattr(books.Sheet, "rows", losing)
    with pytest.raises(InputRefused, match=r"4 cells of column 'call_minutes' are not blank, but 3 were read; not E3"):
        read(path)


def test_empty_texts_are_blank(tmp_path):
    path = tmp_path / "c.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADER)
        sheet.write_row(1, 0, ("a", "p", "v", "2026-03-02 09:30", "EMPTY"))
        sheet.write_row(2, 0, ("b", "p", "v", "2026-03-02 09:30"))
        sheet.write(2, 4, 21)
    _edit(path, "xl/worksheets/sheet1.xml", b"<v>21</v>", b"<is><t> </t></is>")
    _edit(path, "xl/worksheets/sheet1.xml", b'r="E3"', b'r="E3" t="inlineStr"')
    for empty in (b"<t></t>", b"<t> </t>", b'<t xml:space="preserve">&#10; </t>'):
        _edit(path, "xl/sharedStrings.xml", b"<t>EMPTY</t>", empty)
        assert [(text or "").strip() for text in read(str(path)).frame["call_minutes"]] == ["", ""]
        _edit(path, "xl/sharedStrings.xml", empty, b"<t>EMPTY</t>")


def test_a_cell_far_from_the_table_is_refused_before_it_takes_all_memory(tmp_path):
    path = tmp_path / "c.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, HEADER)
        sheet.write(1_048_575, 16_383, "x")
    with pytest.raises(InputRefused, match="cells far from its table, down to row 1,048,576 and in 16,384 columns"):
        read(str(path))


def test_protected_workbooks_are_refused_by_name(tmp_path):
    ooxml = tmp_path / "c.xlsx"
    stream = XlsDoc()
    stream.save(str(ooxml), b"\0" * 4096)
    ooxml.write_bytes(
        ooxml.read_bytes().replace("Workbook".encode("utf-16-le"), "EncryptedPackage".encode("utf-16-le"))
    )
    xls = tmp_path / "c.xls"
    book = xlwt.Workbook()
    book.add_sheet("Calls").write(0, 0, "x")
    data = book.get_biff_data()
    first = 4 + int.from_bytes(data[2:4], "little")
    stream = XlsDoc()
    stream.save(str(xls), data[:first] + b"\x2f\0\x06\0\0\0\1\2\3\4" + data[first:])
    ods = tmp_path / "c.ods"
    with zipfile.ZipFile(ods, "w") as package:
        package.writestr("content.xml", b"\x12\x34")
        package.writestr("META-INF/manifest.xml", "<manifest><encryption-data/></manifest>")
    for path in (ooxml, xls, ods):
        with pytest.raises(InputRefused, match="protected by a password; save it without one"):
            read(str(path))


def test_damaged_workbooks_and_other_archives_are_refused(tmp_path):
    whole = Path(write(tmp_path / "c.xlsx", calls((START, 21)))).read_bytes()
    book = xlwt.Workbook()
    book.add_sheet("Calls").write(0, 0, "x")
    book.save(tmp_path / "d.xls")
    old = (tmp_path / "d.xls").read_bytes()
    for name, data in (("c.xlsx", whole[:2000]), ("d.xls", old[:2000]), ("e.xlsx", b"")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputRefused, match="damaged or cut short"):
            read(str(tmp_path / name))
    with zipfile.ZipFile(tmp_path / "f.zip", "w") as package:
        package.writestr("calls.csv", "x")
    with pytest.raises(InputRefused, match="a ZIP archive without a workbook"):
        read(str(tmp_path / "f.zip"))


def test_a_workbook_is_one_whatever_its_name_and_text_is_none(tmp_path):
    """Some systems call a page or a CSV file .xls."""
    path = Path(write(tmp_path / "c.xlsx", calls((START, 21))))
    path.rename(tmp_path / "c.csv")
    assert read(str(tmp_path / "c.csv")).files[0].kind == "xlsx"
    (tmp_path / "d.xls").write_text("call_id\tpatient_id\tprovider_id\tcall_start\na\tp\tv\t2026-03-02 09:30\n")
    assert read(str(tmp_path / "d.xls")).files[0].kind == "csv"
    (tmp_path / "e.xls").write_text("<html>")
    with pytest.raises(InputRefused, match="HTML"):
        read(str(tmp_path / "e.xls"))


def _edit(path: Path, part: str, old: bytes, new: bytes) -> None:
    """Change the text of a part of a workbook's file."""
    with zipfile.ZipFile(path) as package:
        parts = {name: package.read(name) for name in package.namelist()}
    assert old in parts[part]
    parts[part] = parts[part].replace(old, new)
    with zipfile.ZipFile(path, "w") as package:
        for name, data in parts.items():
            package.writestr(name, data)


def test_addresses():
    assert [facts.address(0, column) for column in (0, 25, 26, 701, 702)] == ["A1", "Z1", "AA1", "ZZ1", "AAA1"]
    assert [facts.number_of(text) for text in ("A", "Z", "AA", "ZZ", "AAA")] == [0, 25, 26, 701, 702]
