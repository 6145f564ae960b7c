"""The whole path on one screen: read → normalise → bill → window → judge → find."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import polars as pl

from auditor import billing, coverage, findings, ingest
from auditor.billing import Billing
from auditor.codes import AUDITED_BY_DEFAULT
from auditor.coverage import Coverage
from auditor.errors import InputRefused, UsageError
from auditor.findings import KEYS
from auditor.identity import Identity
from auditor.ingest import SourceFile
from auditor.judge import Judgement, judge
from auditor.normalise import Table, normalise
from auditor.policy import Policy
from auditor.rules import ALL, CODES
from auditor.windows import Facts, Nouns

REQUIRED_RULES = ("DUR001", "LBK001", "LAH001", "FRQ001")
Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What an audit was asked to do. `paths` holds each given table's files; rule lists hold rule codes.

    `required` is None for the default, which does not insist on rules that the user left out. `max_rejects` is a number
    of rows, or with a percent sign a share of a table's rows. `undecided` are claims of earlier runs (keys and `closes`, as
    published) that are audited once their window has closed, whatever the service dates.
    """

    paths: Mapping[str, tuple[str, ...]]
    policy: Policy
    as_of: str | None = None
    visits_since: str | None = None
    claims_since: str | None = None
    service_from: str | None = None
    service_to: str | None = None
    codes: tuple[str, ...] = AUDITED_BY_DEFAULT
    selected: tuple[str, ...] = CODES
    ignored: tuple[str, ...] = ()
    required: tuple[str, ...] | None = None
    max_rejects: str = "1%"
    allow_empty: bool = False
    identity: Identity = field(default_factory=Identity)
    undecided: pl.DataFrame | None = None


@dataclass(frozen=True)
class Inputs:
    """The tables as read and normalised, and the files that they came from."""

    tables: Mapping[str, Table]
    files: Mapping[str, tuple[SourceFile, ...]]


@dataclass(frozen=True)
class Result:
    """A finished audit. Frames as `findings.py` and `judge.py` describe them."""

    inputs: Inputs
    coverage: Coverage
    judgement: Judgement
    claims: pl.DataFrame
    findings: pl.DataFrame
    evidence: pl.DataFrame
    inactive: Mapping[str, int]
    warnings: tuple[str, ...] = field(default=())


def read(settings: Settings, progress: Progress) -> Inputs:
    """Read and normalise every given table. Raises InputRefused."""
    if sum(paths.count("-") for paths in settings.paths.values()) > 1:
        raise UsageError("-: standard input can hold one table only; name files for the others")
    tables, files = {}, {}
    for name, paths in settings.paths.items():
        progress(f"reading {name}")
        extract = ingest.read_table(name, paths, settings.policy, without_billing="claims" in settings.paths)
        tables[name], files[name] = normalise(extract, settings.policy), extract.files
        progress(f"read {name}: {sum(file.rows for file in extract.files):,} rows")
    return Inputs(tables, files)


def accept(inputs: Inputs, settings: Settings) -> None:
    """Refuse tables without rows, and tables with more rejects than allowed. Raises InputRefused."""
    for name, table in inputs.tables.items():
        rows = sum(file.rows for file in inputs.files[name])
        if not rows and not settings.allow_empty:
            raise InputRefused(f"{name}: no rows in {_paths(settings, name)}; if that is right, give --allow-empty")
        faulty = table.faulty
        if faulty.height > _allowed(settings.max_rejects, rows):
            common = faulty["reason"].value_counts(sort=True)["reason"][0]
            raise InputRefused(
                f"{name}: {faulty.height} of {rows} rows rejected, more than --max-rejects {settings.max_rejects}; "
                f"most often: {common}; `audit98968 check` shows the rest"
            )


def audit(inputs: Inputs, settings: Settings, progress: Progress) -> Result:
    """Audit the claims of the inputs.

    Raises InputRefused where a required rule cannot be evaluated, or a file is no longer what was read.
    """
    tables, policy = inputs.tables, settings.policy
    calls, claims = tables["calls"], tables.get("claims")
    progress("billing")
    providers = billing.provider_rows(tables.get("providers"))
    timed = billing.with_end_and_time(calls.rows)
    billed = billing.bill(timed, claims, providers, policy)
    covered = cover(inputs, timed, settings)
    facts = Facts(
        billing=billed,
        calls=timed,
        visits=tables["visits"],
        providers=providers,
        tainted_lines=(claims or calls).tainted,
        has_claims_table=claims is not None,
        coverage=covered,
        policy=policy,
        codes=settings.codes,
    )
    in_range = _in_service_range(settings) | _come_back(settings, covered)
    nouns = Nouns(facts, in_range)
    progress("judging")
    judgement = judge(nouns, ALL, _left_out(settings), existing(inputs), policy)
    _insist(judgement, settings)
    identity = settings.identity
    found = findings.claims_table(nouns.claims, judgement, policy, identity)
    result = Result(
        inputs,
        covered,
        judgement,
        found,
        findings.findings_table(nouns.claims, found, judgement, policy, identity),
        findings.evidence_table(nouns.claims, billed.line_calls, judgement, policy, identity),
        _count_inactive(billed, settings, in_range),
        (*_table_warnings(inputs, policy), *covered.warnings, *_visit_warnings(nouns)),
    )
    for name, files in inputs.files.items():
        for file in files:
            ingest.confirm(name, file)
    return result


