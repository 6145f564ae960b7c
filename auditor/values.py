"""One column's text → typed values, and the rows that it rejects. Source: SPEC.md section 2, Values."""

from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

from auditor import instants
from auditor.policy import Policy
from auditor.tables import Column, Kind, fold_term

DAY = 86_400_000_000
"""Microseconds in 24 hours; durations are microseconds until shown."""

_NUMBER = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"
_CLOCK = r"^(?:(\d{1,4}):)?(\d{1,6}):([0-5]?\d(?:\.\d+)?)$"
_AMOUNT = r"(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+)"
_MONEY = rf"^(?:[-+]?\$?{_AMOUNT}|\$[-+]{_AMOUNT}|\(\$?{_AMOUNT}\))$"
_NOT_DOCUMENTED = ("", "n/a", "na", "none", "null", "-")
_SCIENTIFIC = r"^\d(?:\.\d+)?[eE]\+\d+$"


@dataclass
class Work:
    """The columns made so far, and for each row the first thing wrong with it: 0, or the number of a problem from 1."""

    policy: Policy
    table: str
    rows: int
    made: dict[str, pl.Series] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)
    problem: pl.Series = field(init=False)
    unrecognised: list[tuple[str, str, str, int]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    has_local_times: bool = False

    def __post_init__(self) -> None:
        self.problem = pl.repeat(0, self.rows, dtype=pl.UInt16, eager=True)

    def reject(self, column: str, reason: str, mask: pl.Series) -> None:
        """Give rows this reason unless they have one."""
        mask = mask.fill_null(False)
        if mask.any():
            self.problems.append((column, reason))
            frame = pl.DataFrame({"old": self.problem, "mask": mask})
            new = pl.when((pl.col("old") == 0) & pl.col("mask")).then(len(self.problems)).otherwise("old")
            self.problem = frame.select(new.cast(pl.UInt16).alias("old"))["old"]


def read(work: Work, column: Column, values: pl.Series) -> None:
    """Type one column of the export, blanks as nulls, into `work`."""
    values = _trimmed(values)
    if column.required:
        work.reject(column.name, f"{column.name} is blank", values.is_null())
    _READERS[column.kind](work, column, values)


def add_missing(work: Work, column: Column) -> None:
    """Add a column that the export lacks, as if every cell were blank; nothing in it can be wrong."""
    _READERS[column.kind](work, column, pl.repeat(None, work.rows, dtype=pl.String, eager=True))


def _trimmed(values: pl.Series) -> pl.Series:
    if values.dtype != pl.String:
        return values
    values = values.str.strip_chars()
    return values.to_frame("v").select(pl.when(pl.col("v") != "").then("v"))["v"]


def _text(values: pl.Series) -> pl.Series:
    return values if values.dtype == pl.String else values.cast(pl.String)


def _identifier(work: Work, column: Column, values: pl.Series) -> None:
    values = _text(values)
    if column.name == "claim_line" and work.table == "claims":
        values = values.fill_null("1")
    if column.name.endswith("_id") and (count := values.str.contains(_SCIENTIFIC).sum()):
        work.warnings.append(
            f"{work.table}.{column.name}: {count} identifiers look like rounded numbers (2.98725E+13); "
            "export the column as text"
        )
    work.made[column.name] = values


def _instant(work: Work, column: Column, values: pl.Series) -> None:
    read = instants.read(values, work.policy)
    zone = work.policy.timezone
    _refuse_times(work, column, read)
    if column.name == "call_start":
        work.reject(column.name, f"{column.name} has a date but no time", read.date_only)
    work.made[column.name] = read.utc
    work.made[f"{column.name}_date_only"] = read.date_only
    if column.name in ("call_start", "visit_start", "booked_at"):
        work.made[f"{column.name}_date"] = read.utc.dt.convert_time_zone(zone).dt.date()


def _date(work: Work, column: Column, values: pl.Series) -> None:
    read = instants.read(values, work.policy, last_year=9999, days=True)
    _refuse_times(work, column, read)
    work.made[column.name] = read.utc.dt.convert_time_zone(work.policy.timezone).dt.date()


def _refuse_times(work: Work, column: Column, read: instants.Instants) -> None:
    zone = work.policy.timezone
    name = column.name
    work.has_local_times |= read.has_local
    work.reject(name, f"{name} is no date or time that can be read", read.problem == instants.UNREADABLE)
    work.reject(name, f"{name} is a local time that the DST change in {zone} skips", read.problem == instants.SKIPPED)
    work.reject(
        name, f"{name} is a local time that the DST change in {zone} repeats", read.problem == instants.REPEATED
    )


def _duration(per_unit: int) -> Callable[[Work, Column, pl.Series], None]:
    def read(work: Work, column: Column, values: pl.Series) -> None:
        text = pl.col("v")
        number = pl.when(text.str.contains(_NUMBER)).then(text).cast(pl.Float64, strict=False) * per_unit
        clock = [text.str.extract(_CLOCK, group).cast(pl.Float64, strict=False) for group in (1, 2, 3)]
        clocked = (clock[0].fill_null(0) * 3600 + clock[1] * 60 + clock[2]) * 1_000_000
        length = pl.coalesce(number, clocked).round(0).cast(pl.Int64, strict=False)
        made = _text(values).to_frame("v").select(length.alias("v"))["v"]
        work.reject(column.name, f"{column.name} is no number or [h:]mm:ss", values.is_not_null() & made.is_null())
        work.reject(column.name, f"{column.name} is negative", made < 0)
        work.reject(column.name, f"{column.name} is over 24 h", made > DAY)
        work.made[column.name] = made

    return read


def _term(work: Work, column: Column, values: pl.Series) -> None:
    terms = work.policy.terms(work.table, column.name)
    values = _text(values)
    counted = values.drop_nulls().value_counts(name="count")
    meant = {value: terms.get(fold_term(value)) for value in counted.to_series(0)}
    free_form = column.kind is Kind.DOCUMENTED or column.name == "claim_status"
    for value, count in sorted(counted.iter_rows()):
        if meant[value] is None and not free_form:
            work.unrecognised.append((work.table, column.name, value, count))
    if column.name == "status":
        meant = {value: term or "unrecognised" for value, term in meant.items()}
    made = values.replace_strict(meant, return_dtype=pl.String) if meant else values.cast(pl.String)
    if column.kind is Kind.DOCUMENTED:
        denied = {value for value in meant if meant[value] == "false" or value.casefold() in _NOT_DOCUMENTED}
        made = values.is_not_null() & ~values.is_in(list(denied))
    elif column.kind is Kind.FLAG:
        made = made == "true"
    elif column.name == "claim_status":
        made = made.fill_null("active")
    work.made[column.name] = made


def _code(work: Work, column: Column, values: pl.Series) -> None:
    code = _text(values).str.to_uppercase().str.extract(r"^([A-Z0-9]+)")
    if column.required:
        work.reject(column.name, f"{column.name} holds no code", code.is_null() & values.is_not_null())
    elif count := (code.is_null() & values.is_not_null()).sum():
        work.warnings.append(
            f"{work.table}.{column.name}: {count} values hold no code; those calls count as not billed"
        )
    work.made[column.name] = code


def _codes(work: Work, column: Column, values: pl.Series) -> None:
    """Lists are few among many rows: each different text is parsed once."""
    values = _text(values).fill_null("")
    item = pl.element()
    if column.kind is Kind.DIAGNOSES:
        item = item.str.replace_all(".", "", literal=True)
    item = item.str.extract(r"^([A-Z0-9]+)")
    if column.kind is Kind.DIAGNOSES:
        item = item.str.slice(0, 3)
    parts = pl.col("v").str.to_uppercase().str.replace_all(r"[;,|\s]+", " ").str.split(" ")
    different = values.unique().to_frame("v")
    lists = different.with_columns(list=parts.list.eval(item).list.drop_nulls().list.unique().list.sort())
    joined = values.to_frame("v").join(lists, on="v", how="left", maintain_order="left")
    work.made[column.name] = joined["list"]


def _money(work: Work, column: Column, values: pl.Series) -> None:
    text = pl.col("v").str.replace_all(" ", "", literal=True)
    text = pl.when(text.str.contains(_MONEY)).then(text)
    minus = text.str.contains(r"[(-]")
    plain = text.str.replace_all(r"[^\d.]", "").cast(pl.Decimal(18, 2), strict=False)
    made = _text(values).to_frame("v").select(pl.when(minus).then(-plain).otherwise(plain).alias("v"))["v"]
    work.reject(column.name, f"{column.name} is no amount of money", values.is_not_null() & made.is_null())
    work.made[column.name] = made


def _number(work: Work, column: Column, values: pl.Series) -> None:
    made = (
        _text(values)
        .to_frame("v")
        .select(pl.when(pl.col("v").str.contains(_NUMBER)).then("v").cast(pl.Float64, strict=False))["v"]
    )
    if column.kind is Kind.DAYS:
        made = made.cast(pl.Int64, strict=False)
    else:
        work.reject(column.name, f"{column.name} is no number", values.is_not_null() & made.is_null())
    work.made[column.name] = made


_READERS: dict[Kind, Callable[[Work, Column, pl.Series], None]] = {
    Kind.ID: _identifier,
    Kind.TEXT: _identifier,
    Kind.INSTANT: _instant,
    Kind.DATE: _date,
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
