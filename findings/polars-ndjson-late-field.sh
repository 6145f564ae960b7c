#!/usr/bin/env bash
# polars read_ndjson drops a key that first appears after the first 100 lines.
#
# Expected: a record that has a key nobody had before gives a column with nulls
# above, or an error that names the line, as a CSV reader does with a long row.
# Instead: the schema comes from the first 100 lines. A later key is dropped without
# a word, and so is a later key inside an object: of {"start": ..., "end": ...}
# every end is lost if the first 100 records had none.
# Hurts: a data engineer who reads a FHIR bulk export. Open encounters come first,
# the ends of the closed ones are gone, and lengths of stay are null.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    polars==2.1.0

venv/bin/python -W error - <<'PYTHON'
import io
import json
from importlib.metadata import version

import polars as pl

START = "2026-03-02T09:00:00Z"
open_ones = [{"id": str(n), "period": {"start": START}} for n in range(150)]
closed = [{"id": "x", "status": "finished", "period": {"start": START, "end": "2026-03-02T09:20:00Z"}}] * 50
ndjson = "".join(json.dumps(record) + "\n" for record in open_ones + closed)
found = pl.read_ndjson(io.StringIO(ndjson))
whole = pl.read_ndjson(io.StringIO(ndjson), infer_schema_length=None)
print("polars", version("polars"))
print("150 records without an end, then 50 with status and period.end:", found.shape, found.schema)
print("infer_schema_length=None:", whole.shape, whole.schema)
fields = [field.name for field in found.schema["period"].fields]
if found.columns != ["id", "period"] or fields != ["start"] or "status" not in whole.columns:
    raise SystemExit(f"CHANGED: columns {found.columns}, fields of period {fields}")
print("As described: status and every end are gone, without a warning.")
PYTHON
