#!/usr/bin/env bash
# polars computes local times with the zone rules of its own release.
#
# Expected: the installed tzdata package decides which local hour an instant has,
# in polars as in Python's zoneinfo, or polars warns that its rules are older.
# Instead: polars takes no notice of tzdata. For three Canadian zones whose rules
# changed in November 2026 it gives another hour than zoneinfo, without a warning.
# Hurts: a data engineer who converts the UTC start of calls from clinics in
# British Columbia, Alberta or Manitoba. Calls near midnight get another service
# date, and two tools in one pipeline disagree by an hour.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
    polars==2.1.0 tzdata==2026.6

venv/bin/python -W error - <<'PYTHON'
import zoneinfo
from datetime import datetime, timezone
from importlib.metadata import version

import polars as pl
import tzdata

CHANGED = ["America/Vancouver", "America/Edmonton", "America/Winnipeg"]
UNCHANGED = ["America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles"]
zoneinfo.reset_tzpath(to=[])  # use the tzdata package, not the system's files


def by_polars(start: datetime, zone: str) -> str:
    return pl.Series([start]).dt.convert_time_zone(zone).dt.to_string("%F %H:%M").item()


def by_zoneinfo(start: datetime, zone: str) -> str:
    return start.astimezone(zoneinfo.ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")


print("polars", version("polars"), "tzdata", version("tzdata"), "IANA", tzdata.IANA_VERSION)
differ = []
for month in (7, 12):
    start = datetime(2026, month, 2, 7, 30, tzinfo=timezone.utc)
    for zone in CHANGED + UNCHANGED:
        pair = by_polars(start, zone), by_zoneinfo(start, zone)
        print(f"{start:%Y-%m-%d %H:%M} UTC in {zone}: polars {pair[0]}, zoneinfo {pair[1]}")
        if pair[0] != pair[1]:
            differ.append((month, zone))
if differ != [(12, zone) for zone in CHANGED]:
    raise SystemExit(f"CHANGED: polars and zoneinfo now differ in {differ}")
print("As described: polars and tzdata differ in December in the three zones, in no other.")
PYTHON
