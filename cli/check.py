"""`audit98968 check`: would tonight's run be worth reading? Everything but the verdicts."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby

import polars as pl

from auditor import evaluated, pipeline
from auditor.inputs import Inputs
from auditor.quality import checks, clock_offset, duration_units, measure, rejects, unlisted_codes
from auditor.quality.issue import Stage
from auditor.reading.headers import like_data, listed
from auditor.reading.ingest import SourceFile
from auditor.reports import summary, text
from auditor.result import Result
from auditor.rules import ALL
from auditor.schema.names import counted, found_of
from auditor.settings import Settings
from auditor.sources import known
from cli.log import log
from cli.options import Options
from cli.run import compare_with_the_run_before, engine_of, log_inputs

_REASONS = 20
"""Reasons that are listed of a table, the most frequent ones."""
_FILES = 10
"""Files of a table that are listed."""


def check(options: Options) -> int:
    """Show how the inputs are understood, how far they go and how they join. Raises InputRefused where `run` would."""
    settings, started = options.settings, datetime.now(UTC)
    out = text.console(sys.stdout)
    with engine_of(options) as engine:
        inputs = pipeline.read(settings, engine)
        log_inputs(inputs)
        log.stop_progress()
        for line in _tables(inputs, settings, show_ids=options.values["show_ids"]):
            out.print(line)
        for line in (*_units(inputs, settings), *_codes(inputs), *_rules(inputs, settings)):
            out.print(line)
        checks.refuse(pipeline.exports_of(inputs, settings), Stage.READ)
        result = pipeline.audit(inputs, replace(settings, allow_unjoined=True, write=()), engine)
    log.stop_progress()
    figures = summary.of_result(result, settings, summary.run_of(started, inputs, settings))
    for line in _extent(result, settings):
        out.print(line)
    checks.refuse(pipeline.exports_of(inputs, settings, result), Stage.JUDGED)
    compare_with_the_run_before(options, result, figures)
    for warning in figures.warnings:
        out.print(f"Warning: {warning}")
        log.warn(warning, aloud=False)
    return 0


def _tables(inputs: Inputs, settings: Settings, *, show_ids: bool) -> Iterator[str]:
    """Rows, files, the columns that have another name in the export, rejects by reason, values that nobody knows."""
    rejects = summary.rejects_of(inputs)
    for table, files in inputs.files.items():
        rows, lost = sum(file.rows for file in files), rejects[table].rejected
        left_out = sum(file.facts.left_out for file in files)
        others = f" + {left_out:,} left out" if left_out else ""
        yield f"{table}: {counted(rows, 'row')} = {rows - left_out - lost:,} used + {lost:,} rejected{others}"
        if system := settings.policy.systems.get(table):
            description = known.content(system)
            doubt = "" if description["verified"] else ", which is not verified: check the columns"
            yield f"  read as {description['system']}{doubt}"
        yield from _files(files)
        reasons = inputs.tables[table].rejects_by_reason.group_by("column", "reason").agg(pl.sum("count"))
        common = reasons.sort(-pl.col("count").cast(pl.Int64), "column", "reason").head(_REASONS)
        for column, reason, count in common.iter_rows():
            yield f"  rejected {count:,}: {reason}{f' [{column}]' if column else ''}"
        if more := reasons.height - common.height:
            rest = sum(reasons["count"]) - sum(common["count"])
            yield f"  rejected {rest:,} for {more:,} other reasons; --out DIR of `run` lists them in rejects.csv"
    if blank := summary.blank_columns_of(inputs):
        yield f"blank in every row, so absent: {', '.join(blank)}"
    for column, of_column in groupby(
        summary.unrecognised_of(inputs, settings), key=lambda one: f"{one.table}.{one.column}"
    ):
        values = list(of_column)
        if show_ids:
            yield from (f"unrecognized {column}: {value.value!r} in {counted(value.count, 'row')}" for value in values)
        else:
            total = counted(sum(value.count for value in values), "row")
            yield f"unrecognized {column}: {counted(len(values), 'value')} in {total}; --show-ids shows values"


def _files(files: Sequence[SourceFile]) -> Iterator[str]:
    """The first files with their rows, then how their columns are read: what several files share is one line."""
    for file in files[:_FILES]:
        yield f"  {file.path}: {counted(file.rows, 'row')}"
        yield from (f"    {line}" for line in file.understood)
    if others := files[_FILES:]:
        yield f"  and {counted(len(others), 'more file')}: {counted(sum(file.rows for file in others), 'row')}"
    lines: dict[str, list[str]] = {}
    for file in files:
        renamed = (f"{column} <- {' + '.join(names)}" for column, names in file.mapping.items() if names != (column,))
        for line in (*renamed, *_not_used(file)):
            lines.setdefault(line, []).append(file.path)
    for line, paths in lines.items():
        where = "" if len(paths) == len(files) else f" ({paths[0] if len(paths) == 1 else f'{len(paths):,} files'})"
        yield f"    {line}{where}"


def _not_used(file: SourceFile) -> Iterator[str]:
    """The columns of a file that nothing reads; only their number where a header may be data."""
    if like_data(file.unused):
        yield f"not used: {counted(len(file.unused), 'column')} with headers that look like data"
    elif file.unused:
        yield f"not used: {listed(file.unused, len(file.unused))}"


def _units(inputs: Inputs, settings: Settings) -> Iterator[str]:
    """In which unit stated lengths are read, and how far start and end bear it out."""
    for name in duration_units.STATED if "calls" in inputs.tables else ():
        if name in inputs.tables["calls"].columns:
            unit = settings.policy.units.get(name, "seconds" if name == "call_seconds" else "minutes")  # type: ignore[call-overload]
            calls = inputs.profiles["calls"]
            timed, agree = (calls.count(duration_units.COUNTS[f"{name} {what}"]) for what in ("timed", "agrees"))
            yield f"calls.{name}: read as {unit}; {agree:,} of {timed:,} agree with start and end"


def _codes(inputs: Inputs) -> Iterator[str]:
    """Whether the lists know the visits' codes."""
    if "visits" in inputs.tables and "cpt_codes" in inputs.tables["visits"].columns:
        codes = inputs.profiles["visits"].unlisted_codes
        unlisted = f"{unlisted_codes.described(codes)} not on a list"
        yield f"visits.cpt_codes: {unlisted if codes else 'all are on a list'} of the policy"


