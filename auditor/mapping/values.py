"""What an export's columns look like: headers and the first rows as text, and how well the values fit a kind.

Nothing here needs a required column, and no cell's value leaves this module but those of vocabulary columns.
"""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Literal

import polars as pl

from auditor.mapping.known import ZONES
from auditor.parsing import instants
from auditor.parsing.cells import ANY_SIGN, blank_pattern
from auditor.parsing.instant_columns import TIME_OF_DAY
from auditor.parsing.readers import READERS
from auditor.policy import Policy
from auditor.reading import csv as csvfile
from auditor.reading import decoding, ingest
from auditor.reading import parquet as parquetfile
from auditor.reading.ingest import Part
from auditor.schema.tables import Column, Kind, fold_term
from auditor.sources import staging

SAMPLE = 5000
"""Rows looked at per table."""

_MODIFIER = r"^(?i)[A-Z\d]{2}\b"
_ZONE = r" ([A-Za-z]{3,4})$"
_AFTER_OFFSET = r"\d(\[[\w/+-]+\]| \([A-Za-z ]+\))$"
"""A zone's name beside its offset."""
TERMS = 40
"""A column with more different values than this is no vocabulary."""

_DATES = ("%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%b %d, %Y", "%b %d %Y", "%d.%m.%Y", "%Y/%m/%d", "%Y.%m.%d", "%d/%m/%Y",
          "%d-%m-%Y", "%m-%d-%Y", "%Y%m%d", "%d%b%Y", "%d%b%y", "%m/%d/%y", "%d/%m/%y", "%a %m/%d/%Y",
          "%a, %d %b %Y", "%a %d %b %Y", "%a %b %d %Y", "%Y-%m-%d", "%m/%d/%Y", "%m%d%Y")  # fmt: skip
_TIMES = ("", " %H:%M:%S", " %H:%M", " %I:%M%p", " %I:%M:%S%p", " %H:%M:%S%.f", ":%H:%M:%S", " %H%M",
          ", %I:%M:%S%p", ", %I:%M%p", " %I.%M.%S%.f%p", "T%H%M%S", "T%H%M%S%#z",
          "-%H.%M.%S%.f", "%H%M%S%z", " %I.%M.%S%.f %p %:z", " %H:%M:%S GMT%z", "T%H:%M:%S%:z",
          "T%H:%M:%S%.f%:z")  # fmt: skip
_SERIALS = {"epoch": r"^1[0-9]{9}(\.\d+)?$", "epoch_ms": r"^1[0-9]{12}$", "excel": r"^4[0-9]{4}(\.\d+)?$"}
"""Numbers that are instants of this century, wherever a header speaks of dates or times."""
_EXCEL = r"^[345][0-9]{4}(\.\d+)?$"
"""Days of a spreadsheet from 1982 to 2064, where a column holds nothing else."""
_NULL_LIKE = (
    r"(?i)^[(<\[]?(?:nul|null value|nil|no (?:value|data|date|time)|not (?:available|applicable|recorded|known|set|entered"
    r"|specified|given)|n\.a\.?|n/?d|unknown|unspecified|undefined|missing|empty|blank|tbd)[)>\]]?$"
    r"|^0+[-/.]0+[-/.][0 :.T]+$"
)
"""Words, and dates of zeros, that systems write where there is no value."""
_FIGURES = r"^[\d\s$()/:.,TZ+-]*\d[\d\s$()/:.,TZ+-]*(?: ?[AaPp]\.?[Mm]\.?)?$"
_BOTH_WAYS = r"^(\d{1,2})([/.-])(\d{1,2})[/.-](?:\d{4}|\d{2})\b"
_MOSTLY = 0.6
_PHONE = r"\+\d{8,15}\b|^(1[-. ])?\(?\d{3}\)?[-. ]\s?\d{3}[-. ]\d{4}$"
_PARTY = r"(?i)phone|tel|mobile|cell|\bani\b|\bdnis\b|clid|party|^from|^to\b|^src|^dst|dial|caller"
_TIMELY = r"(?i)date|time|stamp|start|end|connect|begin|answer|created|booked"
_CLOCK, _FOUR_DIGITS = r"(?i)time|hour|begin|start", r"^([01]\d|2[0-3])[0-5]\d$"
GUESS = "cp1252"
"""What text that is not UTF-8 most often is."""


