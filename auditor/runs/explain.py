"""The explanation of one claim: its windows, the records near it, and a reason for every rule.

Source: docs/specification.md#evidence. It shows what the run published and audits nothing again.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from auditor.errors import InputRefused, UsageError
from auditor.rules import ALL
from auditor.rules.sentences import BASIS_WORDS
from auditor.run_summary import RuleResult, Summary
from auditor.runs import past
from auditor.schema.names import nearest
from auditor.windows import bounds
from auditor.zones import zone

Row = dict[str, Any]
_SUFFIX = 4
"""Digits, at least, by whose end a claim is looked for."""
_SUGGESTION_POOL = 20_000
"""Claim ids that are searched for a similar one."""
_TABLES = ("claims", "findings", "evidence")
_ALWAYS = ("claims.parquet", "findings.parquet", "summary.json")
"""Files of every run, even if `--write` leaves out others."""
_KEYS = ("claim_id", "claim_line", "cpt_code")
NOT_APPLICABLE = "not applicable"
_KIND_WORDS = {"claim": "line", "line": "billed visit"}
_RULES = {rule.code: rule for rule in ALL}


@dataclass(frozen=True)
class Window:
    """A period that rules look at."""

    name: str
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Event:
    """A visit, line or call. `until`: its end, if known; `notes`: one per rule that considered it."""

    kind: str
    id: str
    at: datetime | None
    until: datetime | None
    date_only: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """A rule's outcome for the claim, and the reason."""

    code: str
    name: str
    outcome: str
    reason: str


@dataclass(frozen=True)
class ClaimExplanation:
    """One line: its row of claims.parquet, its windows, its events in order of time, and the rules' verdicts."""

    claim: Row
    run: Summary
    windows: tuple[Window, ...]
    events: tuple[Event, ...]
    verdicts: tuple[Verdict, ...]


def explain(folder: Path, claim_id: str) -> list[ClaimExplanation]:
    """Explain each line of a claim, named by its id, a finding id or a case number.

    `folder` is a run's folder, or an output folder, whose latest run is used.

    Raises UsageError if the folder has no run or the run has no such claim, InputRefused if a file cannot be read.
    """
    run = find_run(folder)
    if not (run / "evidence.parquet").exists():
        raise UsageError(f"{folder}: this run has no evidence; run the audit again with evidence in --write")
    try:
        summary = past.read(run / "summary.json")
        zone(summary.timezone)
        claim_id = _claim_of(run, claim_id)
        claims, findings, evidence = (
            past.scan(run, name).filter(pl.col("claim_id") == claim_id).collect() for name in _TABLES
        )
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        problem = f"the run's files cannot be read ({type(error).__name__}); run the audit again"
        raise InputRefused(f"{run}: {problem}") from None
    if claims.is_empty():
        audited = pl.scan_parquet(run / "claims.parquet").select("claim_id").collect()["claim_id"].unique()
        raise UsageError(
            f"{run}: this run audited no claim with that id; check the id, including upper and lower case"
            f"{_nearest(claim_id, audited)}"
        )
    return [_explanation(claim, _of(claim, findings), _of(claim, evidence), summary) for claim in claims.to_dicts()]


def _claim_of(run: Path, text: str) -> str:
    """The claim id that a text is, or that of the finding id or the case number that it is; else the text."""
    if past.scan(run, "claims").filter(pl.col("claim_id") == text).head(1).collect().height:
        return text
    for table, number in {"findings": "case_number", "cases": "number"}.items():  # a resolved case has no finding
        if not (run / f"{table}.parquet").exists():
            continue
        rows = past.scan(run, table)
        names = {"finding_id", number} & set(rows.collect_schema())
        same = pl.any_horizontal(
            pl.lit(False), *(pl.col(name).cast(pl.String) == text.removeprefix("#") for name in names)
        )
        found = rows.filter(same).select("claim_id").head(1).collect()
        if found.height:
            return str(found.item())
    return text


def _nearest(claim_id: str, pool: pl.Series) -> str:
    """`; did you mean X?` for an id that ends like the text, as without its leading zeros, else for one that looks alike."""
    digits = claim_id.lstrip("0")
    if len(digits) >= _SUFFIX and digits.isdecimal():
        ends = pool.filter(pool.str.ends_with(digits)).sort()
        if len(ends) == 1:
            return f"; did you mean {ends[0]}?"
    if len(pool) > _SUGGESTION_POOL:
        pool = pool.filter(pool.str.slice(0, 3) == claim_id[:3]).head(_SUGGESTION_POOL)
    return nearest(claim_id, pool, 0.8)


def find_run(folder: Path) -> Path:
    """The folder of a finished run: this folder, or the latest run in it. Raises UsageError if there is none."""
    for run in (folder, folder / "latest"):
        if all((run / name).exists() for name in _ALWAYS):
            return run.resolve()
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder; name the folder given to --out, or one run in it")
    if (folder / "rejects.csv").exists() and (folder / "summary.json").exists():
        raise UsageError(f"{folder}: this run was refused, so it audited no claim; see its summary.json for the reason")
    raise UsageError(f"{folder}: this folder has no finished run; name the folder given to --out, or one run in it")


def _of(claim: Row, frame: pl.DataFrame) -> list[Row]:
    return [row for row in frame.to_dicts() if all(row.get(key, claim[key]) == claim[key] for key in _KEYS)]


