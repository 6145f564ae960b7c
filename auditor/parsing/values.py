"""One column's text → typed values, and the rows that it rejects.

Source: docs/specification.md#tables-and-values.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

import polars as pl

from auditor.parsing import instants
from auditor.parsing.ids import folded, same_ids
from auditor.parsing.instants import DAY, MidnightCounts
from auditor.policy import Policy
from auditor.reading.dictionary import ColumnHints, byte_range_of
from auditor.schema.codes import CODE
from auditor.schema.tables import TABLES, Column, Kind, fold_term

ROW_SOURCE = ("source_file", "source_record")
"""The columns that say where a row was read."""
_FIRST_ROWS = 1_000
"""Rows that are looked at before all are."""

_NUMBER = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"
TIME_OF_DAY = r"^\d{1,2}:[0-5]\d(:[0-5]\d(\.\d+)?)?( ?[AaPp][Mm])?$"
_CLOCK = r"^(?:(\d{1,4}):)?(\d{1,6}):([0-5]?\d(?:\.\d+)?)$"
_AMOUNT = r"(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+)"
_MONEY = rf"^(?:[-+]?\$?{_AMOUNT}|\$[-+]{_AMOUNT}|\(\$?{_AMOUNT}\))$"
_NOT_DOCUMENTED = ("", "n/a", "na", "none", "null", "-")
_INVISIBLE, _INVISIBLE_IN_LISTS = r"[\p{Cf}\p{Cc}]", r"[\p{Cf}\p{Cc}--\s]"
"""Characters that are invisible; in lists, line ends and tabs separate the items."""
_ARMORED = r"""[\p{Cf}\p{Cc}]|^\s*(?:="|')"""
_ISO_LENGTH = r"(?i)^PT(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?$"
_WITH_UNIT = r"(?i)^(\d+(?:\.\d+)?) ?min(?:ute)?s?\.?$"
_CATEGORY = r"^[^A-Z0-9]*([A-Z]\d[A-Z0-9])"
"""Of a diagnosis without its dots: how ICD-10 codes begin."""
_SCIENTIFIC = r"^\d+(?:[.,]\d+[eE][+-]?|[eE][+-])\d{1,2}$"


class DictionaryColumn(NamedTuple):
    """A dictionary-encoded column: its distinct values, and each row's index among them.

    Without `codes`, `values` has one value for each row.
    """

    values: pl.Series
    codes: pl.Series | None = None

    def decode(self, mask: pl.Series | None = None) -> pl.Series:
        """The column's rows, or those that the mask picks."""
        if self.codes is None:
            return self.values if mask is None else self.values.filter(mask)
        codes = self.codes if mask is None else self.codes.filter(mask)
        if isinstance(self.values.dtype, pl.List):  # a join spreads lists ten times faster than a gather
            values = pl.DataFrame({"values": self.values}).with_row_index("place")
            return pl.DataFrame({"place": codes}).join(values, "place", "left", maintain_order="left")["values"]
        return self.values.gather(codes)


@dataclass
class TableParser:
    """Parser state: the columns typed so far, and each row's first problem: 0, or the problem's number from 1.

    `date_columns`: the instants and dates that are date-only as a whole, where that is known beforehand. `codes`:
    each row's index among the distinct texts of the column that is being read; None: it is read row by row.
    """

    policy: Policy
    table: str
    rows: int
    date_columns: frozenset[str] | None = None
    columns: dict[str, DictionaryColumn] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)
    problem: pl.Series = field(init=False)
    unrecognised: list[tuple[str, str, str, int]] = field(default_factory=list)
    tallies: dict[str, int] = field(default_factory=dict)
    has_local_times: bool = False
    midnights: dict[str, MidnightCounts] = field(default_factory=dict)
    filled: set[str] = field(default_factory=set)
    codes: pl.Series | None = None

    def __post_init__(self) -> None:
        self.problem = pl.repeat(0, self.rows, dtype=pl.UInt32, eager=True)

    def is_date_only(self, column: Column) -> bool | None:
        """Whether the whole column holds dates, where that is known beforehand."""
        return None if self.date_columns is None else column.name in self.date_columns

    def encoded(self, values: pl.Series) -> DictionaryColumn:
        """Values for the distinct texts of the column that is being read, as a column."""
        return DictionaryColumn(values, self.codes)

    def count(self, mask: pl.Series) -> int:
        """The rows of the texts that the mask picks."""
        return int(self.encoded(mask).decode().sum()) if mask.any() else 0

    def has_row(self, mask: pl.Series) -> bool:
        """Whether there is a row with one of these texts: mostly one of the first is."""
        if self.codes is None or not mask.any():
            return bool(mask.any())
        return any(mask.gather(some).any() for some in (self.codes.head(_FIRST_ROWS), self.codes))

    def add(self, name: str, values: pl.Series) -> None:
        """Add a typed column, given for each different text."""
        self.columns[name] = self.encoded(values)

    def reject(self, column: str, reason: str, mask: pl.Series) -> None:
        """Give the rows of these texts this reason unless they have one."""
        if mask.any():
            self.problems.append((column, reason))
            first = self.encoded(mask).decode().fill_null(False) & (self.problem == 0)
            self.problem = self.problem.set(first, len(self.problems))

    def reject_each(self, column: str, reasons: pl.Series) -> None:
        """Give the rows of each text its own reason unless they have one; null: nothing is wrong with it."""
        different = reasons.drop_nulls().unique().sort()
        numbers = pl.Series(range(len(self.problems) + 1, len(self.problems) + len(different) + 1), dtype=pl.UInt32)
        self.problems += [(column, reason) for reason in different]
        found = self.encoded(reasons.replace_strict(different, numbers, default=0, return_dtype=pl.UInt32)).decode()
        self.problem = self.problem.zip_with(self.problem > 0, found.fill_null(0))


