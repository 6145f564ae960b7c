"""A million findings through the ledger, three nights running: seconds of CPU and memory.

    python -m tests.slow.ledger.million [--findings 1000000] [--seconds 60]

In the second night a twentieth each is new, worse, resolved, and gone; in the third one finding in 300 is worse. Exits 1 if a
night takes longer, or if its marks are not those that were planned.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl

from auditor import policy as policies
from auditor.cases import ledger_update, proof, store
from auditor.rules import select
from auditor.rules.rule import Outcome
from auditor.run_summary import RunFigures

RULES = ("DUR001", "LBK001", "LAH001", "FRQ001")
AS_OF = datetime(2026, 5, 1, tzinfo=UTC)


def result(findings: int, changed: int, resolved: int, left: int, added: int, more: int) -> Any:
    """A night of four findings a claim: from the front `changed` findings differ, `more` of them by more, and `resolved` are
    clear (both whole claims apart), the last `left` claims' rows are gone, `added` are new."""
    claims = (findings + added) // len(RULES)
    keys = pl.select(line=pl.int_range(claims, dtype=pl.UInt32)).with_columns(
        claim_id=pl.format("C{}", "line"), claim_line=pl.lit("1"), cpt_code=pl.lit("98968")
    )
    keys = keys.filter(~pl.col("line").is_between(findings // len(RULES) - left, findings // len(RULES), closed="left"))
    start = pl.lit(datetime(2026, 1, 5, 9, tzinfo=UTC)) + pl.duration(minutes=pl.col("line"))
    unknowns = pl.when(pl.col("line") % 20 == 0).then(pl.lit(["LAH002"])).otherwise(pl.lit([], pl.List(pl.String)))
    whole = keys.with_columns(
        call_start=start, call_end=start + pl.duration(minutes=12), unknowns=unknowns, policy=pl.lit("default"),
        patient_id=pl.format("P{}", pl.col("line") // 3), service_date=pl.lit(date(2026, 1, 5)),
    )  # fmt: skip
    clear = pl.col("line").is_between(changed // len(RULES), (changed + resolved) // len(RULES), closed="left")
    outcome = pl.when(clear).then(pl.lit(Outcome.CLEAR)).otherwise(pl.lit(Outcome.VIOLATION))
    outcomes = keys.select("line", *(outcome.alias(rule) for rule in RULES))
    found = whole.filter(~clear).join(pl.DataFrame({"rule": RULES}), how="cross")
    paid = pl.when(pl.col("line") < changed // len(RULES)).then(pl.lit("31.00")).otherwise(pl.lit("30.00"))
    paid = pl.when(pl.col("line") < more // len(RULES)).then(pl.lit("32.00")).otherwise(paid)
    found = found.with_columns(
        outcome=pl.lit("violation"), provider_id=pl.lit("D1"), minutes=pl.lit(12, pl.Int64), related_kind=pl.lit("visit"),
        related_id=pl.format("V{}", "line"), related_at=start, gap_days=pl.lit(0, pl.Int64), basis=pl.lit("same provider"),
        billed_amount=pl.lit("50.00").cast(pl.Decimal(18, 2)), paid_amount=paid.cast(pl.Decimal(18, 2)),
        message=pl.lit("found"), payer=pl.lit(None, pl.String), finding_id=pl.format("{}:{}:1", "rule", "claim_id"),
    )  # fmt: skip
    there = whole.select(_kind=pl.lit("visit"), _id=pl.format("V{}", "line")).unique()
    quality = SimpleNamespace(previous_records_present=lambda: there)
    return SimpleNamespace(findings=found, claims=whole, outcomes=outcomes, not_evaluated={}, inputs=SimpleNamespace(quality=quality),
                           coverage=SimpleNamespace(as_of=AS_OF))  # fmt: skip


def main() -> int:
    """Three nights. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--findings", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    many, part, few = options.findings, options.findings // 20, options.findings // 1200 * len(RULES)
    ledger_runs = (
        ((0, 0, 0, 0, 0), {"new": many}),
        ((part, part, part // 4, part, 0),
         {"new": part, "worse": part, "resolved": part, "not_seen": part, "persisting": many - 3 * part}),
        ((part, part, part // 4, part, few), {"worse": few, "persisting": many - part - few, "not_seen": part}),
    )  # fmt: skip
    policy = policies.load("default", select, "UTC")
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / store.NAME
        for number, (how, planned) in enumerate(ledger_runs, 1):
            this_run = result(many, *how)
            reported: Any = SimpleNamespace(
                run_id=f"run{number}", started_utc=f"2026-05-0{number}T02:00:00+00:00", inputs=[], version="0",
                pseudonym_key_id=None, policy=SimpleNamespace(sha256=""), coverage=SimpleNamespace(as_of=AS_OF),
                policies_without_clock=[], figures=RunFigures(run=f"run{number}"),
            )  # fmt: skip
            before = _peak()
            began = time.process_time()
            with store.opened(path, create=True) as ledger:
                proof.require_sound_ledger(ledger, path, None)
                opened = time.process_time() - began
                with store.writing(ledger):
                    marks = ledger_update.enter_run(ledger, this_run, reported, policy).in_summary["marks"]
            seconds = time.process_time() - began
            failed |= seconds > options.seconds or {mark: count for mark, count in marks.items() if count} != planned
            print(f"night {number}: {seconds:.1f} s (opened and proved in {opened:.1f} s), peak {_peak():.2f} GB,"
                  f" {before:.2f} GB before it; ledger {path.stat().st_size / 1e6:,.0f} MB; {marks}", flush=True)  # fmt: skip
        began = time.process_time()
        with store.opened(path) as ledger:
            failed |= any(proof.faults(ledger, path.parent))
        print(f"proved whole in {time.process_time() - began:.1f} s, as `cases verify` does")
    return int(failed)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    raise SystemExit(main())
