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
from auditor.judging.findings import KEYS
from auditor.parsing.adjustment_rows import AMOUNTS, may_be_audited
from auditor.parsing.typed_chunk import type_table
from auditor.parsing.typed_table import Table
from auditor.phone_log import matches
from auditor.phone_log.records import PhoneRecords, log_reader
from auditor.prefilter.chunk_typer import ChunkTyper
from auditor.prefilter.key_scan import KeyScan, KeyScanResult, key_scans, no_keys
from auditor.prefilter.typers import Typers
from auditor.quality import checks, coverage
from auditor.quality.issue import Exports, Stage
from auditor.quality.phone_log import SPARSE, InPhoneLog
from auditor.quality.relationships import CLAIMED
from auditor.reading import ingest
from auditor.reading.chunks import read_parts
from auditor.reading.ingest import Part
from auditor.result import Result, merged
from auditor.settings import Settings

_OF_CLAIMS = (*CLAIMED, *KEYS, "service_date", "claim_status", "frequency_code", *AMOUNTS)
"""Columns that tell which claims are audited, and whose they are."""


def read(settings: Settings, engine: Engine) -> Inputs:
    """Scan and type the given tables; the engine keeps the rows that can matter. Raises InputRefused."""
    if sum(paths.count("-") for paths in settings.paths.values()) > 1:
        raise UsageError("-: standard input can hold one table only; name files for the others")
    policy, rules = settings.policy, settings.enabled_rules
    sources = engine.parts(settings.paths, policy, settings.database)
    parts: dict[str, Sequence[Part] | None] = {"calls": None, "visits": None}
    parts |= {name: found for name, (found, _) in sources.items()}
    extract = read_parts("providers", sources["providers"], policy) if "providers" in sources else None
    log = log_reader(policy).read(sources["phone_log"][0]) if "phone_log" in sources else None
    scans = {scan.table: _scan_keys(engine, scan, parts[scan.table]) for scan in key_scans(policy, parts)}
    in_log = log.records.users["provider_id"] if log else pl.Series(dtype=pl.String)
    typers = Typers(scans, policy, rules, settings.related, in_log)
    calls = _kept_rows(engine, typers.calls(), parts["calls"])
    claims = _kept_rows(engine, typers.claims(calls), parts["claims"]) if typers.with_claims else None
    visits = _kept_rows(engine, typers.visits(calls, claims), parts["visits"])
    kept: dict[str, KeptRows] = {"calls": calls, **({"claims": claims} if claims else {}), "visits": visits}
    tables = {name: rows.summary.table for name, rows in kept.items()}
    files = {name: ingest.signed_at_first(rows.summary.files, scans[name].files) for name, rows in kept.items()}
    if log:
        tables["phone_log"], files["phone_log"] = log.table, log.files
    if extract:
        tables["providers"], files["providers"] = type_table(extract, policy), extract.files
    profiles = {name: rows.summary.profile for name, rows in kept.items()}
    quality = checks.quality_report(profiles, typers.lines.billed, provider_rows(tables.get("providers")), policy)
    return Inputs(
        {name: replace(tables[name], notes=notes) for name, (_, notes) in sources.items()},
        {name: files[name] for name in sources},
        profiles,
        quality,
        kept,
        log.records if log else None,
    )


def _scan_keys(engine: Engine, scan: KeyScan, parts: Sequence[Part] | None) -> KeyScanResult:
    """The keys of a table; none of a table that was not given."""
    if parts is None:
        return no_keys(scan)
    result = engine.scan_keys(scan, parts)
    scan.check(result.files)
    return result


def _kept_rows(engine: Engine, typer: ChunkTyper, parts: Sequence[Part] | None) -> KeptRows:
    """The rows of a table that can matter; none of a table that was not given."""
    return no_rows(typer) if parts is None else engine.type_chunks(typer, parts)


def audit(inputs: Inputs, settings: Settings, engine: Engine) -> Result:
    """Audit the claims of the inputs, once: their rows are gone afterwards.

    Raises InputRefused where a required rule cannot be evaluated, or a file is no longer what was read.
    """
    policy, tables, quality = settings.policy, inputs.tables, inputs.quality
    exports = exports_of(inputs, settings)
    not_evaluable = evaluated.not_evaluated(inputs, settings)
    checks.refuse(replace(exports, not_evaluated=not_evaluable), Stage.PLANNED)
    dates = settings.dates
    covered = coverage.cover(inputs.profiles, dates, policy)
    audited = evaluated.in_service_range(dates) | evaluated.due_undecided(settings, covered)
    if claims := inputs.kept.get("claims"):
        quality = quality.with_claims(claims.select(*_OF_CLAIMS).filter(may_be_audited(settings.codes) & audited))
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
        with_evidence=not {"html", "evidence"}.isdisjoint(settings.write),
        patients_with_rejected_visits=_patients_with_rejects(tables, "visits"),
        patients_with_rejected_lines=_patients_with_rejects(tables, "claims" if "claims" in tables else "calls"),
    )
    in_log = None
    if inputs.phone and "calls" in tables:
        context, in_log = _with_phone_log(context, inputs, inputs.phone, engine)
        checks.refuse(replace(exports, not_evaluated=context.not_evaluated), Stage.PLANNED)
    result = merged(inputs, covered, context.not_evaluated, engine.judge(inputs.kept, context), engine)
    for name, files in inputs.files.items():
        for file in files:
            ingest.confirm(name, file)
    result = replace(result, in_phone_log=in_log)
    exports = _audited(exports, result)
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
    return _audited(exports, result) if result else exports


def _audited(exports: Exports, result: Result) -> Exports:
    return replace(
        exports,
        not_evaluated=result.not_evaluated,
        coverage=result.coverage,
        match_rates=result.joins,
        clear_by_absence=result.absent,
        unmatched_adjustments=result.unmatched,
        in_phone_log=result.in_phone_log,
    )
