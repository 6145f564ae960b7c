"""Columns of an export that say which rows count: flags of a visit's state, deleted rows, charges of a ledger.

Source: docs/specification.md#commands.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from auditor.mapping import values as suggest_values
from auditor.mapping.guess import CERTAIN, GUESS, LIKELY, Guess
from auditor.mapping.values import Source
from auditor.schema.tables import TABLES, YES_NO, fold_term

_STATES = (
    (r"(?i)no.?show", "no_show"),
    (r"(?i)cancel|resched", "cancelled"),
    (r"(?i)kept|arriv|attend|complet|check.?(ed)?.?(in|out)", "completed"),
)
"""Words of headers of flags, and the status that a set flag means."""
_GONE = r"(?i)delet|inactiv|void"
_TYPE = r"(?i)(trans|transaction|record|entry).?type"
_CHARGE = r"(?i)^(charges?|chg|chrg)$"
_NEGATIVE = r"^\(|^-|-$"
_LEDGER = 0.2
"""Share of negative amounts from which a column may be that of a ledger."""
_WORDS = {fold_term(word): term for term, words in YES_NO.items() for word in (term, *words)}


def status(sources: Sequence[Source]) -> Guess | None:
    """The flags of a visit's state, joined, with the status that each combination means; blank where it is not clear.

    Blank parts leave no space when columns are joined, so that only flags that every row fills can be.
    """
    flags = [
        (source, term) for source in sources if _is_flag(source) and source.filled == 1 and (term := _state(source))
    ]
    if not flags:
        return None
    joined = tuple(source for source, _ in flags)
    combinations = suggest_values.joined(joined).unique().sort().to_list()
    meanings = {text: _meaning(text, [term for _, term in flags]) for text in combinations}
    sure = LIKELY if any(term == "completed" for _, term in flags) else GUESS
    why = "flags of the visit's state; [values.visits.status] maps them" + (
        "" if sure == LIKELY else "; WHICH WERE KEPT?"
    )
    return Guess(TABLES["visits"].columns["status"], joined, sure, why, values=meanings)


def settle_amounts(found: dict[str, Guess]) -> None:
    """An amount column that holds the payments of a ledger is asked about: payments are no reversals."""
    for name in ("billed_amount", "paid_amount"):
        guess = found.get(name)
        if guess and (share := guess.sources[0].share(_NEGATIVE)) >= _LEDGER:
            why = f"{guess.why}; A LEDGER? {share:.0%} OF THE AMOUNTS ARE NEGATIVE: choose the rows that are charges first"
            found[name] = replace(guess, sure=CERTAIN if guess.sure == CERTAIN else GUESS, why=why)


def choices(sources: Sequence[Source], guesses: Mapping[str, Guess]) -> dict[str, dict[str, list[str]]]:
    """What `[rows.TABLE]` may keep and drop: header → words. The words are yes, no, or charge; "" is a blank cell."""
    used = {source.name for guess in guesses.values() if guess.active for source in guess.sources}
    free = [source for source in sources if source.name not in used]
    keep = {source.name: charges for source in free if re.search(_TYPE, source.name) and (charges := _charges(source))}
    drop = {source.name: yes for source in free if re.search(_GONE, source.name) and (yes := _true_words(source))}
    patient = guesses.get("patient_id")
    if patient and patient.active and patient.column.name in TABLES["visits"].columns and 0 < patient.filled < 1:
        drop[patient.sources[0].name] = [""]
    return {mode: words for mode, words in (("keep", keep), ("drop", drop)) if words}


def _is_flag(source: Source) -> bool:
    return source.filled > 0 and all(fold_term(value) in _WORDS for value in source.values.drop_nulls().unique())


def _state(source: Source) -> str:
    return next((term for words, term in _STATES if re.search(words, source.name)), "")


def _meaning(combination: str, terms: Sequence[str]) -> str:
    """The one state whose flags are set."""
    found = {
        term for word, term in zip(combination.split(" "), terms, strict=True) if _WORDS[fold_term(word)] == "true"
    }
    return found.pop() if len(found) == 1 else ""


def _charges(source: Source) -> list[str]:
    """The words for a charge of a column that has others too."""
    values = source.values.drop_nulls().unique().sort()
    charges = values.filter(values.str.contains(_CHARGE)).to_list()
    return charges if len(charges) < len(values) <= suggest_values.TERMS else []


def _true_words(source: Source) -> list[str]:
    """The words of a flag's rows that are set, where some are not."""
    if not _is_flag(source):
        return []
    values = source.values.drop_nulls().unique().sort().to_list()
    true = [value for value in values if _WORDS[fold_term(value)] == "true"]
    return true if source.filled < 1 or len(true) < len(values) else []
