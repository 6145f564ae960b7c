"""What did not join, was misread or stands for nobody: what it leaves open and refuses. Source: SPEC.md section 11."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import polars as pl

from auditor.claims import joins, placeholders
from auditor.claims.joins import AGAIN, BY_NAME, MANY_CLAIMS, OF_LINES, Pair
from auditor.claims.seen import HASHES, least
from auditor.claims.seen import days as seen_days
from auditor.parsing.ids import DIFFERENCES
from auditor.policy import Policy

_ENOUGH = 20
"""So many ids, links or claims tell that something is wrong with all."""
_FEW_LINKS = {"problem_id": 2, "diagnosis_codes": 8}
"""So many different links of each side, and none in common, are worth a word."""

LINKED = {"problem_id": "problems of calls and claims", "diagnosis_codes": "diagnosis categories of calls and claims"}
"""Columns of visits that calls and claims have too, and what is sought in them."""

Seen = Mapping[str, pl.DataFrame]
"""Table → what its rows say, as `seen`."""


class Links(NamedTuple):
    """Different links of calls and claims, of visits, and how many of the first are among the second.

    Of more than `seen` keeps, those that it would keep of both.
    """

    ours: int
    theirs: int
    shared: int

    @property
    def apart(self) -> int:
        """How many the fewer are, where none is shared."""
        return 0 if self.shared else min(self.ours, self.theirs)


@dataclass(frozen=True)
class Doors:
    """What the rules have to doubt.

    `ids`: pairs (`name`), ids (`value`) and `how` they differ from what was found, blank where they do not. `nobody`: by
    table the patient ids that are placeholders. `links`: by column of visits, those that relate them to calls and claims.
    """

    ids: pl.DataFrame
    nobody: Mapping[str, pl.DataFrame]
    links: Mapping[str, Links]

    @property
    def mute(self) -> frozenset[str]:
        """The links that visits write in another vocabulary, and that count as blank."""
        return frozenset(name for name, links in self.links.items() if links.apart >= _ENOUGH)

    def near(self, pair: str) -> pl.Series:
        """The ids of a pair that are nearly equal to another one of the second column."""
        return self.ids.filter((pl.col("name") == pair) & (pl.col("how") != ""))["value"].unique()

    def there(self, pair: str) -> pl.Series:
        """The ids of a pair that are found as they stand."""
        return self.ids.filter((pl.col("name") == pair) & (pl.col("how") == ""))["value"].unique()

    def related_there(self) -> pl.DataFrame:
        """The records of earlier findings that the inputs still hold: kind and id."""
        name = pl.col("name")
        found = self.ids.filter(name.str.starts_with(AGAIN) & (pl.col("how") == ""))
        return found.select(_kind=name.str.strip_prefix(AGAIN).str.split(" ").list.first(), _id="value").unique()

    @property
    def placeholders(self) -> pl.Series:
        """Those of all tables."""
        return pl.concat(
            [pl.Series("value", dtype=pl.String), *(some["value"] for some in self.nobody.values())]
        ).unique()


def doors(seen: Seen, lines: pl.DataFrame, providers: pl.DataFrame, policy: Policy) -> Doors:
    """What the tables say together. `lines`: patient_id and provider_id of all lines of the family."""
    nothing = pl.DataFrame(schema={"name": pl.String, "value": pl.String, "how": pl.String})
    ids = [nothing, *(said.filter(pl.col("what") == "id").select(nothing.columns) for said in seen.values())]
    for pair, values, others in (
        ("patient in lines", lines["patient_id"], lines["patient_id"]),
        ("provider in providers", lines["provider_id"], providers["provider_id"]),
    ):
        found = joins.Ids(values).among(others.unique())
        ids.append(found.select(name=pl.lit(pair), value="value", how="how"))
    nobody = {table: _placeholders(said, policy) for table, said in seen.items()}
    return Doors(pl.concat(ids), {table: found for table, found in nobody.items() if found.height}, dict(_links(seen)))


def _placeholders(said: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    what = pl.col("what")
    patients = said.filter(what == "patient")
    different = min(len(least(said, "patient_id")), placeholders.MANY)
    return placeholders.found(patients, different, int(said.filter(what == "day")["count"].sum()), policy)


def _links(seen: Seen) -> Iterator[tuple[str, Links]]:
    """As `Doors.links`."""
    for name in LINKED:
        by_table = {table: set(least(said, name)) for table, said in seen.items()}
        last = min((max(hashes) for hashes in by_table.values() if len(hashes) >= HASHES), default=None)
        by_table = {table: {one for one in hashes if not last or one <= last} for table, hashes in by_table.items()}
        theirs = by_table.pop("visits")
        ours = set[int]().union(*by_table.values())
        yield name, Links(len(ours), len(theirs), len(ours & theirs))


def billed(said: pl.DataFrame, codes: Sequence[str]) -> tuple[int, int]:
    """The rows of a table with one of the codes: used, and rejected other than as duplicates."""
    counts = said.filter(pl.col("name").is_in(codes)).group_by("what").agg(pl.sum("count"))
    by_what = dict(counts.iter_rows())
    return by_what.get("used", 0), by_what.get("lost", 0)


def refusal(rates: pl.DataFrame) -> str | None:
    """Why the inputs cannot be audited: ids of two tables that hardly ever meet."""
    for pair, values, found, near, how, _ in rates.iter_rows():
        sides = BY_NAME[pair]
        if sides.refused and values >= _ENOUGH and found * 20 < values:
            what = f"{sides.second}: of {values:,} {sides.first} {found:,} are found there"
            if near:
                return f"{what}, and {near:,} nearly ({_differing(how)}){_remedy(sides, how)}"
            return (
                f"{what}; do the exports belong together, and is it the same kind of id? `audit98968 check` shows how ids "
                "join; if it is right, give --allow-unjoined"
            )
    return None


def ambiguous(seen: Seen) -> Iterator[tuple[str, str | None]]:
    """Tables whose dates with slashes all read both ways, and what speaks for day first; None where nothing does."""
    for table, said in seen.items():
        slashed = said.filter(pl.col("what") == "slashed")["value"]
        if slashed.is_empty() or "sure" in slashed:
            continue
        dates = [date.fromisoformat(text) for text in slashed]
        swapped = [one.replace(month=one.day, day=one.month) for one in dates]
        plain, other = (max(dates) - min(dates)).days, (max(swapped) - min(swapped)).days
        days = [day for name, rows in seen.items() if name != table for day in seen_days(rows)]
        why = None
        if other * 2 < plain:
            why = f"day first they span {other:,} days, month first {plain:,}"
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


def _remedy(pair: Pair, how: str) -> str:
    kinds = how.split(" and ")
    if not set(kinds) <= set(DIFFERENCES):
        return "; export the ids as text"
    listed = ", ".join(f'"{kind}"' for kind in kinds)
    return f"; if they are the same, say so in the policy: [ids] {pair.ids} = [{listed}]"


def warnings(doors: Doors, rates: pl.DataFrame, seen: Seen, absent: int) -> Iterator[str]:
    """What a person should know. `absent`: clear claims whose patient is in no visit."""
    if absent:
        yield f"{absent:,} claims are clear although their patient is in no visit at all: nothing was there to find"
    for pair, values, found, near, how, missed in rates.iter_rows():
        sides = BY_NAME[pair]
        if near:
            yield (
                f"{sides.second}: {near:,} of {values:,} {sides.first} are there nearly, but not as they stand "
                f"({_differing(how)}); {sides.open} are unknown for their claims{_remedy(sides, how)}"
            )
        if found * 2 < values and pair not in OF_LINES:
            yield f"{sides.second}: of {values:,} {sides.first} {found:,} are found there"
        elif missed and pair == "provider in visits":
            yield f"{sides.second}: {missed:,} providers of {MANY_CLAIMS} or more audited claims are in no visit"
    for name in sorted(doors.mute):
        yield f"visits.{name}: no value is in the calls or claims too, as if written in other words; they count as blank"
    for name, links in doors.links.items():
        if _FEW_LINKS[name] <= links.apart < _ENOUGH:
            yield f"visits.{name}: no value is in the calls or claims too; are they the same kind of id?"
    for table, found in doors.nobody.items():
        rows = found["count"].sum()
        yield (
            f"{table}.patient_id: {rows:,} rows have a placeholder for a patient; they may belong to any patient, and "
            "their claims are review at most; if it is a patient, name it in the policy: [ids] not_placeholders"
        )
    if codes := unlisted_codes(seen["visits"]):
        yield (
            f"visits.cpt_codes: {len(codes):,} codes, {sum(codes.values()):,} times, are in no list of the policy; a visit "
            "without others counts for review at most; say what they are: [lists] visit_codes.add or no_visit.add"
        )
    for table, _ in ambiguous(seen):
        yield AMBIGUOUS.format(table=table, why=", and were read month first")
    yield from _order_warnings(seen["visits"])
    yield from _hour_warnings(seen)


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


def hours(said: pl.DataFrame, column: str) -> tuple[int, int] | None:
    """The local hours between which 9 of 10 times of a column lie, both included: the shortest such stretch of a day."""
    counts = [0] * 24
    of_column = said.filter((pl.col("what") == "hour") & (pl.col("name") == column))
    for hour, count in of_column.select("value", "count").iter_rows():
        counts[int(hour)] += count
    return stretch(counts)


def stretch(counts: Sequence[int]) -> tuple[int, int] | None:
    """The shortest stretch of a day's hours, both included, that holds 9 of 10; None where there is nothing."""
    total = sum(counts)
    if not total:
        return None
    stretches = ((length, first) for length in range(24) for first in range(24)
                 if sum(counts[(first + hour) % 24] for hour in range(length + 1)) * 10 >= total * 9)  # fmt: skip
    length, first = next(stretches)
    return first, (first + length) % 24


def hours_apart(one: tuple[int, int], other: tuple[int, int]) -> int:
    """Hours by which both ends of two stretches differ, at least."""
    return min(min((first - second) % 24, (second - first) % 24) for first, second in zip(one, other, strict=True))


def _hour_warnings(seen: Seen) -> Iterator[str]:
    calls = hours(seen["calls"], "call_start")
    for column, what in (("visit_start", "visits start"), ("booked_at", "visits are booked")):
        theirs = hours(seen["visits"], column)
        if not calls or not theirs:
            continue
        if hours_apart(calls, theirs) >= 3:
            key = "visits" if column == "visit_start" else f'"visits.{column}"'
            yield (
                f"visits.{column}: most calls start from {calls[0]} to {calls[1]} o'clock, {what} from {theirs[0]} to "
                f'{theirs[1]}; is one of them in another zone? Say so in the policy: [timezones] {key} = "UTC"'
            )
            return  # what moved the visits moved their bookings, too
