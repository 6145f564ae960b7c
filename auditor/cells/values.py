"""One column's text → typed values, and the rows that it rejects. Source: SPEC.md section 2, Values."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

import polars as pl

from auditor.cells import instants
from auditor.cells.ids import folded, same_ids
from auditor.cells.instants import DAY, Midnights
from auditor.policy import Policy
from auditor.reading.packed import Known, extent_of
from auditor.schema.codes import CODE
from auditor.schema.tables import TABLES, Column, Kind, fold_term

PLACE = ("source_file", "source_record")
"""Where a row stands."""
_FIRST = 1_000
"""Rows that are looked at before all are."""

_NUMBER = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"
TIME_OF_DAY = r"^\d{1,2}:[0-5]\d(:[0-5]\d(\.\d+)?)?( ?[AaPp][Mm])?$"
_CLOCK = r"^(?:(\d{1,4}):)?(\d{1,6}):([0-5]?\d(?:\.\d+)?)$"
_AMOUNT = r"(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+)"
_MONEY = rf"^(?:[-+]?\$?{_AMOUNT}|\$[-+]{_AMOUNT}|\(\$?{_AMOUNT}\))$"
_NOT_DOCUMENTED = ("", "n/a", "na", "none", "null", "-")
_UNSEEN, _UNSEEN_IN_LISTS = r"[\p{Cf}\p{Cc}]", r"[\p{Cf}\p{Cc}--\s]"
"""Characters that print nothing; in lists, line ends and tabs divide the items."""
_DRESSED = r"""[\p{Cf}\p{Cc}]|^\s*(?:="|')"""
_ISO_LENGTH = r"(?i)^PT(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?$"
_WITH_UNIT = r"(?i)^(\d+(?:\.\d+)?) ?min(?:ute)?s?\.?$"
_CATEGORY = r"^[^A-Z0-9]*([A-Z]\d[A-Z0-9])"
"""Of a diagnosis without its dots: how ICD-10 codes begin."""
_SCIENTIFIC = r"^\d+(?:[.,]\d+[eE][+-]?|[eE][+-])\d{1,2}$"


class Spread(NamedTuple):
    """A column as its different values and which of them each row holds; without `place`, the rows' own values."""

    values: pl.Series
    place: pl.Series | None = None

    def rows(self, mask: pl.Series | None = None) -> pl.Series:
        """The column's rows, or those that the mask picks."""
        if self.place is None:
            return self.values if mask is None else self.values.filter(mask)
        place = self.place if mask is None else self.place.filter(mask)
        if isinstance(self.values.dtype, pl.List):  # a join spreads lists ten times faster than a gather
            values = pl.DataFrame({"values": self.values}).with_row_index("place")
            return pl.DataFrame({"place": place}).join(values, "place", "left", maintain_order="left")["values"]
        return self.values.gather(place)


@dataclass
class Work:
    """The columns made so far, and for each row the first thing wrong with it: 0, or the number of a problem from 1.

    `date_columns`: the instants and dates that are date-only as a whole, where that is known beforehand. `place`: which
    of the different texts of the column now being read each row holds; None: the rows' own values are being read.
    """

    policy: Policy
    table: str
    rows: int
    date_columns: frozenset[str] | None = None
    made: dict[str, Spread] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)
    problem: pl.Series = field(init=False)
    unrecognised: list[tuple[str, str, str, int]] = field(default_factory=list)
    tallies: dict[str, int] = field(default_factory=dict)
    has_local_times: bool = False
    midnights: dict[str, Midnights] = field(default_factory=dict)
    filled: set[str] = field(default_factory=set)
    place: pl.Series | None = None

    def __post_init__(self) -> None:
        self.problem = pl.repeat(0, self.rows, dtype=pl.UInt32, eager=True)

    def is_date_only(self, column: Column) -> bool | None:
        """Whether the whole column holds dates, where that is known beforehand."""
        return None if self.date_columns is None else column.name in self.date_columns

    def spread(self, values: pl.Series) -> Spread:
        """What was found for each different text of the column now being read."""
        return Spread(values, self.place)

    def count(self, mask: pl.Series) -> int:
        """The rows of the texts that the mask picks."""
        return int(self.spread(mask).rows().sum()) if mask.any() else 0

    def has(self, mask: pl.Series) -> bool:
        """Whether there is a row with one of these texts: mostly one of the first is."""
        if self.place is None or not mask.any():
            return bool(mask.any())
        return any(mask.gather(some).any() for some in (self.place.head(_FIRST), self.place))

    def make(self, name: str, values: pl.Series) -> None:
        """Add a typed column, given for each different text."""
        self.made[name] = self.spread(values)

    def reject(self, column: str, reason: str, mask: pl.Series) -> None:
        """Give the rows of these texts this reason unless they have one."""
        if mask.any():
            self.problems.append((column, reason))
            first = self.spread(mask).rows().fill_null(False) & (self.problem == 0)
            self.problem = self.problem.set(first, len(self.problems))

    def reject_each(self, column: str, reasons: pl.Series) -> None:
        """Give the rows of each text its own reason unless they have one; null: nothing is wrong with it."""
        different = reasons.drop_nulls().unique().sort()
        numbers = pl.Series(range(len(self.problems) + 1, len(self.problems) + len(different) + 1), dtype=pl.UInt32)
        self.problems += [(column, reason) for reason in different]
        found = self.spread(reasons.replace_strict(different, numbers, default=0, return_dtype=pl.UInt32)).rows()
        self.problem = self.problem.zip_with(self.problem > 0, found.fill_null(0))


