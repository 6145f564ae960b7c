"""Match export columns to canonical columns: by name, by similar names, and by their values."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

from auditor.mapping import known, lengths, row_flags
from auditor.mapping import values as suggest_values
from auditor.mapping.guess import CERTAIN, GUESS, LIKELY, Guess, tokens
from auditor.mapping.values import Source
from auditor.policy import Policy
from auditor.schema.tables import TABLES, Column, Kind, TableSpec, fold

_LIKELY, _GUESS = 0.78, 0.6

_GENERIC = ("id", "number", "code", "date", "time", "type", "at", "name", "key", "is", "of")
"""Words that do not identify a column."""

_HINTS = {
    "call_id": "phone contact record ticket uniqueid sid session interaction history global callid",
    "call_start": "date picked up answered began begin connected connect opened from phone calldate answer",
    "call_end": "date hung up ended finished disconnected disconnect closed stop to phone",
    "call_minutes": "duration length talk",
    "call_seconds": "duration length talk",
    "initiated_by": "in out bound",
    "units": "line",
    "patient_id": "chart subject client",
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
"""Words that are common in headers of a column, in addition to its name and aliases."""
_HEADERS = known.headers()
_OF_SYSTEMS = {
    part for table in _HEADERS.values() for names in table.values() for name in names for part in name.split(" + ")
}
_TELLING = {
    word for spec in TABLES.values() for column in spec.columns.values()
    for name in (column.name, *column.aliases, _HINTS.get(column.name, "")) for word in tokens(name)
}  # fmt: skip


def match(table: str, sources: Sequence[Source], policy: Policy, *, without_billing: bool) -> dict[str, Guess]:
    """The best sources for each canonical column of a table; columns without a source are omitted."""
    spec = TABLES[table]
    wanted = [column for column in spec.columns.values() if not (column.billing and without_billing)]
    found: dict[str, Guess] = {}
    for column in wanted:
        if guess := _by_name(column, sources) or _by_system(spec, column, sources, policy):
            found[column.name] = guess
    dates = [source for source in sources if source.dated == "date"]
    times = [source for source in sources if source.is_time]
    taken = {source.name for guess in found.values() for source in guess.sources}
    candidates = []
    for column in wanted:
        if column.name in found or (column.name in lengths.STATED and found.keys() & set(lengths.STATED)):
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
        clock = lengths.clock(found, policy)
        lengths.settle(found, sources, clock)
        lengths.settle_ends(found, clock)
        if "cpt_code" not in found:  # what a telephone company charges is no billed line
            found = {name: guess for name, guess in found.items() if not guess.column.billing or guess.sure == CERTAIN}
    if table == "visits" and "status" not in found and (flags := row_flags.status(sources)):
        found["status"] = flags
    row_flags.settle_amounts(found)
    _settle_key(spec, found)
    return {name: found[name] for name in spec.columns if name in found}


def is_telling(header: str) -> bool:
    """Whether a header has a word of a column's name, or is that of a known system."""
    return header in _OF_SYSTEMS or bool(set(tokens(header)) & _TELLING)


def _settle_key(spec: TableSpec, found: dict[str, Guess]) -> None:
    """An id that repeats is not certain: rows of one id are one record, or in conflict."""
    name = spec.key[0]
    if name not in found:
        return
    parts = [found[key].sources[0] for key in spec.key if key in found]
    whole = Source("", suggest_values.joined(parts))
    again = round((1 - whole.unique) * whole.values.count())
    if again:
        guess, rows = found[name], "row REPEATS" if again == 1 else "rows REPEAT"
        sure = LIKELY if guess.sure == CERTAIN else guess.sure
        found[name] = replace(guess, sure=sure, why=f"{guess.why}; {again:,} {rows} AN ID and must agree")


def _by_name(column: Column, sources: Sequence[Source]) -> Guess | None:
    """A header that the reader takes without being told, unless it holds times of day for want of a date."""
    for names, why in (((column.name,), "same name"), (column.aliases, "known header")):
        accepted = {fold(name) for name in names}
        for source in sources:
            if fold(source.name) in accepted and not (column.kind in (Kind.INSTANT, Kind.DATE) and source.is_time):
                return Guess(column, (source,), CERTAIN, why)
    return None


def _by_system(spec: TableSpec, column: Column, sources: Sequence[Source], policy: Policy) -> Guess | None:
    """A header, or several to be joined, that a widespread system writes, with values that suit."""
    by_name = {fold(source.name): source for source in sources}
    for header in _HEADERS[spec.name].get(column.name, ()):
        headers = header.split(" + ")
        columns = [by_name[fold(part)] for part in headers if fold(part) in by_name]
        if len(columns) < len(headers):
            continue
        if len(columns) == 2 and column.kind is Kind.INSTANT:
            fits = columns[0].dated == "date" and columns[1].is_time
        elif column.kind is Kind.INSTANT and spec.name == "calls":
            fits = columns[0].dated == "instant"
        elif column.vocabulary:
            fits = columns[0].values.n_unique() <= suggest_values.TERMS
        else:
            fits = suggest_values.fit(columns[0], column, spec.name, policy) >= 0.5
            fits = fits and _may_be(spec, column, columns[0])
        if fits or not len(columns[0].values):
            guess = Guess(column, tuple(columns), LIKELY, "header of a widespread system")
            return _with_siblings(guess, sources) if column.is_list else guess
    return None