@dataclass(frozen=True)
class Source:
    """One column of an export: its header and the stripped values of the first rows, blanks null.

    `dated`: whether they are dates, or dates with times, in a form known or one that a format can name. `declared`: a file
    with this column is not UTF-8 and was read as GUESS. `nulls`: what repeats among dates and numbers as if it meant a
    blank; the values are null there.
    """

    name: str
    values: pl.Series
    dated: Literal["", "date", "instant"] = ""
    declared: bool = False
    nulls: tuple[str, ...] = ()

    @property
    def filled(self) -> float:
        """Share of rows that are not blank."""
        return self.values.count() / max(len(self.values), 1)

    @property
    def unique(self) -> float:
        """Share of the filled rows whose value is their own."""
        present = self.values.drop_nulls()
        return present.n_unique() / max(len(present), 1)

    def share(self, pattern: str) -> float:
        """Share of the filled rows that match a pattern."""
        present = self.values.drop_nulls()
        return float(present.str.contains(pattern).mean() or 0) if len(present) else 0.0  # type: ignore[arg-type]

    @property
    def is_time(self) -> bool:
        """Times of day without a date; four digits only where the header speaks of a time."""
        digits = re.search(_CLOCK, self.name) is not None and self.share(_FOUR_DIGITS) > 0.95
        return digits or self.share(TIME_OF_DAY) > 0.95

    @property
    def serial(self) -> str:
        """The word for instants that are numbers: epoch, epoch_ms or excel; blank where they are none."""
        head = self.values.drop_nulls().filter(self.values.drop_nulls() != "0")
        for text, pattern in _SERIALS.items():
            if len(head) and (head.str.contains(pattern).mean() or 0) >= _MOSTLY:  # type: ignore[operator]
                return text
        return "excel" if len(head) and head.str.contains(_EXCEL).all() else ""

    @property
    def is_phone(self) -> bool:
        """Numbers of telephones, which are nobody's id."""
        spelt = self.share(_PHONE) > _MOSTLY
        return spelt or (self.share(r"^1?\d{10}$") > _MOSTLY and re.search(_PARTY, self.name) is not None)


@dataclass(frozen=True)
class Export:
    """A table's columns, in the order of the headers, and how many lines stand above its header."""

    sources: Sequence[Source]
    above: int


def read(table: str, paths: Sequence[str], policy: Policy, database: str | None = None) -> Export:
    """As `of_parts`, of the files that paths lead to."""
    with staging.gathered({table: paths}, policy, database=database, sample=SAMPLE) as found:
        return of_parts(found[table][0], policy)


def of_parts(parts: Sequence[Part], policy: Policy) -> Export:
    """The head of a table's files; columns that a file lacks are blank there. Raises InputRefused for unreadable files."""
    heads: list[pl.DataFrame] = []
    twice: set[str] = set()
    declared: set[str] = set()
    rows, above = 0, 0
    for part in parts:
        where = part.where
        with part.opened(where) as (stream, _):
            raw = decoding.Source(where, stream, digested=False)
            if raw.head in ingest.PARQUET:
                parquetfile.refuse_encrypted(where, raw.stream)
                headers, frame = parquetfile.head(where, raw.stream, SAMPLE)
            else:
                text = csvfile.open_text(where, raw, GUESS, skip=csvfile.lines_above_widest)
                above = max(above, text.above)
                headers, frame = _csv(text, max(SAMPLE - rows, 0))
                declared |= set(headers) if text.declared else set()
        twice |= {header for header in headers if headers.count(header) > 1}
        named = dict(zip(headers, frame.cast(pl.String).get_columns(), strict=True))
        heads.append(pl.DataFrame(named).head(max(SAMPLE - rows, 0)))
        rows += frame.height
    parsed = [
        _without_nulls(
            Source(
                values.name,
                _without_blanks(values.str.strip_chars(), policy).alias(values.name),
                declared=values.name in declared,
            )
        )
        for values in pl.concat(heads, how="diagonal")
        if values.name and values.name not in twice and values.name != ingest.RECORD
    ]
    return Export([replace(source, dated=_dated(source, policy)) for source in parsed], above)


