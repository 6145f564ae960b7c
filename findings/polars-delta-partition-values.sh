#!/usr/bin/env bash
# polars scan_delta takes partition values from paths, not from the log.
#
# Expected: the log of a Delta table has each file's partition values. The protocol
# lets a file have any path, and Spark writes random prefixes for partitioned tables
# with delta.randomizeFilePrefixes.
# Instead: the values come from folders such as status=cancelled/. Where a path has
# none, the column is null in every row, without an error or a warning. deltalake's
# own scan gives the values.
# Hurts: who filters by a partition column. Cancelled visits are visits without a
# status.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    polars==2.1.0 deltalake==1.6.6 pyarrow==26.0.1

venv/bin/python -W error - <<'PYTHON'
import json
from importlib.metadata import version
from pathlib import Path

import polars as pl
from deltalake import DeltaTable

table = Path("visits")
(table / "_delta_log").mkdir(parents=True)
fields = [{"name": name, "type": "string", "nullable": True, "metadata": {}} for name in ("visit_id", "status")]
log = [
    {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}},
    {"metaData": {
        "id": "visits", "format": {"provider": "parquet", "options": {}}, "partitionColumns": ["status"],
        "schemaString": json.dumps({"type": "struct", "fields": fields}), "configuration": {}, "createdTime": 1,
    }},
]
for prefix, visit, status in (("a7", "V1", "completed"), ("q3", "V2", "cancelled")):
    path = table / prefix / "part-0.parquet"
    path.parent.mkdir()
    pl.DataFrame({"visit_id": [visit]}).write_parquet(path)
    log.append({"add": {
        "path": f"{prefix}/part-0.parquet", "partitionValues": {"status": status},
        "size": path.stat().st_size, "modificationTime": 1, "dataChange": True,
    }})
(table / "_delta_log" / f"{0:020}.json").write_text("\n".join(map(json.dumps, log)))

print("polars", version("polars"), "deltalake", version("deltalake"))
seen = {
    "polars scan_delta": pl.scan_delta(str(table)).sort("visit_id").collect(),
    "deltalake scan": pl.DataFrame(DeltaTable(table).scan()).sort("visit_id"),
}
for name, frame in seen.items():
    print(name, frame.rows())
values = [frame["status"].to_list() for frame in seen.values()]
if values != [[None, None], ["completed", "cancelled"]]:
    raise SystemExit(f"CHANGED: the partition values are {values}")
print("As described: polars has lost the partition values, without a word.")
PYTHON
