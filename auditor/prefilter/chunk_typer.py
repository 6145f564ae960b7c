"""A chunk → the rows that can matter, and a summary of all its rows. Source: docs/specification.md#tables-and-values."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

import polars as pl

from auditor.billing.lines import with_end_and_time
from auditor.parsing import duplicates, instants, typed_table
from auditor.parsing.adjustment_rows import is_adjustment, that_are_calls
from auditor.parsing.instants import ColumnDates
from auditor.parsing.typed_chunk import type_rows
from auditor.parsing.typed_table import Table
from auditor.parsing.vocabularies import status_numbers_hold
from auditor.prefilter.key_scan import KeyScan
from auditor.prefilter.membership_filter import DateRangeFilter, MembershipFilter
from auditor.quality import checks, common_ids, measure, profile
from auditor.quality.coverage_bounds import coverage_bounds
from auditor.quality.profile import TableProfile
from auditor.quality.relationships import Lookups
from auditor.reading.dictionary import detached
from auditor.reading.ingest import Chunk, SourceFile
from auditor.schema.tables import TABLES
from auditor.windows import calls as call_windows

_SPAN_COLUMNS = ("provider_id", "call_id")
"""The columns of spans (stretches of time)."""

_PHONE_CALLS = {
    "provider_id": pl.String(),
    "call_id": pl.String(),
    "call_start": pl.Datetime("us", "UTC"),
}
_NOT_IN_LOG = ("scheduling", "administrative")
"""Purposes of calls that are not matched to the phone log."""

RowFilter = Callable[[pl.DataFrame], pl.Series]
"""Some columns of rows → a mask of those that can matter."""

_PROFILE_COLUMNS = {
    "calls": ("cpt_code", "frequency_code", "claim_status", "billed_amount", "paid_amount", "call_minutes", "call_seconds",
              "discussion_minutes"),
    "visits": ("status",),
    "claims": ("frequency_code", "claim_status", "billed_amount", "paid_amount"),
}  # fmt: skip
"""The columns that the summary and the row filters need, beside those of the profile."""
_DUPLICATE_COLUMNS = {
    "calls": (*_PROFILE_COLUMNS["calls"], *measure.TIMES["calls"], *_SPAN_COLUMNS),
    "visits": ("status", "visit_start", "visit_start_date_only", "visit_start_date"),
    "claims": ("service_date", "cpt_code"),
}
"""The columns that the summary needs of a row once it is known to be the one of its id that is used."""


@dataclass(frozen=True)
class ChunkSummary:
    """The summary of a chunk, or of a whole table. `duplicate_keys`: rows whose id others may have, which do not count yet.

    `deferred_rows`: those of them that can matter, in full. `spans`: of all calls (`windows.calls`), if a rule asks.
    `blank_ids`: `common_ids.blank_ids` of a whole table, if they were not known before. `phone_calls`: provider_id, call_id
    and call_start of the calls that may be in the phone log.
    """

    table: Table
    duplicate_keys: pl.DataFrame
    deferred_rows: pl.DataFrame
    spans: pl.DataFrame
    profile: TableProfile
    files: tuple[SourceFile, ...] = ()
    blank_ids: Mapping[str, pl.Series] = field(default_factory=dict)
    phone_calls: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_PHONE_CALLS))

    def without_repeats(self) -> "ChunkSummary":
        """The summary without the rows whose id others may have."""
        return replace(self, duplicate_keys=self.duplicate_keys.clear(), deferred_rows=self.deferred_rows.clear())

    @property
    def date_columns(self) -> dict[str, ColumnDates]:
        """As `instants.date_columns`."""
        return instants.date_columns(self.profile.date_counts)

    @property
    def status_numbers(self) -> bool:
        """Whether numbers in `claim_status` are those of an 835."""
        return status_numbers_hold(self.table.unrecognised.iter_rows())


@dataclass(frozen=True, kw_only=True)
class ChunkTyper:
    """Types the chunks of the table that was looked at.

    `repeated`: ids that several rows may have; `date_columns`: what is known of whole columns, as are `status_numbers` and
    `blank_ids`, None where they are not known yet; `with_spans`: whether a rule
    asks; `phone_providers`: providers whose calls may be in the phone log; `lookups`: ids of other tables; `until`: the
    latest end of a call, for visits.
    """

    scan: KeyScan
    repeated: MembershipFilter
    row_filter: RowFilter
    with_spans: bool
    lookups: Lookups
    until: datetime | None = None
    date_columns: Mapping[str, ColumnDates] = field(default_factory=dict)
    status_numbers: bool = True
    blank_ids: Mapping[str, pl.Series] | None = None
    phone_providers: pl.Series = field(default_factory=lambda: pl.Series(dtype=pl.String))

    def __call__(self, chunk: Chunk) -> tuple[pl.DataFrame, ChunkSummary]:
        """The rows that can matter, and the summary of all rows."""
        scan = self.scan
        typed = type_rows(
            TABLES[scan.table],
            chunk,
            scan.policy,
            scan.blanks,
            self.date_columns,
            status_numbers=self.status_numbers,
            blank_ids=self.blank_ids,
        )
        may_repeat = self.repeated.may_contain(typed.ids())
        single = typed.is_valid & ~may_repeat
        counted = {name for count in checks.counts(scan.table) for name in count.expression.meta.root_names()}
        names = dict.fromkeys([*measure.TIMES[scan.table], *_PROFILE_COLUMNS[scan.table], *sorted(counted)])
        profile_rows = typed.columns(*names, ids=measure.IDS[scan.table])
        kept = typed.rows(self.row_filter(profile_rows) & single)
        own = self._columns_of_calls()
        timed = profile_rows.with_columns(typed.columns(*own)) if own else profile_rows
        spans, of_records = self._of_records(timed.filter(single))
        repeats = typed.rows(typed.is_valid & may_repeat)
        duplicate_keys = self._no_keys if repeats.is_empty() else self._keys(repeats)
        deferred_rows = repeats.filter(self.row_filter(repeats))
        valid_rows = profile_rows if typed.is_valid.all() else profile_rows.filter(typed.is_valid)
        slashed_dates, decided = measure.slashed_dates(scan.table, chunk.frame, scan.policy)
        codes = typed.column("cpt_code") if scan.bills else None
        of_cells = TableProfile(
            table=scan.table,
            date_counts=typed.date_counts,
            slashed_dates=slashed_dates,
            slashes_decided=decided,
            unlisted_codes=measure.unlisted_codes(typed, scan.policy) if scan.table == "visits" else {},
            billed_used={} if codes is None else measure.by_code(codes.filter(single)),
            billed_rejected={} if codes is None else measure.by_code(codes.filter(~typed.is_valid)),
            rows_by_id=measure.rows_by_id(typed),
            large_ids=measure.large_ids(typed),
        )
        if scan.bills and scan.table == "calls" and self.blank_ids is None:
            of_cells = replace(of_cells, claimants=measure.claimants(typed))
        profiles = [
            measure.of_rows(scan.table, valid_rows, checks.counts(scan.table), scan.policy),
            measure.of_ids(typed, valid_rows, scan.policy, self.lookups),
            of_cells,
            of_records,
        ]
        table = typed.table()
        table = replace(table, unusable=detached(table.unusable))
        summary = ChunkSummary(
            table,
            detached(duplicate_keys),
            detached(deferred_rows),
            detached(spans),
            profile.merge(profiles),
            phone_calls=detached(self._phone_calls(timed.filter(single))),
        )
        return detached(kept), summary

    def resolve(self, duplicate_keys: pl.DataFrame, deferred_rows: pl.DataFrame) -> tuple[pl.DataFrame, ChunkSummary]:
        """The deferred rows that are used, and the summary of all rows that share these ids, which are given in order."""
        scan = self.scan
        ids = duplicates.resolve(TABLES[scan.table], duplicate_keys)
        rows = duplicates.merge_lists(TABLES[scan.table], deferred_rows, ids.kept)
        spans, of_records = self._of_records(ids.representatives)
        if scan.bills:
            of_records = replace(
                of_records,
                billed_used=measure.by_code(ids.representatives["cpt_code"]),
                billed_rejected=measure.by_code(ids.conflicts["cpt_code"]),
            )
        table = typed_table.of_repeats(TABLES[scan.table], scan.blanks.clear(), ids.rejects)
        calls = self._phone_calls(ids.representatives)
        return rows, ChunkSummary(table, ids.kept.clear(), rows.clear(), spans, of_records, phone_calls=calls)

    def merge(self, parts: Sequence[ChunkSummary], files: Sequence[SourceFile]) -> tuple[pl.DataFrame, ChunkSummary]:
        """The summaries of all chunks, in order, as one; also the deferred rows that are used."""
        keys = pl.concat([part.duplicate_keys for part in parts])
        deferred_rows = pl.concat([part.deferred_rows for part in parts])
        rows, of_repeats = self.resolve(keys, deferred_rows)
        return rows, self.whole([*parts, of_repeats], files)

    def whole(self, parts: Sequence[ChunkSummary], files: Sequence[SourceFile]) -> ChunkSummary:
        """The summaries of all chunks, in order, and of the rows that share ids, as one."""
        whole = profile.merge([part.profile for part in parts])
        table = typed_table.merge([part.table for part in parts])
        if files and not any(file.records for file in files):  # nothing is blank where nothing is
            table = replace(table, columns=frozenset(name for file in files for name in file.mapping))
        first = parts[0].without_repeats()
        return replace(
            first,
            table=replace(table, unusable=typed_table.copies_marked(table.unusable)),
            spans=pl.concat([part.spans for part in parts]),
            profile=replace(whole.resolved(self.lookups), claimants=whole.claimants.clear()),
            files=tuple(files),
            blank_ids={} if self.blank_ids is not None else common_ids.blank_ids(whole),
            phone_calls=pl.concat([part.phone_calls for part in parts]),
        )

    def again(self, whole: ChunkSummary) -> "ChunkTyper | None":
        """The typer that knows what the whole table shows of its columns; None if this one does."""
        known = replace(
            self,
            date_columns=whole.date_columns,
            status_numbers=whole.status_numbers,
            blank_ids=self.blank_ids or whole.blank_ids,
        )
        facts = ("date_columns", "status_numbers")
        if not whole.blank_ids and all(getattr(known, fact) == getattr(self, fact) for fact in facts):
            return None
        return known

    def _keys(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The keys by which copies of rows are found, and the columns that the summary needs of them."""
        names = dict.fromkeys([*_DUPLICATE_COLUMNS[self.scan.table], *self._columns_of_calls()])
        return duplicates.duplicate_keys(TABLES[self.scan.table], rows, *names)

    @cached_property
    def _no_keys(self) -> pl.DataFrame:
        return self._keys(self.scan.blanks.clear())

    def _columns_of_calls(self) -> tuple[str, ...]:
        """What spans and calls of the phone log need beside the columns of the profile."""
        if self.scan.table != "calls" or not (self.with_spans or len(self.phone_providers)):
            return ()
        return (*_SPAN_COLUMNS, *(("purpose",) if len(self.phone_providers) else ()))

    def _phone_calls(self, rows: pl.DataFrame) -> pl.DataFrame:
        """As `ChunkSummary.phone_calls`, of valid records."""
        if self.scan.table != "calls" or not len(self.phone_providers):
            return pl.DataFrame(schema=_PHONE_CALLS)
        is_one = pl.col("provider_id").is_in(self.phone_providers.implode())
        eligible = ~pl.col("purpose").is_in(_NOT_IN_LOG).fill_null(False)
        return that_are_calls(rows).filter(is_one & eligible).select(*_PHONE_CALLS)

    def _of_records(self, rows: pl.DataFrame) -> tuple[pl.DataFrame, TableProfile]:
        """The stretches of time of valid records, and what they say of the coverage and of their lengths.

        The coverage knows voids and reversals with a call_id of their own, too: they are calls, if for no rule.
        """
        spans, scan = call_windows.NO_SPANS, self.scan
        calls = rows
        if scan.table == "calls":
            calls = that_are_calls(rows)
            own = rows.filter(is_adjustment())
            own = own.join(calls.join(own, on="call_id", how="semi"), on="call_id", how="anti")
            calls = with_end_and_time(calls.lazy()).select(*rows.columns, "end", "lost_hours").collect()
            spans = call_windows.spans(calls) if self.with_spans else spans
            rows = pl.concat([calls, with_end_and_time(own).select(calls.columns)])
        bounds = coverage_bounds(scan.table, rows, scan.policy, bills=scan.bills, until=self.until)
        counts = measure.counted(calls, checks.counts(scan.table, of_records=True))
        return spans, TableProfile(table=scan.table, counts=counts, coverage=bounds)


