"""What needs the whole of a table before its rows are typed: which ids repeat, and whose records can matter."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from auditor.cells.normalise import type_rows
from auditor.policy import Policy
from auditor.reading.ingest import Chunk, SourceFile
from auditor.schema.codes import FAMILY
from auditor.schema.tables import TABLES

_BILLED = ("patient_id", "provider_id", "claim_id", "call_id")


@dataclass(frozen=True)
class Survey:
    """`repeated`: the hashes of ids that several rows may have; `billed`: the ids that lines of the family name."""

    repeated: pl.Series
    billed: pl.DataFrame
    files: tuple[SourceFile, ...]


@dataclass(frozen=True)
class Look:
    """Looks at a chunk. `bills`: its table holds the lines; `without_billing`: a claims table replaces the calls' own.

    `blanks`: `values.blanks` of the table.
    """

    table: str
    policy: Policy
    bills: bool
    without_billing: bool
    blanks: pl.DataFrame

    @property
    def only(self) -> tuple[str, ...]:
        """The columns that are looked at."""
        return (*TABLES[self.table].key, *((*_BILLED, "cpt_code") if self.bills else ()))

    def __call__(self, chunk: Chunk) -> tuple[pl.Series, pl.DataFrame]:
        """The hash of every id, and what lines name."""
        spec = TABLES[self.table]
        typed = type_rows(spec, chunk, self.policy, self.blanks)
        if not self.bills:
            return typed.ids(), nothing_billed()
        billed = typed.columns(*_BILLED, "cpt_code").filter(pl.col("cpt_code").is_in(FAMILY))
        if self.table == "calls":  # a billed call without a claim is its own
            billed = billed.with_columns(pl.coalesce("claim_id", "call_id"))
        return typed.ids(), billed.select(_BILLED)


def nothing_billed() -> pl.DataFrame:
    """No line."""
    return pl.DataFrame(schema=dict.fromkeys(_BILLED, pl.String))


def repeated(ids: Sequence[pl.Series]) -> pl.Series:
    """The hashes that occur more than once."""
    in_order = pl.concat([pl.Series(dtype=pl.UInt64), *ids]).sort()
    return in_order.filter(in_order == in_order.shift(1)).unique()
