"""The whole path on one screen: scan keys → type and filter rows → cover → judge (bill, window, judge, find) → merge."""

from collections.abc import Mapping
from dataclasses import replace

from auditor import evaluated
from auditor.audit_context import AuditContext
from auditor.billing.lines import provider_rows
from auditor.engines import Engine, Progress
from auditor.engines.local import Local
from auditor.errors import UsageError
from auditor.inputs import Inputs
from auditor.parsing.readers import blank_row
from auditor.parsing.typed_chunk import type_table
from auditor.parsing.typed_table import Table
from auditor.prefilter import row_filter
from auditor.prefilter.chunk_typer import ChunkTyper
from auditor.prefilter.key_scan import KeyScan, KeyScanResult
from auditor.prefilter.membership_filter import MembershipFilter
from auditor.quality import checks, coverage, coverage_bounds
from auditor.quality.coverage import Coverage
from auditor.quality.issue import Exports, Stage
from auditor.quality.profile import TableProfile
from auditor.reading import ingest
from auditor.reading.ingest import Part, SourceFile
from auditor.result import Result, merged
from auditor.settings import Settings


def read(settings: Settings, progress: Progress, given_engine: Engine | None = None) -> Inputs:
    """Scan and type the given tables, here if no engine is given; keep the rows that can matter. Raises InputRefused."""
    if sum(paths.count("-") for paths in settings.paths.values()) > 1:
        raise UsageError("-: standard input can hold one table only; name files for the others")
    engine: Engine = given_engine or Local(progress=progress)
    parts = {name: engine.parts(name, paths) for name, paths in settings.paths.items()}
    providers, provider_files = _read_providers(settings)
    scans = _scan_keys(settings, parts, engine)
    lines = scans["claims" if "claims" in scans else "calls"][1]
    with_spans = any(rule.over == "overlap" for rule in evaluated.enabled_rules(settings))
    tables, files, profiles = dict(providers), dict(provider_files), dict[str, TableProfile]()
    for name, (scan, scanned) in scans.items():
        typer = ChunkTyper(
            scan=scan,
            repeated=MembershipFilter(scanned.repeated),
            row_filter=row_filter.row_filter_for(name, settings, engine, lines),
            with_spans=with_spans,
            lookups=row_filter.lookups_for(name, engine, lines.billed, settings),
            until=profiles["calls"].coverage.latest_end if name == "visits" else None,
        )
        summary = engine.type_chunks(typer, parts[name][0])
        profiles[name] = summary.profile
        tables[name] = replace(summary.table, notes=(*parts[name][1], *summary.table.notes))
        files[name] = tuple(replace(file, signature=first.signature)
                            for file, first in zip(summary.files, scanned.files, strict=True))  # fmt: skip
        progress(f"read {name}: {sum(file.rows for file in files[name]):,} rows")
    return Inputs(
        {name: tables[name] for name in settings.paths},
        {name: files[name] for name in settings.paths},
        profiles,
        checks.quality_report(profiles, lines.billed, provider_rows(tables.get("providers")), settings.policy),
        engine,
    )


def _read_providers(settings: Settings) -> tuple[dict[str, Table], dict[str, tuple[SourceFile, ...]]]:
    """The provider table, whole; nothing where none is given."""
    if "providers" not in settings.paths:
        return {}, {}
    extract = ingest.read_table("providers", settings.paths["providers"], settings.policy)
    return {"providers": type_table(extract, settings.policy)}, {"providers": extract.files}


def _scan_keys(
    settings: Settings, parts: Mapping[str, tuple[list[Part], tuple[str, ...]]], engine: Engine
) -> dict[str, tuple[KeyScan, KeyScanResult]]:
    """The key scan of each large table, in read order: the calls kept decide which claims are needed; both which visits."""
    policy, with_claims, scans = settings.policy, "claims" in settings.paths, dict[str, tuple[KeyScan, KeyScanResult]]()
    for name in (name for name in ("calls", "claims", "visits") if name in settings.paths):
        bills = name == ("claims" if with_claims else "calls")
        scan = KeyScan(name, policy, bills, with_claims and name == "calls", blank_row(name, policy))
        scans[name] = scan, engine.scan_keys(scan, parts[name][0])
        ingest.check_mapping(name, scans[name][1].files, policy, without_billing=scan.without_billing)
    return scans


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
    result = merged(inputs, covered, not_evaluable, inputs.engine.judge(context))
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
