"""The records of the policy's users, read a chunk at a time; those of one user that belong together are one.

Source: docs/specification.md#phone-log.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from auditor.parsing import instants, typed_table
from auditor.parsing.instants import ColumnDates, DateCounts
from auditor.parsing.microseconds import MINUTE
from auditor.parsing.readers import blank_row
from auditor.parsing.typed_chunk import TypedChunk, type_rows
from auditor.parsing.typed_table import Table
from auditor.phone_log.users import Users, users_of
from auditor.policy import Policy
from auditor.reading.chunks import Chunks
from auditor.reading.ingest import Part, SourceFile, check_mapping
from auditor.schema.tables import TABLES
from auditor.sources.source import require_extra

NAME = "phone_log"
_PARTIES = ("extension", "user", "from_number", "to_number")
"""The columns that may name a user, in the order in which they do."""


@dataclass(frozen=True)
class PhoneRecords:
    """What the log says of the policy's users.

    `rows`: one for each record: `user`, `record` (its id), `at`, `talk` (microseconds), and `direction` (inbound, outbound
    or null); `users`: as `users_of`, those that are in the log; `first` and `last`: starts of all records, None if there is
    none.
    """

    rows: pl.DataFrame
    users: pl.DataFrame
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True)
class PhoneLog:
    """The log as a table without rows, its files, and its records."""

    table: Table
    files: tuple[SourceFile, ...]
    records: PhoneRecords


@dataclass(frozen=True)
class LogReader:
    """Reads the log. `users`: as `users_of`; `blanks`: `readers.blank_row` of the log."""

    policy: Policy
    users: pl.DataFrame
    blanks: pl.DataFrame

    def read(self, parts: Sequence[Part]) -> PhoneLog:
        """Read the log; a second time where whole columns state dates in another way than their parts show.

        Raises InputRefused for files that cannot be read.
        """
        log, dates = self._read(parts, {})
        kinds = instants.date_columns(dates)
        return self._read(parts, kinds)[0] if kinds else log

    def _read(self, parts: Sequence[Part], kinds: Mapping[str, ColumnDates]) -> tuple[PhoneLog, dict[str, DateCounts]]:
        source, users = Chunks(parts, self.policy), Users(self.users["user"], self.policy.phone_log.region)
        tables, rows, starts, dates = list[Table](), list[pl.DataFrame](), list[datetime](), dict[str, DateCounts]()
        for chunk in source:
            typed = type_rows(TABLES[NAME], chunk, self.policy, self.blanks, kinds)
            tables.append(typed.table())
            rows.append(_of_users(typed, users))
            starts += _ends(typed.column("call_start").filter(typed.is_valid))
            for name, counts in typed.date_counts.items():
                dates[name] = instants.added((dates.get(name, DateCounts()), counts))
        check_mapping(NAME, source.files, self.policy)
        table = typed_table.merge(tables)
        if not any(file.records for file in source.files):  # nothing is blank where nothing is
            table = replace(table, columns=frozenset(name for file in source.files for name in file.mapping))
        table = replace(table, unusable=typed_table.copies_marked(table.unusable))
        kept = pl.concat(rows)
        present = self.users.filter(pl.col("user").is_in(kept["user"].unique().implode()))
        records = PhoneRecords(merged(kept), present, min(starts, default=None), max(starts, default=None))
        return PhoneLog(table, tuple(source.files), records), dates


def log_reader(policy: Policy) -> LogReader:
    """The reader of a run's log. Raises UsageError without the extra `phone`."""
    require_extra("phone", "phonenumbers")
    return LogReader(policy, users_of(policy), blank_row(NAME, policy))


def _ends(starts: pl.Series) -> Iterator[datetime]:
    """The first and the last start."""
    yield from (at for at in (starts.min(), starts.max()) if isinstance(at, datetime))


def _of_users(typed: TypedChunk, users: Users) -> pl.DataFrame:
    """The records of users: `user`, `record`, `at`, `until`, `talk_from`, `talk_to` and `direction`."""
    parties = [users.found_in(typed.column(name)).alias(f"of_{name}") for name in _PARTIES]
    named = typed.columns("record_id", "call_start", "call_end", "talk_seconds", "direction").with_columns(*parties)
    place = pl.format("{}, record {}", pl.col("source_file").str.extract("([^/]*)$"), "source_record")
    rows = named.with_columns(
        typed.chunk.frame.select(pl.col("source_file").cast(pl.String), "source_record"),
        user=pl.coalesce(f"of_{name}" for name in _PARTIES),
    ).filter(typed.is_valid & pl.Series(pl.select(pl.coalesce(*parties).is_not_null()).to_series()))
    talk = pl.duration(microseconds="talk_seconds")
    start, end = pl.col("call_start"), pl.col("call_end")
    ringing = pl.when(end - talk > start).then(end - talk).otherwise(start)
    own = pl.when(pl.col("of_to_number").is_not_null()).then(pl.lit("inbound")).when(
        pl.col("of_from_number").is_not_null()
    ).then(pl.lit("outbound"))  # fmt: skip
    known = pl.when(pl.col("direction").is_null()).then(own).otherwise("direction")
    return rows.select(
        "user",
        record=pl.coalesce("record_id", place),
        at="call_start",
        until=pl.coalesce(end, start + talk, start),
        talk_from=pl.when(pl.col("talk_seconds").is_null()).then(start).otherwise(ringing),
        talk_to=pl.when(pl.col("talk_seconds").is_null()).then(end).otherwise(ringing + talk),
        direction=pl.when(known != "internal").then(known),
    )


def merged(rows: pl.DataFrame) -> pl.DataFrame:
    """As `PhoneRecords.rows`: records of one user that overlap or follow within a minute are one."""
    rows = rows.sort("user", "at", maintain_order=True).with_columns(
        before=pl.col("until").cum_max().shift(1).over("user")
    )
    apart = (pl.col("at") > pl.col("before") + pl.duration(microseconds=MINUTE)).fill_null(True)
    rows = rows.with_columns(one=apart.cum_sum())
    talked = rows.sort("one", "talk_from").with_columns(taken=pl.col("talk_to").cum_max().shift(1).over("one"))
    since = pl.max_horizontal("talk_from", "taken")
    fresh = (pl.col("talk_to") - since).dt.total_microseconds().clip(0)
    talked = talked.with_columns(fresh=fresh).group_by("one").agg(
        talk=pl.when(pl.col("fresh").null_count() == 0).then(pl.col("fresh").sum())
    )  # fmt: skip
    first = rows.group_by("one", maintain_order=True).agg(
        pl.col("user", "record", "at").first(), pl.col("direction").drop_nulls().first()
    )
    return first.join(talked, on="one", how="left", maintain_order="left").drop("one")
