"""Rule and Outcome: what a rule is, and the one expression that judges a record.

A rule is a few polars expressions over named columns that `windows/` prepared. It never looks across rows.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any, Literal, get_args

import polars as pl

from auditor.policy import Policy, Severity
from auditor.schema.names import nearest
from auditor.schema.tables import TABLES
from auditor.windows import CoverageWindow, RecordSet, check

Row = Mapping[str, Any]
Needs = tuple[tuple[str, ...], ...]
"""Alternatives: of each, one must exist in the inputs."""
Direction = Literal["over", "under", "neither"]
Why = Callable[[Row, Sequence[Row], Any], str]
"""Claim, the records considered for it, and the finished run (`run_summary.Summary`) → why a rule is unknown."""


class Outcome(IntEnum):
    """Outcomes, from weakest to strongest."""

    NOT_APPLICABLE = 0
    CLEAR = 1
    UNKNOWN = 2
    REVIEW = 3
    VIOLATION = 4

    @property
    def label(self) -> str:
        """The word that users see."""
        return self.name.lower().replace("_", " ")


OFF = "off in the policy"
UNASKED = "the policy does not ask for it"
"""Why a rule that every policy does without is not evaluated."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One audit rule.

    `over` names the record set that `violation`, `review` and `doubt` are evaluated on, one row per record; `considered`
    selects its records, and `conclusive` those that can support more than review, whatever the policy's severity.
    `unknown` and `applies` are evaluated on the claim's own row. `errs` says which way the rule is wrong when the export
    has little data. The module's docstring is the rule's page.

    What the rule reads: `needs` are alternatives, at least one of which must exist for the rule to be evaluated: a
    column as `table.column`, or a table; `lines.units` and the like are columns of the claims table, or of the calls
    without one. `asked`: what a policy needs besides, or None if the policy does not ask for the rule. `reads` are other
    columns that change its outcome; every rule also reads required columns and `BILLED`. If the exports do not cover
    `window`, the rule is unknown. `dated`: it has no window, but compares the service date. `reads_calls`: it does not
    apply to a claim without a call unless it judges it `without_call` (`applies` may say when), and is unknown if the
    claim's ids may match one.

    The texts that `explain` prints: `nothing` if the rule found nothing, `why_unknown` if it is unknown,
    `not_applicable` if it does not apply to a claim that has a call, and `exclusion_reason` for a record that supports
    nothing; with `explains_rejected_records`, such records are counted. `page` and `nothing` may contain the policy's
    numbers (`Numbers`) in braces; `nothing` may also contain the claim's columns. `message` is the finding's sentence, of
    the claim's columns and those of the related record (`windows.columns.RELATED`), of which `detail` and `reason` are
    what the rule says of it.

    `origin`: the package of a local rule and its version; blank for a rule of the product. `since`: the version of the
    product that brought the rule.
    """

    code: str
    name: str
    over: RecordSet
    message: pl.Expr
    page: str
    errs: Direction
    cites: tuple[str, ...]
    examples: str
    violation: pl.Expr = field(default_factory=lambda: pl.lit(False))
    review: pl.Expr = field(default_factory=lambda: pl.lit(False))
    conclusive: pl.Expr = field(default_factory=lambda: pl.lit(True))
    doubt: pl.Expr = field(default_factory=lambda: pl.lit(False))
    unknown: pl.Expr = field(default_factory=lambda: pl.lit(False))
    considered: pl.Expr = field(default_factory=lambda: pl.lit(True))
    applies: pl.Expr = field(default_factory=lambda: pl.lit(True))
    reads: tuple[str, ...] = ()
    needs: Needs = ()
    asked: Callable[[Policy], Needs | None] = lambda _: ()
    window: CoverageWindow | None = None
    dated: bool = False
    reads_calls: bool = False
    without_call: bool = False
    shows_record: bool = True
    nothing: str = "nothing found"
    why_unknown: Why = lambda *_: "the export does not show it"
    not_applicable: str = "the rule does not apply to this claim"
    detail: pl.Expr = field(default_factory=lambda: pl.lit(None, pl.String))
    reason: pl.Expr = field(default_factory=lambda: pl.lit(None, pl.String))
    exclusion_reason: pl.Expr = field(default_factory=lambda: pl.col("exclusion_reason"))
    explains_rejected_records: bool = False
    origin: str = ""
    since: str = "0.1.0"

    def __post_init__(self) -> None:
        """Fields have their types, and every column that the rule names is listed. Raises ValueError."""
        if fault := self._wrong_field():
            raise ValueError(f"{self.code}: {fault}")
        if unlisted := self.inputs - _INPUTS:
            near = nearest(min(unlisted), sorted(_INPUTS))
            raise ValueError(f"{self.code} reads {min(unlisted)!r}, which is no table or column of the inputs{near}")
        explained = () if self.over == "claim" else (self.exclusion_reason,)
        check(
            self.code,
            self.over,
            (
                self.violation,
                self.review,
                self.conclusive,
                self.doubt,
                self.considered,
                self.detail,
                self.reason,
                *explained,
            ),
        )
        check(self.code, "claim", (self.is_unknown, self.is_applicable))
        check(self.code, "claim", (self.message,), message=True)

    def _wrong_field(self) -> str | None:
        """What is wrong with a field that Python itself would take, or None."""
        allowed = {
            "over": get_args(RecordSet),
            "window": (None, *get_args(CoverageWindow)),
            "errs": get_args(Direction),
        }
        for name, values in allowed.items():
            if (value := getattr(self, name)) not in values:
                return f"{name} is {value!r}; choose from {', '.join(filter(None, values))}"
        for each in fields(self):
            if each.type is pl.Expr and not isinstance(getattr(self, each.name), pl.Expr):
                return f"{each.name} must be a polars expression, such as pl.lit(True)"
        if isinstance(self.needs, str) or any(isinstance(alternatives, str) for alternatives in self.needs):
            return 'needs must hold a tuple of alternatives for each need, such as (("calls.purpose",),)'
        texts = (name for name in ("cites", "reads") if isinstance(getattr(self, name), str))
        return next((f'{name} must be a tuple of texts, such as ("...",)' for name in texts), None)

    @property
    def inputs(self) -> frozenset[str]:
        """Every optional column that can change the outcome, as `table.column`, and the table that it needs."""
        needed = {name for alternatives in self.needs for name in alternatives}
        of_lines = {name.partition(".")[2] for name in needed if name.startswith("lines.")}
        billing = {f"{table}.{column}" for table in ("calls", "claims") for column in of_lines}
        return frozenset(BILLED) | {*self.reads, *needed, *billing} - {f"lines.{column}" for column in of_lines}

    @property
    def is_unknown(self) -> pl.Expr:
        """Whether a claim is unknown by itself: its window is not covered, its call is unsure, or `unknown` holds."""
        unknown = self.unknown
        if self.window:
            unknown = pl.col(f"{self.window}_not_covered") | unknown
        return unknown | pl.col("call_unsure") if self.reads_calls else unknown

    @property
    def reads_date(self) -> bool:
        """Whether its outcome depends on the service date: a range of dates then gives review at most."""
        return self.dated or self.window is not None

    @property
    def is_applicable(self) -> pl.Expr:
        """Whether the rule applies to a claim."""
        return HAS_CALL & self.applies if self.reads_calls and not self.without_call else self.applies

    @property
    def strongest(self) -> Literal["violation", "review"]:
        """The strongest outcome that the rule gives, unless the policy sets another."""
        return "review" if self.violation.meta.eq(pl.lit(False)) else "violation"

    def outcome(self, severity: Mapping[str, Severity]) -> pl.Expr:
        """The outcome that one record supports, with the policy's severity; CLEAR if it supports none."""
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

    def lacks_table(self, tables: Collection[str]) -> bool:
        """Whether it needs the calls or the visits, and they are not among the tables."""
        absent = {"calls", "visits"} - {*tables}
        return any({name.partition(".")[0] for name in names} & absent for names in self.needs)

    def is_on(self, policy: Policy) -> bool:
        """Whether the policy asks for the rule, and it is not off there."""
        return self.asked(policy) is not None and policy.severity.get(self.code) != "off"

    def why_left_out(self, policies: Sequence[Policy]) -> str | None:
        """Why none of the policies evaluates the rule, or None."""
        if any(map(self.is_on, policies)):
            return None
        return UNASKED if all(self.asked(policy) is None for policy in policies) else OFF

    def why_not_evaluated(self, exists: frozenset[str], policies: Sequence[Policy]) -> str | None:
        """Why the rule cannot be evaluated under these policies on these tables and columns, or None."""
        if reason := self.why_left_out(policies):
            return reason
        asked = (alternatives for policy in policies if self.is_on(policy) for alternatives in self.asked(policy) or ())
        for alternatives in (*self.needs, *asked):
            if not exists.intersection(alternatives):
                needed = " or ".join(alternatives)
                return f"no {needed} in the inputs"
        return None


