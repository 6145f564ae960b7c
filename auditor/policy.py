"""The policy: every threshold, list, vocabulary and mapping of an audit, read from TOML and validated.

A policy file holds only what it changes; everything else comes from `policies/default.toml`.

Source: docs/specification.md#policy.
"""

import codecs
import contextlib
import csv
import hashlib
import io
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, create_model

from auditor import small_files, zones
from auditor.errors import UsageError
from auditor.run_options import RUN_OPTIONS, RunOption
from auditor.schema.codes import FAMILY, CodeList, form
from auditor.schema.names import nearest
from auditor.schema.tables import TABLES, YES_NO, Kind, fold_term, is_number
from auditor.sources import known

Unit = Literal["minutes", "seconds", "milliseconds", "hours", "days", "h:mm"]
Severity = Literal["violation", "review", "off"]
Problem = tuple[tuple[str, ...], str]
"""The path of a key, and what is wrong with it."""
_MOST = 1_000_000
"""The largest number of a policy: it leaves room for arithmetic."""
_DEPTH = 16
"""Levels of tables and lists in a policy, which has no more than six."""
_LARGEST, _LARGEST_LIST = 16 << 20, 64 << 20
"""Bytes of a policy and of the file of a list."""
FindRules = Callable[[str, Iterable[str]], tuple[str, ...]]
"""`rules.select`: codes, prefixes and names → rule codes."""

_SHIPPED = resources.files("auditor") / "policies"


def _valid_timezone(name: str) -> str:
    if name not in zones.names():
        raise ValueError(f"not an IANA time zone{nearest(name, zones.names())}")
    return name


def _bounds(dates: tuple[date, date]) -> tuple[date, date]:
    first, last = dates
    if first > last:
        raise ValueError("the first date is after the last one")
    if first.year < 2 or last.year > 9998:
        raise ValueError("dates must be from the year 2 to 9998")
    return dates


def _whole_date(form: str) -> str:
    if form in ("epoch", "epoch_ms", "excel"):
        return form
    day, month, year = r"%[-_0]?[dej]|%j", r"%[-_0]?m|%[bBh]|%j", r"%[-_0]?[Yy]"
    if not re.search(r"%[FDxcs+]", form) and not all(re.search(part, form) for part in (day, month, year)):
        raise ValueError("a format needs a day, a month and a year, such as %d-%b-%Y or %d.%m.%Y %H:%M")
    return form


def _valid_encoding(name: str) -> str:
    known = {"utf-8": "utf-8", "iso8859-1": "latin-1", "cp1252": "cp1252"}
    with contextlib.suppress(LookupError, ValueError):
        if found := known.get(codecs.lookup(name).name):
            return found
    raise ValueError(f"must be one of {', '.join(known.values())}")


def _offset(text: str) -> str:
    if not re.fullmatch(r"[+-](0\d|1[0-4]):?[0-5]\d", text):
        raise ValueError("must be an offset from UTC, such as -05:00")
    return text


Offset = Annotated[str, AfterValidator(_offset)]
Encoding = Annotated[str, AfterValidator(_valid_encoding)]


def _code_or_range(entry: str) -> str:
    first, _, last = entry.strip().upper().partition("-")
    low, high = form(first), form(last)
    if not re.fullmatch(r"\w{5}", first, re.ASCII) or (last and not (low and high and low[0] == high[0])):
        raise ValueError("must be a code of five characters or a range of codes of the same form, such as 99202-99205")
    if last and first > last:
        raise ValueError("a range must begin with its lower code, such as 99202-99205")
    return entry


