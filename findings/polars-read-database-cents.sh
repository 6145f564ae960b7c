#!/usr/bin/env bash
# polars read_database cuts cents off after 100 rows of whole dollars.
#
# Expected: all rows are in memory when the types are chosen, so 31.75 in row 101
# makes the column Float64, or the read fails.
# Instead: the first 100 rows decide. After 100 whole amounts the column is Int64
# and 31.75 becomes 31, without an error or a warning. With 99 it is exact. SQLite
# returns 31.00 from a DECIMAL column as the integer 31, so this needs no odd data.
# Hurts: a compliance officer whose paid amounts come from a database sorted by
# amount or by payer: the total of the overpayments is too low by the lost cents.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    polars==2.1.0

venv/bin/python -W error - <<'PYTHON'
import sqlite3
from importlib.metadata import version

import polars as pl


def read_after(whole: int, **options) -> pl.Series:
    connection = sqlite3.connect(":memory:")
    connection.execute("create table claims (paid decimal(10, 2))")
    amounts = [31.00] * whole + [31.75, 99.99]
    connection.executemany("insert into claims values (?)", [(paid,) for paid in amounts])
    kinds = connection.execute("select distinct typeof(paid) from claims").fetchall()
    exact = connection.execute("select sum(paid) from claims").fetchone()[0]
    paid = pl.read_database("select paid from claims", connection, **options)["paid"]
    print(f"{whole} whole amounts, {options}: {paid.dtype}, last {paid[-2:].to_list()},"
          f" sum {paid.sum():.2f}, by SQLite {exact:.2f} from {kinds}")
    return paid


print("polars", version("polars"), "SQLite", sqlite3.sqlite_version)
seen = [
    read_after(99)[-2:].to_list(),
    read_after(100)[-2:].to_list(),
    read_after(100, infer_schema_length=None)[-2:].to_list(),
]
if seen != [[31.75, 99.99], [31, 99], [31.75, 99.99]]:
    raise SystemExit(f"CHANGED: the last two amounts are now {seen}")
print("As described: after 100 whole amounts, 31.75 is 31 and 99.99 is 99.")
print("With infer_schema_length=None the amounts are exact.")
PYTHON
