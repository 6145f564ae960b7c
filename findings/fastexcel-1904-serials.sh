#!/usr/bin/env bash
# fastexcel reads the day numbers of a 1904 workbook four years early.
#
# Expected: dtypes={"dos": "date"} reads a date cell whose number format was lost
# (44621, in a workbook that counts days from 1904) as the day that Excel shows for
# it, 2026-03-02, as it does in a workbook that counts from 1900.
# Instead: the number is counted from 1900 in both: 2022-03-01. A cell of the same
# day in the same row whose format is there is right, so the epoch is known.
# Hurts: whoever receives claims from an old Excel for Mac, pasted as values. Each
# service date is a plausible day, four years and a day before the call.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    polars==2.1.0 fastexcel==0.21.0 xlsxwriter==3.3.1

venv/bin/python -W error - <<'PYTHON'
from datetime import date, datetime
from importlib.metadata import version

import fastexcel
import xlsxwriter

DAY = datetime(2026, 3, 2)


def read(since_1904: bool) -> tuple:
    first = datetime(1904, 1, 1) if since_1904 else datetime(1899, 12, 30)
    with xlsxwriter.Workbook("claims.xlsx", {"date_1904": since_1904}) as workbook:
        sheet = workbook.add_worksheet("claims")
        as_date = workbook.add_format({"num_format": "yyyy-mm-dd"})
        sheet.write_row(0, 0, ["formatted", "dos"])
        sheet.write_datetime(1, 0, DAY, as_date)
        sheet.write_number(1, 1, (DAY - first).days)
    dtypes = {"formatted": "date", "dos": "date"}
    return fastexcel.read_excel("claims.xlsx").load_sheet(0, dtypes=dtypes).to_polars().row(0)


print("fastexcel", version("fastexcel"))
seen = read(False), read(True)
for epoch, row in zip((1900, 1904), seen):
    print(f"both cells are 2026-03-02, days since {epoch}; with a date format {row[0]}, without {row[1]}")
if seen != ((DAY.date(), DAY.date()), (DAY.date(), date(2022, 3, 1))):
    raise SystemExit("CHANGED: the numbers are no longer read as described")
print("As described: four years and a day early where the workbook counts from 1904.")
PYTHON
