#!/usr/bin/env bash
# polars read_excel counts the day numbers of a workbook from 1970.
#
# Expected: schema_overrides={"dos": pl.Date} reads a date cell whose number format
# was lost (46083) as the day that Excel shows for it, 2026-03-02.
# Instead: the number is taken as days since 1970: 2096-03-03. As pl.Datetime it is
# 0.046 seconds after 1970 began. The same override on a formatted column is right,
# and fastexcel, which reads the file for polars, is right when asked itself.
# Hurts: a data engineer whose claims workbook was pasted as values. Each service
# date is 70 years late, falls into no period, and joins no call.
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
import polars as pl
import xlsxwriter

with xlsxwriter.Workbook("claims.xlsx") as workbook:
    sheet = workbook.add_worksheet("claims")
    as_date = workbook.add_format({"num_format": "yyyy-mm-dd"})
    sheet.write_row(0, 0, ["claim_id", "formatted", "dos"])
    sheet.write_string(1, 0, "C1")
    sheet.write_datetime(1, 1, datetime(2026, 3, 2), as_date)
    sheet.write_number(1, 2, 46083)


def by_polars(dtype) -> dict:
    overrides = {"formatted": dtype, "dos": dtype}
    return pl.read_excel("claims.xlsx", schema_overrides=overrides).row(0, named=True)


days, times = by_polars(pl.Date), by_polars(pl.Datetime)
direct = fastexcel.read_excel("claims.xlsx").load_sheet(0, dtypes={"dos": "date"})
direct = direct.to_polars()["dos"].item()
print("polars", version("polars"), "fastexcel", version("fastexcel"))
print("both date cells hold 46083, 2026-03-02 in Excel; only the first has a date format")
print("read_excel, pl.Date:", days["formatted"], days["dos"])
print("read_excel, pl.Datetime:", times["formatted"], times["dos"])
print('fastexcel, dtypes="date":', direct)
seen = days["formatted"], days["dos"], times["dos"], direct
right = date(2026, 3, 2)
if seen != (right, date(2096, 3, 3), datetime(1970, 1, 1, 0, 0, 0, 46083), right):
    raise SystemExit("CHANGED: one of the readers no longer reads the cells as described")
print("As described: polars is 70 years late where the cell has no date format.")
PYTHON
