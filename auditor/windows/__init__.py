"""Everything that looks across rows, one function per record set. Rules only read the columns made here.

Each record set but `claim` has one row per (claim, record): `line` (the claim), `kind`, `id`, `at`, `date_only`, `gap_days`,
`order` (what settles ties within a day: elapsed microseconds, or the later line first), `basis` and the columns that its
rules name.

Source: docs/specification.md#whether-a-visit-is-related, docs/specification.md#rules.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from functools import cached_property
from typing import Literal

import polars as pl

from auditor.schema.names import nearest
from auditor.windows import calls, lines, other_days, visits
from auditor.windows.columns import RELATED, Columns
from auditor.windows.records import PatientRecords

__all__ = ["LISTED", "CoverageWindow", "PatientRecords", "RecordSet", "RecordSets", "check", "lines_of"]

RecordSet = Literal[
    "claim",
    "visit_before",
    "visit_after",
    "line_before",
    "shared_call",
    "same_day",
    "own_call",
    "overlap",
    "phone_record",
]
CoverageWindow = Literal["lookback", "postoperative", "ahead", "later", "same_day", "lines", "group_lines"]
"""The windows that the exports must cover: a column of `claim` each, such as `lookback_not_covered`."""

LISTED: Mapping[RecordSet, Columns] = {
    "claim": lines.CLAIM,
    "visit_before": visits.VISIT_BEFORE,
    "visit_after": visits.VISIT_AFTER,
    "line_before": lines.LINE_BEFORE,
    "shared_call": lines.SHARED_CALL,
    "same_day": lines.SAME_DAY,
    "own_call": calls.OWN_CALL,
    "overlap": calls.OVERLAP,
    "phone_record": calls.PHONE_RECORD,
}
"""The columns that rules may name, by record set."""


def check(code: str, record_set: RecordSet, expressions: Sequence[pl.Expr], *, message: bool = False) -> None:
    """Raise ValueError where a rule's expressions name a column that no window lists; a message may name RELATED too."""
    listed = LISTED[record_set] | (RELATED if message else {})
    for name in (name for expression in expressions for name in expression.meta.root_names()):
        if name not in listed:
            raise ValueError(
                f"{code} names {name!r}, which is no column of {record_set}{nearest(name, sorted(listed))}"
            )


class RecordSets:
    """The record sets of one audit, each built when it is asked for."""

    def __init__(self, records: PatientRecords, all_lines: pl.DataFrame, judge: int | None) -> None:
        """`all_lines`: as `lines_of`; `judge` is the number of the policy, which the records have.

        The context's `audited` picks the claims to audit; the other lines are what they are compared with.
        """
        audited, codes = records.context.audited, records.context.codes
        self.records = records
        self.lines = lines.as_counted(all_lines, records.context.policy)
        self._counted: pl.DataFrame | None = None
        own = pl.col("judge").eq_missing(judge)
        self.claims = self.lines.filter(own & audited & pl.col("cpt_code").is_in(codes))

    def __getitem__(self, record_set: RecordSet) -> pl.DataFrame:
        return _BUILDERS[record_set](self)

    def on_other_days(self) -> Iterator[tuple["RecordSets", "RecordSets"]]:
        """The record sets of claims with a range of service dates on another of its days, and of all after such lines."""
        for moved in other_days.of_ranges(self.lines, self.records):
            claims, earlier = copy(self), copy(self)
            claims.__dict__.pop("pairs", None)
            claims.claims = moved.lines.join(self.claims.select("line"), on="line", how="semi")
            claims._counted = moved.counted
            earlier.lines = moved.lines
            yield claims, earlier

    @cached_property
    def pairs(self) -> pl.DataFrame:
        """Audited claims with the visits near them."""
        return visits.pairs_of(self.claims, self.records)


def lines_of(records: PatientRecords) -> pl.DataFrame:
    """The lines with the columns of claims, each by the policy that judges it."""
    return lines.sequence(lines.with_coverage(records), records)


_BUILDERS: Mapping[RecordSet, Callable[[RecordSets], pl.DataFrame]] = {
    "claim": lambda record_sets: record_sets.claims,
    "visit_before": lambda record_sets: visits.before(record_sets.pairs, record_sets.records),
    "visit_after": lambda record_sets: visits.after(record_sets.pairs),
    "line_before": lambda record_sets: lines.before(
        record_sets.claims, record_sets.lines, record_sets.records, record_sets._counted
    ),
    "shared_call": lambda record_sets: lines.shared_call(record_sets.claims, record_sets.lines, record_sets.records),
    "same_day": lambda record_sets: lines.same_day(record_sets.claims, record_sets.lines, record_sets.records),
    "own_call": lambda record_sets: calls.own_call(record_sets.claims, record_sets.records),
    "overlap": lambda record_sets: calls.overlap(record_sets.claims, record_sets.records),
    "phone_record": lambda record_sets: calls.phone_record(record_sets.claims, record_sets.records),
}
