"""The phrases of report.html: the headline, the main contributors, the facts of the run. No HTML."""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from operator import attrgetter
from typing import Any

import polars as pl

from auditor.choices import GONE
from auditor.judging.findings import KEYS
from auditor.reports.page.providers import violation_rates
from auditor.result import Result
from auditor.rules import ALL
from auditor.rules import pages as pages_module
from auditor.rules.sentences import BASIS_WORDS
from auditor.run_summary import CoverageDates, Summary
from auditor.schema.names import counted

Row = dict[str, Any]

_MISSING_SHOWN, _URGENT_SHOWN = 200, 50
"""How many cases without a finding in this run, and how many urgent findings, the report lists."""


def share(part: float) -> str:
    """A share as a percentage, with a decimal where it is small."""
    return f"{100 * part:.2g}%" if part < 0.0995 else f"{100 * part:.0f}%"


def why_none_audited(summary: Summary) -> str:
    """Why there is no claim to audit."""
    codes, lost = ", ".join(summary.settings["codes"]), summary.claims.rejected
    why = f"all rows with {codes} were rejected ({lost:,})" if lost else f"the inputs have no active line with {codes}"
    return f"{why} in the audited dates."


def evaluated(summary: Summary) -> str:
    """How many rules were evaluated, and the tables that others lack."""
    given = {file.table for file in summary.inputs}
    absent = [f"no {table} in the inputs" for table in ("calls", "visits") if table not in given]
    return "; ".join([f"{summary.rules_evaluated} of {summary.rules_total} rules evaluated", *absent])


def reach(coverage: CoverageDates) -> str:
    """What the visits and the billed lines cover."""
    as_of = coverage.as_of.isoformat() if coverage.as_of else None
    visits = f"{coverage.visits_since} to {as_of}" if as_of or coverage.visits_since else "no dates"
    return f"{visits}; {f'billed lines since {coverage.claims_since}' if coverage.claims_since else 'no billed lines'}"


def verdict(summary: Summary) -> Row:
    """The headline, its level and the sentence below it."""
    claims, rules = summary.claims, f"{summary.rules_evaluated} of {summary.rules_total} rules"
    audited = claims.audited
    if not audited:
        why = why_none_audited(summary)
        sentence = f"{why[0].upper()}{why[1:]} That is not a clear result."
        return {"level": "incomplete", "headline": "No claim was audited", "lead": sentence}
    counts, every = summary.after_decisions, counted(audited, "claim")
    review, undecided, settled = counts.review, counts.incomplete, counts.settled
    left = " left" if settled else ""
    more = f"{review:,}" if review else "none"
    level = next((name for name in ("violation", "review", "incomplete") if getattr(counts, name)), "clear")
    if level == "clear" and settled:
        headline = f"No action needed: the findings on {settled:,} of {every} are corrected, refunded or dismissed"
        return {"level": level, "headline": headline, "lead": f"{rules} were evaluated."}
    headline = {
        "violation": f"{counts.violation:,} of {every} in violation; {more} more to review",
        "review": f"No violation{left}; {review:,} of {every} to review",
        "incomplete": f"No violation{left}, nothing{left} to review; {undecided:,} of {every} could not be decided",
        "clear": f"No action needed: {every}, all clear"
        if summary.rules_evaluated == summary.rules_total
        else f"{every}, all clear under the {rules} that were evaluated",
    }[level]
    return {
        "level": level,
        "headline": headline,
        "lead": f"{rules} were evaluated. A finding is a reason to check the record, not a conclusion.",
    }


def no_policy(summary: Summary) -> str:
    """Why claims are not applicable."""
    return (
        "outside the policies' dates, or of payers without a policy" if summary.payers else "outside the policy's dates"
    )


