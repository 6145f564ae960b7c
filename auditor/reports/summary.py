"""summary.json: what was audited, under which settings, with which result.

Source: docs/specification.md#outputs.
"""

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import polars as pl

from auditor import __version__
from auditor.evaluated import number_asked
from auditor.inputs import Inputs
from auditor.judging.findings import AMOUNT, NOT_APPLICABLE
from auditor.parsing.cells import NULL_WORDS
from auditor.parsing.instant_columns import PLACEHOLDER_DATES
from auditor.policy import OF_PAYER
from auditor.quality import link_vocabularies, rejects
from auditor.quality.coverage import Coverage
from auditor.quality.profile import TableProfile
from auditor.quality.relationships import BY_NAME
from auditor.quality.zone_rules import VERSIONS
from auditor.reading import ingest
from auditor.reports.tables import IS_SETTLED
from auditor.result import Result
from auditor.rules import ALL
from auditor.rules.rule import Outcome
from auditor.run_summary import (
    AfterDecisions,
    BlankDates,
    BlankWords,
    ClaimCounts,
    CoverageDates,
    DateGap,
    InputFile,
    Join,
    Money,
    PastLookback,
    PayerResult,
    PolicyName,
    RefusalSummary,
    RejectCounts,
    RuleResult,
    Summary,
    TableExtent,
    UnrecognizedValue,
    ZoneRules,
)
from auditor.schema.codes import CODE
from auditor.schema.names import is_word, without_credentials
from auditor.schema.outputs import VERSION
from auditor.schema.tables import TABLES, fold_term
from auditor.settings import Settings
from auditor.zones import zone


@dataclass(frozen=True)
class Run:
    """Which run this is."""

    run_id: str
    started: datetime


def run_of(started: datetime, inputs: Inputs | None, settings: Settings) -> Run:
    """A run is known by its start and by a digest of its inputs and settings."""
    files = [file.sha256 for many in inputs.files.values() for file in many] if inputs else []
    parts = json.dumps([files, settings_of(settings)], sort_keys=True, default=str)
    digest = hashlib.sha256(parts.encode()).hexdigest()[:8]
    return Run(f"{stamp(started)}-{digest}", started)


def stamp(started: datetime) -> str:
    """The beginning of a run's id: the instant in UTC, to the millisecond."""
    return f"{started:%Y%m%dT%H%M%S}{started.microsecond // 1000:03d}Z"


def of_result(result: Result, settings: Settings, run: Run) -> Summary:
    """Summarise a finished audit."""
    claims = result.claims
    counts = {str(name): count for name, count in claims["disposition"].value_counts().iter_rows()}
    dispositions = {name: counts.get(name, 0) for name in ("violation", "review", "incomplete", "clear")}
    profiles = result.inputs.profiles
    money = money_of(claims.rename({"disposition": "remaining"}))
    by_payer: dict[str, Any] = {"payers": payers_of(claims, result.findings)} if settings.policy.payers else {}
    summary = Summary(
        **_head(settings, run),
        rules_evaluated=len(ALL) - len(result.not_evaluated),
        rules_total=number_asked(result.not_evaluated),
        inputs=inputs_of(result.inputs),
        coverage=coverage_of(result.coverage, settings),
        blank_columns=blank_columns_of(result.inputs),
        reaches=reaches_of(result, settings),
        claims=ClaimCounts(
            audited=sum(dispositions.values()),
            **dispositions,
            not_applicable=counts.get(NOT_APPLICABLE, 0),
            **result.inactive,
            rejected=rejects.billed(profiles["claims" if "claims" in profiles else "calls"], settings.codes)[1],
            clear_by_absence=result.absent,
        ),
        after_decisions=AfterDecisions(
            **{name: dispositions[name] for name in ("violation", "review", "incomplete")},
            **dict.fromkeys(("dismissed", "dismissed_findings", "settled", "settled_findings"), 0),
            dismissed_amount=0.0,
        ),
        rules=_rules(result),
        money=Money(**money, this_run=money["at_risk"], returned=0.0, not_returned=0.0),
        **by_payer,
        joins=joins_of(result),
        rejects=rejects_of(result.inputs),
        unrecognised=unrecognised_of(result.inputs, settings),
        null_words=[BlankWords(**cells) for cells in blanks_of(result.inputs, NULL_WORDS)],
        placeholder_dates=[BlankDates(**cells) for cells in blanks_of(result.inputs, PLACEHOLDER_DATES)],
        row_zones=[name for name, table in result.inputs.tables.items() if "timezone" in table.columns],
        warnings=list(result.warnings),
    )
    return summary.model_copy(update=past_lookback_of(claims, summary))


