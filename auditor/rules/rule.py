"""Rule and Outcome: what a rule is, and the one expression that judges a record.

A rule is a few polars expressions over named columns that `windows/` prepared. It never looks across rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Literal

import polars as pl

from auditor.policy import Severity
from auditor.windows import RecordSet, check

Row = Mapping[str, Any]
Why = Callable[[Row, Sequence[Row], Any], str]
"""Claim, the records weighed for it and the finished run (`run_summary.Summary`) → why a rule cannot tell."""


class Outcome(IntEnum):
    """Outcomes, the strongest largest."""

    NOT_APPLICABLE = 0
    CLEAR = 1
    UNKNOWN = 2
    REVIEW = 3
    VIOLATION = 4

    @property
    def label(self) -> str:
        """The word that users see."""
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One audit rule.

    `over` names the records that `violation`, `review` and `doubt` look at, one row each; `considered` says which of them
    are in the rule's sight, `conclusive` which can support more than review, whatever the policy's severity. `unknown` and
    `applies` look at the claim's own row. `needs` are alternatives, at least one of which must exist for the rule to be
    evaluated: a column as `table.column`, or a table. `errs` says which way the rule is wrong when the export is thin. The
    module's docstring is the rule's page.

    What `explain` says of the rule: `nothing` where it found nothing, `why_unknown` where it cannot tell,
    `not_applicable` where it does not speak of a claim that has a call, and `exclusion_reason` of a record that supports
    nothing; `explains_rejected_records`: such records are counted. `page` and `nothing` name the policy's numbers
    (`Numbers`) and, `nothing` only, the claim's columns in braces.
    """

    code: str
    name: str
    over: RecordSet
    message: pl.Expr
    page: str
    errs: Literal["over", "under", "neither"]
    cites: tuple[str, ...]
    examples: str
    violation: pl.Expr = field(default_factory=lambda: pl.lit(False))
    review: pl.Expr = field(default_factory=lambda: pl.lit(False))
    conclusive: pl.Expr = field(default_factory=lambda: pl.lit(True))
    doubt: pl.Expr = field(default_factory=lambda: pl.lit(False))
    unknown: pl.Expr = field(default_factory=lambda: pl.lit(False))
    considered: pl.Expr = field(default_factory=lambda: pl.lit(True))
    applies: pl.Expr = field(default_factory=lambda: pl.lit(True))
    needs: tuple[tuple[str, ...], ...] = ()
    shows_record: bool = True
    nothing: str = "nothing found"
    why_unknown: Why = lambda *_: "the export does not say"
    not_applicable: str = "the rule does not speak of this claim"
    exclusion_reason: pl.Expr = field(default_factory=lambda: pl.col("why_not"))
    explains_rejected_records: bool = False

    def __post_init__(self) -> None:
        """Every column that the rule names must be listed in windows/. Raises ValueError."""
        explained = () if self.over == "claim" else (self.exclusion_reason,)
        check(
            self.code,
            self.over,
            (self.violation, self.review, self.conclusive, self.doubt, self.considered, *explained),
        )
        check(self.code, "claim", (self.unknown, self.applies))
        check(self.code, "claim", (self.message,), message=True)

    @property
    def waits_for_the_horizon(self) -> bool:
        """Whether the rule is open until the horizon of a claim is over, not just its hours ahead."""
        return "later_not_covered" in self.unknown.meta.root_names()

    @property
    def strongest(self) -> Literal["violation", "review"]:
        """The strongest outcome that the rule gives, where the policy does not say otherwise."""
        return "review" if self.violation.meta.eq(pl.lit(False)) else "violation"

    @property
    def reads_calls(self) -> bool:
        """Whether the rule speaks of claims with a call only."""
        return "has_call" in self.applies.meta.root_names()

    def outcome(self, severity: Mapping[str, Severity]) -> pl.Expr:
        """The outcome that one record supports, after the policy's severity; CLEAR where it supports none."""
        set_to = severity.get(self.code)
        return (
            pl.when(self.violation & self.conclusive)
            .then(Outcome.REVIEW if set_to == "review" else Outcome.VIOLATION)
            .when((self.violation | self.review) & self.conclusive)
            .then(Outcome.VIOLATION if set_to == "violation" else Outcome.REVIEW)
            .when(self.violation | self.review)
            .then(Outcome.REVIEW)
            .when(self.doubt)
            .then(Outcome.UNKNOWN)
            .otherwise(Outcome.CLEAR)
            .cast(pl.UInt8)
        )

    def why_not_evaluated(self, exists: frozenset[str], severity: Mapping[str, Severity]) -> str | None:
        """The reason the rule cannot be evaluated on these tables and columns, or None."""
        if severity.get(self.code) == "off":
            return "off in the policy"
        for alternatives in self.needs:
            if not exists.intersection(alternatives):
                needed = " or ".join(alternatives)
                return f"no {needed} in the inputs"
        return None


TELEPHONE_SERVICES = "CPT 2020 Professional Edition (AMA), Medicine, Telephone Services 98966-98968"
"""Where most rules come from, as rules cite it."""

HAS_CALL = pl.col("has_call") | pl.col("call_unsure")
"""Rules that read calls do not apply to a claim without one; they are unknown where its ids do not join."""

DAYS = pl.format(
    "{} {}", "gap_days", pl.when(pl.col("gap_days").abs() == 1).then(pl.lit("day")).otherwise(pl.lit("days"))
)
"""The gap to the record, as messages say it: `1 day`, `3 days`."""
