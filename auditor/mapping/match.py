"""Which column of an export is which canonical column: by name, by likeness of names, and by the values themselves."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from auditor.mapping import values as suggest_values
from auditor.mapping.values import Source
from auditor.policy import Policy
from auditor.schema.tables import TABLES, Column, Kind, TableSpec, fold

CERTAIN, LIKELY, GUESS = "certain", "likely", "guess"
_LIKELY, _GUESS = 0.78, 0.6

_SHORT = {"amt": "amount", "appt": "appointment", "apt": "appointment", "cd": "code", "chrg": "charge", "clm": "claim",
          "cnt": "count", "cred": "credential", "dept": "department", "dgns": "diagnosis", "diag": "diagnosis",
          "dr": "doctor",
          "dt": "date", "dttm": "time", "dur": "duration", "dx": "diagnosis", "lic": "licence", "license": "licence",
          "mdfr": "modifier", "mins": "minutes", "nbr": "number", "no": "number", "num": "number", "pat": "patient",
          "phys": "physician", "physn": "physician", "pmt": "payment", "prf": "performing", "proc": "procedure",
          "prov": "provider", "prvdr": "provider", "pt": "patient", "pty": "specialty", "qty": "quantity",
          "resched": "rescheduled", "sbmtd": "billed", "secs": "seconds", "spclty": "specialty", "srvc": "service",
          "svc": "service", "tm": "time", "ts": "time", "enc": "encounter"}  # fmt: skip
"""Abbreviations that exports use, in the words of `tables.py`."""

_GENERIC = ("id", "number", "code", "date", "time", "type", "at", "name", "key", "is", "of")
"""Words that say little."""

_HINTS = {
    "call_id": "phone contact record ticket",
    "call_start": "date picked up answered began begin connected opened from phone",
    "call_end": "date hung up ended finished disconnected closed stop to phone",
    "call_minutes": "duration length talk",
    "call_seconds": "duration length talk",
    "initiated_by": "in out bound",
    "units": "line",
    "patient_id": "chart subject account client",
    "provider_id": "doctor staff physician therapist rendering performing resource practitioner counselor nurse",
    "visit_id": "id number slot",
    "visit_start": "date time scheduled start arrival from",
    "visit_end": "date time finish discharge to",
    "booked_at": "created made booking scheduling request on date",
    "modality": "mode channel type setting",
    "status": "outcome state",
    "service_date": "date from service",
    "paid_amount": "line reimbursed amount",
    "billed_amount": "line fee price amount",
    "credential": "title degree",
    "provider_credential": "title degree",
}
"""Words that such a column's header often holds, beside its name and aliases."""


@dataclass(frozen=True)
class Guess:
    """A canonical column's sources, how sure that is, and why."""

    column: Column
    sources: tuple[Source, ...]
    sure: str
    why: str

    @property
    def active(self) -> bool:
        """Whether the policy should say it at once; a guess only where the table cannot be read without."""
        return self.sure != GUESS or self.column.required


def match(table: str, sources: Sequence[Source], policy: Policy, *, without_billing: bool) -> dict[str, Guess]:
    """The best sources for each canonical column of a table; columns for which nothing was found are left out."""
    spec = TABLES[table]
    wanted = [column for column in spec.columns.values() if not (column.billing and without_billing)]
    found: dict[str, Guess] = {}
    for column in wanted:
        if guess := _by_name(column, sources):
            found[column.name] = guess
    dates = [source for source in sources if source.dated == "date"]
    times = [source for source in sources if source.is_time]
    taken = {source.name for guess in found.values() for source in guess.sources}
    candidates = []
    for column in wanted:
        if column.name in found:
            continue
        for source in sources:
            likely = None if source.name in taken else _by_likeness(spec, column, source, policy)
            if likely and source in dates and times and column.kind is Kind.INSTANT:
                likely = (likely[0] * 0.7, likely[1])  # a time of day beside it says more than the date alone
            candidates += [likely] if likely else []
        if column.kind is Kind.INSTANT:
            candidates += _by_joining(column, dates, times)
    candidates.sort(key=lambda pair: -pair[0])
    for _, guess in candidates:
        free = all(source.name not in taken or source in dates for source in guess.sources)
        free = free and (len(guess.sources) > 1 or guess.sources[0].name not in taken)
        if guess.column.name not in found and free:
            found[guess.column.name] = guess
            if guess.column.is_list:
                guess = _with_siblings(guess, [source for source in sources if source.name not in taken])
                found[guess.column.name] = guess
            taken |= {source.name for source in guess.sources}
    return {name: found[name] for name in spec.columns if name in found}


def _by_name(column: Column, sources: Sequence[Source]) -> Guess | None:
    """A header that the reader takes without being told, unless it holds times of day for want of a date."""
    for names, why in (((column.name,), "the same name"), (column.aliases, "a known name of it")):
        accepted = {fold(name) for name in names}
        for source in sources:
            if fold(source.name) in accepted and not (column.kind in (Kind.INSTANT, Kind.DATE) and source.is_time):
                return Guess(column, (source,), CERTAIN, why)
    return None


