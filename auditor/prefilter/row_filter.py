"""Row filters (predicate push-down): which rows of a table can matter for some claim, and which ids are looked up in it."""

from dataclasses import replace

import polars as pl

from auditor.engines import Engine
from auditor.evaluated import enabled_rules
from auditor.parsing.duplicates import hashed
from auditor.prefilter import chunk_typer
from auditor.prefilter.chunk_typer import RowFilter
from auditor.prefilter.key_scan import KeyScanResult
from auditor.quality import relationships
from auditor.quality.relationships import Lookups
from auditor.settings import Settings
from auditor.windows import bounds


def row_filter_for(name: str, settings: Settings, engine: Engine, lines: KeyScanResult) -> RowFilter:
    """The row filter of a table. It depends on the rows that were kept of the tables before it."""
    billed = lines.billed
    if name == "calls":
        patients = billed.select("patient_id", claim=hashed([billed["claim_id"]])).unique()
        days = lines.days.group_by("claim").agg(first=pl.min("day"), last=pl.max("day"))
        spans = _widened(patients.join(days, on="claim"), *bounds.longest_of_calls(settings.policy))
        return chunk_typer.calls_near_lines(
            billed, spans, "claim_id", *(("call_id",) if "claims" in settings.paths else ())
        )
    calls = engine.select_kept("calls", "patient_id", "call_id", "claim_id", "cpt_code", day="call_start_date")
    if name == "claims":
        return chunk_typer.with_any_id(
            patient_id=billed["patient_id"], call_id=calls["call_id"], claim_id=calls["claim_id"]
        )
    if "claims" in settings.paths:
        claims = engine.select_kept("claims", "patient_id", "claim_id", "call_id", day="service_date")
        calls = calls.filter(pl.col("call_id").is_in(claims["call_id"].implode())
                             | pl.col("claim_id").is_in(claims["claim_id"].implode()))  # fmt: skip
        dated = pl.concat([calls.select("patient_id", "day"), claims.select("patient_id", "day")])
    else:
        dated = calls.filter(pl.col("cpt_code").is_not_null() | pl.col("claim_id").is_not_null())
    postoperative = any(rule.window == "postoperative" for rule in enabled_rules(settings))
    dated = dated.select("patient_id", first="day", last="day")
    return chunk_typer.within_dates(
        _widened(dated, *bounds.longest(settings.policy, postoperative=postoperative)), "visit_start_date"
    )


def _widened(spans: pl.DataFrame, back: int, ahead: int) -> pl.DataFrame:
    """The patients' spans of days, longer."""
    first, last = bounds.days_before("first", back), bounds.days_after("last", ahead)
    return spans.select("patient_id", first=first, last=last)


def lookups_for(name: str, engine: Engine, billed: pl.DataFrame, settings: Settings) -> Lookups:
    """The ids of lines and their calls, and of records that earlier findings rest on, that are looked for in a table."""
    if settings.related is not None:
        earlier = relationships.lookups_of_previous_records(
            name, settings.related, with_claims="claims" in settings.paths
        )
        return {**lookups_for(name, engine, billed, replace(settings, related=None)), **earlier}
    if name == ("claims" if "claims" in settings.paths else "calls"):
        return relationships.lookups({"patient in other lines": billed["patient_id"]})
    if name == "calls":
        columns_by_relationship = {
            "call in calls": "call_id",
            "patient in calls": "patient_id",
            "provider in calls": "provider_id",
        }
        return relationships.lookups({pair: billed[column] for pair, column in columns_by_relationship.items()})
    if name == "visits":
        calls = engine.select_kept("calls", "call_id", "related_visit_id")
        return relationships.lookups(
            {
                "patient in visits": billed["patient_id"],
                "provider in visits": billed["provider_id"],
                "visit in visits": calls["related_visit_id"],
                "call in visits": calls["call_id"],
            }
        )
    return {}