def past_lookback_of(claims: pl.DataFrame, summary: Summary) -> dict[str, PastLookback]:
    """The summary's `past_lookback`, empty where no audited claim is that old."""
    before, at = summary.lookback_start, pl.col("disposition")
    old = claims.filter(at != NOT_APPLICABLE, pl.col("service_date") < before)
    if old.is_empty():
        return {}
    sums = old.select(
        claims=pl.len(),
        violation=(at == "violation").sum(),
        review=(at == "review").sum(),
        at_risk=pl.col("at_risk_amount").sum().cast(pl.Float64),
        under_review=pl.col("review_amount").sum().cast(pl.Float64),
    )
    return {"past_lookback": PastLookback(before=before, **sums.row(0, named=True))}


def payers_of(claims: pl.DataFrame, findings: pl.DataFrame) -> list[PayerResult]:
    """Claims, findings that are not settled, and money by payer and policy."""
    keys = ("payer", "policy")
    rows = claims.group_by(keys).agg(
        *((pl.col("disposition") == name).sum().alias(name.replace(" ", "_")) for name in _DISPOSITIONS),
        claims=pl.len(),
        at_risk=pl.col("at_risk_amount").sum().cast(pl.Float64),
        under_review=pl.col("review_amount").sum().cast(pl.Float64),
    )
    counts = findings.filter(~IS_SETTLED).group_by(keys).agg(findings=pl.len())
    rows = rows.join(counts, on=keys, how="left", nulls_equal=True).with_columns(pl.col("findings").fill_null(0))
    return [PayerResult(**row) for row in rows.sort(keys, nulls_last=True).to_dicts()]


_DISPOSITIONS = ("violation", "review", "incomplete", "clear", NOT_APPLICABLE)


def money_of(claims: pl.DataFrame) -> dict[str, Any]:
    """The amounts of claims that stand (`remaining`) in violation or to review, and how many of them carry none."""
    sums: dict[str, Any] = {}
    amount_of = claims.select("remaining", amount=AMOUNT)
    for key, name in (("at_risk", "violation"), ("review", "review")):
        amounts = amount_of.filter(remaining=name)["amount"]
        sums |= {key: float(amounts.sum()), f"{key}_without_amount": amounts.null_count()}
    return sums | {"without_amount": sums["at_risk_without_amount"] + sums["review_without_amount"]}


def of_refusal(inputs: Inputs | None, settings: Settings, run: Run, reason: str) -> RefusalSummary:
    """Summarise a run that was refused."""
    return RefusalSummary(
        **_head(settings, run),
        refused=reason,
        inputs=inputs_of(inputs) if inputs else [],
        rejects=rejects_of(inputs) if inputs else {},
        unrecognised=unrecognised_of(inputs, settings) if inputs else [],
    )


def _head(settings: Settings, run: Run) -> dict[str, Any]:
    policy = settings.policy
    return {
        "schema_version": VERSION,
        "run_id": run.run_id,
        "version": __version__,
        "started": run.started.astimezone(zone(policy.timezone)).isoformat(),
        "policy": PolicyName(name=policy.name, sha256=policy.sha256),
        "settings": settings_of(settings),
        "timezone": policy.timezone,
        "zone_rules": ZoneRules(**VERSIONS),
        "pseudonym_key_id": settings.identity.key_id,
    }


def settings_of(settings: Settings) -> dict[str, Any]:
    """The settings in force, the whole policy among them."""
    shown = {
        name: value
        for name, value in vars(settings).items()
        if name not in ("policy", "identity", "undecided", "related")
    }
    shown["database"] = settings.database and without_credentials(settings.database)
    shown["paths"] = {name: [ingest.shown(path) for path in paths] for name, paths in settings.paths.items()}
    policy = settings.policy.model_dump(
        mode="json", exclude={"sha256", "timezone_defaulted", "own_keys", "run", "policies", "payers"}
    )
    found = {name: list(value) if isinstance(value, tuple) else value for name, value in shown.items()}
    if not settings.policy.payers:
        return found | {"policy": policy}
    of_run = settings.policy.model_dump(mode="json", include={"payers"}, by_alias=True)
    of_payer: dict[str, Any] = dict.fromkeys((*OF_PAYER, "sha256"), True) | {"credentials": {"may_report_em"}}
    others = [some.model_dump(mode="json", include=of_payer) for some in settings.policy.policies.values()]
    return found | {"policy": policy | of_run, "payer_policies": others}


