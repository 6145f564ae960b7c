#!/usr/bin/env bash
# DuckDB reads 03/02/2026 as 3 February, depending on the other rows.
#
# Expected: slashes with the year last are month first, as in the United States,
# or stay text while the file does not say which number is the month.
# Instead: day first is chosen as long as no row rules it out. One row with a 13 in
# second place turns all the dates around. The same holds for times with seconds;
# times without seconds stay text. No warning in any case.
# Hurts: a compliance officer with one file a day: files of the first 12 days of a
# month get other service dates (2 March is 3 February) than those of later days.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    duckdb==2.0.1

venv/bin/python -W error - <<'PYTHON'
from importlib.metadata import version

import duckdb


def read(*values: str) -> tuple[str, list[str]]:
    with open("claims.csv", "w") as file:
        file.write("claim_id,dos\n")
        file.writelines(f"C{number},{value}\n" for number, value in enumerate(values))
    rows = duckdb.sql("select typeof(dos), dos::varchar from 'claims.csv' order by claim_id").fetchall()
    seen = rows[0][0], [row[1] for row in rows]
    print(f"in the file {list(values)}: {seen[0]} {seen[1]}")
    return seen


print("duckdb", version("duckdb"))
seen = [
    read("03/02/2026", "03/05/2026"),
    read("03/02/2026", "03/05/2026", "03/13/2026"),
    read("03/02/2026 10:15:00", "03/05/2026 11:00:00"),
    read("03/02/2026 10:15", "03/05/2026 11:00"),
]
expected = [
    ("DATE", ["2026-02-03", "2026-05-03"]),
    ("DATE", ["2026-03-02", "2026-03-05", "2026-03-13"]),
    ("TIMESTAMP", ["2026-02-03 10:15:00", "2026-05-03 11:00:00"]),
    ("VARCHAR", ["03/02/2026 10:15", "03/05/2026 11:00"]),
]
if seen != expected:
    raise SystemExit("CHANGED: the dates are no longer read as described")
print("As described: the same text is 3 February or 2 March; a third row decides.")
PYTHON