def read(parser: TableParser, column: Column, values: pl.Series, hints: ColumnHints) -> None:
    """Type one column of the export, blanks as nulls, into `parser`: each different text once, where texts repeat.

    `hints` of the table's columns.
    """
    if not (values.dtype.is_temporal() and column.kind in _TIMES):
        values, parser.codes = _dictionary_encoded(values, hints.texts.get(column.name), column.kind)
        byte_range = hints.byte_range(column.name) if parser.codes is None else byte_range_of(values.to_list())
        if not byte_range.is_plain:
            values = _without_armor(parser, column, values).str.strip_chars()
        values = _without_blanks(parser, column, values)
        if not byte_range.is_number:
            _count_rounded(parser, column, values)
    if parser.rows and (not values.null_count() or parser.has_row(values.is_not_null())):
        parser.filled.add(column.name)
    if column.required and values.null_count():
        parser.reject(column.name, f"{column.name} is blank", values.is_null())
    _READERS[column.kind](parser, column, values)
    parser.codes = None


def blanks(table: str, policy: Policy) -> pl.DataFrame:
    """Every typed column of one row whose cells are all blank, in which nothing can be wrong, and where it stands."""
    parser = TableParser(policy, table, 1)
    for column in TABLES[table].columns.values():
        _READERS[column.kind](parser, column, pl.Series([None], dtype=pl.String))
    codes = pl.DataFrame({"source_file": "", "source_record": 0}, schema_overrides={"source_record": pl.UInt32})
    return pl.DataFrame({name: typed.values for name, typed in parser.columns.items()}).with_columns(codes)


_TIMES = (Kind.INSTANT, Kind.DATE)
_VOCABULARIES = (Kind.TERM, Kind.FLAG, Kind.DOCUMENTED, Kind.CODES, Kind.DIAGNOSES)


def _dictionary_encoded(values: pl.Series, texts: pl.Series | None, kind: Kind) -> tuple[pl.Series, pl.Series | None]:
    """The different texts of a column, and the place of each row's among them; the column and None where few repeat.

    A dictionary may be that of more rows: some of its texts may be no row's.
    """
    if texts is None:
        values = values.cast(pl.String)
        if kind in (*_TIMES, Kind.ID, Kind.TEXT, Kind.CLOCK) or (
            kind not in _VOCABULARIES and _mostly_distinct(values)
        ):
            return values, None
        categorical = values.cast(pl.Categorical(pl.Categories.random()))  # whose codes count from 0
        values = categorical.to_physical()
        count = values.to_frame("p").select(pl.max("p").fill_null(-1).cast(pl.Int64) + 1).item()
        texts = pl.int_range(count, dtype=pl.UInt32, eager=True).cat.to(categorical.dtype).cast(pl.String)
    if values.null_count():
        values = values.fill_null(len(texts))
        texts = texts.extend_constant(None, 1)
    return texts, values


def _mostly_distinct(values: pl.Series) -> bool:
    return bool(values.to_frame("v").select(pl.col("v").approx_n_unique() * 10 > pl.len()).item())


