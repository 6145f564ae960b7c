#!/usr/bin/env bash
# fastexcel gives a repeated header the name of another column.
#
# Expected: in a sheet with the headers paid, paid and paid_1, the column that is
# asked for as paid_1 is the one whose header is paid_1. Only a header that no
# column has is free for the second paid.
# Instead: paid_1 is the second paid, and the real paid_1 is called paid_1_1.
# polars read_excel does the same. There is no warning, and available_columns says
# of each name that it was looked up in the sheet.
# Hurts: a data engineer whose export has paid_1 for the second payer, from the day
# that somebody adds another column called paid. The query still runs.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    polars==2.1.0 fastexcel==0.21.0 xlsxwriter==3.3.1

venv/bin/python -W error - <<'PYTHON'
from importlib.metadata import version

import fastexcel
import polars as pl
import xlsxwriter

WANTED = ["claim_id", "paid_1"]


def read(headers: list, cells: list) -> tuple:
    with xlsxwriter.Workbook("claims.xlsx") as workbook:
        sheet = workbook.add_worksheet("claims")
        sheet.write_row(0, 0, headers)
        sheet.write_row(1, 0, cells)
    found = fastexcel.read_excel("claims.xlsx").load_sheet(0, use_columns=WANTED)
    origins = {column.column_name_from for column in found.available_columns()}
    by_polars = pl.read_excel("claims.xlsx", columns=WANTED)
    return found.to_polars()["paid_1"].item(), by_polars["paid_1"].item(), origins


print("fastexcel", version("fastexcel"), "polars", version("polars"))
seen = (
    read(["claim_id", "paid", "paid_1"], ["C1", 10, 30]),
    read(["claim_id", "paid", "paid", "paid_1"], ["C1", 10, 20, 30]),
)
for kind, (direct, by_polars, origins) in zip(("once", "twice"), seen):
    print(f"paid_1 holds 30, paid stands there {kind}: fastexcel {direct}, read_excel {by_polars}, names {origins}")
if seen != ((30, 30, {"looked_up"}), (20, 20, {"looked_up"})):
    raise SystemExit("CHANGED: the columns are no longer named as described")
print("As described: paid_1 is the second column called paid.")
PYTHON