def _csv(text: csvfile.CsvText, rows: int) -> tuple[list[str], pl.DataFrame]:
    headers = [header.strip() for header in text.headers]
    reader = csv.reader(csvfile.lines(text), delimiter=text.delimiter)
    records = [row for row in islice(reader, rows) if len(row) >= len(headers)]
    columns = [pl.Series(str(i), [row[i] for row in records], dtype=pl.String) for i in range(len(headers))]
    return headers, pl.DataFrame(columns)


def _without_blanks(texts: pl.Series, policy: Policy) -> pl.Series:
    return texts.set(texts.str.contains(blank_pattern(policy.nulls, ANY_SIGN)), None)


def _without_nulls(source: Source) -> Source:
    """The column with `nulls`, where all else is dates or numbers."""
    present = source.values.drop_nulls()
    like = present.filter(present.str.contains(_NULL_LIKE))
    words = like.filter(like.is_duplicated()).unique().sort()
    others = present.filter(~present.is_in(words.implode()))
    if words.is_empty() or others.is_empty() or not others.str.contains(_FIGURES).all():
        return source
    values = source.values.set(source.values.is_in(words.implode()), None)
    return replace(source, values=values, nulls=tuple(words))


def reads_both_ways(values: pl.Series) -> bool:
    """Whether each date of these texts can be read month first or day first, and some differ then."""
    parts = values.drop_nulls().str.extract_groups(_BOTH_WAYS).struct.unnest().drop_nulls()
    first, second = (parts[name].cast(pl.Int32) for name in ("1", "3"))
    return len(parts) > 0 and bool((first <= 12).all() and (second <= 12).all() and (first != second).any())


def joined(sources: Sequence[Source]) -> pl.Series:
    """The columns' values joined with a space, as the reader will join them."""
    frame = pl.DataFrame([source.values.alias(str(i)) for i, source in enumerate(sources)])
    together = frame.select(pl.concat_str(pl.all(), separator=" ", ignore_nulls=True)).to_series()
    return together.set(together == "", None)


def missing_formats(values: pl.Series, policy: Policy) -> list[str]:
    """Formats to add to the policy so that the reader understands the values; empty where it does or nothing helps."""
    found: list[str] = []
    text = Source("", values).serial
    if text and text not in policy.instant_formats:
        found.append(text)
    while len(found) < 3:
        problem = instants.read(values, _with(policy, found)).problem
        unread = values.filter(problem == instants.UNREADABLE)
        if len(unread) <= len(values) * 0.01:
            break
        share, form = _best_format(unread.head(300))
        if share < 0.5:
            share, form = max(_zoned_format(unread.head(300)), _format_with_zone(unread.head(300)))
        if share < 0.5 or form in found:
            break
        found.append(form)
    return found


def _best_format(values: pl.Series) -> tuple[float, str]:
    """The form that reads most of the values as years that an export can hold; the first of equals."""
    text = pl.col("v").str.replace(r" ([AaPp][Mm])$", "$1")
    forms = [date + time for date in _DATES for time in _TIMES]
    read = [text.str.to_datetime(form, strict=False).dt.year().is_between(1950, 2100).fill_null(False).mean().alias(form)
            for form in forms]  # fmt: skip
    shares = values.to_frame("v").select(read).row(0)
    best = max(range(len(forms)), key=lambda i: shares[i])
    return float(shares[best]), forms[best]


