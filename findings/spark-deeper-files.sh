#!/usr/bin/env bash
# Spark leaves out the files of a folder's folders if their names have no "=".
#
# Expected: a folder is read with everything below it, as in polars, pyarrow and
# DuckDB's **, or Spark says that it left something out.
# Instead: spark.read takes the files that are directly in the folder, and logs nothing.
# Only folders of partitions, named key=value, are followed.
# Hurts: an auditor whose exports lie in folders of months beside the newest file: each
# closed month is missing, and nothing else looks wrong. recursiveFileLookup reads all.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    pyspark==4.3.0 polars==2.1.0

SPARK_LOCAL_IP=127.0.0.1 venv/bin/python -W error - 2>spark.log <<'PYTHON'
from importlib.metadata import version
from pathlib import Path

import polars as pl
from pyspark.sql import SparkSession

files = ["plain/new.parquet", "plain/2026-02/old.parquet"]
for file in files:
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame({"claim": [Path(file).stem]}).write_parquet(file)
settings = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false"}
spark = SparkSession.builder.master("local[1]").config(map=settings).getOrCreate()


def by_spark(folder, **options):
    rows = spark.read.options(**options).parquet(Path(folder).absolute().as_uri()).select("claim").collect()
    return sorted(row["claim"] for row in rows)


print("pyspark", version("pyspark"), "polars", version("polars"))
print(*files, sep="\n")
found = {
    "polars, plain": sorted(pl.read_parquet("plain/")["claim"]),
    "Spark, plain": by_spark("plain"),
    "Spark, plain, recursiveFileLookup": by_spark("plain", recursiveFileLookup="true"),
}
spark.stop()
for what, claims in found.items():
    print(f"{what}: {claims}")
if [*found.values()] != [["new", "old"], ["new"], ["new", "old"]]:
    raise SystemExit(f"CHANGED: {found}")
print("As described: Spark reads one file of two.")
PYTHON
if grep -iE "plain|parquet" spark.log; then
    echo "CHANGED: Spark warns"
    exit 1
fi
