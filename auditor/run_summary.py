"""summary.json of a run: the model that is written, published as a JSON Schema, and read back.

Source: docs/specification.md#outputs.

A file of an older version may lack keys: they have defaults here, and `model_fields_set` has what the file has.
"""

from datetime import UTC, date, datetime
from typing import Annotated, Any, ClassVar

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, field_serializer

from auditor.schema.names import counted
from auditor.windows.bounds import Numbers

Text = str | None

# What version 1 of the schema named otherwise.
_Columns = Annotated[list[str], BeforeValidator(lambda names: [name.replace("licence_", "license_") for name in names])]
_Marks = Annotated[
    dict[str, int],
    BeforeValidator(lambda marks: {name.replace("not seen", "not_seen"): count for name, count in marks.items()}),
]


def _publish(schema: dict[str, Any], model: type["Part"]) -> None:
    """A run writes every key but those that it `may_lack`, and no other."""
    for name in schema["properties"]:
        schema["properties"][name].pop("default", None)
    schema |= {"required": [name for name in schema["properties"] if name not in model.may_lack]}
    schema["additionalProperties"] = False


class Part(BaseModel):
    """A part of a summary."""

    model_config = ConfigDict(extra="ignore", json_schema_extra=_publish)
    may_lack: ClassVar[tuple[str, ...]] = ()


class PolicyName(Part):
    may_lack = ("found",)

    name: str = "unknown"
    sha256: str = Field(default="", description="of the policy's file")
    found: str | None = Field(default=None, description="the policy's file, where it was found without --policy")

    @property
    def shown(self) -> str:
        """The name, with the file that was found."""
        return f"{self.name} (found: {self.found})" if self.found else self.name


class ZoneRules(Part):
    """Whose time zone rules the audit computed with, and the IANA version that they were compared with."""

    computed: str = ""
    tzdata: str = ""


class InputFile(Part):
    table: str
    path: str
    bytes: int = 0
    sha256: str
    rows: int
    used: int = 0
    rejected: int = 0
    kind: str = Field(default="csv", description="csv, parquet, or the kind of the source")
    understood: list[str] = Field(default=[], description="how a source of another kind is read")
    left_out: int = Field(default=0, description="rows that the policy's [rows] leaves out, and repeated headers")


class DateGap(Part):
    table: str
    first: date
    last: date


class CoverageDates(Part):
    as_of: datetime | None = Field(default=None, description="the instant up to which the visits export is complete")
    visits_since: date | None = None
    claims_since: date | None = None
    holes: list[DateGap] = Field(default=[], description="date gaps: days without rows on which rows are expected")

    @field_serializer("as_of")
    def _as_text(self, as_of: datetime | None) -> str | None:
        return as_of.isoformat() if as_of else None


class TableExtent(Part):
    """How far a table reaches."""

    first: date | None = None
    last: date | None = None
    months: dict[str, int] = Field(default={}, description="rows by month, as 2026-03")
    audited: dict[str, int] = Field(default={}, description="audited claims by month of service, of the billed table")
    different: dict[str, int] = Field(default={}, description="distinct ids by column")
    timed: _Columns = Field(default=[], description="columns that have times of day")
    columns: _Columns = Field(default=[], description="columns that are not blank")


class ClaimCounts(Part):
    audited: int = 0
    violation: int = 0
    review: int = 0
    incomplete: int = 0
    clear: int = 0
    not_applicable: int = 0
    void: int = 0
    denied: int = 0
    rejected: int = 0
    clear_by_absence: int = Field(default=0, description="clear claims whose patient has no visit in the export")


class AfterDecisions(Part):
    violation: int = 0
    review: int = 0
    incomplete: int = 0
    dismissed: int = Field(default=0, description="claims whose findings are all dismissed")
    dismissed_findings: int = 0
    dismissed_amount: float = 0.0
    settled: int = Field(default=0, description="claims whose findings are all corrected, refunded or dismissed")
    settled_findings: int = 0


class RuleResult(Part):
    may_lack = ("local",)

    code: str
    name: str
    evaluated: bool = True
    reason: Text = Field(default=None, description="why it was not evaluated")
    applicable: int = 0
    violation: int = 0
    review: int = 0
    unknown: int = 0
    violation_amount: float = Field(default=0.0, description="dollars of claims with a violation that is not settled")
    review_amount: float = 0.0
    dismissed: int = Field(default=0, description="findings")
    settled: int = Field(default=0, description="findings that are corrected, refunded or dismissed")
    local: Text = Field(default=None, description="the package of a local rule and its version")


class Money(Part):
    at_risk: float = Field(default=0.0, description="dollars of claims in violation, each once, less what was settled")
    at_risk_without_amount: int = Field(default=0, description="claims in violation without an amount")
    review: float = 0.0
    review_without_amount: int = 0
    without_amount: int = 0
    this_run: float = Field(default=0.0, description="at_risk before decisions")
    returned: float = Field(default=0.0, description="the sum of refunds")
    not_returned: float = Field(
        default=0.0, description="amounts of partly refunded claims that are still at risk or under review"
    )