def read(work: Work, column: Column, values: pl.Series, known: Known) -> None:
    """Type one column of the export, blanks as nulls, into `work`: each different text once, where texts repeat.

    `known` of the table's columns.
    """
    if not (values.dtype.is_temporal() and column.kind in _TIMES):
        values, work.place = _different(values, known.texts.get(column.name), column.kind)
        extent = known.extent(column.name) if work.place is None else extent_of(values.to_list())
        if not extent.is_plain:
            values = _bare(work, column, values).str.strip_chars()
        values = _without_blanks(work, column, values)
        if not extent.is_number:
            _count_rounded(work, column, values)
    if work.rows and (not values.null_count() or work.has(values.is_not_null())):
        work.filled.add(column.name)
    if column.required and values.null_count():
        work.reject(column.name, f"{column.name} is blank", values.is_null())
    _READERS[column.kind](work, column, values)
    work.place = None


def blanks(table: str, policy: Policy) -> pl.DataFrame:
    """Every typed column of one row whose cells are all blank, in which nothing can be wrong, and where it stands."""
    work = Work(policy, table, 1)
    for column in TABLES[table].columns.values():
        _READERS[column.kind](work, column, pl.Series([None], dtype=pl.String))
    place = pl.DataFrame({"source_file": "", "source_record": 0}, schema_overrides={"source_record": pl.UInt32})
    return pl.DataFrame({name: made.values for name, made in work.made.items()}).with_columns(place)


_TIMES = (Kind.INSTANT, Kind.DATE)
_WORDS = (Kind.TERM, Kind.FLAG, Kind.DOCUMENTED, Kind.CODES, Kind.DIAGNOSES)


def _different(values: pl.Series, texts: pl.Series | None, kind: Kind) -> tuple[pl.Series, pl.Series | None]:
    """The different texts of a column, and the place of each row's among them; the column and None where few repeat.

    A dictionary may be that of more rows: some of its texts may be no row's.
    """
    if texts is None:
        values = values.cast(pl.String)
        if kind in (*_TIMES, Kind.ID, Kind.TEXT, Kind.CLOCK) or (kind not in _WORDS and _many(values)):
            return values, None
        packed = values.cast(pl.Categorical(pl.Categories.random()))  # whose codes count from 0
        values = packed.to_physical()
        count = values.to_frame("p").select(pl.max("p").fill_null(-1).cast(pl.Int64) + 1).item()
        texts = pl.int_range(count, dtype=pl.UInt32, eager=True).cat.to(packed.dtype).cast(pl.String)
    if values.null_count():
        values = values.fill_null(len(texts))
        texts = texts.extend_constant(None, 1)
    return texts, values


