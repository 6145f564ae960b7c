"""A finished audit, and how what was found in the partitions becomes one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import polars as pl

from auditor.engines import Engine
from auditor.inputs import Inputs, existing
from auditor.judging.findings import FINDINGS_ORDER, KEYS
from auditor.judging.patients import Judged
from auditor.quality import relationships
from auditor.quality.coverage import Coverage
from auditor.quality.phone_log import InPhoneLog


@dataclass(frozen=True)
class Result:
    """A finished audit. Frames as `findings.py` and `judge.py` describe them.

    `evidence` is sorted within the claims of a partition only; with more than one it lies on disk.

    `outcomes` has one row per claim (`line`) and a column per evaluated rule; `not_evaluated` is rule code → reason.
    """

    inputs: Inputs
    coverage: Coverage
    claims: pl.DataFrame
    findings: pl.DataFrame
    evidence: pl.LazyFrame
    outcomes: pl.DataFrame
    not_evaluated: Mapping[str, str]
    joins: pl.DataFrame
    inactive: Mapping[str, int]
    absent: int
    unmatched: int
    warnings: tuple[str, ...] = field(default=())
    in_phone_log: InPhoneLog | None = None


def merged(
    inputs: Inputs, covered: Coverage, not_evaluable: Mapping[str, str], parts: Iterable[Judged], engine: Engine
) -> Result:
    """The partitions as one: lines numbered through, rows in the order in which they are published."""
    before = 0
    claims, found, outcomes, evidence, claimed, absent, unmatched = [], [], [], [], [], 0, 0
    inactive = dict.fromkeys(("void", "denied"), 0)
    for part in parts:
        claims.append(part.claims.with_columns(pl.col("line") + before))
        outcomes.append(part.outcomes.with_columns(pl.col("line") + before))
        before += 1 + max(part.outcomes["line"].to_list(), default=-1)
        found.append(part.findings)
        inactive = {status: count + part.inactive[status] for status, count in inactive.items()}
        evidence.append(engine.spill(part.evidence))
        claimed.append(part.claimed)
        absent += part.absent
        unmatched += part.unmatched
    return Result(
        inputs,
        covered,
        _in_order(claims),
        pl.concat(found).sort(*FINDINGS_ORDER),
        pl.concat(evidence),
        pl.concat(outcomes),
        not_evaluable,
        relationships.match_rates(
            claimed,
            inputs.quality.ids,
            existing(inputs),
            pl.concat([profile.call_hashes for profile in inputs.profiles.values()]),
        ),
        inactive,
        absent,
        unmatched,
    )


def _in_order(claims: list[pl.DataFrame]) -> pl.DataFrame:
    """The claims of all partitions, which are let go, column by column: they are the largest part of a result.

    Each in one piece: lists in several are picked ten times slower.
    """
    whole = pl.concat(claims)
    claims.clear()
    order = whole.select(pl.arg_sort_by(*KEYS)).to_series()
    return pl.DataFrame([whole.drop_in_place(name).rechunk().gather(order) for name in whole.columns])