def money_facts(summary: Summary) -> Iterator[Row]:
    """Potential overpayment, and separately the amount under review; None if no claim has an amount."""
    for name, key, where, how in (
        ("violation", "at_risk", "in", "in violation"),
        ("review", "review", "separately, in", "to review"),
    ):
        claims = getattr(summary.after_decisions, name)
        missing = getattr(summary.money, f"{key}_without_amount")
        amount = getattr(summary.money, key) if missing < claims or not claims else None
        sentence = f"{where} {counted(claims, 'claim')} {how}"
        if name == "violation" and (owed := summary.money.not_returned):
            sentence += f", including ${owed:,.2f} not yet refunded"
        if missing:
            sentence += f"; {missing:,} without an amount"
        yield {"name": name, "amount": amount, "missing": missing, "sentence": sentence}


def first_steps(summary: Summary) -> Iterator[str]:
    """What to do first, the most pressing first."""
    ledger, counts = summary.ledger, summary.after_decisions
    confirmed, urgent = ledger.work.get("confirmed"), sum(tally.findings for tally in ledger.this_run.values())
    if confirmed and confirmed.findings:
        due = f" by {confirmed.next_due}" if confirmed.next_due else ""
        yield f"correct or refund {counted(confirmed.findings, 'confirmed case')}, the next one{due}"
    if urgent:
        which = f"{counted(urgent, 'finding')} that {'is' if urgent == 1 else 'are'} new, worse or reopened"
        yield f"review {which}: first on sheet Findings"
    elif counts.violation or counts.review:
        yield f"review {counted(counts.violation + counts.review, 'claim')} with findings: sheet Findings, the worst first"
    if missing := summary.rules_total - summary.rules_evaluated:
        yield f"see on sheet Rules why {counted(missing, 'rule')} {'was' if missing == 1 else 'were'} not evaluated"
    if summary.warnings:
        yield f"read {counted(len(summary.warnings), 'warning')} about the inputs: sheet Run, `warnings`"


def past_lookback(summary: Summary) -> str:
    """The claims before the lookback period of overpayments, blank where there are none."""
    old = summary.past_lookback
    if not old.claims:
        return ""
    return (
        f"{counted(old.claims, 'claim')} with service dates before {old.before}, more than six years before the run: "
        f"{old.violation:,} violation, {old.review:,} review; potential overpayment {old.at_risk:,.2f}, under review "
        f"{old.under_review:,.2f}. Overpayments received before that day are outside the lookback period (42 CFR 401.305(f))"
    )


def open_for(summary: Summary) -> str:
    """For how long the oldest open case has been open, blank on its first day."""
    work = summary.ledger.work.get("open")
    if work is None or work.oldest is None:
        return ""
    days = (date.fromisoformat(summary.started_utc[:10]) - work.oldest).days
    return f"the oldest first found {counted(days, 'day')} ago" if days > 0 else ""


def movers(audited: pl.DataFrame, summary: Summary, providers: pl.DataFrame, overall: float) -> Iterator[Row]:
    """The main contributors: rules, the provider ranked first, the last four weeks."""
    for name, title in (
        ("violation", "Most violations"),
        ("review", "Most reviews"),
        ("unknown", "Most often unknown"),
    ):
        rule = max(summary.rules, key=attrgetter(name), default=None)
        if rule and getattr(rule, name):
            of = counted(rule.applicable, "claim")
            sentence = f"{rule.code} {rule.name}, {getattr(rule, name):,} of the {of} it applies to"
            yield {"title": f"{title}:", "id": None, "sentence": sentence}
    if not summary.claims.violation:
        return
    first = providers.row(0, named=True)
    chance = "beyond" if first["above"] else "within"
    interval = f"95% interval {share(first['low'])} to {share(first['high'])}; all claims {share(overall)}"
    sentence = (
        f"{first['violation']:,} of {counted(first['claims'], 'claim')}, {share(first['rate'])} ({interval}), "
        f"{chance} what chance explains among {counted(providers.height, 'provider')}"
    )
    yield {"title": "Provider ranked first:", "id": first["provider_id"], "sentence": sentence}
    if sentence := _recent(audited):
        yield {"title": "Last four weeks:", "id": None, "sentence": sentence}


