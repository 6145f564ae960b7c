"""The typer of each table: which rows can matter to a billed claim, and which ids are looked up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from auditor.engines import KeptRows, NoRows
from auditor.parsing.duplicates import hashed
from auditor.parsing.time_zones import last_instant
from auditor.payers import numbered
from auditor.policy import Policy
from auditor.prefilter import chunk_typer
from auditor.prefilter.chunk_typer import ChunkTyper, RowFilter
from auditor.prefilter.key_scan import KeyScanResult
from auditor.quality import relationships
from auditor.rules.rule import Rule
from auditor.windows import bounds


@dataclass(frozen=True)
class Typers:
    """The typers of the tables, each from the rows that were kept of the tables before it.

    `scans`: the key scan of each table; `rules`: those of the run; `related`: records that earlier findings rest on (kind
    and id), None without a ledger; `phone_providers`: those in the phone log.
    """

    scans: Mapping[str, KeyScanResult]
    policy: Policy
    rules: Sequence[Rule]
    related: pl.DataFrame | None
    phone_providers: pl.Series

    def calls(self) -> ChunkTyper:
        """Calls near the dates of billed lines."""
        billed = self.lines.billed
        spans = _widened(self.dated, *bounds.longest_of_calls(numbered(self.policy)))
        named = ("claim_id", "call_id") if self.with_claims else ("claim_id",)
        ids = {
            "call in calls": billed["call_id"],
            "patient in calls": billed["patient_id"],
            "provider in calls": billed["provider_id"],
        }
        return self.typer("calls", chunk_typer.calls_near_lines(billed, spans, *named), ids)

    def claims(self, calls: KeptRows) -> ChunkTyper:
        """Claims of the patients, calls and claim ids of the kept calls; without calls, those near telephone lines."""
        if isinstance(calls, NoRows):
            spans = _widened(self.dated, *bounds.longest(numbered(self.policy), postoperative=False))
            return self.typer("claims", chunk_typer.lines_near_lines(self.lines.billed, spans), {})
        ids = calls.select("call_id", "claim_id")
        near = chunk_typer.with_any_id(
            patient_id=self.lines.billed["patient_id"], call_id=ids["call_id"], claim_id=ids["claim_id"]
        )
        return self.typer("claims", near, {})

    def visits(self, calls: KeptRows, claims: KeptRows | None) -> ChunkTyper:
        """Visits within the windows of the dates of kept calls and claims."""
        dated = self.dated if isinstance(calls, NoRows) else _billed_days(calls, claims)
        postoperative = any(rule.window == "postoperative" for rule in self.rules)
        spans = _widened(dated, *bounds.longest(numbered(self.policy), postoperative=postoperative))
        links = calls.select("call_id", "related_visit_id")
        ids = {
            "patient in visits": self.lines.billed["patient_id"],
            "provider in visits": self.lines.billed["provider_id"],
            "visit in visits": links["related_visit_id"],
            "call in visits": pl.concat([links["call_id"], self.lines.billed["call_id"]]),
            "claim in visits": self.lines.billed["claim_id"],
        }
        typer = self.typer("visits", chunk_typer.within_dates(spans, "visit_start_date"), ids)
        return replace(typer, until=self.until(calls, claims))

    def until(self, calls: KeptRows, claims: KeptRows | None) -> datetime | None:
        """The latest end of a call; without a table of calls, of a service date."""
        if claims is None or not isinstance(calls, NoRows):
            return calls.summary.profile.coverage.latest_end
        dates = claims.summary.profile.coverage.lines.to_frame("day")
        last: datetime | None = dates.select(last_instant(pl.col("day").max(), self.policy.timezone)).item()
        return last

    @property
    def dated(self) -> pl.DataFrame:
        """The patients of lines of the family, with the first day and the last of their claims."""
        billed = self.lines.billed
        patients = billed.select("patient_id", claim=hashed([billed["claim_id"]])).unique()
        days = self.lines.days.group_by("claim").agg(first=pl.min("day"), last=pl.max("day"))
        return patients.join(days, on="claim")

    @property
    def with_claims(self) -> bool:
        """Whether there is a claims table."""
        return "claims" in self.scans

    @property
    def lines(self) -> KeyScanResult:
        """The scan of the table that has the billed lines."""
        return self.scans["claims" if self.with_claims else "calls"]

    def typer(self, table: str, near: RowFilter, ids: Mapping[str, pl.Series]) -> ChunkTyper:
        """The typer of a table; the table of lines is looked through for their patients' other lines."""
        result = self.scans[table]
        if result is self.lines:
            pairs = ("patient in other lines", *(("patient in billed visits",) if self.with_claims else ()))
            ids = dict.fromkeys(pairs, result.billed["patient_id"])
        earlier: relationships.Lookups = {}
        if self.related is not None:
            earlier = relationships.lookups_of_previous_records(table, self.related, with_claims=self.with_claims)
        return ChunkTyper(
            scan=result.scan,
            repeated=result.repeated,
            row_filter=near,
            with_spans=any(rule.over == "overlap" for rule in self.rules),
            lookups={**relationships.lookups(ids), **earlier},
            phone_providers=self.phone_providers,
        )


def _billed_days(calls: KeptRows, claims: KeptRows | None) -> pl.DataFrame:
    """The patients of claims and of calls that are billed, with the day of each as `first` and `last`."""
    dated = calls.select("patient_id", "call_id", "claim_id", "cpt_code", day="call_start_date")
    if claims:
        lines = claims.select("patient_id", "claim_id", "call_id", "service_date_last", day="service_date")
        lines = lines.with_columns(last=pl.coalesce("service_date_last", "day"))
        dated = dated.filter(pl.col("call_id").is_in(lines["call_id"].implode())
                             | pl.col("claim_id").is_in(lines["claim_id"].implode()))  # fmt: skip
        own = dated.select("patient_id", "day", last="day")
        dated = pl.concat([own, lines.select("patient_id", "day", "last")])
    else:
        dated = dated.filter(pl.col("cpt_code").is_not_null() | pl.col("claim_id").is_not_null())
        dated = dated.with_columns(last="day")
    return dated.select("patient_id", "last", first="day")


def _widened(spans: pl.DataFrame, back: int, ahead: int) -> pl.DataFrame:
    """The patients' spans of days, longer."""
    first, last = bounds.days_before("first", back), bounds.days_after("last", ahead)
    return spans.select("patient_id", first=first, last=last)