def _without_armor(parser: TableParser, column: Column, values: pl.Series) -> pl.Series:
    """Remove invisible characters, and the armor that spreadsheets put around text."""
    armored = values.str.contains(_ARMORED).fill_null(False)
    if not armored.any():
        return values
    invisible = _INVISIBLE_IN_LISTS if column.is_list else _INVISIBLE
    bare = values.str.replace_all(invisible, "").str.strip_chars()
    bare = bare.str.replace(r'^="(.*)"$', "${1}").str.strip_prefix("'")
    if column.name.endswith("_id") and (count := parser.count(armored & (bare != values.str.strip_chars()))):
        parser.tallies[
            f"{parser.table}.{column.name}: {{count}} identifiers were written with characters that print nothing or "
            f"as in a "
            'spreadsheet (="00123"); these were taken off'
        ] = count
    return bare


def _without_blanks(parser: TableParser, column: Column, values: pl.Series) -> pl.Series:
    """Nulls for trimmed texts that are empty, or as a whole one of the policy's null words, whatever their case."""
    null_words = {word.lower() for word in parser.policy.nulls}
    if parser.codes is not None and not any(
        text is not None and (not text or text.lower() in null_words) for text in values
    ):
        return values
    short = (values.str.len_bytes() <= max((len(word.encode()) for word in null_words), default=0)).arg_true()
    if short.is_empty():
        return values
    short_texts = values.gather(short)
    empty, is_null_word = short_texts == "", short_texts.str.to_lowercase().is_in(null_words)
    mask = pl.repeat(False, len(values), dtype=pl.Boolean, eager=True).scatter(
        short.filter(is_null_word & ~empty), True
    )
    if count := parser.count(mask):
        text = (
            f"{parser.table}.{column.name}: {{count}} cells hold a null word such as NULL or nan; they count as blank"
        )
        if column.kind is not Kind.DOCUMENTED:  # where "none" is an answer, and means what a blank does
            parser.tallies[text] = count
    return values.scatter(short.filter(is_null_word | empty), None)


def _count_rounded(parser: TableParser, column: Column, values: pl.Series) -> None:
    if column.name.endswith("_id") and (count := parser.count(values.str.contains(_SCIENTIFIC))):
        parser.tallies[
            f"{parser.table}.{column.name}: {{count}} identifiers look like rounded numbers (2.98725E+13); "
            "export the column as text"
        ] = count


def _identifier(parser: TableParser, column: Column, values: pl.Series) -> None:
    if column.name == "claim_line" and parser.table == "claims":
        values = values.fill_null("1")
    if differences := getattr(parser.policy.ids, same_ids(column.name), ()):
        values = values.to_frame("id").select(folded(pl.col("id"), differences)).to_series()
    parser.add(column.name, values)


def _instant(parser: TableParser, column: Column, values: pl.Series) -> None:
    zone = parser.policy.zone_of(parser.table, column.name)
    is_date_only = False if column.name == "call_start" else parser.is_date_only(column)  # midnights of calls are times
    read = instants.read(values, parser.policy, date_only=is_date_only, zone=zone, count=parser.count)
    _refuse_times(parser, column, values, read)
    parser.midnights[column.name] = read.midnights
    utc, date_only = read.utc, read.date_only
    if column.name == "call_start":
        parser.reject(column.name, f"{column.name} has a date but no time", date_only)
    if column.name == "call_end" and date_only.any():  # says nothing of when the call ended
        utc, date_only = utc.set(date_only, None), date_only & False
    parser.add(column.name, utc)
    parser.add(f"{column.name}_date_only", date_only)
    if column.name in ("call_start", "visit_start", "booked_at"):
        parser.add(f"{column.name}_date", read.local.dt.date())


def _date(parser: TableParser, column: Column, values: pl.Series) -> None:
    zone = parser.policy.zone_of(parser.table, column.name)
    read = instants.read(values, parser.policy, days=True, date_only=False, zone=zone, count=parser.count)
    _refuse_times(parser, column, values, read)
    parser.add(column.name, read.local.dt.date())