def _may_be(spec: TableSpec, column: Column, source: Source) -> bool:
    """Whether an id's values repeat as that column's may: a record's own hardly, and those of a single one not."""
    if column.kind is not Kind.ID:
        return True
    if (column.name,) == spec.key:
        return source.unique >= 0.95
    few = column.name in ("provider_id", "group_id", "claim_line") or len(source.values) < 3
    return few or source.values.n_unique() > 1


def _by_likeness(spec: TableSpec, column: Column, source: Source, policy: Policy) -> tuple[float, Guess] | None:
    if source.is_time and column.kind is not Kind.MINUTES:
        return None
    if column.kind is Kind.MONEY and lengths.LENGTH.search(source.name):
        return None
    fits = suggest_values.fit(source, column, spec.name, policy)
    if fits < 0.5 or not _may_be(spec, column, source):
        return None
    by_name = likeness(column, [source])
    score = 0.65 * by_name + 0.32 * fits + 0.03 * source.filled
    terms = source.values.drop_nulls().n_unique()
    if column.kind is Kind.TERM and fits > 0.6 and 2 <= terms <= 40:
        score = max(score, 0.4 + 0.4 * fits)
    elif by_name < 0.5:
        return None
    if score < _GUESS:
        return None
    candidate = {Kind.ID: "name", Kind.MONEY: "code", Kind.NUMBER: "code"}.get(column.kind)
    sure = LIKELY if score >= _LIKELY and candidate not in tokens(source.name) else GUESS
    return score, Guess(column, (source,), sure, f"name {by_name:.0%} similar, {fits:.0%} of the values fit")


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
            by_name = likeness(column, [date, time])
            if len(times) == 1:  # the time of no other date
                by_name = max(by_name, likeness(column, [date]))
            score = 0.6 * by_name + 0.2 * time.filled + 0.2 * date.filled
            sure = LIKELY if score >= _LIKELY else GUESS
            why = f"a date and a time of day; names {by_name:.0%} similar"
            if (score >= _GUESS and by_name >= 0.5) or column.required:
                pairs.append((score, Guess(column, (date, time), sure, why)))
    return pairs


def likeness(column: Column, sources: Sequence[Source]) -> float:
    """How alike the headers and the canonical column's names are, from 0 to 1."""
    written = fold("".join(source.name for source in sources))
    names = (column.name, *column.aliases)
    letters = max(difflib.SequenceMatcher(None, written, fold(name)).ratio() for name in names)
    found = [token for source in sources for token in tokens(source.name)]
    known_tokens = _tokens((*names, _HINTS.get(column.name, "")))
    weights = [0.1 if token.isdigit() else 0.3 if token in _GENERIC else 1.0 for token in found]
    shared = sum(weight for token, weight in zip(found, weights, strict=True) if token in known_tokens)
    return max(letters**2, shared / max(sum(weights), 1.0))


@cache
def _tokens(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(token for name in names for token in tokens(name))


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
            other_tables = [anchor for anchor in anchors if anchor is not guesses.get(name)]
            if column and other_tables:
                _settle(column, exports[table], guesses, other_tables)
    return found


def _settle(column: Column, sources: Sequence[Source], guesses: dict[str, Guess], candidates: Sequence[Guess]) -> None:
    """Say what share of the ids another table knows; without a name to go by, take the column that shares most."""
    settled = {value for candidate in candidates for value in candidate.sources[0].values.drop_nulls().unique()}
    current = guesses.get(column.name)
    if current and current.sure != GUESS:
        share = _overlap(current.sources[0], settled)
        note = f"{share:.0%} of its values are in another table"
        sure = current.sure
        if not share:
            note = "NONE of its values in the rows read is in another table; check that they are the same ids"
            sure = CERTAIN if sure == CERTAIN else GUESS
        guesses[column.name] = replace(current, sure=sure, why=f"{current.why}; {note}")
        return
    taken = {source.name for guess in guesses.values() for source in guess.sources if guess is not current}
    ranked = sorted(((_overlap(source, settled), source) for source in sources if source.name not in taken and
                     source.values.n_unique() > 1), key=lambda pair: -pair[0])  # fmt: skip
    telling = len(settled) > 20 or all(len(value) >= 5 for value in settled)  # small numbers meet by chance
    if ranked and ranked[0][0] > 0.3 and telling:
        share, source = ranked[0]
        why = f"{share:.0%} of its values are in {column.name} of another table"
        guesses[column.name] = Guess(column, (source,), LIKELY if share > 0.6 else GUESS, why)


def _overlap(source: Source, reference: set[str]) -> float:
    """Share of a column's distinct values that are known elsewhere."""
    own = set(source.values.drop_nulls().unique())
    return len(own & reference) / max(len(own), 1)
