#!/usr/bin/env bash
# python-calamine reads an error cell of a workbook as an empty text, as it reads a blank cell.
#
# Expected: a cell with #DIV/0! or #N/A gives an error object or its text, as openpyxl's
# data_only mode and pandas do, so that a reader can refuse or report the row.
# Instead: it gives '', without an exception or a list of errors. A cell that holds an
# error and a cell that holds nothing cannot be told apart.
# Hurts: an analyst whose paid amounts are formulas. A broken lookup counts as "no
# payment" in every sum, and nobody sees that the workbook is broken.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    python-calamine==0.9.1 openpyxl==3.1.5 xlsxwriter==3.3.1

venv/bin/python -W error - <<'PYTHON'
from importlib.metadata import version

import openpyxl
import python_calamine
import xlsxwriter

with xlsxwriter.Workbook("claims.xlsx") as book:
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ["claim_id", "paid_amount"])
    for row, (formula, value) in enumerate([("=20+11.25", 31.25), ("=1/0", "#DIV/0!"), ("=NA()", "#N/A")], 1):
        sheet.write(row, 0, f"C{row}")
        sheet.write_formula(row, 1, formula, None, value)
    sheet.write(4, 0, "C4")

rows = python_calamine.CalamineWorkbook.from_path("claims.xlsx").get_sheet_by_index(0).to_python()
paid = [row[1] for row in rows[1:]]
active = openpyxl.load_workbook("claims.xlsx", data_only=True).active
shown = [cells[1].value for cells in active.iter_rows(min_row=2)]
print("python-calamine", version("python-calamine"), "openpyxl", version("openpyxl"))
print("python-calamine:", paid)
print("openpyxl:       ", shown)
if paid != [31.25, "", "", ""]:
    raise SystemExit("CHANGED: errors differ from a blank cell")
if shown != [31.25, "#DIV/0!", "#N/A", None]:
    raise SystemExit("CHANGED: openpyxl does not give the text of errors")
print("As described: both errors are empty texts, as the blank cell is.")
PYTHON
