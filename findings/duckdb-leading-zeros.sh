#!/usr/bin/env bash
# DuckDB read_csv drops leading zeros after its sample.
#
# Expected: DuckDB knows that a leading zero makes an identifier: 00123 among the first
# 20,480 rows makes the column text. A later 00123 should be kept or be an error, as
# text in a column of numbers is.
# Instead: it is read as the number 123, without an error, a warning or an entry in
# reject_errors. 00123 and 000123 are then one patient. Sorting the file otherwise
# changes the answer.
# Hurts: record numbers, payer ids and ZIP codes. Joins miss their partner, and two
# patients become one.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check duckdb==2.0.1

venv/bin/python -W error - <<'PYTHON'
from pathlib import Path

import duckdb

own = ["00123,ANN", "000123,BOB"]
others = [f"{number},X" for number in range(1000, 31000)]
print("duckdb", duckdb.__version__)
seen = {}
for name, rows in (("first", own + others), ("last", others + own)):
    Path(f"{name}.csv").write_text("\n".join(["patient_id,name", *rows]) + "\n")
    read = f"read_csv('{name}.csv', store_rejects = true)"
    (kind,) = duckdb.sql(f"select distinct typeof(patient_id) from {read}").fetchall()[0]
    ids = [row[0] for row in duckdb.sql(f"select patient_id from {read} where name <> 'X' order by name").fetchall()]
    rejected = duckdb.sql("select count(*) from reject_errors").fetchall()[0][0]
    seen[name] = kind, ids, rejected
    print(f"00123 and 000123 {name} of {len(rows):,} rows: {kind} {ids}, rejected: {rejected}")
if seen != {"first": ("VARCHAR", ["00123", "000123"], 0), "last": ("BIGINT", [123, 123], 0)}:
    raise SystemExit(f"CHANGED: {seen}")
print("As described: two ids became one number, without a word.")
PYTHON
