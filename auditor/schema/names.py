"""The nearest known name to a mistyped one, numbers with their nouns, and text that is safe to show."""

import difflib
import re
from collections.abc import Iterable

_OFTEN = 10
"""Rows that make a value a word."""
_USER = re.compile(r"\b([A-Za-z][A-Za-z\d+.-]+):/+(?:[^\s/@:]*:\S*@|[^\s/@:]*:[^/\n]*@|[^\s/]*@)")
"""A URL up to its host, with a user: a password may hold an @, a slash or a blank, and a Path has one slash of two."""
_QUERY = re.compile(r"(\b[A-Za-z][A-Za-z\d+.-]+:/+[^\s?;]*)[?;]\w[^\s=]*=\S*?(?=[]:;,)'\"]*(?:\s|$))")


def nearest(text: str, candidates: Iterable[str], alike: float = 0.5) -> str:
    """`; did you mean X?` for the closest known name, or nothing."""
    by_fold = {name.casefold(): name for name in sorted(candidates)}
    found = difflib.get_close_matches(text.casefold(), list(by_fold), n=1, cutoff=alike)
    return f"; did you mean {by_fold[found[0]]}?" if found else ""


def counted(number: int, noun: str) -> str:
    """A number with its noun, such as `1 claim` or `2,000 claims`."""
    return f"1 {noun}" if number == 1 else f"{number:,} {noun}s"


def found_of(found: int, number: int, nouns: str) -> str:
    """How many of a number of things are found, such as `0 of 1 patient of audited claims`; `nouns` has the plural."""
    singular = re.sub(r"ies\b|(?<!i)s\b", lambda end: "y" if end.group() == "ies" else "", nouns, count=1)
    return f"{found:,} of {number:,} {singular if number == 1 else nouns}"


def is_word(text: str, rows: int) -> bool:
    """Whether a value may be shown without --show-ids: it is frequent and has no digit. Others may be names or ids."""
    return rows >= _OFTEN and not re.search(r"\d", text)


def without_credentials(text: str) -> str:
    """Text with every URL in it cut to its host and path: neither user nor password, nor parameters, which may hold both."""
    return _QUERY.sub(r"\1", _USER.sub(r"\1://", text))


def harmless(text: str) -> str:
    """Text of the same length without control characters and direction marks, which change a terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