def _recent(audited: pl.DataFrame) -> str:
    """The last four weeks compared with the time before."""
    last = audited["service_date"].max()
    late = pl.col("service_date") > pl.lit(last - timedelta(days=28))  # type: ignore[operator]
    parts = violation_rates(audited, [late.alias("late")]).sort("late").to_dicts()
    if len(parts) < 2:
        return ""
    before, now = parts
    verdict = "higher" if now["low"] > before["high"] else "lower" if now["high"] < before["low"] else "no clear change"
    counted = f"{now['violation']:,} of {now['claims']:,}"
    return f"{share(now['rate'])} in violation ({counted}), {share(before['rate'])} before: {verdict}"


def period(claims: pl.DataFrame) -> str | None:
    """First to last service date; None if there is none."""
    first, last = claims.select(pl.col("service_date").min().alias("first"), pl.col("service_date").max()).row(0)
    return f"{first} to {last}" if first else None


def tables(summary: Summary) -> Iterator[Row]:
    """Rows, used, rejected and left out by table."""
    for name, rejects in summary.rejects.items():
        files = [entry for entry in summary.inputs if entry.table == name]
        yield {
            "name": name,
            **vars(rejects),
            **{key: sum(getattr(entry, key) for entry in files) for key in ("rows", "used", "left_out")},
        }


def ledger_section(summary: Summary, cases: pl.DataFrame | None, findings: pl.DataFrame) -> Row | None:
    """The run's urgent findings, open cases, and cases without a finding in this run. `findings`: in the order of work."""
    if cases is None:
        return None
    ledger = summary.ledger
    missing = cases.filter(pl.col("mark").is_in(GONE))
    urgent = findings.filter("_urgent")
    counts_by_mark = [f"{counts.findings:,} {mark}" for mark, counts in ledger.this_run.items() if counts.findings]
    claims = urgent.unique(KEYS)
    every = f" on {counted(claims.height, 'claim')}, ${claims['amount'].sum():,.2f}" if counts_by_mark else ""
    return vars(ledger) | {
        "previous": ledger.previous_run,
        "headline": (", ".join(counts_by_mark) or "Nothing new, worse or reopened") + every,
        "urgent": urgent.head(_URGENT_SHOWN).to_dicts(),
        "urgent_count": urgent.height,
        "gone": missing.head(_MISSING_SHOWN).to_dicts(),
        "gone_count": missing.height,
    }


def remedies(pages: Iterable[Row]) -> dict[str, str]:
    """How to resolve a finding, from each rule's page."""
    return {page["code"]: dict(page["parts"]).get("How to resolve", "") for page in pages}


def because(basis: str | None) -> str:
    """Why a record is or may be related to the claim."""
    return BASIS_WORDS.get(basis or "", basis or "")


def rejects(result: Result) -> list[Row]:
    """Rejected rows by table, column and reason, most frequent first."""
    rows: list[Row] = []
    for name, table in result.inputs.tables.items():
        counted = table.rejects_by_reason.group_by("column", "reason").agg(pl.sum("count"))
        counted = counted.sort("count", "column", "reason", descending=[True, False, False])
        rows += [row | {"table": name} for row in counted.to_dicts()]
    return rows


def pages(summary: Summary) -> Iterator[Row]:
    """Every rule's page as titled parts."""
    skipped = {rule.code for rule in summary.rules if not rule.evaluated}
    for rule in ALL:
        text, _, examples = pages_module.page(rule, summary.numbers).partition("\n\nExamples:\n")
        parts = [part.partition(":") for part in text.split("\n\n")[1:]]
        sentence = [(title, body.strip()) for title, _, body in parts] + [("Examples", examples)]
        yield {"code": rule.code, "name": rule.name, "skipped": rule.code in skipped, "parts": sentence}


def given(summary: Summary) -> Iterator[tuple[str, str]]:
    """The settings other than paths and policy that were set, and the systems of `--source`."""
    for table, system in summary.settings["policy"].get("systems", {}).items():
        yield f"Source of {table.replace('_', ' ')}", system
    names = {"selected": "Selected rules", "ignored": "Ignored rules", "required": "Required rules"}
    for name, value in summary.settings.items():
        if name not in ("paths", "policy", "payer_policies", "origins") and value not in (None, [], False):
            yield (
                names.get(name, name.replace("_", " ").capitalize()),
                ", ".join(value) if isinstance(value, list) else str(value),
            )
