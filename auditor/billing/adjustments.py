"""Replacements, voids and reversals: rows that say something of other lines.

Source: docs/specification.md#replacements-and-reversals.
"""

from collections import defaultdict
from typing import Any

import polars as pl

from auditor.parsing.adjustment_rows import AMOUNTS, is_adjustment, takes_back
from auditor.parsing.chains import core

_Row = dict[str, Any]


def settle(claim_lines: pl.DataFrame) -> pl.DataFrame:
    """Lines with the `claim_status` that adjustments leave, and `unmatched`: adjustments that found no line.

    Frequency codes first, then reversals, each in the order of service date, claim and line. Of active lines that still have
    one claim, line and code the last stands.
    """
    claim_lines = claim_lines.with_columns(unmatched=pl.lit(False))
    chained = "processed_date" in claim_lines.columns
    repeats = pl.struct("claim_id", "claim_line").is_duplicated() if chained else pl.lit(False)
    if not claim_lines.select((is_adjustment() | repeats).any()).item():
        return claim_lines
    claim_lines = claim_lines.with_columns(core=core(claim_lines.drop("row", "unmatched")) if chained else pl.lit(0))
    names = ("row", "claim_id", "claim_line", "cpt_code", "patient_id", "provider_id", "service_date", "claim_status",
             "frequency_code", "original_claim_id", *AMOUNTS, "core", *(["processed_date"] if chained else []))  # fmt: skip
    rows = claim_lines.select(names, own_status="claim_status").sort("service_date", *names[1:]).to_dicts()
    of_claim, unmatched = defaultdict(list), set()
    for row in rows:
        of_claim[row["claim_id"]].append(row)
    for row in rows:
        acts = row["frequency_code"] in ("replacement", "void") and row["claim_status"] != "denied"
        if acts and not _by_frequency(row, of_claim[row["original_claim_id"] or row["claim_id"]]):
            unmatched.add(row["row"])
    by_patient_and_code = defaultdict(list)
    for row in rows:
        by_patient_and_code[row["patient_id"], row["provider_id"], row["service_date"], row["cpt_code"]].append(row)
    for row in rows:
        is_negative = any((row[amount] or 0) < 0 for amount in AMOUNTS)
        if row["claim_status"] == "reversed" or (row["claim_status"] == "active" and is_negative):
            key = row["patient_id"], row["provider_id"], row["service_date"], row["cpt_code"]
            alike = by_patient_and_code[key] if is_negative else []
            if not _by_amount(row, of_claim[row["claim_id"]], alike) and is_negative:
                unmatched.add(row["row"])
    superseded = _superseded(rows) if chained else set[int]()
    by_key: dict[tuple[str, ...], _Row] = {}
    for row in (row for row in rows if row["claim_status"] == "active" and row["row"] not in superseded):
        line = row["claim_id"], row["claim_line"], row["cpt_code"]
        if line in by_key:
            by_key[line]["claim_status"] = "void"
        by_key[line] = row
    settled = pl.DataFrame(
        [(row["row"], row["claim_status"], row["row"] in unmatched) for row in rows if row["row"] not in superseded],
        schema={"row": claim_lines.schema["row"], "claim_status": pl.String(), "unmatched": pl.Boolean()},
        orient="row",
    )
    return (
        claim_lines.drop("claim_status", "unmatched")
        .join(settled, on="row", maintain_order="left")
        .select(name for name in claim_lines.columns if name != "core")
    )


def _superseded(rows: list[_Row]) -> set[int]:
    """The rows that are no lines, because a later one of their line stands. A void that came last voids the others."""
    chains = defaultdict(list)
    for row in rows:
        if row["frequency_code"] not in ("replacement", "void"):
            chains[row["claim_id"], row["claim_line"]].append(row)
    superseded = set()
    for chain in (chain for chain in chains.values() if len(chain) > 1):
        for void in (row for row in chain if row["own_status"] == "void"):
            for row in chain:
                if row["claim_status"] == "active" and _came_before(row, void):
                    row["claim_status"] = "void"
        alike = defaultdict(list)
        for row in chain:
            if row["claim_status"] in ("active", "denied"):
                alike[row["core"]].append(row)
        for same in alike.values():
            dates = [row["processed_date"] for row in same]
            is_dated = None not in dates and len(set(dates)) == len(dates)
            latest = max(same, key=lambda row: row["processed_date"] if is_dated else row["claim_status"] == "active")
            superseded |= {row["row"] for row in same if row is not latest}
    return superseded


def _came_before(row: _Row, other: _Row) -> bool:
    first, second = row.get("processed_date"), other.get("processed_date")
    return first is not None and second is not None and bool(first < second)


def _by_frequency(row: _Row, targets: list[_Row]) -> bool:
    """A void is void and voids the lines that it names; a replacement voids them and stands. Whether there was one.

    Neither voids replacements with its own claim_id; a void does if `processed_date` says that they came before it.
    """
    adjusted = [
        target
        for target in targets
        if target is not row
        and not (
            target["frequency_code"] == "replacement"
            and target["claim_id"] == row["claim_id"]
            and not (row["frequency_code"] == "void" and _came_before(target, row))
        )
    ]
    for target in adjusted:
        if target["claim_status"] == "active":
            target["claim_status"] = "void"
    if row["frequency_code"] == "void":
        row["claim_status"] = "void"
    return bool(adjusted)


def _by_amount(row: _Row, of_claim: list[_Row], alike: list[_Row]) -> bool:
    """A reversal is void, and voids the last line whose amounts are the opposite. Whether there was one.

    Where the line that it reverses is void in the export, it voids no other.
    """
    row["claim_status"] = "void"

    def opposite(candidate: _Row) -> bool:
        return takes_back(*([some[amount] for amount in AMOUNTS] for some in (row, candidate)))

    same_line = [
        candidate for candidate in of_claim if candidate["claim_line"] == row["claim_line"] and opposite(candidate)
    ]
    was_void = any(candidate["own_status"] == "void" for candidate in same_line)
    for candidates in (same_line, *(() if was_void else (of_claim, alike))):
        if found := [
            candidate for candidate in candidates if candidate["claim_status"] == "active" and opposite(candidate)
        ]:
            found[-1]["claim_status"] = "void"
            return True
    return was_void
