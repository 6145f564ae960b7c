"""Replacements, voids and reversals: rows that say something of other lines. Source: SPEC.md section 2."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

import polars as pl

from auditor.parsing.adjustment_rows import AMOUNTS, is_adjustment

_Row = dict[str, Any]


def settle(heads: pl.DataFrame) -> pl.DataFrame:
    """Lines with the `claim_status` that adjustments leave, and `unmatched`: adjustments that found no line.

    Frequency codes first, then reversals, each in the order of service date, claim and line. Of active lines that still have
    one claim, line and code the last stands.
    """
    heads = heads.with_columns(unmatched=pl.lit(False))
    if not heads.select(is_adjustment().any()).item():
        return heads
    names = ("head", "claim_id", "claim_line", "cpt_code", "patient_id", "provider_id", "service_date", "claim_status",
             "frequency_code", "original_claim_id", *AMOUNTS)  # fmt: skip
    rows = heads.select(names, own_status="claim_status").sort("service_date", *names[1:]).to_dicts()
    of_claim, unmatched = defaultdict(list), set()
    for row in rows:
        of_claim[row["claim_id"]].append(row)
    for row in rows:
        acts = row["frequency_code"] in ("replacement", "void") and row["claim_status"] != "denied"
        if acts and not _by_frequency(row, of_claim[row["original_claim_id"] or row["claim_id"]]):
            unmatched.add(row["head"])
    alike = defaultdict(list)
    for row in rows:
        alike[row["patient_id"], row["provider_id"], row["service_date"], row["cpt_code"]].append(row)
    for row in rows:
        if row["claim_status"] == "active" and any((row[amount] or 0) < 0 for amount in AMOUNTS):
            key = row["patient_id"], row["provider_id"], row["service_date"], row["cpt_code"]
            if not _by_amount(row, of_claim[row["claim_id"]], alike[key]):
                unmatched.add(row["head"])
    standing: dict[tuple[str, ...], _Row] = {}
    for row in (row for row in rows if row["claim_status"] == "active"):
        line = row["claim_id"], row["claim_line"], row["cpt_code"]
        if line in standing:
            standing[line]["claim_status"] = "void"
        standing[line] = row
    settled = pl.DataFrame(
        [(row["head"], row["claim_status"], row["head"] in unmatched) for row in rows],
        schema={"head": heads.schema["head"], "claim_status": pl.String(), "unmatched": pl.Boolean()},
        orient="row",
    )
    return heads.drop("claim_status", "unmatched").join(settled, on="head", maintain_order="left").select(heads.columns)


def _by_frequency(row: _Row, named: list[_Row]) -> bool:
    """A void is void and voids the lines that it names; a replacement voids them and stands. Whether there was one.

    Neither voids replacements with its own claim_id.
    """
    others = [
        other
        for other in named
        if other is not row and not (other["frequency_code"] == "replacement" and other["claim_id"] == row["claim_id"])
    ]
    for other in others:
        if other["claim_status"] == "active":
            other["claim_status"] = "void"
    if row["frequency_code"] == "void":
        row["claim_status"] = "void"
    return bool(others)


def _by_amount(row: _Row, of_claim: list[_Row], alike: list[_Row]) -> bool:
    """A reversal is void, and voids the last line whose amounts are the opposite. Whether there was one.

    Where the line that it reverses is void in the export, it voids no other.
    """
    row["claim_status"] = "void"

    def opposite(other: _Row) -> bool:
        taken = [(row[amount], other[amount] or Decimal(0)) for amount in AMOUNTS if (row[amount] or 0) < 0]
        return all(mine == -theirs for mine, theirs in taken)

    same_line = [other for other in of_claim if other["claim_line"] == row["claim_line"] and opposite(other)]
    was_void = any(other["own_status"] == "void" for other in same_line)
    for others in (same_line, *(() if was_void else (of_claim, alike))):
        if found := [other for other in others if other["claim_status"] == "active" and opposite(other)]:
            found[-1]["claim_status"] = "void"
            return True
    return was_void
