"""FHIR resources as JSON Lines → rows of the tables, linked across the files of a table. Source: docs/fhir.md."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import polars as pl

from auditor import zones
from auditor.errors import InputRefused
from auditor.reading.kinds import Location
from auditor.schema.tables import TABLES
from auditor.sources import json_text
from auditor.sources.fhir import bundles, claims, encounters, providers
from auditor.sources.fhir.elements import Element, Notes, diagnosis_codes, id_of, joined
from auditor.sources.fhir.people import People
from auditor.sources.fhir.rows import Finish, Kept, Row, frame_of, texts, with_conditions
from auditor.sources.source import RECORD, Context, Source
from auditor.sources.spool import Spool

TYPE = bundles.TYPE
_ROWS = 200_000
"""Rows that are linked at once, at least."""
_UNFINISHED = "Bundles at the end of the file that name a next page, which is not there"
_LONGEST = 50
"""Letters of a type's name; other texts may be data that nobody should see."""


@dataclass(frozen=True)
class Reads:
    """How a table is read: `rows` of a resource, with `columns`, and `finish`, which links the rows that wait."""

    resources: frozenset[str]
    rows: Callable[[Element, Notes, ZoneInfo], Iterable[Row]]
    columns: Mapping[str, pl.DataType]
    finish: Callable[[pl.LazyFrame, Kept], Finish]


def _one(function: Callable[[Element, Notes], Row | None]) -> Callable[[Element, Notes, ZoneInfo], Iterable[Row]]:
    def rows(resource: Element, notes: Notes, _: ZoneInfo) -> Iterable[Row]:
        row = function(resource, notes)
        return () if row is None else (row,)

    return rows


READS = {
    "calls": Reads(
        frozenset({"Encounter", "Communication"}), _one(encounters.call), encounters.CALLS, encounters.finish_calls
    ),
    "visits": Reads(
        frozenset({"Encounter", "Appointment"}), _one(encounters.visit), encounters.VISITS, encounters.finish_visits
    ),
    "claims": Reads(frozenset({claims.CLAIM, claims.BENEFIT}), claims.lines, claims.CLAIMS, claims.finish),
    "providers": Reads(
        frozenset({"Practitioner", "PractitionerRole"}), _one(providers.row), providers.PROVIDERS, providers.finish
    ),
}

_NOTHING = Reads(frozenset(), lambda *_: (), {}, lambda *_: lambda frame: frame)
"""Of a table that FHIR has no resources for."""


@dataclass
class _File:
    """A file as it was read: how many resources of which type, and what a user should know."""

    location: Location
    spool: Spool
    types: Counter[str] = field(default_factory=Counter)
    notes: Notes = field(default_factory=Counter)


