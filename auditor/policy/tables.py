"""The tables of a policy.

Source: docs/specification.md#policy.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, create_model

from auditor.policy.types import MOST, Code, Dates, Differences, dates, two_characters
from auditor.run_options import RUN_OPTIONS, RunOption
from auditor.schema.codes import FAMILY, CodeList


class PolicyTable(BaseModel):
    """A table without other keys than its fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Band(PolicyTable):
    """The minutes of a code, both ends included."""

    low: int = Field(ge=0, le=MOST)
    high: int = Field(ge=0, le=MOST)


class Lookback(PolicyTable):
    """How far back related visits count, in calendar days."""

    days: int = Field(ge=0, le=366)
    postoperative_days: tuple[Annotated[int, Field(ge=0, le=366)], ...]


class Lookahead(PolicyTable):
    """How long after a call a visit counts, in elapsed hours."""

    hours: int = Field(ge=0, le=744)
    unrelated_supports: bool


class Duration(PolicyTable):
    """Whether the unbilled calls of a period count toward a claim's minutes, request review, or are ignored."""

    cumulative: Literal["ask", "period", "claim"]


class Frequency(PolicyTable):
    """How often a claim may repeat."""

    period_days: int = Field(ge=1, le=366)
    anchor: Literal["unflagged", "reported"]
    max_units: int = Field(ge=1, le=MOST)

    @property
    def last_day(self) -> int:
        """The last day of the period, in days after the line."""
        return self.period_days - 1


Date = date


class Source(PolicyTable):
    """A document that a policy follows: its title, its own date, and its address as far as they are known."""

    title: str
    date: Date | None = None
    address: str | None = None

    def __str__(self) -> str:
        return ", ".join(str(part) for part in (self.title, self.date, self.address) if part)


def _titled(source: Any) -> Any:
    return {"title": source} if isinstance(source, str) else source


Document = Annotated[Source, BeforeValidator(_titled)]


class Required(PolicyTable):
    """What only some payers require. A rule that a policy does not ask for here is not evaluated under it."""

    consent: bool = Field(strict=True)
    modifiers: tuple[Annotated[str, two_characters("[A-Z0-9]{2}", "letters or digits, such as 93")], ...]
    place_of_service: tuple[Annotated[str, two_characters("[0-9]{2}", "digits, such as 02")], ...]


class Closures(PolicyTable):
    """When the practice was closed, and whether other date gaps make rules unknown."""

    closed: tuple[Dates, ...]
    holes: Literal["unknown", "warn"]

    @property
    def closed_dates(self) -> frozenset[date]:
        return frozenset(day for text in self.closed for day in dates(text))


class Ids(PolicyTable):
    """Differences to ignore when ids are compared, and which patient ids are, or are not, placeholders."""

    patient_id: Differences = ()
    provider_id: Differences = ()
    call_id: Differences = ()
    visit_id: Differences = ()
    problem_id: Differences = ()
    placeholders: tuple[str, ...] = ()
    not_placeholders: tuple[str, ...] = ()
    exact: tuple[
        Literal["call_id", "claim_id", "group_id", "patient_id", "problem_id", "provider_id", "visit_id"], ...
    ] = ()


class PhoneLog(PolicyTable):
    """How calls are matched to the telephone system's records.

    `users`: provider → the extensions, users and own numbers; `region`: the country of numbers without a country code.
    """

    match_minutes: int = Field(ge=0, le=60, strict=True)
    region: Annotated[str, two_characters("[A-Z]{2}", "letters, such as US")]
    users: Mapping[str, str | tuple[str, ...]] = {}


class RowChoice(PolicyTable):
    """Rows to keep and to drop: header of the export → words, as vocabularies are written; "" is a blank cell."""

    keep: Mapping[str, tuple[str, ...]] = {}
    drop: Mapping[str, tuple[str, ...]] = {}


class Lists(PolicyTable):
    """Code lists and credentials."""

    visit_codes: tuple[Code, ...]
    procedures: tuple[Code, ...]
    no_visit: tuple[Code, ...]
    telephone: tuple[Code, ...]
    ncci_0: tuple[Code, ...]
    ncci_1: tuple[Code, ...]
    physicians: tuple[str, ...]
    qualified: tuple[str, ...]
    may_report_em: tuple[str, ...]

    def no_visit_codes_in(self, codes: Iterable[str]) -> set[str]:
        """The codes that are listed as no visit, or of the family."""
        no_visit = CodeList.of(self.no_visit)
        return {code for code in codes if code in no_visit or code in FAMILY}

    def visit_codes_in(self, codes: Iterable[str]) -> set[str]:
        """The codes of visits and procedures."""
        different = {code for code in codes if code is not None}
        visits, procedures = CodeList.of(self.visit_codes), CodeList.of(self.procedures)
        no_visit = self.no_visit_codes_in(different)
        found = {code for code in different if code in visits or (code in procedures and code not in no_visit)}
        return found - set(FAMILY)


class Credentials(BaseModel):
    """What words of credentials and the first characters of taxonomy codes mean, and how ELG003 judges some of them."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, str]
    may_report_em: Literal["clear", "review"]

    @property
    def words(self) -> Mapping[str, str]:
        """Word, or first characters of a taxonomy code → a credential, `physician` or `qualified`."""
        return self.__pydantic_extra__


def _run_type(option: RunOption) -> Any:
    """What the policy's [run] table may hold for an option."""
    if option.choices and option.kind == "text":
        return Literal[option.choices]
    listed = str | tuple[str, ...]
    kinds = {"paths": listed, "list": listed, "rules": listed, "switch": bool, "size": str | int}
    return kinds.get(option.kind, str | datetime | date if option.kind == "day" else str)


RunDefaults = create_model(
    "RunDefaults",
    __base__=PolicyTable,
    __doc__="Options of `audit98968 run` that a policy may set; flags and variables override them.",
    **{option.name: (_run_type(option) | None, None) for option in RUN_OPTIONS if option.in_policy},  # type: ignore[call-overload]
)


class Period(PolicyTable):
    """The policy of a payer (`policy`: shipped, or a file relative to the policy's) from one date to another."""

    policy: str
    first: date | None = Field(default=None, alias="from")
    last: date | None = Field(default=None, alias="to")


def _periods(value: Any) -> Any:
    return [{"policy": value}] if isinstance(value, str) else value


def _apart(periods: tuple[Period, ...]) -> tuple[Period, ...]:
    """Raises ValueError where a service date would have two policies, or none of a period's dates is one."""
    until = None
    for period in sorted(periods, key=lambda period: period.first or date.min):
        if until is not None and (period.first or date.min) <= until:
            raise ValueError("two periods have the same date; end one before the next begins")
        until = period.last or date.max
        if until < (period.first or date.min):
            raise ValueError("a period ends before it begins")
    return periods


Periods = Annotated[tuple[Period, ...], BeforeValidator(_periods), AfterValidator(_apart)]
