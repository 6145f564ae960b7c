"""A pre-scan of a table's keys: which ids repeat, whose records can matter, and on which dates."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import polars as pl
import polars.selectors as cs

from auditor.parsing.duplicates import hashed
from auditor.parsing.readers import blank_row
from auditor.parsing.typed_chunk import type_rows
from auditor.policy import Policy
from auditor.prefilter.membership_filter import MembershipFilter
from auditor.reading import ingest
from auditor.reading.dictionary import detached
from auditor.reading.ingest import Chunk, SourceFile
from auditor.schema.codes import FAMILY
from auditor.schema.tables import TABLES

_BILLED = ("patient_id", "provider_id", "claim_id", "call_id", "original_claim_id")
_DAY = {"calls": (("timezone", "call_start"), "call_start_date"), "claims": (("service_date",), "service_date")}
"""A line's date: the columns that it is written in, and the typed one."""


@dataclass(frozen=True)
class KeyScan:
    """Scans the keys of a chunk.

    `bills`: its table has the lines; `without_billing`: a claims table replaces the calls' own.
    `blanks`: `readers.blank_row` of the table.
    """

    table: str
    policy: Policy
    bills: bool
    without_billing: bool
    blanks: pl.DataFrame

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are looked at."""
        return (
            *TABLES[self.table].key,
            *((*_BILLED, "cpt_code", *_DAY[self.table][0]) if self.bills else ()),
        )

    def __call__(self, chunk: Chunk) -> tuple[pl.Series, pl.DataFrame, pl.DataFrame]:
        """The hash of every id, what lines name, and their dates."""
        spec = TABLES[self.table]
        if not self.bills:
            return type_rows(spec, chunk, self.policy, self.blanks).ids(), no_billed_ids(), no_line_dates()
        written, day = _DAY[self.table]
        typed = type_rows(spec, replace(chunk, frame=chunk.frame.drop(written, strict=False)), self.policy, self.blanks)
        codes = typed.column("cpt_code")
        dated = codes.is_in(FAMILY).fill_null(typed.column("claim_id").is_not_null())
        rows = typed.columns(*_BILLED).with_columns(codes).filter(dated)
        if self.table == "calls":  # a billed call without a claim is its own
            rows = rows.with_columns(pl.coalesce("claim_id", "call_id"))
        when = replace(chunk, frame=chunk.frame.select(cs.by_name(*written, require_all=False)).filter(dated))
        dates = type_rows(spec, when, self.policy, self.blanks)
        days = pl.DataFrame({"claim": hashed([rows["claim_id"]]), "day": dates.column(day)})
        if self.table == "claims":  # a range of service dates reaches to its last day
            days = pl.concat([days, days.with_columns(day=dates.column("service_date_last")).drop_nulls("day")])
        return typed.ids(), detached(rows.drop_nulls("cpt_code").select(_BILLED)), days

    def check(self, files: Sequence[SourceFile]) -> None:
        """Refuse a policy that maps columns which none of the table's files has. Raises InputRefused."""
        ingest.check_mapping(self.table, files, self.policy, without_billing=self.without_billing)


def key_scans(policy: Policy, tables: Collection[str]) -> Iterator[KeyScan]:
    """The scans of the large tables, in read order: the calls kept decide which claims are needed; both which visits."""
    lines = "claims" if "claims" in tables else "calls"
    for name in (name for name in ("calls", "claims", "visits") if name in tables):
        without_billing = name == "calls" != lines
        yield KeyScan(name, policy, name == lines, without_billing, blank_row(name, policy))


@dataclass(frozen=True)
class KeyScanResult:
    """`repeated`: ids that several rows may have, by their hashes; `billed`: the ids that lines of the family name.

    `days`: the dates of those lines, and of calls without a code that may be theirs, and the hash of the `claim`.
    """

    scan: KeyScan
    repeated: MembershipFilter
    billed: pl.DataFrame
    days: pl.DataFrame
    files: tuple[SourceFile, ...]


def no_keys(scan: KeyScan) -> KeyScanResult:
    """The keys of a table that was not given."""
    return KeyScanResult(scan, repeated(pl.Series(dtype=pl.UInt64), 0), no_billed_ids(), no_line_dates(), ())


def no_billed_ids() -> pl.DataFrame:
    """No line."""
    return pl.DataFrame(schema=dict.fromkeys(_BILLED, pl.String))


def no_line_dates() -> pl.DataFrame:
    """No line's date."""
    return pl.DataFrame(schema={"claim": pl.UInt64, "day": pl.Date})


def repeated(ids: pl.Series, room: int) -> MembershipFilter:
    """The hashes that occur more than once among some of a table's, which are so many (`room`)."""
    in_order = ids.sort()
    return MembershipFilter(in_order.filter(in_order == in_order.shift(1)), room)