def inputs_of(inputs: Inputs) -> list[InputFile]:
    """Each file with its rows in, used, rejected and left out."""
    rows = []
    for name, files in inputs.files.items():
        counts = inputs.tables[name].rejects_by_reason
        rejected = dict(counts.group_by("source_file").agg(pl.sum("count")).iter_rows())
        for file in files:
            lost = int(rejected.get(file.path, 0))
            rows.append(InputFile(table=name, path=file.path, bytes=file.bytes, sha256=file.sha256, rows=file.rows,
                                  used=file.records - lost, rejected=lost, kind=file.kind,
                                  understood=list(file.understood), left_out=file.facts.left_out))  # fmt: skip
    return rows


def blank_columns_of(inputs: Inputs) -> list[str]:
    """The columns that the inputs have and that are blank in every row, so that they count as absent."""
    return [
        f"{table}.{column}"
        for table, files in inputs.files.items()
        for column in TABLES[table].columns
        if column not in inputs.tables[table].columns and any(column in file.mapping for file in files)
    ]


def reaches_of(result: Result, settings: Settings) -> dict[str, TableExtent]:
    """How far each table reaches, visits to `as_of`, its rows by month, its columns that are not blank, those of times."""
    covered, reaches = result.coverage, {}
    until = covered.as_of.astimezone(zone(settings.policy.timezone)).date() if covered.as_of else None
    billed = "claims" if "claims" in result.inputs.tables else "calls"
    for table, read in result.inputs.tables.items():
        profile = result.inputs.profiles.get(table, TableProfile(table=table))
        days = profile.rows_by_date
        months: Counter[str] = Counter()
        for day, rows in days.items():
            months[f"{day:%Y-%m}"] += rows
        first, last = min(days, default=None), max(days, default=None)
        if table == "visits":
            first, last = covered.visits_since, until
        elif table == "claims":
            first = covered.claims_since
        reaches[table] = TableExtent(
            first=first,
            last=last,
            months=dict(sorted(months.items())),
            audited=_by_month(result.claims) if table == billed else {},
            different=profile.distinct_counts(),
            timed=sorted(profile.rows_by_hour),
            columns=sorted(read.columns),
        )
    return reaches


def _by_month(claims: pl.DataFrame) -> dict[str, int]:
    months = claims.group_by(month=pl.col("service_date").dt.truncate("1mo")).len().drop_nulls().sort("month")
    return dict(months.select(pl.col("month").dt.strftime("%Y-%m"), "len").iter_rows())


def joins_of(result: Result) -> list[Join]:
    """How many different ids are found in other tables, as they stand and nearly (null: not looked for)."""
    pairs = result.joins.select("pair", "values", "found", "near", "how").iter_rows()
    found = [(BY_NAME[pair].first, BY_NAME[pair].second, *counts) for pair, *counts in pairs]
    found += [
        (link_vocabularies.LINKED[name], f"visits.{name}", links.call_side, links.shared, None, None)
        for name, links in result.inputs.quality.links.items()
        if links.call_side and links.visit_side
    ]
    names = ("of", "in", "values", "found", "nearly_equal", "differ_in")
    return [Join.model_validate(dict(zip(names, row, strict=True))) for row in found]


def rejects_of(inputs: Inputs) -> dict[str, RejectCounts]:
    """Rejects by table: how many, duplicates among them, and how many have no readable patient."""
    return {
        name: RejectCounts(
            rejected=int(table.rejects_by_reason["count"].sum()),
            duplicates=int(table.rejects_by_reason["count"].sum()) - int(table.faulty["count"].sum()),
            without_patient=int(table.faulty["unknown"].sum()) if "patient_id" in table.spec.columns else 0,
        )
        for name, table in inputs.tables.items()
    }


def unrecognised_of(inputs: Inputs, settings: Settings) -> list[UnrecognizedValue]:
    """Values outside their vocabularies, with counts; a mismapped column may hold identifiers, so tokens hide them."""
    rows = [row for table in inputs.tables.values() for row in table.unrecognised.sort("column", "value").to_dicts()]
    for code, count in sorted(inputs.profiles["visits"].unlisted_codes.items()):
        rows.append({"table": "visits", "column": "cpt_codes", "value": code, "count": count})
    hidden = {"value": "(hidden)"} if settings.identity.key else {}
    return [UnrecognizedValue(**row | hidden) for row in rows]


