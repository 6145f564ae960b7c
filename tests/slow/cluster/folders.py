"""Two run folders compared whole: all that is published but the run's own name, time and place."""

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
from polars.testing import assert_frame_equal

from auditor.judging.findings import EVIDENCE_ORDER

_OWN = re.compile(
    rb"\d{8}T\d{9}Z-[0-9a-f]{8}|started \d{4}-\d\d-\d\d [\d:.]+|<dt>(Engine|Master|Memory)</dt>\s*<dd>[^<]*</dd>\s*"
)
_PLACE = ("engine", "master", "memory", "origins")
_ZIP = ".xlsx"
"""Holds times of its own; what it says is in the others."""


def same(one: Path, other: Path) -> int:
    """How many files are the same; raises AssertionError, without quoting data, where one is not."""
    names = sorted(path.name for path in one.iterdir())
    assert names == sorted(path.name for path in other.iterdir()), "other files"
    for name in names:
        if name.endswith(".parquet"):
            _same_frames(one / name, other / name)
        elif name == "summary.json":
            left, right = _summary(one / name), _summary(other / name)
            differing = [key for key in left | right if left.get(key) != right.get(key)]
            assert not differing, f"summary.json differs in {differing}"
        elif not name.endswith(_ZIP):
            left_text, right_text = (_OWN.sub(b"", (folder / name).read_bytes()) for folder in (one, other))
            assert left_text == right_text, f"{name} differs"
    return len(names)


def _same_frames(one: Path, other: Path) -> None:
    left, right = pl.read_parquet(one), pl.read_parquet(other)
    if one.name.startswith("evidence"):
        left, right = left.sort(EVIDENCE_ORDER), right.sort(EVIDENCE_ORDER)
    try:
        assert_frame_equal(left, right)
    except AssertionError as error:
        raise AssertionError(f"{one.name} differs") from error


def _summary(path: Path) -> dict[str, Any]:
    reported: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for name in ("run_id", "started", "ledger"):
        reported.pop(name, None)
    for run in reported.get("trend", ()):
        run.pop("run")
    for name in _PLACE:
        reported["settings"].pop(name, None)
    return reported
