"""report.html: one file that opens anywhere without a network and shows what needs attention first."""

import base64
import hashlib
import json
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from auditor.cases.states import STATES
from auditor.choices import SETTLED
from auditor.judging.findings import AMOUNT, EVIDENCE_ORDER, KEYS
from auditor.reports.page import charts, phrases
from auditor.reports.page.providers import AUDITED, FEW, has_payers, overall_rate, ranking
from auditor.reports.page.run_trend import multiples
from auditor.reports.page.timeline import draw, draw_minutes, shown, strength
from auditor.reports.tables import urgent_first, with_history
from auditor.result import Result
from auditor.run_summary import Summary
from auditor.runs import past

FINDINGS, FINDING_BYTES = 5_000, 3_400_000
LINES, LINE_BYTES = 300, 1_500_000
"""At most so many findings and time lines are inlined, and at most so many bytes of them: the file stays under 6 MB."""

_PROVIDERS, _BY_PAYER, _DRAWN, _RECORDS = 25, 50, 15, 20
_QUOTA = 50
"""Findings of each rule that are inlined before the rest."""
_DISPOSITIONS = (
    ("violation", "the exports show that a rule is broken"),
    ("review", "a reviewer must read the record to decide"),
    ("incomplete", "no finding, but at least one rule is unknown"),
    ("clear", "every evaluated rule that applies is clear"),
)

_CHOICES = {
    "open": "confirmed dismissed",
    "confirmed": "corrected refunded dismissed open",
    **dict.fromkeys(SETTLED, "open confirmed"),
}
"""What can be decided of a case in each state; a decision that needs no option but who and why comes first."""

Row = dict[str, Any]


def write(path: Path, result: Result, summary: Summary, cases: pl.DataFrame | None = None) -> None:
    """Write the report of a finished audit; `cases` are its cases in the ledger (`LedgerUpdate.cases`). Raises OSError."""
    path.write_text(render(result, summary, cases), encoding="utf-8", newline="")


def render(
    result: Result,
    summary: Summary,
    cases: pl.DataFrame | None = None,
    findings: int = FINDINGS,
    lines: int = LINES,
) -> str:
    """The report's text, with at most so many findings and time lines."""
    env = _environment()
    css, js = _inline(env, "report.css"), _inline(env, "report.js")
    audited = result.claims.filter(AUDITED)
    pages = list(phrases.pages(summary))
    with_cases = replace(result, findings=with_history(result.findings, cases))
    ordered = urgent_first(with_cases.findings, result.findings.height, _QUOTA)
    anchors, drawn = _lines(with_cases, summary, _first_claims(ordered, result.claims, lines), phrases.remedies(pages))
    several = has_payers(result.claims)
    first = ordered.filter(pl.col("_turn") < findings).with_columns(payers=pl.lit(several))
    inlined = _findings(first, summary.started_utc, anchors)
    unit, periods = charts.trend(result.claims)
    providers, overall = ranking(result.claims), overall_rate(result.claims)
    hours = charts.hours(result.claims)
    by_payer = ranking(result.claims, "payer") if several else None
    return env.get_template("report.html.j2").render(
        summary=summary,
        policy=_content_security(css, js, summary.run_id),
        margins=_margins(summary.run_id),
        css=css,
        js=js,
        dispositions=_DISPOSITIONS,
        **phrases.verdict(summary),
        rules_evaluated=phrases.evaluated(summary),
        money=phrases.money_facts(summary),
        past_lookback=phrases.past_lookback(summary),
        open_for=phrases.open_for(summary),
        movers=list(phrases.movers(audited, summary, providers, overall or 0.0)),
        period=phrases.period(audited) or "none",
        tables=list(phrases.tables(summary)),
        fired=[rule for rule in summary.rules if rule.violation or rule.review],
        multiples=list(multiples(summary.trend)) if len(summary.trend) > 1 else [],
        skipped=[rule for rule in summary.rules if not rule.evaluated],
        unit=unit,
        periods=periods.to_dicts(),
        overall=overall,
        few=FEW,
        providers=providers.head(_PROVIDERS).to_dicts(),
        provider_count=providers.height,
        by_payer=by_payer.head(_BY_PAYER).to_dicts() if by_payer is not None else [],
        by_payer_count=by_payer.height if by_payer is not None else 0,
        payers=result.findings["payer"].unique().sort(nulls_last=True).to_list() if several else [],
        hours=hours is not None
        and {"low": hours["rate"].min(), "high": hours["rate"].max(), "least": charts.SCORED_CELL},
        pictures=_pictures(summary, periods, providers, overall, hours),
        findings=inlined,
        finding_count=result.findings.height,
        lines=drawn,
        anchors=anchors,
        flagged=audited.filter(pl.col("disposition").is_in(["violation", "review"])).height,
        numbers=summary.numbers,
        ledger=phrases.ledger_section(summary, cases, ordered),
        states=STATES,
        rejects=phrases.rejects(result),
        pages=pages,
        given=list(phrases.given(summary)),
        no_policy=phrases.no_policy(summary),
        thresholds=json.dumps(
            summary.policies if summary.payers else summary.policies[0], indent=1, ensure_ascii=False
        ),
    )


@cache
def _environment() -> Environment:
    env = Environment(loader=PackageLoader("auditor.reports.page"), autoescape=True, trim_blocks=True, lstrip_blocks=True,
                      undefined=StrictUndefined, keep_trailing_newline=False)  # fmt: skip
    env.filters |= {
        "because": phrases.because,
        "shown": shown,
        "count": "{:,}".format,
        "share": phrases.share,
        "payer": lambda payer: shown(payer) if payer else "not stated",
        "minute": lambda instant: f"{instant:%Y-%m-%d %H:%M}" if instant else "unknown",
        "money": lambda amount: "" if amount is None else f"${amount:,.2f}",
    }
    return env