def _by_likeness(spec: TableSpec, column: Column, source: Source, policy: Policy) -> tuple[float, Guess] | None:
    if source.is_time and column.kind is not Kind.MINUTES:
        return None
    fits = suggest_values.fit(source, column, spec.name, policy)
    if fits < 0.5 or ((column.name,) == spec.key and source.unique < 0.95):
        return None
    named = likeness(column, [source])
    score = 0.65 * named + 0.32 * fits + 0.03 * source.filled
    terms = source.values.drop_nulls().n_unique()
    if column.kind is Kind.TERM and fits > 0.6 and 2 <= terms <= 40:
        score = max(score, 0.4 + 0.4 * fits)
    elif named < 0.5:
        return None
    if score < _GUESS:
        return None
    sure = LIKELY if score >= _LIKELY else GUESS
    return score, Guess(column, (source,), sure, f"name {named:.0%} alike, {fits:.0%} of the values fit")


def _with_siblings(guess: Guess, sources: Sequence[Source]) -> Guess:
    """Numbered columns of one name, such as Dx1 to Dx12, are one list."""

    def stem(source: Source) -> str:
        return re.sub(r"\d+(st|nd|rd|th)?", "#", source.name.casefold())

    alike = [source for source in sources if stem(source) == stem(guess.sources[0]) and "#" in stem(source)]
    return replace(guess, sources=tuple(alike)) if len(alike) > 1 else guess


def _by_joining(column: Column, dates: Sequence[Source], times: Sequence[Source]) -> list[tuple[float, Guess]]:
    """A date and a time of day make an instant; between times alike by name, the one with fewer blanks."""
    pairs = []
    for date in dates:
        for time in times:
            named = likeness(column, [date, time])
            score = 0.6 * named + 0.2 * time.filled + 0.2 * date.filled
            sure = LIKELY if score >= _LIKELY else GUESS
            why = f"a date and a time of day, names {named:.0%} alike"
            if (score >= _GUESS and named >= 0.5) or column.required:
                pairs.append((score, Guess(column, (date, time), sure, why)))
    return pairs


def likeness(column: Column, sources: Sequence[Source]) -> float:
    """How alike the headers and the canonical column's names are, from 0 to 1."""
    written = fold("".join(source.name for source in sources))
    names = (column.name, *column.aliases)
    letters = max(difflib.SequenceMatcher(None, written, fold(name)).ratio() for name in names)
    tokens = [token for source in sources for token in _tokens(source.name)]
    words = _words((*names, _HINTS.get(column.name, "")))
    weights = [0.1 if token.isdigit() else 0.3 if token in _GENERIC else 1.0 for token in tokens]
    shared = sum(weight for token, weight in zip(tokens, weights, strict=True) if token in words)
    return max(letters**2, shared / max(sum(weights), 1.0))


@cache
def _words(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(token for name in names for token in _tokens(name))


def _tokens(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return [_SHORT.get(token, token) for token in re.findall(r"[a-z]+|\d+", spaced.casefold())]


def match_all(exports: Mapping[str, Sequence[Source]], policy: Policy) -> dict[str, dict[str, Guess]]:
    """Match every table, then settle patients and providers by the values that the tables share."""
    found = {
        table: match(table, sources, policy, without_billing=table == "calls" and "claims" in exports)
        for table, sources in exports.items()
    }
    for name in ("patient_id", "provider_id"):
        anchors = [guesses[name] for guesses in found.values() if name in guesses and guesses[name].sure == CERTAIN]
        for table, guesses in found.items():
            column = TABLES[table].columns.get(name)
            others = [anchor for anchor in anchors if anchor is not guesses.get(name)]
            if column and others:
                _settle(column, exports[table], guesses, others)
    return found


def _settle(column: Column, sources: Sequence[Source], guesses: dict[str, Guess], others: Sequence[Guess]) -> None:
    """Say what share of the ids another table knows; without a name to go by, take the column that shares most."""
    known = {value for other in others for value in other.sources[0].values.drop_nulls().unique()}
    current = guesses.get(column.name)
    if current and current.sure != GUESS:
        share = overlap(current.sources[0], known)
        note = f"{share:.0%} of its values are in another table"
        if not share:
            note = "NONE of its values is in another table, in the rows read: are they the same ids?"
        guesses[column.name] = replace(current, why=f"{current.why}; {note}")
        return
    taken = {source.name for guess in guesses.values() for source in guess.sources if guess is not current}
    ranked = sorted(((overlap(source, known), source) for source in sources if source.name not in taken and
                     source.values.n_unique() > 1), key=lambda pair: -pair[0])  # fmt: skip
    telling = len(known) > 20 or all(len(value) >= 5 for value in known)  # small numbers meet by chance
    if ranked and ranked[0][0] > 0.3 and telling:
        share, source = ranked[0]
        why = f"{share:.0%} of its values are another table's {column.name}"
        guesses[column.name] = Guess(column, (source,), LIKELY if share > 0.6 else GUESS, why)


def overlap(source: Source, known: set[str]) -> float:
    """Share of a column's distinct values that are known elsewhere."""
    own = set(source.values.drop_nulls().unique())
    return len(own & known) / max(len(own), 1)
