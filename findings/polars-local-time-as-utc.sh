#!/usr/bin/env bash
# polars reads a local time as UTC when the schema names its zone.
#
# Expected: a schema with Datetime("us", "America/New_York") for a column of times
# without an offset keeps the clock: 23:30 in the file is 23:30 in New York. This
# is what str.to_datetime(time_zone=...) does.
# Instead: read_csv and read_ndjson take the text as UTC and convert it, so the
# clock moves by five hours. A date alone becomes the evening of the day before.
# Hurts: a data engineer who loads a phone system's log of local times. Each call
# moves by the zone's offset, and the first calls of a day change the service date.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    polars==2.1.0

venv/bin/python -W error - <<'PYTHON'
import io
from importlib.metadata import version

import polars as pl

ZONED = pl.Datetime("us", "America/New_York")
TEXTS = ["2026-03-02T02:15:00", "2026-03-02T23:30:00"]


def clock(times: pl.Series) -> list[str]:
    return times.dt.to_string("%F %T %Z").to_list()


csv = "start\n" + "".join(f"{text}\n" for text in TEXTS)
ndjson = "".join(f'{{"start":"{text}"}}\n' for text in [*TEXTS, "2026-03-02"])
seen = {
    "str.to_datetime": clock(pl.Series(TEXTS).str.to_datetime(time_zone="America/New_York")),
    "read_csv": clock(pl.read_csv(io.StringIO(csv), schema={"start": ZONED})["start"]),
    "read_ndjson": clock(pl.read_ndjson(io.StringIO(ndjson), schema={"start": ZONED})["start"]),
}
print("polars", version("polars"))
print("in the file:", TEXTS, "and, in the NDJSON only, 2026-03-02")
for name, times in seen.items():
    print(f"{name}: {times}")
kept = ["2026-03-02 02:15:00 EST", "2026-03-02 23:30:00 EST"]
moved = ["2026-03-01 21:15:00 EST", "2026-03-02 18:30:00 EST"]
expected = {
    "str.to_datetime": kept,
    "read_csv": moved,
    "read_ndjson": [*moved, "2026-03-01 19:00:00 EST"],
}
if seen != expected:
    raise SystemExit("CHANGED: one of the three no longer reads the times as described")
print("As described: the readers move the clock by five hours, str.to_datetime keeps it.")
PYTHON
