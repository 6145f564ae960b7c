"""Findings of the auditor and of a peer, as sets that can be compared."""

import json
from pathlib import Path
from typing import Any

import polars as pl

CORE = ("DUR001", "DUR002", "LBK001", "LAH001", "FRQ001")
KEY = ["claim_id", "claim_line", "rule", "outcome", "related_id"]


def published(out: Path) -> pl.DataFrame:
    """The core rules' findings of the auditor's latest run below `out`."""
    return _sorted(pl.read_parquet(out / "latest" / "findings.parquet").filter(pl.col("rule").is_in(CORE)))


def answered(file: Path) -> pl.DataFrame:
    """The findings that a peer wrote."""
    return _sorted(pl.read_parquet(file))


def counted(out: Path) -> dict[str, Any]:
    """What the auditor's latest run below `out` says of its inputs, as the checking peer says it."""
    summary = json.loads((out / "latest" / "summary.json").read_text(encoding="utf-8"))
    rejects = pl.read_csv(out / "latest" / "rejects.csv", infer_schema=False).fill_null("")
    rejects = rejects.with_columns(pl.col("reason").str.replace("(conflicting rows for one id): .* differ", "$1"))
    wanted = ("visits.patient_id", "visits.provider_id")
    return {
        "rejects": sorted(
            [*key, count] for *key, count in rejects.group_by("table_name", "column_name", "reason").len().rows()
        ),
        "unrecognised": [list(row.values()) for row in summary["unrecognised"]],
        "inputs": [[row[name] for name in ("table", "sha256", "rows", "rejected")] for row in summary["inputs"]],
        "joins": [[row["in"], row["values"], row["found"]] for row in summary["joins"] if row["in"] in wanted],
    }


def difference(ours: pl.DataFrame, theirs: pl.DataFrame) -> str | None:
    """None where both hold the same findings with the same evidence; else how many differ by rule, without ids."""
    missing = ours.join(theirs, on=KEY, how="anti", nulls_equal=True)
    extra = theirs.join(ours, on=KEY, how="anti", nulls_equal=True)
    if missing.is_empty() and extra.is_empty() and ours.height == theirs.height:
        return None
    counted = [f"{side} {dict(sorted(rows['rule'].value_counts().rows()))}"
               for side, rows in (("only the auditor", missing), ("only the peer", extra))]  # fmt: skip
    return f"{ours.height} and {theirs.height} findings; {'; '.join(counted)}"


def _sorted(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(pl.col(name).cast(pl.String) for name in KEY).sort(KEY)