def _many(values: pl.Series) -> bool:
    return bool(values.to_frame("v").select(pl.col("v").approx_n_unique() * 10 > pl.len()).item())


def _bare(work: Work, column: Column, values: pl.Series) -> pl.Series:
    """Without the characters that print nothing, and without the armour that spreadsheets put around text."""
    dressed = values.str.contains(_DRESSED).fill_null(False)
    if not dressed.any():
        return values
    unseen = _UNSEEN_IN_LISTS if column.is_list else _UNSEEN
    bare = values.str.replace_all(unseen, "").str.strip_chars()
    bare = bare.str.replace(r'^="(.*)"$', "${1}").str.strip_prefix("'")
    if column.name.endswith("_id") and (count := work.count(dressed & (bare != values.str.strip_chars()))):
        work.tallies[
            f"{work.table}.{column.name}: {{count}} identifiers were written with characters that print nothing or as in a "
            'spreadsheet (="00123"); these were taken off'
        ] = count
    return bare


def _without_blanks(work: Work, column: Column, values: pl.Series) -> pl.Series:
    """Nulls for trimmed texts that are empty, or as a whole one of the policy's null words, whatever their case."""
    words = {word.lower() for word in work.policy.nulls}
    if work.place is not None and not any(text is not None and (not text or text.lower() in words) for text in values):
        return values
    short = (values.str.len_bytes() <= max((len(word.encode()) for word in words), default=0)).arg_true()
    if short.is_empty():
        return values
    some = values.gather(short)
    empty, worded = some == "", some.str.to_lowercase().is_in(words)
    mask = pl.repeat(False, len(values), dtype=pl.Boolean, eager=True).scatter(short.filter(worded & ~empty), True)
    if count := work.count(mask):
        text = f"{work.table}.{column.name}: {{count}} cells hold a null word such as NULL or nan; they count as blank"
        if column.kind is not Kind.DOCUMENTED:  # where "none" is an answer, and means what a blank does
            work.tallies[text] = count
    return values.scatter(short.filter(worded | empty), None)


def _count_rounded(work: Work, column: Column, values: pl.Series) -> None:
    if column.name.endswith("_id") and (count := work.count(values.str.contains(_SCIENTIFIC))):
        work.tallies[
            f"{work.table}.{column.name}: {{count}} identifiers look like rounded numbers (2.98725E+13); "
            "export the column as text"
        ] = count


def _identifier(work: Work, column: Column, values: pl.Series) -> None:
    if column.name == "claim_line" and work.table == "claims":
        values = values.fill_null("1")
    if differences := getattr(work.policy.ids, same_ids(column.name), ()):
        values = values.to_frame("id").select(folded(pl.col("id"), differences)).to_series()
    work.make(column.name, values)


def _instant(work: Work, column: Column, values: pl.Series) -> None:
    zone = work.policy.zone_of(work.table, column.name)
    known = False if column.name == "call_start" else work.is_date_only(column)  # midnights of calls are times
    read = instants.read(values, work.policy, date_only=known, zone=zone, count=work.count)
    _refuse_times(work, column, values, read)
    work.midnights[column.name] = read.midnights
    utc, date_only = read.utc, read.date_only
    if column.name == "call_start":
        work.reject(column.name, f"{column.name} has a date but no time", date_only)
    if column.name == "call_end" and date_only.any():  # says nothing of when the call ended
        utc, date_only = utc.set(date_only, None), date_only & False
    work.make(column.name, utc)
    work.make(f"{column.name}_date_only", date_only)
    if column.name in ("call_start", "visit_start", "booked_at"):
        work.make(f"{column.name}_date", read.local.dt.date())