def blanks_of(inputs: Inputs, problem: str) -> list[dict[str, Any]]:
    """The columns with cells that count as blank for the problem, in the order of the tables and their columns."""
    return [
        {"table": name, "column": column, "count": table.tallies[text]}
        for name, table in inputs.tables.items()
        for column in TABLES[name].columns
        if (text := f"{name}.{column}: {problem}") in table.tallies
    ]


def without_ids(whole: Summary) -> Summary:
    """The summary for a terminal, with the unrecognised values that `shown_unrecognised` leaves."""
    changes: dict[str, Any] = {"unrecognised": shown_unrecognised(whole.unrecognised)}
    return whole.model_copy(update=changes | ({"payers": shown_payers(whole)} if whole.payers else {}))


def shown_payers(whole: Summary) -> list[PayerResult]:
    """The payers for a terminal: those that the policy names, the others as one for each policy.

    A column that is mapped wrongly may hold anything.
    """
    named = {fold_term(name) for name in whole.policies[0].get("payers", {})}
    sums: dict[tuple[str | None, str | None], Counter[str]] = {}
    for row in whole.payers:
        payer = row.payer if row.payer and fold_term(row.payer) in named else None
        sums.setdefault((payer, row.policy), Counter()).update(row.model_dump(exclude={"payer", "policy"}))
    return [PayerResult(payer=payer, policy=policy, **dict(counts)) for (payer, policy), counts in sums.items()]


def shown_unrecognised(rows: list[UnrecognizedValue]) -> list[UnrecognizedValue]:
    """Unrecognised values without those that may be a person's: of each column these are one row, whose value is null.

    Its `count` is the sum of theirs, `hidden` their number. A code is shown where it is as often there as a word must be.
    """
    shown: list[UnrecognizedValue] = []
    for (table, column), of_column in groupby(rows, key=lambda row: (row.table, row.column)):
        hidden: list[int] = []
        for row in of_column:
            value, count = row.value or "", row.count
            is_code = column == "cpt_codes" and re.search(CODE, value)
            if is_word("" if is_code else value, count):  # the digits of a code are no person's
                shown.append(row)
            else:
                hidden.append(count)
        if hidden:
            more = {"count": sum(hidden), "hidden": len(hidden)}
            shown.append(UnrecognizedValue(table=table, column=column, value=None, **more))
    return shown


def coverage_of(coverage: Coverage, settings: Settings) -> CoverageDates:
    """Coverage; `as_of` in the policy's time zone."""
    as_of = coverage.as_of.astimezone(zone(settings.policy.timezone)) if coverage.as_of else None
    holes = [
        DateGap(table=table, first=first, last=last)
        for table, stretches in (("visits", coverage.visit_gaps), ("lines", coverage.line_gaps))
        for first, last in stretches
    ]
    return CoverageDates(
        as_of=as_of, visits_since=coverage.visits_since, claims_since=coverage.claims_since, holes=holes
    )


def amounts_by_rule(findings: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """The amounts of claims in violation of each rule, and to review by it."""
    sums = findings.group_by("rule").agg(
        AMOUNT.filter(pl.col("outcome") == name).sum().cast(pl.Float64).alias(f"{name}_amount")
        for name in ("violation", "review")
    )
    none = {rule.code: {"violation_amount": 0.0, "review_amount": 0.0} for rule in ALL}
    return none | {row.pop("rule"): row for row in sums.to_dicts()}


def _rules(result: Result) -> list[RuleResult]:
    """Each rule: whether it was evaluated, its outcomes by number, and the amounts of the claims with findings."""
    amounts = amounts_by_rule(result.findings)
    rules = []
    for rule in ALL:
        reason = result.not_evaluated.get(rule.code)
        outcomes = result.outcomes.get_column(rule.code, default=pl.Series(dtype=pl.UInt8))
        counted = {
            outcome.label: int((outcomes == outcome).sum())
            for outcome in (Outcome.VIOLATION, Outcome.REVIEW, Outcome.UNKNOWN)
        }
        counted["applicable"] = int((outcomes > Outcome.NOT_APPLICABLE).sum())
        origin = {"local": rule.origin} if rule.origin else {}
        rules.append(RuleResult.model_validate(
            {"code": rule.code, "name": rule.name, "evaluated": reason is None, "reason": reason, "dismissed": 0,
             "settled": 0, **counted, **amounts[rule.code], **origin}
        ))  # fmt: skip
    return rules
