"""The whole path on one screen: scatter → settle (read, normalise, bill) → cover → weigh (window, judge, find) → merge."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from auditor.cells.instants import MIDNIGHT_COLUMN
from auditor.cells.normalise import Table, merge, normalise
from auditor.claims import coverage
from auditor.claims.billing import provider_rows
from auditor.claims.coverage import Coverage, Extremes
from auditor.errors import InputRefused, UsageError
from auditor.identity import Identity
from auditor.judging.findings import FINDINGS_ORDER, KEYS
from auditor.judging.judge import left_out
from auditor.judging.weigh import Weigh, Weighed
from auditor.policy import Policy
from auditor.reading import ingest
from auditor.reading.ingest import SourceFile
from auditor.rules import ALL, CODES
from auditor.scale import Engine, Post, scatter
from auditor.scale.local import Local
from auditor.scale.scatter import BUCKET, Gather, Scatter, Scattered, crossing
from auditor.scale.scatter import KEYS as LINKS
from auditor.scale.settle import PROVIDER, Settle, Told, meet
from auditor.schema.codes import AUDITED_BY_DEFAULT

_BUCKETED = ("calls", "visits", "claims")
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
    """The exports as read. `tables` have their rows no more: those are settled, in buckets of patients, at the engine."""

    tables: Mapping[str, Table]
    files: Mapping[str, tuple[SourceFile, ...]]
    extremes: Extremes
    unlisted_visits: int
    engine: Engine
    settled: Post


@dataclass(frozen=True)
class Result:
    """A finished audit. Frames as `findings.py` and `judge.py` describe them.

    `evidence` is sorted within the claims of a bucket only; with more than one it lies on disk.

    `outcomes` has one row per claim (`line`) and a column per evaluated rule; `not_evaluated` is rule code → reason.
    """

    inputs: Inputs
    coverage: Coverage
    claims: pl.DataFrame
    findings: pl.DataFrame
    evidence: pl.LazyFrame
    outcomes: pl.DataFrame
    not_evaluated: Mapping[str, str]
    inactive: Mapping[str, int]
    warnings: tuple[str, ...] = field(default=())


def read(settings: Settings, progress: Progress, at: Engine | None = None) -> Inputs:
    """Read, type and bill the given tables at the engine, in memory if none is given. Raises InputRefused."""
    if sum(paths.count("-") for paths in settings.paths.values()) > 1:
        raise UsageError("-: standard input can hold one table only; name files for the others")
    engine: Engine = at or Local(progress=progress)
    policy = settings.policy
    with_claims = "claims" in settings.paths
    expanded = {name: ingest.parts(name, paths, split_rows=engine.split_rows) for name, paths in settings.paths.items()}
    tasks = [part for name in expanded if name in _BUCKETED for part in expanded[name][0]]
    engine.divide(scatter.need(tasks))
    scattered = engine.spread(Scatter(policy, engine.buckets, with_claims), tasks, "reading")
    told = _by_table(settings, [parcel.body for parcel in engine.fetch(scattered)])
    files = {name: _files(parts) for name, parts in told.items()}
    tables = {}
    if "providers" in settings.paths:
        extract = ingest.read_table("providers", settings.paths["providers"], policy)
        tables["providers"], files["providers"] = normalise(extract, policy), extract.files
    for name, many in files.items():
        ingest.check_mapping(name, many, policy, without_billing=with_claims)
        progress(f"read {name}: {sum(file.rows for file in many):,} rows")
    meeting, gathered = _let_meet(engine, scattered)
    step = Settle(
        policy=policy,
        providers=provider_rows(tables.get("providers")),
        columns={name: frozenset[str]().union(*(part.columns for part in parts)) for name, parts in told.items()},
        date_columns={name: _date_columns(parts) for name, parts in told.items()},
        meeting=meeting,
        exchange=scatter.fewer(engine.buckets) if engine.buckets > 1 and _looks_at_providers(settings) else 0,
    )
    settled = engine.each(step, [scattered, *gathered], BUCKET, "settling")
    said: list[Told] = [parcel.body for parcel in engine.fetch(settled)]
    for name, parts in told.items():
        table = merge([one.tables[name] for one in said])
        lost = pl.concat([*(part.lost for part in parts), table.rejects]).sort("source_file", "source_record")
        tables[name] = replace(table, rejects=lost, notes=(*expanded[name][1], *table.notes))
    return Inputs(
        {name: tables[name] for name in settings.paths},
        {name: files[name] for name in settings.paths},
        coverage.merge([one.extremes for one in said]),
        sum(one.unlisted_visits for one in said),
        engine,
        settled,
    )


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
    """Audit the claims of the inputs, once: their rows are gone afterwards.

    Raises InputRefused where a required rule cannot be evaluated, or a file is no longer what was read.
    """
    engine, policy = inputs.engine, settings.policy
    not_evaluated = left_out(ALL, _skipped(settings), existing(inputs), policy)
    _insist(not_evaluated, settings)
    covered = cover(inputs, settings)
    met = engine.each(meet, [inputs.settled], PROVIDER, "meeting providers")
    step = Weigh(
        policy=policy,
        providers=provider_rows(inputs.tables.get("providers")),
        codes=settings.codes,
        audited=_in_service_range(settings) | _come_back(settings, covered),
        has_claims_table="claims" in inputs.tables,
        coverage=covered,
        not_evaluated=not_evaluated,
        identity=settings.identity,
    )
    weighed = engine.each(step, [inputs.settled, met], BUCKET, "judging")
    result = _merged(inputs, covered, not_evaluated, (parcel.body for parcel in engine.fetch(weighed)))
    for name, files in inputs.files.items():
        for file in files:
            ingest.confirm(name, file)
    return replace(result, warnings=(*_table_warnings(inputs, policy), *covered.warnings, *_visit_warnings(inputs)))


def cover(inputs: Inputs, settings: Settings) -> Coverage:
    """The coverage of the inputs under the settings."""
    return coverage.cover(
        inputs.extremes, settings.policy, settings.as_of, settings.visits_since, settings.claims_since
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


def _skipped(settings: Settings) -> dict[str, str]:
    skipped = {code: "not selected" for code in CODES if code not in settings.selected}
    return skipped | dict.fromkeys(settings.ignored, "ignored")


def _insist(not_evaluated: Mapping[str, str], settings: Settings) -> None:
    if len(not_evaluated) == len(CODES):
        reasons = {f"{code}: {reason}": None for code, reason in not_evaluated.items() if code in settings.selected}
        raise InputRefused(
            f"no rule can be evaluated, so nothing would be audited ({'; '.join(reasons)}); "
            "map these columns in the policy or select other rules"
        )
    default = tuple(code for code in REQUIRED_RULES if code not in _by_choice(settings))
    for code in default if settings.required is None else settings.required:
        if reason := not_evaluated.get(code):
            raise InputRefused(
                f"required rule {code} cannot be evaluated: {reason}; supply it, or leave the rule out of --require"
            )


def _by_choice(settings: Settings) -> frozenset[str]:
    """The rules that the user, or the policy, does without."""
    return frozenset({*_skipped(settings), *(code for code, to in settings.policy.severity.items() if to == "off")})


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


def _table_warnings(inputs: Inputs, policy: Policy) -> list[str]:
    warnings = [warning for table in inputs.tables.values() for warning in table.warnings]
    if policy.timezone_defaulted and any(table.has_local_times for table in inputs.tables.values()):
        warnings.append(
            "no time zone given: times without an offset are taken as UTC; give --timezone or set it in the policy"
        )
    return warnings


def _visit_warnings(inputs: Inputs) -> list[str]:
    count = inputs.unlisted_visits
    return (
        [f"{count} visits have only codes that are in no list of the policy; they do not count as visits"]
        if count
        else []
    )


def _by_table(settings: Settings, told: Sequence[Scattered]) -> dict[str, list[Scattered]]:
    return {name: [part for part in told if part.table == name] for name in settings.paths if name in _BUCKETED}


def _looks_at_providers(settings: Settings) -> bool:
    """Whether a rule needs calls of other patients, which other buckets have."""
    return any(rule.over == "overlap" and rule.code not in _by_choice(settings) for rule in ALL)


def _files(parts: Sequence[Scattered]) -> tuple[SourceFile, ...]:
    """The files of a table; the first part of a file knows it, the others add their rows."""
    files: dict[str, SourceFile] = {}
    for part in parts:
        known = files.get(part.file.path)
        files[part.file.path] = replace(known, rows=known.rows + part.file.rows) if known else part.file
    return tuple(files.values())


def _date_columns(parts: Sequence[Scattered]) -> frozenset[str]:
    """The columns whose every value, in all files, is midnight as written. Source: SPEC.md section 2."""
    seen = {name: [part.dates[name] for part in parts if name in part.dates] for part in parts for name in part.dates}
    return frozenset(
        name
        for name, parts_ in seen.items()
        if all(midnights for midnights, _ in parts_) and sum(count for _, count in parts_) >= MIDNIGHT_COLUMN
    )


def _let_meet(engine: Engine, scattered: Post) -> tuple[Gather, list[Post]]:
    """The patients whose records name each other, and their rows at the bucket where they meet."""
    found = [parcel.body for parcel in engine.fetch(engine.each(crossing, [scattered], LINKS, "linking"))]
    patients = pl.concat([pl.Series(dtype=pl.UInt64), *found]).unique()
    gather = Gather(patients, scatter.address(BUCKET, engine.buckets))
    return gather, [] if patients.is_empty() else [engine.each(gather, [scattered], BUCKET, "gathering", keep=True)]


def _merged(inputs: Inputs, covered: Coverage, not_evaluated: Mapping[str, str], parts: Iterable[Weighed]) -> Result:
    """The buckets as one: lines numbered through, rows in the order in which they are published."""
    before = 0
    claims, found, outcomes, evidence = [], [], [], []
    inactive = dict.fromkeys(("void", "denied"), 0)
    for part in parts:
        claims.append(part.claims.with_columns(pl.col("line") + before))
        outcomes.append(part.outcomes.with_columns(pl.col("line") + before))
        before += 1 + max(part.outcomes["line"].to_list(), default=-1)
        found.append(part.findings)
        inactive = {status: count + part.inactive[status] for status, count in inactive.items()}
        evidence.append(inputs.engine.keep(part.evidence))
    return Result(
        inputs,
        covered,
        pl.concat(claims).sort(*KEYS),
        pl.concat(found).sort(*FINDINGS_ORDER),
        pl.concat(evidence),
        pl.concat(outcomes),
        not_evaluated,
        inactive,
    )