def _date(work: Work, column: Column, values: pl.Series) -> None:
    zone = work.policy.zone_of(work.table, column.name)
    read = instants.read(values, work.policy, days=True, date_only=False, zone=zone, count=work.count)
    _refuse_times(work, column, values, read)
    work.make(column.name, read.local.dt.date())


def _clock(work: Work, column: Column, values: pl.Series) -> None:
    """Times of day → `call_end`, where that is blank: the first such time from the start on. A whole instant is its own.

    Within the minute of its start a call that ends without seconds ends as it starts.
    """
    nothing = pl.Series([None], dtype=work.made["call_start"].values.dtype).new_from_index(0, len(values))
    stated = work.made["call_end"].rows() if "call_end" in work.made else nothing
    if values.null_count() == len(values):
        work.make("call_end", stated)
        return
    values = values.set(stated.is_not_null(), None)
    zone, start = work.policy.zone_of(work.table, "call_start"), work.made["call_start"].rows()
    day, clock = start.dt.convert_time_zone(zone).dt.date(), values.str.contains(TIME_OF_DAY).fill_null(False)

    def ending(days: int) -> instants.Instants:
        dated = (day + timedelta(days=days)).dt.to_string("%Y-%m-%d ") + values
        text = values.to_frame("v").select(pl.when(clock).then(dated).otherwise("v")).to_series()
        return instants.read(text, work.policy, date_only=False, zone=zone)

    same = ending(0)
    past = clock & (same.utc < start.dt.truncate("1m")).fill_null(False)
    end = same.utc.zip_with(~past, ending(1).utc) if past.any() else same.utc
    end = end.zip_with(~(clock & (end < start)).fill_null(False), start)
    work.reject(
        column.name, f"{column.name} is before the start, and over 12 h after it on the next day",
        past & (end - start > timedelta(hours=12)),
    )  # fmt: skip
    work.reject(column.name, f"{column.name} is no time of day that can be read", same.problem > 0)
    work.make("call_end", stated.zip_with(stated.is_not_null(), end))
    work.filled.add("call_end")


def _refuse_times(work: Work, column: Column, values: pl.Series, read: instants.Instants) -> None:
    name = column.name
    zone = work.policy.zone_of(work.table, name)
    work.has_local_times |= read.has_local and not work.policy.has_zone(work.table, name)
    if read.problem.max():
        if (unreadable := read.problem == instants.UNREADABLE).any():
            work.reject_each(name, _unreadable(name, values, unreadable))
        for problem, reason in (
            (instants.SKIPPED, f"a local time that the DST change in {zone} skips"),
            (instants.REPEATED, f"a local time that the DST change in {zone} repeats"),
        ):
            work.reject(name, f"{name} is {reason}", read.problem == problem)


def _unreadable(name: str, values: pl.Series, mask: pl.Series) -> pl.Series:
    """Why each value that the mask picks is refused; null for the others."""
    what = f"{name} is no date or time that can be read"
    if values.dtype.is_temporal():
        reason = pl.lit(f"{what}: out of range")
    else:
        reason = (
            pl.when(pl.col("shape").is_null())
            .then(pl.lit(f"{what}: no digit in it (name its form in instant_formats, or in nulls if it means blank)"))
            .when(pl.col("shape") == "")
            .then(pl.lit(f"{what}: longer than {instants.SHAPE} characters (name its form in instant_formats)"))
            .otherwise(pl.format(f"{what}: {{}} (name its form in instant_formats)", pl.col("shape")))
        )
        values = instants.shapes(
            values.zip_with(mask, pl.Series([None], dtype=pl.String).new_from_index(0, len(values)))
        )
    return pl.DataFrame({"shape": values, "mask": mask}).select(pl.when("mask").then(reason)).to_series()


_UNITS = {"seconds": 1_000_000, "minutes": 60_000_000, "h:mm": 60_000_000, "hours": 60 * 60_000_000, "days": DAY}