def _clock(parser: TableParser, column: Column, values: pl.Series) -> None:
    """Times of day → `call_end`, where that is blank: the first such time from the start on. A whole instant is its own.

    Within the minute of its start a call that ends without seconds ends as it starts.
    """
    nothing = pl.Series([None], dtype=parser.columns["call_start"].values.dtype).new_from_index(0, len(values))
    stated = parser.columns["call_end"].decode() if "call_end" in parser.columns else nothing
    if values.null_count() == len(values):
        parser.add("call_end", stated)
        return
    values = values.set(stated.is_not_null(), None)
    zone, start = parser.policy.zone_of(parser.table, "call_start"), parser.columns["call_start"].decode()
    day, clock = start.dt.convert_time_zone(zone).dt.date(), values.str.contains(TIME_OF_DAY).fill_null(False)

    def ending(days: int) -> instants.Instants:
        dated = (day + timedelta(days=days)).dt.to_string("%Y-%m-%d ") + values
        text = values.to_frame("v").select(pl.when(clock).then(dated).otherwise("v")).to_series()
        return instants.read(text, parser.policy, date_only=False, zone=zone)

    same = ending(0)
    next_day = clock & (same.utc < start.dt.truncate("1m")).fill_null(False)
    end = same.utc.zip_with(~next_day, ending(1).utc) if next_day.any() else same.utc
    end = end.zip_with(~(clock & (end < start)).fill_null(False), start)
    parser.reject(
        column.name, f"{column.name} is before the start, and over 12 h after it on the next day",
        next_day & (end - start > timedelta(hours=12)),
    )  # fmt: skip
    parser.reject(column.name, f"{column.name} is no time of day that can be read", same.problem > 0)
    parser.add("call_end", stated.zip_with(stated.is_not_null(), end))
    parser.filled.add("call_end")


def _refuse_times(parser: TableParser, column: Column, values: pl.Series, read: instants.Instants) -> None:
    name = column.name
    zone = parser.policy.zone_of(parser.table, name)
    parser.has_local_times |= read.has_local and not parser.policy.has_zone(parser.table, name)
    if read.problem.max():
        if (unreadable := read.problem == instants.UNREADABLE).any():
            parser.reject_each(name, _unreadable(name, values, unreadable))
        for problem, reason in (
            (instants.SKIPPED, f"a local time that the DST change in {zone} skips"),
            (instants.REPEATED, f"a local time that the DST change in {zone} repeats"),
        ):
            parser.reject(name, f"{name} is {reason}", read.problem == problem)


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


def _duration(default_unit: int) -> Callable[[TableParser, Column, pl.Series], None]:
    def read(parser: TableParser, column: Column, values: pl.Series) -> None:
        values = _with_decimal_point(parser, values)
        text = pl.col("v")
        unit = parser.policy.units.get(column.name)  # type: ignore[call-overload]
        per_unit, scale = _UNITS.get(unit, default_unit), 60 if unit == "h:mm" else 1
        number = pl.when(text.str.contains(_NUMBER)).then(text).cast(pl.Float64, strict=False) * per_unit
        clock = [text.str.extract(_CLOCK, group).cast(pl.Float64, strict=False) for group in (1, 2, 3)]
        clocked = (clock[0].fill_null(0) * 3600 + clock[1] * 60 + clock[2]) * 1_000_000
        clocked = pl.when(clock[0].is_null()).then(clocked * scale).otherwise(clocked)
        iso = [text.str.extract(_ISO_LENGTH, group).cast(pl.Float64, strict=False) for group in (1, 2, 3)]
        iso_length = (iso[0].fill_null(0) * 3600 + iso[1].fill_null(0) * 60 + iso[2].fill_null(0)) * 1_000_000
        iso_length = pl.when(pl.any_horizontal(part.is_not_null() for part in iso)).then(iso_length)
        minutes = text.str.extract(_WITH_UNIT, 1).cast(pl.Float64, strict=False) * 60_000_000
        length = pl.coalesce(number, clocked, iso_length, minutes).round(0).cast(pl.Int64, strict=False)
        lengths = values.to_frame("v").select(length.alias("v"))["v"]
        parser.reject(
            column.name,
            f"{column.name} is no length such as 21 or 21:30 or PT21M30S",
            values.is_not_null() & lengths.is_null(),
        )
        parser.reject(column.name, f"{column.name} is negative", lengths < 0)
        parser.reject(column.name, f"{column.name} is over 24 h", lengths > DAY)
        parser.add(column.name, lengths)

    return read


