"""A finished audit, and how what was found in the partitions becomes one."""

from collections.abc import Iterable, Mapping, Sequence
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

    `evidence` is in the order of the claims of a partition only; with more than one it lies on disk. It has no rows where
    `Settings.write` has no part that shows it.

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
    claims, found, outcomes, evidence, claimed, unmatched = [], [], [], [], [], 0
    inactive = dict.fromkeys(("void", "denied"), 0)
    for part in parts:
        claims.append(part.claims.with_columns(pl.col("line") + before))
        outcomes.append(part.outcomes.with_columns(pl.col("line") + before))
        before += 1 + part.outcomes.select(pl.col("line").max().cast(pl.Int64).fill_null(-1)).item()
        found.append(part.findings)
        inactive = {status: count + part.inactive[status] for status, count in inactive.items()}
        evidence.append(engine.spill(part.evidence))
        claimed.append(part.claimed)
        unmatched += part.unmatched
    calls = pl.concat([profile.call_hashes for profile in inputs.profiles.values()])
    rates = relationships.match_rates(claimed, inputs.quality.ids, existing(inputs), calls)
    return Result(
        inputs,
        covered,
        _in_order(claims, KEYS),
        _in_order(found, FINDINGS_ORDER),
        pl.concat(evidence),
        pl.concat(outcomes),
        not_evaluable,
        rates.drop("clear"),
        inactive,
        int(rates.filter(pair="patient in visits")["clear"].sum()),
        unmatched,
    )


def _in_order(parts: list[pl.DataFrame], keys: Sequence[str]) -> pl.DataFrame:
    """The rows of all partitions, which are let go, column by column: they are the largest part of a result.

    Each in one piece: texts and lists in several are picked ten times slower.
    """
    whole = pl.concat(parts)
    parts.clear()
    order = whole.select(pl.arg_sort_by(*keys)).to_series()
    return pl.DataFrame([whole.drop_in_place(name).rechunk().gather(order) for name in whole.columns])
