#!/usr/bin/env bash
# fastexcel cuts cents off in an .xls sheet after 1,000 rows of whole dollars.
#
# Expected: an .xls sheet gives the same amounts as the same sheet saved as .xlsx;
# where the first rows mislead, the odd cell is reported.
# Instead: in .xls the column is Int64 and 31.25 in row 1,001 becomes 31. In .xlsx
# it is Float64 and exact. No warning, and to_arrow_with_errors reports no cell.
# pl.read_excel does so after 100 rows already.
# Hurts: a compliance officer whose billing system exports .xls: paid amounts and
# minutes of the later rows are cut to whole numbers, and totals are too low.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    fastexcel==0.21.0 polars==2.1.0 pyarrow==26.0.1 xlwt==1.3.0 xlsxwriter==3.3.1

venv/bin/python -W error - <<'PYTHON'
from importlib.metadata import version

import fastexcel
import polars as pl
import xlsxwriter
import xlwt

ODD = [31.25, 99.99]


def write_both(whole: int) -> None:
    cells = ["paid"] + [31.0] * whole + ODD
    old = xlwt.Workbook()
    sheet = old.add_sheet("claims")
    for row, value in enumerate(cells):
        sheet.write(row, 0, value)
    old.save("claims.xls")
    with xlsxwriter.Workbook("claims.xlsx") as new:
        new.add_worksheet("claims").write_column(0, 0, cells)


def by_fastexcel(name: str) -> tuple[list, bool]:
    sheet = fastexcel.read_excel(name).load_sheet(0)
    errors = sheet.to_arrow_with_errors()[1]
    return sheet.to_polars()["paid"][-2:].to_list(), errors is not None


print("fastexcel", version("fastexcel"), "polars", version("polars"))
seen = {}
for whole in (99, 100, 999, 1000):
    write_both(whole)
    for name in ("claims.xls", "claims.xlsx"):
        last, reported = by_fastexcel(name)
        polars_last = pl.read_excel(name)["paid"][-2:].to_list()
        seen[whole, name] = last == ODD, polars_last == ODD, reported
        print(f"{whole} whole amounts, {name}: fastexcel {last}, cells reported: {reported},"
              f" pl.read_excel {polars_last}")
exact = True, True, False
expected = {
    (99, "claims.xls"): exact, (99, "claims.xlsx"): exact,
    (100, "claims.xls"): (True, False, False), (100, "claims.xlsx"): exact,
    (999, "claims.xls"): (True, False, False), (999, "claims.xlsx"): exact,
    (1000, "claims.xls"): (False, False, False), (1000, "claims.xlsx"): exact,
}
if seen != expected:
    raise SystemExit("CHANGED: the amounts are no longer cut as described")
print("As described: .xls loses the cents in silence, .xlsx keeps them.")
PYTHON
