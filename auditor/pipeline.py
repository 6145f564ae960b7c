"""The whole path on one screen: scan keys → type and filter rows → cover → judge (bill, window, judge, find) → merge."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from auditor import evaluated
from auditor.audit_context import AuditContext
from auditor.billing.lines import provider_rows
from auditor.engines import Engine, KeptRows, no_rows
from auditor.errors import UsageError
from auditor.inputs import Inputs
from auditor.parsing.adjustment_rows import AMOUNTS, may_be_audited
from auditor.parsing.readers import blank_row
from auditor.parsing.typed_chunk import type_table
from auditor.parsing.typed_table import Table
from auditor.payers import widest
from auditor.phone_log import matches, records
from auditor.phone_log.records import PhoneRecords
from auditor.policy import Policy
from auditor.prefilter.chunk_typer import ChunkTyper
from auditor.prefilter.key_scan import KeyScan, KeyScanResult, no_keys
from auditor.prefilter.typers import Typers
from auditor.quality import checks, coverage, coverage_bounds
from auditor.quality.coverage import Coverage
from auditor.quality.issue import Exports, Stage
from auditor.quality.phone_log import SPARSE, InPhoneLog
from auditor.quality.relationships import CLAIMED
from auditor.reading import ingest
from auditor.reading.ingest import Part
from auditor.result import Result, merged
from auditor.settings import Settings


def read(settings: Settings, engine: Engine) -> Inputs:
    """Scan and type the given tables; the engine keeps the rows that can matter. Raises InputRefused."""
    if sum(paths.count("-") for paths in settings.paths.values()) > 1:
        raise UsageError("-: standard input can hold one table only; name files for the others")
    policy, paths = settings.policy, settings.paths
    sources = engine.parts(paths, policy, settings.database)
    parts: dict[str, list[Part] | None] = {"calls": None, "visits": None}
    parts |= {name: found for name, (found, _) in sources.items()}
    extracts = [ingest.read_parts(name, sources[name], policy) for name in paths if name == "providers"]
    log = records.read(sources["phone_log"], policy) if "phone_log" in paths else None
    in_log = log.records.users["provider_id"] if log else pl.Series(dtype=pl.String)
    scans = _scan_keys(policy, parts, engine)
    typers = Typers(scans, widest(policy), evaluated.enabled_rules(settings), settings.related, in_log)
    calls = _kept_rows(engine, typers.calls(), parts["calls"])
    claims = _kept_rows(engine, typers.claims(calls), parts["claims"]) if typers.with_claims else None
    visits = _kept_rows(engine, typers.visits(calls, claims), parts["visits"])
    kept: dict[str, KeptRows] = {"calls": calls, **({"claims": claims} if claims else {}), "visits": visits}
    tables = {extract.spec.name: type_table(extract, policy) for extract in extracts}
    files = {extract.spec.name: extract.files for extract in extracts}
    for name, rows in ((name, rows) for name, rows in kept.items() if name in paths):
        table = rows.summary.table
        tables[name] = replace(table, notes=(*sources[name][1], *table.notes))
        files[name] = ingest.signed_at_first(rows.summary.files, scans[name].files)
    if log:
        tables["phone_log"], files["phone_log"] = log.table, log.files
    profiles = {name: rows.summary.profile for name, rows in kept.items()}
    quality = checks.quality_report(profiles, typers.lines.billed, provider_rows(tables.get("providers")), policy)
    return Inputs(
        {name: tables[name] for name in paths},
        {name: files[name] for name in paths},
        profiles,
        quality,
        kept,
        log.records if log else None,
    )


def _kept_rows(engine: Engine, typer: ChunkTyper, parts: Sequence[Part] | None) -> KeptRows:
    """The rows of a table that can matter; none of a table that was not given."""
    return no_rows(typer) if parts is None else engine.type_chunks(typer, parts)


def _scan_keys(policy: Policy, parts: Mapping[str, Sequence[Part] | None], engine: Engine) -> dict[str, KeyScanResult]:
    """The key scan of each large table, in read order: the calls kept decide which claims are needed; both which visits."""
    with_claims, scans = "claims" in parts, dict[str, KeyScanResult]()
    for name in (name for name in ("calls", "claims", "visits") if name in parts):
        bills = name == ("claims" if with_claims else "calls")
        scan = KeyScan(name, policy, bills, with_claims and name == "calls", blank_row(name, policy))
        if (found := parts[name]) is None:
            scans[name] = no_keys(scan)
            continue
        scans[name] = engine.scan_keys(scan, found)
        ingest.check_mapping(name, scans[name].files, policy, without_billing=scan.without_billing)
    return scans


def audit(inputs: Inputs, settings: Settings, engine: Engine) -> Result:
    """Audit the claims of the inputs, once: their rows are gone afterwards.

    Raises InputRefused where a required rule cannot be evaluated, or a file is no longer what was read.
    """
    policy, tables = settings.policy, inputs.tables
    not_evaluable = evaluated.not_evaluated(inputs, settings)
    exports = replace(exports_of(inputs, settings), not_evaluated=not_evaluable)
    checks.refuse(exports, Stage.PLANNED)
    covered = cover(inputs, settings)
    audited = evaluated.in_service_range(settings) | evaluated.due_undecided(settings, covered)
    quality = inputs.quality
    if claims := inputs.kept.get("claims"):
        names = (
            *CLAIMED,
            "claim_id",
            "claim_line",
            "cpt_code",
            "service_date",
            "claim_status",
            "frequency_code",
            *AMOUNTS,
        )
        quality = quality.with_claims(claims.select(*names).filter(may_be_audited(settings.codes) & audited))
    context = AuditContext(
        policy=policy,
        providers=provider_rows(tables.get("providers")),
        codes=settings.codes,
        audited=audited,
        coverage=covered,
        quality=quality,
        not_evaluated=not_evaluable,
        identity=settings.identity,
        has_calls="calls" in tables,
        has_visits="visits" in tables,
        patients_with_rejected_visits=_patients_with_rejects(tables, "visits"),
        patients_with_rejected_lines=_patients_with_rejects(tables, "claims" if "claims" in tables else "calls"),
    )
    in_log = None
    if inputs.phone and "calls" in tables:
        context, in_log = _with_phone_log(context, inputs, inputs.phone, engine)
        checks.refuse(replace(exports, not_evaluated=context.not_evaluated), Stage.PLANNED)
    result = merged(inputs, covered, context.not_evaluated, engine.judge(inputs.kept, context), engine)
    result = replace(result, in_phone_log=in_log)
    for name, files in inputs.files.items():
        for file in files:
            ingest.confirm(name, file)
    exports = exports_of(inputs, settings, result)
    checks.refuse(exports, Stage.JUDGED)
    return replace(result, warnings=checks.warnings(exports))


def _with_phone_log(
    context: AuditContext, inputs: Inputs, log: PhoneRecords, engine: Engine
) -> tuple[AuditContext, InPhoneLog]:
    """The context with the audited claims' calls matched to the phone log, for whose records all calls compete."""
    calls = inputs.kept["calls"].summary.phone_calls
    found = matches.matched(calls, log, context.policy.phone_log.match_minutes)
    found = found.filter(pl.col("call_id").is_in(engine.audited_calls(inputs.kept, context).implode()))
    counts = InPhoneLog(found.height, found.height - found["record"].null_count())
    not_evaluated = dict(context.not_evaluated)
    if counts.is_sparse:
        not_evaluated.setdefault("INT004", SPARSE)
    return replace(context, phone_matches=found, not_evaluated=not_evaluated), counts


def _patients_with_rejects(tables: Mapping[str, Table], name: str) -> pl.Series:
    return tables[name].patients_with_rejects if name in tables else pl.Series(dtype=pl.String)


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
        in_phone_log=result.in_phone_log,
    )


def cover(inputs: Inputs, settings: Settings) -> Coverage:
    """The coverage of the inputs under the settings."""
    days = {name: profile.rows_by_date for name, profile in inputs.profiles.items()}
    bounds = coverage_bounds.merge([profile.coverage for profile in inputs.profiles.values()])
    return coverage.cover(bounds, days, settings.policy, settings.as_of, settings.visits_since, settings.claims_since)