def _term(parser: TableParser, column: Column, values: pl.Series) -> None:
    terms = parser.policy.terms(parser.table, column.name)
    texts: list[str | None] = values.to_list()
    meant = [None if text is None else terms.get(fold_term(text)) for text in texts]
    if column.kind is Kind.DOCUMENTED:
        documented = [
            text is not None and term != "false" and text.casefold() not in _NOT_DOCUMENTED
            for text, term in zip(texts, meant, strict=True)
        ]
        parser.add(column.name, pl.Series(documented, dtype=pl.Boolean))
        return
    unknown = pl.Series(
        [text is not None and term is None for text, term in zip(texts, meant, strict=True)], dtype=pl.Boolean
    )
    if unknown.any():
        counted = parser.encoded(values).decode(parser.encoded(unknown).decode()).value_counts(name="count").rows()
        parser.unrecognised += [(parser.table, column.name, text, count) for text, count in sorted(counted)]
    if column.name == "claim_status":
        parser.add("claim_status_sure", ~unknown)
        meant = [term or "active" for term in meant]
    elif column.name == "status":
        meant = [term if text is None else term or "unrecognised" for text, term in zip(texts, meant, strict=True)]
    meanings = pl.Series(meant, dtype=pl.String)
    parser.add(column.name, meanings == "true" if column.kind is Kind.FLAG else meanings)


def _plain_code(text: pl.Expr) -> pl.Expr:
    """Upper-case text → its code: what precedes it left out, cut at the first character that is neither letter nor digit."""
    bare = text.str.replace(r"^[^A-Z0-9]+", "").str.replace(r"^(?:HCPCS|HCPC|CPT)[:\s-]*", "")
    return bare.str.extract(r"^([A-Z0-9]+)")


def _code(parser: TableParser, column: Column, values: pl.Series) -> None:
    code = values.str.to_uppercase().to_frame("v").select(_plain_code(pl.col("v"))).to_series()
    none = code.is_null() & values.is_not_null()
    if column.required:
        parser.reject(column.name, f"{column.name} holds no code", none)
    elif count := parser.count(none):
        text = f"{parser.table}.{column.name}: {{count}} values hold no code; those calls count as not billed"
        parser.tallies[text] = count
    if count := parser.count(~code.str.contains(CODE)):
        problem = "values are no CPT or HCPCS codes; their lines are lines of another code"
        parser.tallies[f"{parser.table}.{column.name}: {{count}} {problem}"] = count
    parser.add(column.name, code)


def _codes(parser: TableParser, column: Column, values: pl.Series) -> None:
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
        if count := parser.count(values.to_frame("v").select(written > found.list.len()).to_series()):
            problem = "rows have diagnoses that are no ICD-10 codes; these count as blank"
            parser.tallies[f"{parser.table}.{column.name}: {{count}} {problem}"] = count
    parser.add(column.name, values.to_frame("v").select(found.list.unique().list.sort()).to_series())


def _with_decimal_point(parser: TableParser, values: pl.Series) -> pl.Series:
    """Numbers with a decimal point, where the policy says that they have a comma: 1.234,50 is 1234.50."""
    if parser.policy.decimal == ".":
        return values
    written = pl.col("v").str.contains(r"\d")
    plain = pl.col("v").str.replace_all(r"[. ]", "").str.replace(",", ".", literal=True)
    return values.to_frame("v").select(pl.when(written).then(plain).otherwise("v").alias("v")).to_series()


def _money(parser: TableParser, column: Column, values: pl.Series) -> None:
    values = _with_decimal_point(parser, values)
    text = pl.col("v").str.replace_all(" ", "", literal=True)
    text = pl.when(text.str.contains(_MONEY)).then(text)
    minus = text.str.contains(r"[(-]")
    plain = text.str.replace_all(r"[^\d.]", "").cast(pl.Decimal(18, 2), strict=False)
    amounts = values.to_frame("v").select(pl.when(minus).then(-plain).otherwise(plain).alias("v"))["v"]
    parser.reject(column.name, f"{column.name} is no amount of money", values.is_not_null() & amounts.is_null())
    parser.add(column.name, amounts)


def _number(parser: TableParser, column: Column, values: pl.Series) -> None:
    values = _with_decimal_point(parser, values)
    number = pl.when(pl.col("v").str.contains(_NUMBER)).then("v").cast(pl.Float64, strict=False)
    numbers = values.to_frame("v").select(number)["v"]
    if column.kind is Kind.DAYS:
        numbers = numbers.cast(pl.Int64, strict=False)
    else:
        parser.reject(column.name, f"{column.name} is no number", values.is_not_null() & numbers.is_null())
    parser.add(column.name, numbers)


_READERS: dict[Kind, Callable[[TableParser, Column, pl.Series], None]] = {
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
