"""Find the column with the length of the calls, and its unit."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from auditor.mapping import values as suggest_values
from auditor.mapping.guess import GUESS, LIKELY, Guess, tokens
from auditor.mapping.values import Source
from auditor.parsing import instants
from auditor.policy import Policy
from auditor.schema.tables import TABLES

_TALK = ("billsec", "talk", "billable", "billed", "conversation")
LENGTH = re.compile(r"(?i)dur|length|sec|minute|talk|handle")
STATED = ("call_seconds", "call_minutes")
_SECONDS = {"milliseconds": 0.001, "seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}
_SPELT = {"minutes": "minutes", "minute": "minutes", "seconds": "seconds", "second": "seconds", "sec": "seconds",
          "sekunden": "seconds", "hours": "hours", "hour": "hours", "milliseconds": "milliseconds", "ms": "milliseconds",
          "msec": "milliseconds", "millis": "milliseconds"}  # fmt: skip
"""What the words of a header say that lengths are."""


def settle(found: dict[str, Guess], sources: Sequence[Source], clock: pl.Series | None) -> None:
    """The call's length: talk before ringing, and its unit as start and end say, else the header, else the size.

    `clock` as `clock` has it.
    """
    by_name = next((name for name in STATED if name in found and found[name].filled), None)
    if by_name is None:
        return
    guess = found.pop(by_name)
    source = guess.sources[0]
    taken = {one.name for other in found.values() for one in other.sources}
    for other in sources:
        if other.name not in taken and other is not source and _is_talk(other, source):
            why = f"talk time; {source.name} is longer, probably because it includes ringing"
            guess, source = Guess(guess.column, (other,), LIKELY, why), other
    unit, why = _unit(source, clock)
    if not unit:
        asked = f"{why}; use call_minutes or call_seconds, or set [units] call_minutes"
        found[by_name] = replace(guess, sure=GUESS, why=asked)
        return
    column = TABLES["calls"].columns["call_seconds" if unit == "seconds" else "call_minutes"]
    own = "" if unit in ("seconds", "minutes") else unit
    found[column.name] = replace(guess, column=column, why="; ".join(filter(None, (guess.why, why))), unit=own)


def settle_ends(found: dict[str, Guess], clock: pl.Series | None) -> None:
    """An end that is a time of day beside the call's date, and comes before the start, lies past midnight."""
    guess = found.get("call_end")
    if guess and len(guess.sources) == 2 and clock is not None and (before := (clock < 0).sum()):
        column = TABLES["calls"].columns["call_end_time"]
        why = f"{guess.why}; {before:,} of {len(clock):,} are after midnight"
        del found["call_end"]
        found[column.name] = Guess(column, guess.sources[1:], guess.sure, why)


def _is_talk(column: Source, source: Source) -> bool:
    """Whether a column is the talk of calls whose length, ringing included, is another's."""
    if not any(text in column.name.casefold() for text in _TALK):
        return False
    talk, whole = suggest_values.numbers(column), suggest_values.numbers(source)
    both = (talk <= whole).drop_nulls()
    return len(both) > 0 and bool(both.all()) and float(talk.sum()) * 3 > float(whole.sum())


def _unit(source: Source, clock: pl.Series | None) -> tuple[str, str]:
    """What lengths are, and why: milliseconds, seconds, minutes, hours, days or h:mm; blank where nothing tells."""
    length = suggest_values.numbers(source)
    parts = source.values.str.extract_groups(r"^(\d+):(\d\d)$").struct.unnest().cast(pl.Int64)
    readings = {name: length * seconds for name, seconds in _SECONDS.items()}
    if length.null_count() == len(length):
        if parts["1"].null_count() == len(parts):  # written as 0:21:30, 25 min or PT21M
            return "minutes", ""
        readings = {"minutes": parts["1"] * 60 + parts["2"], "h:mm": parts["1"] * 3600 + parts["2"] * 60}
    if clock is not None:
        shares = {unit: float((clock / seconds).is_between(0.5, 2).mean() or 0) for unit, seconds in readings.items()}  # type: ignore[arg-type]
        unit = max(shares, key=lambda name: shares[name])
        if shares[unit] > 0.5:
            return unit, f"{unit}, according to start and end"
    spelt = set(tokens(source.name)) & _SPELT.keys()
    if spelt or source.name.casefold().endswith("sec"):
        unit = _SPELT[min(spelt)] if spelt else "seconds"
        if unit == "minutes" and (length.drop_nulls() > 180).mean() >= 0.9:  # type: ignore[operator]
            return "seconds", "seconds, according to the size of the values"
        return unit, ""
    if "h:mm" in readings:
        hours = parts["1"].drop_nulls()
        if (hours > 3).mean() > 0.5:  # type: ignore[operator]
            return "minutes", "m:ss, according to the size of the values"
        return "", "M:SS OR H:MM?"
    usual = float(length.median() or 0)  # type: ignore[arg-type]
    if usual > 180:
        return "seconds", "seconds, according to the size of the values"
    if 2 <= usual <= 60 and float(length.max() or 0) <= 180:  # type: ignore[arg-type]
        return "minutes", "minutes, according to the size of the values"
    return "", f"MINUTES OR SECONDS? Half of the lengths are over {usual:g}"


def clock(found: Mapping[str, Guess], reader: Policy) -> pl.Series | None:
    """Seconds from start to end, where both were found."""
    if "call_start" not in found or "call_end" not in found:
        return None
    read = []
    for name in ("call_start", "call_end"):
        values = suggest_values.joined(found[name].sources)
        forms = suggest_values.missing_formats(values.drop_nulls(), reader)
        read.append(instants.read(values, reader.model_copy(update={"instant_formats": forms})).utc)
    return (read[1] - read[0]).dt.total_microseconds() / 1e6