def _explanation(claim: Row, findings: Sequence[Row], evidence: Sequence[Row], run: Summary) -> ClaimExplanation:
    run = run.under(claim["policy"])
    events = [*_calls(claim, evidence), *_records(claim, evidence)]
    ordered = sorted(events, key=lambda e: (e.at is None, e.at.timestamp() if e.at else 0.0, e.kind, e.id))
    windows = tuple(_windows(claim, run)) if claim["service_date"] else ()
    verdicts = tuple(_verdict(rule, claim, findings, evidence, run) for rule in run.rules)
    return ClaimExplanation(claim, run, windows, tuple(ordered), verdicts)


def _windows(claim: Row, run: Summary) -> list[Window]:
    numbers = run.numbers
    names = {
        "period": f"frequency period, {numbers.period} days",
        "lookback": f"lookback, {numbers.lookback} days",
        "ahead": f"call and {numbers.hours} hours after",
        "later": f"soonest available, {numbers.horizon} days",
    }
    spans = bounds.spans(numbers, claim["call_start"], claim["call_end"], claim["service_date"], zone(run.timezone))
    return [Window(names[name], *span) for name, span in spans.items()]


def _calls(claim: Row, evidence: Sequence[Row]) -> list[Event]:
    """The claim's calls, each with its times if the run published them (rows without a rule); else all as one."""
    own = [row for row in evidence if not row["rule"] and row["kind"] == "call"]
    if own:
        return [Event("call", row["id"], row["record_at"], row.get("until"), False, ()) for row in own]
    if not claim["call_ids"]:
        return []
    return [Event("call", ", ".join(claim["call_ids"]), claim["call_start"], claim["call_end"], False, ())]


def _records(claim: Row, evidence: Sequence[Row]) -> list[Event]:
    """Every other record that a rule considered, once, with a note per rule."""
    records: dict[tuple[str, str, datetime | None], list[Row]] = {}
    for row in evidence:
        if row["rule"] and not (row["kind"] == "call" and row["id"] in claim["call_ids"]):
            records.setdefault((row["kind"], row["id"], row["record_at"]), []).append(row)
    return [
        Event(kind, record_id, at, None, any(row["date_only"] for row in rows), tuple(map(_note, rows)))
        for (kind, record_id, at), rows in records.items()
    ]


def _note(row: Row) -> str:
    if row["outcome"] == "none":
        return f"{row['rule']}: does not count ({row['exclusion_reason']})"
    basis = BASIS_WORDS.get(row["basis"], row["basis"])
    return f"{row['rule']}: {row['outcome']}" + (f" ({basis})" if basis else "")


def _verdict(rule: RuleResult, claim: Row, findings: Sequence[Row], evidence: Sequence[Row], run: Summary) -> Verdict:
    code = rule.code
    considered = [row for row in evidence if row["rule"] == code]
    if not rule.evaluated:
        outcome, reason = "not evaluated", rule.reason or ""
    elif code in claim["violations"] or code in claim["reviews"]:
        outcome = "violation" if code in claim["violations"] else "review"
        reason = "; ".join(_finding_text(row) for row in findings if row["rule"] == code)
    elif code in claim["unknowns"]:
        outcome, reason = "unknown", _unknown(code, claim, considered, run)
    elif code in claim["not_applicable"]:
        outcome, reason = NOT_APPLICABLE, _not_applicable(code, claim, run)
    else:
        outcome, reason = "clear", _clear(code, claim, considered, run)
    return Verdict(code, rule.name, outcome, reason)


def _finding_text(finding: Mapping[str, Any]) -> str:
    more = (finding["related_count"] or 1) - 1
    return str(finding["message"]) + (f"; {more} more record{'s' if more > 1 else ''} like it" if more else "")


def _clear(code: str, claim: Row, considered: Sequence[Row], run: Summary) -> str:
    """What a rule considered that found nothing. A rule that no longer exists has no text."""
    rule = _RULES.get(code)
    if rule is None:
        return "nothing found"
    if rule.explains_rejected_records and considered:
        kinds = Counter(_KIND_WORDS.get(row["kind"], row["kind"]) for row in considered)
        counted = " and ".join(f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in sorted(kinds.items()))
        why = Counter(str(row["exclusion_reason"]) for row in considered)
        reasons = (reason if len(why) == 1 else f"{count} {reason}" for reason, count in why.most_common())
        return f"{counted} considered, none counts: {', '.join(reasons)}"
    return rule.nothing.format(**(dict(claim) | run.numbers.filled(claim["cpt_code"])))


def _not_applicable(code: str, claim: Row, run: Summary) -> str:
    """Why a rule does not apply to the claim."""
    if claim["policy"] is None:
        return "no policy is set for the claim's payer on its service date"
    if run.policies[0].get("severity", {}).get(code) == "off":
        return "off in the policy of the claim's payer"
    if claim["disposition"] == NOT_APPLICABLE:
        return "the service date is outside the policy's dates"
    rule = _RULES.get(code)
    if not claim["call_ids"] and (rule is None or (rule.reads_calls and not rule.without_call)):
        return "the claim has no call"
    return rule.not_applicable if rule else "the rule does not apply to this claim"


def _unknown(code: str, claim: Row, considered: Sequence[Row], run: Summary) -> str:
    """Why a rule is unknown. If the coverage is not the reason, a row of the patient may be missing."""
    rule = _RULES.get(code)
    return rule.why_unknown(claim, considered, run) if rule else "the export does not show it"