def with_any_id(**members: pl.Series) -> RowFilter:
    """Rows matter that have one of these ids in one of these columns."""
    filters = {name: MembershipFilter(ids) for name, ids in members.items()}

    def mask(rows: pl.DataFrame) -> pl.Series:
        matching = pl.repeat(False, rows.height, dtype=pl.Boolean, eager=True)
        for name, ids in filters.items():
            matching = matching | ids.may_contain(rows[name])
        return matching

    return mask


def within_dates(spans: pl.DataFrame, day: str) -> RowFilter:
    """Rows matter whose day is in the span of their patient: patient_id, first day, last day."""
    date_filter = DateRangeFilter(spans)
    return lambda rows: date_filter.may_contain(rows["patient_id"], rows[day])


def lines_near_lines(lines: pl.DataFrame, spans: pl.DataFrame) -> RowFilter:
    """Lines matter that are `within_dates` in the spans, that have a call or a claim of `lines` or one that these name.

    So do the adjustments of their patients: what they settle may be near.
    """
    claims = pl.concat([lines["claim_id"], lines["original_claim_id"]])
    named = with_any_id(call_id=lines["call_id"], claim_id=claims)
    patients, within = with_any_id(patient_id=lines["patient_id"]), within_dates(spans, "service_date")
    return lambda rows: named(rows) | within(rows) | (rows.select(is_adjustment()).to_series() & patients(rows))


def calls_near_lines(lines: pl.DataFrame, spans: pl.DataFrame, *names: str) -> RowFilter:
    """Calls matter that lines name, that their patients have a code or a claim for, or that are `within_dates` in the spans.

    So do those that have the id of a claim: a visit that came from them did not come from the claim.
    `names`: the columns by which a line may name a call of another patient.
    """
    named_by_lines = with_any_id(**{name: lines[name] for name in names})
    patients, within = with_any_id(patient_id=lines["patient_id"]), within_dates(spans, "call_start_date")
    claims = with_any_id(call_id=lines["claim_id"])

    def mask(rows: pl.DataFrame) -> pl.Series:
        billed = rows["cpt_code"].is_not_null() | rows["claim_id"].is_not_null()
        return named_by_lines(rows) | claims(rows) | within(rows) | (billed & patients(rows))

    return mask