class Resources:
    """The resources of a table's files, which become rows when all files are read."""

    def __init__(self, table: str, context: Context) -> None:
        self._table, self._context, self._reads = table, context, READS.get(table, _NOTHING)
        columns = {*self._reads.columns, "call_id"}  # of claims by links
        self._schema = texts(*(name for name in TABLES[table].columns if name in columns)) | {RECORD: pl.UInt32()}
        self._people = People()
        self._zone = zones.zone(context.policy.timezone)
        self._conditions = Spool(context.folder)
        self._files: list[_File] = []

    def add(self, location: Location, blocks: Iterable[json_text.Records]) -> None:
        """Read a file. Raises InputRefused for a line without resources."""
        file = _File(location, Spool(self._context.folder))
        self._files.append(file)
        for records in blocks:
            rows, codes = list[tuple[int, Row]](), list[tuple[str, str]]()
            for line, resource in self._unpacked(file, records):
                kind = resource[TYPE]
                file.types[kind if kind.isalpha() and len(kind) < _LONGEST else "unknown"] += 1
                if kind in self._reads.resources:
                    rows += [(line, row) for row in self._reads.rows(resource, file.notes, self._zone)]
                elif kind == "Condition":
                    found = joined(diagnosis_codes(resource.get("code")))
                    codes += [(own, found)] if (own := id_of(resource)) and found else []
                if kind in ("Practitioner", "PractitionerRole"):
                    self._people.add(resource, file.notes)
            file.spool.add(frame_of(rows, self._reads.columns))
            if codes:
                self._conditions.add(pl.DataFrame(codes, schema=["_conditions", "codes"], orient="row"))

    def _add_providers(self) -> None:
        """Learn of the practitioners in the files of the table providers, as other tables do."""
        own = {file.location.path for file in self._files}
        for location in self._context.located.get("providers", ()):
            if (
                location.kind.module == __package__.rpartition(".")[0] + ".json_lines"
                and location.path not in own
                and location.path.is_file()
            ):
                for records in json_text.blocks("providers", location, self._context.policy):
                    for resource in (one for _, record in records for one in bundles.resources(record)):
                        if resource.get(TYPE) in ("Practitioner", "PractitionerRole"):
                            self._people.add(resource, Counter())

    def _unpacked(self, file: _File, records: json_text.Records) -> json_text.Records:
        """The resources of lines. Raises InputRefused for a line without them, and for former versions of resources."""
        for line, record in records:
            where = f"{self._table}: {file.location.shown}, line {line}"
            found = [*bundles.resources(record)]
            if several := [one for one in found if one.get(TYPE) == bundles.BUNDLE]:
                file.notes[_UNFINISHED] = any(map(bundles.is_followed, several))
                if any(one.get("type") == "history" for one in several):
                    raise InputRefused(f"{where}: a Bundle of former versions (history); export the current resources")
            for resource in (one for one in found if one.get(TYPE) != bundles.BUNDLE):
                if not isinstance(resource.get(TYPE), str):
                    raise InputRefused(
                        f"{where}: no resourceType, although line 1 has one; export FHIR and other records apart"
                    )
                yield line, resource

    def sources(self) -> Iterator[Source]:
        """The rows of each file."""
        paths = [path for file in self._files for path in file.spool.paths]
        if not paths:
            return
        self._add_providers()
        waiting = pl.scan_ipc(paths)
        keys = waiting.select("provider_id").unique().collect()["provider_id"]
        person = self._people.resolved(keys)
        finish = self._reads.finish(waiting.with_columns(person), self._context.kept)
        conditions = (
            pl.concat(list(self._conditions)).unique("_conditions") if self._conditions.paths else pl.DataFrame()
        )
        for file in self._files:
            source = Source(file.location, self._frames(file, person, finish, conditions))
            source.warnings += [f"{name}: {count:,}" for name, count in sorted(file.notes.items()) if count]
            source.understood.append(self._described(file))
            yield source

    def _frames(self, file: _File, person: pl.Expr, finish: Finish, conditions: pl.DataFrame) -> Iterator[pl.DataFrame]:
        yield pl.DataFrame(schema=self._schema)
        for waiting in _gathered(file.spool):
            frame = with_conditions(finish(waiting.with_columns(person)), conditions)
            missing = [pl.lit(None, pl.String).alias(name) for name in self._schema if name not in frame.columns]
            yield frame.with_columns(missing).select(*self._schema)

    def _described(self, file: _File) -> str:
        read, others = list[str](), list[str]()
        for kind, count in sorted(file.types.items()):
            (read if kind in self._reads.resources else others).append(f"{kind} {count:,}")
        left = [f"not read as {self._table}: {', '.join(others)}"] if others else []
        return f"FHIR: {'; '.join([', '.join(read)] * bool(read) + left)}"


def _gathered(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same rows in larger frames: each is joined with all that it may name."""
    waiting: list[pl.DataFrame] = []
    for frame in frames:
        waiting.append(frame)
        if sum(one.height for one in waiting) >= _ROWS:
            yield pl.concat(waiting)
            waiting = []
    if waiting:
        yield pl.concat(waiting)
