"""A chunk → the rows that can matter, and what all of its rows say. Source: SPEC.md section 2."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import polars as pl

from auditor.billing.lines import with_end_and_time
from auditor.cells.among import Among, Around
from auditor.parsing import duplicates, instants, normalise
from auditor.parsing.adjustment_rows import is_adjustment, that_are_calls
from auditor.parsing.instants import MidnightCounts
from auditor.parsing.normalise import Table, TypedChunk, type_rows
from auditor.parsing.values import ROW_SOURCE
from auditor.policy import Policy
from auditor.quality import coverage, duration_units, profile
from auditor.quality.coverage import CoverageBounds
from auditor.quality.relationships import Lookups
from auditor.reading.ingest import Chunk, SourceFile
from auditor.reading.packed import owned
from auditor.scale.survey import Look
from auditor.schema.tables import TABLES
from auditor.windows import calls as call_windows
from auditor.windows import visits as visit_windows

_NAMES = ("provider_id", "call_id")
"""Of stretches of time."""

Matters = Callable[[pl.DataFrame], pl.Series]
"""Some columns of rows → a mask of those that can matter."""

_LOOKED_AT = {
    "calls": ("cpt_code", "frequency_code", "billed_amount", "paid_amount", "call_end", "call_minutes", "call_seconds",
              "discussion_minutes"),
    "visits": ("status",),
    "claims": (),
}  # fmt: skip
"""The columns that say something of the whole, or whether a row matters, beside those of `seen`."""
_SPEAK = {
    "calls": (*_LOOKED_AT["calls"], *profile.TIMES["calls"], *_NAMES),
    "visits": ("status", "visit_start", "visit_start_date_only", "visit_start_date"),
    "claims": ("service_date", "cpt_code"),
}
"""Those that a row speaks by as soon as it is known to be the one of its id that is used."""


@dataclass(frozen=True)
class Said:
    """What rows say of their table. `twins`: rows whose id others may have, which say nothing yet.

    `aside`: those of them that can matter, in full.
    `spans`: of all calls (`windows.calls`), if a rule asks; `lengths`: of the calls, as
    `duration_units.duration_counts`; `seen`: as `quality.profile`.
    """

    table: Table
    twins: pl.DataFrame
    aside: pl.DataFrame
    extremes: CoverageBounds
    spans: pl.DataFrame
    midnights: Mapping[str, MidnightCounts]
    lengths: Mapping[str, int]
    seen: pl.DataFrame
    files: tuple[SourceFile, ...] = ()

    @property
    def date_only(self) -> frozenset[str]:
        """The columns whose midnights are dates; those of calls stay times."""
        return frozenset(name for name, found in self.midnights.items() if found.date_only and name != "call_start")


@dataclass(frozen=True, kw_only=True)
class TypeChunk:
    """Types the chunks of the table that was looked at.

    `repeated`: ids that several rows may have; `date_only`: its columns that are known to be so as a whole; `with_spans`:
    whether a rule asks; `sought`: ids of other tables; `until`: the latest end of a call, for visits.
    """

    look: Look
    repeated: Among
    matters: Matters
    with_spans: bool
    sought: Lookups
    until: datetime | None = None
    date_only: frozenset[str] = frozenset()

    def __call__(self, chunk: Chunk) -> tuple[pl.DataFrame, Said]:
        """The rows that can matter, and what all rows say."""
        look = self.look
        typed = type_rows(TABLES[look.table], chunk, look.policy, look.blanks, self.date_only)
        again = self.repeated.has(typed.ids())
        single = typed.is_valid & ~again
        looked_at = typed.columns(*profile.TIMES[look.table], *_LOOKED_AT[look.table], ids=profile.IDS[look.table])
        kept = typed.rows(self.matters(looked_at) & single)
        timed = (
            looked_at.with_columns(typed.columns(*_NAMES)) if self.with_spans and look.table == "calls" else looked_at
        )
        extremes, spans, counts = self._look(timed.filter(single))
        repeats = typed.rows(typed.is_valid & again)
        twins = duplicates.duplicate_keys(TABLES[look.table], repeats, *_SPEAK[look.table])
        aside = repeats.filter(self.matters(repeats))
        sound = looked_at if typed.is_valid.all() else looked_at.filter(typed.is_valid)
        says = [
            profile.of_times(look.table, sound, look.policy),
            profile.of_ids(typed, sound, look.policy, self.sought),
            profile.of_dates(look.table, chunk.frame, look.policy),
        ]
        if look.table == "visits":
            says.append(_codes(typed, look.policy))
        if look.bills:
            codes = typed.column("cpt_code")
            says += [
                profile.of_codes("used", codes.filter(single)),
                profile.of_codes("lost", codes.filter(~typed.is_valid)),
            ]
        table = typed.table()
        table = replace(table, rejects=owned(table.rejects))
        said = Said(
            table, owned(twins), owned(aside), extremes, owned(spans), typed.midnights, counts, owned(pl.concat(says))
        )
        return owned(kept), said

    def together(self, parts: Sequence[Said], files: Sequence[SourceFile]) -> tuple[pl.DataFrame, Said]:
        """What the chunks say, in order, as one; and of the rows that were put aside those that can matter."""
        look = self.look
        ids = duplicates.resolve(pl.concat([part.twins for part in parts]))
        rows = duplicates.merge_lists(TABLES[look.table], pl.concat([part.aside for part in parts]), ids.kept)
        extremes, spans, counts = self._look(ids.representatives)
        counts = {name: count + sum(part.lengths[name] for part in parts) for name, count in counts.items()}
        says = [part.seen for part in parts]
        if look.bills:
            says += [
                profile.of_codes("used", ids.representatives["cpt_code"]),
                profile.of_codes("lost", ids.conflicts["cpt_code"]),
            ]
        table = normalise.merge([part.table for part in parts])
        if files and not any(file.rows for file in files):  # nothing is blank where nothing is
            table = replace(table, columns=frozenset(name for file in files for name in file.mapping))
        notes = table.notes
        midnights: dict[str, MidnightCounts] = {}
        for name, found in (item for part in parts for item in part.midnights.items()):
            midnights[name] = found.plus(midnights[name]) if name in midnights else found
        if count := counts.get("lost hours", 0):
            what = f"calls.call_minutes: {count} stated times fall short of end - start by whole hours, as if a spreadsheet"
            notes = (*notes, f"{what} had dropped them; those calls have no time")
        lost = (
            (name, _lost_times(name, found)) for name, found in midnights.items() if name != "visit_end"
        )  # no rule's
        notes = (*notes, *(f"{look.table}.{name}: {how}" for name, how in lost if how))
        return rows, Said(
            replace(table, rejects=normalise.all_rejects(table.rejects, [ids.rejects]), notes=notes),
            ids.kept.clear(),
            rows.clear(),
            coverage.merge([*(part.extremes for part in parts), extremes]),
            pl.concat([*(part.spans for part in parts), spans]),
            midnights,
            counts,
            profile.resolve_ids(profile.merge(says), self.sought),
            tuple(files),
        )

    def _look(self, rows: pl.DataFrame) -> tuple[CoverageBounds, pl.DataFrame, dict[str, int]]:
        """What sound rows say of the coverage, their stretches of time, and what their lengths look like.

        The coverage knows voids and reversals with a call_id of their own, too: they are calls, if for no rule.
        """
        spans, counts, look = call_windows.NO_SPANS, {}, self.look
        if look.table == "calls":
            calls = that_are_calls(rows)
            own = rows.filter(is_adjustment())
            own = own.join(calls.join(own, on="call_id", how="semi"), on="call_id", how="anti")
            timed = with_end_and_time(calls.lazy()).select(*rows.columns, "end", "lost_hours").collect()
            counts = duration_units.duration_counts(timed) | {"lost hours": int(timed["lost_hours"].sum())}
            spans = call_windows.spans(timed) if self.with_spans else spans
            rows = pl.concat([timed, with_end_and_time(own).select(timed.columns)])
        return (
            coverage.coverage_bounds(look.table, rows, look.policy, bills=look.bills, until=self.until),
            spans,
            counts,
        )


def collapsed(parts: Sequence[Said]) -> list[Said]:
    """The same, without the copies among the rows that were put aside, which are rejected; the last part has the others."""
    twins, copies = duplicates.drop_copies(pl.concat([part.twins for part in parts]))
    aside = pl.concat([part.aside for part in parts]).join(twins, on=ROW_SOURCE, how="semi", maintain_order="left")
    *before, last = (replace(part, twins=twins.clear(), aside=aside.clear()) for part in parts)
    rejects = pl.concat([last.table.rejects, copies], how="diagonal")
    return [*before, replace(last, twins=twins, aside=aside, table=replace(last.table, rejects=rejects))]


def _lost_times(name: str, found: MidnightCounts) -> str | None:
    """What is to be said of a column whose times seem lost: midnights of all values, or of too many for real ones."""
    clock = found.midnights - found.dates
    if found.date_only and clock:
        count_as = "times" if name == "call_start" else "dates without a time"
        return f"{clock} values are midnight, as if the times were lost; they count as {count_as}"
    if found.date_only or found.values < instants.MIDNIGHT_COLUMN or found.midnights * 10 < found.values:
        return None
    if clock * 10 >= found.values:
        return f"{clock} of {found.values} values are midnight; they count as times, if they are none, export dates"
    return f"{found.dates} of {found.values} values have no time; they count as dates"


def named(**members: pl.Series) -> Matters:
    """Rows matter that have one of these ids in one of these columns."""
    among = {name: Among(ids) for name, ids in members.items()}

    def mask(rows: pl.DataFrame) -> pl.Series:
        some = pl.repeat(False, rows.height, dtype=pl.Boolean, eager=True)
        for name, ids in among.items():
            some = some | ids.has(rows[name])
        return some

    return mask


def near(spans: pl.DataFrame, day: str) -> Matters:
    """Rows matter whose day is in the span of their patient: patient_id, first day, last day."""
    around = Around(spans)
    return lambda rows: around.has(rows["patient_id"], rows[day])


def called(lines: pl.DataFrame, spans: pl.DataFrame, *names: str) -> Matters:
    """Calls matter that lines name, that their patients have a code or a claim for, or that are `near` in the spans.

    So do those that have the id of a claim: a visit that came from them did not come from the claim.
    `names`: the columns by which a line may name a call of another patient.
    """
    theirs = named(**{name: lines[name] for name in names})
    patients, close = named(patient_id=lines["patient_id"]), near(spans, "call_start_date")
    claims = named(call_id=lines["claim_id"])

    def mask(rows: pl.DataFrame) -> pl.Series:
        billed = rows["cpt_code"].is_not_null() | rows["claim_id"].is_not_null()
        return theirs(rows) | claims(rows) | close(rows) | (billed & patients(rows))

    return mask


def _codes(typed: TypedChunk, policy: Policy) -> pl.DataFrame:
    """How many sound visits have each code that no list of the policy knows."""
    if "cpt_codes" not in typed.parser.columns:
        return profile.of_values("code", "visits.cpt_codes", pl.Series(dtype=pl.String))
    codes = typed.parser.columns["cpt_codes"]
    strange = visit_windows.unlisted(codes.values, policy.lists)
    some = codes._replace(values=codes.values.list.set_intersection(strange.unique().to_list()).list.len() > 0)
    every = codes.decode(some.decode().fill_null(False) & typed.is_valid).explode().drop_nulls()
    return profile.of_values("code", "visits.cpt_codes", every.filter(every.is_in(strange.unique().implode())))


def frames_of(said: Said) -> dict[str, pl.DataFrame]:
    """What rows say, as frames that `said_of` understands: without the rows put aside in full, and without spans."""
    table, found = said.table, said.extremes
    counts = [("column", name, 0) for name in sorted(table.columns)]
    counts += [("tally", text, count) for text, count in table.tallies.items()]
    counts += [(what, name, count) for name, found_in in said.midnights.items()
               for what, count in found_in._asdict().items()]  # fmt: skip
    counts += [("length", name, count) for name, count in said.lengths.items()]
    counts.append(("local", "", int(table.has_local_times)))
    return {
        "twins": said.twins,
        "rejects": table.rejects,
        "unrecognised": table.unrecognised,
        "counts": pl.DataFrame(counts, schema=["what", "name", "count"], orient="row"),
        "completed": found.completed,
        "ends": found.calls,
        "passed": found.passed,
        "visits": found.visits.to_frame("date"),
        "lines": found.lines.to_frame("date"),
        "seen": said.seen,
    }


def said_of(work: TypeChunk, frames: Mapping[str, pl.DataFrame]) -> Said:
    """What `frames_of` was given."""
    counts: dict[str, dict[str, int]] = {}
    for what, name, count in frames["counts"].iter_rows():
        counts.setdefault(what, {})[name] = count
    table = Table(
        TABLES[work.look.table],
        frozenset(counts["column"]),
        work.look.blanks.clear(),
        frames["rejects"],
        frames["unrecognised"],
        (),
        counts.get("tally", {}),
        bool(counts["local"][""]),
    )
    found = CoverageBounds(
        frames["completed"], frames["ends"], frames["passed"], frames["visits"]["date"], frames["lines"]["date"]
    )
    midnights = {
        name: MidnightCounts(*(counts[what][name] for what in MidnightCounts._fields))
        for name in counts.get("midnights", {})
    }
    return Said(
        table,
        frames["twins"],
        work.look.blanks.clear(),
        found,
        call_windows.NO_SPANS,
        midnights,
        counts.get("length", {}),
        frames["seen"],
    )
