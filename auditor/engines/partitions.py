"""Kept rows in partitions of patients, which are judged one at a time."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl

from auditor.engines.spill import COUNT, Spill, parts, whole

_ROWS_AT_ONCE = 250_000
"""Rows that are judged together, at most about: what judging takes beside them stays small."""


class Partitions(Spill):
    """The rows of all tables, by patient."""

    def __init__(
        self, limit: int | None, parent: Path | None, count: int = COUNT, rows_at_once: int = _ROWS_AT_ONCE
    ) -> None:
        """As `Spill`. `rows_at_once`: those of a partition, beside that of patients who share records."""
        super().__init__(limit, parent, "patient_id", count)
        self._rows_at_once = rows_at_once

    def select(self, table: str, *columns: str, **aliases: str) -> pl.DataFrame:
        """Some columns of all kept rows of a table."""
        return self._all(table).select(*columns, **aliases).collect()

    def each(self, *, keep: bool = False) -> Iterator[dict[str, pl.DataFrame]]:
        """All tables' rows, partition after partition; few are one. Rows that were given go, unless `keep`."""
        held = {table: [*frames] for table, frames in self._in_memory.items()} if keep else self._in_memory
        tables = tuple(self._in_memory)
        count = -(-sum(self._all(table).select(pl.len()).collect().item() for table in tables) // self._rows_at_once)
        if self._folder is None and count < 2:
            yield {table: whole(held.pop(table)) for table in tables}
            return
        linked = linked_patients({table: self._all(table) for table in tables if table != "visits"})
        if self._folder is None:
            yield from self._divided(count, linked, held)
            return
        self._write()
        is_linked = pl.col("patient_id").is_in(linked.implode())
        if len(linked):
            yield {table: self._all(table).filter(is_linked).collect() for table in tables}
        count = min(max(count, 1), self._count)
        for number in range(count):
            some = range(number, self._count, count)
            yield {table: self._scan(table, some).filter(~is_linked).collect() for table in tables}

    def _divided(
        self, count: int, linked: pl.Series, held: Mapping[str, list[pl.DataFrame]]
    ) -> Iterator[dict[str, pl.DataFrame]]:
        """What is held in memory, which goes, in partitions, and one of the patients who meet, if any do."""
        patient = pl.col("patient_id")
        number = pl.when(patient.is_in(linked.implode())).then(count).otherwise(patient.hash() % count)
        divided = [{table: [frames[0].clear()] for table, frames in held.items()} for _ in range(count + 1)]
        for table, frames in held.items():
            while frames:
                for at, part in parts(frames.pop(), number):
                    divided[at][table].append(part)
        if linked.is_empty():
            divided.pop()
        while divided:
            yield {table: whole(part) for table, part in divided.pop().items()}

    def _all(self, table: str) -> pl.LazyFrame:
        on_disk = [self._scan(table, range(self._count))] if self._folder else []
        return pl.concat([*on_disk, *(rows.lazy() for rows in self._in_memory[table])], how="diagonal")


def linked_patients(kept: Mapping[str, pl.LazyFrame]) -> pl.Series:
    """Patients who share a call or a claim with another one, and are judged together.

    Source: docs/specification.md#invariants.

    `kept`: the rows of calls, and of claims where there are any; patient_id, call_id and the claims' ids suffice.
    """
    links: dict[str, list[pl.LazyFrame]] = {"call": [], "claim": []}
    for table, rows in kept.items():
        claim = pl.coalesce("claim_id", "call_id") if table == "calls" else pl.col("claim_id")
        for kind, name in (("call", pl.col("call_id")), ("claim", claim), ("claim", pl.col("original_claim_id"))):
            links[kind].append(rows.select("patient_id", id=name).drop_nulls())
    again = [
        pl.concat(ids).filter(pl.col("id").hash().is_duplicated()) for ids in links.values()
    ]  # most ids occur once
    shared = pl.concat(ids.group_by("id").agg(pl.col("patient_id").unique()) for ids in again)
    shared = shared.filter(pl.col("patient_id").list.len() > 1)
    return shared.select(pl.col("patient_id").explode().unique()).collect().to_series()
