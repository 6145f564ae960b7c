"""One bucket of patients, as far as no other bucket matters: typed, billed, and what it says of the whole."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import polars as pl

from auditor.cells.normalise import Table, normalise
from auditor.claims import billing, coverage
from auditor.claims.billing import Billing
from auditor.policy import Policy
from auditor.reading import ingest
from auditor.reading.ingest import REJECT_SCHEMA, Extract
from auditor.scale import DRIVER, Parcel, scatter
from auditor.scale.scatter import Gather
from auditor.schema.tables import TABLES
from auditor.windows import calls as call_windows
from auditor.windows import visits as visit_windows

PROVIDER = "provider-"


@dataclass(frozen=True)
class Settled:
    """What a bucket is judged by. `visits` are those of the patients with lines, as `windows.visits` describes them."""

    billing: Billing
    visits: pl.DataFrame
    tainted_visits: pl.Series
    tainted_lines: pl.Series
    calls: pl.DataFrame


@dataclass(frozen=True)
class Told:
    """What a bucket says of the whole: its tables without rows, the rows that decide the coverage, and a count."""

    tables: Mapping[str, Table]
    extremes: coverage.Extremes
    unlisted_visits: int


@dataclass(frozen=True, kw_only=True)
class Settle:
    """Settles a bucket.

    `columns` and `date_columns` are those of the whole tables; `meeting`: which patients meet in a bucket of their
    own; `exchange`: into how many parts the providers' calls go, 0 where no other bucket has any.
    """

    policy: Policy
    providers: pl.DataFrame
    columns: Mapping[str, frozenset[str]]
    date_columns: Mapping[str, frozenset[str]]
    meeting: Gather
    exchange: int

    def __call__(self, to: str, parcels: list[Parcel]) -> Iterator[Parcel]:
        """The bucket settled, what it tells the driver, and its calls for their providers."""
        elsewhere = self.meeting.patients if to != self.meeting.to else self.meeting.patients.clear()
        tables = {}
        for name in self.columns:
            frames = scatter.rows_of(parcels, name, elsewhere)
            tables[name] = self._table(name, frames)
        parcels.clear()
        timed, claims = billing.with_end_and_time(tables["calls"].rows), tables.get("claims")
        billed = billing.bill(timed, claims, self.providers, self.policy)
        visits, unlisted = visit_windows.classified(tables["visits"].rows, billed.lines, self.policy.lists)
        extremes = coverage.extremes(timed, tables["visits"].rows, claims, self.policy)
        told = {name: replace(table, rows=table.rows.clear()) for name, table in tables.items()}
        yield Parcel(DRIVER, "told", (0, 0), Told(told, extremes, unlisted))
        if self.exchange:
            own = call_windows.own_spans(billed.lines, billed.line_calls).with_columns(bucket=pl.lit(to))
            for kind, spans in (("own", own), ("others", call_windows.spans(timed))):
                for number, rows in scatter.parted(spans, "provider_id", self.exchange):
                    yield Parcel(scatter.address(PROVIDER, number), kind, (0, 0), rows)
        yield Parcel(to, "settled", (0, 0), Settled(
            billed,
            visits,
            tables["visits"].tainted,
            (claims or tables["calls"]).tainted,
            call_windows.spans(timed.clear() if self.exchange else timed),
        ))  # fmt: skip

    def _table(self, name: str, frames: list[pl.DataFrame]) -> Table:
        if not frames:
            columns = [*sorted(self.columns[name]), "source_file"]
            frames = [pl.DataFrame(schema={**dict.fromkeys(columns, pl.String), "source_record": pl.UInt32})]
        extract = Extract(TABLES[name], (), ingest.stack(frames), pl.DataFrame(schema=REJECT_SCHEMA))
        return normalise(extract, self.policy, self.date_columns[name], self.columns[name])


def meet(to: str, parcels: list[Parcel]) -> Iterator[Parcel]:
    """The calls of one part of the providers: to each bucket those that overlap calls of its lines."""
    own, others = ([parcel.body for parcel in parcels if parcel.kind == kind] for kind in ("own", "others"))
    parcels.clear()
    if own and others:
        touching = call_windows.touching(pl.concat(own), pl.concat(others))
        met = (
            touching.select("bucket", "provider_id", "id", **{"from": "from_other", "to": "to_other"})
            .unique()
            .collect()
        )
        for bucket, rows in met.partition_by("bucket", as_dict=True, include_key=False).items():
            yield Parcel(str(bucket[0]), "met", (0, 0), rows)
