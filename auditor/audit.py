"""The whole path on one screen: scan keys → type and filter rows → cover → judge (bill, window, judge, find) → merge."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from auditor import evaluated
from auditor.audit_context import AuditContext
from auditor.billing.lines import provider_rows
from auditor.engines import Engine, Progress
from auditor.engines.local import Local
from auditor.errors import UsageError
from auditor.inputs import Inputs, existing
from auditor.judging.findings import FINDINGS_ORDER, KEYS
from auditor.judging.patients import Judged
from auditor.parsing.readers import blank_row
from auditor.parsing.typed_chunk import type_table
from auditor.parsing.typed_table import Table
from auditor.prefilter import row_filter
from auditor.prefilter.chunk_typer import ChunkSummary, ChunkTyper
from auditor.prefilter.key_scan import KeyScan, KeyScanResult
from auditor.prefilter.membership_filter import MembershipFilter
from auditor.quality import checks, coverage, coverage_bounds, relationships
from auditor.quality.coverage import Coverage
from auditor.quality.issue import Exports, Stage
from auditor.reading import ingest
from auditor.reading.ingest import SourceFile
from auditor.settings import Settings

_BIG = ("calls", "claims", "visits")
"""Read order: the calls kept decide which claims are needed; both decide which visits."""


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


def read(settings: Settings, progress: Progress, given_engine: Engine | None = None) -> Inputs:
    """Scan and type the given tables, here if no engine is given; keep the rows that can matter. Raises InputRefused."""
    if sum(paths.count("-") for paths in settings.paths.values()) > 1:
        raise UsageError("-: standard input can hold one table only; name files for the others")
    engine: Engine = given_engine or Local(progress=progress)
    policy, with_claims = settings.policy, "claims" in settings.paths
    parts = {name: engine.parts(name, paths) for name, paths in settings.paths.items()}
    with_spans = any(rule.over == "overlap" for rule in evaluated.enabled_rules(settings))
    tables: dict[str, Table] = {}
    files: dict[str, tuple[SourceFile, ...]] = {}
    scans: dict[str, tuple[KeyScan, KeyScanResult]] = {}
    summaries: dict[str, ChunkSummary] = {}
    if "providers" in settings.paths:
        extract = ingest.read_table("providers", settings.paths["providers"], policy)
        tables["providers"], files["providers"] = type_table(extract, policy), extract.files
    for name in (name for name in _BIG if name in settings.paths):
        bills = name == ("claims" if with_claims else "calls")
        scan = KeyScan(name, policy, bills, with_claims and name == "calls", blank_row(name, policy))
        scans[name] = scan, engine.scan_keys(scan, parts[name][0])
        ingest.check_mapping(name, scans[name][1].files, policy, without_billing=scan.without_billing)
    lines = scans["claims" if with_claims else "calls"][1]
    for name, (scan, scan_result) in scans.items():
        is_relevant = row_filter.row_filter_for(name, settings, engine, lines)
        until = summaries["calls"].profile.coverage.latest_end if name == "visits" else None
        repeated = MembershipFilter(scan_result.repeated)
        lookups = row_filter.lookups_for(name, engine, lines.billed, settings)
        typer = ChunkTyper(
            scan=scan, repeated=repeated, row_filter=is_relevant, with_spans=with_spans, lookups=lookups, until=until
        )
        summaries[name] = engine.type_chunks(typer, parts[name][0])
        tables[name] = replace(summaries[name].table, notes=(*parts[name][1], *summaries[name].table.notes))
        files[name] = tuple(replace(file, signature=first.signature)
                            for file, first in zip(summaries[name].files, scan_result.files, strict=True))  # fmt: skip
        progress(f"read {name}: {sum(file.rows for file in files[name]):,} rows")
    profiles = {name: summary.profile for name, summary in summaries.items()}
    return Inputs(
        {name: tables[name] for name in settings.paths},
        {name: files[name] for name in settings.paths},
        profiles,
        checks.quality_report(profiles, lines.billed, provider_rows(tables.get("providers")), policy),
        engine,
    )


def audit(inputs: Inputs, settings: Settings, progress: Progress) -> Result:
    """Audit the claims of the inputs, once: their rows are gone afterwards.

    Raises InputRefused where a required rule cannot be evaluated, or a file is no longer what was read.
    """
    policy, tables = settings.policy, inputs.tables
    not_evaluable = evaluated.not_evaluated(inputs, settings)
    exports = replace(exports_of(inputs, settings), not_evaluated=not_evaluable)
    checks.refuse(exports, Stage.PLANNED)
    covered = cover(inputs, settings)
    context = AuditContext(
        policy=policy,
        providers=provider_rows(tables.get("providers")),
        codes=settings.codes,
        audited=evaluated.in_service_range(settings) | evaluated.due_undecided(settings, covered),
        coverage=covered,
        quality=inputs.quality,
        not_evaluated=not_evaluable,
        identity=settings.identity,
        patients_with_rejected_visits=tables["visits"].patients_with_rejects,
        patients_with_rejected_lines=tables.get("claims", tables["calls"]).patients_with_rejects,
    )
    result = _merged(inputs, covered, not_evaluable, inputs.engine.judge(context))
    for name, files in inputs.files.items():
        for file in files:
            ingest.confirm(name, file)
    exports = exports_of(inputs, settings, result)
    checks.refuse(exports, Stage.JUDGED)
    return replace(result, warnings=checks.warnings(exports))


def exports_of(inputs: Inputs, settings: Settings, result: Result | None = None) -> Exports:
    """What the checks judge: the inputs, and what the audit learned of them."""
    exports = Exports(
        settings=settings,
        tables=inputs.tables,
        files=inputs.files,
        profiles=inputs.profiles,
        report=inputs.quality,
    )
    if result is None:
        return exports
    return replace(
        exports,
        not_evaluated=result.not_evaluated,
        coverage=result.coverage,
        match_rates=result.joins,
        clear_by_absence=result.absent,
        unmatched_adjustments=result.unmatched,
    )


def cover(inputs: Inputs, settings: Settings) -> Coverage:
    """The coverage of the inputs under the settings."""
    days = {name: profile.rows_by_date for name, profile in inputs.profiles.items()}
    bounds = coverage_bounds.merge([profile.coverage for profile in inputs.profiles.values()])
    return coverage.cover(bounds, days, settings.policy, settings.as_of, settings.visits_since, settings.claims_since)


def _in_order(claims: list[pl.DataFrame]) -> pl.DataFrame:
    """The claims of all partitions, which are let go, column by column: they are the largest part of a result.

    Each in one piece: lists in several are picked ten times slower.
    """
    whole = pl.concat(claims)
    claims.clear()
    order = whole.select(pl.arg_sort_by(*KEYS)).to_series()
    return pl.DataFrame([whole.drop_in_place(name).rechunk().gather(order) for name in whole.columns])


def _merged(inputs: Inputs, covered: Coverage, not_evaluable: Mapping[str, str], parts: Iterable[Judged]) -> Result:
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
        evidence.append(inputs.engine.spill(part.evidence))
        claimed.append(part.claimed)
        absent += part.absent
        unmatched += part.unmatched
    return Result(
        inputs,
        covered,
        _in_order(claims),
        pl.concat(found).sort(*FINDINGS_ORDER),
        pl.concat(evidence),
        pl.concat(outcomes),
        not_evaluable,
        relationships.match_rates(
            claimed,
            inputs.quality.ids,
            existing(inputs),
            pl.concat([profile.call_hashes for profile in inputs.profiles.values()]),
        ),
        inactive,
        absent,
        unmatched,
    )
