"""Code lists and credentials: how a policy's lists are read and compared.

Source: docs/specification.md#code-lists, docs/specification.md#lists-codes-and-diagnoses.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

FAMILY = ("98966", "98967", "98968")
AUDITED_BY_DEFAULT = ("98968",)

_FORMS = {
    "digits": re.compile(r"()(\d{5})()"),
    "letter": re.compile(r"([A-Z])(\d{4})()"),
    "end": re.compile(r"()(\d{4})([A-Z])"),
}
CODE = r"^(?:\d{4}[A-Z0-9]|[A-Z]\d{4})$"
"""What a code looks like: four digits and a letter or digit, or a letter and four digits."""


def form(code: str) -> tuple[str, int] | None:
    """What codes of one form have in common, and the number of this one; None for no code."""
    for name, pattern in _FORMS.items():
        if match := pattern.fullmatch(code):
            return f"{name} {match[1]}{match[3]}", int(match[2])
    return None


@dataclass(frozen=True)
class CodeList:
    """Single codes and ranges; a range holds codes of its ends' form only: five digits, or one letter and four digits."""

    singles: frozenset[str]
    ranges: tuple[tuple[str, int, int], ...]

    @classmethod
    def of(cls, entries: Iterable[str]) -> "CodeList":
        """Read entries such as `99202-99205`, `G0466-G0470` or `G0402`."""
        singles, ranges = set(), []
        for text in (entry.strip().upper() for entry in entries):
            first, dash, last = text.partition("-")
            if dash and (low := form(first)) and (high := form(last)):
                ranges.append((low[0], low[1], high[1]))
            else:
                singles.add(text)
        return cls(frozenset(singles), tuple(ranges))

    def __contains__(self, code: str) -> bool:
        """Whether the code is listed."""
        if code in self.singles:
            return True
        listed = form(code)
        return listed is not None and any(
            kind == listed[0] and low <= listed[1] <= high for kind, low, high in self.ranges
        )


_TAXONOMY = re.compile(r"\b(?:\d{3}|\d{2}[A-Z])[A-Z0-9]{6}X\b")
"""A taxonomy code (NUCC)."""


def credential_parts(credential: str, meanings: Mapping[str, str] = MappingProxyType({})) -> frozenset[str]:
    """The runs of letters of a credential, dots removed: `PA-C` is PA and C, `Ph.D.` is PHD; and what its words mean.

    `meanings`: words, or the first characters of taxonomy codes → a credential, or `physician` or `qualified` (a part in
    lower case). Of several words that fit, those of more words are taken, and their words once; of a taxonomy code, the
    longest beginning. A taxonomy code has no other part.
    """
    text = credential.replace(".", "").upper()
    means = {phrase.upper(): _on_list(meaning) for phrase, meaning in meanings.items()}
    codes = _TAXONOMY.findall(text)
    beginnings = [[code[:size] for size in range(len(code), 0, -1) if code[:size] in means] for code in codes]
    parts = {means[found[0]] for found in beginnings if found}
    text = _TAXONOMY.sub(" ", text)
    parts.update(re.findall(r"[A-Z]+", text))
    phrase_text = f" {' '.join(re.findall(r'[A-Z0-9]+', text))} "
    for phrase in sorted(means, key=lambda phrase: (-len(phrase.split()), phrase)):
        sought = f" {' '.join(re.findall(r'[A-Z0-9]+', phrase))} "
        if sought in phrase_text:
            phrase_text = phrase_text.replace(sought, "  ")
            parts.add(means[phrase])
    return frozenset(parts)


def _on_list(meaning: str) -> str:
    return meaning.lower() if meaning.lower() in ("physician", "qualified") else meaning.upper()
