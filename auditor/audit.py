"""The whole path on one screen: survey → type, keeping what matters → cover → judge (bill, window, judge, find) → merge."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from auditor.cells import values
from auditor.cells.among import Among
from auditor.cells.normalise import Table, normalise
from auditor.claims import coverage, doors, joins, lengths, seen
from auditor.claims.billing import provider_rows
from auditor.claims.coverage import Coverage, Extremes
from auditor.claims.doors import Doors, Seen
from auditor.claims.joins import Sought
from auditor.errors import InputRefused, UsageError
from auditor.judging.findings import FINDINGS_ORDER, KEYS
from auditor.judging.judge import left_out
from auditor.judging.patients import Context, Judged
from auditor.policy import Policy
from auditor.reading import ingest
from auditor.reading.ingest import SourceFile
from auditor.rules import ALL, CODES
from auditor.rules.rule import Rule
from auditor.run_options import REQUIRED_RULES
from auditor.scale import Place, Progress, keep
from auditor.scale.keep import Matters, Said, TypeChunk
from auditor.scale.local import Local
from auditor.scale.survey import Look, Survey
from auditor.settings import Settings
from auditor.windows import bounds

_BIG = ("calls", "claims", "visits")
"""In the order in which what one keeps tells what matters of the next."""


@dataclass(frozen=True)
class Inputs:
    """The exports as read. `tables` have no rows: those that can matter are kept where the work is done."""

    tables: Mapping[str, Table]
    files: Mapping[str, tuple[SourceFile, ...]]
    extremes: Extremes
    lengths: Mapping[str, int]
    seen: Seen
    doors: Doors
    place: Place


@dataclass(frozen=True)
class Result:
    """A finished audit. Frames as `findings.py` and `judge.py` describe them.

    `evidence` is sorted within the claims of a partition only; with more than one it lies on disk.

    `outcomes` has one row per claim (`line`) and a column per evaluated rule; `not_evaluated` is rule code → reason.
    """

    inputs: Inputs
    coverage: Coverage
    claims: pl.DataFrame
    findings: pl.DataFrame
    evidence: pl.LazyFrame
    outcomes: pl.DataFrame
    not_evaluated: Mapping[str, str]
    joins: pl.DataFrame
    inactive: Mapping[str, int]
    absent: int
    unmatched: int
    warnings: tuple[str, ...] = field(default=())


def read(settings: Settings, progress: Progress, at: Place | None = None) -> Inputs:
    """Survey and type the given tables, in this process if no place is given, and keep what matters. Raises InputRefused."""
    if sum(paths.count("-") for paths in settings.paths.values()) > 1:
        raise UsageError("-: standard input can hold one table only; name files for the others")
    place: Place = at or Local(progress=progress)
    policy, with_claims = settings.policy, "claims" in settings.paths
    parts = {name: place.parts(name, paths) for name, paths in settings.paths.items()}
    with_spans = any(rule.over == "overlap" for rule in _wanted(settings))
    tables: dict[str, Table] = {}
    files: dict[str, tuple[SourceFile, ...]] = {}
    surveys: dict[str, tuple[Look, Survey]] = {}
    said: dict[str, Said] = {}
    if "providers" in settings.paths:
        extract = ingest.read_table("providers", settings.paths["providers"], policy)
        tables["providers"], files["providers"] = normalise(extract, policy), extract.files
    for name in (name for name in _BIG if name in settings.paths):
        bills = name == ("claims" if with_claims else "calls")
        look = Look(name, policy, bills, with_claims and name == "calls", values.blanks(name, policy))
        surveys[name] = look, place.survey(look, parts[name][0])
        ingest.check_mapping(name, surveys[name][1].files, policy, without_billing=look.without_billing)
    billed = surveys["claims" if with_claims else "calls"][1].billed
    for name, (look, survey) in surveys.items():
        matters = _what_matters(name, settings, place, billed)
        until = said["calls"].extremes.latest_end if name == "visits" else None
        repeated = Among(survey.repeated)
        sought = _sought(name, place, billed, settings)
        work = TypeChunk(
            look=look, repeated=repeated, matters=matters, with_spans=with_spans, sought=sought, until=until
        )
        said[name] = place.type_chunks(work, parts[name][0])
        tables[name] = replace(said[name].table, notes=(*parts[name][1], *said[name].table.notes))
        files[name] = tuple(replace(file, signature=first.signature)
                            for file, first in zip(said[name].files, survey.files, strict=True))  # fmt: skip
        progress(f"read {name}: {sum(file.rows for file in files[name]):,} rows")
    all_seen = {name: one.seen for name, one in said.items()}
    return Inputs(
        {name: tables[name] for name in settings.paths},
        {name: files[name] for name in settings.paths},
        coverage.merge([one.extremes for one in said.values()]),
        said["calls"].lengths,
        all_seen,
        doors.doors(all_seen, billed, provider_rows(tables.get("providers")), policy),
        place,
    )


def _what_matters(name: str, settings: Settings, place: Place, billed: pl.DataFrame) -> Matters:
    """Which rows of a table can matter. What the tables before it have kept tells for the next."""
    if name == "calls":
        return keep.named(patient_id=billed["patient_id"], claim_id=billed["claim_id"], call_id=billed["call_id"])
    calls = place.kept("calls", "patient_id", "call_id", "claim_id", "cpt_code", day="call_start_date")
    if name == "claims":
        return keep.named(patient_id=billed["patient_id"], call_id=calls["call_id"], claim_id=calls["claim_id"])
    if "claims" in settings.paths:
        claims = place.kept("claims", "patient_id", "claim_id", "call_id", day="service_date")
        calls = calls.filter(pl.col("call_id").is_in(claims["call_id"].implode())
                             | pl.col("claim_id").is_in(claims["claim_id"].implode()))  # fmt: skip
        lines = pl.concat([calls.select("patient_id", "day"), claims.select("patient_id", "day")])
    else:
        lines = calls.filter(pl.col("cpt_code").is_not_null() | pl.col("claim_id").is_not_null())
    postoperative = any("in_global_period" in rule.weighed.meta.root_names() for rule in _wanted(settings))
    back, ahead = bounds.longest(settings.policy, postoperative=postoperative)
    day = pl.col("day")
    return keep.near(
        lines.select("patient_id", first=day.dt.offset_by(f"-{back}d"), last=day.dt.offset_by(f"{ahead}d"))
    )


def _sought(name: str, place: Place, billed: pl.DataFrame, settings: Settings) -> Sought:
    """The ids of lines and their calls, and of records that earlier findings rest on, that are looked for in a table."""
    if settings.related is not None:
        earlier = joins.sought_again(name, settings.related, with_claims="claims" in settings.paths)
        return {**_sought(name, place, billed, replace(settings, related=None)), **earlier}
    if name == "calls" and "claims" in settings.paths:
        called = {"call in calls": "call_id", "patient in calls": "patient_id", "provider in calls": "provider_id"}
        return joins.sought({pair: billed[column] for pair, column in called.items()})
    if name == "visits":
        calls = place.kept("calls", "call_id", "related_visit_id")
        return joins.sought(
            {
                "patient in visits": billed["patient_id"],
                "provider in visits": billed["provider_id"],
                "visit in visits": calls["related_visit_id"],
                "call in visits": calls["call_id"],
            }
        )
    return {}


def accept(inputs: Inputs, settings: Settings) -> None:
    """Refuse tables without rows, with more rejects than allowed, dates that read both ways, or lengths in another unit.

    Raises InputRefused.
    """
    for name, table in inputs.tables.items():
        rows = sum(file.rows for file in inputs.files[name])
        if not rows and not settings.allow_empty:
            raise InputRefused(f"{name}: no rows in {_paths(settings, name)}; if that is right, give --allow-empty")
        faulty = table.faulty
        used, lost = doors.billed(inputs.seen[name], settings.codes) if name in inputs.seen else (0, 0)
        for rejected, among, kind in ((faulty.height, rows, "rows"), (lost, used + lost, "billed rows")):
            if rejected > _allowed(settings.max_rejects, among):
                common = faulty["reason"].value_counts(sort=True)["reason"][0]
                raise InputRefused(
                    f"{name}: {rejected} of {among} {kind} rejected, more than --max-rejects {settings.max_rejects}; "
                    f"most often: {common}; `audit98968 check` shows the rest"
                )
    for name, why in doors.ambiguous(inputs.seen):
        if why:
            raise InputRefused(doors.AMBIGUOUS.format(table=name, why=f", and {why}"))
    if found := lengths.doubt(inputs.lengths, settings.policy.units):
        column, what, unit = found
        raise InputRefused(
            f"calls: 9 of 10 values of {column} {what}, as if they were {unit}; say in the policy what they are: "
            f'[units] {column} = "{unit}"'
        )


def audit(inputs: Inputs, settings: Settings, progress: Progress) -> Result:
    """Audit the claims of the inputs, once: their rows are gone afterwards.

    Raises InputRefused where a required rule cannot be evaluated, or a file is no longer what was read.
    """
    policy, tables = settings.policy, inputs.tables
    lacking = not_evaluated(inputs, settings)
    _insist(lacking, settings)
    covered = cover(inputs, settings)
    context = Context(
        policy=policy,
        providers=provider_rows(tables.get("providers")),
        codes=settings.codes,
        audited=_in_service_range(settings) | _come_back(settings, covered),
        coverage=covered,
        doors=inputs.doors,
        not_evaluated=lacking,
        identity=settings.identity,
        tainted_visits=tables["visits"].tainted,
        tainted_lines=tables.get("claims", tables["calls"]).tainted,
    )
    result = _merged(inputs, covered, lacking, inputs.place.judge(context))
    for name, files in inputs.files.items():
        for file in files:
            ingest.confirm(name, file)
    insist_on_joins(result, settings)
    doubts = doors.warnings(inputs.doors, result.joins, inputs.seen, result.absent)
    others = (*covered.warnings, *_table_warnings(inputs, policy, result.unmatched))
    return replace(result, warnings=(*doubts, *others))


def insist_on_joins(result: Result, settings: Settings) -> None:
    """Refuse tables whose ids hardly ever meet. Raises InputRefused."""
    if not settings.allow_unjoined and (reason := doors.refusal(result.joins)):
        raise InputRefused(reason)


def cover(inputs: Inputs, settings: Settings) -> Coverage:
    """The coverage of the inputs under the settings."""
    days = {name: seen.days(said) for name, said in inputs.seen.items()}
    return coverage.cover(
        inputs.extremes, days, settings.policy, settings.as_of, settings.visits_since, settings.claims_since
    )


def not_evaluated(inputs: Inputs, settings: Settings) -> dict[str, str]:
    """The rules that say nothing on these inputs, with the reasons."""
    return left_out(ALL, _skipped(settings), existing(inputs), settings.policy)


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


def _insist(lacking: Mapping[str, str], settings: Settings) -> None:
    if len(lacking) == len(CODES):
        reasons = {f"{code}: {reason}": None for code, reason in lacking.items() if code in settings.selected}
        raise InputRefused(
            f"no rule can be evaluated, so nothing would be audited ({'; '.join(reasons)}); "
            "map these columns in the policy or select other rules"
        )
    default = tuple(code for code in REQUIRED_RULES if code not in _by_choice(settings))
    for code in default if settings.required is None else settings.required:
        if reason := lacking.get(code):
            raise InputRefused(
                f"required rule {code} cannot be evaluated: {reason}; supply it, or leave the rule out of --require"
            )


def _by_choice(settings: Settings) -> frozenset[str]:
    """The rules that the user, or the policy, does without."""
    return frozenset({*_skipped(settings), *(code for code, to in settings.policy.severity.items() if to == "off")})


def _wanted(settings: Settings) -> list[Rule]:
    """The rules that nobody does without."""
    unwanted = _by_choice(settings)
    return [rule for rule in ALL if rule.code not in unwanted]


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


def _table_warnings(inputs: Inputs, policy: Policy, unmatched: int) -> list[str]:
    warnings = [f"{unmatched:,} replacements, voids or reversals name no line of the inputs"] if unmatched else []
    warnings += [warning for table in inputs.tables.values() for warning in table.warnings]
    if policy.timezone_defaulted and any(table.has_local_times for table in inputs.tables.values()):
        warnings.append(
            "no time zone given: times without an offset are taken as UTC; give --timezone or set it in the policy"
        )
    return warnings


def _merged(inputs: Inputs, covered: Coverage, lacking: Mapping[str, str], parts: Iterable[Judged]) -> Result:
    """The partitions as one: lines numbered through, rows in the order in which they are published."""
    before = 0
    claims, found, outcomes, evidence, claimed, absent, unmatched = [], [], [], [], [], 0, 0
    inactive = dict.fromkeys(("void", "denied"), 0)
    for part in parts:
        claims.append(part.claims.with_columns(pl.col("line") + before))
        outcomes.append(part.outcomes.with_columns(pl.col("line") + before))
        before += 1 + max(part.outcomes["line"].to_list(), default=-1)
        found.append(part.findings)
        inactive = {status: count + part.inactive[status] for status, count in inactive.items()}
        evidence.append(inputs.place.hold(part.evidence))
        claimed.append(part.claimed)
        absent += part.absent
        unmatched += part.unmatched
    return Result(
        inputs,
        covered,
        pl.concat(claims).sort(*KEYS),
        pl.concat(found).sort(*FINDINGS_ORDER),
        pl.concat(evidence),
        pl.concat(outcomes),
        lacking,
        joins.rates(claimed, inputs.doors.ids, existing(inputs)),
        inactive,
        absent,
        unmatched,
    )