class Join(Part):
    """How many different ids (`of`) were looked for in a column (`in`), and how many were found."""

    of: str
    column: str = Field(alias="in")
    values: int = Field(description="distinct ids that were searched for")
    found: int
    nearly_equal: int | None = None
    differ_in: Text = None


class RejectCounts(Part):
    rejected: int
    duplicates: int
    without_patient: int


class UnrecognizedValue(Part):
    may_lack = ("hidden",)

    table: str
    column: str
    value: Text = Field(description="null on standard output without --show-ids if rare or with digits")
    count: int = Field(description="rows")
    hidden: int = Field(default=1, description="number of values that are hidden behind a null")


class BlankWords(Part):
    table: str
    column: str
    count: int = Field(description="rows whose text is a null word, or has no letter or digit")


class BlankDates(Part):
    table: str
    column: str
    count: int = Field(description="rows with a placeholder date")


class Tally(Part):
    may_lack = ("next_due", "oldest")

    findings: int
    claims: int
    amount: float = Field(description="dollars, each claim once")
    next_due: date | None = Field(default=None, description="next deadline of the cases whose 60 days are running")
    oldest: date | None = Field(default=None, description="the day on which the oldest open case was first found")


class UndecidedCounts(Part):
    waiting: int = 0
    settled: int = 0


class UncheckedCases(Part):
    """Open cases that the run could not check: their claim was not in the exports, or their rule was not evaluated."""

    inside: int = Field(default=0, description="whose service date is inside the coverage of this run")
    of: int = Field(default=0, description="all open cases with such a date")
    outside: int = Field(default=0, description="whose service date is outside of it")

    @property
    def is_alarming(self) -> bool:
        """Whether they are more than 1 in 50."""
        return self.inside * 50 > self.of

    @property
    def sentence(self) -> str:
        """For the last lines of every summary."""
        others = f"; {self.outside:,} more are outside of its dates" if self.outside else ""
        return f"{counted(self.inside, 'open case')} could not be checked in this run{others}"


class LedgerPart(Part):
    """What the run changed in the ledger; `began` and `head`: the last hashes of its history before the run and after it."""

    run: int = 0
    previous_run: Text = None
    repeats: Text = Field(default=None, description="the earlier run with the same inputs and settings")
    marks: _Marks = {}
    announced: int = Field(
        default=0, description="findings that this run is the first to report as new, worse or reopened"
    )
    undecided: UndecidedCounts = UndecidedCounts()
    began: Text = None
    head: Text = None
    location: Text = Field(default=None, description="the output folder or the file that --ledger names")
    unchecked: UncheckedCases = UncheckedCases()
    this_run: dict[str, Tally] = Field(default={}, validation_alias=AliasChoices("this_run", "tonight"))
    work: dict[str, Tally] = {}


class RunFigures(Part):
    """One run of the trend."""

    run: str
    audited: int | None = Field(default=None, description="audited claims")
    violation_rate: float | None = Field(default=None, description="share of the audited claims in violation")
    new: int | None = Field(default=None, description="new findings; null: the run had no ledger")
    open: int | None = Field(default=None, description="open cases with a finding in the run; null: likewise")
    returned: float | None = Field(default=None, description="dollars, the sum of refunds; null: likewise")


class PayerResult(Part):
    """The claims of one payer under one policy; money after decisions, as in `money`."""

    payer: Text = Field(
        default=None, description="the insurer billed; null: none, or one that the policy does not name"
    )
    policy: Text = Field(default=None, description="the policy that judged the claims; null: none")
    claims: int = Field(default=0, description="all of them, `not_applicable` ones too")
    violation: int = 0
    review: int = 0
    incomplete: int = 0
    clear: int = 0
    not_applicable: int = 0
    findings: int = Field(default=0, description="that are not settled")
    at_risk: float = 0.0
    under_review: float = 0.0


class PastLookback(Part):
    """Audited claims with a service date before the lookback period of 42 CFR 401.305(f); money after decisions."""

    before: date | None = Field(default=None, description="six years before the run's start")
    claims: int = 0
    violation: int = 0
    review: int = 0
    at_risk: float = 0.0
    under_review: float = 0.0


