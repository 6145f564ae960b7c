"""The profile of a table: statistics of all its rows, typed. Profiles of parts add up in any order.

Source: docs/specification.md#data-quality.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import NamedTuple, TypeVar

import numpy as np
import polars as pl

from auditor.parsing.instants import DateCounts, added
from auditor.quality.coverage_bounds import NO_BOUNDS, CoverageBounds
from auditor.quality.coverage_bounds import merge as merge_bounds
from auditor.quality.relationships import Lookups

SKETCH_SIZE = 20_000
"""Size of the KMV sketch (the k smallest hashes) that is kept per column."""
LARGE_IDS = 10
"""So many large ids of a column are enough to tell whether it looks rounded."""
NORMALIZED_PROBLEMS = "normalized problem_id"
"""The sketch of problem ids, of which nearly equal ones are one."""
MATCHES = {name: pl.String() for name in ("name", "value", "how", "text")}
"""Ids that match: the relationship, the id, what a normalized match differs in (blank for an exact one), and of what a
visit came from the `text` that is nearly the id."""
NO_TEXT = pl.lit(None, pl.String)

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


@dataclass(frozen=True, eq=False)
class Count:
    """A number that an expression over the rows of a table gives; those of parts are added.

    `of_records`: over one row per id, calls with their `end` and `lost_hours`, instead of all valid rows.
    """

    table: str
    name: str
    expression: pl.Expr
    of_records: bool = False


class LargeIds(NamedTuple):
    """Ids above 2^53: the 10 smallest different ones that are exact doubles, and whether another is not."""

    exact: tuple[int, ...]
    inexact: bool


def _no_hashes() -> pl.Series:
    return pl.Series(dtype=pl.UInt64)


def no_matches() -> pl.DataFrame:
    """No id that matches."""
    return pl.DataFrame(schema=MATCHES)


def no_claimants() -> pl.DataFrame:
    """No claim of a patient."""
    return pl.DataFrame(schema={"claim": pl.UInt64, "patient": pl.UInt64})


@dataclass(frozen=True, kw_only=True)
class TableProfile:
    """Statistics of a table's valid rows. Counts are rows.

    `counts`: of the checks' `Count`s, by name. `rows_by_hour`: column of instants → local hour → rows with a time.
    `slashed_dates`: dates with slashes that read both ways, month first; `slashes_decided`: one of them does not.
    `unlisted_codes`: visit codes in no list of the policy. `billed_used` and `billed_rejected` (duplicates aside): rows by
    code of the family, blank for all others. `rows_by_patient`: patients with a share of the rows, and placeholders.
    `sketches`: the smallest hashes of a column's values. `rows_by_id`: by column, the hash of each `id` and its `rows`, of
    all rows. `claimants`: hashes of `claim` and `patient`, of all calls that bill by a claim's id. `large_ids`: by column.
    `id_hashes`: by relationship, hashes of looked-up ids that match exactly, until `resolved` puts the ids into
    `id_matches` (MATCHES). `call_hashes`: of ids that a visit may come from.
    """

    table: str
    counts: Mapping[str, int] = field(default_factory=dict)
    rows_by_date: Mapping[date, int] = field(default_factory=dict)
    rows_by_hour: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    date_counts: Mapping[str, DateCounts] = field(default_factory=dict)
    slashed_dates: frozenset[date] = frozenset()
    slashes_decided: bool = False
    unlisted_codes: Mapping[str, int] = field(default_factory=dict)
    billed_used: Mapping[str, int] = field(default_factory=dict)
    billed_rejected: Mapping[str, int] = field(default_factory=dict)
    rows_by_patient: Mapping[str, int] = field(default_factory=dict)
    sketches: Mapping[str, pl.Series] = field(default_factory=dict)
    rows_by_id: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    claimants: pl.DataFrame = field(default_factory=no_claimants)
    large_ids: Mapping[str, LargeIds] = field(default_factory=dict)
    id_hashes: Mapping[str, pl.Series] = field(default_factory=dict)
    id_matches: pl.DataFrame = field(default_factory=no_matches)
    call_hashes: pl.Series = field(default_factory=_no_hashes)
    coverage: CoverageBounds = NO_BOUNDS

    def count(self, measure: Count) -> int:
        """What a check counted."""
        return self.counts.get(measure.name, 0)

    def distinct_counts(self) -> dict[str, int]:
        """How many different patients, providers, problems and diagnosis categories there are; an estimate where many."""
        sizes = {
            name: len(hashes)
            for name, hashes in sorted(self.sketches.items())
            if len(hashes) and name != NORMALIZED_PROBLEMS
        }
        return {  # of all hashes, up to the last that is kept
            name: size if size < SKETCH_SIZE else round((size - 1) / self.sketches[name][-1] * 2**64)
            for name, size in sizes.items()
        }

    def resolved(self, lookups: Lookups) -> "TableProfile":
        """The same with the ids that were looked up in place of their hashes."""
        found = [
            lookups[pair][1].of(hashes).select(name=pl.lit(pair), value="value", how=pl.lit(""), text=NO_TEXT)
            for pair, hashes in self.id_hashes.items()
        ]
        return replace(self, id_hashes={}, id_matches=pl.concat([self.id_matches, *found]))


Profiles = Mapping[str, TableProfile]
"""Table → its profile."""


def merge(profiles: Sequence[TableProfile]) -> TableProfile:
    """Merge profiles of parts of one table."""
    matches = pl.concat(part.id_matches for part in profiles)
    return TableProfile(
        table=profiles[0].table,
        counts=_added(part.counts for part in profiles),
        rows_by_date=_added(part.rows_by_date for part in profiles),
        rows_by_hour={name: _added(hours) for name, hours in _by_name(part.rows_by_hour for part in profiles).items()},
        date_counts={name: added(counts) for name, counts in _by_name(part.date_counts for part in profiles).items()},
        slashed_dates=frozenset[date]().union(*(part.slashed_dates for part in profiles)),
        slashes_decided=any(part.slashes_decided for part in profiles),
        unlisted_codes=_added(part.unlisted_codes for part in profiles),
        billed_used=_added(part.billed_used for part in profiles),
        billed_rejected=_added(part.billed_rejected for part in profiles),
        rows_by_patient=_added(part.rows_by_patient for part in profiles),
        sketches={
            name: hashes[0] if len(hashes) == 1 else smallest(pl.concat(hashes))
            for name, hashes in _by_name(part.sketches for part in profiles).items()
        },
        rows_by_id={
            name: pl.concat(rows).group_by("id").agg(pl.col("rows").sum())
            for name, rows in _by_name(part.rows_by_id for part in profiles).items()
        },
        large_ids={
            name: LargeIds(
                tuple(sorted({number for part in found for number in part.exact})[:LARGE_IDS]),
                any(part.inexact for part in found),
            )
            for name, found in _by_name(part.large_ids for part in profiles).items()
        },
        claimants=pl.concat([part.claimants for part in profiles]),
        id_hashes={name: pl.concat(hashes) for name, hashes in _by_name(part.id_hashes for part in profiles).items()},
        id_matches=matches.unique() if matches.height else matches,
        call_hashes=pl.concat([part.call_hashes for part in profiles]),
        coverage=merge_bounds([part.coverage for part in profiles if part.coverage is not NO_BOUNDS]),
    )


def smallest(hashes: pl.Series) -> pl.Series:
    """The KMV sketch of a column: the smallest of its different hashes, sorted."""
    values, some = hashes.drop_nulls().to_numpy(), 4 * SKETCH_SIZE
    if len(values) > some and len(found := _different(np.partition(values, some)[:some])) >= SKETCH_SIZE:
        return found.head(SKETCH_SIZE)
    return _different(values).head(SKETCH_SIZE)


def _different(values: np.ndarray) -> pl.Series:
    """The different ones, sorted; `numpy.unique` hashes them, which takes ten times as long."""
    in_order = np.sort(values)
    return pl.Series(in_order[np.append(True, in_order[1:] != in_order[:-1])[: len(in_order)]])


def _added(parts: Iterable[Mapping[_Key, int]]) -> dict[_Key, int]:
    total = Counter[_Key]()
    for part in parts:
        total.update(part)
    return dict(total)


def _by_name(parts: Iterable[Mapping[str, _Value]]) -> dict[str, list[_Value]]:
    """Name → its values in all parts that have it."""
    found: dict[str, list[_Value]] = {}
    for part in parts:
        for name, value in part.items():
            found.setdefault(name, []).append(value)
    return found
