#!/usr/bin/env bash
# fastexcel reads each time of an OpenDocument sheet as null when asked for text.
#
# Expected: dtypes="string" is the safe way to read a sheet: each cell that is not
# blank gives some text, as a date cell does.
# Instead: cells that hold a time or a length come back as null, all of them, as if
# they were blank. pl.read_excel does the same. Without a type they are durations.
# Only to_arrow_with_errors lists the lost cells.
# Hurts: a data engineer who reads a phone log saved by LibreOffice as text to keep
# ids exact. Start times and call lengths vanish, and calls look unrecorded.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    fastexcel==0.21.0 polars==2.1.0 pyarrow==26.0.1 odfpy==1.4.1

venv/bin/python -W error - <<'PYTHON'
from importlib.metadata import version

import fastexcel
import polars as pl
from odf.opendocument import OpenDocumentSpreadsheet
from odf.table import Table, TableCell, TableRow
from odf.text import P


def cell(shown: str, **value) -> TableCell:
    made = TableCell(**(value or {"valuetype": "string"}))
    made.addElement(P(text=shown))
    return made


def add_row(table: Table, *cells: TableCell) -> None:
    row = TableRow()
    for each in cells:
        row.addElement(each)
    table.addElement(row)


calls = Table(name="calls")
add_row(calls, cell("call_id"), cell("day"), cell("start"), cell("length"))
for call_id, start, length in [("K1", "09:40", "12:31"), ("K2", "13:05", "07:02")]:
    add_row(
        calls,
        cell(call_id),
        cell("2026-03-02", valuetype="date", datevalue="2026-03-02"),
        cell(start, valuetype="time", timevalue=f"PT{start[:2]}H{start[3:]}M00S"),
        cell(length, valuetype="time", timevalue=f"PT00H{length[:2]}M{length[3:]}S"),
    )
document = OpenDocumentSpreadsheet()
document.spreadsheet.addElement(calls)
document.save("calls.ods")

reader = fastexcel.read_excel("calls.ods")
untyped = reader.load_sheet(0).to_polars()
sheet = reader.load_sheet(0, dtypes="string")
text = sheet.to_polars()
by_polars = pl.read_excel("calls.ods", schema_overrides=dict.fromkeys(untyped.columns, pl.String))
lost = len(sheet.to_arrow_with_errors()[1].errors)
print("fastexcel", version("fastexcel"), "polars", version("polars"))
print("without a type:", untyped, 'with dtypes="string":', text, sep="\n")
print("pl.read_excel as String equals this:", by_polars.equals(text), "- cells reported:", lost)
nulls = {name: text[name].null_count() for name in text.columns}
found = untyped["start"].null_count() == untyped["length"].null_count() == 0
if nulls != {"call_id": 0, "day": 0, "start": 2, "length": 2} or not found:
    raise SystemExit(f"CHANGED: as text the columns have these nulls: {nulls}")
if not by_polars.equals(text) or lost != 4:
    raise SystemExit("CHANGED: polars or the list of errors differs from the description")
print("As described: asked for text, all four times are null.")
PYTHON
