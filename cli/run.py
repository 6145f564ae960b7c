"""`audit98968 run` and `check`: read, audit, publish, print, and the exit code."""

import gc
import stat
import sys
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from sqlite3 import Connection

import polars as pl

from auditor import pipeline
from auditor.cases import after_decisions, known_claims, ledger_update, proof, queries, store
from auditor.engines import Engine
from auditor.engines.local import Local
from auditor.errors import InputRefused
from auditor.inputs import Inputs
from auditor.quality import checks, drift
from auditor.quality.issue import Stage
from auditor.reports import folder, summary, tables, text
from auditor.reports.page.providers import ranking
from auditor.reports.summary import run_of, stamp
from auditor.result import Result
from auditor.run_summary import RefusalSummary, Summary
from auditor.runs import past
from auditor.schema.names import counted, without_credentials
from auditor.settings import Settings
from cli.log import log
from cli.options import Options
from cli.streams import data, redirect_to_devnull

FINDINGS = 1


def run(options: Options) -> int:
    """Audit, publish and print. Returns the exit code; raises AuditError where the audit stops."""
    before = _latest(options)
    try:
        result, figures, cases, where = _to_the_end(options)
    except (KeyboardInterrupt, SystemExit):  # asked to stop
        if options.out:
            unchanged = "nothing was published, and `latest` is unchanged"
            late = "the report was published; the next run may add it to the ledger"
            log.error(f"stopped: {unchanged if _latest(options) == before else late}")
        raise
    log.stop_progress()
    try:
        _print(options, result, figures, cases, where)
        sys.stdout.flush()
    except BrokenPipeError:
        redirect_to_devnull(sys.stdout)  # a reader that has read enough changes nothing about the findings
    finally:
        unchecked = figures.ledger.unchecked
        for warning in figures.warnings:
            log.warn(warning, even_if_quiet=unchecked.is_alarming and warning == unchecked.sentence)
    return _exit_code(options.values["fail_on"], figures)


def _latest(options: Options) -> str | None:
    """Where `latest` leads; None: there is none."""
    with suppress(OSError):
        return str((options.out / "latest").readlink()) if options.out else None
    return None


def _to_the_end(options: Options) -> tuple[Result, Summary, pl.DataFrame | None, Path | None]:
    """Audit and publish. Returns what is told, the run's cases, and its folder."""
    if options.ledger:
        store.require_short_path(options.ledger)
    with ExitStack() as stack:
        gc.freeze()  # what was imported is no garbage: each collection of the rows of a large ledger would look at it again
        stack.callback(gc.unfreeze)
        if options.out:
            stack.enter_context(folder.locked(options.out))
            if options.out.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                log.warn(f"{options.out}: others may write to this folder; chmod 700 it, or choose another --out")
        engine = stack.enter_context(engine_of(options))
        ledger, settings = None, options.settings
        if options.ledger and store.is_there(options.ledger) and not options.begins_anew:
            ledger = stack.enter_context(store.opened(options.ledger, create=True))
            proof.require_sound_ledger(ledger, options.ledger, options.out)
            undecided, related = ledger_update.undecided(ledger), ledger_update.related(ledger)
            settings = replace(settings, undecided=undecided, related=related)
        elif options.ledger and not options.begins_anew:
            proof.require_no_ledger(options.ledger, options.out)
        result, figures = _audit(options, settings, engine, _unused_start(options.out, ledger), ledger)
        if options.out:
            log.stage("writing")
        if options.ledger and not ledger:
            if options.begins_anew and (archived := store.archive(options.ledger)):
                log.info("ledger", f"a new ledger starts; the previous one is kept as {archived}", path=str(archived))
            ledger = stack.enter_context(store.opened(options.ledger, create=True))
            if options.begins_anew:
                proof.begin(ledger, options.out)
        if ledger and options.out:
            proof.note_begun(options.out, anew=options.begins_anew)
        return _publish(options, ledger, result, figures)


def _unused_start(out: Path | None, ledger: Connection | None) -> datetime:
    """When this run began, to a millisecond that no other run has: a clock may stand still or go back."""
    started = datetime.now(UTC)
    while _is_used(f"{stamp(started)}*", out, ledger):
        started += timedelta(milliseconds=1)
    return started


def _is_used(pattern: str, out: Path | None, ledger: Connection | None) -> bool:
    if out and [*out.glob(pattern), *out.glob(f"refused/{pattern}")]:
        return True
    return bool(ledger and ledger.execute("SELECT 1 FROM runs WHERE run_id GLOB ?", (pattern,)).fetchone())


