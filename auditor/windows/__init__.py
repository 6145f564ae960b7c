"""Everything that looks across rows, one function per noun. Rules only read the columns made here.

Each noun but `claim` has one row per (claim, record): `line` (the claim), `kind`, `id`, `at`, `date_only`, `gap_days`,
`order` (what settles ties within a day: elapsed microseconds, or the later line first), `basis` and the columns that its
rules name. Source: SPEC.md sections 4 and 5.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Literal

import polars as pl

from auditor.windows import calls, lines, visits
from auditor.windows.columns import RELATED, Columns
from auditor.windows.facts import HOUR, Facts

__all__ = ["HOUR", "LISTED", "Facts", "Noun", "Nouns", "check"]

Noun = Literal["claim", "visit_before", "visit_after", "line_before", "shared_call", "same_day", "own_call", "overlap"]

LISTED: Mapping[Noun, Columns] = {
    "claim": lines.CLAIM,
    "visit_before": visits.VISIT_BEFORE,
    "visit_after": visits.VISIT_AFTER,
    "line_before": lines.LINE_BEFORE,
    "shared_call": lines.SHARED_CALL,
    "same_day": lines.SAME_DAY,
    "own_call": calls.OWN_CALL,
    "overlap": calls.OVERLAP,
}
"""The columns that rules may name, noun by noun."""


def check(code: str, noun: Noun, expressions: Sequence[pl.Expr], *, message: bool = False) -> None:
    """Raise ValueError where a rule's expressions name a column that no window lists; a message may name RELATED too."""
    listed = LISTED[noun] | (RELATED if message else {})
    for name in (name for expression in expressions for name in expression.meta.root_names()):
        if name not in listed:
            raise ValueError(
                f"{code} names {name!r}, which windows/ does not list for {noun}; list it there, or correct it"
            )


class Nouns:
    """The nouns of one audit, each made when it is asked for."""

    def __init__(self, facts: Facts, audited: pl.Expr) -> None:
        """`audited` picks the claims to audit among the lines; the other lines stay as context."""
        self.facts = facts
        self.lines = lines.sequence(lines.with_coverage(facts), facts)
        self.claims = self.lines.filter(audited & pl.col("cpt_code").is_in(facts.codes))

    def __getitem__(self, noun: Noun) -> pl.DataFrame:
        """The noun's frame."""
        return _MADE[noun](self)

    @cached_property
    def pairs(self) -> pl.DataFrame:
        """Audited claims with the visits near them."""
        return visits.pairs_of(self.claims, self.facts)


_MADE: Mapping[Noun, Callable[[Nouns], pl.DataFrame]] = {
    "claim": lambda nouns: nouns.claims,
    "visit_before": lambda nouns: visits.before(nouns.pairs, nouns.facts),
    "visit_after": lambda nouns: visits.after(nouns.pairs),
    "line_before": lambda nouns: lines.before(nouns.claims, nouns.lines, nouns.facts),
    "shared_call": lambda nouns: lines.shared_call(nouns.claims, nouns.lines, nouns.facts),
    "same_day": lambda nouns: lines.same_day(nouns.claims, nouns.lines, nouns.facts),
    "own_call": lambda nouns: calls.own_call(nouns.claims, nouns.facts),
    "overlap": lambda nouns: calls.overlap(nouns.claims, nouns.facts),
}