class _Head(Part):
    """What every run says of itself."""

    schema_version: int = 1
    run_id: str = ""
    version: str = ""
    started: str = ""
    policy: PolicyName = PolicyName()
    settings: dict[str, Any] = {}
    timezone: str = "UTC"
    zone_rules: ZoneRules = ZoneRules()
    pseudonym_key_id: Text = None

    @property
    def started_utc(self) -> str:
        """The start in UTC, in ISO 8601; blank where it is not known. Raises ValueError for another text."""
        return datetime.fromisoformat(self.started).astimezone(UTC).isoformat() if self.started else ""

    @property
    def lookback_start(self) -> date | None:
        """The first day of the six years up to the run's start, in its zone; None where that is not known.

        An overpayment must be returned only if it is identified within 6 years of the day on which it was received
        (42 CFR 401.305(f)).
        """
        if not self.started:
            return None
        day = datetime.fromisoformat(self.started).date()
        leap = (day.month, day.day) == (2, 29)
        return date(day.year - 6, 3, 1) if leap else day.replace(year=day.year - 6)

    def published(self) -> dict[str, Any]:
        """The file's keys and values, in order."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


class Summary(_Head):
    """summary.json of a finished run."""

    may_lack = ("ledger", "payers", "past_lookback", "trend")

    rules_evaluated: int = 0
    rules_total: int = 0
    inputs: list[InputFile] = []
    coverage: CoverageDates = CoverageDates()
    blank_columns: list[str] = []
    reaches: dict[str, TableExtent] = {}
    claims: ClaimCounts = Field(default=ClaimCounts(), description="claims by disposition, before reviewers' decisions")
    after_decisions: AfterDecisions = Field(
        default=AfterDecisions(),
        validation_alias=AliasChoices("after_decisions", "standing"),
        description="claims by disposition, after reviewers' decisions",
    )
    rules: list[RuleResult] = []
    money: Money = Money()
    payers: list[PayerResult] = Field(default=[], description="where the policy has [payers]")
    past_lookback: PastLookback = Field(default=PastLookback(), description="where there are such claims")
    joins: list[Join] = []
    rejects: dict[str, RejectCounts] = {}
    unrecognised: list[UnrecognizedValue] = []
    null_words: list[BlankWords] = []
    placeholder_dates: list[BlankDates] = []
    row_zones: list[str] = Field(default=[], description="tables whose rows state the zone of their times")
    warnings: list[str] = []
    ledger: LedgerPart = LedgerPart()
    trend: list[RunFigures] = Field(default=[], description="the last 26 runs up to this one, the oldest first")

    _numbers: Numbers = PrivateAttr()

    def model_post_init(self, _: Any) -> None:
        """Raises ValueError where the settings have no numbers of a policy."""
        self._numbers = Numbers.of(self.settings.get("policy", {}))

    @property
    def zones(self) -> str:
        """The zone of the audit, and where each row's own was read."""
        own = f" (times of {' and '.join(self.row_zones)} in each row's own zone)" if self.row_zones else ""
        return self.timezone + own

    @property
    def numbers(self) -> Numbers:
        """The lengths of the windows, and the bands of the codes."""
        return self._numbers

    @property
    def policies(self) -> list[dict[str, Any]]:
        """What each policy of the run says: the run's own, then those of payers."""
        return [self.settings.get("policy", {}), *self.settings.get("payer_policies", [])]

    @property
    def audited_dates(self) -> tuple[date, date]:
        """The first and the last service date that the run covers: of the billed lines, as far as it was asked to audit."""
        extent = self.reaches.get("claims", self.reaches.get("calls", TableExtent()))
        asked = (self.settings.get("service_from"), self.settings.get("service_to"))
        first, last = (date.fromisoformat(str(day)[:10]) if day else None for day in asked)
        return (
            max(first or date.min, self.coverage.claims_since or extent.first or date.max),
            min(last or date.max, extent.last or date.min),
        )

    @property
    def figures(self) -> RunFigures:
        """What the trend shows of this run."""
        claims, marks, work = self.claims, self.ledger.marks, self.ledger.work
        return RunFigures(
            run=self.run_id,
            audited=claims.audited,
            violation_rate=round(claims.violation / claims.audited, 4) if claims.audited else None,
            new=marks.get("new", 0) if self.ledger.run else None,
            open=work["open"].findings if "open" in work else None,
            returned=self.money.returned if self.ledger.run else None,
        )

    def under(self, policy: str | None) -> "Summary":
        """The summary of a run under the policy of a payer alone; as it is where that is the run's own, or none."""
        own = next((some for some in self.policies[1:] if some["name"] == policy), None)
        if own is None:
            return self
        name = PolicyName(name=own["name"], sha256=own["sha256"])
        settings = self.settings | {"policy": self.settings["policy"] | own}
        return Summary(**{**dict(self), "policy": name, "settings": settings})

    @property
    def policies_without_clock(self) -> list[str]:
        """The names of the policies under which no 60 days run."""
        return [policy["name"] for policy in self.policies if policy.get("overpayment_clock", 60) is None]

    @property
    def evaluated(self) -> frozenset[str]:
        """The codes of the rules that were evaluated."""
        return frozenset(rule.code for rule in self.rules if rule.evaluated)


class RefusalSummary(_Head):
    """summary.json of a run that was refused, and why."""

    refused: str
    inputs: list[InputFile]
    rejects: dict[str, RejectCounts]
    unrecognised: list[UnrecognizedValue]