def _audit(
    options: Options, settings: Settings, engine: Engine, started: datetime, ledger: Connection | None
) -> tuple[Result, Summary]:
    """The finished audit and its summary; a refusal is published before it is raised."""
    inputs: Inputs | None = None
    try:
        inputs = pipeline.read(settings, engine)
        log.context["run_id"] = run_of(started, inputs, settings).run_id
        log_inputs(inputs)
        checks.refuse(pipeline.exports_of(inputs, settings), Stage.READ)
        result = pipeline.audit(inputs, settings if options.out else replace(settings, write=()), engine)
        figures = summary.of_result(result, settings, run_of(started, inputs, settings))
        compare_with_the_run_before(options, result, figures)
        if ledger and settings.max_shrink != "100%":
            known_claims.require_known_claims(ledger, result.claims, settings.codes)
    except InputRefused as refusal:
        if options.out:
            refused = summary.of_refusal(inputs, settings, run_of(started, inputs, settings), str(refusal))
            _name_found_policy(options, refused)
            _log_report(folder.publish_refusal(options.out, inputs, refused))
        raise
    _name_found_policy(options, figures)
    figures.settings |= {name: options.values[name] for name in ("fail_on", "memory", "engine")}
    master = options.values["master"]
    figures.settings["master"] = master and without_credentials(master)
    figures.settings["origins"] = dict(options.origins)
    counts = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in figures.claims)
    log.info("result", f"{figures.rules_evaluated} of {figures.rules_total} rules evaluated; {counts}",
             claims=vars(figures.claims), rules_evaluated=figures.rules_evaluated, money=vars(figures.money))  # fmt: skip
    return result, figures


def _name_found_policy(options: Options, figures: Summary | RefusalSummary) -> None:
    if options.found_policy:
        figures.policy.found = options.found_policy


def compare_with_the_run_before(options: Options, result: Result, figures: Summary) -> None:
    """With a ledger, refuse exports that lost rows since the run before, as far as its summary is there; warn of less."""
    if not (options.ledger and options.out):
        return
    with suppress(OSError, ValueError):
        exports = replace(
            pipeline.exports_of(result.inputs, options.settings),
            earlier=past.read(options.out / "latest" / "summary.json"),
            now=figures,
            history=[run for run in past.history(options.out, 2 * drift.RUNS) if run.ledger.run],
        )
        figures.warnings = [*checks.compared(exports), *figures.warnings]


def _publish(
    options: Options, ledger: Connection | None, result: Result, figures: Summary
) -> tuple[Result, Summary, pl.DataFrame | None, Path | None]:
    """Enter the run in the ledger and write its folder. Returns what is told then, the run's cases, and the folder.

    The ledger is kept last: a run that dies before is repeated, and nothing that is new is ever missed.
    """
    cases = None
    with store.writing(ledger) if ledger else nullcontext():
        if ledger:
            entered = ledger_update.enter_run(ledger, result, figures, options.settings.policy)
            result, figures = after_decisions.with_decisions(ledger, result, figures, entered)
            cases, figures.ledger.location = entered.cases, _location(options)
        figures.trend = past.trend(options.out, figures, queries.trend(ledger) if ledger else ())
        where = folder.publish(options.out, result, figures, cases, options.settings.write) if options.out else None
    if ledger and options.out:
        proof.note_entered(options.out, figures.run_id)
    _log_report(where)
    return result, figures, cases, where


def _location(options: Options) -> str:
    """The ledger as a command names it: by the output folder that it is in, else by its file."""
    beside = options.out and options.ledger == options.out / store.NAME
    return str(options.out if beside else options.ledger)


def engine_of(options: Options) -> Engine:
    """Where the work is done. Spilled data lies beside the output, which the next run clears if this one is killed."""
    if options.values["engine"] == "spark":
        from auditor.engines.spark import Spark

        return Spark(options.values["master"] or "local[*]", options.out, log.stage)
    return Local(options.values["memory"], options.out, log.stage, log.stage)


def log_inputs(inputs: Inputs) -> None:
    """Every file, with its rows in, used and rejected."""
    for file in summary.inputs_of(inputs):
        used = f"{counted(file.rows, 'row')} = {file.used:,} used + {file.rejected:,} rejected"
        used += f" + {file.left_out:,} left out" if file.left_out else ""
        log.info("input", f"{file.table}: {file.path}: {used}", **vars(file))


def _log_report(where: Path | None) -> None:
    if where:
        log.info("report", f"report: {where}", path=str(where))


def _print(options: Options, result: Result, figures: Summary, cases: pl.DataFrame | None, where: Path | None) -> None:
    form, show_ids = options.values["format"], options.values["show_ids"]
    if form == "text":
        on_one_terminal = sys.stdout.isatty() and sys.stderr.isatty() and not options.values["quiet"]
        text.write(sys.stdout, figures, result.findings, ranking(result.claims), where, cases, show_ids=show_ids,
                   warnings_shown_elsewhere=on_one_terminal)  # fmt: skip
    elif form == "json":
        data(folder.to_json((figures if show_ids else summary.without_ids(figures)).published()))
    elif form in ("csv", "jsonl"):
        data((tables.to_csv if form == "csv" else tables.to_jsonl)(result.findings))


def _exit_code(fail_on: str, figures: Summary) -> int:
    if fail_on in ("new", "incomplete") and figures.ledger.unchecked.is_alarming:
        return FINDINGS
    if fail_on == "new":
        return FINDINGS if figures.ledger.announced else 0
    levels = ("violation", "review", "incomplete")
    failing = levels[: levels.index(fail_on) + 1] if fail_on in levels else ()
    rejected = "incomplete" in failing and figures.claims.rejected
    return FINDINGS if rejected or any(getattr(figures.after_decisions, level) for level in failing) else 0
