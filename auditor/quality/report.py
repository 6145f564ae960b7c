"""Data-quality issues and their effects: ids that do not match, dates that may be misread, placeholder patients.

Source: docs/specification.md#data-quality.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import polars as pl

from auditor.parsing.identifiers import DIFFERENCES
from auditor.policy import Policy
from auditor.quality import placeholder_ids, relationships
from auditor.quality.profile import SKETCH_SIZE, smallest_hashes
from auditor.quality.profile import days as rows_by_date
from auditor.quality.relationships import BY_NAME, MANY_CLAIMS, OF_LINES, PREVIOUS_RECORD, Relationship

_ENOUGH = 20
"""So many ids, links or claims tell that something is wrong with all."""
_NOTABLE_LINKS = {"problem_id": 2, "diagnosis_codes": 8}
"""So many different links of each side, and none in common, are worth a word."""

LINKED = {"problem_id": "problems of calls and claims", "diagnosis_codes": "diagnosis categories of calls and claims"}
"""Columns of visits that calls and claims have too, and what is sought in them."""

Profiles = Mapping[str, pl.DataFrame]
"""Table → its profile, as `profile.SCHEMA`."""


class Links(NamedTuple):
    """Different links of calls and claims, of visits, and how many of the first are among the second.

    Where a profile keeps a sketch only, the links that both sketches would keep.
    """

    call_side: int
    visit_side: int
    shared: int

    @property
    def disjoint(self) -> int:
        """The size of the smaller side, where the two share nothing; else 0."""
        return 0 if self.shared else min(self.call_side, self.visit_side)


@dataclass(frozen=True)
class QualityReport:
    """The data-quality findings that rules depend on.

    `ids`: pairs (`name`), ids (`value`) and `how` they differ from what was found, blank where they do not.
    `placeholders_by_table`: by table the patient ids that are placeholders. `links`: by column of visits, those that
    relate them to calls and claims.
    """

    ids: pl.DataFrame
    placeholders_by_table: Mapping[str, pl.DataFrame]
    links: Mapping[str, Links]

    @property
    def incompatible_links(self) -> frozenset[str]:
        """The link columns whose vocabularies are incompatible; they count as blank."""
        return frozenset(name for name, links in self.links.items() if links.disjoint >= _ENOUGH)

    def normalized_matches(self, pair: str) -> pl.Series:
        """The ids of a relationship that match an id of the second column only once both are normalized."""
        return self.ids.filter((pl.col("name") == pair) & (pl.col("how") != ""))["value"].unique()

    def exact_matches(self, pair: str) -> pl.Series:
        """The ids of a relationship that match exactly."""
        return self.ids.filter((pl.col("name") == pair) & (pl.col("how") == ""))["value"].unique()

    def previous_records_present(self) -> pl.DataFrame:
        """The records of earlier findings that the inputs still hold: kind and id."""
        name = pl.col("name")
        found = self.ids.filter(name.str.starts_with(PREVIOUS_RECORD) & (pl.col("how") == ""))
        return found.select(
            _kind=name.str.strip_prefix(PREVIOUS_RECORD).str.split(" ").list.first(), _id="value"
        ).unique()

    @property
    def placeholders(self) -> pl.Series:
        """Those of all tables."""
        return pl.concat(
            [pl.Series("value", dtype=pl.String), *(table["value"] for table in self.placeholders_by_table.values())]
        ).unique()


def quality_report(profiles: Profiles, lines: pl.DataFrame, providers: pl.DataFrame, policy: Policy) -> QualityReport:
    """Assess the profiles of all tables. `lines`: patient_id and provider_id of all lines of the family."""
    no_match = pl.DataFrame(schema={"name": pl.String, "value": pl.String, "how": pl.String})
    ids = [
        no_match,
        *(profile.filter(pl.col("what") == "id").select(no_match.columns) for profile in profiles.values()),
    ]
    for pair, values, candidates in (
        ("patient in lines", lines["patient_id"], lines["patient_id"]),
        ("provider in providers", lines["provider_id"], providers["provider_id"]),
    ):
        matches = relationships.IdSet(values).matches(candidates.unique())
        ids.append(matches.select(name=pl.lit(pair), value="value", how="how"))
    placeholders_by_table = {table: _placeholders(profile, policy) for table, profile in profiles.items()}
    return QualityReport(
        pl.concat(ids),
        {table: matches for table, matches in placeholders_by_table.items() if matches.height},
        dict(_links(profiles)),
    )


def _placeholders(profile: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    measure = pl.col("what")
    patients = profile.filter(measure == "patient")
    distinct = min(len(smallest_hashes(profile, "patient_id")), placeholder_ids.MANY_PATIENTS)
    return placeholder_ids.placeholder_ids(
        patients, distinct, int(profile.filter(measure == "day")["count"].sum()), policy
    )


def _links(profiles: Profiles) -> Iterator[tuple[str, Links]]:
    """As `Doors.links`."""
    for name in LINKED:
        by_table = {table: set(smallest_hashes(profile, name)) for table, profile in profiles.items()}
        last = min((max(hashes) for hashes in by_table.values() if len(hashes) >= SKETCH_SIZE), default=None)
        by_table = {
            table: {value for value in hashes if not last or value <= last} for table, hashes in by_table.items()
        }
        visit_side = by_table.pop("visits")
        call_side = set[int]().union(*by_table.values())
        yield name, Links(len(call_side), len(visit_side), len(call_side & visit_side))


def billed(profile: pl.DataFrame, codes: Sequence[str]) -> tuple[int, int]:
    """The rows of a table with one of the codes: used, and rejected other than as duplicates."""
    counts = profile.filter(pl.col("name").is_in(codes)).group_by("what").agg(pl.sum("count"))
    by_what = dict(counts.iter_rows())
    return by_what.get("used", 0), by_what.get("lost", 0)


def refusal(rates: pl.DataFrame) -> str | None:
    """Why the inputs cannot be audited: ids of two tables that hardly ever meet."""
    for pair, values, found, near, how, _ in rates.iter_rows():
        sides = BY_NAME[pair]
        if sides.refused and values >= _ENOUGH and found * 20 < values:
            problem = f"{sides.second}: of {values:,} {sides.first} {found:,} are found there"
            if near:
                return f"{problem}, and {near:,} nearly ({_differing(how)}){_remedy(sides, how)}"
            return (
                f"{problem}; do the exports belong together, and is it the same kind of id? `audit98968 check` shows "
                f"how ids "
                "join; if it is right, give --allow-unjoined"
            )
    return None


def ambiguous(profiles: Profiles) -> Iterator[tuple[str, str | None]]:
    """Tables whose dates with slashes all read both ways, and what speaks for day first; None where nothing does."""
    for table, profile in profiles.items():
        slashed = profile.filter(pl.col("what") == "slashed")["value"]
        if slashed.is_empty() or "sure" in slashed:
            continue
        dates = [date.fromisoformat(text) for text in slashed]
        swapped = [day.replace(month=day.day, day=day.month) for day in dates]
        month_first, day_first = (max(dates) - min(dates)).days, (max(swapped) - min(swapped)).days
        days = [day for name, rows in profiles.items() if name != table for day in rows_by_date(rows)]
        why = None
        if day_first * 2 < month_first:
            why = f"day first they span {day_first:,} days, month first {month_first:,}"
        elif days and _within(swapped, days) and not _within(dates, days):
            why = "day first they lie in the other tables' dates, month first they do not"
        yield table, why


def _within(dates: Sequence[date], days: Sequence[date]) -> bool:
    return min(days) <= min(dates) and max(dates) <= max(days)


AMBIGUOUS = (
    "{table}: all dates with slashes, such as 3/4/2026, read both ways{why}; say in the policy how they are written: "
    'instant_formats = ["%m/%d/%Y %H:%M", "%m/%d/%Y"], or with %d/%m'
)


def _differing(how: str) -> str:
    return " and ".join(DIFFERENCES.get(kind, kind) for kind in how.split(" and "))


def _remedy(pair: Relationship, how: str) -> str:
    kinds = how.split(" and ")
    if not set(kinds) <= set(DIFFERENCES):
        return "; export the ids as text"
    listed = ", ".join(f'"{kind}"' for kind in kinds)
    return f"; if they are the same, say so in the policy: [ids] {pair.ids} = [{listed}]"


def warnings(quality: QualityReport, rates: pl.DataFrame, profiles: Profiles, absent: int) -> Iterator[str]:
    """What a person should know. `absent`: clear claims whose patient is in no visit."""
    if absent:
        yield f"{absent:,} claims are clear although their patient is in no visit at all: nothing was there to find"
    for pair, values, found, near, how, unmatched in rates.iter_rows():
        sides = BY_NAME[pair]
        if near:
            yield (
                f"{sides.second}: {near:,} of {values:,} {sides.first} are there nearly, but not as they stand "
                f"({_differing(how)}); {sides.affected_rules} are unknown for their claims{_remedy(sides, how)}"
            )
        if found * 2 < values and pair not in OF_LINES:
            yield f"{sides.second}: of {values:,} {sides.first} {found:,} are found there"
        elif unmatched and pair == "provider in visits":
            yield f"{sides.second}: {unmatched:,} providers of {MANY_CLAIMS} or more audited claims are in no visit"
    for name in sorted(quality.incompatible_links):
        yield f"visits.{name}: no value is in the calls or claims too, as if written in other words; they count as blank"
    for name, links in quality.links.items():
        if _NOTABLE_LINKS[name] <= links.disjoint < _ENOUGH:
            yield f"visits.{name}: no value is in the calls or claims too; are they the same kind of id?"
    for table, found in quality.placeholders_by_table.items():
        rows = found["count"].sum()
        yield (
            f"{table}.patient_id: {rows:,} rows have a placeholder for a patient; they may belong to any patient, and "
            "their claims are review at most; if it is a patient, name it in the policy: [ids] not_placeholders"
        )
    if codes := unlisted_codes(profiles["visits"]):
        yield (
            f"visits.cpt_codes: {len(codes):,} codes, {sum(codes.values()):,} times, are in no list of the policy; a visit "
            "without others counts for review at most; say what they are: [lists] visit_codes.add or no_visit.add"
        )
    for table, _ in ambiguous(profiles):
        yield AMBIGUOUS.format(table=table, why=", and were read month first")
    yield from _order_warnings(profiles["visits"])
    yield from _hour_warnings(profiles)


def unlisted_codes(visits: pl.DataFrame) -> dict[str, int]:
    """Codes of visits that no list of the policy knows, with their counts."""
    rows = visits.filter(pl.col("what") == "code").sort("value").select("value", "count").iter_rows()
    return dict(rows)


def _order_warnings(visits: pl.DataFrame) -> Iterator[str]:
    orders = visits.filter(pl.col("what") == "order").group_by("name", maintain_order=True).agg(
        pl.sum("count"), wrong=pl.col("count").filter(pl.col("value") == "wrong").sum()
    ).sort("name")  # fmt: skip
    for name, count, wrong in orders.iter_rows():
        if wrong * 5 > count:
            first, second = name.split(" and ")
            yield f"visits.{first}: {wrong:,} of {count:,} are after {second}; are two columns swapped?"


def hours(profile: pl.DataFrame, column: str) -> tuple[int, int] | None:
    """The local hours between which 9 of 10 times of a column lie, both included: the shortest such range of a day."""
    counts = [0] * 24
    of_column = profile.filter((pl.col("what") == "hour") & (pl.col("name") == column))
    for hour, count in of_column.select("value", "count").iter_rows():
        counts[int(hour)] += count
    return busiest_hours(counts)


def busiest_hours(counts: Sequence[int]) -> tuple[int, int] | None:
    """The shortest range of a day's hours, both included, that holds 9 of 10; None where there is nothing."""
    total = sum(counts)
    if not total:
        return None
    ranges = ((length, first) for length in range(24) for first in range(24)
                 if sum(counts[(first + hour) % 24] for hour in range(length + 1)) * 10 >= total * 9)  # fmt: skip
    length, first = next(ranges)
    return first, (first + length) % 24


def hours_apart(left: tuple[int, int], right: tuple[int, int]) -> int:
    """Hours by which both ends of two ranges differ, at least."""
    return min(min((first - second) % 24, (second - first) % 24) for first, second in zip(left, right, strict=True))


def _hour_warnings(profiles: Profiles) -> Iterator[str]:
    call_hours = hours(profiles["calls"], "call_start")
    for column, subject in (("visit_start", "visits start"), ("booked_at", "visits are booked")):
        visit_hours = hours(profiles["visits"], column)
        if not call_hours or not visit_hours:
            continue
        if hours_apart(call_hours, visit_hours) >= 3:
            key = "visits" if column == "visit_start" else f'"visits.{column}"'
            yield (
                f"visits.{column}: most calls start from {call_hours[0]} to {call_hours[1]} o'clock, {subject} from "
                f"{visit_hours[0]} to "
                f'{visit_hours[1]}; is one of them in another zone? Say so in the policy: [timezones] {key} = "UTC"'
            )
            return  # what moved the visits moved their bookings, too