_INPUTS = frozenset(f"{table.name}.{column}" for table in TABLES.values() for column in table.columns) | TABLES.keys()

TELEPHONE_SERVICES = "CPT 2020 Professional Edition (AMA), Medicine, Telephone Services 98966-98968"
"""The source of most rules, as rules cite it."""

HAS_CALL = pl.col("has_call") | pl.col("call_unsure")
"""A call supports the claim, or may support it: its ids match one but for the way they are written."""

_BILLING = ("cpt_code", "claim_id", "claim_line", "claim_status", "frequency_code", "original_claim_id", "billed_amount",
            "paid_amount")  # fmt: skip
BILLED = (
    *(f"{table}.{column}" for table in ("calls", "claims") for column in _BILLING),
    "claims.call_id",
    *(f"claims.{name}" for name in ("processed_date", "payer", "place_of_service", "diagnosis_codes")),
    "calls.purpose",
)
"""The optional columns from which every rule has the lines and their calls."""

TIMES = (
    "calls.call_end",
    "calls.call_end_time",
    "calls.call_minutes",
    "calls.call_seconds",
    "calls.discussion_minutes",
)
"""The columns from which rules have the end and the minutes of calls."""

GROUPS = ("calls.group_id", "calls.specialty", "providers.group_id", "providers.specialty")
"""The columns from which rules have the group and specialty of a claim's provider."""

RELATION_READS = (*GROUPS, "calls.related_visit_id", "calls.problem_id", "calls.diagnosis_codes", "claims.diagnosis_codes",
    "visits.provider_id", "visits.originating_call_id", "visits.problem_id", "visits.diagnosis_codes", "visits.group_id",
    "visits.specialty", "visits.modality", "visits.cpt_codes", "visits.status")  # fmt: skip
"""The columns from which rules have whether a visit took place, counts, and is related."""

ONCE = pl.col("billed_again").is_null()
"""Whether another line does not bill the claim's service again for a reason that makes it no repeat."""
