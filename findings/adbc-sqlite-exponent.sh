#!/usr/bin/env bash
# One blank among amounts makes the ADBC driver for SQLite round them all.
#
# Expected: a column of amounts in which one row holds an empty text comes back as
# text with the digits of SQLite ('1234567.89'), or as an error.
# Instead: each amount becomes text with seven digits, 1.234568e+06, so cents are
# lost from 100,000 dollars up. Without the blank, the same column is Float64 and
# exact. No warning.
# Hurts: a data engineer who reads paid amounts with pl.read_database_uri: one
# claim without an amount, exported as '', changes the amounts of all others.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    polars==2.1.0 adbc-driver-sqlite==1.13.0 pyarrow==26.0.1

venv/bin/python -W error - <<'PYTHON'
import sqlite3
from importlib.metadata import version

import polars as pl

with sqlite3.connect("claims.db") as connection:
    connection.execute("create table claims (claim_id text, paid numeric)")
    rows = [("C1", 1234567.89), ("C2", 100000.25), ("C3", 31.25), ("C4", "")]
    connection.executemany("insert into claims values (?, ?)", rows)
    by_sqlite = [row[0] for row in connection.execute("select cast(paid as text) from claims")]
connection.close()


def read(query: str) -> pl.Series:
    return pl.read_database_uri(query, "sqlite:claims.db", engine="adbc")["paid"]


with_blank = read("select paid from claims")
without = read("select paid from claims where paid <> ''")
cast = read("select cast(paid as text) as paid from claims")
print("polars", version("polars"), "adbc-driver-sqlite", version("adbc-driver-sqlite"))
print("SQLite's own text:", by_sqlite)
print("with the blank row:", with_blank.dtype, with_blank.to_list())
print("without it:", without.dtype, without.to_list())
print("cast to text in the query:", cast.to_list())
rounded = ["1.234568e+06", "1.000002e+05", "3.125000e+01", ""]
if with_blank.to_list() != rounded:
    raise SystemExit("CHANGED: the amounts beside a blank are no longer rounded to seven digits")
if without.to_list() != [1234567.89, 100000.25, 31.25] or cast.to_list() != by_sqlite:
    raise SystemExit("CHANGED: the amounts without the blank, or cast to text, differ")
print("As described: one blank rounds 1234567.89 to 1234568. A cast in the query avoids it.")
PYTHON