Code = Annotated[str, AfterValidator(_code_or_range)]
InstantFormat = Annotated[str, AfterValidator(_whole_date)]
Timezone = Annotated[str, AfterValidator(_valid_timezone)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Band(_Strict):
    """The minutes of a code, both ends included."""

    low: int = Field(ge=0, le=_MOST)
    high: int = Field(ge=0, le=_MOST)


class Lookback(_Strict):
    """How far back related visits count, in calendar days."""

    days: int = Field(ge=0, le=366)
    postoperative_days: tuple[Annotated[int, Field(ge=0, le=366)], ...]


class Lookahead(_Strict):
    """How long after a call a visit counts, in elapsed hours."""

    hours: int = Field(ge=0, le=744)
    unrelated_supports: bool


class Duration(_Strict):
    """Whether the unbilled calls of a period count toward a claim's minutes, request review, or are ignored."""

    cumulative: Literal["ask", "period", "claim"]


class Frequency(_Strict):
    """How often a claim may repeat."""

    period_days: int = Field(ge=1, le=366)
    anchor: Literal["unflagged", "reported"]
    max_units: int = Field(ge=1, le=_MOST)

    @property
    def last_day(self) -> int:
        """The last day of the period, in days after the line."""
        return self.period_days - 1


Differences = tuple[Literal["case", "zeros", "decimal", "punctuation", "reference"], ...]


def _dates(text: str) -> list[date]:
    """The dates of `2025-12-24`, or of `2025-12-24/2026-01-01`. Raises ValueError."""
    first, _, last = text.partition("/")
    try:
        start, end = date.fromisoformat(first.strip()), date.fromisoformat((last or first).strip())
    except ValueError:
        raise ValueError("must be a date or two dates, such as 2025-12-25 or 2025-12-24/2026-01-01") from None
    if not 0 <= (end - start).days <= 366:
        raise ValueError("the first date must come first, and the last date at most a year later")
    _bounds((start, end))
    return [start + timedelta(days=days) for days in range((end - start).days + 1)]


Date = date


class Source(_Strict):
    """A document that a policy follows: its title, its own date, and its address as far as they are known."""

    title: str
    date: Date | None = None
    address: str | None = None

    def __str__(self) -> str:
        return ", ".join(str(part) for part in (self.title, self.date, self.address) if part)


def _titled(source: Any) -> Any:
    return {"title": source} if isinstance(source, str) else source


def _two(pattern: str, kind: str) -> AfterValidator:
    """Checks that a text is two characters of a kind, and writes it in upper case."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text.upper(), re.ASCII):
            raise ValueError(f"must be two {kind}")
        return text.upper()

    return AfterValidator(check)


class Required(_Strict):
    """What only some payers require. A rule that a policy does not ask for here is not evaluated under it."""

    consent: bool = Field(strict=True)
    modifiers: tuple[Annotated[str, _two("[A-Z0-9]{2}", "letters or digits, such as 93")], ...]
    place_of_service: tuple[Annotated[str, _two("[0-9]{2}", "digits, such as 02")], ...]


class Closures(_Strict):
    """When the practice was closed, and whether other date gaps make rules unknown."""

    closed: tuple[Annotated[str, AfterValidator(lambda text: _dates(text) and text)], ...]
    holes: Literal["unknown", "warn"]

    @property
    def closed_dates(self) -> frozenset[date]:
        return frozenset(day for text in self.closed for day in _dates(text))


class Ids(_Strict):
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


class PhoneLog(_Strict):
    """How calls are matched to the telephone system's records.

    `users`: provider → the extensions, users and own numbers; `region`: the country of numbers without a country code.
    """

    match_minutes: int = Field(ge=0, le=60, strict=True)
    region: Annotated[str, _two("[A-Z]{2}", "letters, such as US")]
    users: Mapping[str, str | tuple[str, ...]] = {}


class RowChoice(_Strict):
    """Rows to keep and to drop: header of the export → words, as vocabularies are written; "" is a blank cell."""

    keep: Mapping[str, tuple[str, ...]] = {}
    drop: Mapping[str, tuple[str, ...]] = {}


class Lists(_Strict):
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

    def no_visits_among(self, codes: Iterable[str]) -> set[str]:
        """The codes that are listed as no visit, or of the family."""
        no_visit = CodeList.of(self.no_visit)
        return {code for code in codes if code in no_visit or code in FAMILY}

    def visits_among(self, codes: Iterable[str]) -> set[str]:
        """The codes of visits and procedures."""
        different = {code for code in codes if code is not None}
        visits, procedures = CodeList.of(self.visit_codes), CodeList.of(self.procedures)
        no_visit = self.no_visits_among(different)
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
    __base__=_Strict,
    __doc__="Options of `audit98968 run` that a policy may set; flags and variables override them.",
    **{option.name: (_run_type(option) | None, None) for option in RUN_OPTIONS if option.in_policy},  # type: ignore[call-overload]
)


class Period(_Strict):
    """The policy of a payer (`policy`: shipped, or a file relative to the policy's) from one date to another."""

    policy: str
    first: date | None = Field(default=None, alias="from")
    last: date | None = Field(default=None, alias="to")


def _clock(days: Any) -> Any:
    if days not in (60, "", None) or isinstance(days, bool):
        raise ValueError('must be 60, or "" for no clock')
    return days or None


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
Clock = Annotated[int | None, BeforeValidator(_clock)]


class Policy(_Strict):
    """One validated policy. `sha256` is the hash of its file.

    `systems`: table → the source that ships, whose headers it may have (`sources.known`). `payers`: payer, or `otherwise`, →
    its periods; `policies`: those that they name, each with this mapping.
    """

    name: str
    description: str = ""
    sources: tuple[Annotated[Source, BeforeValidator(_titled)], ...] = ()
    verified_on: date | None = None
    unverified: tuple[str, ...] = ()
    effective_from: date | None = None
    effective_to: date | None = None
    encoding: Encoding
    max_expansion: Annotated[int, Field(ge=2, le=_MOST)]
    decimal: Literal[".", ","]
    nulls: tuple[str, ...]
    placeholder_dates: Annotated[tuple[date, date], AfterValidator(_bounds)]
    timezone: Timezone
    dst: Literal["reject", "first", "second"]
    instant_formats: tuple[InstantFormat, ...]
    zone_names: Mapping[str, Offset]
    timezones: Mapping[str, Timezone]
    skip_rows: Mapping[
        Literal["calls", "visits", "claims", "providers", "phone_log"], Annotated[int, Field(ge=0, le=1000)]
    ]
    rows: Mapping[str, RowChoice]
    units: Mapping[Literal["call_minutes", "call_seconds", "discussion_minutes", "talk_seconds"], Unit]
    relatedness: Literal["evidence", "any"]
    reversals: Literal["ask", "real"]
    horizon_days: int = Field(ge=1, le=366, strict=True)
    coverage: Closures
    ids: Ids
    phone_log: PhoneLog
    bands: Mapping[Literal["98966", "98967", "98968"], Band]
    lookback: Lookback
    lookahead: Lookahead
    duration: Duration
    frequency: Frequency
    severity: Mapping[str, Severity]
    required: Required
    overpayment_clock: Clock = None
    payers: Mapping[str, Periods] = {}
    lists: Lists
    credentials: Credentials
    list_files: Mapping[str, Mapping[str, str]] = {}
    columns: Mapping[str, Mapping[str, str | tuple[str, ...]]] = {}
    values: Mapping[str, Mapping[str, Mapping[str, str | tuple[str, ...]]]] = {}
    run: RunDefaults = RunDefaults()  # type: ignore[valid-type]
    sha256: str = ""
    timezone_defaulted: bool = False
    own_keys: frozenset[str] = frozenset()
    systems: Mapping[str, str] = {}
    policies: Mapping[str, "Policy"] = {}

    def sources_of(self, table: str, column: str) -> tuple[str, ...]:
        """The export's headers that the policy maps to a canonical column; empty if it maps none."""
        mapped = self.columns.get(table, {}).get(column, ())
        return (mapped,) if isinstance(mapped, str) else mapped

    def must_have(self, table: str, column: str) -> bool:
        """Whether the headers that a column is mapped to must be there; those of a source that ships need not."""
        return table not in self.systems or f"columns.{table}.{column}" in self.own_keys

    def rows_above(self, table: str) -> int:
        """The number of lines above the header of a table's CSV files."""
        return next((rows for name, rows in self.skip_rows.items() if name == table), 0)

    def has_zone(self, table: str, column: str) -> bool:
        """Whether the policy sets a zone for a column or its table."""
        return table in self.timezones or f"{table}.{column}" in self.timezones

    def zone_of(self, table: str, column: str) -> str:
        """The zone of a column's values without an offset."""
        return self.timezones.get(f"{table}.{column}", self.timezones.get(table, self.timezone))

    def terms(self, table: str, column: str, *, numbers: bool = True) -> dict[str, str]:
        """Folded value → term for a vocabulary column, the policy's own values included.

        `numbers`: whether the numbers of the vocabulary count, too.
        """
        vocabulary = TABLES[table].columns[column].vocabulary or YES_NO
        by_text = {fold_term(text): term for term, texts in vocabulary.items() for text in (term, *texts)
                   if numbers or not is_number(text)}  # fmt: skip
        for key, value in self.values.get(table, {}).get(column, {}).items():
            pairs = {fold_term(text): term for text, term in _term_pairs(key, value, by_text)}
            own_terms = pairs.keys() & set(map(fold_term, vocabulary))
            if any(by_text.get(text) not in (None, pairs[text]) for text in own_terms):
                raise ValueError(f"{key!r} is a term itself and cannot mean another term")
            by_text |= pairs
        return by_text


_INSTANTS = {
    name: {column.name for column in table.columns.values() if column.kind in (Kind.INSTANT, Kind.DATE)}
    for name, table in TABLES.items()
}


def _term_pairs(key: str, value: str | tuple[str, ...], terms: Mapping[str, str]) -> list[tuple[str, str]]:
    """Both forms are accepted: `"seen today" = "completed"` and `completed = ["seen today"]`."""
    if isinstance(value, str) and fold_term(value) in terms:
        return [(key, terms[fold_term(value)])]
    if fold_term(key) in terms:
        return [(text, terms[fold_term(key)]) for text in ([value] if isinstance(value, str) else value)]
    raise ValueError("neither side is a known term; the terms are " + ", ".join(sorted(set(terms.values()))))


def shipped() -> tuple[str, ...]:
    """Names of the policies that ship with the package."""
    names = (Path(entry.name) for entry in _SHIPPED.iterdir())
    return tuple(sorted(name.stem for name in names if name.suffix == ".toml"))


OF_PAYER = ("name", "description", "sources", "verified_on", "unverified", "effective_from", "effective_to", "relatedness",
            "horizon_days", "bands", "lookback", "lookahead", "duration", "frequency", "severity", "required",
            "overpayment_clock")  # fmt: skip
"""What the policy of a payer may set; everything else holds for the whole run."""


def load(
    name_or_file: str = "default",
    find_rules: FindRules | None = None,
    timezone: str | None = None,
    systems: Mapping[str, str] | None = None,
) -> Policy:
    """Read a shipped policy by name or a policy file by path, and those of its payers; `timezone` overrides the policy's.

    `systems`: table → a source that ships (`sources.known`); the policy's own keys come before those of the source.

    Raises UsageError naming file, line, key, what is wrong and the nearest valid key.
    """
    policy, where, text = _load(name_or_file, find_rules, timezone, systems or {})
    named, folded = dict[str, Policy](), set[str]()
    for payer, periods in policy.payers.items():
        if fold_term(payer) in folded:
            raise UsageError(_at(where, text, ("payers", payer), "the same payer twice"))
        folded.add(fold_term(payer))
        for name in {period.policy: None for period in periods if (payer, period.policy) != ("otherwise", "none")}:
            try:
                of_payer = _of_payer(name, Path(name_or_file).parent, find_rules)
            except FileNotFoundError as error:
                raise UsageError(_at(where, text, ("payers", payer), str(error))) from None
            for other in (policy, *named.values()):
                if other.name == of_payer.name and other.sha256 != of_payer.sha256:
                    problem = (
                        f"another policy of the run has the name {other.name!r}, too; give one of them another name"
                    )
                    raise UsageError(_at(where, text, ("payers", payer), problem))
            named[name] = of_payer
    alone = policy.model_copy(update={"payers": {}})
    kept = (*OF_PAYER, "sha256", "own_keys")
    merged = {}
    for name, found in named.items():
        em = {"may_report_em": found.credentials.may_report_em}
        own = {key: getattr(found, key) for key in kept} | {"credentials": policy.credentials.model_copy(update=em)}
        merged[name] = alone.model_copy(update=own)
    return policy.model_copy(update={"policies": merged})


def _of_payer(name: str, folder: Path, find_rules: FindRules | None) -> Policy:
    """The policy of a payer. Raises FileNotFoundError where there is none, UsageError for a key that it may not have."""
    if name in shipped():
        return _load(name, find_rules, None, of_payer=name != "default")[0]
    if not (path := folder / name).is_file():
        raise FileNotFoundError(f"{name}: no such policy{_included(name)}")
    policy, where, text = _load(str(path), find_rules, None, of_payer=True)
    own = tomllib.loads(text)
    if "payers" in own:
        raise UsageError(_at(where, text, ("payers",), "the policy of a payer cannot name payers; remove the table"))
    words = [("credentials", word) for word in own.pop("credentials", {}) if word != "may_report_em"]
    for place in (*((key,) for key in own if key not in OF_PAYER), *words):
        problem = "only the policy of the run may set this, not the policy of a payer; move it there"
        raise UsageError(_at(where, text, place, problem))
    return policy


def _load(
    name_or_file: str,
    find_rules: FindRules | None,
    timezone: str | None,
    systems: Mapping[str, str] | None = None,
    *,
    of_payer: bool = False,
) -> tuple[Policy, str, str]:
    """One policy, where it is from, and its text. That `of_payer` has no clock unless it says so."""
    where, raw = _read(name_or_file)
    try:
        text = raw.decode("utf-8-sig")
        own = tomllib.loads(text)
    except UnicodeDecodeError:
        raise UsageError(f"{where}: not UTF-8 text; save the policy as UTF-8") from None
    except ValueError as error:  # tomllib's own, and that of a number with thousands of digits
        raise UsageError(f"{where}: not valid TOML: {error}") from None
    except RecursionError:
        raise UsageError(f"{where}: values are nested too deeply; correct the policy") from None
    for key in (key for key, value in own.items() if _is_deeper(value, _DEPTH)):
        raise UsageError(_at(where, text, (key,), "nested too deeply; correct the policy"))
    unknown: list[Problem] = [((key,), "unknown key") for key in _OF_THE_PROGRAM if own.pop(key, None) is not None]
    own.setdefault("name", Path(name_or_file).stem)
    base = tomllib.loads((_SHIPPED / "default.toml").read_text(encoding="utf-8"))
    if of_payer:
        base.pop("overpayment_clock")
    own = _with_whole_lists(own, base["lists"], name_or_file, where, text, unknown)
    if systems:
        described = known.policy_of(systems)
        own["instant_formats"] = [*own.get("instant_formats", []), *described.pop("instant_formats")]
        base = _merge(base, described)
    defaulted = own.get("timezone") is None or name_or_file == "default"
    merged = _merge(base, own) | {"sha256": hashlib.sha256(raw).hexdigest(), "timezone_defaulted": defaulted}
    merged["own_keys"] = frozenset(key for key, _ in leaves(own)) if name_or_file != "default" else frozenset()
    merged["systems"] = systems or {}
    if timezone is not None:
        merged |= {"timezone": timezone, "timezone_defaulted": False}
    try:
        policy = Policy.model_validate(merged)
    except ValidationError as error:
        errors = [(tuple(map(str, one["loc"])), one["msg"].removeprefix("Value error, "), one["type"])
                  for one in error.errors(include_url=False, include_input=False)]  # fmt: skip
        unknown += [(path, f"unknown key{_suggestion(path)}") for path, _, kind in errors if kind == "extra_forbidden"]
        path, problem, _ = errors[0]
        if timezone is not None and path == ("timezone",):
            raise UsageError(f"--timezone: {problem}") from None
        _refuse(where, text, unknown or [(path, problem)])
    _refuse(where, text, unknown)
    _check_names(policy, where, text)
    if find_rules:
        policy = policy.model_copy(update={"severity": _severity_by_code(policy, where, text, find_rules)})
    return policy, where, text


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether a value has more levels of tables and lists."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return not levels or any(_is_deeper(one, levels - 1) for one in inner)


def _refuse(where: str, text: str, problems: Iterable[Problem]) -> None:
    """Raise UsageError for what is wrong with these keys, if anything: all of it, in the order of the file."""
    lines = sorted((_line_of(text, path) or 0, _at(where, text, path, problem)) for path, problem in problems)
    if lines:
        first, *others = (line for _, line in lines)
        raise UsageError("; ".join([first, *(other.removeprefix(f"{where}, ") for other in others)]))


def _severity_by_code(policy: Policy, where: str, text: str, find_rules: FindRules) -> dict[str, Severity]:
    """Severities may name rules by code, prefix or name; the longest selector wins."""
    by_code: dict[str, Severity] = {}
    for selector in sorted(policy.severity, key=len):
        try:
            codes = find_rules("severity", [selector])
        except UsageError as error:
            raise UsageError(_at(where, text, ("severity", selector), str(error).removeprefix("severity: "))) from None
        by_code |= dict.fromkeys(codes, policy.severity[selector])
    return by_code


_OF_THE_PROGRAM = ("sha256", "timezone_defaulted", "own_keys", "list_files", "policies", "systems")
"""Fields of Policy that no file sets."""


def settings(policy: Policy) -> Iterator[tuple[str, Any, bool]]:
    """Every threshold, list and mapping in force: dotted key, value, and whether the policy's own file sets it."""
    hidden = {
        "name",
        "description",
        "sources",
        "verified_on",
        "unverified",
        "sha256",
        "timezone",
        "timezone_defaulted",
        "own_keys",
        "systems",
        "run",
        "policies",
    }
    for key, value in leaves(policy.model_dump(mode="json", exclude=hidden)):
        yield key, value, key in policy.own_keys or key.startswith("severity.")


def leaves(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of nested tables with its dotted key."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def source(name: str) -> str:
    """The text of a shipped policy. Raises UsageError."""
    if name not in shipped():
        raise UsageError(f"no policy {name!r}{_included(name)}")
    return _read(name)[1].decode()


def _included(name: str) -> str:
    return f"{nearest(name, shipped())}; the included policies are {', '.join(shipped())}"


def _read(name_or_file: str) -> tuple[str, bytes]:
    if name_or_file in shipped():
        return f"policy {name_or_file}", (_SHIPPED / f"{name_or_file}.toml").read_bytes()
    try:
        return name_or_file, small_files.read(Path(name_or_file), _LARGEST)
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"{name_or_file}: no such policy ({reason}){_included(name_or_file)}") from None
    except OSError as error:
        raise UsageError(f"{name_or_file}: cannot be read ({error.strerror}); name a policy file") from None


def _with_whole_lists(
    own: dict[str, Any],
    shipped: Mapping[str, list[str]],
    policy: str,
    where: str,
    text: str,
    unknown: list[Problem],
) -> dict[str, Any]:
    """The policy's own lists in full: `X.add` and `X.file` extend the shipped list. Raises UsageError.

    `unknown` gets the paths of other keys, with what is wrong.
    """
    if not isinstance(own.get("lists", {}), dict):
        return own
    lists, files = dict(own.get("lists", {})), {}
    for name, change in lists.items():
        if not isinstance(change, dict) or name not in shipped:
            continue
        kinds = {"add": list, "file": str, "column": str}
        unknown += [(("lists", name, key), "unknown key; use add, file or column") for key in change.keys() - kinds]
        for key, kind in kinds.items():
            if not isinstance(change.get(key, kind()), kind):
                problem = "must be a list of codes" if key == "add" else "must be a text"
                raise UsageError(_at(where, text, ("lists", name, key), problem))
        lists[name] = [*shipped[name], *change.get("add", ())]
        if "file" in change:
            path = Path(policy).parent / str(change["file"])
            try:
                content = small_files.read(path, _LARGEST_LIST)
                listed, column = _listed(content, change.get("column"))
                digest = hashlib.sha256(content).hexdigest()
            except (OSError, ValueError, csv.Error) as error:
                reason = getattr(error, "strerror", None) or str(error)
                raise UsageError(_at(where, text, ("lists", name, "file"), f"{change['file']}: {reason}")) from None
            files[name] = {"file": str(change["file"]), "column": column, "sha256": digest}
            lists[name] += listed
    return own | ({"lists": lists} if lists else {}) | ({"list_files": files} if files else {})


def _listed(content: bytes, column: str | None) -> tuple[list[str], str]:
    """The codes of a CSV file's column, and the column: the one named, or else the first with a known name for codes."""
    wanted = [column.strip().casefold()] if column else ["hcpcs", "cpt", "code", "cpt_code", "hcpcs_code"]
    rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    for row in rows:  # rows above the header are skipped
        if found := [at for at, name in enumerate(row) if name.strip().casefold() in wanted]:
            cells = [cells[found[0]].strip().upper() for cells in rows if len(cells) > found[0]]
            return [code for code in cells if form(code)], row[found[0]].strip()
    raise ValueError('no column of codes was found; name it: column = "..."')


def _merge(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """`own` over `base`, table by table."""
    merged = dict(base)
    for key, value in own.items():
        below = merged.get(key)
        merged[key] = _merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _check_names(policy: Policy, where: str, text: str) -> None:
    """Check what pydantic cannot: names of tables, columns and terms, and values that depend on each other."""
    unknown: list[Problem] = []

    def accepted(path: tuple[str, ...], names: tuple[str, ...]) -> bool:
        if path[-1] not in names:
            unknown.append((path, f"unknown name{nearest(path[-1], names)}"))
        return path[-1] in names

    for table in policy.rows:
        accepted(("rows", table), tuple(TABLES))
    for table, columns in policy.columns.items():
        for column in columns if accepted(("columns", table), tuple(TABLES)) else ():
            accepted(("columns", table, column), tuple(TABLES[table].columns))
    for table, mappings in policy.values.items():
        for column in mappings if accepted(("values", table), tuple(TABLES)) else ():
            with_terms = (Kind.TERM, Kind.FLAG, Kind.DOCUMENTED)
            terms = (name.name for name in TABLES[table].columns.values() if name.kind in with_terms)
            if not accepted(("values", table, column), tuple(terms)):
                continue
            try:
                policy.terms(table, column)
            except ValueError as error:
                raise UsageError(_at(where, text, ("values", table, column), str(error))) from None
    zoned = (*TABLES, *(f"{table}.{column}" for table, columns in _INSTANTS.items() for column in columns))
    for key in policy.timezones:
        accepted(("timezones", key), zoned)
    _refuse(where, text, unknown)
    if not policy.zone_names and any("%Z" in form for form in policy.instant_formats):
        kind = '%Z needs the zone names and their offsets; add them: [zone_names] EST = "-05:00"'
        raise UsageError(_at(where, text, ("instant_formats",), kind))
    for word, meaning in policy.credentials.words.items():
        if meaning.lower() in ("clear", "review"):  # no credential: a slip in the key
            problem = f"unknown key{nearest(word, ('may_report_em',)) or '; the key is may_report_em'}"
            raise UsageError(_at(where, text, ("credentials", word), problem))
    if policy.effective_from and policy.effective_to and policy.effective_from > policy.effective_to:
        raise UsageError(_at(where, text, ("effective_to",), "is before effective_from"))
    for code in FAMILY:
        if policy.bands[code].low > policy.bands[code].high:  # type: ignore[index]
            raise UsageError(_at(where, text, ("bands", code), "low is above high"))


def _suggestion(path: tuple[str, ...]) -> str:
    """The nearest key that is valid in this table of the policy."""
    model: Any = Policy
    for part in path[:-1]:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return ""
        model = annotation
    return nearest(path[-1], tuple(model.model_fields))


def _at(where: str, text: str, path: tuple[str, ...], problem: str) -> str:
    line = _line_of(text, path)
    return f"{where}{f', line {line}' if line else ''}: {'.'.join(path)}: {problem}"


def _line_of(text: str, path: tuple[str, ...]) -> int | None:
    """The line that sets a key, or its nearest enclosing table: TOML readers keep no positions."""
    table: tuple[str, ...] = ()
    best: tuple[int, int] | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[+([^\]]+)\]", line):
            table = tuple(part.strip().strip("\"'") for part in header[1].split("."))
            here = table
        elif key := re.match(r"\s*([\w\-. \"']+?)\s*=", line):
            here = (*table, *(part.strip().strip("\"'") for part in key[1].split(".")))
        else:
            continue
        if here == path[: len(here)] and (best is None or len(here) > best[0]):
            best = (len(here), number)
    return best[1] if best else None
