#!/usr/bin/env bash
# polars read_csv finds no record in a file that Excel saved as "CSV (Macintosh)".
#
# Expected: a carriage return ends a line, as in Python's csv module, which reads the
# same text, or an error that says that the file has a single line.
# Instead: the whole file is the header line. The frame has no rows, and a column for
# each cell of the export; with the columns that one needs selected by place, even
# their number is right. Nothing is raised, and nothing is printed.
# Hurts: an auditor whose clinic saves its call log on a Mac. The night's run reads
# 0 calls, finds nothing to question, and ends well.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    polars==2.1.0

venv/bin/python -W error - <<'PYTHON'
import csv
import io
from importlib.metadata import version

import polars as pl

log = "".join(f"{line}\r" for line in ["call_id,patient_id,minutes", *(f"C{n},P{n},{n + 4}" for n in range(1, 7))])
by_polars = pl.read_csv(log.encode())
chosen = pl.read_csv(log.encode(), columns=[0, 1])
by_python = list(csv.DictReader(io.StringIO(log, newline="")))
print("polars", version("polars"))
print("6 calls, each line ended by CR:", repr(log[:44]), "...")
print("polars read_csv (rows, columns):", by_polars.shape, "- two columns of it:", chosen.shape)
print("csv.DictReader:", len(by_python), "records")
if by_polars.height or chosen.shape != (0, 2) or len(by_python) != 6:
    raise SystemExit(f"CHANGED: polars {by_polars.shape}, csv {len(by_python)}")
print("As described: no call is left, without an error.")
PYTHON