def _rules(inputs: Inputs, settings: Settings) -> Iterator[str]:
    """Which rules can be evaluated, and for the others what they lack."""
    not_evaluable = evaluated.not_evaluated(inputs, settings)
    yield f"{len(ALL) - len(not_evaluable)} of {evaluated.number_asked(not_evaluable)} rules can be evaluated"
    for rule in ALL:
        if reason := not_evaluable.get(rule.code):
            yield f"  {rule.code} {rule.name}: {reason}"


def _extent(result: Result, settings: Settings) -> Iterator[str]:
    """Lines by code, coverage, local hours, the zone, and how ids join."""
    inputs = result.inputs
    profile = inputs.profiles["claims" if "claims" in inputs.profiles else "calls"]
    for code in sorted({*settings.codes, *profile.billed_used, *profile.billed_rejected} - {""}):
        used, lost = rejects.billed(profile, [code])
        yield f"rows with {code}: {used:,} used, {lost:,} rejected{'' if code in settings.codes else ' (not audited)'}"
    covered = summary.coverage_of(result.coverage, settings)
    yield from (f"{name}: {value}" for name, value in covered.model_dump(exclude={"holes"}).items())
    yield from (f"hole in the {gap.table}: {gap.first} to {gap.last}" for gap in covered.holes)
    assumed = " (assumed)" if settings.policy.timezone_defaulted else ""
    yield f"timezone: {settings.policy.timezone}{assumed}"
    for table, column in ((table, column) for table, columns in measure.TIMED.items() for column in columns):
        if table in inputs.profiles and (hours := clock_offset.hours(inputs.profiles[table], column)):
            yield f"{table}.{column}: 9 of 10 are from {hours[0]}:00 to {hours[1]}:59"
    for join in summary.joins_of(result):
        nearly = f", {join.nearly_equal:,} nearly ({join.differ_in})" if join.nearly_equal else ""
        yield f"{join.column}: {found_of(join.found, join.values, join.of)} found{nearly}"