def _inline(env: Environment, name: str) -> Markup:
    """The text of a file beside the template; it is ours, so it needs no escaping."""
    assert env.loader
    return Markup(env.loader.get_source(env, name)[0])


def _margins(run_id: str) -> Markup:
    """What stands in the margins of every sheet of paper."""
    return Markup(
        f'@page{{@bottom-left{{content:"audit98968 run {run_id}: protected health information";font:8pt sans-serif}}'
        '@bottom-right{content:counter(page) " of " counter(pages);font:8pt sans-serif}}'
    )


def _content_security(css: str, js: str, run_id: str) -> str:
    """What the page may do. The margins, which name the run, are let in by its id: two reports differ by nothing else."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (css, js)]
    return (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}' 'nonce-{run_id}'; script-src 'sha256-{hashes[1]}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _within(rows: Iterable[Row], template: str, name: str, budget: int) -> list[Markup]:
    """Render row by row until the budget of bytes is spent."""
    rendered = []
    source = _environment().get_template(template)
    for row in rows:
        text = source.render({name: row})
        budget -= len(text.encode())
        if budget < 0:
            break
        rendered.append(Markup(text))
    return rendered


def _findings(rows: pl.DataFrame, started: str, anchors: dict[tuple[str, ...], str]) -> list[Markup]:
    """The findings in the order of work, as many as fit: urgent ones whatever, a quota of each rule, then the worst."""
    age = (pl.lit(date.fromisoformat(started[:10])) - past.day_of("first_run")).dt.total_days()
    rows = rows.with_columns(age=age).with_row_index("place").sort("_turn")
    in_turn = (row | {"anchor": anchors.get(tuple(row[key] for key in KEYS))} for row in rows.iter_rows(named=True))
    rendered = _within(in_turn, "finding.html.j2", "f", FINDING_BYTES)
    return [text for _, text in sorted(zip(rows["place"], rendered, strict=False))]


def _lines(
    result: Result, summary: Summary, claims: pl.DataFrame, remedies: dict[str, str]
) -> tuple[dict[tuple[str, ...], str], list[Markup]]:
    """These claims with their time lines, as many as fit, and the anchor of each."""
    ledger = shlex.quote(summary.ledger.location or "DIR")
    numbers_of = {name: summary.under(name).numbers for name in claims["policy"].unique()}
    chosen = claims.select(KEYS)
    considered = result.evidence.filter(pl.col("outcome") != "own").join(chosen.lazy(), on=KEYS, how="semi")
    found = result.findings.join(chosen, on=KEYS, how="semi", maintain_order="left")
    records_of = considered.collect().sort(EVIDENCE_ORDER).rows_by_key(KEYS, named=True, include_key=True)
    findings_of = found.rows_by_key(KEYS, named=True, include_key=True)

    def rows() -> Iterator[Row]:
        for number, claim in enumerate(claims.iter_rows(named=True), 1):
            key = tuple(claim[name] for name in KEYS)
            numbers = numbers_of[claim["policy"]]
            ranked = sorted(records_of.get(key, []), key=strength, reverse=True)
            yield claim | {
                "anchor": f"claim-{number}",
                "picture": Markup(draw(claim, ranked, numbers)),
                "length": Markup(draw_minutes(claim["minutes"], claim["cpt_code"], numbers)),
                "records": ranked[:_RECORDS],
                "more": max(0, len(ranked) - _RECORDS),
                "ledger": ledger,
                "findings": [
                    row | {"remedy": remedies[row["rule"]], "choices": _CHOICES.get(row["state"], "")}
                    for row in findings_of.get(key, [])
                ],
            }

    drawn = _within(rows(), "claim.html.j2", "c", LINE_BYTES)
    return {key: f"claim-{number}" for number, key in enumerate(chosen.head(len(drawn)).iter_rows(), 1)}, drawn


def _first_claims(ordered: pl.DataFrame, claims: pl.DataFrame, limit: int) -> pl.DataFrame:
    """The claims of the findings that come first, in their order, with their amounts."""
    order = ordered.select(KEYS).unique(maintain_order=True).head(limit)
    chosen = claims.join(order, on=KEYS, how="semi").with_columns(amount=AMOUNT)
    return order.join(chosen, on=KEYS, how="left", maintain_order="left")


def _pictures(summary: Summary, periods: pl.DataFrame, providers: pl.DataFrame, overall: float | None,
              hours: pl.DataFrame | None) -> dict[str, Markup]:  # fmt: skip
    """SVG by name, empty where there is nothing to draw. Its text is escaped where it is made."""
    found = any(rule.violation or rule.review for rule in summary.rules)
    pictures_by_name = providers.head(_DRAWN).with_columns(label=pl.col("provider_id").map_elements(shown, pl.String))
    drawn = {
        "dispositions": charts.draw_dispositions(summary.claims),
        "rules": charts.draw_rules(summary.rules) if found else "",
        "trend": charts.draw_trend(periods, overall or 0.0) if periods.height > 1 else "",
        "providers": charts.draw_providers(pictures_by_name, overall or 0.0) if providers.height else "",
        "hours": charts.draw_hours(hours) if hours is not None else "",
    }
    # What each shows is said where it stands; its parts say nothing to who cannot see it.
    return {name: Markup(svg.replace("<svg ", '<svg aria-hidden="true" ', 1)) for name, svg in drawn.items()}