def cover(inputs: Inputs, calls: pl.DataFrame, settings: Settings) -> Coverage:
    """The coverage of the inputs under the settings. `calls` are the calls with their ends and times."""
    tables = inputs.tables
    return coverage.cover(
        calls,
        tables["visits"].rows,
        tables.get("claims"),
        settings.policy,
        settings.as_of,
        settings.visits_since,
        settings.claims_since,
    )


def existing(inputs: Inputs) -> frozenset[str]:
    """Tables, and columns as `table.column`; `lines.units` and the like where the billed lines have them."""
    names = {f"{name}.{column}" for name, table in inputs.tables.items() for column in table.columns}
    billing_table = inputs.tables.get("claims", inputs.tables["calls"])
    return frozenset(names | set(inputs.tables) | {f"lines.{column}" for column in billing_table.columns})


def _paths(settings: Settings, name: str) -> str:
    return ", ".join(map(ingest.shown, settings.paths[name]))


def _allowed(max_rejects: str, rows: int) -> float:
    return float(max_rejects[:-1]) / 100 * rows if max_rejects.endswith("%") else float(max_rejects)


def _left_out(settings: Settings) -> dict[str, str]:
    skipped = {code: "not selected" for code in CODES if code not in settings.selected}
    return skipped | dict.fromkeys(settings.ignored, "ignored")


def _insist(judgement: Judgement, settings: Settings) -> None:
    if len(judgement.not_evaluated) == len(CODES):
        reasons = {
            f"{code}: {reason}": None for code, reason in judgement.not_evaluated.items() if code in settings.selected
        }
        raise InputRefused(
            f"no rule can be evaluated, so nothing would be audited ({'; '.join(reasons)}); "
            "map these columns in the policy or select other rules"
        )
    by_choice = set(_left_out(settings)) | {code for code, to in settings.policy.severity.items() if to == "off"}
    default = tuple(code for code in REQUIRED_RULES if code not in by_choice)
    for code in default if settings.required is None else settings.required:
        if reason := judgement.not_evaluated.get(code):
            raise InputRefused(
                f"required rule {code} cannot be evaluated: {reason}; supply it, or leave the rule out of --require"
            )


def _in_service_range(settings: Settings) -> pl.Expr:
    inside = pl.lit(True)
    if settings.service_from:
        first = coverage.parse_date("--service-from", settings.service_from, settings.policy)
        inside = inside & (pl.col("service_date") >= first)
    if settings.service_to:
        last = coverage.parse_date("--service-to", settings.service_to, settings.policy)
        inside = inside & (pl.col("service_date") <= last)
    if settings.service_from and settings.service_to and first > last:
        raise UsageError("--service-to is before --service-from")
    return inside


def _come_back(settings: Settings, covered: Coverage) -> pl.Expr:
    """Claims that earlier runs left undecided and whose window the visits have come to cover."""
    if settings.undecided is None or covered.as_of is None:
        return pl.lit(False)
    closed = settings.undecided.filter(pl.col("closes") <= covered.as_of)
    key = pl.concat_str(settings.identity.shown("claim_id", "claim"), "claim_line", "cpt_code", separator="\0")
    return key.is_in(closed.select(pl.concat_str(KEYS, separator="\0")).to_series().implode())


def _count_inactive(billed: Billing, settings: Settings, in_range: pl.Expr) -> dict[str, int]:
    lines = billed.inactive.filter(pl.col("cpt_code").is_in(settings.codes) & in_range)
    return {status: lines.filter(pl.col("claim_status") == status).height for status in ("void", "denied")}


def _table_warnings(inputs: Inputs, policy: Policy) -> list[str]:
    warnings = [warning for table in inputs.tables.values() for warning in table.warnings]
    if policy.timezone_defaulted and any(table.has_local_times for table in inputs.tables.values()):
        warnings.append(
            "no time zone given: times without an offset are taken as UTC; give --timezone or set it in the policy"
        )
    return warnings


def _visit_warnings(nouns: Nouns) -> list[str]:
    count = nouns.unlisted_visits
    return (
        [f"{count} visits have only codes that are in no list of the policy; they do not count as visits"]
        if count
        else []
    )
