"""Everything that looks across rows, one function per noun. Rules only read the columns made here.

Each noun but `claim` has one row per (claim, record): `line` (the claim), `kind`, `id`, `at`, `date_only`, `gap_days`,
`order` (what settles ties within a day: elapsed microseconds, or the later line first), `basis` and the columns that its
rules name. Source: SPEC.md sections 4 and 5.
"""

from collections.abc import Callable, Mapping, Sequence
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
    """The nouns of one audit, each made when a rule first asks for it."""

    def __init__(self, facts: Facts, audited: pl.Expr) -> None:
        """`audited` picks the claims to audit among the lines; the other lines stay as context."""
        self._facts = facts
        self._lines = lines.sequence(lines.with_coverage(facts), facts)
        self.claims = self._lines.filter(audited & pl.col("cpt_code").is_in(facts.codes))
        self._pairs: pl.DataFrame | None = None
        self._made: dict[Noun, pl.DataFrame] = {"claim": self.claims}
        self._makers: Mapping[Noun, Callable[[], pl.DataFrame]] = {
            "visit_before": lambda: visits.before(self.pairs, facts),
            "visit_after": lambda: visits.after(self.pairs),
            "line_before": lambda: lines.before(self.claims, self._lines, facts),
            "shared_call": lambda: lines.shared_call(self.claims, self._lines, facts),
            "same_day": lambda: lines.same_day(self.claims, self._lines, facts),
            "own_call": lambda: calls.own_call(self.claims, facts),
            "overlap": lambda: calls.overlap(self.claims, facts),
        }

    def __getitem__(self, noun: Noun) -> pl.DataFrame:
        """The noun's frame."""
        if noun not in self._made:
            self._made[noun] = self._makers[noun]()
        return self._made[noun]

    @property
    def pairs(self) -> pl.DataFrame:
        """Audited claims with the visits near them."""
        if self._pairs is None:
            self._pairs = visits.pairs_of(self.claims, self._facts)
        return self._pairs
