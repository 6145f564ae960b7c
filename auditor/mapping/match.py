"""Which column of an export is which canonical column: by name, by likeness of names, and by the values themselves."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

from auditor.cells import instants
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
    "call_id": "phone contact record ticket uniqueid sid session interaction history global callid",
    "call_start": "date picked up answered began begin connected connect opened from phone calldate answer",
    "call_end": "date hung up ended finished disconnected disconnect closed stop to phone",
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
    if table == "calls":
        _settle_lengths(found, sources, policy)
    return {name: found[name] for name in spec.columns if name in found}


_TALK = ("billsec", "talk", "billable", "billed", "conversation")
_LENGTH = re.compile(r"(?i)dur|length|sec|minute|talk|handle")
_CLOCK_IS = {"call_seconds": 1.0, "call_minutes": 60.0}
"""Seconds in what each column counts."""


def _settle_lengths(found: dict[str, Guess], sources: Sequence[Source], reader: Policy) -> None:
    """The call's length: talk before ringing, and seconds or minutes as start and end say, else as their size does."""
    named = next((name for name in _CLOCK_IS if name in found), None)
    if named is None:
        return
    guess = found[named]
    source = guess.sources[0]
    taken = {one.name for other in found.values() if other is not guess for one in other.sources}
    for other in sources:
        shorter = other.name not in taken and other is not source and _is_talk(other, source)
        if shorter:
            why = f"talk time; {source.name} is longer, as if it held ringing too"
            guess, source = Guess(guess.column, (other,), LIKELY, why), other
            found[named] = guess
    spelt = set(_tokens(source.name)) & {"minutes", "minute", "mins", "seconds", "second", "secs", "sec", "sekunden"}
    if spelt or source.name.casefold().endswith("sec"):
        unit, why = (
            ("call_seconds" if any(word.startswith("sec") for word in spelt) or not spelt else "call_minutes"),
            "",
        )
    else:
        unit, why = _unit(source, found, reader)
    del found[named]
    if unit:
        found[unit] = replace(
            guess, column=TABLES["calls"].columns[unit], why=f"{guess.why}{'; ' + why if why else ''}"
        )
    else:
        asked = f"MINUTES OR SECONDS? {why}; write call_minutes or call_seconds"
        found[named] = replace(guess, sure=GUESS, why=asked)


def _is_talk(other: Source, source: Source) -> bool:
    """Whether a column is the talk of calls whose length, ringing included, is another's."""
    if not any(word in other.name.casefold() for word in _TALK):
        return False
    talk, whole = suggest_values.numbers(other), suggest_values.numbers(source)
    both = (talk <= whole).drop_nulls()
    return len(both) > 0 and bool(both.all()) and float(talk.sum()) * 3 > float(whole.sum())


def _unit(source: Source, found: Mapping[str, Guess], reader: Policy) -> tuple[str, str]:
    """The canonical column for lengths, and why; blank where nothing tells."""
    length = suggest_values.numbers(source)
    if length.null_count() == len(length):  # written as 21:30
        return "call_minutes", ""
    if "call_start" in found and "call_end" in found:
        start, end = (
            instants.read(
                suggest_values.joined(found[name].sources),
                reader.model_copy(update={"instant_formats": suggest_values.missing_formats(
                    suggest_values.joined(found[name].sources).drop_nulls(), reader)}),
            ).utc
            for name in ("call_start", "call_end")
        )  # fmt: skip
        clock = (end - start).dt.total_microseconds() / 1e6
        shares = {name: ((clock / (length * unit)).is_between(0.5, 2)).mean() or 0 for name, unit in _CLOCK_IS.items()}
        unit = max(shares, key=lambda name: float(shares[name]))  # type: ignore[arg-type]
        if float(shares[unit]) > 0.5:  # type: ignore[arg-type]
            return unit, f"{unit.removeprefix('call_')}, as start and end say"
    usual = float(length.median() or 0)  # type: ignore[arg-type]
    if usual > 180:
        return "call_seconds", "seconds, by their size"
    if 2 <= usual <= 60 and float(length.max() or 0) <= 180:  # type: ignore[arg-type]
        return "call_minutes", "minutes, by their size"
    return "", f"half of the lengths are over {usual:g}"


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
    if column.kind is Kind.MONEY and _LENGTH.search(source.name):
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