def _zoned_format(values: pl.Series) -> tuple[float, str]:
    """The same for values that end with the name of a zone."""
    rest = values.filter(zone_names(values).is_not_null()).str.replace(_ZONE, "")
    share, form = _best_format(rest) if len(rest) else (0.0, "")
    apart = rest.str.contains(r"(?i) [AP]M$").any()
    return share * len(rest) / max(len(values), 1), f"{form.replace('%p', ' %p') if apart else form} %Z"


def _format_with_zone(values: pl.Series) -> tuple[float, str]:
    """The same for values that end with the zone that most have, behind the offset: `-04:00[America/New_York]`."""
    zones = values.str.extract(_AFTER_OFFSET)
    if not zones.count():
        return 0.0, ""
    zone = str(zones.drop_nulls().mode().sort()[0])
    rest = values.filter(zones == zone).str.strip_suffix(zone)
    share, form = _best_format(rest)
    return share * len(rest) / len(values), form + zone


def zone_names(values: pl.Series) -> pl.Series:
    """The names of zones that values end with, as written; null where they end with none."""
    name = pl.col("v").str.extract(_ZONE)
    return values.to_frame("v").select(pl.when(name.str.to_uppercase().is_in(list(ZONES))).then(name))["v"]


def _with(policy: Policy, formats: Sequence[str]) -> Policy:
    return policy.model_copy(update={"instant_formats": (*policy.instant_formats, *formats)})


def _dated(source: Source, policy: Policy) -> Literal["", "date", "instant"]:
    if source.serial and re.search(_TIMELY, source.name):
        return "instant"
    numbers = source.share(r"^[\d.]{1,7}$|^\d{9,}$") > 0.1
    if source.is_time or source.filled == 0 or numbers or source.share(r"\d.*\d") < 0.9:
        return ""
    values = source.values.drop_nulls().head(500)
    read = instants.read(values, _with(policy, missing_formats(values, policy)))
    if (read.problem == instants.UNREADABLE).sum() > 0.1 * len(values):
        return ""
    return "date" if read.date_only.all() else "instant"


def numbers(source: Source) -> pl.Series:
    """A column's plain numbers, row by row; null where there is none."""
    written = source.values.str.extract(r"^(\d+(?:[.,]\d+)?)$").str.replace(",", ".", literal=True)
    return written.cast(pl.Float64, strict=False)


def has_decimal_commas(source: Source) -> bool:
    """Whether most numbers with a comma have it before their decimals, and none has a point there."""
    with_comma = source.values.drop_nulls().filter(source.values.drop_nulls().str.contains(",", literal=True))
    decimals = with_comma.str.contains(r"^\(?-?[\d.]*\d,\d{1,2}\)?$").mean() or 0
    return float(decimals) > _MOSTLY and not source.share(r"\.\d{1,2}\)?$")  # type: ignore[arg-type]


def fit(source: Source, column: Column, table: str, policy: Policy) -> float:
    """How well a column's values suit a canonical column, from 0 to 1."""
    if source.filled == 0:
        return 0.0
    if column.kind in (Kind.INSTANT, Kind.DATE):
        return float(source.dated != "")
    if column.vocabulary or column.kind is Kind.FLAG:
        unknown = sum(count for _, count in unknown_terms(source, column, table, policy))
        return 0.0 if source.values.n_unique() > TERMS else 1 - unknown / source.values.count()
    pattern = _MODIFIER if column.name == "modifiers" else READERS[column.kind].looks_like
    if pattern is None:
        return 0.5
    share = source.share(pattern)
    if column.kind is Kind.ID:
        return 0.0 if source.is_time or source.is_phone or source.share(r"^-?\d{1,8}\.\d+$|:\d\d") > 0.5 else share
    return share


def unknown_terms(source: Source, column: Column, table: str, policy: Policy) -> list[tuple[str, int]]:
    """Values outside a vocabulary with their counts; none where there are too many to be a vocabulary."""
    terms = policy.terms(table, column.name)
    counted = source.values.drop_nulls().value_counts(sort=True)
    if counted.height > TERMS:
        return []
    return [(value, count) for value, count in counted.iter_rows() if fold_term(value) not in terms]