def _duration(usual: int) -> Callable[[Work, Column, pl.Series], None]:
    def read(work: Work, column: Column, values: pl.Series) -> None:
        values = _pointed(work, values)
        text = pl.col("v")
        unit = work.policy.units.get(column.name)  # type: ignore[call-overload]
        per_unit, scale = _UNITS.get(unit, usual), 60 if unit == "h:mm" else 1
        number = pl.when(text.str.contains(_NUMBER)).then(text).cast(pl.Float64, strict=False) * per_unit
        clock = [text.str.extract(_CLOCK, group).cast(pl.Float64, strict=False) for group in (1, 2, 3)]
        clocked = (clock[0].fill_null(0) * 3600 + clock[1] * 60 + clock[2]) * 1_000_000
        clocked = pl.when(clock[0].is_null()).then(clocked * scale).otherwise(clocked)
        iso = [text.str.extract(_ISO_LENGTH, group).cast(pl.Float64, strict=False) for group in (1, 2, 3)]
        iso_length = (iso[0].fill_null(0) * 3600 + iso[1].fill_null(0) * 60 + iso[2].fill_null(0)) * 1_000_000
        iso_length = pl.when(pl.any_horizontal(part.is_not_null() for part in iso)).then(iso_length)
        minutes = text.str.extract(_WITH_UNIT, 1).cast(pl.Float64, strict=False) * 60_000_000
        length = pl.coalesce(number, clocked, iso_length, minutes).round(0).cast(pl.Int64, strict=False)
        made = values.to_frame("v").select(length.alias("v"))["v"]
        work.reject(
            column.name,
            f"{column.name} is no length such as 21 or 21:30 or PT21M30S",
            values.is_not_null() & made.is_null(),
        )
        work.reject(column.name, f"{column.name} is negative", made < 0)
        work.reject(column.name, f"{column.name} is over 24 h", made > DAY)
        work.make(column.name, made)

    return read


def _term(work: Work, column: Column, values: pl.Series) -> None:
    terms = work.policy.terms(work.table, column.name)
    texts: list[str | None] = values.to_list()
    meant = [None if text is None else terms.get(fold_term(text)) for text in texts]
    if column.kind is Kind.DOCUMENTED:
        documented = [
            text is not None and term != "false" and text.casefold() not in _NOT_DOCUMENTED
            for text, term in zip(texts, meant, strict=True)
        ]
        work.make(column.name, pl.Series(documented, dtype=pl.Boolean))
        return
    unknown = pl.Series(
        [text is not None and term is None for text, term in zip(texts, meant, strict=True)], dtype=pl.Boolean
    )
    if unknown.any():
        counted = work.spread(values).rows(work.spread(unknown).rows()).value_counts(name="count").rows()
        work.unrecognised += [(work.table, column.name, text, count) for text, count in sorted(counted)]
    if column.name == "claim_status":
        work.make("claim_status_sure", ~unknown)
        meant = [term or "active" for term in meant]
    elif column.name == "status":
        meant = [term if text is None else term or "unrecognised" for text, term in zip(texts, meant, strict=True)]
    made = pl.Series(meant, dtype=pl.String)
    work.make(column.name, made == "true" if column.kind is Kind.FLAG else made)


def _plain_code(text: pl.Expr) -> pl.Expr:
    """Upper-case text → its code: what precedes it left out, cut at the first character that is neither letter nor digit."""
    bare = text.str.replace(r"^[^A-Z0-9]+", "").str.replace(r"^(?:HCPCS|HCPC|CPT)[:\s-]*", "")
    return bare.str.extract(r"^([A-Z0-9]+)")


def _code(work: Work, column: Column, values: pl.Series) -> None:
    code = values.str.to_uppercase().to_frame("v").select(_plain_code(pl.col("v"))).to_series()
    none = code.is_null() & values.is_not_null()
    if column.required:
        work.reject(column.name, f"{column.name} holds no code", none)
    elif count := work.count(none):
        text = f"{work.table}.{column.name}: {{count}} values hold no code; those calls count as not billed"
        work.tallies[text] = count
    if count := work.count(~code.str.contains(CODE)):
        what = "values are no CPT or HCPCS codes; their lines are lines of another code"
        work.tallies[f"{work.table}.{column.name}: {{count}} {what}"] = count
    work.make(column.name, code)


def _codes(work: Work, column: Column, values: pl.Series) -> None:
    item, diagnoses = pl.element(), column.kind is Kind.DIAGNOSES
    text = pl.col("v").fill_null("").str.to_uppercase()
    if diagnoses:
        item = item.str.replace_all(".", "", literal=True).str.extract(_CATEGORY)
    else:
        item = _plain_code(item)
        text = text.str.replace_all(r"\b(?:HCPCS|HCPC|CPT)\s+", "")  # the word and its code are one item
    parts = text.str.replace_all(r"[;,|\s]+", " ").str.split(" ")
    found = parts.list.eval(item).list.drop_nulls()
    if diagnoses:
        written = parts.list.eval(pl.element().str.contains("[A-Z0-9]")).list.sum()
        if count := work.count(values.to_frame("v").select(written > found.list.len()).to_series()):
            what = "rows have diagnoses that are no ICD-10 codes; these count as blank"
            work.tallies[f"{work.table}.{column.name}: {{count}} {what}"] = count
    work.make(column.name, values.to_frame("v").select(found.list.unique().list.sort()).to_series())


def _pointed(work: Work, values: pl.Series) -> pl.Series:
    """Numbers with a decimal point, where the policy says that they have a comma: 1.234,50 is 1234.50."""
    if work.policy.decimal == ".":
        return values
    written = pl.col("v").str.contains(r"\d")
    plain = pl.col("v").str.replace_all(r"[. ]", "").str.replace(",", ".", literal=True)
    return values.to_frame("v").select(pl.when(written).then(plain).otherwise("v").alias("v")).to_series()


def _money(work: Work, column: Column, values: pl.Series) -> None:
    values = _pointed(work, values)
    text = pl.col("v").str.replace_all(" ", "", literal=True)
    text = pl.when(text.str.contains(_MONEY)).then(text)
    minus = text.str.contains(r"[(-]")
    plain = text.str.replace_all(r"[^\d.]", "").cast(pl.Decimal(18, 2), strict=False)
    made = values.to_frame("v").select(pl.when(minus).then(-plain).otherwise(plain).alias("v"))["v"]
    work.reject(column.name, f"{column.name} is no amount of money", values.is_not_null() & made.is_null())
    work.make(column.name, made)


def _number(work: Work, column: Column, values: pl.Series) -> None:
    values = _pointed(work, values)
    number = pl.when(pl.col("v").str.contains(_NUMBER)).then("v").cast(pl.Float64, strict=False)
    made = values.to_frame("v").select(number)["v"]
    if column.kind is Kind.DAYS:
        made = made.cast(pl.Int64, strict=False)
    else:
        work.reject(column.name, f"{column.name} is no number", values.is_not_null() & made.is_null())
    work.make(column.name, made)


_READERS: dict[Kind, Callable[[Work, Column, pl.Series], None]] = {
    Kind.ID: _identifier,
    Kind.TEXT: _identifier,
    Kind.INSTANT: _instant,
    Kind.DATE: _date,
    Kind.CLOCK: _clock,
    Kind.MINUTES: _duration(60_000_000),
    Kind.SECONDS: _duration(1_000_000),
    Kind.TERM: _term,
    Kind.FLAG: _term,
    Kind.DOCUMENTED: _term,
    Kind.CODE: _code,
    Kind.CODES: _codes,
    Kind.DIAGNOSES: _codes,
    Kind.MONEY: _money,
    Kind.NUMBER: _number,
    Kind.DAYS: _number,
}
